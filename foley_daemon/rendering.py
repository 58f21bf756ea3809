"""The sound of one clip, from the engine's takes to the file that is muxed: block by block, on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from foley_daemon.domain import SAMPLE_RATE, AudioStream, Loudness, Plan, Probe
from foley_daemon.dynamics import Block, Ducker
from foley_daemon.engine import Engine, RenderRequest
from foley_daemon.findings import SeenChunk
from foley_daemon.levels import Level, Measured, Meter, decide_level
from foley_daemon.mix import Joiner, Mixer, apply_gain
from foley_daemon.profile_groups import Mix
from foley_daemon.progress import Progress, Stopwatch
from ssv2a.media import audio

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
                block = joiner.push(chunk, take.waveform)
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
    with watch("mix"):
        foley = (apply_gain(block, level.gain_db) for block in audio.read_wav_blocks(rendered.path))
        if track is not None and settings.mode in ("mix", "duck"):
            channels = track.channels
            _write(path, channels, _under_original(clip, track, foley, settings, original))
        else:
            channels = 2
            _write(path, channels, foley)
    lufs = rendered.measured.lufs
    return Mixed(
        path,
        channels,
        level,
        None if lufs is None else lufs + level.gain_db,
        None if original is None else original.lufs,
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
        origin=clip.picture_start,
        seconds=clip.duration,
        block=SAMPLE_RATE,
    )


def _write(path: Path, channels: int, blocks: Iterator[Block]) -> None:
    with audio.WavWriter(path, channels=channels) as wav:
        for block in blocks:
            wav.write(block)
