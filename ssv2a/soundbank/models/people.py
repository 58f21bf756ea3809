"""People without words: steps, clothes, clapping hands, a murmuring crowd."""

from __future__ import annotations

import numpy as np

from ssv2a.soundbank.dsp import (
    Formant,
    Rng,
    Signal,
    band,
    breath,
    cloud,
    curve,
    decay,
    drawn,
    event,
    faded,
    filtered,
    jitter,
    lowpass,
    modes,
    on_location,
    place,
    reverberated,
    samples,
    scattered,
    shaped,
    stereo,
    texture,
    unit,
    voice,
    walk,
)
from ssv2a.soundbank.model import Params, SoundModel
from ssv2a.types import SAMPLE_RATE, FloatArray


def _gait(params: Params, n: int, rng: Rng, step: list[Signal], tail: float = 0.3) -> Signal:
    """A walk of several steps: even rhythm with 3 % jitter, left and right differ, some heavier."""
    count = round(params["steps"])
    total = np.zeros(min(n, samples(count / params["rate"] + tail)))
    for index in range(count):
        at = index / params["rate"] + rng.normal(0, 0.03 / params["rate"])
        place(total, step[index % len(step)], samples(max(0.0, at)), rng.uniform(0.65, 1.0))
    return total


def _soft(params: Params, n: int, rng: Rng) -> FloatArray:
    """A dull heel thump, then grass or snow gives way as the foot rolls: noise broken up by friction."""
    steps = []
    for _ in range(round(params["steps"])):
        size = samples(rng.uniform(0.26, 0.36))
        roll = curve(size, [(0, 0), (0.12, 1), (0.35, 0.4), (0.55, 0.7), (1, 0)])
        crunch = shaped(size, rng, [(200, -18), (800, -3), (2500, 0), (6000, -8), (14_000, -24)])
        crunch *= (0.3 + walk(size, rng, 160.0, 0, 1) ** 2) * roll
        step = unit(lowpass(crunch, params["dull"]))
        place(
            step,
            band(samples(0.14), rng, 60, 300, 9.0) * decay(samples(0.14), 0.12, 0.01),
            0,
            params["thump"],
        )
        steps.append(step)
    return event(on_location(_gait(params, n, rng, steps, 0.45), rng, params["air"]), n, 0.002, 0.1)


def _gravel(params: Params, n: int, rng: Rng) -> FloatArray:
    """Stones grind under heel, then toe: noise in rapid bursts, some hard clicks, a dull thump."""
    stones = [
        modes(samples(0.008), rng.uniform(1300, 6000, 3), rng.uniform(0.003, 0.008, 3), np.ones(3), rng)
        for _ in range(20)
    ]
    steps = []
    for _ in range(round(params["steps"])):
        size = samples(rng.uniform(0.32, 0.44))
        roll = curve(size, [(0, 0), (0.08, 1), (0.28, 0.35), (0.5, 0.9), (0.75, 0.35), (1, 0)])
        grind = shaped(size, rng, [(150, -16), (600, -4), (2000, 0), (5000, -2), (12_000, -16)])
        grind *= (0.15 + walk(size, rng, params["stones"], 0, 1) ** 3) * roll
        times = scattered(size, rng, 250)
        clicks = cloud(
            size, rng, times, rng.exponential(1.0, times.size) * roll[times.astype(np.int64)], stones
        )
        step = unit(lowpass(grind, params["dull"])) + params["clicks"] * unit(clicks)
        place(step, band(samples(0.12), rng, 70, 400, 9.0) * decay(samples(0.12), 0.1, 0.008), 0, 0.9)
        steps.append(step)
    return event(on_location(_gait(params, n, rng, steps, 0.45), rng, params["air"]), n, 0.001, 0.1)


def _cloth(params: Params, n: int, rng: Rng) -> FloatArray:
    """Fibres slide in one or two strokes: band noise with grainy friction, brighter with speed."""
    size = samples(params["seconds"])
    stroke = np.abs(np.sin(np.pi * np.linspace(0, params["strokes"], size))) ** 1.3 * (
        0.7 + 0.3 * walk(size, rng, 8.0)
    )
    grain = (0.4 + walk(size, rng, 220.0, 0, 1) ** 2) * stroke
    dull = shaped(size, rng, [(150, -20), (600, -4), (1500, 0), (4000, -6), (12_000, -22)])
    bright = shaped(size, rng, [(1000, -18), (4000, 0), (9000, -3), (18_000, -14)])
    return event(dull * grain + params["bright"] * bright * grain * stroke, n, 0.03, 0.08)


def _applause(params: Params, n: int, rng: Rng) -> FloatArray:
    """Many people clap 3–5 times a second, each with a palm cavity of their own near 0.9–2 kHz, in a hall."""
    lead = samples(0.9)  # the hall is filled when the texture starts

    def ear(rng: Rng) -> Signal:
        total = np.zeros(n + lead)
        for _ in range(round(params["people"] / 2)):
            rate, size, palm = rng.uniform(3.0, 5.0), samples(0.06), rng.uniform(900, 2100)
            clap = band(size, rng, 0.85 * palm, 1.2 * palm, 12.0) * decay(
                size, rng.uniform(0.02, 0.05), 0.001
            )
            beats = np.arange(rng.uniform(-1, 0), total.size * rate / SAMPLE_RATE)
            times = (beats + 0.08 * rng.standard_normal(beats.size)) * (SAMPLE_RATE / rate)
            total += cloud(
                total.size, rng, times, rng.uniform(0.4, 1) * rng.uniform(0.6, 1, times.size), [clap]
            )
        return reverberated(total, rng, 0.9, params["hall"], 5000.0)

    return texture(stereo(ear, rng, 0.7)[:, lead:])


_VOWELS = (
    (730, 1090, 2440),
    (270, 2290, 3010),
    (300, 870, 2240),
    (530, 1840, 2480),
    (570, 840, 2410),
    (490, 1350, 1690),
)


def _syllable(rng: Rng, f0: float, tract: float) -> Signal:
    """One syllable without meaning: a noisy onset or none, two vowels that glide, some breath."""
    n = samples(rng.uniform(0.11, 0.26))
    start, end = (np.array(_VOWELS[i]) * tract for i in rng.integers(len(_VOWELS), size=2))
    glide = curve(n, [(0, 0), (0.3, 0.15), (1, 1)])
    formants: list[Formant] = [
        (a + (b - a) * glide, w, g)
        for a, b, w, g in zip(start, end, (90, 110, 170), (1, 0.7, 0.4), strict=True)
    ]
    accent = [(0, rng.uniform(0.85, 1.25)), (0.4, rng.uniform(0.9, 1.15)), (1, rng.uniform(0.75, 1.1))]
    pitch = f0 * curve(n, accent) * jitter(n, rng, 0.02)
    tone = unit(voice(pitch, [*formants, (3400.0 * tract, 250.0, 0.15)], 6.0, 4500.0))
    middle = zip(0.5 * (start + end), (120.0, 150.0, 250.0), (1.0, 0.8, 0.5), strict=True)
    tone = tone + 0.5 * breath(pitch, rng, [(float(hertz), w, g) for hertz, w, g in middle], 1.0)
    tone = tone * curve(n, [(0, 0), (0.2, 1), (0.7, 0.8), (1, 0)])
    if rng.uniform() < 0.5:
        size = samples(rng.uniform(0.04, 0.1))
        hiss = band(size, rng, 2500, 7000, 12.0) * curve(size, [(0, 0), (0.5, 1), (1, 0)])
        tone = np.concatenate([rng.uniform(0.15, 0.4) * hiss, np.zeros(samples(rng.uniform(0, 0.03))), tone])
    return unit(tone)


def _babble(params: Params, n: int, rng: Rng) -> FloatArray:
    """A dozen talkers in phrases of syllables, each with pitch and tract of its own, in a room."""
    lead = samples(1.0)
    channels = np.zeros((2, n + lead))
    for _ in range(round(params["people"])):
        low = rng.uniform() < 0.5
        f0, tract = (
            (rng.uniform(95, 145), rng.uniform(0.95, 1.05))
            if low
            else (rng.uniform(170, 250), rng.uniform(1.1, 1.2))
        )
        words = [_syllable(rng, f0 * rng.uniform(0.85, 1.2), tract) for _ in range(5)]
        pan, level, at = rng.uniform(0.15, 0.85), rng.uniform(0.2, 1.0), rng.uniform(-1.5, 0)
        while at < (n + lead) / SAMPLE_RATE:
            for _ in range(int(rng.integers(2, 9))):
                word, gain = words[int(rng.integers(5))], level * rng.uniform(0.3, 1.0)
                place(channels[0], word, int(at * SAMPLE_RATE), gain * (1 - pan))
                place(channels[1], word, int(at * SAMPLE_RATE), gain * pan)
                at += word.size / SAMPLE_RATE * rng.uniform(0.8, 1.05) + rng.exponential(0.03)
            at += rng.uniform(0.2, 1.5)
    heard = np.stack([reverberated(c, rng, 0.6, params["room"], 3500.0) for c in channels])[:, lead:]
    return texture(filtered(heard, [(60, -30), (200, 0), (3500, 3), (9000, -8)]))


def _knock(params: Params, n: int, rng: Rng) -> FloatArray:
    """Two to five raps of a knuckle on a door leaf: plate modes of 120–1 500 Hz, damped in 50–120 ms."""
    raps = round(params["raps"])
    total = np.zeros(samples(raps * params["gap"] + 0.5))
    hertz = params["panel"] * np.array([1, 1.6, 2.3, 3.3, 4.7, 6.8, 9.5]) * rng.uniform(0.95, 1.05, 7)
    for index in range(raps):
        gains = np.array([1, 0.9, 0.8, 0.7, 0.45, 0.3, 0.2]) * rng.uniform(0.7, 1.2, 7)
        rap = modes(samples(0.16), hertz, 0.13 / np.arange(1, 8) ** 0.4, gains, rng)
        place(rap, band(samples(0.012), rng, 600, 4000, 9.0) * decay(samples(0.012), 0.008, 0.0004), 0, 0.6)
        place(
            total,
            faded(rap, 0.0005, 0.01),
            samples(index * params["gap"] * rng.uniform(0.95, 1.05)),
            rng.uniform(0.75, 1),
        )
    return event(reverberated(total, rng, 0.4, 0.2, 2500.0), n, 0.0005, 0.1)


MODELS = (
    SoundModel(
        "people.footsteps_soft",
        "footsteps_soft",
        "event",
        "Heel thump and friction noise of yielding ground under the rolling foot (Cook 2002).",
        drawn(rate=(1.5, 2.0), steps=(3.6, 8.4), thump=(1.0, 3.0), dull=(900, 2200), air=(0.01, 0.025)),
        _soft,
        (0.2, 0.6),
    ),
    SoundModel(
        "people.footsteps_gravel",
        "footsteps_gravel",
        "event",
        "Stones collide under heel, then toe: a random cloud of clicks gated by the step's force "
        "(PhISEM, Cook 1997).",
        drawn(
            rate=(1.5, 2.0),
            steps=(3.6, 8.4),
            stones=(180, 350),
            clicks=(0.1, 0.3),
            dull=(1600, 2800),
            air=(0.01, 0.025),
        ),
        _gravel,
        (0.2, 0.6),
    ),
    SoundModel(
        "people.cloth",
        "cloth_rustle",
        "event",
        "Dry friction of fibres: noise whose level and brightness follow the stroke's speed.",
        drawn(seconds=(0.4, 1.2), strokes=(1, 3.9), bright=(0.2, 0.8)),
        _cloth,
        (0.2, 1.5),
    ),
    SoundModel(
        "people.applause",
        "applause",
        "texture",
        "Many clappers of 3–5 Hz, each palm cavity a Helmholtz mode of 0.9–2 kHz (Repp 1987; Peltola et "
        "al. 2007).",
        drawn(people=(90, 180), hall=(0.15, 0.35)),
        _applause,
    ),
    SoundModel(
        "people.babble",
        "crowd_babble",
        "texture",
        "Source and filter: a dozen talkers of random vowel glides and noisy onsets (Peterson & Barney "
        "1952), no words.",
        drawn(people=(9, 13), room=(0.2, 0.4)),
        _babble,
    ),
    SoundModel(
        "people.knock",
        "knock",
        "event",
        "Knuckle on a plate: modes of 120–1 500 Hz damped within 50–120 ms.",
        drawn(raps=(1.6, 5.4), gap=(0.16, 0.3), panel=(110, 220)),
        _knock,
        (0.8, 2.5),
    ),
)
