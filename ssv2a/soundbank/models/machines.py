"""Electric machines and rooms: motors with their tones, fans, tools, and what a quiet room hums."""

from __future__ import annotations

import numpy as np

from ssv2a.soundbank.dsp import (
    Rng,
    Signal,
    band,
    cloud,
    convolved,
    decay,
    drawn,
    filtered,
    impulses,
    modes,
    phase,
    resonated,
    samples,
    shaped,
    stereo,
    texture,
    unit,
    walk,
)
from ssv2a.soundbank.model import Params, SoundModel
from ssv2a.types import SAMPLE_RATE, FloatArray


def _harmonics(rng: Rng, f0: Signal, count: int, slope: float) -> Signal:
    """A machine's tone: harmonics of random strength falling by a power, each a little unsteady."""
    phi = phase(f0)
    total = np.zeros(f0.size)
    for k in range(1, count + 1):
        total += k**-slope * rng.uniform(0.3, 1.0) * np.sin(k * phi + rng.uniform(0, 6.28))
    return unit(total)


def _fan(params: Params, n: int, rng: Rng) -> FloatArray:
    """Slow blades: broadband air noise gently pulsed by the blade rate, the motor's 100 or 120 Hz hum."""
    air = shaped(n, rng, [(40, -12), (120, 0), (400, -3), (1200, -8), (4000, -22), (12_000, -46)])
    mains = 100.0 if params["mains"] < 0.5 else 120.0
    hum = _harmonics(rng, np.full(n, mains), 6, 1.3)
    blades = 1 + 0.12 * np.sin(phase(params["blade_hz"] * (1 + 0.005 * walk(n, rng, 0.5))))
    return texture(air * blades * (1 + 0.04 * walk(n, rng, 1.0)) + params["hum"] * hum)


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
    """Small fast fan in a tube: hot air's noise around 1–3 kHz and a thin motor tone."""
    spin = params["spin_hz"] * (1 + 0.004 * walk(n, rng, 0.8))
    tone = _harmonics(rng, spin, 12, 0.7)
    air = shaped(n, rng, [(80, -20), (300, -6), (900, 0), (2500, 0), (5000, -6), (14_000, -20)])
    tube = resonated(air, [(params["tube"], 250.0, 1.0), (2.3 * params["tube"], 400.0, 0.7)])
    return texture((air + unit(tube)) * (1 + 0.04 * walk(n, rng, 3.0)) + params["tone"] * tone)


def _drill(params: Params, n: int, rng: Rng) -> FloatArray:
    """Geared universal motor: a row of gear-mesh harmonics whose pitch sags under load, with chatter."""
    load = np.clip(0.3 + walk(n, rng, 0.5), 0, 1)
    spin = params["spin_hz"] * (1 - 0.1 * load) * (1 + 0.02 * walk(n, rng, 40.0))
    mesh = _harmonics(rng, spin, 24, 0.5)
    rough = band(n, rng, 800, 6000, 9.0) * (1 + 0.5 * np.sin(phase(spin * 0.25)))
    chatter = (0.25 + load) * rough * params["chatter"]
    return texture(mesh * (1 + 0.25 * walk(n, rng, 35.0)) + chatter)


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


def _machinery(params: Params, n: int, rng: Rng) -> FloatArray:
    """A cycle of clanks, puffs and gear whir over a motor's hum: the same each turn, a little loose."""
    period = 1 / params["cycle_hz"]
    starts = np.arange(-1.0, n / SAMPLE_RATE / period + 1) * period
    total = np.zeros(n)
    for _ in range(round(params["parts"])):
        size = samples(0.25)
        clank = modes(
            size, rng.uniform(150, 3500, 10), rng.uniform(0.04, 0.22, 10), rng.uniform(0.2, 1, 10), rng
        )
        clank += 0.5 * band(size, rng, 300, 5000, 6.0) * decay(size, rng.uniform(0.02, 0.1))
        loose = rng.uniform(0, period) + 0.004 * rng.standard_normal(starts.size)
        times = np.asarray((starts + loose) * SAMPLE_RATE, dtype=np.float64)
        total += rng.uniform(0.3, 1.0) * cloud(n, rng, times, rng.uniform(0.7, 1, times.size), [clank])
    whir = _harmonics(rng, params["gear_hz"] * (1 + 0.01 * walk(n, rng, 1.0)), 10, 0.8)
    hum = shaped(n, rng, [(40, -6), (100, 0), (400, -6), (1500, -12), (6000, -30)])
    return texture(unit(total) + params["whir"] * whir + params["hum"] * hum)


def _washing(params: Params, n: int, rng: Rng) -> FloatArray:
    """Drum turns about once a second: sloshing water and thuds of laundry over the motor's hum."""
    turn = phase(np.full(n, params["drum_hz"]))
    slosh = band(n, rng, 200, 1500, 9.0) * (0.5 + 0.5 * np.sin(turn + 0.6 * walk(n, rng, 1.0))) ** 2
    times = (
        (np.arange(0, n / SAMPLE_RATE * params["drum_hz"]) + 0.1 * rng.uniform(-1, 1))
        / params["drum_hz"]
        * SAMPLE_RATE
    )
    thud = decay(samples(0.25), 0.22, 0.01) * band(samples(0.25), rng, 50, 220, 12.0)
    thuds = convolved(impulses(n, times, rng.uniform(0.4, 1, times.size)), thud)
    hum = _harmonics(rng, params["motor_hz"] * (1 + 0.01 * walk(n, rng, 0.6)), 14, 0.8)
    return texture(slosh + 1.2 * unit(thuds) + params["hum"] * hum)


def _printer(params: Params, n: int, rng: Rng) -> FloatArray:
    """Carriage runs to and fro: a stepper's whirr that changes pitch at each turn, clunks and paper feed."""
    turn = np.cumsum(params["pass_hz"] * (1 + 0.03 * walk(n, rng, 0.5))) / SAMPLE_RATE
    speed = np.abs(np.sin(np.pi * turn)) ** 0.25
    motor = _harmonics(rng, params["step_hz"] * (0.5 + 0.5 * speed), 16, 0.5) * speed
    slide = shaped(n, rng, [(300, -14), (1500, 0), (5000, -2), (12_000, -18)]) * speed
    ends = np.flatnonzero(np.diff(np.floor(turn)) > 0).astype(np.float64)
    clunk = modes(
        samples(0.09), rng.uniform(200, 2800, 9), rng.uniform(0.02, 0.08, 9), rng.uniform(0.3, 1, 9), rng
    )
    clunks = cloud(n, rng, ends, rng.uniform(0.6, 1, ends.size), [clunk])
    return texture(0.6 * motor + params["slide"] * slide + 1.5 * unit(clunks) * 0.5)


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
        "Air noise pulsed by the blade rate, hum at twice the mains frequency.",
        drawn(mains=(0, 1), hum=(0.1, 0.5), blade_hz=(15, 40)),
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
        "A small axial fan in a tube: turbulent noise of 1–3 kHz with a thin blade tone.",
        drawn(spin_hz=(180, 340), tube=(700, 1300), tone=(0.4, 1.0)),
        _hair_dryer,
    ),
    SoundModel(
        "machine.drill",
        "drill",
        "texture",
        "Universal motor with gears: mesh harmonics that sag with the load's torque.",
        drawn(spin_hz=(280, 560), chatter=(0.6, 1.4)),
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
        "machine.workshop",
        "machinery",
        "texture",
        "A turning machine: the same impacts, puffs and gear noise every cycle, slightly loose.",
        drawn(cycle_hz=(0.8, 2.5), parts=(3, 7), gear_hz=(80, 240), whir=(0.2, 0.6), hum=(0.3, 0.8)),
        _machinery,
    ),
    SoundModel(
        "machine.washing",
        "washing_machine",
        "texture",
        "Drum at about one turn a second: lifted laundry falls, water sloshes, the motor hums.",
        drawn(drum_hz=(0.7, 1.0), motor_hz=(70, 150), hum=(0.3, 0.8)),
        _washing,
    ),
    SoundModel(
        "machine.printer",
        "printer",
        "texture",
        "Stepper motors: tones by step rate as the carriage runs to and fro, feeds and clunks.",
        drawn(pass_hz=(0.8, 1.6), step_hz=(250, 520), slide=(0.2, 0.6)),
        _printer,
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
