"""What makes a washing machine, clothes, a light aeroplane, a skateboard, a fan and tools recognisable."""

import numpy as np
import pytest
from scipy import signal
from sound_measures import RATE, between, centroid, envelope, levels, rhythm, share, spectrum
from test_models import play

from ssv2a.soundbank.models.mechanisms import drum_speed
from ssv2a.soundbank.models.people import swings

DRAWS = (1, 2, 3, 4)


def line(x, hertz, apart):
    """How far a tone within 2 % of a frequency stands over the noise up to `apart` Hz beside it, in dB."""
    found, power = signal.welch(x, RATE, nperseg=32_768)
    near = np.abs(found / hertz - 1) < 0.02
    beside = (np.abs(found - hertz) < apart) & (np.abs(found / hertz - 1) > 0.03)
    return 10 * np.log10(power[near].max() / np.median(power[beside]))


def tone(x, near):
    """Frequency in Hz of the strongest tone within 15 % of a frequency."""
    power = np.abs(np.fft.rfft(x * np.hanning(x.size), 1 << 19))
    hertz = np.fft.rfftfreq(1 << 19, 1 / RATE)
    inside = np.abs(hertz / near - 1) < 0.15
    return float(hertz[inside][np.argmax(power[inside])])


# --- washing machine ----------------------------------------------------------------------------


@pytest.mark.parametrize("drum_hz", [0.72, 0.88])
def test_laundry_thuds_once_a_turn(drum_hz):
    found = []
    for seed in range(6):
        x = play(
            "machine.washing", seed, 16 * RATE, run=60.0, drum_hz=drum_hz, buzz=0.0, rumble=0.0, spin=0.0
        )[0]
        thuds = between(x, 45, 160)
        found.append(rhythm(thuds, 0.55, 1.15))
        level = envelope(thuds, 10.0)
        assert np.percentile(level, 98) > 2.2 * np.median(level), "blows, not a rumble"
    assert np.median(found) == pytest.approx(drum_hz, rel=0.05)


def test_the_drum_is_run_up_turns_and_rests():
    for seed in DRAWS:
        pace, switched = drum_speed(
            {"run": 5.0, "rest": 1.5, "soft": 1.0}, 30 * RATE, np.random.default_rng(seed)
        )
        assert 0 <= pace.min() < 0.01 < 1 <= pace.max() < 1.06
        assert 0.1 < (pace < 0.02).mean() < 0.35
        assert np.abs(np.diff(pace)).max() * RATE < 2.0  # never at full speed in less than half a second
        assert np.diff(switched[::2]).mean() / RATE == pytest.approx(7.3, rel=0.1)


def test_a_washing_machines_commutator_whines_at_bars_times_turns():
    for seed in DRAWS:
        fixed = {"run": 60.0, "motor_hz": 10.0, "bars": 30.0, "flop": 0.1, "slosh": 0.05, "buttons": 0.0}
        fixed["spin"] = 0.0
        x = play("machine.washing", seed, 8 * RATE, **fixed)[0]
        assert tone(x, 295.0) == pytest.approx(295, rel=0.05)
        assert line(x, tone(x, 295.0), 40.0) > 6


def test_water_gurgles_in_the_drum_above_its_thuds():
    for seed in DRAWS:
        still = {"whine": 0.0, "buzz": 0.0, "rumble": 0.0, "buttons": 0.0}
        x = play("machine.washing", seed, 10 * RATE, run=60.0, spin=0.0, **still)[0]
        assert 0.1 < share(x, 300, 2500) < 0.95
        assert share(x, 4000, 20_000) < 0.03
        level = levels(between(x, 400, 2500), 0.05)
        assert np.percentile(level, 95) - np.percentile(level, 10) > 9, "it surges"


# --- clothes ------------------------------------------------------------------------------------


def test_clothes_rub_in_the_rhythm_of_the_steps():
    rates = []
    for seed in range(12):
        speed = swings(
            {"rate": 1.8, "strokes": 6.0, "swing": 0.5, "other": 0.9, "restless": 0.1},
            int(6.2 / 1.8 * RATE),
            np.random.default_rng(seed),
        )
        assert 0 <= speed.min() <= speed.max() <= 1
        rates.append(rhythm(speed, 1.2, 2.7))
    assert np.median(rates) == pytest.approx(1.8, rel=0.1)


def test_clothes_lie_between_300_hertz_and_6_kilohertz_and_fall_off():
    for seed in range(8):
        x = play("people.cloth", seed, 8 * RATE)[0]
        assert share(x, 300, 7000) > 0.85
        assert 700 < centroid(x) < 3500
        assert share(x, 8000, 20_000) < 0.05


def test_clothes_come_in_short_bursts_never_a_steady_hiss():
    for seed in range(8):
        x = play("people.cloth", seed, 8 * RATE)[0]
        level = levels(x[RATE // 10 : -RATE // 5], 0.03)
        assert np.percentile(level, 95) - np.percentile(level, 15) > 12
        assert 0.08 < (level > level.max() - 8).mean() < 0.6


# --- aeroplane ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("rpm", "blades"), [(2100.0, 2.0), (2400.0, 3.0)])
def test_a_propellers_blades_pass_at_turns_times_blades(rpm, blades):
    for seed in DRAWS:
        x = play("aircraft.propeller", seed, 10 * RATE, rpm=rpm, blades=blades, engines=1.0, motor=0.1)[0]
        passing = rpm / 60 * blades
        found = [tone(x, k * passing) / k for k in (1, 2)]
        assert found == pytest.approx([passing] * 2, rel=0.02)
        assert line(x, passing, 25.0) > 8


def test_two_engines_beat_and_one_does_not():
    def waver(engines):
        x = play("aircraft.propeller", 5, 20 * RATE, engines=engines, apart=0.01, rpm=2400.0, blades=2.0,
                 motor=0.0, wash=0.0, ground=0.01)[0]  # fmt: skip
        level = envelope(between(x, 60, 100), 5.0)
        power = np.abs(np.fft.rfft(level - level.mean()))
        hertz = np.fft.rfftfreq(level.size, 1 / RATE)
        return power[(hertz > 0.7) & (hertz < 0.9)].max() / level.sum()

    assert waver(2.0) > 2 * waver(1.0)  # 80 Hz times 0.01


def test_an_aeroplane_drones_without_a_break():
    for seed in DRAWS:
        x = play("aircraft.propeller", seed, 10 * RATE)[0]
        assert np.ptp(levels(x, 0.25)) < 9
        assert share(x, 40, 1500) > 0.85
        assert share(x, 400, 4000) > 0.02


# --- skateboard ---------------------------------------------------------------------------------


@pytest.mark.parametrize("speed", [2.5, 3.5])
def test_both_axles_clack_over_every_joint(speed):
    for seed in DRAWS:
        x = play("passing.skateboard", seed, 12 * RATE, speed=speed, slab=2.0, clack=4.0)[0]
        level = envelope(x, 40.0)
        corr = signal.correlate(level - level.mean(), level - level.mean(), "full", "fft")[level.size - 1 :]
        lags = np.arange(int(0.24 / speed * RATE), int(0.55 / speed * RATE))
        assert lags[np.argmax(corr[lags])] / RATE * speed == pytest.approx(0.38, rel=0.2)
        assert rhythm(level, 0.7 * speed / 2, 1.3 * speed / 2) == pytest.approx(speed / 2, rel=0.08)


def test_a_skateboard_roars_without_bass_and_without_hiss():
    for seed in DRAWS:
        x = play("passing.skateboard", seed, 8 * RATE)[0]
        assert share(x, 150, 3000) > 0.8
        assert share(x, 20, 120) < 0.08
        assert share(x, 8000, 20_000) < 0.03
        level = levels(x, 0.1)
        assert np.median(level) > level.max() - 20, "the wheels never stop"


# --- fan, drill ---------------------------------------------------------------------------------


def test_a_fan_is_steady_and_its_air_lies_highest_near_600_hertz():
    for seed in DRAWS:
        x = play("machine.fan", seed, 8 * RATE)[0]
        assert np.ptp(levels(x, 0.25)) < 3
        air = play("machine.fan", seed, 8 * RATE, hum=0.0, tone=0.0)[0]
        hertz, power = spectrum(air)
        smooth = np.convolve(power, np.ones(25) / 25, "same")
        assert 250 < hertz[np.argmax(smooth)] < 1200


def test_a_drill_grates_and_its_pitch_falls_as_it_bites():
    for seed in DRAWS:
        x = play("machine.drill", seed, 12 * RATE, spin_hz=450.0)[0]
        assert share(x, 1000, 10_000) > 0.5
        pieces = [tone(p, 390.0) for p in x[: 12 * RATE].reshape(-1, RATE // 4) if p.std() > 0.5 * x.std()]
        assert np.percentile(pieces, 90) > 1.1 * np.percentile(pieces, 20)
