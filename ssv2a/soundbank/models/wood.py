"""Wood that is struck: boards under a hammer, logs under an axe."""

from __future__ import annotations

import numpy as np

from ssv2a.soundbank.dsp import (
    Rng,
    decay,
    drawn,
    event,
    faded,
    modes,
    on_location,
    place,
    reverberated,
    samples,
    shaped,
    unit,
)
from ssv2a.soundbank.model import Params, SoundModel
from ssv2a.soundbank.models.impacts import struck
from ssv2a.types import FloatArray


def _hammer(params: Params, n: int, rng: Rng) -> FloatArray:
    """Steel head on a nail in wood: the nail's ring rises as it sinks in, the board's dull modes."""
    blows = round(params["blows"])
    total = np.zeros(samples(blows / params["rate"] + 0.5))
    board = faded(struck(rng, params["board"], 12, 1.3, 0.11, 0.8), 0.0005, 0.01)
    ratio = np.cumprod(np.concatenate([[1.0], 1.25 ** rng.uniform(0.5, 1.5, 7)]))
    for index in range(blows):
        at, gain = samples(index / params["rate"] + abs(rng.normal(0, 0.012))), rng.uniform(0.75, 1.0)
        hertz = params["nail"] * 1.03**index * ratio
        nail = modes(samples(0.05), hertz, 0.05 * ratio**-0.3, ratio**-0.3 * rng.uniform(0.3, 1, 8), rng)
        hit = shaped(samples(0.05), rng, [(150, -6), (500, 0), (1500, -3), (5000, -9), (10_000, -20)])
        place(total, board, at, gain)
        place(total, nail, at, gain * params["steel"])
        place(total, unit(hit * decay(hit.size, 0.045, 0.0004)), at, 2.0 * gain)
    site = reverberated(total, rng, 0.5, 0.3, 3000.0)
    return event(on_location(site, rng, params["air"]), n, 0.0005, 0.1)


def _chop(params: Params, n: int, rng: Rng) -> FloatArray:
    """Axe into a log: a dull thud, the log's damped modes (ratios of a free bar, roughly), fibres crack."""
    total, size = np.zeros(samples(0.9)), samples(0.3)
    hertz = params["log"] * np.array([1, 1.6, 2.3, 3.1, 4.4, 6.1]) * rng.uniform(0.95, 1.05, 6)
    seconds, gains = np.array([0.16, 0.13, 0.1, 0.08, 0.06, 0.04]), np.array([0.8, 1, 0.9, 0.7, 0.4, 0.3])
    place(total, faded(modes(size, hertz, seconds, gains, rng), 0.0015, 0.02), 0)
    thud = shaped(size, rng, [(50, -6), (150, 0), (500, -3), (2000, -12), (8000, -30)])
    place(total, unit(thud * decay(size, 0.12, 0.002)), 0, 0.8)
    crack = shaped(samples(0.06), rng, [(300, -6), (900, 0), (3000, -8), (8000, -20)])
    place(total, crack * decay(crack.size, 0.05, 0.001), samples(0.002), params["split"])
    return event(on_location(reverberated(total, rng, 0.5, 0.25, 2500.0), rng, 0.005), n, 0.0005, 0.15)


MODELS = (
    SoundModel(
        "impact.hammer",
        "hammer",
        "event",
        "Steel on a nail whose free length, and so its ring, shortens with every blow.",
        drawn(
            blows=(2.6, 6.4),
            rate=(1.5, 2.6),
            board=(160, 380),
            nail=(1800, 3800),
            steel=(0.2, 0.6),
            air=(0.01, 0.03),
        ),
        _hammer,
        (0.4, 1.8),
    ),
    SoundModel(
        "impact.chop",
        "wood_chop",
        "event",
        "A log as a damped free bar, with splitting fibres as clicks.",
        drawn(log=(90, 160), split=(0.3, 1.0)),
        _chop,
        (0.7, 1.8),
    ),
)
