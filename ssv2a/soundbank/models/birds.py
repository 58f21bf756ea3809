"""Birds: whistles of the syrinx by pitch contours, harsh calls by a rough source through formants."""

from __future__ import annotations

import numpy as np

from ssv2a.soundbank.dsp import (
    LEAVES,
    Rng,
    Signal,
    band,
    blow,
    breath,
    convolved,
    crossings,
    curve,
    decay,
    drawn,
    event,
    impulses,
    jitter,
    on_location,
    phase,
    place,
    resonated,
    reverberated,
    roughness,
    samples,
    shaped,
    texture,
    unit,
    voice,
    walk,
)
from ssv2a.soundbank.model import Params, SoundModel
from ssv2a.types import SAMPLE_RATE, FloatArray


def _note(rng: Rng, centre: float) -> Signal:
    """One syllable: a sweep, an arch, a trill or a buzz around a centre in Hz, nearly sinusoidal."""
    size = samples(rng.uniform(0.04, 0.2))
    shape = rng.integers(4)
    ends = centre * rng.uniform(0.7, 1.35, 3)
    pitch = curve(size, [(0, ends[0]), (0.5, ends[1]), (1, ends[2])])
    if shape == 1:
        pitch = pitch * (1 + rng.uniform(0.03, 0.12) * np.sin(phase(np.full(size, rng.uniform(20, 60)))))
    if shape == 2:
        pitch = curve(size, [(0, 1.5 * centre), (0.3, centre), (1, 0.85 * centre)])
    phi = phase(pitch)
    tone = np.sin(phi) + rng.uniform(0.0, 0.15) * np.sin(2 * phi)
    if shape == 3:
        tone *= 0.6 + 0.4 * np.sin(phase(np.full(size, rng.uniform(60, 140))))
    return np.asarray(tone * np.sin(np.pi * np.linspace(0, 1, size)) ** 0.7)


def _motif(rng: Rng, centre: float) -> Signal:
    """A phrase of one to three kinds of syllables, each repeated, as most songbirds build them."""
    parts: list[Signal] = []
    for _ in range(int(rng.integers(1, 4))):
        note, gap = _note(rng, centre * rng.uniform(0.75, 1.3)), np.zeros(samples(rng.uniform(0.02, 0.12)))
        parts += [note, gap] * int(rng.integers(1, 7))
    return np.concatenate(parts)


def _song(params: Params, n: int, rng: Rng) -> FloatArray:
    """Several birds, each with a repertoire of motifs at a pitch of its own, near and far among trees."""
    lead = samples(1.5)
    ears = np.zeros((2, n + lead))
    for _ in range(round(params["birds"])):
        centre, pan = rng.uniform(2300, 5600), rng.uniform(0.1, 0.9)
        repertoire = [_motif(rng, centre) for _ in range(int(rng.integers(2, 5)))]
        level, at = rng.uniform(0.15, 1.0), rng.uniform(-2.0, 1.0)
        while at < (n + lead) / SAMPLE_RATE:
            motif = repertoire[int(rng.integers(len(repertoire)))]
            for ear, share in zip(ears, (1 - pan, pan), strict=True):
                place(ear, motif, int(at * SAMPLE_RATE), level * share)
            at += motif.size / SAMPLE_RATE + rng.uniform(0.3, params["rest"])
    for ear in ears:
        ear[:] = reverberated(ear, rng, 1.2, params["wood"], 8000.0)
    ears += 0.01 * band(n + lead, rng, 200, 2500, 6.0)
    return texture(ears[:, lead:])


def _harsh(
    params: Params, rng: Rng, contour: list[tuple[float, float]], formants: list[tuple[float, float, float]]
) -> Signal:
    """One harsh call: a source of wandering period and breath, by a pitch contour, through formants."""
    size = samples(params["seconds"] * rng.uniform(0.85, 1.15))
    wander = walk(size, rng, 35.0) + walk(size, rng, 130.0) + walk(size, rng, 400.0)
    f0 = params["f0"] * rng.uniform(0.95, 1.05) * curve(size, contour) * (1 + params["rough"] * wander)
    tone = voice(f0, list(formants), -2.0, 9000.0)
    tone = unit(tone) + params["breath"] * band(size, rng, 600, 5000, 6.0)
    return tone * curve(size, [(0, 0), (0.08, 0.9), (0.3, 1), (0.8, 0.7), (1, 0)])


def _series(calls: list[Signal], gap: float, rng: Rng, tail: float = 0.3) -> Signal:
    """Calls one after another with silences of about `gap` seconds."""
    parts: list[Signal] = []
    for call in calls:
        parts += [call * rng.uniform(0.75, 1.0), np.zeros(samples(gap * rng.uniform(0.8, 1.25)))]
    return np.concatenate([*parts, np.zeros(samples(tail))])


def _duck(params: Params, n: int, rng: Rng) -> FloatArray:
    """Quacks of 0.12–0.22 s: a nasal reed of 180–280 Hz, loud at 1–3 kHz, in a falling series."""
    arch = [(0.0, 0.95), (0.3, 1.05), (1.0, 0.85)]
    formants = [(1200.0, 150.0, 0.9), (2000.0, 200.0, 1.0), (3200.0, 350.0, 0.7)]
    count = round(params["calls"])
    calls = [_harsh(params, rng, arch, formants) * 0.93**i for i in range(count)]
    return event(reverberated(_series(calls, params["gap"], rng, 0.2), rng, 0.4, 0.12), n, 0.004, 0.08)


def honk(f0: float, seconds: float, rng: Rng) -> Signal:
    """One goose's honk [n], unit RMS: a low grunt that breaks up to a brassy note, then sinks and cracks.

    The windpipe, closed at the syrinx and open at the beak, favours odd multiples of its quarter wave
    (Fletcher & Tarnopolsky 1999).

    Args:
        f0: fundamental of the high note in Hz; the low one is near 0.7 of it.
        seconds: length of both.
        rng: draws break, unevenness and windpipe.
    """
    size = samples(seconds)
    ahead, low = rng.uniform(0.15, 0.35), rng.uniform(0.62, 0.78)
    path = [
        (0, 0.85 * low),
        (ahead - 0.02, low),
        (ahead, 0.92),
        (ahead + 0.12, 1.03),
        (0.75, 0.98),
        (1, 0.92),
    ]
    pitch = f0 * curve(size, path) * jitter(size, rng, rng.uniform(0.025, 0.05))
    times = crossings(phase(pitch) / (2 * np.pi))
    crack = np.interp(times / size, [0, ahead, ahead + 0.1, 0.75, 1], [0.5, 0.7, 0.15, 0.15, 0.7])
    skips = np.arange(times.size) % 2 * rng.uniform(0.3, 0.8)  # the syrinx falls into half its rate
    train = impulses(size, times, (1 - crack * skips) * rng.uniform(0.75, 1.0, times.size))
    reed = unit(convolved(train, blow(0.0003))) + 0.1 * band(size, rng, 500, 5000, 6.0)
    quarter, gains = rng.uniform(370, 450), (0.1, 0.9, 1.0, 0.7, 0.5, 0.3)
    windpipe = [((2 * k + 1) * quarter, 75.0 + 30.0 * k, gain) for k, gain in enumerate(gains)]
    shut = [(0.8 * hertz, width, gain * 0.7**k) for k, (hertz, width, gain) in enumerate(windpipe)]
    beak = curve(size, [(0, 0.2), (ahead, 0.4), (ahead + 0.15, 1), (0.7, 0.8), (1, 0.1)])
    brass = unit(resonated(reed, windpipe)) * beak + unit(resonated(reed, shut)) * (1 - beak)
    shape = curve(
        size, [(0, 0), (0.05, 0.5), (ahead, 0.6), (ahead + 0.05, 1), (0.7, 0.8), (0.88, 0.3), (1, 0)]
    )
    return unit(brass * shape)


def _goose(params: Params, n: int, rng: Rng) -> FloatArray:
    """Honks of 0.15–0.35 s that break upwards by a fifth or so, 260–370 Hz: one goose, a pair or a flock."""
    geese = round(params["geese"])
    total = np.zeros(samples(params["seconds"] + 1.2))
    for bird in range(geese):
        f0 = params["f0"] * (1.0 if bird == 0 else rng.uniform(0.75, 1.3))
        level = 1.0 if bird == 0 else rng.uniform(0.2, 0.7)
        at = 0.0 if bird == 0 else rng.uniform(0.1, 1.0)
        while at < params["seconds"]:
            call = honk(f0 * rng.uniform(0.95, 1.05), params["length"] * rng.uniform(0.8, 1.2), rng)
            place(total, call, samples(at), level * rng.uniform(0.7, 1.0))
            at += call.size / SAMPLE_RATE + params["gap"] * geese**0.7 * rng.uniform(0.6, 1.6)
    pond = reverberated(total, rng, 0.7, params["pond"], 4000.0)
    return event(on_location(pond, rng, 0.006, LEAVES), n, 0.005, 0.2)


def _owl(params: Params, n: int, rng: Rng) -> FloatArray:
    """Hoots of 0.16–0.42 s in an owl's rhythm: nearly pure tones of 330–410 Hz that slur up and sink."""
    total, hertz = np.zeros(samples(3.2)), params["f0"]
    for at, seconds, level in (
        (0.1, 0.3, 0.7),
        (0.62, 0.16, 0.5),
        (0.85, 0.42, 1.0),
        (1.55, 0.36, 0.8),
        (2.2, 0.38, 0.7),
    ):
        size = samples(seconds * rng.uniform(0.9, 1.1))
        slur = curve(size, [(0, 0.75), (0.12, 0.95), (0.4, 1.03), (0.75, 1.0), (1, 0.88)])
        f0 = hertz * slur * jitter(size, rng, 0.006)
        phi, second = phase(f0), params["second"]
        tone = np.sin(phi) + second * (np.sin(2 * phi) + 0.7 * np.sin(3 * phi) + 0.3 * np.sin(4 * phi))
        air = resonated(band(size, rng, 200, 1500), [(hertz, 90.0, 1.0), (2 * hertz, 150.0, 0.4)])
        tone += 0.06 * unit(air)
        place(
            total, tone * curve(size, [(0, 0), (0.12, 0.8), (0.4, 1), (0.7, 0.7), (1, 0)]), samples(at), level
        )
    wood = reverberated(total, rng, 1.0, params["wood"], 2000.0)
    return event(on_location(wood, rng, 0.004, LEAVES), n, 0.02, 0.4)


COOS = (
    (
        (0.0, 0.26, 0.45, 0.4, 0.76, 0.84),
        (0.32, 0.6, 0.85, 0.7, 0.8, 1.05),
        (0.96, 0.4, 1.0, 0.3, 1.24, 1.02),
        (1.42, 0.11, 0.4, 0.0, 0.95, 1.0),
        (1.56, 0.44, 0.8, 0.4, 1.12, 0.85),
    ),
    (
        (0.0, 0.36, 0.8, 0.3, 1.16, 1.1),
        (0.44, 0.66, 1.0, 0.4, 1.26, 1.18),
        (1.2, 0.46, 0.9, 0.4, 1.18, 1.08),
        (1.76, 0.2, 0.55, 0.2, 1.1, 1.06),
        (2.04, 0.4, 0.75, 0.3, 1.16, 1.05),
    ),
    (
        (0.0, 0.3, 0.75, 0.3, 1.26, 1.32),
        (0.4, 0.56, 1.0, 0.45, 1.42, 1.36),
        (1.08, 0.3, 0.65, 0.2, 1.32, 1.22),
    ),
)
"""Phrases of rock dove, wood pigeon, collared dove; coos: start, length in s, level, roll, pitch, end."""


def coo(f0: float, seconds: float, roll: float, roll_hz: float, end: float, rng: Rng) -> Signal:
    """One coo [n] of unit peak or so: a nearly pure hum, closed beak, the gullet a band-pass at f0.

    Trachea and inflated gullet leave the second harmonic 34 dB and the third 46 dB below the first
    (Fletcher et al. 2004). Fast syrinx muscles chop the roll: level and, a little, pitch (Elemans 2004).

    Args:
        f0: Hz.
        seconds: length.
        roll: how deeply the syrinx muscles trill it, 0 to 1.
        roll_hz: trills a second.
        end: Hz towards which it glides.
        rng: draws unevenness.
    """
    size = samples(seconds)
    trill = 0.5 + 0.5 * np.sin(phase(roll_hz * (1 + 0.12 * walk(size, rng, 8.0))))
    goal = end / f0
    bend = [(0, 0.74), (0.12, 0.94), (0.45, 0.5 + 0.54 * goal), (0.8, goal), (1, 0.82 * goal)]
    pitch = f0 * curve(size, bend) * (1 + 0.07 * roll * (trill - 0.5)) * (1 + 0.015 * walk(size, rng, 9.0))
    turns = phase(pitch * jitter(size, rng, 0.006))
    tone = sum(gain * np.sin((k + 1) * turns) for k, gain in enumerate((1.0, 0.02, 0.005, 0.001)))
    air = unit(resonated(band(size, rng, 200, 1500, 9.0), [(f0, 160, 1.0), (2.1 * f0, 300, 0.3)]))
    shape = curve(size, [(0, 0), (0.12, 0.55), (0.4, 1), (0.72, 0.8), (0.9, 0.35), (1, 0)])
    rolled = (tone * roughness(size, rng, 40.0, 0.1) + 0.015 * air) * (1 - 0.95 * roll * (1 - trill**1.5))
    return np.asarray(rolled * shape)


def flutter(beats: int, rate: float, rng: Rng) -> Signal:
    """A pigeon takes off [n]: wings clap over its back, then each beat pushes air, `rate` a second."""
    total = np.zeros(samples((beats + 1) / rate))
    for index in range(beats):
        size = samples(0.7 / rate)
        push = shaped(size, rng, [(100, -6), (300, 0), (1500, -5), (5000, -16), (12_000, -34)])
        down = push * curve(size, [(0, 0), (0.25, 1), (0.5, 0.35), (1, 0)])
        snap = shaped(size, rng, [(200, -10), (700, 0), (2500, -3), (9000, -22)]) * decay(size, 0.05, 0.002)
        at = samples(index / rate * rng.uniform(0.97, 1.03))
        place(total, down + 1.5 * snap * 0.6**index, at, (1 - 0.6 * index / beats) * rng.uniform(0.8, 1.0))
    return total


def _pigeon(params: Params, n: int, rng: Rng) -> FloatArray:
    """Phrases of coos at 300–680 Hz, rolled 17–28 times a second in a rock dove; one to three birds."""
    kind = int(np.searchsorted((0.45, 0.72), params["dove"]))
    phrase, pace = COOS[kind], params["pace"]
    bar = pace * (phrase[-1][0] + phrase[-1][1]) + params["rest"]
    whole = samples(round(params["phrases"]) * bar)
    total = np.zeros(whole + samples(1.3 if params["leave"] > 0.75 else 0.3))
    for bird in range(round(params["birds"])):
        near, own = (1.0, 1.0) if bird == 0 else (rng.uniform(0.12, 0.4), rng.uniform(0.88, 1.12))
        late = 0.0 if bird == 0 else rng.uniform(0.3, 0.9) * bar  # it ends before the first one does
        for index in range(round(params["phrases"]) - (bird > 0)):
            for start, seconds, level, roll, pitch, end in phrase:
                length = pace * seconds * rng.uniform(0.95, 1.05)
                f0, goal = own * params["f0"] * pitch, own * params["f0"] * end
                note = coo(f0, length, roll, params["roll_hz"] * own, goal, rng)
                at = samples(late + index * bar + pace * start)
                place(total, note, at, near * level * rng.uniform(0.88, 1.0))
    if params["leave"] > 0.75:
        wings = flutter(int(rng.integers(5, 10)), rng.uniform(7.0, 9.5), rng)
        place(total, wings, whole, 0.12)
    ledge = reverberated(total, rng, params["hall"], params["wall"], 2500.0)
    return event(on_location(ledge, rng, 0.008), n, 0.02, 0.1)


def _rooster(params: Params, n: int, rng: Rng) -> FloatArray:
    """Cock-a-doodle-doo: a harsh short note, then notes on a plateau, tied by breaks to a lower register."""
    short, rest = samples(rng.uniform(0.13, 0.19)), samples(params["seconds"])
    gap, low = samples(rng.uniform(0.14, 0.24)), params["low"]
    pitch = [(0, 0.93), (0.02, 1), (0.065, 1), (0.07, low), (0.09, low), (0.095, 1), (0.28, 0.985)]
    pitch += [(0.3, low), (0.37, low), (0.4, 0.91), (0.43, 0.84), (0.46, 0.96), (0.6, 0.945), (0.81, 0.89)]
    pitch += [(0.84, low), (0.94, 0.97 * low), (1, 0.8 * low)]
    loudness = [(0, 0), (0.02, 0.9), (0.065, 0.8), (0.08, 0.4), (0.1, 0.8), (0.2, 1), (0.28, 0.9)]
    loudness += [
        (0.32, 0.2),
        (0.37, 0.06),
        (0.4, 0.4),
        (0.43, 1),
        (0.82, 0.8),
        (0.85, 0.8),
        (0.95, 0.9),
        (1, 0),
    ]
    beak = curve(
        rest, [(0, 0), (0.4, 0.2), (0.46, 1), (0.82, 1), (0.85, 0.1), (1, 0)]
    )  # opens: the second gains
    gains = (1.0, 10 ** (params["second"] * beak / 20), 0.09, 0.065, 0.016, 0.003)
    total = np.zeros(short + gap + rest)
    first = low * curve(short, [(0, 1.05), (0.3, 1.02), (1, 0.96)])
    harsh = (1.0, 1.2, 0.7, 0.7, 0.12, 0.07)
    for at, f0, own, shape in (
        (0, first, harsh, curve(short, [(0, 0), (0.1, 0.8), (0.7, 0.6), (1, 0)])),
        (short + gap, curve(rest, pitch), gains, curve(rest, loudness)),
    ):
        phi = phase(params["f0"] * f0 * jitter(f0.size, rng, params["jitter"]))
        call = sum(gain * np.sin((k + 1) * phi) for k, gain in enumerate(own))
        rasp = resonated(band(f0.size, rng, 700, 6000, 6.0), [(1600, 400, 1.0), (3200, 900, 0.5)])
        call = call * roughness(f0.size, rng, 60.0, 0.7) + 0.05 * unit(rasp)
        place(total, call * shape, at)
    return event(on_location(reverberated(total, rng, 0.5, 0.12, 5000.0), rng, 0.008, LEAVES), n, 0.01, 0.2)


def _chicken(params: Params, n: int, rng: Rng) -> FloatArray:
    """Clucks of 70–120 ms, half breath, loud at 2 and 4 f0, in an uneven series that may end in a cackle."""
    mouth, count = params["mouth"], round(params["calls"])
    tract = [(mouth, 250.0, 1.0), (2 * mouth, 400.0, 0.8), (3 * mouth, 550.0, 0.3)]
    parts: list[Signal] = []
    for index in range(count):
        cackle = index == count - 1 and params["cackle"] > 0.4
        size = samples(rng.uniform(0.3, 0.5) if cackle else rng.uniform(0.07, 0.12))
        arch = [(0, 0.8), (0.3, 1.3), (0.8, 1.2), (1, 0.9)] if cackle else [(0, 0.9), (0.3, 1.03), (1, 0.93)]
        f0 = params["f0"] * rng.uniform(0.95, 1.1) * curve(size, arch) * jitter(size, rng, 0.02)
        call = unit(voice(f0, list(tract), 0.0, 9000.0)) + 0.5 * breath(f0, rng, tract, 0.0)
        call = call * curve(size, [(0, 0), (0.1, 1), (0.5, 0.8), (1, 0)])
        parts += [call * rng.uniform(0.5, 1.0), np.zeros(samples(rng.uniform(0.1, 0.28)))]
    yard = reverberated(np.concatenate(parts), rng, 0.3, 0.1)
    return event(on_location(yard, rng, 0.008, LEAVES), n, 0.003, 0.05)


def _call(params: Params, n: int, rng: Rng) -> FloatArray:
    """One bird's call: one note, repeated."""
    note = _note(rng, params["centre"])
    parts = [
        part
        for _ in range(round(params["calls"]))
        for part in (note, np.zeros(samples(rng.uniform(0.05, 0.15))))
    ]
    return event(
        reverberated(np.concatenate([*parts, np.zeros(samples(0.4))]), rng, 0.8, 0.2, 8000.0), n, 0.002, 0.1
    )


MODELS = (
    SoundModel(
        "bird.song",
        "bird_song",
        "texture",
        "Syrinx: near-sinusoids under fast pitch control, trills and buzzes as frequency and amplitude "
        "modulation (Fletcher 1988).",
        drawn(birds=(2.6, 6.4), rest=(0.8, 2.5), wood=(0.1, 0.5)),
        _song,
    ),
    SoundModel(
        "bird.call",
        "bird_call",
        "event",
        "Syrinx: one motif of swept near-sinusoids, repeated (Fletcher 1988).",
        drawn(centre=(2200, 4800), calls=(1.6, 5.4)),
        _call,
        (0.4, 2.0),
    ),
    SoundModel(
        "bird.duck",
        "duck_quack",
        "event",
        "Reed-like syrinx with bulla: 180–280 Hz, nasal formants at 1–3 kHz, in a falling series.",
        drawn(
            f0=(180, 280),
            seconds=(0.12, 0.22),
            rough=(0.02, 0.06),
            breath=(0.05, 0.2),
            calls=(1.6, 6.4),
            gap=(0.08, 0.18),
        ),
        _duck,
        (0.4, 2.0),
    ),
    SoundModel(
        "bird.goose",
        "goose_honk",
        "event",
        "Syrinx whose mode breaks by a fifth up to 260–370 Hz, windpipe of odd quarter waves "
        "(Fletcher & Tarnopolsky 1999).",
        drawn(
            f0=(260, 370),
            geese=(0.6, 5.4),
            seconds=(0.8, 4.0),
            gap=(0.15, 0.5),
            length=(0.18, 0.34),
            pond=(0.08, 0.25),
        ),
        _goose,
        (0.4, 2.0),
    ),
    SoundModel(
        "bird.owl",
        "owl_hoot",
        "event",
        "Closed-beak hoots: nearly pure 330–410 Hz, the gullet a band-pass at f0 (Riede et al. 2006).",
        drawn(f0=(330, 410), second=(0.015, 0.045), wood=(0.12, 0.28)),
        _owl,
        (0.5, 3.0),
    ),
    SoundModel(
        "bird.pigeon",
        "pigeon_coo",
        "event",
        "Closed-beak coo: a nearly pure 300–680 Hz out of an inflated gullet, trilled by fast syrinx muscles "
        "(Elemans et al. 2004).",
        drawn(
            dove=(0.0, 1.0),
            f0=(400, 485),
            roll_hz=(17, 28),
            phrases=(1.6, 3.4),
            pace=(0.9, 1.12),
            rest=(0.15, 0.6),
            birds=(0.8, 3.4),
            hall=(0.4, 1.0),
            wall=(0.06, 0.18),
            leave=(0.0, 1.0),
        ),
        _pigeon,
        (0.3, 2.0),
    ),
    SoundModel(
        "bird.rooster",
        "rooster_crow",
        "event",
        "Plateaus of 740–880 Hz tied by raspy breaks to a register a quarter lower; the beak lifts "
        "the second harmonic (Fletcher 1988).",
        drawn(f0=(750, 890), seconds=(1.6, 2.15), low=(0.71, 0.76), second=(7, 13), jitter=(0.009, 0.015)),
        _rooster,
        (0.4, 1.6),
    ),
    SoundModel(
        "bird.chicken",
        "chicken_cluck",
        "event",
        "Short half-breathy calls of 540–680 Hz, strongest at the second harmonic.",
        drawn(f0=(540, 680), mouth=(1150, 1350), calls=(4.6, 9.4), cackle=(0, 1)),
        _chicken,
        (0.2, 1.2),
    ),
)
