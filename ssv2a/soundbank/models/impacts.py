"""Things that strike: modes of wood, glass, metal and membranes, excited by short contacts."""

from __future__ import annotations

import numpy as np

from ssv2a.soundbank.dsp import (
    Rng,
    Signal,
    band,
    cloud,
    curve,
    decay,
    drawn,
    event,
    faded,
    filtered,
    modes,
    on_location,
    phase,
    place,
    resonated,
    reverberated,
    samples,
    shaped,
    texture,
    unit,
    walk,
)
from ssv2a.soundbank.model import Params, SoundModel
from ssv2a.types import SAMPLE_RATE, FloatArray


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


def _clink(params: Params, n: int, rng: Rng) -> FloatArray:
    """Two glasses touch: rim modes (1 : 2.3 : 4.2 : 6.6) from 1.5–4 kHz up, each a beating pair."""
    total = np.zeros(samples(1.4))
    for tuning, level in ((1.0, 1.0), (params["other"], 0.8)):
        ratio = np.array([1.0, 2.32, 4.25, 6.63])
        hertz = params["rim"] * tuning * np.concatenate([ratio, ratio * 1.004])
        ring = modes(
            samples(1.3), hertz, params["ring"] * np.tile(ratio**-0.5, 2), np.tile([1, 0.8, 0.5, 0.3], 2), rng
        )
        place(total, ring, 0, level)
        if params["twice"] > 0.5:
            place(total, ring, samples(0.09), 0.35 * level)
    place(total, contact(rng, 0.004, 3000, 12_000), 0, 1.0)
    return event(reverberated(total, rng, 0.3, 0.08, 8000.0), n, 0.0003, 0.2)


def _dishes(params: Params, n: int, rng: Rng) -> FloatArray:
    """Plates and cutlery: ceramic modes of 0.8–5 kHz and short steel rings, in a clattering bunch."""
    total = np.zeros(samples(params["seconds"] + 0.6))
    kit = [struck(rng, rng.uniform(700, 1800), 7, 1.5, rng.uniform(0.08, 0.25), 0.5) for _ in range(4)]
    kit += [struck(rng, rng.uniform(2200, 4500), 6, 1.4, rng.uniform(0.1, 0.4), 0.35) for _ in range(4)]
    for _ in range(round(params["hits"])):
        at = rng.uniform(0, params["seconds"])
        piece = kit[int(rng.integers(len(kit)))]
        for bounce in range(int(rng.integers(1, 4))):
            place(
                total,
                piece,
                samples(at + 0.07 * bounce * rng.uniform(0.7, 1.2)),
                rng.uniform(0.2, 1.0) * 0.5**bounce,
            )
        place(total, contact(rng, 0.005, 2000, 9000), samples(at), 0.4)
    return event(reverberated(total, rng, 0.4, 0.2, 6000.0), n, 0.0005, 0.15)


def _metal(params: Params, n: int, rng: Rng) -> FloatArray:
    """Struck plate or bar of steel: many slowly decaying inharmonic modes with close pairs that beat."""
    ring = struck(rng, params["lowest"], 22, 1.22, params["ring"], 0.45)
    place(ring, struck(rng, params["lowest"] * 1.006, 14, 1.3, params["ring"], 0.5), 0, 0.6)
    place(ring, contact(rng, 0.02, 1000, 10_000), 0, 0.8)
    return event(reverberated(ring, rng, 0.8, 0.2, 6000.0), n, 0.0005, 0.4)


def _ball(params: Params, n: int, rng: Rng) -> FloatArray:
    """A ball dropped: bounces shorten by its restitution; a slap over modes of air and floor."""
    total = np.zeros(samples(5.0))
    size, gap, at, gain = samples(0.2), params["gap"], 0.0, 1.0
    hertz = params["air"] * rng.uniform(0.4, 2.4, 8)
    bounce = modes(size, hertz, rng.uniform(0.06, 0.18, 8), rng.uniform(0.5, 1, 8), rng)
    bounce += params["slap"] * band(size, rng, 150, 2500, 9.0) * decay(size, 0.06, 0.003)
    for _ in range(round(params["bounces"])):
        place(total, bounce, samples(at), gain)
        at, gap, gain = at + gap, gap * params["restitution"], gain * params["restitution"] ** 1.3
    hall = reverberated(total[: samples(at + 0.6)], rng, 0.9, params["hall"], 3500.0)
    return event(on_location(hall, rng, 0.015), n, 0.0005, 0.2)


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
    """A micro-switch: press and release, two small plastic clicks."""
    total = np.zeros(samples(params["gap"] + 0.08))
    for at, level in ((0.0, 1.0), (params["gap"], 0.6)):
        place(total, struck(rng, params["hz"], 6, 1.5, 0.02, 0.5), samples(at), level)
        place(total, contact(rng, 0.003, 2500, 10_000), samples(at), level)
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


def _racket(params: Params, n: int, rng: Rng) -> FloatArray:
    """Ball on strings: 5 ms contact, the string bed's ping near 500–700 Hz, the frame's buzz."""
    total = np.zeros(samples(0.5))
    strings = modes(
        samples(0.12),
        params["strings"] * np.array([1, 1.9, 2.8]),
        np.array([0.09, 0.05, 0.03]),
        np.array([1, 0.5, 0.3]),
        rng,
    )
    place(total, strings, 0)
    place(total, contact(rng, 0.02, 400, 5000), 0, 1.3)
    place(total, struck(rng, 140, 4, 1.8, 0.08, 0.5), 0, 0.5)
    return event(reverberated(total, rng, 0.6, 0.25, 4000.0), n, 0.0005, 0.1)


def _sword(params: Params, n: int, rng: Rng) -> FloatArray:
    """Two blades: bright long modes of thin bars that slide for a moment before they part."""
    total = np.zeros(samples(1.6))
    for tuning in (1.0, params["other"]):
        ratio = np.array([1, 2.76, 5.4, 8.93, 13.3, 18.6])
        hertz = params["bar"] * tuning * ratio
        place(
            total,
            modes(
                samples(1.5), hertz, params["ring"] * ratio**-0.2, np.array([0.3, 0.6, 1, 0.9, 0.7, 0.4]), rng
            ),
            0,
        )
    slide = resonated(
        band(samples(0.25), rng, 2500, 11_000, 9.0), [(4300, 200, 1), (6700, 250, 0.8), (9100, 300, 0.6)]
    )
    place(total, slide * decay(slide.size, 0.22, 0.01), samples(0.01), params["slide"] * 8)
    place(total, contact(rng, 0.01, 2000, 12_000), 0, 2.0)
    return event(
        reverberated(filtered(total, [(200, -24), (900, 0), (24_000, 0)]), rng, 0.6, 0.15, 7000.0),
        n,
        0.0003,
        0.3,
    )


def _scissors(params: Params, n: int, rng: Rng) -> FloatArray:
    """Snips: the blades open with a light scrape and shear shut, harder, to a dull snap of steel."""
    snips = round(params["snips"])
    total = np.zeros(samples(snips * params["period"] + 0.2))
    for snip in range(snips):
        at = (snip + 0.08 * rng.standard_normal()) * params["period"]
        for start, share, level in ((0.0, 0.35, 0.25), (0.45, 0.45, 1.0)):
            size = samples(share * params["period"] * rng.uniform(0.85, 1.15))
            steel = [(3500.0, 1600.0, 0.6), (6500.0, 2500.0, 1.0), (10_000.0, 4000.0, 0.8)]
            scrape = unit(resonated(band(size, rng, 4000, 14_000, 9.0), steel))
            scrape *= curve(size, [(0, 0), (0.2, 0.4), (0.9, 1), (1, 0.3)])
            scrape *= 0.8 + walk(size, rng, 400.0, 0, 0.4)  # the edges' roughness
            where = samples(max(0.0, at + start * params["period"]))
            place(total, scrape, where, 0.35 * level)
            place(total, contact(rng, 0.012, 1500, 11_000), where + size, 0.3 * level)
        place(
            total, struck(rng, 1400, 6, 1.5, 0.02, 0.3), samples(max(0.0, at + 0.9 * params["period"])), 1.5
        )
    return event(total, n, 0.003, 0.05)


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
        "impact.clink",
        "glass_clink",
        "event",
        "Rim modes of a wine glass, 1 : 2.3 : 4.2 : 6.6, as beating doublets (Rossing 1990).",
        drawn(rim=(1500, 3600), other=(0.8, 1.25), ring=(0.4, 1.2), twice=(0, 1)),
        _clink,
        (0.3, 1.5),
    ),
    SoundModel(
        "impact.dishes",
        "dishes",
        "event",
        "Ceramic modes of 0.8–5 kHz and short steel rings, in random clatter.",
        drawn(seconds=(0.4, 1.5), hits=(4, 14)),
        _dishes,
        (0.2, 1.5),
    ),
    SoundModel(
        "impact.metal",
        "metal_hit",
        "event",
        "Plate or bar of steel: inharmonic modes with close pairs, slow decay (van den Doel & Pai 1998).",
        drawn(lowest=(180, 900), ring=(0.6, 2.5)),
        _metal,
        (0.3, 2.0),
    ),
    SoundModel(
        "impact.ball",
        "ball_bounce",
        "event",
        "Bounces spaced by restitution, t(k+1) = e·t(k) (Farnell 2010); air and floor modes.",
        drawn(
            air=(140, 220),
            slap=(0.6, 1.5),
            gap=(0.45, 0.8),
            restitution=(0.65, 0.85),
            bounces=(3, 7),
            hall=(0.2, 0.6),
        ),
        _ball,
        (0.3, 1.0),
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
        "A micro-switch's snap: press and release as two clicks of small plastic modes.",
        drawn(gap=(0.07, 0.14), hz=(1500, 3000)),
        _click,
        (0.4, 2.0),
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
        "impact.racket",
        "racket_hit",
        "event",
        "5 ms of contact excites the string bed at 500–700 Hz and the frame (Brody 1995).",
        drawn(strings=(480, 720)),
        _racket,
        (0.7, 2.0),
    ),
    SoundModel(
        "impact.sword",
        "sword_clash",
        "event",
        "Thin bars' bending modes of 1–12 kHz, sliding contact before they part.",
        drawn(bar=(300, 520), other=(0.8, 1.3), ring=(0.5, 1.4), slide=(0, 0.3)),
        _sword,
        (0.2, 1.2),
    ),
    SoundModel(
        "impact.scissors",
        "scissors",
        "event",
        "Friction of rough steel edges as the blades open and shear shut, ending in a damped snap; again "
        "and again.",
        drawn(snips=(2.6, 6.4), period=(0.32, 0.6)),
        _scissors,
        (0.15, 0.5),
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
