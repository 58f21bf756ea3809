"""Mammals: a glottal source with its own pitch contour and roughness, through vocal-tract formants."""

from __future__ import annotations

import numpy as np

from ssv2a.soundbank.dsp import (
    LEAVES,
    Formant,
    Rng,
    Signal,
    band,
    breath,
    curve,
    decay,
    drawn,
    event,
    faded,
    jitter,
    modes,
    on_location,
    phase,
    place,
    resonated,
    reverberated,
    roughness,
    samples,
    shaped,
    unit,
    voice,
    walk,
)
from ssv2a.soundbank.model import Params, SoundModel
from ssv2a.types import FloatArray


def _bark(params: Params, rng: Rng) -> Signal:
    seconds = params["seconds"] * rng.uniform(0.85, 1.15)
    n = samples(seconds)
    f0 = params["f0"] * rng.uniform(0.9, 1.1) * curve(n, [(0, 0.7), (0.2, 1.0), (0.5, 0.95), (1, 0.6)])
    f0 = f0 * jitter(n, rng, params["rough"])
    gape = params["size"] * curve(n, [(0, 0.75), (0.25, 1.15), (0.6, 1.0), (1, 0.7)])
    tone = voice(
        f0, [(700 * gape, 400.0, 1.0), (1450 * gape, 500.0, 0.8), (2900 * gape, 900.0, 0.25)], 3.0, 8000.0
    )
    air = resonated(band(n, rng, 300, 6000, 6.0), [(800, 500, 1.0), (1600, 700, 0.9), (3200, 1500, 0.4)])
    mixed = unit(tone) + params["breath"] * unit(air)
    return mixed * curve(n, [(0, 0), (0.06, 0.8), (0.2, 1), (0.55, 0.8), (0.8, 0.25), (1, 0)])


def _dog(params: Params, n: int, rng: Rng) -> FloatArray:
    """Barks of 0.12–0.3 s: pitch rises and falls fast, rough, as the mouth opens and shuts; one to four."""
    barks = round(params["barks"])
    total = np.zeros(samples(barks * (params["seconds"] + params["gap"]) * 1.3 + 0.35))
    at = 0.0
    for _ in range(barks):
        bark = _bark(params, rng)
        place(total, bark, samples(at), rng.uniform(0.7, 1.0))
        at += bark.size / 48_000 + params["gap"] * rng.uniform(0.7, 1.3)
    return event(reverberated(total[: samples(at + 0.25)], rng, 0.4, params["yard"], 3000.0), n, 0.002, 0.15)


def _cat(params: Params, n: int, rng: Rng) -> FloatArray:
    """Meow of 0.5–1.1 s: f0 arches over 550–850 Hz while a short tract opens from [m] over [i, a] to [u]."""
    size = samples(params["seconds"])
    f0 = params["f0"] * curve(size, [(0, 0.75), (0.25, 1.0), (0.55, 0.95), (1, 0.7)])
    f0 = f0 * (1 + 0.008 * walk(size, rng, 7.0)) * jitter(size, rng, params["rough"])
    first = curve(size, [(0, 800), (0.2, 1300), (0.5, 1900), (1, 1000)]) * params["size"]
    second = curve(size, [(0, 2800), (0.25, 3400), (0.55, 3000), (1, 2200)]) * params["size"]
    tone = voice(f0, [(first, 200.0, 1.0), (second, 300.0, 0.9), (5600.0, 600.0, 0.5)], -4.0, 11_000.0)
    tone = unit(tone) + params["breath"] * band(size, rng, 600, 5000, 6.0)
    shape = curve(size, [(0, 0), (0.12, 0.4), (0.35, 1), (0.65, 0.8), (0.9, 0.2), (1, 0)])
    return event(reverberated(tone * shape, rng, 0.3, 0.1), n, 0.01, 0.05)


def _cow(params: Params, n: int, rng: Rng) -> FloatArray:
    """Moo of 1–2.2 s: f0 90–180 Hz rising into the open call, nasal hum first, then wide formants."""
    size = samples(params["seconds"])
    f0 = params["f0"] * curve(size, [(0, 0.78), (0.3, 0.92), (0.55, 1.12), (0.85, 1.05), (1, 0.8)])
    f0 = f0 * (1 + 0.012 * walk(size, rng, 6.0)) * jitter(size, rng, params["rough"])
    opening = curve(size, [(0, 0), (0.3, 0.15), (0.5, 1), (0.85, 0.9), (1, 0.2)])
    first, second = 320 + 230 * opening, 780 + 300 * opening
    tract: list[Formant] = [
        (first, 60.0, 1.0),
        (second, 80.0, 0.7),
        (2200.0, 180.0, 0.35),
        (3300.0, 250.0, 0.2),
    ]
    tone = voice(f0, tract, 0.0, 6000.0)
    shape = curve(size, [(0, 0), (0.1, 0.45), (0.35, 0.7), (0.55, 1), (0.85, 0.8), (1, 0)])
    return event(reverberated(tone * shape, rng, 0.7, params["field"], 2500.0), n, 0.02, 0.1)


def _bleat(params: Params, n: int, rng: Rng) -> FloatArray:
    """Bleat of 0.5–1.2 s: f0 near 200–450 Hz, trembling 7–14 times a second in pitch and level, bright."""
    size = samples(params["seconds"])
    tremble = np.sin(phase(params["tremble_hz"] * (1 + 0.1 * walk(size, rng, 3.0))))
    f0 = params["f0"] * curve(size, [(0, 0.9), (0.15, 1.05), (0.6, 1.0), (1, 0.85)])
    f0 = f0 * (1 + params["tremble"] * tremble) * jitter(size, rng, params["rough"])
    tract = params["size"] * np.array([700.0, 1500.0, 2600.0, 3700.0])
    formants = [
        (float(f), b, g) for f, b, g in zip(tract, (100, 130, 190, 280), (1, 0.8, 0.6, 0.3), strict=True)
    ]
    tone = voice(f0, formants, -2.0, 9000.0) * (1 + 0.4 * tremble) * roughness(size, rng, 90.0, 0.35)
    shape = curve(size, [(0, 0), (0.06, 0.8), (0.2, 1), (0.75, 0.8), (1, 0)])
    return event(reverberated(tone * shape, rng, 0.4, 0.15), n, 0.01, 0.08)


def _neigh(params: Params, n: int, rng: Rng) -> FloatArray:
    """Whinny of 1.3–2 s: a squeal of 1–1.7 kHz that sinks, shaken 9–13 times a second, ever more breath.

    Towards the end the folds fall into half the rate (Briefer et al. 2015: two fundamental frequencies).
    """
    size = samples(params["seconds"])
    shaken = curve(size, [(0, 0.1), (0.3, 0.3), (0.5, 0.8), (1, 1)])
    rate = params["shake_hz"] * curve(size, [(0, 1.1), (1, 0.85)]) * (1 + 0.2 * walk(size, rng, 4.0))
    shake = shaken * np.sin(phase(rate))
    fall = curve(size, [(0, 0.75), (0.1, 0.95), (0.3, 1.02), (0.55, 0.95), (0.8, 0.75), (1, 0.5)])
    f0 = params["f0"] * fall * (1 + 0.06 * shake) * jitter(size, rng, 0.03)
    tract = [(1500.0, 150.0, 1.0), (2000.0, 200.0, 0.6), (3100.0, 400.0, 0.4), (800.0, 150.0, 0.4)]
    call = unit(voice(f0, list(tract), 1.0, 8000.0))
    call += params["low"] * shaken * unit(voice(0.5 * f0, list(tract), 1.0, 7000.0))
    call += params["breath"] * (0.4 + 0.6 * shaken) * breath(0.25 * f0, rng, tract)
    shape = curve(size, [(0, 0), (0.08, 0.6), (0.22, 1), (0.6, 0.8), (0.8, 0.4), (1, 0)])
    far = reverberated(call * (1 + 0.4 * shake) * shape, rng, 0.5, 0.15)
    return event(on_location(far, rng, 0.004, LEAVES), n, 0.01, 0.1)


def _grunt(params: Params, n: int, rng: Rng) -> FloatArray:
    """Grunts of 0.12–0.3 s in a series: breath pulsed at 70–105 Hz through a snout of narrow formants."""
    count = int(rng.integers(4, 8))
    total = np.zeros(samples(count * 0.6 + 0.3))
    snout = [
        (hertz * params["size"], width, gain)
        for hertz, width, gain in ((260, 60, 1.0), (640, 90, 0.7), (1200, 120, 0.6), (2300, 250, 0.3))
    ]
    at = 0.0
    for _ in range(count):
        size = samples(rng.uniform(0.12, 0.3))
        f0 = params["f0"] * rng.uniform(0.9, 1.2) * curve(size, [(0, 0.8), (0.3, 1.15), (1, 0.8)])
        f0 = f0 * jitter(size, rng, 0.05)
        grunt = breath(f0, rng, snout, 4.0) + params["tone"] * unit(voice(f0, list(snout), 3.0, 4000.0))
        shape = curve(size, [(0, 0), (0.15, 1), (0.6, 0.8), (1, 0)])
        place(total, grunt * shape, samples(at), rng.uniform(0.4, 1))
        at += size / 48_000 + rng.uniform(0.05, 0.3)
    sty = reverberated(total[: samples(at + 0.2)], rng, 0.3, 0.15)
    return event(on_location(sty, rng, 0.004, LEAVES), n, 0.005, 0.05)


def _roar(params: Params, n: int, rng: Rng) -> FloatArray:
    """Roar or growl: heavy folds let breath through in rough pulses; a long throat; a second, shorter one."""
    parts: list[Signal] = []
    throat = [(230.0, 70.0, 1.0), (480.0, 90.0, 0.8), (1050.0, 150.0, 0.5), (2300.0, 300.0, 0.2)]
    for share in (1.0, 0.6):
        size = samples(params["seconds"] * share)
        f0 = params["f0"] * curve(size, [(0, 0.85), (0.2, 1.1), (0.5, 1.0), (1, 0.6)])
        f0 = f0 * jitter(size, rng, 0.04)
        call = breath(f0, rng, throat, 4.0) + params["tone"] * unit(voice(f0, list(throat), 3.0, 4000.0))
        shape = share * curve(size, [(0, 0), (0.1, 0.6), (0.25, 1), (0.6, 0.7), (1, 0)])
        parts += [call * shape, np.zeros(samples(0.2))]
    far = reverberated(np.concatenate(parts), rng, 0.8, 0.25, 2000.0)
    return event(on_location(far, rng, 0.004, LEAVES), n, 0.02, 0.2)


def _howl(params: Params, n: int, rng: Rng) -> FloatArray:
    """Howl: f0 leaps to 420–620 Hz, holds, breaks and sinks to half; few harmonics, the second strong."""
    size = samples(params["seconds"])
    leap = [(0, 0.6), (0.1, 0.85), (0.13, 1.0), (0.2, 1.05), (0.5, 1.0), (0.66, 0.92), (0.7, 0.8), (1, 0.55)]
    f0 = params["f0"] * curve(size, leap) * (1 + 0.012 * walk(size, rng, 3.0)) * jitter(size, rng, 0.006)
    phi, second = phase(f0), params["second"]
    harmonics = (1.0, second, 0.6 * second, 0.4 * second, 0.2 * second)
    tone = sum(gain * np.sin((k + 1) * phi) for k, gain in enumerate(harmonics))
    airy = resonated(band(size, rng, 200, 3000), [(params["f0"], 100.0, 1.0), (2 * params["f0"], 150.0, 0.6)])
    shape = curve(size, [(0, 0), (0.1, 0.6), (0.22, 1), (0.55, 0.9), (0.7, 0.4), (1, 0)])
    call = np.concatenate([(tone + 0.05 * unit(airy)) * shape, np.zeros(samples(0.6))])
    valley = reverberated(call, rng, 1.4, params["valley"], 2500.0)
    return event(on_location(valley, rng, 0.003, LEAVES), n, 0.05, 0.5)


def _hooves(params: Params, n: int, rng: Rng) -> FloatArray:
    """Walk on a road, four beats a stride: each hoof a hollow clop near 1 kHz, a thud, and grit under it."""
    strides = round(params["strides"])
    total = np.zeros(samples(strides / params["rate"] + 0.5))
    size, ratio = samples(0.16), np.array([1, 1.3, 1.7, 2.4])
    grains = [(300, -8), (900, 0), (2000, -6), (6000, -26)]
    clops = []
    for _ in range(4):
        hertz = params["hollow"] * rng.uniform(0.8, 1.2) * ratio
        seconds = params["ring"] * np.array([0.035, 0.03, 0.028, 0.02])
        cup = faded(modes(size, hertz, seconds, np.array([1, 0.8, 0.6, 0.4]), rng), 0.001, 0.02)
        thud = band(size, rng, 70, 300, 9.0) * decay(size, 0.1, 0.006)
        grit = shaped(size, rng, grains) * decay(size, 0.1, 0.01)
        clops.append(unit(cup) + params["thud"] * unit(thud) + 0.4 * unit(grit))
    for stride in range(strides):
        for hoof, beat in enumerate((0.0, 0.25 - params["lilt"], 0.5, 0.75 - params["lilt"])):
            at = (stride + beat + rng.normal(0, 0.013)) / params["rate"]
            place(total, clops[hoof], samples(max(0.0, at)), rng.uniform(0.5, 1.0))
    road = reverberated(total, rng, 0.5, params["street"], 4000.0)
    return event(on_location(road, rng, 0.09), n, 0.001, 0.1)


def _trumpeting(params: Params, n: int, rng: Rng) -> FloatArray:
    """Elephant: a blast of 0.8–1.8 s through the trunk, f0 300–550 Hz with a hoarse, brassy, rising start."""
    size = samples(params["seconds"])
    f0 = params["f0"] * curve(size, [(0, 0.6), (0.15, 1.0), (0.5, 1.1), (0.8, 0.95), (1, 0.6)])
    f0 = f0 * (1 + 0.02 * walk(size, rng, 9.0)) * jitter(size, rng, params["rough"])
    formants = [(700.0, 200.0, 1.0), (1500.0, 300.0, 0.9), (2700.0, 500.0, 0.7), (4200.0, 800.0, 0.4)]
    tone = voice(f0, formants, -2.0, 9000.0) * roughness(size, rng, 70.0, 0.4)
    tone = unit(tone) + 0.15 * band(size, rng, 500, 5000, 6.0)
    shape = curve(size, [(0, 0), (0.08, 0.8), (0.3, 1), (0.8, 0.8), (1, 0)])
    return event(reverberated(tone * shape, rng, 1.2, 0.4, 3000.0), n, 0.01, 0.2)


MODELS = (
    SoundModel(
        "mammal.dog",
        "dog_bark",
        "event",
        "Source and filter: f0 jumps up and falls within 0.2 s, chaotic folds, jaw opening moves the "
        "formants (Riede & Fitch 1999).",
        drawn(
            f0=(500, 1000),
            seconds=(0.11, 0.2),
            gap=(0.12, 0.5),
            size=(0.8, 1.3),
            rough=(0.05, 0.12),
            breath=(0.0, 0.1),
            barks=(0.6, 4.4),
            yard=(0.3, 0.8),
        ),
        _dog,
        (0.3, 1.5),
    ),
    SoundModel(
        "mammal.cat",
        "cat_meow",
        "event",
        "Source and filter: f0 arches over 550–850 Hz while the mouth opens and shuts, [m–i–a–u] "
        "(Nicastro 2004).",
        drawn(f0=(550, 850), seconds=(0.5, 1.1), size=(0.9, 1.15), rough=(0.008, 0.025), breath=(0.08, 0.2)),
        _cat,
        (0.6, 2.5),
    ),
    SoundModel(
        "mammal.cow",
        "cow_moo",
        "event",
        "Source and filter: f0 90–180 Hz rising as the mouth opens; nasal hum first, then wide formants "
        "(Padilla de la Torre 2015).",
        drawn(f0=(95, 175), seconds=(1.1, 2.2), rough=(0.003, 0.012), field=(0.05, 0.25)),
        _cow,
        (0.8, 3.0),
    ),
    SoundModel(
        "mammal.sheep",
        "sheep_bleat",
        "event",
        "Source and filter: f0 190–330 Hz with a laryngeal tremor of 7–10 Hz in pitch and level.",
        drawn(
            f0=(190, 330),
            seconds=(0.6, 1.2),
            tremble_hz=(7, 10),
            tremble=(0.02, 0.06),
            size=(0.85, 1.1),
            rough=(0.01, 0.04),
        ),
        _bleat,
        (0.5, 2.0),
    ),
    SoundModel(
        "mammal.goat",
        "goat_bleat",
        "event",
        "Source and filter: f0 280–460 Hz with a tremor of 9–14 Hz, a shorter tract than a sheep's "
        "(Briefer & McElligott 2011).",
        drawn(
            f0=(280, 460),
            seconds=(0.5, 1.0),
            tremble_hz=(9, 14),
            tremble=(0.03, 0.08),
            size=(1.0, 1.3),
            rough=(0.01, 0.04),
        ),
        _bleat,
        (0.5, 2.0),
    ),
    SoundModel(
        "mammal.horse",
        "horse_neigh",
        "event",
        "Two fundamentals: a squeal above 1 kHz and half of it, shaken 9–13 times a second (Briefer et "
        "al. 2015).",
        drawn(f0=(1000, 1700), seconds=(1.3, 2.0), shake_hz=(9, 13), low=(0.2, 0.6), breath=(0.8, 1.2)),
        _neigh,
        (1.0, 3.0),
    ),
    SoundModel(
        "mammal.pig",
        "pig_grunt",
        "event",
        "Breath let through by slow folds, 70–105 pulses a second, into a snout of narrow formants "
        "(Tallet et al. 2013).",
        drawn(f0=(70, 105), size=(0.85, 1.15), tone=(0.2, 0.7)),
        _grunt,
        (0.3, 1.2),
    ),
    SoundModel(
        "mammal.lion",
        "lion_roar",
        "event",
        "Square, flat folds pulse at 40–200 Hz with high airflow; rough, low formants of a long tract "
        "(Titze et al. 2011).",
        drawn(f0=(140, 210), seconds=(0.9, 1.8), tone=(0.2, 0.7)),
        _roar,
        (0.4, 2.0),
    ),
    SoundModel(
        "mammal.wolf",
        "wolf_howl",
        "event",
        "Few harmonics of f0 420–620 Hz: a leap, a long hold, a break and a fall (Theberge & Falls 1967).",
        drawn(f0=(420, 620), seconds=(1.4, 2.4), second=(0.35, 0.5), valley=(0.2, 0.5)),
        _howl,
        (0.4, 1.5),
    ),
    SoundModel(
        "mammal.bear",
        "bear_growl",
        "event",
        "Slow heavy folds let breath through in rough pulses of 45–75 Hz, formants of a long tract.",
        drawn(f0=(45, 75), seconds=(0.7, 1.3), tone=(0.2, 0.6)),
        _roar,
        (0.4, 2.0),
    ),
    SoundModel(
        "mammal.elephant",
        "elephant_trumpet",
        "event",
        "Breath forced through a 2–3 m trunk: f0 300–550 Hz, brassy and hoarse (Soltis 2010).",
        drawn(f0=(320, 540), seconds=(0.8, 1.8), rough=(0.02, 0.06)),
        _trumpeting,
        (0.6, 2.5),
    ),
    SoundModel(
        "mammal.hooves",
        "horse_hooves",
        "event",
        "Four beats a stride at a walk; each hoof a hollow cup mode near 1 kHz, ground thud and grit.",
        drawn(
            strides=(4.6, 8.0),
            rate=(0.9, 1.3),
            lilt=(0.0, 0.03),
            hollow=(650, 1100),
            ring=(1.0, 1.6),
            thud=(0.2, 0.6),
            street=(0.2, 0.5),
        ),
        _hooves,
        (0.1, 0.4),
    ),
)
