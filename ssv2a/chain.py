"""The parts of a bundle, each loaded when it is first needed."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ssv2a.bundle import Bundle
from ssv2a.config import Ssv2aConfig
from ssv2a.errors import BundleError, ConfigurationError
from ssv2a.networks import Networks
from ssv2a.on_demand import OnDemand
from ssv2a.roles import Clap, Eyes, Synthesiser, Texts
from ssv2a.weights import load_networks, load_released

DEFAULT_BANK = "default"
SMALL = 80_000_000  # bytes of the networks' file; below, a second thread waits more than it helps


@dataclass(frozen=True, slots=True)
class Chain:
    """Who fills the roles, and where they run."""

    bundle_id: str
    eyes: OnDemand[Eyes]
    texts: OnDemand[Texts]
    clap: OnDemand[Clap]
    networks: OnDemand[Networks]
    synthesiser: OnDemand[Synthesiser]
    models: tuple[OnDemand[Any], ...]  # everything that takes memory, shared parts too
    threads: int = 1  # of the processor, for torch

    def release(self) -> None:
        """Give back the memory of every model; each is loaded again when it is needed."""
        for model in self.models:
            model.release()


@dataclass(frozen=True, slots=True)
class _Place:
    """What every loader is told."""

    bundle: Bundle
    bank: str
    device: torch.device
    threads: int
    low_memory: bool

    def path(self, role: str, key: str) -> Path:
        return self.bundle.path(role, key)

    def optional(self, role: str, key: str) -> Path | None:
        return self.bundle.path(role, key) if key in self.bundle.roles[role].files else None

    def options(self, role: str) -> dict[str, Any]:
        return dict(self.bundle.options(role))


def load_chain(
    name: str | Path = "mini",
    *,
    bank: str = DEFAULT_BANK,
    device: str = "auto",
    threads: int = 0,
    low_memory: bool = False,
) -> Chain:
    """Open a bundle. Small bundles are loaded at once, large ones part by part when they are needed.

    Args:
        name: of the bundle, or its folder.
        bank: name of one of the bundle's banks, or the folder of another (with a /). A bundle that decodes by
            diffusion has none by name: with DEFAULT_BANK it does that, with a folder it plays that.
        device: auto, cpu, cuda or mps.
        threads: of each network's run on the processor; 0: one per core.
        low_memory: nothing is loaded at once, and a synthesiser of several networks holds one at a time.

    Raises:
        BundleError: the bundle or the bank is missing or not whole, or its parts do not fit each other.
        WeightsError: a checkpoint does not fit its network.
        ConfigurationError: there is no such device here.
    """
    bundle = Bundle.open(name)
    place = _Place(bundle, bank, choose_device(device), threads or os.cpu_count() or 1, low_memory)
    families = {role: _FAMILY[bundle.implementation(role)] for role in _ROLES}
    if len(set(families.values())) > 1:
        parts = ", ".join(f"{role} {bundle.implementation(role)}" for role in families)
        raise BundleError(f"{bundle.folder}: these parts do not fit each other: {parts}. Take one family.")
    chain = _BUILDERS[families["image"]](place)
    if chain.threads == 1 and families["image"] == "mini" and not low_memory:
        for part in chain.models:
            part.get()
    return chain


def _mini(place: _Place) -> Chain:
    text = OnDemand(partial(_sentences, place))
    clap = OnDemand(partial(_mini_clap, place))
    eyes = OnDemand(lambda: _mini_eyes(place, text))
    networks = OnDemand(partial(_networks, place))
    synthesiser = OnDemand(lambda: _bank(place, clap, text))
    return Chain(
        bundle_id=place.bundle.id,
        eyes=eyes,
        texts=text,
        clap=clap,
        networks=networks,
        synthesiser=synthesiser,
        models=(text, clap, eyes, networks, synthesiser),
        threads=_torch_threads(place),
    )


def _released(place: _Place) -> Chain:
    from ssv2a.detect.yolo import Yolo
    from ssv2a.embed.clip import OpenClip
    from ssv2a.embed.crops import CropEyes
    from ssv2a.embed.laion import LaionClap
    from ssv2a.embed.prior import Prior, PriorTexts
    from ssv2a.synthesis.audioldm import AudioLdm

    device = place.device
    yolo = OnDemand(
        lambda: Yolo(
            place.path("detector", "weights"),
            device,
            state=place.optional("detector", "state"),
            **place.options("detector"),
        )
    )
    clip = OnDemand(
        lambda: OpenClip.load(
            place.path("image", "weights"),
            device,
            config=place.optional("image", "config"),
            **place.options("image"),
        )
    )
    prior = OnDemand(
        lambda: Prior.load(place.path("text", "weights"), device, config=place.optional("text", "config"))
    )
    clap: OnDemand[Clap] = OnDemand(lambda: LaionClap.load(place.path("clap", "weights"), device))
    networks = OnDemand(partial(_networks, place))
    diffusion: OnDemand[Synthesiser] = OnDemand(
        lambda: AudioLdm.load(
            place.path("synthesis", "model"), device, clap=clap, low_memory=place.low_memory
        )
    )
    synthesiser = diffusion
    if place.bank != DEFAULT_BANK:
        place.bundle.bank_folder(place.bank)  # a name is refused now, not in the first clip
        synthesiser = OnDemand(lambda: _bank(place, clap, None))
    return Chain(
        bundle_id=place.bundle.id,
        eyes=OnDemand(lambda: CropEyes(yolo, clip)),
        texts=OnDemand(lambda: PriorTexts(clip, prior, **place.options("text"))),
        clap=clap,
        networks=networks,
        synthesiser=synthesiser,
        models=(yolo, clip, prior, clap, networks, synthesiser),
        threads=_torch_threads(place),
    )


_ROLES = ("detector", "image", "text", "clap", "synthesis")  # that fit only those of their family
_FAMILY = {
    **dict.fromkeys(("nanodet", "conse", "minilm", "mini_clap", "soundbank"), "mini"),
    **dict.fromkeys(("yolo", "open_clip", "dalle2_prior", "laion_clap", "audioldm"), "released"),
}
_BUILDERS: dict[str, Callable[[_Place], Chain]] = {"mini": _mini, "released": _released}


def _sentences(place: _Place) -> Any:
    from ssv2a.embed.minilm import MiniLm

    known = place.optional("text", "known")
    return MiniLm(place.path("text", "weights"), place.path("text", "tokenizer"), place.threads, known)


def _mini_clap(place: _Place) -> Any:
    from ssv2a.embed.clap import MiniClap

    return MiniClap.load(place.path("clap", "weights"))


def _mini_eyes(place: _Place, text: OnDemand[Any]) -> Any:
    from ssv2a.detect.nanodet import NanoDet
    from ssv2a.embed.classifier import Classifier
    from ssv2a.heard import load_heard
    from ssv2a.scenes import load_scenes
    from ssv2a.seen import Eyes as MiniEyes

    heard = load_heard(place.path("image", "heard"))
    return MiniEyes(
        NanoDet(place.path("detector", "weights"), tuple(heard.labels), place.threads),
        Classifier(place.path("image", "classifier"), place.threads),
        text.get(),
        heard,
        load_scenes(place.path("image", "scenes")),
    )


def _networks(place: _Place) -> Networks:
    config = Ssv2aConfig.from_file(place.path("ssv2a", "config"))
    if place.bundle.implementation("ssv2a") == "released":
        checkpoints = place.path("ssv2a", "networks"), place.path("ssv2a", "aggregator")
        return load_released(config, *checkpoints).for_inference(place.device)
    return load_networks(config, place.path("ssv2a", "weights")).for_inference(place.device)


def _bank(place: _Place, clap: OnDemand[Any], text: OnDemand[Any] | None) -> Synthesiser:
    """The sound bank: one of the bundle's by name, or a user's by its folder."""
    from ssv2a.soundbank.bank import open_bank
    from ssv2a.synthesis.soundbank import SoundBank

    bank = open_bank(place.bundle, place.bank)
    return SoundBank(bank, clap.get(), None if text is None else text.get())


def _torch_threads(place: _Place) -> int:
    key = "networks" if place.bundle.implementation("ssv2a") == "released" else "weights"
    return 1 if place.path("ssv2a", key).stat().st_size < SMALL else place.threads


def choose_device(name: str) -> torch.device:
    """A device of this machine: cpu, cuda, mps, or auto for the fastest of them.

    Raises:
        ConfigurationError: there is no such device here.
    """
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(device for device in ("cuda", "mps", "cpu") if available[device])
    if not available.get(name, False):
        there = ", ".join(device for device, is_there in available.items() if is_there)
        raise ConfigurationError(f"device {name!r} is not there; expected one of: {there}. Use `auto`.")
    return torch.device(name)
