"""Parts of sound files as a bank plays them: at 48 kHz, one or two channels, every sample a number.

What libsndfile cannot read is decoded by ffmpeg. No more of a file is held than the parts that are wanted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import soundfile
import soxr

from ssv2a.errors import BundleError, InputError
from ssv2a.types import SAMPLE_RATE, FloatArray

WHOLE = (0.0, math.inf)  # seconds: all of a file
_SIZES = re.compile(r":\s*(\d+) \(should be (\d+)\)")  # libsndfile's note of a header that says otherwise
_NOT_KNOWN_YET = 0x7FFF_0000  # bytes or samples: from here on a header is of a program that streamed the file
SHORTEST = 0.005  # seconds of a part: less is no sound, and nothing could be played of it without end


def clean(samples: FloatArray) -> FloatArray:
    """The samples, with silence for those that are infinite or no numbers."""
    return np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)


def share_there(path: Path, seconds: float) -> float:
    """How much of what a file's header says is there: 0.5 of one that was cut in half.

    Args:
        path: of any format; where no header tells, as of OGG, it counts as whole.
        seconds: that could be read of it.
    """
    try:
        with soundfile.SoundFile(path) as file:
            sizes = [(int(said), int(there)) for said, there in _SIZES.findall(file.extra_info)]
            sizes.append((file.frames, round(seconds * file.samplerate)))
    except soundfile.LibsndfileError:
        return 1.0
    return min([1.0, *(there / said for said, there in sizes if there < said < _NOT_KNOWN_YET)])


def read_parts(path: Path, spans: Sequence[tuple[float, float]]) -> tuple[FloatArray, ...]:
    """Parts of a sound file, each [1 or 2, n] at 48 kHz; no more of the file is read than they need.

    Args:
        path: of any format that libsndfile or ffmpeg reads; more than two channels are mixed down to one.
        spans: (first, last) second of each; WHOLE: from the beginning to the end.

    Raises:
        BundleError: the file is missing or unreadable, or has less than SHORTEST of a part.
    """
    try:
        path.open("rb").close()  # what the system says of it is clearer than what ffmpeg says
        with soundfile.SoundFile(path) as file:
            parts = [_part(file, first, last) for first, last in spans]
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror}); is the library mounted?") from error
    except soundfile.LibsndfileError:
        parts = _decoded_parts(path, spans)
    for part, (first, _) in zip(parts, spans, strict=True):
        if part.shape[1] < SHORTEST * SAMPLE_RATE:
            raise BundleError(
                f"{path}: {1000 * part.shape[1] / SAMPLE_RATE:.3g} ms of sound from second {first:g} on; "
                f"expected at least {1000 * SHORTEST:.0f} ms. Is the file whole? Build the bank again."
            )
    return tuple(parts)


def _part(file: soundfile.SoundFile, first: float, last: float) -> FloatArray:
    file.seek(min(round(first * file.samplerate), file.frames))
    frames = -1 if math.isinf(last) else round((last - first) * file.samplerate)
    samples = file.read(frames, dtype="float32", always_2d=True)
    return _stereo(soxr.resample(clean(samples), file.samplerate, SAMPLE_RATE).T)


def _decoded_parts(path: Path, spans: Sequence[tuple[float, float]]) -> list[FloatArray]:
    """The same through ffmpeg, decoded from the beginning to the last part's end."""
    from ssv2a.sounds import sound_blocks  # ffmpeg is not needed for most banks

    until = max(last for _, last in spans)
    pieces: list[list[FloatArray]] = [[np.zeros((1, 0), np.float32)] for _ in spans]
    place = 0
    try:
        for block in islice(sound_blocks(path), None if math.isinf(until) else math.ceil(until) + 1):
            end = place + block.shape[1]
            for part, (first, last) in zip(pieces, spans, strict=True):
                begin = max(round(first * SAMPLE_RATE), place)
                stop = end if math.isinf(last) else min(round(last * SAMPLE_RATE), end)
                if begin < stop:
                    part.append(_stereo(clean(block[:, begin - place : stop - place])))
            place = end
    except InputError as error:
        raise BundleError(f"{error} Build the bank again.") from error
    return [np.concatenate(part[1:] or part, axis=1) for part in pieces]


def _stereo(sound: FloatArray) -> FloatArray:
    """At most two channels: more are mixed down to one."""
    kept = sound if len(sound) <= 2 else sound.mean(axis=0, keepdims=True)
    return np.array(kept, np.float32, order="C")
