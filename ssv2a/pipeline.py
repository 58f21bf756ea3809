"""`Ssv2a`: the whole chain, loaded once. Frames of a chunk go in, a take comes out.

frames → looks → tracks → slots [N, 64, clip_dim] → Cycle Mix → CLAP [N, clap_dim]
       → aggregator → target [clap_dim] → Scene → synthesiser → waveform
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ssv2a.bundle import Bundle
from ssv2a.config import Ssv2aConfig
from ssv2a.cycle_mix import cycle_mix
from ssv2a.detect.nanodet import NanoDet
from ssv2a.embed.clap import MiniClap
from ssv2a.embed.classifier import Classifier
from ssv2a.embed.minilm import MiniLm
from ssv2a.errors import ConfigurationError, InputError
from ssv2a.heard import load_heard
from ssv2a.networks import Networks
from ssv2a.scenes import load_scenes
from ssv2a.seen import Eyes, Look
from ssv2a.soundbank.bank import Bank
from ssv2a.synthesis.soundbank import SoundBank, SoundBankSettings
from ssv2a.tracks import Followed, Following, Tracking, follow
from ssv2a.types import (
    MAX_SLOTS,
    SAMPLE_RATE,
    Continuity,
    FloatArray,
    Frames,
    Rendering,
    Scene,
    Sighting,
    Take,
    Track,
    VideoSettings,
)
from ssv2a.weights import load_networks

ADDED = "added"  # label of a source that the profile names in words
ADDED_AREA = 0.1  # share of the picture that such a source counts as
SMALL = 20_000_000  # parameters; below, a second thread waits for the first more than it helps


@dataclass(frozen=True, slots=True)
class VideoState:
    """What the next chunk of a clip needs to go on with the same sources and sounds."""

    following: Following = field(default_factory=Following)
    continuity: Continuity | None = None


class Ssv2a:
    """A loaded bundle. Not safe for several threads at once.

    Args:
        bundle_id: identity of the bundle, see `Bundle.id`.
        eyes: frames → looks.
        text: captions → vectors in the space of image vectors.
        networks: of SSV2A, on their device.
        clap: captions and sounds → CLAP.
        synthesiser: scene → waveform.
        threads: of the networks on the processor, where they are large enough to gain by it.
    """

    def __init__(
        self,
        bundle_id: str,
        eyes: Eyes,
        text: MiniLm,
        networks: Networks,
        clap: MiniClap,
        synthesiser: SoundBank,
        threads: int = 1,
    ) -> None:
        self.bundle_id = bundle_id
        self._eyes = eyes
        self._text = text
        self._networks = networks
        self._clap = clap
        self._synthesiser = synthesiser
        size = sum(weight.numel() for module in networks.modules.values() for weight in module.parameters())
        self._threads = 1 if size < SMALL else threads

    @classmethod
    def load(
        cls, bundle: str | Path = "mini", *, bank: str = "default", device: str = "auto", threads: int = 0
    ) -> Ssv2a:
        """Load a bundle.

        Args:
            bundle: name or folder.
            bank: name of one of the bundle's banks, or the folder of another.
            device: auto, cpu, cuda or mps, for the networks.
            threads: of each network run on the processor; 0: one per core.

        Raises:
            BundleError: the bundle or the bank is missing or not whole.
            WeightsError: a checkpoint does not fit its network.
            ConfigurationError: there is no such device here.
        """
        parts = Bundle.open(bundle)
        place = _device(device)
        threads = threads or os.cpu_count() or 1
        heard = load_heard(parts.path("image", "heard"))
        text = MiniLm(parts.path("text", "weights"), parts.path("text", "tokenizer"), threads)
        eyes = Eyes(
            NanoDet(parts.path("detector", "weights"), tuple(heard.labels), threads),
            Classifier(parts.path("image", "classifier"), threads),
            text,
            heard,
            load_scenes(parts.path("image", "scenes")),
        )
        config = Ssv2aConfig.from_file(parts.path("ssv2a", "config"))
        networks = load_networks(config, parts.path("ssv2a", "weights")).for_inference(place)
        clap = MiniClap.load(parts.path("clap", "weights"))
        synthesiser = SoundBank(Bank.open(_bank_folder(parts, bank)), clap, text)
        return cls(parts.id, eyes, text, networks, clap, synthesiser, threads)

    def video(
        self,
        frames: Frames,
        n_samples: int,
        *,
        start: Fraction,
        seed: int,
        settings: VideoSettings,
        previous: VideoState | None = None,
    ) -> tuple[Take, VideoState]:
        """See and hear one chunk of a clip.

        Args:
            frames: of the chunk, times in seconds from the picture's first frame.
            n_samples: length to render, at SAMPLE_RATE.
            start: of the chunk, seconds from the picture's first frame.
            seed: of every draw; the same seed, frames and `previous` give the same samples.
            settings: how it is seen and heard.
            previous: of the chunk before.

        Raises:
            InputError: there are no frames, or more sources than slots.
        """
        if not len(frames):
            raise InputError("no frames: a chunk is seen in one frame at least. Read frames inside the clip.")
        with _torch_threads(self._threads):
            return self._video(frames, n_samples, start, seed, settings, previous or VideoState())

    def _video(
        self,
        frames: Frames,
        n_samples: int,
        start: Fraction,
        seed: int,
        settings: VideoSettings,
        state: VideoState,
    ) -> tuple[Take, VideoState]:
        generator, rng = _generators(seed)
        clock: dict[str, float] = {}

        # 1. What is seen in each frame, and which source goes on from frame to frame?
        with _timed(clock, "see"):
            looks = self._eyes.look(
                frames,
                min_confidence=settings.min_confidence,
                max_sources=settings.max_sources,
                mute=settings.mute,
            )
            tracking = follow(looks, state.following)
            added = self._added(settings.add, len(looks))

        # 2. What does each frame sound like (Cycle Mix), and what the whole chunk (aggregator)?
        with _timed(clock, "mix semantics"):
            target = self._target(looks, added, generator, settings)
            tracks = (*tracking.tracks, *added)
            scene = self._scene(frames, looks, tracks, target, start, n_samples, generator)

        # 3. Make it audible.
        with _timed(clock, "synthesise"):
            rendering: Rendering = self._synthesiser.synthesise(
                scene,
                n_samples,
                rng,
                previous=state.continuity,
                candidates=settings.candidates,
                settings=SoundBankSettings(**settings.synthesis),
            )
        take = Take(
            waveform=rendering.waveform,
            scene=scene,
            sightings=_sightings(looks, tracking),
            picks=rendering.picks,
            fit=rendering.fit,
            seconds_spent=clock,
            warnings=rendering.warnings,
        )
        return take, VideoState(tracking.following, rendering.continuity)

    def _added(self, texts: Sequence[str], n_frames: int) -> tuple[Followed, ...]:
        """Sources given in words: always there, in the middle; keys below zero, the same in every chunk."""
        ones = np.ones(n_frames, np.float32)
        return tuple(
            Followed(-1 - index, ADDED, text, text, vector, ones, ones * 0.5, ones * ADDED_AREA, 1)
            for index, (text, vector) in enumerate(zip(texts, self._text.embed(texts), strict=True))
        )

    def _target(
        self,
        looks: Sequence[Look],
        added: Sequence[Followed],
        generator: torch.Generator,
        settings: VideoSettings,
    ) -> FloatArray:
        """[clap_dim] of the whole chunk."""
        mix = cycle_mix(
            self._networks,
            torch.from_numpy(slots(looks, [one.clip for one in added], self._networks.config.clip_dim)),
            generator=generator,
            its=settings.cycle_its,
            samples=settings.cycle_samples,
            var_samples=settings.var_samples,
        )
        with torch.inference_mode():
            return _array(self._networks.aggregate(mix.claps[None], generator=generator)[0])

    def _scene(
        self,
        frames: Frames,
        looks: Sequence[Look],
        tracks: Sequence[Followed],
        target: FloatArray,
        start: Fraction,
        n_samples: int,
        generator: torch.Generator,
    ) -> Scene:
        claps = self._source_claps([one.clip for one in tracks], generator)
        ambience = _commonest([look.ambience for look in looks])
        vector = None if ambience is None else self._clap.text(self._text.embed([ambience]))[0]
        return Scene(
            seconds=Fraction(n_samples, SAMPLE_RATE),
            times=tuple(moment - start for moment in frames.times),
            target=target,
            tracks=tuple(
                Track(
                    *(one.key, one.label, one.name, one.caption, clap),
                    *(one.presence, one.centre_x, one.area, one.count),
                )
                for one, clap in zip(tracks, claps, strict=True)
            ),
            ambience=ambience,
            ambience_clap=vector,
        )

    def _source_claps(self, clips: Sequence[FloatArray], generator: torch.Generator) -> FloatArray:
        """[n, clap_dim]: what each source alone sounds like."""
        if not clips:
            return np.zeros((0, self._networks.config.clap_dim), np.float32)
        with torch.inference_mode():
            vectors = torch.from_numpy(np.stack(clips)).to(self._networks.device)
            return _array(self._networks.source_claps(vectors, generator=generator))


def slots(looks: Sequence[Look], added: Sequence[FloatArray], clip_dim: int) -> FloatArray:
    """Fill SSV2A's slots [N, 64, clip_dim]: 0 the whole picture, then the sources that sound, zeros after.

    Raises:
        InputError: a frame has more sources than slots.
    """
    filled = np.zeros((len(looks), MAX_SLOTS, clip_dim), np.float32)
    for frame, look in zip(filled, looks, strict=True):
        vectors = [source.clip for source in look.sources if source.caption is not None] + list(added)
        if len(vectors) >= MAX_SLOTS:
            raise InputError(
                f"a frame has {len(vectors)} sources; expected at most {MAX_SLOTS - 1}. "
                "Ask for fewer (sources.max) or add fewer texts."
            )
        for slot, vector in zip(frame, (look.scene.clip, *vectors), strict=False):
            slot[:] = vector
    return filled


def _sightings(looks: Sequence[Look], tracking: Tracking) -> tuple[Sighting, ...]:
    return tuple(
        Sighting(look.time, source.box, source.label, source.name, source.caption, source.confidence, key)
        for look, keys in zip(looks, tracking.keys, strict=True)
        for source, key in zip(look.sources, keys, strict=True)
    )


def _commonest(texts: Sequence[str | None]) -> str | None:
    """The text that most frames agree on; None where most have none."""
    return max(dict.fromkeys(texts), key=texts.count)


def _generators(seed: int) -> tuple[torch.Generator, np.random.Generator]:
    """Two independent streams of draws from one seed."""
    networks, synthesis = np.random.SeedSequence(seed).spawn(2)
    generator = torch.Generator().manual_seed(int(networks.generate_state(1, np.uint64)[0]) >> 1)
    return generator, np.random.default_rng(synthesis)


def _device(name: str) -> torch.device:
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(device for device in ("cuda", "mps", "cpu") if available[device])
    if not available.get(name, False):
        there = ", ".join(device for device, is_there in available.items() if is_there)
        raise ConfigurationError(f"device {name!r} is not there; expected one of: {there}. Use `auto`.")
    return torch.device(name)


def _bank_folder(bundle: Bundle, bank: str) -> Path:
    """A bank by the name that the bundle gives it, or by its folder."""
    if os.sep in bank:
        return Path(bank)
    return bundle.path("synthesis", bank)


def _array(tensor: Tensor) -> FloatArray:
    return tensor.float().cpu().numpy()


@contextmanager
def _torch_threads(count: int) -> Iterator[None]:
    """Run torch on `count` threads of the processor, and as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _timed(clock: dict[str, float], stage: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    clock[stage] = time.monotonic() - started
