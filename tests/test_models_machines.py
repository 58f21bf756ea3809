"""What makes machines, tools, instruments and work by hand recognisable: pitches, rates, decays, tilts."""

import numpy as np
import pytest
from scipy import signal
from sound_measures import RATE, centroid, envelope, levels, pitch, rhythm, share_above, spectrum
from test_models import play

from ssv2a.soundbank.models.mechanisms import turned, turns_of
from ssv2a.soundbank.models.piano import inharmonicity, note

DRAWS = (1, 2, 3, 4)


def share_between(x, low, high):
    hertz, power = spectrum(x)
    return float(power[(hertz >= low) & (hertz < high)].sum() / power.sum())


def line(x, hertz, width=0.02):
    """How far a tone stands out of the noise beside it, in dB."""
    found, power = signal.welch(x, RATE, nperseg=32_768)
    near = power[np.abs(found / hertz - 1) < width].max()
    beside = np.median(power[(np.abs(found / hertz - 1) > 1.5 * width) & (np.abs(found / hertz - 1) < 0.2)])
    return 10 * np.log10(near / beside)


def decay_seconds(x, fall=20.0):
    """Seconds from the envelope's peak until it is first `fall` dB lower."""
    level = envelope(x, 200.0)
    after = level[int(np.argmax(level)) :]
    return int(np.argmax(after < level.max() * 10 ** (-fall / 20))) / RATE


def high_share(x, limit):
    """Share of the power of a short sound above a frequency."""
    power, hertz = np.abs(np.fft.rfft(x)) ** 2, np.fft.rfftfreq(x.size, 1 / RATE)
    return float(power[hertz > limit].sum() / power.sum())


# --- parts --------------------------------------------------------------------------------------


def test_what_turns_gives_the_harmonics_asked_for():
    x = turned(
        turns_of(np.full(4 * RATE, 100.0), np.random.default_rng(0)),
        (1.0, 0.0, 0.5),
        np.random.default_rng(1),
    )
    hertz, power = signal.welch(x, RATE, nperseg=RATE)
    assert x.std() == pytest.approx(1, abs=0.02)
    assert 10 * np.log10(power[300] / power[100]) == pytest.approx(-6, abs=0.3)
    assert power[200] < 1e-4 * power[100]
    assert hertz[np.argmax(power)] == 100


# --- piano --------------------------------------------------------------------------------------


def test_piano_strings_are_stiff_as_measured():
    assert 1e-4 < inharmonicity(110.0) < 4e-4
    assert 3e-4 < inharmonicity(261.6) < 8e-4
    assert inharmonicity(1046.5) > 3 * inharmonicity(261.6)


@pytest.mark.parametrize("f0", [130.8, 261.6])
def test_a_piano_notes_partials_are_stretched(f0):
    x = note(f0, 0.8, 2.0, np.random.default_rng(2))
    hertz = np.fft.rfftfreq(8 * x.size, 1 / RATE)
    power = np.abs(np.fft.rfft(x * np.hanning(x.size), 8 * x.size))
    for k in (1, 4, 7):
        wanted = k * f0 * np.sqrt(1 + inharmonicity(f0) * k * k)
        near = np.abs(hertz / wanted - 1) < 0.03
        assert hertz[near][np.argmax(power[near])] == pytest.approx(wanted, rel=0.003)


def test_a_piano_note_decays_twice_first_fast_then_slowly():
    for seed in DRAWS:
        level = levels(note(261.6, 0.6, 4.0, np.random.default_rng(seed)), 0.25)
        early, late = (level[0] - level[3]) / 0.75, (level[10] - level[14]) / 1.0
        assert 6 < early < 40  # dB a second
        assert late < 0.75 * early


def test_a_harder_blow_is_brighter():
    soft, hard = (note(261.6, force, 1.0, np.random.default_rng(3)) for force in (0.2, 0.9))
    assert share_above(hard, 1000) > 1.6 * share_above(soft, 1000)
    assert np.abs(hard).max() > 2 * np.abs(soft).max()


def test_a_piano_plays_some_notes_and_lets_them_ring():
    for seed in DRAWS:
        x = play("music.piano", seed, 12 * RATE)[0]
        level = levels(x)
        assert 2 < x.size / RATE < 11
        assert np.median(level) > level.max() - 22  # sustained: no gaps between the notes
        assert share_between(x, 60, 1500) > 0.8


# --- workshop, washing machine, printer -----------------------------------------------------------


def test_a_workshop_clanks_irregularly_over_a_steady_run():
    for seed in DRAWS:
        x = play("machine.workshop", seed, 8 * RATE)[0]
        level = levels(x, 0.25)
        assert level.max() - level.min() < 20
        assert share_between(x, 60, 3000) > 0.7
        assert crest(x) > 3.5


def crest(x):
    """Peak over RMS."""
    return float(np.abs(x).max() / x.std())


def test_a_washing_machine_turns_rests_and_is_muffled():
    for seed in DRAWS:
        x = play("machine.washing", seed, 20 * RATE, run=5.0, rest=1.5, spin=0.0)[0]
        level = levels(x, 0.25)
        assert np.percentile(level, 5) < np.median(level) - 9  # the drum rests
        assert share_above(x, 2000) < 0.08
        between_thuds = play("machine.washing", seed, 20 * RATE, run=5.0, rest=1.5, flop=0.1, spin=0.0)[0]
        assert line(between_thuds, 100.0) > 8  # hum of twice the mains frequency


def test_laundry_falls_unevenly():
    still = {"whine": 0.0, "buzz": 0.0, "rumble": 0.0, "slosh": 0.0, "spin": 0.0}
    x = play("machine.washing", 5, 12 * RATE, run=40.0, drum_hz=0.8, **still)[0]
    peaks, found = signal.find_peaks(envelope(x, 8.0), height=0.02, distance=RATE // 5)
    apart = np.diff(peaks) / RATE
    assert 1.0 < peaks.size / 12 < 3.2
    assert apart.std() > 0.1
    assert found["peak_heights"].std() > 0.25 * found["peak_heights"].mean()


def test_a_printers_carriage_runs_in_sweeps_with_breaks_and_hisses():
    for seed in DRAWS:
        x = play("machine.printer", seed, 10 * RATE)[0]
        level = levels(x, 0.02)
        assert np.percentile(level, 3) < np.median(level) - 12
        assert 0.6 < rhythm(x, 0.6, 2.4) < 2.4
        assert share_above(x, 1000) > 0.4
        assert share_between(x, 0, 200) < 0.1


# --- motors and air -----------------------------------------------------------------------------


@pytest.mark.parametrize(("mains", "hum"), [(0.2, 100.0), (0.8, 120.0)])
def test_a_fan_hums_over_air_that_falls_off_steeply(mains, hum):
    x = play("machine.fan", 6, 8 * RATE, mains=mains)[0]
    assert line(x, hum) > 12
    assert share_above(x, 1500) < 0.05
    octaves = [share_between(x, low, 2 * low) for low in (400, 1600)]
    assert 10 * np.log10(octaves[0] / octaves[1]) > 6


def test_a_fans_blades_chop_its_air():
    x = play("machine.fan", 7, 20 * RATE, turn_hz=20.0, blades=4.0, chop=0.2, hum=0.0, tone=0.0)[0]
    sos = signal.butter(2, (200, 2000), "bandpass", fs=RATE, output="sos")
    power = np.abs(np.fft.rfft(np.abs(signal.sosfilt(sos, x))))
    hertz = np.fft.rfftfreq(x.size, 1 / RATE)
    assert power[np.abs(hertz - 80) < 1.5].max() > 3 * np.median(power[(hertz > 60) & (hertz < 100)])


def test_a_hair_dryers_air_peaks_between_800_hertz_and_3_kilohertz():
    for seed in DRAWS:
        x = play("machine.hair_dryer", seed, 4 * RATE, spin_hz=240.0)[0]
        hertz, power = spectrum(x)
        smooth = np.convolve(power, np.ones(40) / 40, "same")
        assert 800 < hertz[np.argmax(np.where(hertz > 500, smooth, 0))] < 3000
        assert share_between(x, 600, 5000) > 0.7
        assert line(x, 240.0) > 6
        assert np.ptp(levels(x, 0.1)) < 3  # steady


def test_a_drill_is_pulled_and_let_go_and_sags_when_it_bites():
    for seed in DRAWS:
        x = play("machine.drill", seed, 12 * RATE)[0]
        level = levels(x)
        assert np.percentile(level, 2) < np.median(level) - 15
        assert (level > np.median(level) - 6).mean() > 0.6
        assert centroid(x) > 1200


def test_a_chainsaw_idles_at_45_to_55_firings_a_second():
    for seed in DRAWS:
        x = play("engine.chainsaw", seed, 16 * RATE, idle=40.0, idle_rpm=3000.0)[0][-3 * RATE :]
        found = [pitch(envelope(piece, 300.0), 38, 80) for piece in x.reshape(-1, RATE // 2)]
        assert np.median(found) == pytest.approx(50, rel=0.08)


def test_a_chainsaw_races_to_150_firings_and_more_and_sags_in_the_wood():
    for seed in DRAWS:
        x = play("engine.chainsaw", seed, 16 * RATE, idle=0.05, rpm=11_000.0)[0]
        found = np.array([pitch(piece, 120, 215) for piece in x.reshape(-1, RATE // 5)])
        assert 140 < np.median(found) < 190
        assert np.percentile(found, 90) > 1.1 * np.percentile(found, 10)
        assert share_above(x, 1000) > 0.1


# --- work by hand -------------------------------------------------------------------------------


def test_stones_clack_short_and_without_ringing():
    for seed in DRAWS:
        x = play("hand.stone", seed, 6 * RATE, blows=1.0, chips=0.1, pit=0.0, crush=0.8)[0]
        assert decay_seconds(x[: RATE // 3]) < 0.12  # picks on rock: 20 to 100 ms, strongest in 1 to 8 kHz
        assert 1000 < centroid(x) < 4500
        assert share_above(x, 5000) < 0.3


def test_a_spade_grates_before_the_earth_thuds_down():
    for seed in DRAWS:
        x = play("hand.digging", seed, 4 * RATE, strokes=1.0, period=1.6, lift=0.3)[0]
        cut, thrown = x[: int(0.45 * RATE)], x[int(0.75 * RATE) : int(1.3 * RATE)]
        assert share_between(thrown, 40, 300) > 2 * share_between(cut, 40, 300)
        assert share_between(cut, 500, 6000) > 0.8
        attack = np.argmax(envelope(cut, 15.0)) / RATE
        assert attack > 0.05  # it is pushed in, not fired


def test_paper_crackles_densely_and_high():
    for seed in DRAWS:
        x = play("hand.paper", seed, 4 * RATE)[0]
        assert share_between(x, 2000, 14_000) > 0.7
        assert share_above(x, 14_000) < 0.15
        level = envelope(x, 300.0)
        peaks, _ = signal.find_peaks(level, prominence=0.05 * level.max())
        assert peaks.size / (x.size / RATE) > 40


# --- signals, brass, guns -----------------------------------------------------------------------


def test_a_pea_whistle_warbles_between_2_600_and_3_800_hertz():
    for seed in DRAWS:
        x = play("signal.whistle", seed, 4 * RATE, seconds=1.2, short=0.0, pea_hz=32.0)[0]
        hertz, power = spectrum(x)
        assert 2500 < hertz[np.argmax(power)] < 3800
        assert 22 < rhythm(x[RATE // 5 : RATE], 20, 48) < 45
        level = envelope(x[RATE // 4 : int(0.9 * RATE)], 100.0)
        assert np.percentile(level, 10) < 0.7 * np.percentile(level, 90)


def test_wind_chimes_ring_on_in_the_modes_of_free_tubes():
    x = play("signal.wind_chime", 8, 10 * RATE, hz=900.0, seconds=4.0, tubes=5.0, wind=0.0)[0]
    assert share_between(x, 850, 16_000) > 0.95
    level = levels(x, 0.2)
    assert level[level > -60].size * 0.2 > 4
    tail = x[int(4.2 * RATE) : int(5.2 * RATE)]
    assert 10 * np.log10(np.square(tail).mean() / np.square(x).mean()) > -25


def test_wind_chimes_strike_irregularly():
    x = play("signal.wind_chime", 9, 10 * RATE, seconds=6.0)[0]
    high = signal.sosfilt(signal.butter(4, 4000, "highpass", fs=RATE, output="sos"), x)
    rise = np.maximum(0, np.diff(envelope(high, 40.0)))
    peaks, _ = signal.find_peaks(rise, height=0.15 * rise.max(), distance=RATE // 40)
    apart = np.diff(peaks) / RATE
    assert peaks.size > 8
    assert apart.std() > 0.5 * apart.mean()


def test_a_trumpet_note_brightens_as_it_speaks_and_starts_flat():
    x = play("music.trumpet", 10, 12 * RATE, tonic=300.0, notes=4.0, beat=0.5)[0]
    early, full = x[int(0.008 * RATE) : int(0.028 * RATE)], x[int(0.09 * RATE) : int(0.2 * RATE)]
    assert np.square(full).mean() > 2 * np.square(early).mean()
    assert 230 < pitch(full, 200, 650) < 640
    assert 0.2 < high_share(full, 1000) < 0.95


def test_every_shot_cracks_and_its_echo_dies_darkening():
    for seed in DRAWS:
        x = play("blast.gunshot", seed, 5 * RATE, shots=1.0)[0]
        first, later = x[: RATE // 20], x[RATE // 2 : RATE]
        assert high_share(first, 1000) > 0.2
        assert high_share(later, 1000) < high_share(first, 1000)
        assert levels(later).max() < levels(first, 0.02).max() - 10
