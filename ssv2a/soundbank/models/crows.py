"""Crows: an irregular syrinx, hissing and skipping, through a beak that opens and shuts."""

from __future__ import annotations

import numpy as np

from ssv2a.soundbank.dsp import (
    Rng,
    Signal,
    band,
    blow,
    convolved,
    crossings,
    curve,
    drawn,
    event,
    filtered,
    impulses,
    phase,
    resonated,
    reverberated,
    roughness,
    samples,
    unit,
    walk,
)
from ssv2a.soundbank.model import Params, SoundModel
from ssv2a.types import SAMPLE_RATE, FloatArray


def caw(f0: float, seconds: float, size: float, rasp: float, rng: Rng) -> Signal:
    """One caw [n]: the syrinx beats irregularly, skips and hisses; little is left of the pitch below 1 kHz.

    Deterministic chaos through a beak that opens and shuts: a hump at 1.2–2 kHz, lesser ones to 5 kHz
    (Fletcher 2000, "A class of chaotic bird calls?"; Mates et al. 2015).

    Args:
        f0: mean pulses a second.
        seconds: length.
        size: scales the formants.
        rasp: share of turbulence, 0 to 1.
        rng: draws all irregularity.
    """
    n = samples(seconds)
    arch = curve(n, [(0, 0.88), (0.22, 1.06), (0.5, 1.0), (1, 0.82)])
    pitch = f0 * arch * (1 + 0.03 * walk(n, rng, 60.0) + 0.07 * walk(n, rng, 300.0))
    times = crossings(phase(pitch) / (2 * np.pi))
    times = times + rng.normal(0, 0.05, times.size) * SAMPLE_RATE / f0
    reed = unit(convolved(impulses(n, times, rng.uniform(0.4, 1.0, times.size)), blow(0.00018)))
    hiss = band(n, rng, 700, 5000, 6.0) * (0.4 + np.maximum(0, np.sin(phase(pitch))))
    source = reed + rasp * unit(hiss)
    gape = size * np.array([1.0, 1.12, 0.95])  # the beak half open, open and shutting
    mix = [
        curve(n, [(0, 1), (0.15, 0.3), (0.25, 0), (1, 0)]),
        curve(n, [(0, 0), (0.2, 1), (0.5, 0.7), (0.9, 0), (1, 0)]),
        curve(n, [(0, 0), (0.3, 0.1), (0.6, 0.6), (1, 1)]),
    ]
    total = np.zeros(n)
    for scale, share in zip(gape, mix, strict=True):
        beak = [(1300, 190, 1.0), (2000, 260, 0.55), (3350, 450, 0.32), (4500, 600, 0.2)]
        total += share * resonated(source, [(scale * hertz, width, gain) for hertz, width, gain in beak])
    total = filtered(unit(total), [(450, -26), (700, -18), (1050, 0), (5000, 0), (7000, -20)])
    shape = curve(n, [(0, 0), (0.03, 0.7), (0.12, 1), (0.4, 0.85), (0.85, 0.5), (0.95, 0.3), (1, 0)])
    return total * shape * roughness(n, rng, 120.0, 0.25)


def _crow(params: Params, n: int, rng: Rng) -> FloatArray:
    """Caws of 0.25–0.45 s: 420–620 irregular pulses a second, hoarse, loud at 1–2 kHz; two to five."""
    parts: list[Signal] = []
    for _ in range(round(params["calls"])):
        f0, seconds = params["f0"] * rng.uniform(0.95, 1.05), params["seconds"] * rng.uniform(0.9, 1.1)
        call = caw(f0, seconds, params["size"], params["rasp"], rng) * rng.uniform(0.75, 1.0)
        parts += [call, np.zeros(samples(params["gap"] * rng.uniform(0.8, 1.25)))]
    far = reverberated(np.concatenate([*parts, np.zeros(samples(0.3))]), rng, 0.7, params["field"], 4000.0)
    return event(far, n, 0.002, 0.1)


MODELS = (
    SoundModel(
        "bird.crow",
        "crow_caw",
        "event",
        "Chaotic syrinx: 420–620 irregular pulses a second, hiss, through an opening beak, 1–2 kHz.",
        drawn(
            f0=(420, 620),
            seconds=(0.26, 0.42),
            size=(0.92, 1.12),
            rasp=(0.4, 0.9),
            calls=(1.6, 5.4),
            gap=(0.15, 0.4),
            field=(0.1, 0.25),
        ),
        _crow,
        (0.5, 2.5),
    ),
)
