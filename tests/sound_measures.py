"""Measures of sounds, mono [n], for the tests of the sound models: spectra, pitch, envelopes, rhythm."""

import numpy as np
from scipy import signal

RATE = 48_000


def spectrum(x):
    mono = x.mean(axis=0) if x.ndim == 2 else x
    hertz, power = signal.welch(mono, RATE, nperseg=8192)
    return hertz, power


def centroid(x):
    hertz, power = spectrum(x)
    return float((hertz * power).sum() / power.sum())


def share_above(x, limit):
    hertz, power = spectrum(x)
    return float(power[hertz > limit].sum() / power.sum())


def pitch(x, low, high):
    """Fundamental in Hz of a mono signal, by the autocorrelation's highest peak, between two limits."""
    y = x - x.mean()
    corr = signal.correlate(y, y, "full", "fft")[y.size - 1 :]
    lags = np.arange(int(RATE / high), int(RATE / low) + 1)
    return RATE / lags[np.argmax(corr[lags])]


def envelope(x, hertz=60.0):
    sos = signal.butter(2, hertz, fs=RATE, output="sos")
    return np.maximum(signal.sosfiltfilt(sos, np.abs(x)), 0)


def rhythm(x, low, high):
    """Rate in Hz of the strongest periodicity of the envelope, between two limits."""
    y = envelope(x)[::48]
    y = y - y.mean()
    corr = signal.correlate(y, y, "full", "fft")[y.size - 1 :]
    lags = np.arange(int(1000 / high), int(1000 / low) + 1)
    return 1000 / lags[np.argmax(corr[lags] / (y.size - lags))]


def part(x, start, seconds):
    """A stretch of a mono sound, in seconds."""
    return x[int(start * RATE) : int((start + seconds) * RATE)]


def share(x, low, high):
    """Part of the power of a mono sound between two frequencies."""
    power, hertz = np.abs(np.fft.rfft(x)) ** 2, np.fft.rfftfreq(x.size, 1 / RATE)
    return float(power[(hertz >= low) & (hertz < high)].sum() / power[hertz >= 20].sum())


def between(x, low, high):
    """Band-passed mono sound."""
    return signal.sosfilt(signal.butter(4, (low, high), "bandpass", fs=RATE, output="sos"), x)


def levels(x, seconds=0.05):
    """dB of the RMS of pieces of a mono sound."""
    size = int(seconds * RATE)
    pieces = x[: x.size // size * size].astype(float).reshape(-1, size)
    return 10 * np.log10(np.square(pieces).mean(axis=1) + 1e-12)


def band_level(x, low, high):
    """dB of the power between two frequencies."""
    power, hertz = np.abs(np.fft.rfft(x)) ** 2, np.fft.rfftfreq(x.size, 1 / RATE)
    return 10 * np.log10(power[(hertz >= low) & (hertz < high)].sum() + 1e-20)


def middle_hertz(x):
    """Centroid of the whole of a short sound."""
    power, hertz = np.abs(np.fft.rfft(x)) ** 2, np.fft.rfftfreq(x.size, 1 / RATE)
    return float((hertz * power).sum() / power.sum())
