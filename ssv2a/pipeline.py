"""`Ssv2a`: the whole chain. Pictures, frames or sources given by hand go in, takes come out.

frames → looks → tracks → slots [N, 64, clip_dim] → Cycle Mix → CLAP [N, clap_dim]
       → aggregator → target [clap_dim] → Scene → synthesiser → waveform
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from ssv2a.chain import Chain, load_chain
from ssv2a.cycle_mix import Mix, cycle_mix
from ssv2a.errors import InputError
from ssv2a.given import Given, Part, composed, heard_in, in_words, read_added, seen_in
from ssv2a.memory import give_back
from ssv2a.on_demand import OnDemand
from ssv2a.roles import Eyes
from ssv2a.slots import fixed_folds, slots
from ssv2a.tracks import Followed, Following, Tracking, follow
from ssv2a.types import (
    MAX_SLOTS,
    SAMPLE_RATE,
    ByteArray,
    Composition,
    Continuity,
    FloatArray,
    Frames,
    Look,
    Rendering,
    Scene,
    Sighting,
    SoundRequest,
    Take,
    Track,
    VideoSettings,
)

T = TypeVar("T")
_AIRY = 1 / 8  # share of a chunk's frames from which an ambience is that of the chunk
_EMBED, _SYNTHESISE = "embed what is given", "synthesise"  # names of stages


@dataclass(frozen=True, slots=True)
class VideoState:
    """What the next chunk of a clip needs to go on with the same sources and sounds."""

    following: Following = field(default_factory=Following)
    continuity: Continuity | None = None
    given: tuple[Given, ...] = ()


@dataclass(frozen=True, slots=True)
class _Seen:
    """One input before it sounds."""

    scene: Scene
    sightings: tuple[Sighting, ...]
    seed: int  # of the synthesis
    looks: tuple[Look, ...] = ()


class Ssv2a:
    """A bundle at work. Not safe for several threads at once.

    Args:
        chain: who fills the roles.
        low_memory: each model is given back as soon as its stage is over, and loaded anew for the next.

    Attributes:
        on_step: told (stage, steps done, steps in all) as the work goes on; 0 of 0 where a stage begins.
            What it raises ends the work.
    """

    def __init__(self, chain: Chain, *, low_memory: bool = False) -> None:
        self._chain = chain
        self._low_memory = low_memory
        self.on_step: Callable[[str, int, int], None] = lambda _stage, _done, _total: None

    @classmethod
    def load(
        cls,
        bundle: str | Path = "mini",
        *,
        bank: str = "default",
        device: str = "auto",
        threads: int = 0,
        low_memory: bool = False,
    ) -> Ssv2a:
        """Open a bundle; see `load_chain` for the arguments and errors."""
        chain = load_chain(bundle, bank=bank, device=device, threads=threads, low_memory=low_memory)
        return cls(chain, low_memory=low_memory)

    @property
    def bundle_id(self) -> str:
        """Identity of the bundle, see `Bundle.id`."""
        return self._chain.bundle_id

    @property
    def frame_size(self) -> tuple[int, int] | None:
        """(width, height) that a clip's frames are to be stretched to; None: any, kept in shape."""
        return self._chain.eyes.get().frame_size

    def listen(self, waveforms: Sequence[FloatArray]) -> FloatArray:
        """CLAP vectors [n, clap_dim] of sounds [channels, samples], see `Clap.audio_batch`."""
        return self._chain.clap.get().audio_batch(waveforms)

    def check(self, synthesis: Mapping[str, object]) -> None:
        """Refuse settings that mean nothing to the bundle's synthesiser.

        Raises:
            ConfigurationError: names them.
        """
        self._chain.synthesiser.get().check(synthesis)

    def image(
        self,
        images: Sequence[ByteArray],
        n_samples: int,
        *,
        seeds: Sequence[int],
        settings: VideoSettings,
        stems: bool = False,
    ) -> list[Take]:
        """See and hear pictures, each by itself: what one sounds like depends on none of the others.

        Args:
            images: each [height, width, 3] RGB, of any size.
            n_samples: length to render, at SAMPLE_RATE.
            seeds: one for each picture.
            settings: how they are seen and heard.
            stems: a waveform for each source as well.

        Raises:
            InputError: a picture has more sources than slots, or there is no sample to render.
        """
        _check_length(n_samples)
        if not images:
            return []
        clock: dict[str, float] = {}
        with self._stage(clock, "see", self._chain.eyes) as eyes:
            looks = [_look(eyes, Frames(image[None], (Fraction(0),)), settings) for image in images]
        tracked = [follow(look) for look in looks]
        with self._stage(clock, "mix semantics", self._chain.networks):
            seen = []
            for look, tracking, seed in zip(looks, tracked, seeds, strict=True):
                draws = _Draws.from_seed(seed)
                target = _array(self._mix(look, (), draws.generator, settings).claps[0])
                tracks = self._tracks(tracking.tracks, (), 1, draws.generator)
                scene = _scene((Fraction(0),), n_samples, look, tracks, target)
                seen.append(_Seen(scene, _sightings(look, tracking), draws.synthesis, look))
        renderings = self._render(seen, n_samples, settings, clock, stems=stems)
        shares = {stage: seconds / len(seen) for stage, seconds in clock.items()}
        return [_take(one, rendering, shares) for one, rendering in zip(seen, renderings, strict=True)]

    def video(
        self,
        frames: Frames,
        n_samples: int,
        *,
        start: Fraction = Fraction(0),
        seed: int,
        settings: VideoSettings,
        previous: VideoState | None = None,
        stems: bool = False,
    ) -> tuple[Take, VideoState]:
        """See and hear a clip, or one chunk of it.

        Args:
            frames: times in seconds from the picture's first frame.
            n_samples: length to render, at SAMPLE_RATE.
            start: of the chunk, seconds from the picture's first frame.
            seed: of every draw; the same seed, frames and `previous` give the same samples.
            settings: how it is seen and heard.
            previous: of the chunk before.
            stems: a waveform for each source as well.

        Raises:
            InputError: there are no frames or samples, more sources than slots, or a given source cannot be
                used.
        """
        _check_length(n_samples)
        if not len(frames):
            raise InputError("no frames: a chunk is seen in one frame at least. Read frames inside the clip.")
        draws, clock = _Draws.from_seed(seed), dict[str, float]()
        state = previous or VideoState(given=self._embed(read_added(settings.add), seed, clock))

        # 1. What is seen in each frame, and which source goes on from frame to frame?
        with self._stage(clock, "see", self._chain.eyes) as eyes:
            looks = _look(eyes, frames, settings)
            tracking = follow(looks, state.following)
        moments = frames.times
        del frames  # seen: where the caller keeps them no longer, their memory is free for the sound

        # 2. What does each frame sound like (Cycle Mix), and what the whole chunk (aggregator)?
        with self._stage(clock, "mix semantics", self._chain.networks) as networks:
            mix = self._mix(looks, state.given, draws.generator, settings)
            with torch.inference_mode():
                target = networks.aggregate(mix.claps[None], generator=draws.generator)[0]
            tracks = self._tracks(tracking.tracks, state.given, len(moments), draws.generator)
        times = tuple(moment - start for moment in moments)
        scene = _scene(times, n_samples, looks, tracks, _array(target))

        # 3. Make it audible.
        seen = _Seen(scene, _sightings(looks, tracking), draws.synthesis, looks)
        [rendering] = self._render([seen], n_samples, settings, clock, stems=stems, previous=state.continuity)
        take = _take(seen, rendering, clock)
        return take, VideoState(tracking.following, rendering.continuity, state.given)

    def compose(
        self, parts: Composition, n_samples: int, *, seed: int, settings: VideoSettings, stems: bool = False
    ) -> Take:
        """Hear sources that are given by hand together: pictures, texts and sounds, in this order.

        The whole image's slot stays empty, as in the released multimodal call; there are no frames to
        aggregate, so the mixed CLAP is the target.

        Args:
            parts: 1 to 63 sources.
            n_samples: length to render, at SAMPLE_RATE.
            seed: of every draw.
            settings: how they are mixed and heard; what is seen besides the pictures does not matter.
            stems: a waveform for each source as well.

        Raises:
            InputError: no source, more than 63, one that cannot be used, or no sample to render.
        """
        _check_length(n_samples)
        if not 0 < len(parts) < MAX_SLOTS:
            raise InputError(f"expected 1 to {MAX_SLOTS - 1} sources, got {len(parts)}. Give fewer.")
        draws, clock = _Draws.from_seed(seed), dict[str, float]()
        given = self._embed(composed(parts), seed, clock)
        with self._stage(clock, "mix semantics", self._chain.networks):
            mix = self._mix((None,), given, draws.generator, settings)
            tracks = self._tracks((), given, 1, draws.generator)
        scene = _scene((Fraction(0),), n_samples, (), tracks, _array(mix.claps[0]))
        seen = _Seen(scene, (), draws.synthesis)
        [rendering] = self._render([seen], n_samples, settings, clock, stems=stems)
        return _take(seen, rendering, clock)

    def _embed(self, parts: Sequence[Part], seed: int, clock: dict[str, float]) -> tuple[Given, ...]:
        """What is given, embedded kind by kind, so that no more than one model is needed at a time."""
        given: dict[int, Given] = {}
        pictures = {-1 - n: part for n, part in enumerate(parts) if part.image is not None}
        words = {-1 - n: part for n, part in enumerate(parts) if part.text is not None}
        sounds = {-1 - n: part for n, part in enumerate(parts) if part.sound is not None}
        if pictures:
            with self._stage(clock, _EMBED, self._chain.eyes) as eyes:
                given |= {key: seen_in(eyes, part, key) for key, part in pictures.items()}
        if words:
            with self._stage(clock, _EMBED, self._chain.texts) as texts:
                given |= {key: in_words(texts, part, key, seed) for key, part in words.items()}
        if sounds:
            with self._stage(clock, _EMBED, self._chain.clap) as clap:
                given |= {key: heard_in(clap, part, key) for key, part in sounds.items()}
        return tuple(given[key] for key in sorted(given, reverse=True))

    def _mix(
        self,
        looks: Sequence[Look | None],
        given: Sequence[Given],
        generator: torch.Generator,
        settings: VideoSettings,
    ) -> Mix:
        """Cycle Mix of every frame; None: a frame with nothing but what is given."""
        networks = self._chain.networks.get()
        filled = slots(looks, given, networks.config.clip_dim)
        with torch.inference_mode():
            folds = fixed_folds(looks, given, networks, generator=generator, var_samples=settings.var_samples)
        return cycle_mix(
            networks,
            torch.from_numpy(filled),
            generator=generator,
            its=settings.cycle_its,
            samples=settings.cycle_samples,
            var_samples=settings.var_samples,
            fixed_folds=folds,
        )

    def _tracks(
        self,
        followed: Sequence[Followed],
        given: Sequence[Given],
        n_frames: int,
        generator: torch.Generator,
    ) -> tuple[Track, ...]:
        """What is seen and what is given, with what each alone sounds like."""
        vectors = [one.clip for one in followed] + [one.clip for one in given if one.clip is not None]
        claps = iter(self._source_claps(vectors, generator))
        seen = [one.track(next(claps)) for one in followed]
        own = [one.track(next(claps) if one.clap is None else one.clap, n_frames) for one in given]
        return (*seen, *own)

    def _source_claps(self, clips: Sequence[FloatArray], generator: torch.Generator) -> FloatArray:
        """[n, clap_dim]: what each source alone sounds like."""
        networks = self._chain.networks.get()
        if not clips:
            return np.zeros((0, networks.config.clap_dim), np.float32)
        with torch.inference_mode():
            vectors = torch.from_numpy(np.stack(clips)).to(networks.device)
            return _array(networks.source_claps(vectors, generator=generator))

    def _render(
        self,
        seen: Sequence[_Seen],
        n_samples: int,
        settings: VideoSettings,
        clock: dict[str, float],
        *,
        stems: bool,
        previous: Continuity | None = None,
    ) -> list[Rendering]:
        """Make scenes audible, those together that can be."""
        requests = [
            SoundRequest(
                scene=one.scene,
                n_samples=n_samples,
                seed=one.seed,
                candidates=settings.candidates,
                previous=previous,
                settings=settings.synthesis,
                stems=stems,
            )
            for one in seen
        ]
        with self._stage(clock, _SYNTHESISE, self._chain.synthesiser) as synthesiser:
            synthesiser.on_step = partial(self.on_step, _SYNTHESISE)
            return synthesiser.synthesise(requests)

    @contextmanager
    def _stage(self, clock: dict[str, float], name: str, part: OnDemand[T]) -> Iterator[T]:
        """One stage of the work: its model, its threads, its time."""
        started = time.monotonic()
        self.on_step(name, 0, 0)
        before = torch.get_num_threads()
        torch.set_num_threads(self._chain.threads)
        try:
            yield part.get()
        finally:
            torch.set_num_threads(before)
            if self._low_memory:
                self._chain.release()
            give_back()
        clock[name] = clock.get(name, 0.0) + time.monotonic() - started


@dataclass(frozen=True, slots=True)
class _Draws:
    """Two independent streams of draws from one seed."""

    generator: torch.Generator  # of the networks, on the CPU
    synthesis: int  # seed of the synthesiser

    @classmethod
    def from_seed(cls, seed: int) -> _Draws:
        networks, synthesis = np.random.SeedSequence(seed).spawn(2)
        first, second = (int(one.generate_state(1, np.uint64)[0]) >> 1 for one in (networks, synthesis))
        return cls(torch.Generator().manual_seed(first), second)


def _check_length(n_samples: int) -> None:
    if n_samples < 1:
        raise InputError(f"expected a length of 1 sample or more, got {n_samples}. Ask for a longer sound.")


def _look(eyes: Eyes, frames: Frames, settings: VideoSettings) -> tuple[Look, ...]:
    own = settings.min_confidence
    return eyes.look(
        frames,
        min_confidence=eyes.min_confidence if own is None else own,
        max_sources=settings.max_sources,
        mute=settings.mute,
    )


def _scene(
    times: tuple[Fraction, ...],
    n_samples: int,
    looks: Sequence[Look],
    tracks: tuple[Track, ...],
    target: FloatArray,
) -> Scene:
    return Scene(
        seconds=Fraction(n_samples, SAMPLE_RATE),
        times=times,
        target=target,
        tracks=tracks,
        ambience=air_of([look.ambience for look in looks]),
    )


def air_of(ambiences: Sequence[str | None]) -> str | None:
    """What is in the air of a chunk: the commonest of its frames, where an eighth of them has it.

    The air does not end where a shot shows nothing of it: a street goes on sounding beside a face.
    """
    named = [one for one in ambiences if one is not None]
    commonest = max(dict.fromkeys(named), key=named.count, default=None)
    return commonest if named.count(commonest or "") >= _AIRY * len(ambiences) else None


def _sightings(looks: Sequence[Look], tracking: Tracking) -> tuple[Sighting, ...]:
    return tuple(
        Sighting(look.time, source.box, source.label, source.name, source.caption, source.confidence, key)
        for look, keys in zip(looks, tracking.keys, strict=True)
        for source, key in zip(look.sources, keys, strict=True)
    )


def _take(seen: _Seen, rendering: Rendering, seconds: Mapping[str, float]) -> Take:
    return Take(
        waveform=rendering.waveform,
        scene=seen.scene,
        sightings=seen.sightings,
        picks=rendering.picks,
        fit=rendering.fit,
        seconds_spent=seconds,
        warnings=rendering.warnings,
        stems=rendering.stems,
        looks=seen.looks,
    )


def _array(tensor: Tensor) -> FloatArray:
    return tensor.float().cpu().numpy()
