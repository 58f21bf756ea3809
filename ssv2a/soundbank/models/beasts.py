"""Large mammals of the far voice: the lion's roar, the wolf's howl, the camel's groan."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import fft

from ssv2a.soundbank.dsp import (
    LEAVES,
    Rng,
    Signal,
    band,
    blow,
    convolved,
    crossings,
    curve,
    drawn,
    event,
    faded,
    filtered,
    impulses,
    jitter,
    on_location,
    phase,
    place,
    resonated,
    reverberated,
    samples,
    unit,
    walk,
)
from ssv2a.soundbank.model import Params, SoundModel
from ssv2a.types import SAMPLE_RATE, FloatArray

_SHUT = ((185, 55, 1.5), (390, 100, 0.5), (560, 130, 0.3), (1050, 250, 0.1))
_OPEN = ((290, 120, 0.45), (500, 130, 0.9), (690, 140, 1.0), (1350, 300, 0.25))
"""Formants of a lion's long tract with the jaw shut and wide open: Hz, bandwidth, gain."""


def throat(
    x: Signal,
    shut: Sequence[tuple[float, float, float]],
    wide: Sequence[tuple[float, float, float]],
    gape: Signal,
) -> Signal:
    """A tract whose formants glide between two settings [n]: frames of 43 ms, filtered and laid over.

    Args:
        x: what the folds give.
        shut: formants at `gape` 0: Hz, bandwidth, gain.
        wide: as many at `gape` 1.
        gape: opening per sample, 0 to 1.
    """
    size, hop = 2048, 512
    padded = np.pad(x, (size, 2 * size))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop] * np.hanning(size + 1)[:size]
    middle = np.clip(np.arange(frames.shape[0]) * hop - size // 2, 0, x.size - 1)
    hertz = np.arange(size + 1) * (0.5 * SAMPLE_RATE / size)
    response = np.zeros((frames.shape[0], hertz.size), dtype=np.complex128)
    for low, high in zip(shut, wide, strict=True):
        centre, width, gain = (a + (b - a) * gape[middle, None] for a, b in zip(low, high, strict=True))
        response += gain / (1 + 1j * (hertz**2 - centre**2) / np.maximum(hertz * width, 1.0))
    ringing = fft.irfft(fft.rfft(frames, 2 * size) * response)
    total = np.zeros(padded.size + 2 * size)
    for index, frame in enumerate(ringing):
        total[index * hop : index * hop + 2 * size] += frame
    return np.asarray(0.5 * total[size : size + x.size], dtype=np.float64)


def heavy_folds(pulses: Signal, rough: float, rng: Rng) -> Signal:
    """Flow of big vocal folds driven to disorder [n]: hard slams, three to five weaker beats to each.

    They beat at four times `pulses`, but fall into cycles of four beats, give or take one, and of chance
    strength; turbulence bursts out with every slam (Titze et al. 2011).

    Args:
        pulses: slams a second, per sample.
        rough: 0 an even voice at four times `pulses`, 1 a roar.
        rng: draws the disorder.
    """
    n = pulses.size
    rate = pulses * (1 + 0.1 * rough * walk(n, rng, 7.0)) * jitter(n, rng, 0.01 + 0.05 * rough)
    turns = phase(rate)
    times = crossings(4 * turns / (2 * np.pi))
    lengths = rng.choice([3, 4, 4, 4, 5], times.size // 3 + 1)
    starts = np.cumsum(lengths) - lengths
    cycle = np.searchsorted(starts, np.arange(times.size), "right") - 1
    fading = np.exp(-1.5 * rough * (np.arange(times.size) - starts[cycle]))
    strength = 1 - 0.85 * rough * rng.uniform(0, 1, lengths.size)
    slams = unit(convolved(impulses(n, times, fading * strength[cycle]), blow(0.0012)))
    stream = unit(band(n, rng, 80, 1500, 6.0) * np.maximum(0.0, np.sin(turns)) ** 2)
    return np.asarray(slams + (0.15 + 0.45 * rough) * stream)


def roar(pulses: Signal, gape: Signal, rough: float, rng: Rng) -> Signal:
    """A big cat's call [n], unit RMS: heavy flat folds slam 40–60 times a second into a moving throat.

    The jaw's opening carries the formants up from a moan's 190 Hz to the 300–800 Hz of the full roar, with
    little above; the whole swells and sinks some ten times a second.

    Args:
        pulses: slams a second, per sample.
        gape: opening of the jaw per sample, 0 to 1.
        rough: unevenness, 0 to 1.
        rng: draws it.
    """
    call = throat(heavy_folds(pulses, rough, rng), _SHUT, _OPEN, gape)
    swell = 1 + 0.6 * rough * walk(call.size, rng, 11.0)
    bent = np.tanh(0.7 * unit(call) * swell)
    return unit(filtered(bent, [(30, -20), (120, 0), (800, 0), (1800, -14), (4000, -36), (12_000, -50)]))


def _lion(params: Params, n: int, rng: Rng) -> FloatArray:
    """One to three roars, abrupt and open, each sinking into a moan; then grunts (Eklund et al. 2011)."""
    parts: list[Signal] = []
    for _ in range(round(params["roars"])):
        size = samples(params["seconds"] * rng.uniform(0.8, 1.1))
        pulses = params["slams"] * curve(size, [(0, 0.95), (0.15, 1.1), (0.6, 1.0), (1, 0.75)])
        shut = 0.85 - 0.45 * params["moan"]
        gape = curve(size, [(0, 0.05), (0.14, 0.5), (0.3, 1.0), (0.7 * shut, 0.8), (shut, 0.1), (1, 0.0)])
        shape = curve(size, [(0, 0), (0.04, 0.7), (0.15, 1), (0.6, 0.85), (0.85, 0.6), (1, 0)])
        parts.append(roar(pulses, gape, params["rough"], rng) * shape)
        parts.append(np.zeros(samples(rng.uniform(0.1, 0.3))))
    for index in range(round(params["grunts"])):
        size = samples(rng.uniform(0.28, 0.42))
        pulses = params["slams"] * curve(size, [(0, 0.9), (0.3, 1.1), (1, 0.7)])
        grunt = roar(pulses, curve(size, [(0, 0.3), (0.25, 0.9), (1, 0.0)]), params["rough"], rng)
        shape = curve(size, [(0, 0), (0.08, 0.8), (0.3, 1), (0.6, 0.6), (1, 0)])
        parts += [0.7 * 0.9**index * grunt * shape, np.zeros(samples(rng.uniform(0.3, 0.45) + 0.04 * index))]
    plain = reverberated(np.concatenate([*parts, np.zeros(samples(0.5))]), rng, 0.6, params["plain"], 1500.0)
    return event(on_location(plain, rng, 0.003, LEAVES), n, 0.01, 0.2)


def howl(seconds: float, hertz: float, rng: Rng) -> Signal:
    """One wolf's howl [n], peak near 1: up with a break, a long unsteady hold, breaks down, a breathy end."""
    size = samples(seconds)
    rise, fall = rng.uniform(0.08, 0.13), rng.uniform(0.6, 0.7)
    low, step = rng.uniform(0.55, 0.65), rng.uniform(0.75, 0.85)
    path = [(0, low), (rise, 1.4 * low), (rise + 0.03, 1.0), (0.2, 1.05), (0.5, 1.0), (fall, 0.92)]
    path += [(fall + 0.04, step), (1, rng.uniform(0.5, 0.62))]
    f0 = hertz * curve(size, path) * (1 + 0.012 * walk(size, rng, 3.0)) * jitter(size, rng, 0.006)
    turns = phase(f0)
    tone = sum(gain * np.sin((k + 1) * turns) for k, gain in enumerate((1.0, 0.55, 0.42, 0.25, 0.15, 0.08)))
    air = resonated(band(size, rng, 200, 3000), [(hertz, 100.0, 1.0), (2 * hertz, 150.0, 0.6)])
    call = tone + 0.05 * unit(air)
    shape = curve(size, [(0, 0), (0.1, 0.6), (0.22, 1), (0.55, 0.9), (fall + 0.04, 0.45), (1, 0)])
    return np.asarray(call * shape)


def _wolf(params: Params, n: int, rng: Rng) -> FloatArray:
    """One wolf, or one and then others answering at pitches of their own, with the valley's echo."""
    total = np.zeros(samples(11.0))
    wolves, end, at = round(params["wolves"]), 0, 0.0
    for index in range(wolves):
        seconds = params["seconds"] * (1.0 if index == 0 else rng.uniform(0.6, 0.95))
        call = howl(seconds, params["f0"] * (1.0 if index == 0 else rng.uniform(0.65, 1.4)), rng)
        place(total, call, samples(at), 1.0 if index == 0 else rng.uniform(0.45, 0.8))
        end = max(end, samples(at) + call.size)
        at += rng.uniform(0.4, 1.2)
    dry = total[: min(end + samples(1.2), total.size)]
    far = dry.copy()
    for _ in range(3):  # slopes that throw it back
        place(far, dry, samples(rng.uniform(0.25, 0.9)), 0.2 * params["valley"])
    wood = reverberated(far, rng, 1.6, params["valley"], 2500.0)
    return event(on_location(faded(wood, 0.02, 0.6), rng, 0.004, LEAVES), n, 0.03, 0.4)


_NOSE = ((330, 70, 1.0), (720, 110, 0.5), (1150, 160, 0.2), (2200, 300, 0.12))
_MAW = ((480, 110, 0.7), (740, 100, 1.0), (1150, 180, 0.7), (2250, 300, 0.3), (3200, 450, 0.1))
"""Formants of a camel's tract, 45 cm to the lips, through the nose and with the mouth open."""


def groan(f0: Signal, gape: Signal, rough: float, wet: float, rng: Rng) -> Signal:
    """A camel's voice [n], unit RMS: slack folds that beat in twos and threes, through spit that bubbles.

    Args:
        f0: beats of the folds a second, per sample.
        gape: opening of the mouth per sample, 0 to 1.
        rough: unevenness of the beats, 0 to 1.
        wet: depth of the gurgle, 0 to 1: bubbles pass 15–25 times a second and shut the way as they form.
        rng: draws it.
    """
    n = f0.size
    turns = phase(f0 * jitter(n, rng, 0.008 + 0.025 * rough))
    times = crossings(turns / (2 * np.pi))
    beats = 1 - 0.3 * rough * rng.uniform(0, 1, times.size)
    beats[1::2] *= 1 - 0.55 * rough  # period doubling
    folds = unit(convolved(impulses(n, times, beats), blow(0.0011)))
    stream = unit(band(n, rng, 150, 2500, 6.0) * np.maximum(0.0, np.sin(turns)) ** 2)
    flow = folds + (0.12 + 0.25 * rough) * stream
    call = unit(resonated(flow, _NOSE)) * (1 - gape) + unit(resonated(flow, _MAW)) * gape
    spit = phase(rng.uniform(16, 22) * (1 + 0.35 * walk(n, rng, 9.0)))
    shut = (0.5 + 0.5 * np.sin(spit)) ** 2
    call *= 1 - wet * (0.55 + 0.25 * walk(n, rng, 5.0)) * shut
    bubbles = np.sin(phase(380 * (1 + 0.5 * shut) * (1 + 0.3 * walk(n, rng, 18.0)))) * shut**3
    call += 0.35 * wet * bubbles * (0.6 + 0.4 * walk(n, rng, 11.0))
    return unit(filtered(call, [(40, -18), (150, -3), (300, 0), (1200, 0), (3000, -14), (9000, -40)]))


def _camel(params: Params, n: int, rng: Rng) -> FloatArray:
    """One or two groans: a hum through the nose opens to a bellow, sways in pitch, sinks into a gurgle."""
    parts: list[Signal] = []
    for index in range(round(params["groans"])):
        size = samples(params["seconds"] * (1.0 if index == 0 else rng.uniform(0.5, 0.8)))
        top = rng.uniform(0.3, 0.5)
        path = [(0, 0.6), (0.12, 0.8), (top, 1.35), (0.7, 1.0), (1, rng.uniform(0.5, 0.65))]
        f0 = params["f0"] * curve(size, path) * (1 + params["sway"] * walk(size, rng, 5.0))
        gape = curve(size, [(0, 0.05), (0.15, 0.2), (top, 1.0), (0.75, 0.75), (1, 0.05)])
        gape = gape * (1 - 0.6 * walk(size, rng, 3.0, 0, 1) ** 2)
        shape = curve(size, [(0, 0), (0.06, 0.3), (0.2, 0.5), (top, 1), (0.75, 0.6), (0.92, 0.25), (1, 0)])
        call = groan(f0, gape * params["open"], params["rough"], params["wet"], rng)
        parts += [call * shape, np.zeros(samples(rng.uniform(0.25, 0.6)))]
    field = reverberated(
        np.concatenate([*parts[:-1], np.zeros(samples(0.4))]), rng, 0.5, params["field"], 2500.0
    )
    return event(on_location(field, rng, 0.003), n, 0.01, 0.15)


MODELS = (
    SoundModel(
        "mammal.lion",
        "lion_roar",
        "event",
        "Square, flat folds slam 40–70 times a second into a throat open to 800 Hz, then moan at 200 Hz "
        "(Titze et al. 2011).",
        drawn(
            slams=(40, 60),
            seconds=(0.85, 1.6),
            rough=(0.75, 1.0),
            moan=(0.0, 0.7),
            roars=(0.6, 3.0),
            grunts=(0.0, 3.4),
            plain=(0.04, 0.15),
        ),
        _lion,
        (0.6, 2.5),
    ),
    SoundModel(
        "mammal.wolf",
        "wolf_howl",
        "event",
        "f0 breaks up to 430–600 Hz, holds for seconds, breaks down; one wolf or a chorus, echo "
        "(Theberge & Falls 1967).",
        drawn(f0=(430, 600), seconds=(1.6, 2.6), wolves=(1.3, 5.4), valley=(0.03, 0.12)),
        _wolf,
        (0.6, 2.5),
    ),
    SoundModel(
        "mammal.camel",
        "camel_groan",
        "event",
        "Slack folds beat 80–200 times a second in twos, through spit that bubbles at 20 Hz and a long nose.",
        drawn(
            f0=(100, 170),
            seconds=(1.6, 2.8),
            sway=(0.06, 0.14),
            rough=(0.7, 1.0),
            wet=(0.5, 1.0),
            open=(0.6, 1.0),
            groans=(0.6, 2.4),
            field=(0.04, 0.12),
        ),
        _camel,
        (0.6, 2.5),
    ),
)
