"""Signals made to be heard: horns, sirens, bells, telephones, alarms, whistles, clocks."""

from __future__ import annotations

import numpy as np

from ssv2a.soundbank.dsp import (
    Rng,
    Signal,
    band,
    convolved,
    curve,
    decay,
    drawn,
    event,
    faded,
    filtered,
    highpass,
    impulses,
    modes,
    on_location,
    phase,
    place,
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

CHIME = (1.0, 1.189, 1.335, 1.588, 2.0)
"""Frequency ratios of a five-chime locomotive horn (311, 370, 415, 494, 622 Hz)."""
BELL_PARTIALS = (0.5, 1.0, 1.2, 1.5, 2.0, 2.5, 2.67, 3.0, 4.0, 5.33, 6.67)
"""Hum, prime, tierce, quint, nominal and upper partials of a church bell, relative to the prime."""


def _blast(f0: float, seconds: float, rng: Rng, tilt: float, centre: float, onset: float) -> Signal:
    """One horn: a pressure-driven reed or membrane, rich in harmonics, that starts a little flat."""
    n = samples(seconds)
    t = np.arange(n) / SAMPLE_RATE
    pitch = f0 * (1 - 0.04 * np.exp(-t / onset)) * (1 + 0.0015 * walk(n, rng, 9.0))
    tone = voice(
        pitch, [(centre, 1.6 * centre, 1.0), (2.2 * centre, centre, 0.5), (f0, 4 * f0, 0.4)], tilt, 9000.0
    )
    return faded(tone, onset, 0.06) * (1 + 0.02 * walk(n, rng, 30.0))


def _car_horn(params: Params, n: int, rng: Rng) -> FloatArray:
    """Two electric disc horns about a major third apart, buzzing around 2.5 kHz; one to three honks."""
    honks = round(params["honks"])
    length, gap = params["seconds"], 0.12 * rng.uniform(0.8, 1.4)
    total = np.zeros(samples(honks * (length + gap) + 0.4))
    for index in range(honks):
        seconds = length * rng.uniform(0.85, 1.1)
        for f0 in (params["f0"], params["f0"] * params["interval"]):
            place(
                total, _blast(f0, seconds, rng, 3.0, params["buzz"], 0.012), samples(index * (length + gap))
            )
    return event(reverberated(total, rng, 0.5, params["street"]), n, 0.001, 0.1)


def _train_horn(params: Params, n: int, rng: Rng) -> FloatArray:
    """Chord of three to five air chimes with rushing air, echoing from the land around."""
    blow = samples(params["seconds"])
    total = np.zeros(blow + samples(1.2))
    for ratio in CHIME[: round(params["chimes"])]:
        chime = _blast(
            params["f0"] * ratio * rng.uniform(0.995, 1.005), params["seconds"], rng, 3.0, 900.0, 0.08
        )
        place(total, chime, samples(rng.uniform(0, 0.03)))
    air = faded(band(blow, rng, 600, 4000, 9.0), 0.05, 0.1)
    place(total, air, 0, params["air"] * float(total.std()))
    return event(reverberated(total, rng, 1.2, 0.5, 2500.0), n, 0.01, 0.5)


def _ship_horn(params: Params, n: int, rng: Rng) -> FloatArray:
    """Low diaphragm of 75–160 Hz with many harmonics and rushing air, long, over water with a long echo."""
    size = samples(params["seconds"])
    pitch = params["f0"] * (1 - 0.04 * np.exp(-np.arange(size) / (0.25 * SAMPLE_RATE)))
    tone = voice(
        pitch * (1 + 0.002 * walk(size, rng, 5.0)), [(300.0, 200.0, 1.0), (700.0, 300.0, 0.6)], 3.0, 6000.0
    )
    blast = unit(tone) + params["air"] * band(size, rng, 100, 1500, 9.0)
    total = np.concatenate([faded(blast, 0.15, 0.3), np.zeros(samples(1.5))])
    return event(reverberated(total, rng, 1.8, 0.5, 1200.0), n, 0.02, 0.8)


def sweep(params: Params, n: int, rng: Rng) -> Signal:
    """Pitch in Hz of a siren: `mode` under 1 wails, under 2 yelps, else two tones a fourth apart."""
    low, high = params["low"], params["high"]
    rate = params["wail_hz"] if params["mode"] < 1 else params["yelp_hz"] if params["mode"] < 2 else 0.9
    cycle = np.arange(n) * (rate / SAMPLE_RATE) + rng.uniform()
    turn = cycle % 1.0
    if params["mode"] >= 2:
        return np.where(turn < 0.5, 440.0, 585.0) * (low / 600.0)
    rising = params["rising"]
    up = 1 - np.exp(-3.0 * turn / rising)
    down = np.exp(-2.5 * (turn - rising) / (1 - rising))
    shape = np.where(turn < rising, up / (1 - np.exp(-3.0)), (down - np.exp(-2.5)) / (1 - np.exp(-2.5)))
    return np.asarray(low * (high / low) ** np.clip(shape, 0, 1), dtype=np.float64)


def _siren(params: Params, n: int, rng: Rng) -> FloatArray:
    """Electronic siren: a swept pulse wave through a horn speaker (500–4 000 Hz), echoing between houses."""
    pitch = sweep(params, n, rng)
    tone = voice(pitch, [(1100.0, 1500.0, 1.0), (2500.0, 1500.0, 0.6)], 2.0, 7000.0)
    echo = reverberated(tone, rng, 1.2, params["street"], 3000.0)
    return texture(echo * (1 + 0.2 * walk(n, rng, 0.8)))


def _telephone(params: Params, n: int, rng: Rng) -> FloatArray:
    """A hammer strikes two gongs in turn at 20–25 Hz for a ring of one to two seconds."""
    ring, total = params["seconds"], np.zeros(samples(params["seconds"] + 0.9))
    strikes = np.arange(0, ring, 0.5 / params["hammer_hz"]) * SAMPLE_RATE
    ratio = np.array([1.0, 1.58, 2.24, 2.92, 3.6, 4.4, 5.5])
    for gong, tuning in enumerate((1.0, params["interval"])):
        mine = strikes[gong::2] + 30 * rng.standard_normal(strikes[gong::2].size)
        hertz = params["gong_hz"] * tuning * ratio * rng.uniform(0.99, 1.01, ratio.size)
        bell = modes(
            samples(0.9), hertz, 0.8 / ratio**0.4, ratio**-0.5 * rng.uniform(0.4, 1, ratio.size), rng
        )
        total += convolved(impulses(total.size, mine, rng.uniform(0.7, 1, mine.size)), bell)
    return event(filtered(total, [(300, -20), (900, 0), (24_000, 0)]), n, 0.001, 0.2)


def _alarm(params: Params, n: int, rng: Rng) -> FloatArray:
    """A piezo disc's beeps: a near-sinusoid of 2–3.5 kHz with odd harmonics, in groups."""
    beeps, on, off = round(params["beeps"]), params["on"], params["off"]
    total = np.zeros(samples(beeps * (on + off) + 0.15))
    size = samples(on)
    phi = phase(np.full(size, params["hz"]))
    beep = faded(np.sin(phi) + params["edge"] * (np.sin(3 * phi) / 3 + np.sin(5 * phi) / 5), 0.002, 0.004)
    for index in range(beeps):
        place(total, beep, samples(index * (on + off)))
    return event(reverberated(total, rng, 0.3, 0.15), n, 0.001, 0.05)


def _whistle(params: Params, n: int, rng: Rng) -> FloatArray:
    """Pea whistle: a flue tone that the pea chops and pulls down as it whirls past the mouth, unevenly."""
    total = np.zeros(samples(params["seconds"] + params["short"] + 0.75))
    at = 0.0
    for seconds in (params["short"], params["seconds"]) if params["short"] > 0.12 else (params["seconds"],):
        size = samples(seconds)
        blown = curve(size, [(0, 0), (0.04, 0.9), (0.15, 1), (0.8, 0.95), (1, 0.2)]) * (
            1 + 0.08 * walk(size, rng, 9.0)
        )
        whirl = phase(params["pea_hz"] * blown.clip(0.5) ** 0.5 * (1 + 0.12 * walk(size, rng, 11.0)))
        shut = (0.5 - 0.5 * np.cos(whirl)) ** 1.5 * (1 + 0.35 * walk(size, rng, 30.0))
        pitch = params["hz"] * (0.93 + 0.07 * blown) * (1 - 0.03 * shut) * (1 + 0.004 * walk(size, rng, 90.0))
        phi = phase(pitch)
        tone = np.sin(phi) + 0.12 * np.sin(2 * phi + 0.5) + 0.05 * np.sin(3 * phi)
        near = shaped(
            size,
            rng,
            [(800, -30), (0.9 * params["hz"], 0), (1.25 * params["hz"], 0), (9000, -14), (18_000, -26)],
        )
        air = params["breath"] * near * (0.5 + 0.5 * shut.clip(0, 1))
        place(total, faded((tone * (1 - 0.65 * shut).clip(0.05) + air) * blown, 0.008, 0.03), samples(at))
        at += seconds + rng.uniform(0.08, 0.16)
    return event(reverberated(total, rng, 0.6, 0.25, 6000.0), n, 0.001, 0.1)


def _bell(params: Params, n: int, rng: Rng) -> FloatArray:
    """One to three swinging church bells: strokes on the modes of cast bells, out of doors."""
    total = np.zeros(min(n, samples(params["seconds"])))
    for number in range(round(params["bells"])):
        prime = params["prime"] * (1.0, 1.25, 1.5)[number] * rng.uniform(0.99, 1.01)
        ring = _stroke(prime, params["clapper"], rng)
        swing = params["swing"] * (1.0, 0.93, 0.88)[number]  # smaller bells swing faster
        start = 0.0 if number == 0 else rng.uniform(0.2, 1.0)
        for index, at in enumerate(np.arange(start, total.size / SAMPLE_RATE - 0.4, swing)):
            side = (1.0, rng.uniform(0.75, 0.95))[index % 2]  # the clapper never meets both sides alike
            place(total, ring, samples(at + 0.01 * rng.standard_normal()), side * 0.8**number)
    return event(reverberated(total, rng, 2.0, 0.25, 3500.0), n, 0.001, 1.5)


def _stroke(prime: float, clapper: float, rng: Rng) -> Signal:
    """One stroke [4 s] on a bell: each partial a pair of modes that beat, the higher the shorter."""
    ratio = np.array(BELL_PARTIALS) * rng.uniform(0.995, 1.005, len(BELL_PARTIALS))
    split = prime * ratio + rng.uniform(0.3, 2.0, ratio.size)
    seconds = np.tile(np.array([9.0, 6.0, 5.0, 3.0, 4.5, 2.0, 1.8, 2.2, 1.6, 1.0, 0.7]), 2)
    level = np.array([0.07, 0.1, 0.25, 0.08, 1.0, 0.12, 0.15, 0.35, 0.3, 0.2, 0.12])
    gains = np.concatenate([level, level * rng.uniform(0.2, 0.7, ratio.size)])
    gains = gains * rng.uniform(0.7, 1.3, gains.size)
    ring = modes(
        samples(4.0), np.concatenate([prime * ratio, split]), seconds * (350 / prime) ** 0.5, gains, rng
    )
    strike = decay(samples(0.04), 0.03) * band(samples(0.04), rng, 1500, 7000)
    place(ring, strike, 0, 0.5 * clapper)
    return faded(ring, 0.0005, 0.5)


def _clock(params: Params, n: int, rng: Rng) -> FloatArray:
    """Escapement: tick and tock in turn, each a drop and a lock on modes of case and works, 0.6–5 kHz."""
    total = np.zeros(n)
    sounds = []
    for tuning in (1.0, params["tock"]):
        ratio = np.cumprod(1.5 ** rng.uniform(0.5, 1.5, 6))
        tick = modes(samples(0.05), tuning * params["hz"] * ratio, 0.015 / ratio**0.5, ratio**-0.3, rng)
        place(
            tick,
            band(samples(0.003), rng, 2500, 10_000, 9.0) * decay(samples(0.003), 0.003),
            0,
            params["snap"],
        )
        place(tick, tick.copy(), samples(rng.uniform(0.008, 0.02)), rng.uniform(0.3, 0.6))
        sounds.append(tick)
    times = np.arange(rng.uniform(0, 0.5), n / SAMPLE_RATE, 1 / params["rate"])
    for index, at in enumerate(times):
        place(total, sounds[index % 2], samples(at + 0.002 * rng.standard_normal()), rng.uniform(0.9, 1.0))
    room = shaped(n, rng, [(50, 0), (200, -6), (1000, -16), (8000, -34)])
    return texture(reverberated(total, rng, 0.25, 0.15, 5000.0) + 0.01 * np.abs(total).max() * room)


def _tube(f0: float, rng: Rng) -> list[Signal]:
    """A free tube struck here and there, three takes [n]: bar modes, each split in two by uneven walls."""
    ratio = np.array([1.0, 2.74, 5.3, 8.6, 12.6])
    hertz = f0 * ratio * rng.uniform(0.985, 1.015, ratio.size)
    hertz = np.concatenate([hertz, hertz + rng.uniform(0.5, 4.0, ratio.size)])
    seconds = np.tile(np.array([7.0, 5.0, 3.0, 1.6, 0.8]) * (900 / f0) ** 0.8, 2)
    takes = []
    for _ in range(3):
        gains = np.array([0.4, 1.0, 0.9, 0.6, 0.3]) * rng.uniform(0.3, 1.2, ratio.size)
        ring = modes(samples(3.5), hertz, seconds, np.concatenate([gains, 0.6 * gains]), rng)
        place(ring, band(samples(0.012), rng, 1500, 7000) * decay(samples(0.012), 0.01, 0.0003), 0, 0.1)
        takes.append(faded(ring, 0.0005, 0.8))
    return takes


def clapper_strikes(seconds: float, breeze: float, rng: Rng) -> tuple[Signal, Signal]:
    """Times in seconds and forces of a clapper's strikes: it swings in gusts, rattles, and comes to rest.

    Args:
        seconds: how long the wind moves it.
        breeze: strikes a second while a gust lasts.
        rng: draws them.
    """
    times, forces, at = [0.0], [1.0], 0.0
    gust, until = 1.0, rng.uniform(0.8, 1.6)
    while at < seconds:
        at += 0.02 + rng.gamma(0.6, 1.6 / (breeze * (0.15 + gust)))  # across to another tube
        times.append(at)
        forces.append((0.2 + gust) * np.exp(rng.normal(-0.3, 0.65)))
        gust *= 0.9  # the swing dies
        if at > until:
            gust, until = rng.uniform(0.5, 1.1), at + rng.uniform(0.8, 2.0)
    return np.array(times), np.minimum(np.array(forces), 2.0)


def _wind_chime(params: Params, n: int, rng: Rng) -> FloatArray:
    """Five to seven tubes of a pentatonic scale: the clapper swings among them in gusts, and all ring on."""
    scale = rng.permutation((0, 2, 4, 7, 9, 12, 14))[: round(params["tubes"])]
    mistuned = scale + rng.normal(0, 0.3, scale.size)  # semitones: nobody tunes them finely
    takes = [_tube(params["hz"] * 2 ** (step / 12), rng) for step in mistuned]
    total = np.zeros(samples(params["seconds"] + 3.2))
    tube = int(rng.integers(len(takes)))
    for at, force in zip(*clapper_strikes(params["seconds"], params["breeze"], rng), strict=True):
        place(total, takes[tube][int(rng.integers(3))], samples(at), float(force))
        tube = (tube + int(rng.choice((-2, -1, 0, 1, 2, 3)))) % len(takes)  # round the ring they hang in
    return event(on_location(highpass(total, 200.0), rng, params["wind"]), n, 0.001, 1.0)


MODELS = (
    SoundModel(
        "signal.car_horn",
        "car_horn",
        "event",
        "Two electric disc horns about a major third apart: harmonic rows with the disc's resonance near "
        "2.5 kHz.",
        drawn(
            f0=(340, 430),
            interval=(1.19, 1.27),
            honks=(0.6, 3.4),
            seconds=(0.25, 0.9),
            buzz=(1600, 2800),
            street=(0.1, 0.4),
        ),
        _car_horn,
        (1.0, 4.0),
    ),
    SoundModel(
        "signal.train_horn",
        "train_horn",
        "event",
        "Chord of three to five diaphragm air horns in just ratios, wind noise, echoes of the land.",
        drawn(f0=(255, 330), chimes=(2.6, 5.4), seconds=(1.0, 3.5), air=(0.15, 0.4)),
        _train_horn,
        (0.6, 3.0),
    ),
    SoundModel(
        "signal.ship_horn",
        "ship_horn",
        "event",
        "Diaphragm horn of 75–160 Hz, as low as a large ship's must be (COLREG 72, annex III), long echo "
        "over water.",
        drawn(f0=(75, 160), seconds=(2.0, 4.5), air=(0.08, 0.2)),
        _ship_horn,
        (2.0, 6.0),
    ),
    SoundModel(
        "signal.siren",
        "siren",
        "texture",
        "Electronic siren: a swept pulse wave (wail, yelp, two tones) through a horn speaker of 500–4 "
        "000 Hz.",
        drawn(
            mode=(0, 2.6),
            low=(500, 700),
            high=(1200, 1600),
            wail_hz=(0.15, 0.35),
            yelp_hz=(2.2, 4.0),
            rising=(0.3, 0.6),
            street=(0.1, 0.5),
        ),
        _siren,
    ),
    SoundModel(
        "signal.telephone",
        "telephone_ring",
        "event",
        "A hammer strikes two gongs in turn, 20–25 times a second, by the ringing current; modes of the "
        "gongs.",
        drawn(seconds=(0.9, 2.0), hammer_hz=(10, 13), gong_hz=(1050, 1500), interval=(1.12, 1.3)),
        _telephone,
        (1.0, 3.0),
    ),
    SoundModel(
        "signal.alarm",
        "alarm_beep",
        "event",
        "A piezo disc: near-sinusoidal beeps of 2–3.5 kHz with odd harmonics.",
        drawn(beeps=(2.6, 5.4), on=(0.08, 0.45), off=(0.08, 0.4), hz=(1900, 3400), edge=(0.0, 0.8)),
        _alarm,
        (0.3, 1.2),
    ),
    SoundModel(
        "signal.whistle",
        "whistle",
        "event",
        "Pea whistle: a flue tone of 2.8–3.7 kHz whose mouth the turning pea shuts 24–42 times a second.",
        drawn(seconds=(0.4, 1.4), short=(0.0, 0.3), hz=(2800, 3700), pea_hz=(24, 42), breath=(0.08, 0.2)),
        _whistle,
        (0.6, 2.5),
    ),
    SoundModel(
        "signal.bell",
        "bell",
        "event",
        "Bell partials hum 0.5, prime 1, tierce 1.2, quint 1.5, nominal 2 as beating doublets, the nominal "
        "loudest; strokes at the swing of the bell (Fletcher & Rossing 1998).",
        drawn(prime=(280, 620), seconds=(6, 9), clapper=(0.3, 1.0), swing=(0.9, 1.5), bells=(0.6, 2.6)),
        _bell,
        (0.0, 0.4),
    ),
    SoundModel(
        "signal.clock",
        "clock_tick",
        "texture",
        "Escapement: tick and tock differ; each is a drop and a lock on modes of case and works (Farnell "
        "2010, ch. 32).",
        drawn(rate=(1.0, 2.0), hz=(450, 1100), tock=(0.8, 0.95), snap=(0.8, 2.0)),
        _clock,
    ),
    SoundModel(
        "signal.wind_chime",
        "wind_chime",
        "event",
        "Free–free tubes with bar modes 1 : 2.756 : 5.404 (Fletcher & Rossing 1998), struck in gusts.",
        drawn(seconds=(3.5, 6.5), hz=(850, 1700), tubes=(4.6, 7.4), breeze=(6.0, 12.0), wind=(0.002, 0.006)),
        _wind_chime,
        (0.0, 0.8),
    ),
)
