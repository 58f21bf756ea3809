"""Electric machines and rooms: motors with their tones, fans, tools, and what a quiet room hums."""

from __future__ import annotations

import numpy as np

from ssv2a.soundbank.dsp import (
    OPEN_AIR,
    Rng,
    Signal,
    drawn,
    filtered,
    phase,
    resonated,
    reverberated,
    shaped,
    stereo,
    texture,
    unit,
    walk,
)
from ssv2a.soundbank.model import Params, SoundModel
from ssv2a.soundbank.models.mechanisms import turned, turns_of
from ssv2a.types import SAMPLE_RATE, FloatArray


def _harmonics(rng: Rng, f0: Signal, count: int, slope: float) -> Signal:
    """A machine's tone: harmonics of random strength falling by a power, unit RMS."""
    gains = np.arange(1.0, count + 1) ** -slope * rng.uniform(0.3, 1.0, count)
    return turned(turns_of(f0, rng), gains, rng)


def _fan(params: Params, n: int, rng: Rng) -> FloatArray:
    """Slow blades: dull air noise and a soft tone chopped by each blade, the hum of the motor."""
    turns = turns_of(params["turn_hz"] * (1 + 0.006 * walk(n, rng, 0.4)), rng)
    blades = round(params["blades"])
    air = shaped(n, rng, [(60, -24), (150, -9), (300, -2), (600, 0), (1200, -4), (2500, -14), (8000, -36)])
    chop = 1 + params["chop"] * (np.sin(2 * np.pi * blades * turns) + 0.25 * np.sin(2 * np.pi * turns))
    passing = turned(
        turns,
        [0.12 * (k % blades != 0) + (k % blades == 0) / (k / blades) for k in range(1, 4 * blades + 1)],
        rng,
    )
    mains = 50.0 if params["mains"] < 0.5 else 60.0
    gains = np.array([0.1, 1.0, 0.05, 0.6, 0.03, 0.35, 0.03, 0.2, 0.0, 0.12, 0.0, 0.08])
    hum = turned(
        turns_of(mains * (1 + 0.004 * walk(n, rng, 0.4)), rng), gains * rng.uniform(0.5, 1.0, gains.size), rng
    )
    return texture(air * chop + params["tone"] * passing + params["hum"] * hum)


def _vacuum(params: Params, n: int, rng: Rng) -> FloatArray:
    """Universal motor at 35 000–42 000 rpm: a row of tones in a torrent of air through a hose."""
    spin = params["spin_hz"] * (1 + 0.004 * walk(n, rng, 0.6) + 0.001 * walk(n, rng, 8.0))
    tone = _harmonics(rng, spin, 16, 0.75)
    air = shaped(n, rng, [(60, -18), (200, -3), (600, 0), (2500, -1), (6000, -13), (15_000, -19)])
    hose = resonated(
        air, [(params["hose"] * k, 0.32 * params["hose"] * k, 0.7 / k**0.5) for k in (1.0, 2.1, 3.2, 4.4)]
    )
    motion = 1 + 0.08 * walk(n, rng, 1.2)
    return texture((air + unit(hose)) * motion + params["whine"] * tone)


def _hair_dryer(params: Params, n: int, rng: Rng) -> FloatArray:
    """Small fast fan in a tube: steady air around 1–3 kHz, the blades' tone; a tiled room."""
    turns = turns_of(params["spin_hz"] * (1 + 0.002 * walk(n, rng, 0.6) + 0.001 * walk(n, rng, 9.0)), rng)
    blades = round(params["blades"])
    order = np.arange(1, 3 * blades + 1)
    gains = 0.3 * rng.uniform(0.2, 1.0, order.size) / order**0.6
    gains[[blades - 1, 2 * blades - 1]] += (0.5, 0.2)
    gains[[0, 1]] += rng.uniform(0.2, 0.5, 2)
    hiss = [(60, -40), (200, -22), (500, -9), (1000, -1), (2000, 0), (3500, -3), (7000, -12), (20_000, -32)]
    air = shaped(n, rng, hiss)
    tube = resonated(air, [(params["tube"], 300.0, 1.0), (2.1 * params["tube"], 600.0, 0.8)])
    dryer = air + 0.8 * unit(tube) + params["tone"] * turned(turns, gains, rng)
    return texture(reverberated(dryer, rng, 0.45, params["tiles"], 6000.0))


def _pulls(n: int, rng: Rng) -> tuple[Signal, Signal]:
    """A drill's speed and load [n], 0..1: the trigger is pulled, the bit bites, comes free, and is let go."""
    edges, speeds, loads, at = [-99.0], [0.0], [0.0], -rng.uniform(0, 2.0)
    while at < n / SAMPLE_RATE + 1:
        bite, hold = rng.uniform(0.15, 0.4), rng.uniform(0.9, 2.6)
        loaded = at + 0.12 + bite + np.array([0.0, 0.15, hold, hold + 0.1])
        stop = loaded[-1] + rng.uniform(0.05, 0.3)
        edges += [at, at + 0.12, *loaded, stop, stop + 0.3]
        speeds += [0.0, 1.0, 1.0, 0.8, 0.72, 1.0, 1.0, 0.0]
        loads += [0.0, 0.0, 0.0, 1.0, rng.uniform(0.7, 1.0), 0.0, 0.0, 0.0]
        at = stop + 0.3 + rng.uniform(0.05, 0.35)
    t = np.arange(n) / SAMPLE_RATE
    return np.interp(t, edges, speeds), np.interp(t, edges, loads)


def _drill(params: Params, n: int, rng: Rng) -> FloatArray:
    """Universal motor with gears: it sags as the bit bites; teeth rattle, the bit's lips chatter."""
    speed, load = _pulls(n, rng)
    shake = 1 + 0.012 * walk(n, rng, 60.0) + 0.05 * load * walk(n, rng, 14.0)
    turns = turns_of(params["spin_hz"] * speed * shake, rng)
    order, pinion = np.arange(1, 25), round(params["pinion"])
    beside = (order + 1) % pinion - 1  # harmonics from the next one of the pinion's teeth
    gains = rng.uniform(0.1, 0.5, 24) / order**0.3 + np.exp(-(beside**2)) / order**0.5
    mesh = turned(turns, gains * np.minimum(1, order / 3), rng)
    bit = 0.5 + 0.5 * np.sin(2 * np.pi * turns / params["gear"] * 2)  # two lips cut in each turn of the bit
    rough = shaped(n, rng, [(150, -14), (500, -5), (1500, 0), (4500, 0), (9000, -7), (18_000, -22)])
    grit = rough * (0.35 + 0.65 * load * (0.6 + 0.4 * bit) * (1 + 0.5 * walk(n, rng, 90.0))) * speed**1.5
    whine = mesh * speed**1.2 * (1 + 0.35 * walk(n, rng, 50.0)) * (1 - 0.2 * load * bit)
    air = 0.006 * shaped(n, rng, OPEN_AIR)
    return texture(whine + params["chatter"] * grit + air)


def _saw(params: Params, n: int, rng: Rng) -> FloatArray:
    """Hand saw: teeth rip fibres in strokes with a rest at each end; the board rings along."""
    turn = np.cumsum(params["strokes"] * (1 + 0.08 * walk(n, rng, 0.8))) / SAMPLE_RATE + rng.uniform()
    speed = np.sin(2 * np.pi * turn)
    push = np.clip(1.5 * speed - 0.5, 0, 1) ** 0.5
    pull = params["pull"] * np.clip(-1.5 * speed - 0.5, 0, 1) ** 0.6
    teeth = phase(params["teeth_hz"] * (0.35 + np.abs(speed)) * (1 + 0.1 * walk(n, rng, 60.0)))
    fibres = shaped(
        n, rng, [(120, -14), (350, -3), (1000, 0), (2500, 0), (5000, 1), (12_000, 0), (20_000, -8)]
    )
    rip = fibres * (0.5 + walk(n, rng, 300.0, 0, 1)) * (0.5 + 0.5 * np.maximum(0, np.sin(teeth)) ** 2)
    board = [(params["board"] * k, 60.0 * k, gain) for k, gain in ((1.0, 1.0), (2.3, 0.9), (4.1, 0.7))]
    cut = unit(rip) + params["wood"] * unit(resonated(rip, board))
    air = shaped(n, rng, [(40, 0), (200, -4), (1000, -14), (5000, -34)])
    return texture(cut * push + filtered(cut, [(600, -4), (2500, 1), (24_000, 1)]) * pull + 0.01 * air)


def _room(params: Params, n: int, rng: Rng) -> FloatArray:
    """Quiet room: air and distant town as falling noise, a trace of mains hum."""

    def ear(rng: Rng) -> Signal:
        return shaped(
            n, rng, [(20, -6), (60, 0), (150, -6), (500, -16), (2000, -28), (8000, -42), (20_000, -54)]
        )

    hum = _harmonics(rng, np.full(n, 50.0 if params["mains"] < 0.5 else 60.0), 5, 1.0)
    return texture(stereo(ear, rng, 0.8) * (1 + 0.05 * walk(n, rng, 0.5)) + params["hum"] * hum)


MODELS = (
    SoundModel(
        "machine.fan",
        "fan_hum",
        "texture",
        "Dull air noise chopped by the blades, their tone, and a strong hum at twice the mains frequency.",
        drawn(
            mains=(0, 1),
            hum=(1.3, 2.4),
            turn_hz=(14, 24),
            blades=(2.6, 5.4),
            chop=(0.03, 0.1),
            tone=(0.08, 0.25),
        ),
        _fan,
    ),
    SoundModel(
        "machine.vacuum",
        "vacuum_cleaner",
        "texture",
        "Universal motor of 35 000–42 000 rpm: fan tones in turbulent noise through a hose.",
        drawn(spin_hz=(590, 700), hose=(850, 1050), whine=(0.75, 1.1)),
        _vacuum,
    ),
    SoundModel(
        "machine.hair_dryer",
        "hair_dryer",
        "texture",
        "Axial fan in a tube open at both ends (c/2L ≈ 1 kHz): turbulent noise of 1–3 kHz, blade tone.",
        drawn(spin_hz=(190, 290), blades=(4.6, 9.4), tube=(820, 1060), tone=(0.12, 0.25), tiles=(0.3, 0.5)),
        _hair_dryer,
    ),
    SoundModel(
        "machine.drill",
        "drill",
        "texture",
        "Universal motor with gears: mesh harmonics that sag under the torque; the bit's lips chatter.",
        drawn(spin_hz=(380, 560), gear=(12, 18), pinion=(4.6, 7.4), chatter=(1.3, 2.2)),
        _drill,
    ),
    SoundModel(
        "machine.saw",
        "saw",
        "texture",
        "Teeth rip fibres, stroke by stroke; noise at the tooth rate through the board's modes.",
        drawn(strokes=(1.15, 1.6), teeth_hz=(100, 220), board=(300, 600), pull=(0.4, 0.8), wood=(0.4, 1.0)),
        _saw,
    ),
    SoundModel(
        "machine.room",
        "room_tone",
        "texture",
        "Air and distant town as falling noise; a trace of mains hum.",
        drawn(mains=(0, 1), hum=(0.02, 0.15)),
        _room,
    ),
)
