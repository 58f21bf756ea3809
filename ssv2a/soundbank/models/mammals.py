"""Mammals: a glottal source with its own pitch contour and roughness, through vocal-tract formants."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import PchipInterpolator

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
    filtered,
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
from ssv2a.types import SAMPLE_RATE, FloatArray


def smooth_curve(n: int, points: list[tuple[float, float]]) -> Signal:
    """Curve [n] through (position 0..1, value) points, monotone and without corners between them."""
    positions, values = zip(*points, strict=True)
    smooth = PchipInterpolator(positions, values)(np.linspace(0, 1, n))
    return np.asarray(smooth, dtype=np.float64)


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
        at += bark.size / SAMPLE_RATE + params["gap"] * rng.uniform(0.7, 1.3)
    return event(reverberated(total[: samples(at + 0.25)], rng, 0.4, params["yard"], 3000.0), n, 0.002, 0.15)


def meow(f0: float, seconds: float, size: float, plaintive: float, air: float, rng: Rng) -> Signal:
    """One meow [n], unit RMS at its loudest or so: a shut nose's hum that opens to [a] and rounds to [u].

    A tract of 7–8 cm has its quarter wave at 1.1 kHz; the open jaw flares it and lifts that to 1.9 kHz.
    Contours after Nicastro (2004) and Schötz, van de Weijer and Eklund (2019). Nothing trembles: a tremor
    would make a bleat or an infant of it.

    Args:
        f0: highest pitch in Hz; it starts near 0.75 of it.
        seconds: length.
        size: scales the formants; above 1 for a small cat.
        plaintive: 0 falls at the end, 1 rises again.
        air: breath beside the tone.
        rng: draws the rest.
    """
    n, crest = samples(seconds), rng.uniform(0.25, 0.45)
    end = 0.66 + 0.3 * plaintive
    path = [(0, 0.75), (0.08, 0.83), (crest, 1.0), (crest + 0.2, 0.97), (0.85, 0.84), (1, end)]
    pitch = f0 * smooth_curve(n, path) * (1 + 0.006 * walk(n, rng, 4.0)) * jitter(n, rng, 0.018)
    shut = smooth_curve(n, [(0, 1), (0.07, 1), (0.22, 0.1), (crest, 0), (1, 0)])
    first = size * smooth_curve(
        n, [(0, 800), (0.2, 1300), (crest + 0.1, 1950), (0.6, 1800), (0.9, 1150), (1, 950)]
    )
    second = size * smooth_curve(n, [(0, 2500), (0.15, 2900), (crest, 3450), (0.6, 3200), (1, 2300)])
    mouth: list[Formant] = [
        (first, 240.0, 1.0),
        (second, 300.0, 0.9),
        (5600.0 * size, 600.0, 0.4),
    ]
    hum: list[Formant] = [(300.0, 120.0, 1.0), (1100.0, 250.0, 0.12), (2400.0, 400.0, 0.05)]
    tone = unit(voice(pitch, mouth, -4.0, 11_000.0)) * (1 - shut) + 0.5 * shut * unit(voice(pitch, hum, 4.0))
    hiss = resonated(band(n, rng, 800, 7000, 6.0), [(1700, 700, 1.0), (3300, 900, 0.8), (5600, 1500, 0.4)])
    tone = tone + air * unit(hiss) * (1 - shut)
    swell = [(0, 0), (0.08, 0.25), (0.2, 0.6), (crest, 1), (0.6, 0.85), (0.82, 0.4), (0.94, 0.12), (1, 0)]
    return np.asarray(tone * smooth_curve(n, swell))


def _trill(f0: float, rng: Rng) -> Signal:
    """The [mrr] before a meow: mouth shut, the folds' tone rolled 20–25 times a second, rising."""
    n = samples(rng.uniform(0.16, 0.26))
    pitch = f0 * curve(n, [(0, 0.55), (1, 0.75)]) * jitter(n, rng, 0.01)
    roll = (0.5 + 0.5 * np.sin(phase(np.full(n, rng.uniform(20, 25))))) ** 1.5
    hum: list[Formant] = [(350.0, 150.0, 1.0), (1200.0, 250.0, 0.3), (2500.0, 400.0, 0.12)]
    return (
        0.35
        * unit(voice(pitch, hum, 2.0, 6000.0))
        * (0.15 + roll)
        * curve(n, [(0, 0), (0.2, 1), (0.8, 0.7), (1, 0)])
    )


def _cat(params: Params, n: int, rng: Rng) -> FloatArray:
    """Meow of 0.5–1.1 s: f0 rises to 650–880 Hz and falls; [m] opens to [ea], rounds to [ow]; no tremor."""
    seconds, parts = params["seconds"], []
    if params["trill"] > 0.75:
        parts.append(_trill(params["f0"], rng))
        seconds = 0.75 * seconds
    plaintive = max(0.0, 2 * params["plaintive"] - 1)
    parts.append(meow(params["f0"], seconds, params["size"], plaintive, params["breath"], rng))
    whole = np.concatenate([*parts, np.zeros(samples(0.06))])
    return event(reverberated(whole, rng, 0.3, 0.12, 5000.0), n, 0.02, 0.05)


def moo(f0: float, seconds: float, size: float, crack: float, rng: Rng) -> Signal:
    """One moo [n]: a shut hum climbs for a third of its time, the mouth opens, the call holds and stops.

    A tract of 40 cm gives a formant about every 430 Hz up to 3 kHz, beyond which little is left
    (Padilla de la Torre et al. 2015; Taylor & Reby 2010).

    Args:
        f0: pitch in Hz that the open call holds; it starts near half of it.
        seconds: length.
        size: scales the formants; below 1 for a large animal.
        crack: how much higher, as a share, the pitch breaks near the end; 0 for not at all.
        rng: draws the rest.
    """
    n, opens = samples(seconds), rng.uniform(0.22, 0.4)
    path = [(0, 0.55), (0.5 * opens, 0.68), (opens + 0.1, 0.96), (0.65, 1.0), (0.93, 0.98), (1, 0.86)]
    higher = 1 + crack * smooth_curve(n, [(0, 0), (0.7, 0), (0.73, 1), (0.92, 1), (1, 0.6)])
    pitch = f0 * smooth_curve(n, path) * higher * (1 + 0.006 * walk(n, rng, 3.0)) * jitter(n, rng, 0.006)
    gape = smooth_curve(n, [(0, 0), (0.6 * opens, 0.1), (opens + 0.12, 1), (0.9, 0.95), (1, 0.3)])
    spaced = size * np.array([620.0, 1130.0, 1500.0, 1950.0, 2330.0, 2750.0])
    gains = np.array([1.0, 0.45, 0.4, 0.4, 0.45, 0.25]) * rng.uniform(0.7, 1.3, 6)
    mouth: list[Formant] = [(size * (240 + 60 * gape), 120.0, 0.2)]
    mouth += [(f * (0.88 + 0.12 * gape), 30.0 + 0.015 * f, g) for f, g in zip(spaced, gains, strict=True)]
    hum: list[Formant] = [(230.0, 90.0, 1.0), (900.0, 150.0, 0.06), (2300.0, 300.0, 0.05)]
    rough = 1 - 0.5 * (1 - gape) * (0.5 + 0.5 * np.cos(0.5 * phase(pitch))) * walk(n, rng, 20.0, 0.3, 1.0)
    call = filtered(unit(voice(pitch, mouth, 1.0, 7000.0)), [(2900, 0), (3500, -16), (6000, -24)])
    call = call * gape + 0.6 * (1 - gape) * unit(voice(pitch, hum, 3.0, 4000.0))
    puffs = [(640.0 * size, 150.0, 0.7), (1500.0 * size, 250.0, 0.6), (2500.0 * size, 350.0, 0.8)]
    call = call * rough + (0.02 + 0.03 * (1 - gape)) * breath(pitch, rng, puffs, 1.0)
    swell = [(0, 0), (0.08, 0.2), (opens, 0.5), (0.5, 0.85), (0.8, 1), (0.93, 0.85), (1, 0)]
    return np.asarray(call * smooth_curve(n, swell))


def _cow(params: Params, n: int, rng: Rng) -> FloatArray:
    """Moo of 1.2–2.2 s: f0 climbs to 140–220 Hz, a shut hum opens into close formants up to 3 kHz."""
    crack = rng.uniform(0.15, 0.4) if params["crack"] > 0.75 and params["f0"] < 160 else 0.0
    call = moo(params["f0"], params["seconds"], params["size"], crack, rng)
    field = reverberated(np.concatenate([call, np.zeros(samples(0.08))]), rng, 0.6, params["field"], 2500.0)
    return event(field, n, 0.02, 0.1)


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
        at += size / SAMPLE_RATE + rng.uniform(0.05, 0.3)
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
        "Source and filter: f0 rises to 650–880 Hz and falls, steady; the mouth opens and rounds, [m–ea–ow] "
        "(Nicastro 2004).",
        drawn(
            f0=(650, 880),
            seconds=(0.55, 1.1),
            size=(0.92, 1.12),
            breath=(0.06, 0.16),
            plaintive=(0, 1),
            trill=(0, 1),
        ),
        _cat,
        (0.6, 2.5),
    ),
    SoundModel(
        "mammal.cow",
        "cow_moo",
        "event",
        "Source and filter: f0 climbs to 140–220 Hz as a nasal hum opens; formants every 430 Hz up to 3 kHz "
        "(Padilla de la Torre 2015).",
        drawn(f0=(140, 222), seconds=(1.2, 2.1), size=(0.88, 1.12), crack=(0, 1), field=(0.05, 0.2)),
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
)
