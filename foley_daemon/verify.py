"""Is what was written what was wanted? Asked of the file itself, before it gets its name."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from foley_daemon.compare import Comparison
from foley_daemon.containers import HOLDS, lossless_bits
from foley_daemon.contents import Contents, Stream, read_contents
from foley_daemon.domain import SAMPLE_RATE, Container, Probe
from foley_daemon.errors import VerificationFailed
from foley_daemon.tracks import Track, TrackList
from ssv2a.media import ffmpeg
from ssv2a.media.audio import blocks, read_wav_blocks
from ssv2a.media.timeline import Timeline, picture_timeline

_WRITTEN_ANEW = frozenset(
    {"encoder", "major_brand", "minor_version", "compatible_brands", "comment", "timecode"}
)  # tags that muxers write themselves, or that are checked elsewhere
_NO_DATE = "1970-01-01T00:00:00.000000Z"  # what a creation time of 0 is read as
_LEAD_IN = Fraction(2112, 44_100)  # seconds, the longest that AAC encoders write


@dataclass(frozen=True, slots=True)
class Candidate:
    """What was written and waits for its verdict."""

    path: Path
    container: Container
    contents: Contents
    timeline: Timeline
    pairs: tuple[tuple[Track, Stream], ...]  # what was wanted, and where it is now

    @property
    def tolerance(self) -> Fraction:
        """Seconds: how exactly its container keeps times."""
        return HOLDS[self.container].tolerance


def read_candidate(path: Path, container: Container, tracks: TrackList) -> Candidate:
    """Look at what was written.

    Raises:
        VerificationFailed: a stream is missing, or one too many.
        FfmpegFailed: the file cannot even be read.
    """
    contents = read_contents(path)
    return Candidate(path, container, contents, picture_timeline(path), _matched(tracks, contents))


def verify(
    probe: Probe, source: Contents, sound: Path, channels: int, candidate: Candidate
) -> tuple[str, ...]:
    """Compare the candidate with the source and with the sound that was to be in it.

    Returns:
        One line for each check.

    Raises:
        VerificationFailed: a check says no; it names what was expected and what was found.
    """
    lines = [
        _check_packets(probe, candidate),
        _check_picture_time(probe, candidate),
        _check_kept(probe, candidate),
        _check_sound(probe, sound, channels, candidate),
    ]
    holds = HOLDS[candidate.container]
    if source.chapters and holds.chapters:
        _expect("chapters", source.chapters, candidate.contents.chapters)
        lines.append(f"chapters: {source.chapters} kept")
    if source.timecode is not None and holds.timecode:
        _expect("timecode", source.timecode, candidate.contents.timecode)
        lines.append(f"timecode: {source.timecode} kept")
    return tuple(lines)


def lost_tags(source: Contents, written: Contents) -> tuple[str, ...]:
    """One warning for each tag of the source's container that the output does not show."""
    return tuple(
        f"tag {key!r} ({value[:60]}): the container did not keep it"
        for key, value in source.tags.items()
        if key not in _WRITTEN_ANEW and value != _NO_DATE and written.tags.get(key) != value
    )


def _matched(tracks: TrackList, written: Contents) -> tuple[tuple[Track, Stream], ...]:
    """The written stream of each track: the n-th of a kind is the n-th of that kind."""
    found: dict[str, list[Stream]] = {}
    for stream in written.streams:
        kind = "cover" if "attached_pic" in stream.flags else stream.kind
        found.setdefault(kind, []).append(stream)
    matched = []
    for track in tracks.tracks:
        if not found.get(track.kind):
            name = "the sound" if track.source is None else track.source.title
            raise VerificationFailed(
                f"streams: expected {name} in the output, found only "
                f"{', '.join(stream.title for stream in written.streams)}; it was not published"
            )
        matched.append((track, found[track.kind].pop(0)))
    for kind in ("video", "audio", "subtitle"):
        if found.get(kind):
            raise VerificationFailed(f"streams: expected no more {kind}, got {found[kind][0].title} as well")
    return tuple(matched)


def _check_packets(probe: Probe, candidate: Candidate) -> str:
    """Every copied stream, byte for byte; between packet forms (Annex B or not) the picture, decoded."""
    copied = [
        (track.source.index, stream.index, stream.title)
        for track, stream in candidate.pairs
        if track.source is not None and track.codec == "copy" and track.kind in ("video", "audio", "subtitle")
    ]
    forms = HOLDS[probe.container].start_codes or HOLDS[candidate.container].start_codes
    decoded = forms and candidate.container is not probe.container
    if decoded:
        copied = [entry for entry in copied if entry[0] == probe.video.index]
    how = "rawvideo" if decoded else "copy"
    before = _hashes(probe.path, [index for index, _, _ in copied], how)
    after = _hashes(candidate.path, [index for _, index, _ in copied], how)
    picture = ""
    for (index, _, name), expected, got in zip(copied, before, after, strict=True):
        _expect(f"content of {name}", expected, got)
        picture = got if index == probe.video.index else picture
    unit = "decoded frames" if decoded else "packets"
    others = f"; {len(copied) - 1} further streams too" if len(copied) > 1 else ""
    return f"picture: {unit} identical (sha256 {picture[:16]}…){others}"


def _hashes(path: Path, indices: list[int], how: str) -> list[str]:
    """SHA-256 over all packets of each stream."""
    maps = [word for index in indices for word in ("-map", f"0:{index}")]
    args = ["-copyts", "-i", ffmpeg.url(path), *maps, "-c", how]
    if how == "copy":
        args += ["-copyinkf", "-copypriorss", "1"]
    output = ffmpeg.run([*args, "-f", "streamhash", "-hash", "sha256", "pipe:1"], timeout=3600)
    return [line.rpartition("=")[2] for line in output.decode().split()]


def _check_picture_time(probe: Probe, candidate: Candidate) -> str:
    """As many frames, each as long after the first as in the source."""
    before, after = picture_timeline(probe.path), candidate.timeline
    _expect("number of frames", len(before.starts), len(after.starts))
    drift = max(
        abs((now - after.start) - (then - before.start))
        for then, now in zip((*before.starts, before.end), (*after.starts, after.end), strict=True)
    )
    if drift > candidate.tolerance:
        raise VerificationFailed(
            f"picture: expected every frame within {_ms(candidate.tolerance)} of its time in the source, "
            f"got {_ms(drift)}; it was not published"
        )
    return f"picture: {len(after.starts)} frames in {float(after.duration):.3f} s, as in the source"


def _check_kept(probe: Probe, candidate: Candidate) -> str:
    """Codecs, looks and the distance of sound from picture are the source's."""
    for track, stream in candidate.pairs:
        if track.source is None or track.codec != "copy":
            continue
        _expect(f"codec of {track.source.title}", track.source.codec, stream.codec)
        if track.kind == "audio":
            _expect(f"channels of {track.source.title}", track.source.channels, stream.channels)
            _check_distance(probe, track.source, stream, candidate)
        if track.kind == "video" and candidate.container is probe.container:
            kept = {key: stream.look.get(key) for key in track.source.look}
            _expect(f"rotation and colour flags of {track.source.title}", track.source.look, kept)
    kinds = [track.kind for track, _ in candidate.pairs if track.source is not None]
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    return f"streams: {counts} kept"


def _check_distance(probe: Probe, source: Stream, stream: Stream, candidate: Candidate) -> None:
    """The original sound starts as long before or after the picture as it did.

    MP4 and MOV hide an encoder's lead-in by an edit list, other containers show it, before time zero. From
    one to the other the stream starts earlier or later, its content where it was.
    """
    if source.start is None or stream.start is None:
        return
    moved = (stream.start - candidate.timeline.start) - (source.start - probe.picture_start)
    lead_in = 0 if candidate.container is probe.container else _LEAD_IN
    slack = 2 * candidate.tolerance  # picture and sound are each rounded
    if abs(moved) > lead_in + slack:
        raise VerificationFailed(
            f"{source.title}: expected it to start as in the source, got {_ms(moved)} later relative to "
            "the picture; it was not published"
        )


def _check_sound(probe: Probe, sound: Path, channels: int, candidate: Candidate) -> str:
    """Inside the picture's span the decoded sound is the render."""
    track, stream = next(pair for pair in candidate.pairs if pair[0].source is None)
    picture, tolerance = candidate.timeline, candidate.tolerance
    decoded = blocks(
        candidate.path,
        stream=stream.index,
        channels=channels,
        layout=stream.layout if stream.channels == channels else None,
        origin=picture.start,
        seconds=Fraction(probe.n_samples, SAMPLE_RATE),
    )
    comparison = Comparison()
    for wanted, got in zip(read_wav_blocks(sound), decoded, strict=False):
        comparison.push(wanted, got)
    comparison.check_length(probe.n_samples)
    bits = lossless_bits(track.codec)
    if bits is None:
        return comparison.check_alike(math.ceil(tolerance * SAMPLE_RATE))
    late = (stream.start or Fraction(0)) - picture.start
    if abs(late) > tolerance:
        raise VerificationFailed(
            f"sound: expected its start within {_ms(tolerance)} of the picture's, got {_ms(late)}; "
            "it was not published"
        )
    return f"{comparison.check_exact(bits)}, start {_ms(late)} from the picture's"


def _expect(what: str, expected: object, got: object) -> None:
    if expected != got:
        raise VerificationFailed(f"{what}: expected {expected}, got {got}; it was not published")


def _ms(seconds: Fraction) -> str:
    return f"{float(seconds) * 1000:+.3f} ms"
