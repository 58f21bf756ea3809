"""Which streams an output has, in which order, and what is lost: decided without touching a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from foley_daemon.containers import HOLDS, converted_subtitles, foley_codec, lossless_bits
from foley_daemon.contents import Contents, Stream
from foley_daemon.domain import Container
from foley_daemon.errors import ContainerCannot

Mode = Literal["track", "replace", "mix", "duck", "sidecar"]
TITLE = "Foley"
_ISO = frozenset({Container.MP4, Container.MOV})
_LAST = ("attachment", "cover")  # Matroska writes them after all else


@dataclass(frozen=True, slots=True)
class Track:
    """One stream of the output."""

    kind: str  # video | audio | subtitle | data | attachment | cover
    codec: str  # "copy", or what it is encoded as
    source: Stream | None  # None: the rendered sound
    title: str | None = None  # of the rendered sound
    language: str | None = None
    default: bool = False


@dataclass(frozen=True, slots=True)
class TrackList:
    """All streams of the output, and a line for each thing of the source that is not among them."""

    tracks: tuple[Track, ...]
    warnings: tuple[str, ...]

    @property
    def rendered(self) -> int:
        """Position of the rendered sound."""
        return next(place for place, track in enumerate(self.tracks) if track.source is None)


def list_tracks(
    contents: Contents,
    *,
    picture: int,
    mode: Mode,
    codec: str,
    source: Container,
    target: Container,
) -> TrackList:
    """Decide on every stream of the source and on the place of the rendered sound.

    The sound stands behind the original's, or in the place of its default track (mix, duck), or alone
    (replace).

    Args:
        contents: the source's streams.
        picture: index of the picture among them.
        mode: what the rendered sound is to the original one; not "sidecar".
        codec: of the rendered sound, "auto" or a name.
        source: container that is read.
        target: container that is written.

    Raises:
        ContainerCannot: the target cannot hold the picture, or the sound in this codec.
    """
    codec = foley_codec(target, codec)
    main = _main_audio(contents)
    tracks: list[Track] = []
    warnings: list[str] = []
    for stream in contents.streams:
        if stream.kind == "audio" and (mode == "replace" or (stream is main and mode in ("mix", "duck"))):
            if stream is main and mode != "replace":
                tracks.append(_mixed(stream, codec))
            continue
        track, warning = _kept(stream, contents, stream.index == picture, source, target)
        if track is not None:
            tracks.append(track)
        if warning is not None:
            warnings.append(f"{stream.title}: {warning}")
    if contents.chapters and not HOLDS[target].chapters:
        warnings.append(f"{contents.chapters} chapters: dropped, {target} holds none")
    if all(track.source is not None for track in tracks):
        tracks.insert(_behind_audio(tracks), _foley(tracks, codec))
    tracks.sort(key=lambda track: _LAST.index(track.kind) + 1 if track.kind in _LAST else 0)
    return TrackList(tuple(tracks), tuple(warnings))


def _main_audio(contents: Contents) -> Stream | None:
    """The original sound: the first default track, else the first."""
    audio = contents.of_kind("audio")
    return next((stream for stream in audio if "default" in stream.flags), audio[0] if audio else None)


def _mixed(stream: Stream, codec: str) -> Track:
    """The mix in the place of the original's track, with its name."""
    return Track(
        kind="audio",
        codec=codec,
        source=None,
        title=stream.tags.get("title"),
        language=stream.tags.get("language"),
        default="default" in stream.flags,
    )


def _foley(tracks: list[Track], codec: str) -> Track:
    alone = all(track.kind != "audio" for track in tracks)
    return Track(kind="audio", codec=codec, source=None, title=TITLE, default=alone)


def _behind_audio(tracks: list[Track]) -> int:
    """The place behind the last audio track, or behind the first (the picture) where there is none."""
    places = [place for place, track in enumerate(tracks) if track.kind == "audio"]
    return (places[-1] if places else 0) + 1


def _kept(
    stream: Stream, contents: Contents, is_picture: bool, source: Container, target: Container
) -> tuple[Track | None, str | None]:
    """The track that a stream becomes, and what is to be said of it; None: dropped, nothing to say."""
    same = source is target
    match stream.kind:
        case "video" if "attached_pic" in stream.flags:
            fits = same or HOLDS[target].covers
            return (
                (Track("cover", "copy", stream), None)
                if fits
                else (None, f"cover dropped, {target} has none")
            )
        case "video":
            return _kept_video(stream, is_picture, same, target)
        case "audio":
            return _kept_audio(stream, same, target)
        case "subtitle":
            return _kept_subtitle(stream, same, target)
        case "attachment":
            fits = same or HOLDS[target].attachments
            return (
                (Track("attachment", "copy", stream), None)
                if fits
                else (None, f"dropped, {target} holds none")
            )
        case "data":
            return _kept_data(stream, contents, source, target)
    return None, f"dropped, nobody knows what a {stream.kind} stream is"


def _kept_video(
    stream: Stream, is_picture: bool, same: bool, target: Container
) -> tuple[Track | None, str | None]:
    able = HOLDS[target].video
    if same or able is None or stream.codec in able:
        return Track("video", "copy", stream), None
    if is_picture:
        raise ContainerCannot(
            f"{target} cannot hold a picture in {stream.codec}, which is never re-encoded; expected "
            f"{', '.join(sorted(able))}. Keep the clip's own container: end the name template with {{ext}}."
        )
    return None, f"dropped, {target} does not hold {stream.codec}"


def _kept_audio(stream: Stream, same: bool, target: Container) -> tuple[Track, str | None]:
    """A copy; what cannot be held is converted, PCM without loss where the container can.

    PCM in MP4 counts as not held, though ffmpeg from 6.1 on writes it: 6.0 refuses.
    """
    holds, pcm = HOLDS[target], stream.codec.startswith("pcm_")
    if holds.audio is None or stream.codec in holds.audio or (same and not (pcm and target is Container.MP4)):
        return Track("audio", "copy", stream), None
    lossless = [codec for codec in holds.foley if pcm and lossless_bits(codec) is not None]
    codec = lossless[0] if lossless else holds.foley[0]
    return Track("audio", codec, stream), f"converted to {codec}, {target} does not hold {stream.codec}"


def _kept_subtitle(stream: Stream, same: bool, target: Container) -> tuple[Track | None, str | None]:
    becomes = stream.codec if same else converted_subtitles(target, stream.codec)
    if becomes == stream.codec:
        return Track("subtitle", "copy", stream), None
    if becomes is None:
        return None, f"dropped, {target} does not hold {stream.codec}"
    return Track(
        "subtitle", becomes, stream
    ), f"converted to {becomes}, {target} does not hold {stream.codec}"


def _kept_data(
    stream: Stream, contents: Contents, source: Container, target: Container
) -> tuple[Track | None, str | None]:
    """Data tracks stay where ffmpeg can describe them: GoPro's in MP4 and MOV, all in MPEG-TS.

    A chapter track (`text`) is the chapters once more: the muxer writes its own. A timecode track is
    copied into MOV only; elsewhere its value goes on as a tag, from which MP4 makes a new track (how it
    counts: timecode.py). Any other track of MP4 or MOV would come out without its sample description,
    unreadable.
    """
    if stream.codec_tag == "text" and contents.chapters and source in _ISO:
        return None, None
    if stream.codec_tag == "tmcd" and target is not Container.MOV and HOLDS[target].timecode:
        reel = stream.tags.get("reel_name")
        lost = "" if reel is None else f", the reel name {reel} is lost"
        return None, f"the timecode goes on as a tag{lost}" if lost or target is not Container.MP4 else None
    within_iso = source in _ISO and target in _ISO and stream.codec_tag in ("tmcd", "gpmd")
    if within_iso or source is target is Container.MPEGTS:
        return Track("data", "copy", stream), None
    return None, f"dropped, {target} cannot hold such data"
