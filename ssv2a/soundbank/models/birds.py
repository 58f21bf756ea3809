"""Birds: whistles of the syrinx by pitch contours, harsh calls by a rough source through formants."""

from __future__ import annotations

import numpy as np

from ssv2a.soundbank.dsp import (
    LEAVES,
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
    """A phrase of two to four kinds of syllables, each repeated, as most songbirds build them."""
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
    wood = [reverberated(ear, rng, 1.2, params["wood"], 8000.0) for ear in ears]
    air = 0.01 * band(n + lead, rng, 200, 2500, 6.0)
    return texture(np.stack([ear + air for ear in wood])[:, lead:])


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


def _crow(params: Params, n: int, rng: Rng) -> FloatArray:
    """Caws of 0.25–0.45 s: f0 400–600 Hz arched, chaotic, strongest at 1–2 kHz; in groups of two to four."""
    arch = [(0.0, 0.8), (0.25, 1.0), (0.7, 0.95), (1.0, 0.75)]
    formants = [(1300.0, 200.0, 1.0), (1900.0, 250.0, 0.9), (3200.0, 500.0, 0.6)]
    calls = [_harsh(params, rng, arch, formants) for _ in range(round(params["calls"]))]
    return event(reverberated(_series(calls, params["gap"], rng), rng, 0.8, 0.25, 4000.0), n, 0.005, 0.1)


def _duck(params: Params, n: int, rng: Rng) -> FloatArray:
    """Quacks of 0.12–0.22 s: a nasal reed of 180–280 Hz, loud at 1–3 kHz, in a falling series."""
    arch = [(0.0, 0.95), (0.3, 1.05), (1.0, 0.85)]
    formants = [(1200.0, 150.0, 0.9), (2000.0, 200.0, 1.0), (3200.0, 350.0, 0.7)]
    count = round(params["calls"])
    calls = [_harsh(params, rng, arch, formants) * 0.93**i for i in range(count)]
    return event(reverberated(_series(calls, params["gap"], rng, 0.2), rng, 0.4, 0.12), n, 0.004, 0.08)


def _goose(params: Params, n: int, rng: Rng) -> FloatArray:
    """Honks of 0.2–0.4 s that break from about 300 Hz up to 400–500 and back, brassy."""
    jump = [(0.0, 0.8), (0.2, 0.85), (0.3, 1.35), (0.75, 1.3), (1.0, 0.9)]
    formants = [(1100.0, 150.0, 1.0), (1900.0, 200.0, 0.9), (3000.0, 350.0, 0.6)]
    calls = [_harsh(params, rng, jump, formants) for _ in range(round(params["calls"]))]
    return event(reverberated(_series(calls, params["gap"], rng), rng, 0.6, 0.2), n, 0.005, 0.1)


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


def _pigeon(params: Params, n: int, rng: Rng) -> FloatArray:
    """Coos near 350–500 Hz, rolled 20–28 times a second as the crop resonates, long-short-short."""
    total = np.zeros(samples(2.6))
    for at, seconds, level in ((0.0, 0.4, 0.7), (0.5, 0.75, 1.0), (1.35, 0.3, 0.6), (1.7, 0.35, 0.5)):
        size = samples(seconds)
        f0 = (
            params["f0"]
            * curve(size, [(0, 0.88), (0.35, 1.06), (1, 0.9)])
            * (1 + 0.01 * walk(size, rng, 20.0))
        )
        phi = phase(f0)
        roll = 1 + 0.55 * np.sin(phase(np.full(size, params["roll_hz"])))
        tone = (np.sin(phi) + 0.15 * np.sin(2 * phi) + 0.05 * np.sin(3 * phi)) * roll
        place(total, tone * np.sin(np.pi * np.linspace(0, 1, size)) ** 0.8, samples(at), level)
    return event(on_location(reverberated(total, rng, 0.5, 0.15, 2500.0), rng, 0.02), n, 0.02, 0.1)


def _rooster(params: Params, n: int, rng: Rng) -> FloatArray:
    """Cock-a-doodle-doo: a harsh short note, then notes on a plateau, tied by breaks to a lower register."""
    short, rest = samples(rng.uniform(0.13, 0.19)), samples(params["seconds"])
    gap, low = samples(rng.uniform(0.14, 0.24)), params["low"]
    pitch = [(0, 0.93), (0.02, 1), (0.065, 1), (0.07, low), (0.09, low), (0.095, 1), (0.28, 0.985)]
    pitch += [(0.3, low), (0.37, low), (0.4, 0.91), (0.43, 0.84), (0.46, 0.96), (0.6, 0.945), (0.81, 0.89)]
    pitch += [(0.84, low), (0.94, 0.96 * low), (1, 0.9 * low)]
    loudness = [(0, 0), (0.02, 0.9), (0.065, 0.8), (0.08, 0.15), (0.1, 0.8), (0.2, 1), (0.28, 0.9)]
    loudness += [
        (0.32, 0.2),
        (0.37, 0.06),
        (0.4, 0.4),
        (0.43, 1),
        (0.82, 0.8),
        (0.85, 0.6),
        (0.95, 0.7),
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
        (0, first, harsh, curve(short, [(0, 0), (0.1, 0.5), (0.7, 0.4), (1, 0)])),
        (short + gap, curve(rest, pitch), gains, curve(rest, loudness)),
    ):
        phi = phase(params["f0"] * f0 * jitter(f0.size, rng, params["jitter"]))
        call = sum(gain * np.sin((k + 1) * phi) for k, gain in enumerate(own))
        place(total, call * shape * roughness(f0.size, rng, 60.0, 0.5), at)
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
    """One bird's call: one to three notes of its own motif, repeated."""
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
        "bird.crow",
        "crow_caw",
        "event",
        "Chaotic syrinx: f0 400–600 Hz of wandering period through tract resonances at 1–2 kHz.",
        drawn(
            f0=(420, 600),
            seconds=(0.25, 0.45),
            rough=(0.06, 0.1),
            breath=(0.2, 0.4),
            calls=(1.6, 4.4),
            gap=(0.15, 0.4),
        ),
        _crow,
        (0.5, 2.5),
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
        "Syrinx whose mode breaks from about 300 to 450 Hz and back, brassy tract.",
        drawn(
            f0=(240, 330),
            seconds=(0.2, 0.38),
            rough=(0.02, 0.06),
            breath=(0.05, 0.2),
            calls=(1.0, 4.4),
            gap=(0.15, 0.5),
        ),
        _goose,
        (0.4, 2.0),
    ),
    SoundModel(
        "bird.owl",
        "owl_hoot",
        "event",
        "Closed-beak hoots: nearly pure 330–410 Hz, the gullet a band-pass at f0 (Riede et al. 2006).",
        drawn(f0=(330, 410), second=(0.05, 0.1), wood=(0.12, 0.28)),
        _owl,
        (0.5, 3.0),
    ),
    SoundModel(
        "bird.pigeon",
        "pigeon_coo",
        "event",
        "Closed-beak coo: 360–500 Hz through an inflated gullet, trilled by fast syrinx muscles (Elemans "
        "et al. 2004).",
        drawn(f0=(360, 500), roll_hz=(20, 28)),
        _pigeon,
        (0.3, 2.0),
    ),
    SoundModel(
        "bird.rooster",
        "rooster_crow",
        "event",
        "Plateaus near 790 Hz tied by breaks to a register a quarter lower, the beak's opening lets the "
        "second harmonic grow (as measured of a recording; cf. Fletcher 1988 on the avian syrinx).",
        drawn(f0=(680, 830), seconds=(1.7, 2.3), low=(0.71, 0.76), second=(3, 11), jitter=(0.006, 0.014)),
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
