"""Building blocks of the procedural sound models: noise, pulses, resonances, voices, space.

Signals are float64 [n] at 48 kHz until a model is finished (`texture`, `event`); curves are per sample.
Sources: A. Farnell, "Designing Sound" (2010); P. Cook, "Real Sound Synthesis" (2002);
K. van den Doel, "Physically based models for liquid sounds" (2005).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import fft, signal

from ssv2a.soundbank.model import Params
from ssv2a.types import SAMPLE_RATE, FloatArray

Signal = NDArray[np.float64]
Rng = np.random.Generator
Formant = tuple["float | Signal", float, float]
"""Centre frequency in Hz (fixed or per sample), bandwidth in Hz, gain."""

TEXTURE_RMS = 0.1  # −20 dBFS
PEAK = 0.7  # −3 dBFS
_LOWEST = 18.0  # Hz of what is made
OPEN_AIR = ((40.0, 0.0), (200.0, -4.0), (1000.0, -14.0), (5000.0, -34.0))  # Hz, dB: far town and wind
LEAVES = ((100.0, -14.0), (400.0, -2.0), (1200.0, 0.0), (4000.0, -8.0), (10_000.0, -22.0))  # Hz, dB
_CONTROL = 64  # samples between two values of a slowly varying gain


# --- parameters ---------------------------------------------------------------------------------


def drawn(**limits: tuple[float, float]) -> Callable[[Rng], Params]:
    """Give a draw function: every parameter uniform between its limits, independently."""

    def draw(rng: Rng) -> Params:
        return {name: float(rng.uniform(low, high)) for name, (low, high) in limits.items()}

    return draw


def samples(seconds: float) -> int:
    """Number of samples in a length of time, at least 1."""
    return max(1, round(seconds * SAMPLE_RATE))


# --- curves -------------------------------------------------------------------------------------


def walk(n: int, rng: Rng, rate: float, low: float = -1.0, high: float = 1.0) -> Signal:
    """Smooth random curve [n] between `low` and `high`: `rate` new values a second, cosine between."""
    count = int(n * rate / SAMPLE_RATE) + 3
    points = rng.uniform(low, high, count)
    position = np.arange(n) * (rate / SAMPLE_RATE) + rng.uniform()
    index = position.astype(np.int32)
    position -= index
    position *= np.pi
    share = np.cos(position, out=position)
    share *= -0.5
    share += 0.5
    risen = np.diff(points)[index]
    risen *= share
    risen += points[index]
    return risen


def curve(n: int, points: Sequence[tuple[float, float]]) -> Signal:
    """Curve [n] through (position 0..1, value) points, straight between them."""
    positions, values = zip(*points, strict=True)
    return np.asarray(np.interp(np.linspace(0, 1, n), positions, values), dtype=np.float64)


def decay(n: int, seconds: float, attack: float = 0.001) -> Signal:
    """Exponential decay [n] by 60 dB in `seconds`, after a rise of `attack` seconds."""
    t = np.arange(n) / SAMPLE_RATE
    return np.asarray(np.exp(-6.908 * t / seconds) * np.minimum(1.0, t / max(attack, 1e-5)), dtype=np.float64)


def faded(x: Signal, rise: float, fall: float) -> Signal:
    """Raise and lower the ends by squared sines of the given seconds."""
    n = x.shape[-1]
    up, down = min(samples(rise), n // 2), min(samples(fall), n // 2)
    envelope = np.ones(n)
    envelope[:up] = np.sin(0.5 * np.pi * np.arange(up) / max(up, 1)) ** 2
    envelope[n - down :] *= np.cos(0.5 * np.pi * np.arange(1, down + 1) / max(down, 1)) ** 2
    return x * envelope


def risen(x: Signal, seconds: float) -> Signal:
    """Let it begin over so many seconds, on a straight line."""
    return np.asarray(x * np.minimum(1, np.arange(x.size) / samples(seconds)))


def phase(frequency: Signal) -> Signal:
    """Phase in radians of an oscillator with this frequency in Hz per sample."""
    return np.asarray(np.cumsum(frequency) * (2 * np.pi / SAMPLE_RATE), dtype=np.float64)


def unit(x: Signal) -> Signal:
    """Scale to an RMS of 1 about the mean; silence stays silence."""
    return np.asarray(x / (x.std() + 1e-12), dtype=np.float64)


# --- noise --------------------------------------------------------------------------------------


def shaped(n: int, rng: Rng, points: Sequence[tuple[float, float]]) -> Signal:
    """Gaussian noise [n], unit RMS, its spectrum through (Hz, dB) points, straight over log frequency."""
    size = fft.next_fast_len(max(n, 1024), real=True)
    spectrum = fft.rfft(rng.standard_normal(size))
    spectrum *= gain_at(np.arange(spectrum.size) * (SAMPLE_RATE / size), points)
    spectrum[0] = 0
    return unit(np.asarray(fft.irfft(spectrum, size), dtype=np.float64))[:n]


def band(n: int, rng: Rng, low: float, high: float, slope: float = 24.0) -> Signal:
    """Noise [n] of unit RMS between two frequencies; outside it falls by `slope` dB per octave."""
    return shaped(n, rng, [(low / 8, -3 * slope), (low, 0), (high, 0), (high * 8, -3 * slope)])


def gain_at(frequencies: Signal, points: Sequence[tuple[float, float]]) -> Signal:
    """Linear gains at frequencies in Hz on the line through (Hz, dB) points over log frequency."""
    hertz, decibels = zip(*points, strict=True)
    level = np.interp(np.log2(np.maximum(frequencies, 1.0)), np.log2(hertz), decibels)
    return np.asarray(10 ** (level / 20), dtype=np.float64)


def filtered(x: Signal, points: Sequence[tuple[float, float]]) -> Signal:
    """Zero-phase filter with the response of (Hz, dB) points, straight over log frequency."""
    size = fft.next_fast_len(x.shape[-1] + 4096, real=True)
    gains = gain_at(np.arange(size // 2 + 1) * (SAMPLE_RATE / size), points)
    out = np.empty(x.shape)
    for place in np.ndindex(x.shape[:-1]):  # one after the other: less memory
        spectrum = fft.rfft(x[place], size)
        spectrum *= gains
        out[place] = fft.irfft(spectrum, size, overwrite_x=True)[: x.shape[-1]]
    return out


def highpass(x: Signal, hertz: float) -> Signal:
    """Second-order Butterworth high-pass."""
    sos = signal.butter(2, hertz, "highpass", fs=SAMPLE_RATE, output="sos")
    return np.asarray(signal.sosfilt(sos, x), dtype=np.float64)


def lowpass(x: Signal, hertz: float) -> Signal:
    """Second-order Butterworth low-pass."""
    sos = signal.butter(2, min(hertz, 0.49 * SAMPLE_RATE), "lowpass", fs=SAMPLE_RATE, output="sos")
    return np.asarray(signal.sosfilt(sos, x), dtype=np.float64)


# --- pulses and grains --------------------------------------------------------------------------


def impulses(n: int, times: Signal, gains: Signal) -> Signal:
    """Impulse train [n]: each at a time in samples (split over two neighbours) with its gain."""
    train = np.zeros(n + 1)
    inside = (times >= 0) & (times < n - 1)
    index = times[inside].astype(np.int64)
    share = times[inside] - index
    np.add.at(train, index, gains[inside] * (1 - share))
    np.add.at(train, index + 1, gains[inside] * share)
    return train[:n]


def crossings(turns: Signal) -> Signal:
    """Times in samples at which an ascending curve, counted in turns, passes whole numbers."""
    whole = np.arange(np.ceil(turns[0]), np.floor(turns[-1]) + 1)
    return np.asarray(np.interp(whole, turns, np.arange(turns.size)), dtype=np.float64)


def scattered(n: int, rng: Rng, rate: float) -> Signal:
    """Times in samples of a Poisson process of `rate` a second."""
    return np.asarray(np.sort(rng.uniform(0, n, rng.poisson(rate * n / SAMPLE_RATE))), dtype=np.float64)


def convolved(x: Signal, kernel: Signal) -> Signal:
    """Convolution cut to the length of `x`."""
    return np.asarray(signal.oaconvolve(x, kernel)[: x.size], dtype=np.float64)


def cloud(n: int, rng: Rng, times: Signal, gains: Signal, kernels: Sequence[Signal]) -> Signal:
    """Many grains [n]: each time (in samples) plays one of the kernels, picked at random, with its gain."""
    which = rng.integers(len(kernels), size=times.size)
    total = np.zeros(n)
    for start, gain, index in zip(times.astype(np.int64), gains, which, strict=True):
        place(total, kernels[index], int(start), float(gain))
    return total


def place(out: Signal, x: Signal, start: int, gain: float = 1.0) -> None:
    """Add `x` to `out` from sample `start`, in place; what lies outside is cut."""
    begin, end = max(start, 0), min(start + x.size, out.size)
    if end > begin:
        out[begin:end] += gain * x[begin - start : end - start]


# --- resonances ---------------------------------------------------------------------------------


def modes(n: int, hertz: Signal, seconds: Signal, gains: Signal, rng: Rng | None = None) -> Signal:
    """Modal synthesis [n]: damped sines by frequency, 60 dB decay time and gain; random phases with `rng`.

    The powers z^(a·B + b) of every mode are factored into coarse and fine ones, so that the sum is two
    matrix products.
    """
    audible = hertz < 0.45 * SAMPLE_RATE
    rate = (2j * np.pi * hertz - 6.908 / np.asarray(seconds))[audible] / SAMPLE_RATE
    start = np.asarray(gains, dtype=np.complex128)[audible]
    if rng is not None:
        start = start * np.exp(2j * np.pi * rng.uniform(size=start.size))
    block = int(np.ceil(np.sqrt(n)))
    coarse = start * np.exp(np.outer(np.arange(0, n, block), rate))
    fine = np.exp(np.outer(np.arange(block), rate)).T
    total = coarse.real @ fine.imag + coarse.imag @ fine.real
    return np.asarray(total.ravel()[:n], dtype=np.float64)


def resonated(x: Signal, formants: Sequence[tuple[float, float, float]]) -> Signal:
    """Sum of two-pole resonators (Hz, bandwidth in Hz, gain at resonance) driven by `x`."""
    total = np.zeros(x.size)
    for hertz, bandwidth, gain in formants:
        b, a = signal.iirpeak(hertz, hertz / bandwidth, fs=SAMPLE_RATE)
        total += gain * signal.lfilter(b, a, x)
    return total


def voice(f0: Signal, formants: Sequence[Formant], tilt: float, top: float = 12_000.0) -> Signal:
    """Source and filter, additively: harmonics of `f0` Hz per sample, shaped by formants that may move.

    Args:
        f0: fundamental frequency in Hz per sample.
        formants: (Hz or curve in Hz, bandwidth in Hz, gain); their resonances add.
        tilt: fall of the source's spectrum in dB per octave.
        top: harmonics above this frequency are left out.
    """
    n = f0.size
    coarse = np.arange(0, n + _CONTROL, _CONTROL)
    f0_coarse = f0[np.minimum(coarse, n - 1)]
    centres = [
        (c[np.minimum(coarse, n - 1)] if isinstance(c, np.ndarray) else c, b, g) for c, b, g in formants
    ]
    phi = phase(f0)
    before, now, twice = np.zeros(n), np.sin(phi), 2 * np.cos(phi)
    total = np.zeros(n)
    for k in range(1, max(2, int(top / max(20.0, float(f0.min()))) + 1)):
        f = k * f0_coarse
        gain = sum(g * c * b / np.sqrt((c * c - f * f) ** 2 + (b * f) ** 2) for c, b, g in centres)
        gain = gain * k ** (-tilt / 6.02) * np.clip((top - f) / (0.1 * top), 0, 1)
        total += np.interp(np.arange(n), coarse, gain) * now
        before, now = now, twice * now - before
    return total


def breath(
    f0: Signal, rng: Rng, formants: Sequence[tuple[float, float, float]], sharp: float = 2.0
) -> Signal:
    """Breathy voice [n], unit RMS: turbulence let through by the glottis once a period, then formants.

    Args:
        f0: fundamental frequency in Hz per sample.
        rng: draws the noise.
        formants: (Hz, bandwidth in Hz, gain).
        sharp: how briefly the glottis opens (the power of a half sine); 0 for a steady stream.
    """
    opening = np.maximum(0.0, np.sin(phase(f0))) ** sharp
    return unit(resonated(band(f0.size, rng, 100, 6000, 6.0) * opening, formants))


def jitter(n: int, rng: Rng, depth: float) -> Signal:
    """Irregular vocal folds [n] around 1: the period wanders by about `depth`; upper harmonics blur."""
    return 1 + depth * (walk(n, rng, 35.0) + walk(n, rng, 130.0) + walk(n, rng, 400.0))


def roughness(n: int, rng: Rng, rate: float, depth: float) -> Signal:
    """Irregular amplitude [n] around 1, as of a hoarse voice: random at `rate` Hz."""
    return np.asarray(np.maximum(0.0, 1 + depth * walk(n, rng, rate)), dtype=np.float64)


# --- space --------------------------------------------------------------------------------------


def on_location(x: Signal, rng: Rng, level: float, air: Sequence[tuple[float, float]] = OPEN_AIR) -> Signal:
    """Lay the air of a place, noise `level` relative to the peak, softly under an event."""
    return x + level * float(np.abs(x).max()) * faded(shaped(x.size, rng, air), 0.25, 0.35)


def reverberated(x: Signal, rng: Rng, seconds: float, share: float, bright: float = 4000.0) -> Signal:
    """Add a diffuse tail (exponentially decaying noise, low-passed at `bright` Hz) of the given RT60."""
    size = samples(seconds)
    tail = lowpass(rng.standard_normal(size), bright) * np.exp(-6.908 * np.arange(size) / size)
    tail /= np.sqrt(np.sum(tail * tail)) + 1e-12
    diffuse = convolved(x, tail)
    diffuse *= share
    diffuse += x
    return diffuse


def passed(x: Signal, distance: float, speed: float, at: float) -> Signal:
    """A source on a straight line past the listener: Doppler shift and 1/r by the true path of the sound.

    Args:
        x: what the source gives out; sample 0 leaves it at time 0.
        distance: nearest distance in metres.
        speed: in metres a second.
        at: seconds after which it is nearest.
    """
    emitted = np.arange(x.size) / SAMPLE_RATE
    metres = np.hypot(distance, speed * (emitted - at))
    arrival = (metres - metres[0]) / 343.0
    arrival += emitted
    del emitted
    given = np.divide(x * distance, metres, out=metres)
    heard = np.arange(int(arrival[-1] * SAMPLE_RATE)) / SAMPLE_RATE
    return np.asarray(np.interp(heard, arrival, given), dtype=np.float64)


def stereo(make: Callable[[Rng], Signal], rng: Rng, width: float = 0.7) -> Signal:
    """Two takes of a wide sound [2, n]: `width` 0 is mono, 1 two independent channels."""
    left, right = make(rng), make(rng)
    both = np.empty((2, left.size))
    for ear, near, far in zip(both, (left, right), (right, left), strict=True):
        np.multiply(far, 1 - width, out=ear)
        ear += near
    return both


# --- finishing ----------------------------------------------------------------------------------


def texture(x: Signal) -> FloatArray:
    """Finish a texture: no DC, RMS −20 dBFS, or less where the peak would go over −3 dBFS."""
    lead = min(4800, x.shape[-1])  # samples of a mirror, which the filter hears first: it starts settled
    rows = np.empty(np.atleast_2d(x).shape)
    for row, source in zip(rows, np.atleast_2d(x), strict=True):
        row[:] = highpass(np.concatenate([source[:lead][::-1], source]), _LOWEST)[lead:]
    rms, peak = float(np.sqrt(np.mean(rows * rows))), float(max(rows.max(), -rows.min()))
    rows *= min(TEXTURE_RMS / (rms + 1e-12), PEAK / (peak + 1e-12))
    return rows.astype(np.float32)


def event(x: Signal, n_samples: int, rise: float = 0.0005, fall: float = 0.02) -> FloatArray:
    """Finish an event: no DC, cut at `n_samples`, both ends at zero, peak −3 dBFS."""
    rows = faded(highpass(np.atleast_2d(x), _LOWEST)[:, :n_samples], rise, fall)
    rows[:, 0] = 0.0
    return np.asarray(rows * (PEAK / (float(np.abs(rows).max()) + 1e-12)), dtype=np.float32)


# --- made things --------------------------------------------------------------------------------


def blow(seconds: float, rng: Rng | None = None, bounces: int = 0) -> Signal:
    """Force of one touch, of unit area: a half sine as long as the contact; with `rng`, small bounces after.

    The shorter the contact, the higher the modes that it wakes: a null lies at 1.5 / `seconds` Hz.
    """
    size = samples(seconds)
    force = np.sin(np.pi * (np.arange(size) + 0.5) / size)
    force /= force.sum()
    if rng is None or bounces == 0:
        return np.asarray(force, dtype=np.float64)
    whole = np.zeros(size * 8)
    place(whole, force, 0)
    for _ in range(bounces):
        place(whole, force, int(rng.integers(size, 6 * size)), rng.uniform(0.1, 0.5))
    return whole


def body(
    rng: Rng, low: float, high: float, count: int, seconds: float, damping: float = 0.5, tilt: float = 0.0
) -> tuple[Signal, Signal, Signal]:
    """Many modes of a body: (Hz, 60 dB decay times, gains), for `modes`.

    Args:
        rng: draws them.
        low: lowest frequency in Hz.
        high: highest frequency in Hz; between the two they lie evenly over log frequency, scattered.
        count: how many.
        seconds: decay time of the lowest; the others die sooner, by (f / low) ** −damping.
        damping: 0.3 metal and glass, 0.5 stone, 0.8 wood.
        tilt: gain in dB per octave.
    """
    place_of = (np.arange(count) + rng.uniform(0, 1, count)) / count
    hertz = low * (high / low) ** place_of
    ratio = hertz / low
    gains = ratio ** (tilt / 6.02) * rng.uniform(0.3, 1.0, count)
    return hertz, seconds * ratio**-damping, gains
