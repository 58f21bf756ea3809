"""Things that strike: modes of wood, glass, metal and membranes, excited by short contacts."""

from __future__ import annotations

import numpy as np

from ssv2a.soundbank.dsp import (
    Rng,
    Signal,
    band,
    blow,
    body,
    cloud,
    convolved,
    decay,
    drawn,
    event,
    faded,
    modes,
    on_location,
    phase,
    place,
    reverberated,
    samples,
    shaped,
    texture,
    unit,
)
from ssv2a.soundbank.model import Params, SoundModel
from ssv2a.types import SAMPLE_RATE, FloatArray


def peaked(x: Signal) -> Signal:
    """Scaled to a peak of 1; silence stays silence."""
    return np.asarray(x / (np.abs(x).max() + 1e-12), dtype=np.float64)


def contact(rng: Rng, seconds: float, low: float, high: float) -> Signal:
    """The noise of a touch: from `low` to `high` Hz, dying by 60 dB in `seconds`."""
    size = samples(seconds)
    return band(size, rng, low, high, 9.0) * decay(size, seconds, 0.0003)


def struck(rng: Rng, lowest: float, count: int, spread: float, seconds: float, damping: float) -> Signal:
    """A struck body: `count` modes from `lowest` Hz, each about `spread` times higher and shorter.

    Args:
        rng: draws the scatter of frequencies and gains.
        lowest: frequency of the first mode in Hz.
        count: number of modes.
        spread: mean ratio of neighbouring modes.
        seconds: 60 dB decay of the first mode.
        damping: exponent by which decay shortens with frequency (0.3 glass and metal, 1 wood).
    """
    ratio = np.cumprod(np.concatenate([[1.0], spread ** rng.uniform(0.5, 1.5, count - 1)]))
    gains = ratio ** -rng.uniform(0.1, 0.5) * rng.uniform(0.3, 1.0, count)
    return modes(samples(min(3.0, seconds)), lowest * ratio, seconds * ratio**-damping, gains, rng)


def _glass_break(params: Params, n: int, rng: Rng) -> FloatArray:
    """Crack, then a shower of shards, each with its own glassy modes of 2–14 kHz, thinning out."""
    size = samples(params["seconds"])
    total = np.zeros(size)
    place(total, contact(rng, 0.08, 800, 9000), 0, 2.0)
    place(total, struck(rng, params["pane"], 12, 1.25, 0.15, 0.5), 0, 0.8)
    shards = [struck(rng, rng.uniform(1800, 6500), 6, 1.4, rng.uniform(0.05, 0.35), 0.4) for _ in range(40)]
    count = round(params["shards"])
    times = np.concatenate([rng.exponential(0.05, count // 2), 0.1 + rng.gamma(2.0, 0.16, count // 2)])
    gains = rng.pareto(1.8, times.size).clip(0.05, 4) * np.exp(-1.5 * times)
    fall = cloud(size, rng, times * SAMPLE_RATE, gains, shards)
    return event(reverberated(total + 0.35 * fall, rng, 0.4, 0.15, 9000.0), n, 0.0005, 0.2)


def _typing(params: Params, n: int, rng: Rng) -> FloatArray:
    """Key strokes in bursts of words: down-click on plastic and plate, softer release 60–110 ms later."""
    total = np.zeros(n)
    keys = []
    for _ in range(12):
        key = struck(rng, rng.uniform(1200, 2600), 6, 1.5, 0.016, 0.5) * 0.6
        place(key, contact(rng, 0.004, 2500, 10_000), 0, 1.2)
        place(key, contact(rng, 0.015, 250, 1500), samples(0.003), 0.4)
        keys.append(key)
    at = rng.uniform(-0.3, 0.1)
    while at < n / SAMPLE_RATE:
        for _ in range(int(rng.integers(2, 9))):
            key = keys[int(rng.integers(12))]
            gain = rng.uniform(0.5, 1.0)
            place(total, key, int(at * SAMPLE_RATE), gain)
            place(total, key, int((at + rng.uniform(0.06, 0.11)) * SAMPLE_RATE), 0.35 * gain)
            at += rng.gamma(6.0, 1 / (6.0 * params["rate"]))
        at += rng.exponential(0.25)
    room = shaped(n, rng, [(60, 0), (300, -5), (1500, -15), (8000, -32)])
    return texture(reverberated(total, rng, 0.2, 0.12, 5000.0) + 0.014 * np.abs(total).max() * room)


def _click(params: Params, n: int, rng: Rng) -> FloatArray:
    """A micro-switch under a plastic shell: press and release, two dull clicks of a few milliseconds."""
    total = np.zeros(samples(params["gap"] + 0.1))
    hertz, seconds, gains = body(rng, params["plastic"], 8000, 40, 0.009, 0.3, params["tilt"])
    for at, level, tuning in ((0.0, 1.0, 1.0), (params["gap"], 0.6, 1.15)):
        spot = gains * rng.uniform(0.5, 1.3, gains.size)
        click = modes(samples(0.03), tuning * hertz, seconds, spot, rng)
        click = peaked(convolved(click, blow(params["leaf"], rng, 2)))
        snap = band(samples(0.008), rng, 2000, 7000, 9.0) * decay(samples(0.008), params["snap"], 0.0002)
        place(click, peaked(snap), 0, 0.5)
        place(total, faded(click, 0.0003, 0.004), samples(at), level)
    return event(total, n, 0.0003, 0.02)


def _shutter(params: Params, n: int, rng: Rng) -> FloatArray:
    """Mirror up, curtain, mirror down: three mechanical clacks, then a motor winds with a short buzz."""
    exposure = params["exposure"]
    total = np.zeros(samples(exposure + 0.3))
    for at, level, low in ((0.0, 0.8, 700), (0.04, 0.5, 1500), (exposure + 0.07, 1.0, 600)):
        clack = shaped(samples(0.03), rng, [(200, -10), (1000, -2), (3000, 0), (8000, -4), (16_000, -16)])
        place(total, unit(clack * decay(clack.size, 0.02, 0.002)), samples(at), level)
        place(total, struck(rng, low * rng.uniform(0.9, 1.1), 10, 1.35, 0.03, 0.3), samples(at), 0.5 * level)
    size = samples(0.12)
    turns = 0.5 + 0.5 * np.sin(phase(np.full(size, params["motor_hz"])))
    motor = unit(shaped(size, rng, [(300, -8), (1500, 0), (5000, -3), (10_000, -12)])) * turns
    place(total, faded(motor, 0.01, 0.02), samples(exposure + 0.09), 0.25)
    return event(on_location(reverberated(total, rng, 0.25, 0.2, 5000.0), rng, 0.006), n, 0.0003, 0.05)


def _drum(params: Params, n: int, rng: Rng) -> FloatArray:
    """Membrane modes (1, 1.59, 2.14, 2.30, 2.65 …) that glide down after the stroke; a pattern."""
    total = np.zeros(samples(params["beats"] * 0.5 / params["tempo"] + 0.6))
    size = samples(0.45)
    glide = 1 + 0.35 * np.exp(-np.arange(size) / (0.03 * SAMPLE_RATE))
    ratio = (1.0, 1.59, 2.14, 2.30, 2.65, 2.92)
    bass = sum(
        np.sin(phase(params["bass"] * r * glide)) * decay(size, 0.4 / r) * 0.8**i for i, r in enumerate(ratio)
    )
    snare = sum(
        np.sin(phase(params["snare"] * r * glide)) * decay(size, 0.15 / r) * 0.6**i
        for i, r in enumerate(ratio)
    )
    snare = np.asarray(snare) + 1.1 * band(size, rng, 1500, 9000, 9.0) * decay(size, 0.22)
    hat = band(samples(0.08), rng, 6000, 14_000, 18.0) * decay(samples(0.08), 0.06, 0.0003)
    for index in range(round(params["beats"])):
        at = samples(index * 0.5 / params["tempo"])
        place(
            total,
            np.asarray(bass) if index % 4 == 0 else snare if index % 4 == 2 else hat,
            at,
            rng.uniform(0.8, 1),
        )
        place(total, hat, at, 0.4)
    return event(reverberated(total, rng, 0.5, 0.15, 6000.0), n, 0.0005, 0.2)


MODELS = (
    SoundModel(
        "impact.glass_break",
        "glass_break",
        "event",
        "A crack, then shards with inharmonic modes of 2–14 kHz, thinning out exponentially (Cook 2002).",
        drawn(seconds=(0.9, 1.8), pane=(700, 1600), shards=(50, 160)),
        _glass_break,
        (0.8, 3.0),
    ),
    SoundModel(
        "impact.typing",
        "typing",
        "texture",
        "Keys: a down-click on plastic and plate, a softer release 60–110 ms later.",
        drawn(rate=(7.0, 9.5)),
        _typing,
    ),
    SoundModel(
        "impact.mouse_click",
        "mouse_click",
        "event",
        "A leaf spring snaps within 0.1–0.2 ms on a small, well damped plastic shell: press and release.",
        drawn(
            gap=(0.07, 0.12),
            plastic=(1500, 2600),
            tilt=(0.0, 3.0),
            leaf=(0.0001, 0.0002),
            snap=(0.002, 0.004),
        ),
        _click,
        (0.25, 1.3),
    ),
    SoundModel(
        "impact.shutter",
        "camera_shutter",
        "event",
        "Mirror up, curtain, mirror down: three clacks of small modes, then a winding motor.",
        drawn(exposure=(0.02, 0.12), motor_hz=(90, 140)),
        _shutter,
        (0.6, 2.0),
    ),
    SoundModel(
        "impact.drum",
        "drum",
        "event",
        "Circular membrane, 1 : 1.59 : 2.14 : 2.30 : 2.65, gliding down with its tension (Fletcher & "
        "Rossing 1998).",
        drawn(tempo=(1.6, 2.4), beats=(4, 12), bass=(55, 90), snare=(170, 240)),
        _drum,
        (0.0, 0.3),
    ),
)
