"""The sound of one clip, from the engine's takes to the file that is muxed: block by block, on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from foley_daemon.domain import SAMPLE_RATE, AudioStream, Loudness, Plan, Probe
from foley_daemon.dynamics import Block, Ducker
from foley_daemon.engine import Engine, RenderRequest
from foley_daemon.findings import SeenChunk
from foley_daemon.levels import Level, Measured, Meter, decide_level
from foley_daemon.mix import Joiner, Mixer, apply_gain, into_stereo
from foley_daemon.probe import sound_outside
from foley_daemon.profile_groups import Mix
from foley_daemon.progress import Progress, Stopwatch
from ssv2a.media import audio

HARDLY_CUT = Fraction(1, 20)  # seconds; what encoders put before and behind a sound is shorter
ROOM_TONE = "room_tone"  # key of the vocabulary: what sounds where nothing does
ROOM_TONE_LU = -22.0  # how far below everything else it stays


@dataclass(frozen=True, slots=True)
class Rendered:
    """The joined foley, as the model gave it."""

    path: Path  # float WAV, stereo, 48 kHz, exactly the plan's samples
    chunks: tuple[SeenChunk, ...]
    measured: Measured


@dataclass(frozen=True, slots=True)
class Mixed:
    """What goes into the container."""

    path: Path  # float WAV, 48 kHz, exactly the plan's samples
    channels: int  # 2 for the foley alone, the original's for a mix
    level: Level
    foley_lufs: float | None  # of the foley as it is heard: measured, plus the gain
    original_lufs: float | None  # None: no original, or silence
    warnings: tuple[str, ...]  # what of the original is not in it


def original_track(clip: Probe) -> AudioStream | None:
    """The clip's own sound: its default audio stream, else its first."""
    return next((stream for stream in clip.audio if stream.default), next(iter(clip.audio), None))


def render_foley(
    plan: Plan,
    request: RenderRequest,
    engine: Engine,
    path: Path,
    watch: Stopwatch,
    progress: Progress,
) -> Rendered:
    """Let the engine see and hear every chunk, and write the joined foley to `path` as it comes."""
    joiner, meter = Joiner(plan.n_samples), Meter()
    chunks: list[SeenChunk] = []
    with audio.WavWriter(path, channels=2) as wav:
        takes = engine.render(request)
        for chunk, take in zip(plan.chunks, takes, strict=True):
            with watch("join"):
                block = joiner.push(chunk, into_stereo(take.waveform))
                meter.push(block)
                wav.write(block)
            chunks.append(SeenChunk.of(chunk, take))
            for stage, seconds in take.seconds_spent.items():
                watch.add(stage, seconds)
            progress("render", (chunk.index + 1) / len(plan.chunks))
    joiner.finish()
    if engine.loaded is not None:
        watch.add("load models", engine.loaded.seconds)
    with watch("measure loudness"):
        measured = Measured.of(Loudness(*audio.loudness(path)), meter)
    return Rendered(path, tuple(chunks), measured)


def mix_foley(clip: Probe, rendered: Rendered, settings: Mix, path: Path, watch: Stopwatch) -> Mixed:
    """Set the foley's level and write what is muxed: the foley alone, or the mix with the original."""
    track = None if settings.mode == "replace" else original_track(clip)
    with watch("measure loudness"):
        original = None if track is None else _measure_original(clip, track)
    lower = ROOM_TONE_LU if _only_room_tone(rendered.chunks) else 0.0
    level = decide_level(
        rendered.measured,
        original,
        relative_lu=float(settings.level) + lower,
        alone_lufs=float(settings.alone) + lower,
    )
    under = track if settings.mode in ("mix", "duck") else None
    channels = 2 if under is None else under.channels
    with watch("mix"):
        foley = (apply_gain(block, level.gain_db) for block in audio.read_wav_blocks(rendered.path))
        mix = foley if under is None else _under_original(clip, under, foley, settings, original)
        _write(path, channels, mix)
    lufs = rendered.measured.lufs
    return Mixed(
        path,
        channels,
        level,
        None if lufs is None else lufs + level.gain_db,
        None if original is None else original.lufs,
        () if under is None else cut_warnings(*sound_outside(clip, under)),
    )


def cut_warnings(before: Fraction, after: Fraction) -> tuple[str, ...]:
    """What an editor should know of a mix, which is as long as the picture.

    Args:
        before: seconds by which the original begins before the picture.
        after: seconds by which it goes on after the picture's end.
    """
    places = (
        (before, "begins {:.2f} s before the picture"),
        (after, "goes on for {:.2f} s after the picture"),
    )
    return tuple(
        f"the original sound {place.format(float(seconds))}: that is not in the mix, which is as long as the "
        "picture (mode `track` keeps the original whole)"
        for seconds, place in places
        if seconds > HARDLY_CUT
    )


def _only_room_tone(chunks: Sequence[SeenChunk]) -> bool:
    return all(pick.sound == ROOM_TONE for item in chunks for pick in item.picks)


def _measure_original(clip: Probe, track: AudioStream) -> Measured:
    meter = Meter()
    for block in _original_blocks(clip, track):
        meter.push(block)
    return Measured.of(Loudness(*audio.loudness(clip.path, stream=track.index)), meter)


def _under_original(
    clip: Probe, track: AudioStream, foley: Iterator[Block], settings: Mix, original: Measured | None
) -> Iterator[Block]:
    """Mix block by block, ducked where the profile says so and there is a programme to duck under."""
    programme = original.lufs if original is not None else None
    duck = settings.mode == "duck" and programme is not None and settings.duck > 0
    mixer = Mixer(Ducker(float(settings.duck), programme) if duck and programme is not None else None)
    for ours, theirs in zip(foley, _original_blocks(clip, track), strict=True):
        yield mixer.push(ours, theirs)
    yield mixer.finish()


def _original_blocks(clip: Probe, track: AudioStream) -> Iterator[Block]:
    """The original on the picture's clock, as long as the picture."""
    return audio.blocks(
        clip.path,
        stream=track.index,
        channels=track.channels,
        layout=track.layout,
        origin=clip.picture_start,
        seconds=clip.duration,
        block=SAMPLE_RATE,
    )


def _write(path: Path, channels: int, blocks: Iterator[Block]) -> None:
    with audio.WavWriter(path, channels=channels) as wav:
        for block in blocks:
            wav.write(block)
