"""The sidecar: a Broadcast Wave file that an editor drops onto the timeline at the clip's timecode."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

from foley_daemon.compare import Comparison
from foley_daemon.containers import OUTPUT_MARK
from foley_daemon.contents import read_contents
from foley_daemon.domain import SAMPLE_RATE, Probe
from foley_daemon.errors import VerificationFailed
from ssv2a.media import ffmpeg
from ssv2a.media.audio import read_wav_blocks

_TIMECODE = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d)")


def time_reference(timecode: str | None, frame_rate: Fraction) -> int:
    """Samples since midnight at 48 kHz (EBU Tech 3285, bext) of a SMPTE 12M timecode; 0 without one.

    Args:
        timecode: "01:00:00:00"; with ";" or "." before the frames it is drop-frame.
        frame_rate: that it counts, frames a second.
    """
    found = _TIMECODE.fullmatch(timecode or "")
    if found is None:
        return 0
    hours, minutes, seconds, frames = (int(found[group]) for group in (1, 2, 3, 5))
    per_second = round(frame_rate)
    total_minutes = 60 * hours + minutes
    number = (60 * total_minutes + seconds) * per_second + frames
    if found[4] != ":":  # drop-frame: the first two numbers (of 30) of nine minutes in ten are left out
        number -= per_second // 15 * (total_minutes - total_minutes // 10)
    return round(number / frame_rate * SAMPLE_RATE)


def _reference(probe: Probe) -> int:
    return time_reference(probe.timecode, probe.timecode_rate or probe.video.frame_rate)


def write_sidecar(probe: Probe, audio: Path, part: Path, tags: Mapping[str, str]) -> None:
    """Write `audio` as 48 kHz, 24-bit BWF, RF64 beyond 4 GiB.

    Raises:
        FfmpegFailed, FfmpegTimeout: ffmpeg could not write it.
    """
    now = datetime.now(UTC)
    fields = {
        "description": f"Foley for {probe.path.name}"[:200].encode("ascii", "replace").decode(),
        "originator": "foley-daemon",
        "origination_date": now.strftime("%Y-%m-%d"),
        "origination_time": now.strftime("%H:%M:%S"),
        "time_reference": str(_reference(probe)),
        "comment": " ".join([OUTPUT_MARK, *(f"{key}={value}" for key, value in tags.items())]),
    }
    metadata = [word for key, value in fields.items() for word in ("-metadata", f"{key}={value}")]
    args = ["-y", "-i", ffmpeg.url(audio), "-map", "0:a:0", "-map_metadata", "-1", "-c:a", "pcm_s24le"]
    args += [*metadata, "-write_bext", "1", "-rf64", "auto", "-f", "wav", ffmpeg.url(part)]
    ffmpeg.run(args, timeout=120 + float(probe.duration))


def verify_sidecar(probe: Probe, audio: Path, part: Path) -> tuple[str, ...]:
    """Compare what was written with the render, sample by sample.

    Raises:
        VerificationFailed: it differs by more than one step of 24 bits, in length, or in its time reference.
    """
    comparison = Comparison()
    for wanted, got in zip(read_wav_blocks(audio), read_wav_blocks(part), strict=False):
        comparison.push(wanted, got)
    comparison.check_length(probe.n_samples)
    sound = comparison.check_exact(24)
    reference = str(_reference(probe))
    found = read_contents(part).tags.get("time_reference")
    if found != reference:
        raise VerificationFailed(
            f"sidecar: expected the time reference {reference}, got {found}; it was not published"
        )
    return (
        sound,
        f"time reference: {reference} samples since midnight ({probe.timecode or 'no timecode'})",
    )
