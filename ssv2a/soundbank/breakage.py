"""Things that rub, break and crumble: stick-slip, struck pieces in Poisson clouds, noise that darkens.

Sources: P. Cook, "Physically informed sonic modeling (PhISM)" (1997); S. Serafin, "The sound of friction"
(2004).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ssv2a.soundbank.dsp import (
    Rng,
    Signal,
    band,
    cloud,
    crossings,
    decay,
    faded,
    impulses,
    modes,
    resonated,
    samples,
    scattered,
    unit,
)
from ssv2a.types import SAMPLE_RATE


def darkening(n: int, rng: Rng, octaves: Sequence[tuple[float, float, float]], attack: float) -> Signal:
    """Noise [n] that loses its high frequencies first, as after a blast or in a landscape.

    Args:
        n: samples.
        rng: draws the noise.
        octaves: (lower edge in Hz, gain, seconds to fall by 60 dB) of each octave band.
        attack: rise in seconds.
    """
    total = np.zeros(n)
    for low, gain, seconds in octaves:
        size = min(n, samples(1.2 * seconds))
        total[:size] += gain * band(size, rng, low, 2 * low) * decay(size, seconds, attack)
    return total


def stick_slip(n: int, rng: Rng, rate: Signal, body: Sequence[tuple[float, float, float]]) -> Signal:
    """Dry friction [n], unit RMS: a part sticks, then slips; every slip rings the body.

    Args:
        n: samples.
        rng: draws the unevenness of the slips.
        rate: slips a second, per sample.
        body: resonances (Hz, bandwidth in Hz, gain).
    """
    times = crossings(np.cumsum(rate) / SAMPLE_RATE)
    times = times + rng.normal(0, 0.08, times.size) * np.diff(times, append=n)
    return unit(resonated(impulses(n, times, rng.uniform(0.4, 1.0, times.size)), body))


def sparse(n: int, rng: Rng, density: Signal, kernels: Sequence[Signal], tail: float = 2.0) -> Signal:
    """Grains [n] by a Poisson process of `density` a second per sample; energies by a power law of `tail`."""
    times = scattered(n, rng, float(density.max()))
    kept = times[rng.uniform(0, float(density.max()), times.size) < density[times.astype(np.int64)]]
    return cloud(n, rng, kept, (rng.pareto(tail, kept.size) + 0.1).clip(0, 8), kernels)


def rung(
    rng: Rng, lowest: float, highest: float, seconds: tuple[float, float], count: int, grains: int
) -> list[Signal]:
    """Grains of struck pieces: each `count` damped modes between two frequencies, ringing for `seconds`."""
    size = samples(1.1 * seconds[1])
    return [
        faded(
            modes(
                size,
                lowest * (highest / lowest) ** rng.uniform(size=count),
                rng.uniform(*seconds, count),
                rng.uniform(0.3, 1.0, count),
                rng,
            ),
            0.0002,
            0.001,
        )
        for _ in range(grains)
    ]
