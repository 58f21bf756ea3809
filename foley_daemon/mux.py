"""The rendered sound and the clip's own streams become one file, verified before it has its name.

Time. Everything stays on the source's clock (`-copyts`), and the sound is laid onto it by the container
timestamp of the picture's first frame (`-itsoffset`). Measured with ffmpeg 6.0 by decoding what was
written and comparing it with the render:

- PCM, FLAC and ALAC come back sample for sample, in MP4 and MOV with pictures that start at 0, late, or
  inside an edit list. Two defaults spoil that: movie time in milliseconds (an empty edit would be up to
  24 samples off; `-movie_timescale 48000`), and without `-copyts` each input is moved to its own zero, which
  depends on streams that are not even kept.
- AAC is encoded from 1024 samples before the start. MP4 and MOV hide them by an edit list; where the
  picture starts late (an empty edit) and in MKV and TS they are decoded, as silence from 21.3 ms before it.
  By timestamps the content is right everywhere: to the sample in MP4, MOV and TS, within 16 samples (one
  tick of 1 ms) in MKV. Some hundred samples of padding follow behind the picture's end.
- Opus has a pre-skip, 312 samples (6.5 ms) from libopus, and Matroska's clock ticks in milliseconds: rounding
  put the sound 1 ms late. Moved by −0.4 ms it rounds to the picture's own millisecond: 0 samples off.
- The Matroska muxer of ffmpeg 5 does not count the pre-skip, which readers do: every Opus track, a copied
  one too, came to lie early by it. There the muxer is given it later by as much: 0 samples off again (5.1.9).
- MPEG-TS: the muxer adds 1.4 s of its own clock unless told not to (`-mpegts_copyts 1`).
- Stream copy drops packets before the first key frame and before time zero by default: `-copyinkf`,
  `-copypriorss 1` keep them, so the picture is the source's packet for packet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from foley_daemon.containers import HOLDS, OUTPUT_MARK, container_of
from foley_daemon.contents import Contents, Stream, read_contents
from foley_daemon.domain import SAMPLE_RATE, Container, Probe
from foley_daemon.errors import ClipReplaced
from foley_daemon.gate import Signature
from foley_daemon.place import Collision, disk_errors, part_file, settle
from foley_daemon.progress import Stopwatch
from foley_daemon.scratch import work_folder
from foley_daemon.sidecar import verify_sidecar, write_sidecar
from foley_daemon.timecode import keep_counts
from foley_daemon.tracks import Mode, Track, TrackList, list_tracks
from foley_daemon.verify import lost_tags, read_candidate, verify
from ssv2a.media import ffmpeg

_OPUS_ROUNDING = Fraction(-4, 10_000)  # seconds, see above
_OPUS_PRE_SKIP = 312  # samples at 48 kHz, of libopus
_BITRATE = 128_000  # bits a second and channel, for AAC and Opus
_ENCODERS: Mapping[str, tuple[str, ...]] = {
    "opus": ("libopus", "-ar", str(SAMPLE_RATE)),
    "flac": ("flac", "-sample_fmt", "s32"),  # 24 bits of them
    "alac": ("alac", "-sample_fmt", "s32p"),
}
_M2TS = frozenset({".m2ts", ".mts"})  # packets of 192 bytes, as AVCHD cameras write them
_LAYOUT_OF_ENCODER = {6: "5.1", 8: "7.1"}  # what AAC, ALAC and Opus take, whatever the original said
_KEEPS_LAYOUT = frozenset({"pcm_s16le", "pcm_s24le", "flac"})
_TAGS_OF_ISO = frozenset(
    {
        "title",
        "artist",
        "album_artist",
        "composer",
        "album",
        "date",
        "comment",
        "genre",
        "copyright",
        "encoder",
        "description",
        "keywords",
        "make",
        "model",
        "location",
        "creation_time",
        "timecode",
        "major_brand",
        "minor_version",
        "compatible_brands",
    }
)  # what MP4 and MOV hold without the table of free keys


@dataclass(frozen=True, slots=True)
class MuxRequest:
    """One file to be made."""

    probe: Probe
    audio: (
        Path  # finished sound, 48 kHz WAV, exactly probe.n_samples: the foley, or the whole mix (mix, duck)
    )
    channels: int  # of `audio`
    mode: Mode
    destination: Path  # its folder exists; a suffix of another container asks for that
    codec: str = "auto"  # or pcm_s16le, pcm_s24le, flac, alac, aac, opus
    collision: Collision = "version"
    tags: Mapping[str, str] = field(default_factory=dict)  # written so that the output is known as one
    signature: Signature | None = None  # of the source when the work began; given, it must hold to the end


@dataclass(frozen=True, slots=True)
class Published:
    """What has its name on disk now."""

    file: Path
    warnings: tuple[str, ...]  # one line for each thing that could not be kept
    verified: tuple[str, ...]  # one line for each check


def decide_tracks(
    probe: Probe, destination: Path, mode: Mode, codec: str
) -> tuple[Contents, Container, TrackList]:
    """What the source holds, the container that is written, and what will be in it; nothing is written.

    Raises:
        ContainerCannot: the container cannot hold what is asked for.
    """
    contents = read_contents(probe.path)
    target = container_of(destination, probe.path, probe.container)
    tracks = list_tracks(
        contents,
        picture=probe.video.index,
        mode=mode,
        codec=codec,
        source=probe.container,
        target=target,
    )
    return contents, target, tracks


def nothing_beside(published: Published) -> Mapping[Path, bytes]:
    """No companions."""
    del published
    return {}


def publish(
    request: MuxRequest,
    companions: Callable[[Published], Mapping[Path, bytes]] = nothing_beside,
    watch: Stopwatch | None = None,
) -> Published:
    """Write the clip with its sound (or the sidecar), verify it, give it its name.

    The file grows under a hidden temporary name in its folder, is verified there and removed if it is
    not what was wanted. The source is only read.

    Args:
        request: what is to be made.
        companions: given what is about to be published, the files that belong beside it; they are there
            before it is. What it raises stops the publication.
        watch: told how long writing and verifying took.

    Raises:
        ContainerCannot: the container cannot hold what is asked for.
        OutputExists: the name is taken and `collision` is "fail".
        VerificationFailed: what was written is not what was wanted.
        ClipReplaced, DiskFull, FolderGone: to be tried again later.
        OutputError: the folder cannot be written to.
        FfmpegFailed, FfmpegTimeout: ffmpeg could not write it.
    """
    source = request.probe.path
    with part_file(request.destination) as part, disk_errors(request.destination.parent):
        with (watch or Stopwatch())("mux and verify"):
            warnings, verified = _write(request, part)
        if request.signature is not None:
            _check_source(source, request.signature)
        file = settle(
            part,
            request.destination,
            request.collision,
            source,
            lambda name: companions(Published(name, warnings, verified)),
        )
    return Published(file, warnings, verified)


def _write(request: MuxRequest, part: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Write and verify what was asked for as `part`; return warnings and checks."""
    if request.mode != "sidecar":
        return _write_clip(request, part)
    write_sidecar(request.probe, request.audio, part, request.tags)
    return (), verify_sidecar(request.probe, request.audio, part)


def _check_source(source: Path, before: Signature) -> None:
    """The render, the mix and the copied picture are of one and the same clip."""
    try:
        now = Signature.of(source.stat())
    except FileNotFoundError:
        now = None
    if now != before:
        raise ClipReplaced(
            f"{source}: was {'changed' if now else 'removed'} while its foley was made; expected it to stay "
            "as it was. Nothing was published: give the finished clip its foley again."
        )


def _write_clip(request: MuxRequest, part: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Write and verify a clip as `part`; return warnings and checks."""
    contents, target, tracks = decide_tracks(request.probe, request.destination, request.mode, request.codec)
    timeout = 120 + 4 * float(request.probe.duration) + request.probe.size / 1e6  # a slow share: 1 MB/s
    with work_folder() as covers:
        _save_covers(request.probe.path, tracks, target, covers)
        ffmpeg.run(mux_arguments(request, contents, tracks, target, part, covers), timeout=timeout)
    if {request.probe.container, target} <= {Container.MP4, Container.MOV}:
        keep_counts(request.probe.path, part)
    candidate = read_candidate(part, target, tracks)
    verified = verify(request.probe, contents, request.audio, request.channels, candidate)
    return tracks.warnings + lost_tags(contents, candidate.contents), verified


def _save_covers(source: Path, tracks: TrackList, target: Container, folder: Path) -> None:
    """Cover images as files, where they are attached: ffmpeg would make a video track of them in MKV."""
    if not HOLDS[target].attachments:
        return
    for track in tracks.tracks:
        if track.kind == "cover" and track.source is not None:
            index = track.source.index
            args = ["-i", ffmpeg.url(source), "-map", f"0:{index}", "-c", "copy", "-frames:v", "1"]
            ffmpeg.run([*args, "-f", "rawvideo", ffmpeg.url(folder / str(index))], timeout=60)


def mux_arguments(
    request: MuxRequest, contents: Contents, tracks: TrackList, target: Container, part: Path, covers: Path
) -> list[str]:
    """Arguments for ffmpeg: the source first, the sound second, one `-map` and `-c` for each track.

    Args:
        request: what is wanted.
        contents: of the source.
        tracks: of the output.
        target: container of the output.
        part: the file to write.
        covers: folder in which cover images lie by their stream index, for containers that attach them.
    """
    holds = HOLDS[target]
    inputs, numbers = _inputs(request, tracks, target)
    args = ["-y", "-copyts", *inputs]
    args += ["-map_metadata", "0", "-map_chapters", "0" if holds.chapters else "-1"]
    args += ["-copyinkf", "-copypriorss", "1"]
    for place, (track, number) in enumerate(zip(tracks.tracks, numbers, strict=True)):
        if track.source is None:
            args += _sound_arguments(place, track, request, contents)
        elif track.kind == "cover" and holds.attachments:
            args += _cover_arguments(place, track.source, covers)
        else:
            args += ["-map", f"{number}:{track.source.index}", f"-c:{place}", *_encoder(track.codec, place)]
            args += _later(place, track, target)
    args += _mark_arguments(request, contents, target)
    if target is Container.MPEGTS and request.destination.suffix.lower() in _M2TS:
        args += ["-mpegts_m2ts_mode", "1"]  # ffmpeg goes by the name, which is a temporary one here
    return [*args, *holds.options, "-f", holds.muxer, ffmpeg.url(part)]


def _inputs(request: MuxRequest, tracks: TrackList, target: Container) -> tuple[list[str], list[int]]:
    """The files to open, and for each track the number of its own.

    The source is opened once more for copied tracks that are to be moved against its picture.
    """
    source = request.probe.path
    wanted = []
    for track in tracks.tracks:
        if track.source is None:
            wanted.append((request.audio, request.probe.picture_start + _opus_shift(track, target)))
        else:
            wanted.append((source, _opus_shift(track, target) if track.codec == "copy" else Fraction(0)))
    opened = list(dict.fromkeys([(source, Fraction(0)), wanted[tracks.rendered], *wanted]))
    args = ["-i", ffmpeg.url(source)]
    for path, time in opened[1:]:
        args += ["-itsoffset", f"{float(time):.6f}", "-i", ffmpeg.url(path)]
    return args, [opened.index(file) for file in wanted]


def _later(place: int, track: Track, target: Container) -> list[str]:
    """A converted track is moved behind its decoder: timestamps of the source may be too coarse for it."""
    shift = Fraction(0) if track.codec == "copy" else _opus_shift(track, target)
    return [f"-filter:{place}", f"asetpts=PTS+{float(shift)}/TB"] if shift else []


def _opus_shift(track: Track, target: Container) -> Fraction:
    """Seconds by which the muxer is to be given a track later, so that it comes to lie right (see above)."""
    copied = track.source if track.codec == "copy" else None
    codec = track.codec if copied is None else copied.codec
    if target not in (Container.MKV, Container.WEBM) or codec != "opus":
        return Fraction(0)
    if not ffmpeg.adds_codec_delay():
        return Fraction(_OPUS_PRE_SKIP if copied is None else copied.pre_skip, SAMPLE_RATE)
    return _OPUS_ROUNDING if track.source is None else Fraction(0)


def _cover_arguments(place: int, stream: Stream, covers: Path) -> list[str]:
    """A cover image as an attachment, with the name and type it had."""
    kind = "jpeg" if stream.codec == "mjpeg" else stream.codec
    tags = {"filename": f"cover.{kind}", "mimetype": f"image/{kind}", **stream.tags}
    args = ["-attach", str(covers / str(stream.index))]
    for key in ("filename", "mimetype"):
        args += [f"-metadata:s:{place}", f"{key}={tags[key]}"]
    return args


def _sound_arguments(place: int, track: Track, request: MuxRequest, contents: Contents) -> list[str]:
    """The rendered sound, at its place among the output's streams."""
    args = ["-map", "1:a:0", f"-c:{place}", *_encoder(track.codec, place)]
    if track.codec in ("aac", "opus"):
        args += [f"-b:{place}", str(_BITRATE * request.channels)]
    layout = _layout(track, request, contents)
    if layout is not None:
        order = "|".join(str(channel) for channel in range(request.channels))
        args += [f"-filter:{place}", f"channelmap=map={order}:channel_layout={layout}"]
    for key, value in (("title", track.title), ("handler_name", track.title), ("language", track.language)):
        if value is not None:
            args += [f"-metadata:s:{place}", f"{key}={value}"]
    return [*args, f"-disposition:{place}", "default" if track.default else "0"]


def _encoder(codec: str, place: int) -> list[str]:
    """An encoder and its options, for one output stream."""
    name, *options = _ENCODERS.get(codec, (codec,))
    return [name, *(f"{option}:{place}" if option.startswith("-") else option for option in options)]


def _layout(track: Track, request: MuxRequest, contents: Contents) -> str | None:
    """The channel layout to name; a WAV file of six channels does not say which six."""
    if request.channels <= 2:
        return None
    if track.codec in _KEEPS_LAYOUT:
        for stream in contents.of_kind("audio"):
            if stream.channels == request.channels and stream.layout is not None:
                return stream.layout
    return _LAYOUT_OF_ENCODER.get(request.channels)


def _mark_arguments(request: MuxRequest, contents: Contents, target: Container) -> list[str]:
    """The tag by which an output is known as one, and what the container needs for free tags."""
    text = " ".join(f"{key}={value}" for key, value in request.tags.items()) or "1"
    key, flags = HOLDS[target].mark, "+faststart" if target is Container.MP4 else ""
    covers = any(
        "attached_pic" in stream.flags for stream in contents.streams
    )  # have no room among free tags
    if target in (Container.MP4, Container.MOV) and not (covers or contents.tags.keys() <= _TAGS_OF_ISO):
        key, flags = OUTPUT_MARK, f"{flags}+use_metadata_tags"
    if key == "comment":  # shared with what the clip says there
        text = "\n".join(filter(None, (contents.tags.get("comment"), f"{OUTPUT_MARK} {text}")))
    args = ["-movflags", flags] if flags else []
    return args if key is None else [*args, "-metadata", f"{key}={text}"]
