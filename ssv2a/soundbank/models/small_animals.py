"""Insects and frogs: stridulation, wing beats, pulsed croaks."""

from __future__ import annotations

import numpy as np

from ssv2a.soundbank.dsp import (
    LEAVES,
    Rng,
    Signal,
    band,
    blow,
    convolved,
    crossings,
    curve,
    decay,
    drawn,
    event,
    filtered,
    highpass,
    impulses,
    lowpass,
    on_location,
    phase,
    place,
    resonated,
    reverberated,
    samples,
    shaped,
    texture,
    unit,
    voice,
    walk,
)
from ssv2a.soundbank.model import Params, SoundModel
from ssv2a.types import SAMPLE_RATE, FloatArray


def chirps(n: int, pulse_hz: float, chirp_hz: float, pulses: float, rng: Rng) -> Signal:
    """Loudness [n] of one cricket, 0 to 1: pulses, one for each closing of the wings, in chirps.

    Args:
        n: samples.
        pulse_hz: closings a second.
        chirp_hz: chirps a second.
        pulses: closings in a chirp.
        rng: draws the unevenness of the rhythm.
    """
    turn = (chirp_hz / SAMPLE_RATE * np.arange(n) + 0.08 * walk(n, rng, 0.5) + rng.uniform()) % 1.0
    wing = (pulse_hz / chirp_hz * turn) % 1.0
    swell = np.minimum(1.0, 0.45 + pulse_hz / chirp_hz / pulses * turn)  # the first is the softest
    shape = np.where(wing < 0.6, np.sin(np.pi / 0.6 * wing), 0.0)  # the wings open in silence
    return np.asarray(shape * swell * (turn < np.floor(pulses) * chirp_hz / pulse_hz))


def _chorus(params: Params, n: int, rng: Rng) -> FloatArray:
    """Crickets: tree crickets trill without a pause, field crickets chirp; far off they melt into a band."""
    far = [(1500, -50), (3000, -16), (3900, 0), (5200, 0), (7000, -16), (16_000, -50)]
    air = [(100, 0), (400, -6), (2500, -12), (6000, -16), (16_000, -34)]
    ears = np.stack(
        [params["far"] * shaped(n, rng, far) + params["air"] * shaped(n, rng, air) for _ in range(2)]
    )
    t = 2 * np.pi / SAMPLE_RATE * np.arange(n)
    for index in range(round(params["crickets"])):
        pulse_hz, hertz, pan = rng.uniform(22, 36), rng.uniform(3600, 5400), rng.uniform(0.1, 0.9)
        if index % 4 == 1:
            loud = chirps(n, pulse_hz, rng.uniform(1.8, 3.4), rng.uniform(3, 5.9), rng)
        else:
            loud = np.square(np.sin(0.5 * pulse_hz * t + 2 * walk(n, rng, 0.7)))
        call = rng.uniform(0.3, 1.0) * loud * np.sin(hertz * t - 0.3 * loud)
        ears[0] += (1 - pan) * call
        ears[1] += pan * call
    return texture(ears)


def _bee(params: Params, n: int, rng: Rng) -> FloatArray:
    """Wing beats of 190–320 Hz with a full row of harmonics; the insect turns, comes nearer and goes."""
    wander = (
        0.05 * walk(n, rng, 1.2)
        + 0.04 * walk(n, rng, 7.0)
        + 0.015 * (walk(n, rng, 90.0) + walk(n, rng, 300.0))
    )
    near = (0.5 + 0.4 * walk(n, rng, 0.6) + 0.3 * walk(n, rng, 5.0)).clip(0.05)
    wings = [(450.0, 500.0, 1.0), (1100.0, 700.0, 0.6), (2200.0, 1000.0, 0.5), (3600.0, 1400.0, 0.4)]
    beats = voice(params["wing_hz"] * (1 + wander), wings, 1.0, 9000.0)
    turning = 1 + 0.5 * walk(n, rng, 3.0)  # the wings beam their treble: it comes and goes as the bee turns
    low = lowpass(beats, 900.0)
    tone = (low + (beats - low) * turning) * near * (1 + 0.25 * walk(n, rng, 25.0))
    pan = 0.5 + 0.4 * walk(n, rng, 0.4)
    flight = np.stack([tone * (1 - pan), tone * pan])
    air = shaped(n, rng, [(60, 0), (300, -5), (1500, -15), (8000, -32)])
    return texture(filtered(flight, [(150, -9), (700, 0), (24_000, 0)]) + 0.06 * tone.std() * air)


def croak(seconds: float, rate: Signal, sac: float, rng: Rng) -> Signal:
    """One syllable of a frog [n], unit RMS: pulses that each ring throat and vocal sac, two peaks apart.

    Args:
        seconds: length.
        rate: pulses a second, as many values as wanted, from beginning to end.
        sac: lower peak in Hz; the upper lies near 2.1 times it (Gerhardt & Huber 2002).
        rng: draws unevenness.
    """
    size = samples(seconds)
    pulses = np.interp(np.linspace(0, 1, size), np.linspace(0, 1, rate.size), rate)
    times = crossings(phase(pulses * (1 + 0.03 * walk(size, rng, 40.0))) / (2 * np.pi))
    train = impulses(size, times, rng.uniform(0.75, 1.0, times.size))
    clicks = convolved(train, blow(0.0003))
    puff = 0.02 * band(size, rng, 600, 5000, 6.0) * convolved(train, decay(samples(0.006), 0.006))
    upper = sac * rng.uniform(2.0, 2.25)
    tone = resonated(clicks + puff, [(sac, 110.0, 1.0), (upper, 170.0, 0.9), (3.4 * sac, 400.0, 0.15)])
    return unit(highpass(tone, 0.5 * sac) * curve(size, [(0, 0), (0.25, 0.7), (0.7, 1), (0.92, 0.6), (1, 0)]))


def _frog(params: Params, n: int, rng: Rng) -> FloatArray:
    """Tree frog's two-part "rib-bit" or a pond frog's longer, slower trill, several times over."""
    parts: list[Signal] = []
    treefrog = params["kind"] < 1
    for _ in range(round(params["calls"])):
        if treefrog:  # the second part is pulsed faster than the first
            low, high = params["pulse_hz"] * np.array([0.9, 1.0]), params["pulse_hz"] * np.array([1.1, 1.5])
            first = croak(rng.uniform(0.09, 0.13), low, params["sac_hz"], rng)
            second = croak(rng.uniform(0.1, 0.15), high, 1.08 * params["sac_hz"], rng)
            parts += [0.7 * first, np.zeros(samples(rng.uniform(0.03, 0.05))), second]
        else:
            rate = 0.62 * params["pulse_hz"] * np.array([0.85, 1.1, 1.0])
            parts.append(
                croak(params["seconds"] * rng.uniform(0.85, 1.15), rate, 0.85 * params["sac_hz"], rng)
            )
        parts.append(np.zeros(samples(params["rest"] * rng.uniform(0.8, 1.3))))
    pond = reverberated(np.concatenate([*parts, np.zeros(samples(0.2))]), rng, 0.6, 0.12, 5000.0)
    return event(on_location(pond, rng, 0.004, LEAVES), n, 0.005, 0.1)


def _snake(params: Params, n: int, rng: Rng) -> FloatArray:
    """A long breath through a narrow glottis: noise of 3–10 kHz that swells and dies."""
    size = samples(params["seconds"])
    hiss = band(size, rng, params["hz"], 2.5 * params["hz"], 12.0) * (1 + 0.15 * walk(size, rng, 18.0))
    total = np.zeros(size)
    place(total, hiss * curve(size, [(0, 0), (0.15, 0.8), (0.5, 1), (1, 0)]), 0)
    return event(total, n, 0.02, 0.1)


MODELS = (
    SoundModel(
        "small.crickets",
        "insects_night",
        "texture",
        "Stridulation: the file's teeth drive the wing's harp at 4–5.2 kHz, 24–36 pulses a second in chirps "
        "(Bennet-Clark 1989).",
        drawn(crickets=(4.6, 8.4), far=(0.07, 0.2), air=(0.01, 0.04)),
        _chorus,
    ),
    SoundModel(
        "small.bee",
        "bee_buzz",
        "texture",
        "Wing beats of 190–320 Hz (Kawakita & Ichikawa 2019), harmonics that come and go as the bee turns.",
        drawn(wing_hz=(190, 320)),
        _bee,
    ),
    SoundModel(
        "small.frog",
        "frog_croak",
        "event",
        "Trains of 35–130 pulses a second, each ringing throat and vocal sac at about 1.1 and 2.4 kHz "
        "(Gerhardt & Huber 2002).",
        drawn(
            kind=(0.0, 2.0),
            pulse_hz=(65, 90),
            sac_hz=(950, 1350),
            seconds=(0.3, 0.7),
            calls=(1.6, 5.4),
            rest=(0.2, 0.5),
        ),
        _frog,
        (0.3, 1.5),
    ),
    SoundModel(
        "small.snake",
        "snake_hiss",
        "event",
        "Breath through a narrow glottis: turbulence of 3–10 kHz, no pitch (Young 2003).",
        drawn(seconds=(0.8, 2.0), hz=(2800, 4500)),
        _snake,
        (0.4, 2.0),
    ),
)
