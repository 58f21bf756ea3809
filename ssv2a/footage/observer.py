"""Watches clips as training data: the eyes, networks and CLAP of a bundle on every stretch of them.

The sound comes first: a stretch that is silent or overdriven is not looked at. Files are only read.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from ssv2a.errors import InputError
from ssv2a.footage.clips import PART, Picture, Segment, Thing, View
from ssv2a.footage.sound_check import OVERDRIVEN, QUIETEST, decibels, sound_facts
from ssv2a.media import audio, ffmpeg
from ssv2a.media.frames import FrameReader
from ssv2a.media.timeline import Timeline, picture_timeline
from ssv2a.mel_picture import mel_picture
from ssv2a.slots import slots
from ssv2a.tracks import Followed, follow
from ssv2a.types import SAMPLE_RATE, ByteArray, FloatArray, Frames, Look

if TYPE_CHECKING:
    from ssv2a.chain import Chain
    from ssv2a.evaluate.tagger import Tagger

SHORTEST = Fraction(2)  # seconds; a shorter rest of a clip is left out
WINDOW = 4  # seconds of sound around a frame that its CLAP is of
TAGS = 10  # labels of the tagger that are kept

_MOST_SOURCES = 16  # of a frame, as when clips are given foley
_PICTURES = 3  # frames of a segment that are kept as pictures
_JPEG_QUALITY = 88
_SHOWN_DB = 80.0  # range of the spectrogram that is kept


class NoSound(InputError):
    """A clip has no audio track."""


@dataclass(frozen=True, slots=True)
class Watching:
    """How clips are looked at."""

    seconds: Fraction = Fraction(10)  # of a segment
    mute: frozenset[str] = frozenset()  # labels, names or sounds that count as silent
    seed: int = 0


class Observer:
    """Watches clips with the eyes, networks and CLAP of a bundle.

    Args:
        chain: of the bundle.
        frames: looked at in each segment.
        watching: how.
        tagger: names what is heard, beside CLAP.
    """

    def __init__(self, chain: Chain, frames: int, watching: Watching, tagger: Tagger | None = None) -> None:
        self._chain = chain
        self._frames = frames
        self._watching = watching
        self._tagger = tagger

    @property
    def mark(self) -> str:
        """Of everything that what is observed depends on, besides the file."""
        how = self._watching
        labels = () if self._tagger is None else self._tagger.labels
        parts = (self._chain.bundle_id, PART, self._frames, how.seconds, sorted(how.mute), how.seed, labels)
        return hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()

    def observe(self, path: Path, part: int = 0) -> tuple[tuple[Segment, ...], bool]:
        """The segments of a part of a clip, and whether it is the last part.

        Raises:
            NoSound: it has no audio track.
            MediaError: its picture or sound cannot be read.
        """
        timeline = picture_timeline(path)
        _sound_stream(path)
        size = self._chain.eyes.get().frame_size
        all_spans = spans(timeline.duration, self._watching.seconds)
        numbers = range(part * PART, min((part + 1) * PART, len(all_spans)))
        with FrameReader(path, timeline, size=size) as reader:
            segments = tuple(
                self._segment(path, reader, timeline, number, *all_spans[number]) for number in numbers
            )
        return segments, (part + 1) * PART >= len(all_spans)

    def _segment(
        self,
        path: Path,
        reader: FrameReader,
        timeline: Timeline,
        number: int,
        start: Fraction,
        seconds: Fraction,
    ) -> Segment:
        sound = _sound(path, timeline, start, seconds)
        facts = sound_facts(sound)
        view = None
        if facts.loudest_db >= QUIETEST and facts.clipped < OVERDRIVEN:
            frames = reader.read(frame_times(timeline, start, seconds, self._frames))
            view = self._view(frames, sound, start)
        return Segment(number, start, seconds, facts, mel_picture(sound, _SHOWN_DB), view)

    def _view(self, frames: Frames, sound: FloatArray, start: Fraction) -> View:
        """Look at the frames of a segment and listen to its sound."""
        eyes, networks = self._chain.eyes.get(), self._chain.networks.get()
        looks = eyes.look(
            frames,
            min_confidence=eyes.min_confidence,
            max_sources=_MOST_SOURCES,
            mute=self._watching.mute,
        )
        tracking = follow(looks)
        filled = slots(looks, (), networks.config.clip_dim)
        times = [float(time - start) for time in frames.times]
        claps, audible, clap = self._listen(sound, times)
        things = self._things(tracking.tracks)
        return View(
            times=tuple(times),
            slots=filled[:, : _slots_used(looks)],
            claps=claps,
            audible=audible,
            clap=clap,
            things=things,
            labels=self._tags(sound),
            pictures=_pictures(frames, things),
        )

    def _things(self, tracks: Sequence[Followed]) -> tuple[Thing, ...]:
        networks = self._chain.networks.get()
        if not tracks:
            return ()
        clips = np.stack([track.clip for track in tracks])
        with torch.inference_mode():
            claps = networks.source_claps(
                torch.from_numpy(clips).to(networks.device),
                generator=torch.Generator().manual_seed(self._watching.seed),
            )
        return tuple(
            Thing(
                *(track.label, track.name, track.caption),
                tuple((track.presence > 0).tolist()),
                *(clip, clap),
            )
            for track, clip, clap in zip(tracks, clips, claps.float().cpu().numpy(), strict=True)
        )

    def _listen(
        self, sound: FloatArray, times: Sequence[float]
    ) -> tuple[FloatArray, tuple[bool, ...], FloatArray]:
        """CLAP of the sound around each frame, whether there is any, and CLAP of the whole.

        Windows lie every second, and a frame takes the nearest: neighbours share one.
        """
        half = WINDOW * SAMPLE_RATE // 2
        centres = [min(max(0, round(time)), sound.shape[1] // SAMPLE_RATE) for time in times]
        needed = sorted(set(centres))
        windows = [sound[:, max(0, c * SAMPLE_RATE - half) : c * SAMPLE_RATE + half] for c in needed]
        claps = self._chain.clap.get().audio_batch([*windows, sound])
        loud = [decibels(window) >= QUIETEST for window in windows]
        rows = [needed.index(centre) for centre in centres]
        return claps[rows], tuple(loud[row] for row in rows), claps[-1]

    def _tags(self, sound: FloatArray) -> tuple[str, ...]:
        if self._tagger is None:
            return ()
        from ssv2a.evaluate.tagger import top_labels

        return top_labels(self._tagger, sound, TAGS)


def spans(duration: Fraction, seconds: Fraction) -> list[tuple[Fraction, Fraction]]:
    """Start and length of a clip's segments, end to end; a rest shorter than SHORTEST is left out."""
    starts = [number * seconds for number in range(int(duration / seconds) + 1)]
    found = [(start, min(seconds, duration - start)) for start in starts]
    return [(start, length) for start, length in found if length >= SHORTEST]


def frame_times(timeline: Timeline, start: Fraction, seconds: Fraction, count: int) -> list[Fraction]:
    """When the frames come that are looked at: at `count` even places of a segment, each frame once."""
    places = (start + seconds * (2 * number + 1) / (2 * count) for number in range(count))
    numbers = {timeline.shown_at(place) for place in places}
    return [timeline.starts[number] - timeline.start for number in sorted(numbers)]


def clip_sound(path: Path, start: Fraction, seconds: Fraction) -> FloatArray:
    """The sound [1 or 2, n] of a stretch of a clip at 48 kHz, silence where there is none.

    Args:
        path: the clip.
        start: seconds from the picture's first frame.
        seconds: length.

    Raises:
        NoSound: the clip has no audio track.
        MediaError: the sound cannot be decoded.
    """
    return _sound(path, picture_timeline(path), start, seconds)


def _sound(path: Path, timeline: Timeline, start: Fraction, seconds: Fraction) -> FloatArray:
    stream = _sound_stream(path)
    pieces = audio.blocks(
        path,
        stream=stream["index"],
        channels=1 if stream.get("channels") == 1 else 2,
        origin=timeline.start,
        start=start,
        seconds=seconds,
    )
    return np.concatenate(list(pieces), axis=1)


def _sound_stream(path: Path) -> dict[str, Any]:
    found = ffmpeg.probe(["-select_streams", "a", "-show_entries", "stream=index,channels", ffmpeg.url(path)])
    streams: list[dict[str, Any]] = found.get("streams", [])
    if not streams:
        raise NoSound(f"{path}: no audio track; expected a clip with its own sound.")
    return streams[0]


def _slots_used(looks: Sequence[Look]) -> int:
    """Slots up to the last that is filled in any frame."""
    return 1 + max(sum(source.caption is not None for source in look.sources) for look in looks)


def _pictures(frames: Frames, things: Sequence[Thing]) -> tuple[Picture, ...]:
    """A few frames as JPEG, spread over those in which the thing that sounds longest is there.

    Where it can be, without another that sounds.
    """
    sounding = [thing for thing in things if thing.caption is not None]
    longest = max(sounding, key=lambda thing: sum(thing.presence), default=None)
    there = np.ones(len(frames), np.bool_)
    if longest is not None:
        there = np.array(longest.presence)
        others = [thing for thing in sounding if thing.caption != longest.caption]
        alone = there & ~np.any([np.zeros_like(there), *(np.array(one.presence) for one in others)], axis=0)
        there = alone if alone.any() else there
    shown = np.flatnonzero(there)
    places = np.linspace(0, len(shown) - 1, min(_PICTURES, len(shown))).round().astype(int)
    return tuple(Picture(frame, _jpeg(frames.images[frame])) for frame in shown[places].tolist())


def _jpeg(image: ByteArray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=_JPEG_QUALITY)
    return file.getvalue()
