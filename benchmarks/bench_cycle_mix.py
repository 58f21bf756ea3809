"""Cycle Mix at the released sizes: processor seconds, against the same search as a plain loop.

    python benchmarks/bench_cycle_mix.py [--runs N] [--json FILE]

Networks of the released configuration with weights by rule, 64 rounds after the first, 64 samples a round,
64 draws a vector. The plain loop runs the same networks: one forward of the remixer per sample, one of the
generator and of the best's fold per round, every draw in a loop. For one image it runs whole; for more, its
first rounds and samples are measured and scaled up. The floor is the forwards and the normal draws that an
exact search cannot do without, alone: each slot's fold and CLAP once, the remixer on one slot a round, the
best's fold when the best has changed.

Processor seconds on one thread, medians; on a busy machine they vary by some 15 %. "wall s (2)" are seconds
by the clock on two threads: they mean something only where two processors are idle.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn.functional import normalize

from ssv2a.config import Ssv2aConfig
from ssv2a.cycle_mix import Mix, cycle_mix
from ssv2a.layers import Gaussian
from ssv2a.networks import Networks
from ssv2a.parity import RELEASED_CONFIG, draw, follow_rule, unit
from ssv2a.types import MAX_SLOTS

ROUNDS, SAMPLES, VAR_SAMPLES = 65, 64, 64
CASES = ((1, 5), (1, 63), (4, 5), (64, 5), (64, 63))  # images, sources in each
SCALED = 3, 4  # rounds and samples of the plain loop that are measured for more than one image


@dataclass(frozen=True)
class Figures:
    """One line of the table, seconds."""

    images: int
    sources: int
    cpu: float
    floor_cpu: float
    plain_cpu: float
    plain_is_scaled: bool
    wall_two_threads: float | None  # of the largest case

    @property
    def times_less(self) -> float:
        return self.plain_cpu / self.cpu


class PlainLoop:
    """The search as described, with its processor seconds by part."""

    def __init__(self, networks: Networks, clips: Tensor) -> None:
        self.networks = networks
        self.clips = clips
        self.noise = torch.Generator().manual_seed(0)
        self.spent: dict[str, list[float]] = {"start": [], "round": [], "sample": []}

    @torch.inference_mode()
    def run(self, rounds: int, samples: int) -> None:
        src = self.timed("start", lambda: self.mean_draw(self.networks.manifold.fold_clip(self.clips)))
        best = torch.zeros(len(self.clips), self.networks.config.clap_dim)
        best_score = torch.ones(len(self.clips))
        for index in range(rounds):
            begin_round = partial(self.begin_round, src, best if index else None)
            sample = partial(self.sample, src, self.timed("round", begin_round))
            found = [self.timed("sample", sample) for _ in range(samples)]
            for clap, score in found:
                best = torch.where((score < best_score)[:, None], clap, best)
                best_score = torch.minimum(score, best_score)

    def begin_round(self, src: Tensor, best: Tensor | None) -> Tensor:
        source_claps = normalize(self.mean_draw(self.networks.generator(src)), dim=-1)
        source_claps[:, 0] = 0
        if best is not None:
            src[:, 0] = self.mean_draw(self.networks.manifold.fold_clap(best))
        return source_claps

    def sample(self, src: Tensor, source_claps: Tensor) -> tuple[Tensor, Tensor]:
        clap = normalize(self.mean_draw(self.networks.remixer(src, self.clips)), dim=-1)
        dots = (clap[:, None] * source_claps).sum(dim=-1)
        lengths = clap.norm(dim=-1, keepdim=True) * source_claps.norm(dim=-1)
        return clap, (dots / (lengths + 1e-6)).std(dim=-1)

    def mean_draw(self, law: Gaussian) -> Tensor:
        total = torch.zeros_like(law.mu)
        for _ in range(VAR_SAMPLES):
            total += law.sample(self.noise)
        return total / VAR_SAMPLES

    def timed(self, part: str, work: Callable[[], Any]) -> Any:
        seconds, result = cpu_seconds(work)
        self.spent[part].append(seconds)
        return result

    def whole(self) -> float:
        """Seconds of all rounds and samples, at the mean cost of those that were run."""
        start, begin_round, sample = (statistics.mean(seconds) for seconds in self.spent.values())
        return start + ROUNDS * (begin_round + SAMPLES * sample)


def cpu_seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def wall_seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@torch.inference_mode()
def floor(networks: Networks, clips: Tensor, mix: Mix) -> None:
    """The forwards and draws that the search `mix` needed, and nothing else."""
    fold_dim, clap_dim = networks.config.fold_dim, networks.config.clap_dim
    folds = torch.zeros(len(clips), MAX_SLOTS, fold_dim)
    for rows in torch.split(clips[clips.any(dim=-1)], 512):
        networks.manifold.fold_clip(rows)
    for rows in torch.split(folds[:, 1:].flatten(0, 1), 512):
        networks.generator(rows)
    readers = networks.remixer.readers()
    for part in range(0, len(clips), 8):
        networks.remixer.seen(readers, folds[part : part + 8], clips[part : part + 8])
    generator = torch.Generator()
    noise = torch.empty(MAX_SLOTS - 1 + SAMPLES, clap_dim)
    best = torch.cummin(mix.round_scores, dim=0).values
    for index in range(ROUNDS):
        if index:
            improved = mix.round_scores[index - 1] == best[index - 1]
            networks.manifold.fold_clap(mix.round_claps[index - 1, improved])
        networks.remixer.predict(readers, networks.remixer.seen(readers, folds[:, :1], clips[:, :1]))
        for _ in clips:
            noise.normal_(generator=generator)


def measure(networks: Networks, images: int, sources: int, runs: int) -> Figures:
    clips = torch.zeros(images, MAX_SLOTS, networks.config.clip_dim)
    clips[:, : sources + 1] = unit(draw("bench", images, sources + 1, networks.config.clip_dim))

    def search() -> Mix:
        return cycle_mix(networks, clips, generator=torch.Generator().manual_seed(0))

    torch.set_num_threads(1)
    mix = search()
    cpu = statistics.median(cpu_seconds(search)[0] for _ in range(runs))
    alone = partial(floor, networks, clips, mix)
    floor_cpu = statistics.median(cpu_seconds(alone)[0] for _ in range(runs))
    plain = PlainLoop(networks, clips)
    plain.run(*((ROUNDS, SAMPLES) if images == 1 else SCALED))
    wall = None
    if (images, sources) == CASES[-1]:
        torch.set_num_threads(2)
        search()
        wall = statistics.median(wall_seconds(search) for _ in range(runs))
    return Figures(images, sources, cpu, floor_cpu, plain.whole(), images > 1, wall)


def show(all_figures: list[Figures]) -> None:
    table = Table(
        *("images", "sources", "CPU s", "floor", "plain loop", "times less", "wall s (2)"),
        title=f"Cycle Mix, {ROUNDS - 1}/{SAMPLES}/{VAR_SAMPLES}, released sizes",
    )
    for line in all_figures:
        about = "≈ " if line.plain_is_scaled else ""
        wall = "" if line.wall_two_threads is None else f"{line.wall_two_threads:.2f}"
        table.add_row(
            *(str(line.images), str(line.sources), f"{line.cpu:.2f}", f"{line.floor_cpu:.2f}"),
            *(f"{about}{line.plain_cpu:.0f}", f"{line.times_less:.0f}", wall),
        )
    console = Console()
    console.print(table)
    console.print(
        f"≈: {SCALED[0]} of {ROUNDS} rounds with {SCALED[1]} of {SAMPLES} samples were run; "
        "each part's mean times its count."
    )
    console.print(f"Load of the machine, 1 minute: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    options = parser.parse_args()
    config = Ssv2aConfig.from_file(RELEASED_CONFIG)
    networks = follow_rule(Networks.untrained(config, seed=0)).for_inference("cpu")
    all_figures = [measure(networks, *case, options.runs) for case in CASES]
    show(all_figures)
    if options.json:
        lines = [{**asdict(line), "times_less": line.times_less} for line in all_figures]
        options.json.write_text(json.dumps(lines, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
