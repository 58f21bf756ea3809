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
    drawn,
    event,
    jitter,
    on_location,
    phase,
    place,
    resonated,
    reverberated,
    roughness,
    samples,
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


def _growl(params: Params, n: int, rng: Rng) -> FloatArray:
    """Growl: heavy folds let breath through in rough pulses; a long throat; a second, shorter one."""
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
        "mammal.bear",
        "bear_growl",
        "event",
        "Slow heavy folds let breath through in rough pulses of 45–75 Hz, formants of a long tract.",
        drawn(f0=(45, 75), seconds=(0.7, 1.3), tone=(0.2, 0.6)),
        _growl,
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
)
