"""Clips of known truth, made with the real ffmpeg.

Every frame carries its own number: frame n is the picture at n / rate seconds. `frame_number` reads
it back from a decoded, upright frame, at any size. The lower third is red, green and blue from left
to right, so that mirrored, turned or channel-swapped pictures are noticed. The sound is seeded noise,
so that an offset of one sample can be found.

    clip = make_clip(tmp_path / "a.mp4", seconds=2, rate="30000/1001", audio="stereo")
    frame_number(images[0])
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile

from ssv2a.media import ffmpeg
from ssv2a.types import ByteArray, FloatArray

RATE = 48_000
CHANNELS = {"mono": 1, "stereo": 2, "5.1": 6}
VIDEO = {
    "libx264": ["-preset", "veryfast", "-bf", "2", "-g", "25", "-crf", "28", "-threads", "1"],
    "mpeg4": ["-q:v", "5", "-g", "25"],
    "libvpx": ["-deadline", "realtime", "-cpu-used", "8", "-b:v", "500k", "-g", "25"],
    "libaom-av1": ["-cpu-used", "8", "-crf", "50", "-usage", "realtime"],
}
DEFAULTS = {  # suffix → video codec, audio codec
    ".mp4": ("libx264", "aac"),
    ".mov": ("libx264", "pcm_s16le"),
    ".mkv": ("libx264", "flac"),
    ".webm": ("libvpx", "libopus"),
    ".avi": ("mpeg4", "pcm_s16le"),
    ".ts": ("libx264", "aac"),
}


def make_clip(
    path: Path,
    *,
    seconds: float | Fraction,
    rate: str = "25",
    size: tuple[int, int] = (320, 180),
    audio: str | None = None,  # "mono" | "stereo" | "5.1"
    audio_delay: Fraction = Fraction(0),  # > 0: the sound starts after the picture
    codec: str | None = None,
    audio_codec: str | None = None,
    rotation: int = 0,  # degrees clockwise a player turns it; MP4 and MOV only. `size` is as shown
    keep: Collection[int] | None = None,  # only these frame numbers: variable frame rate
    options: tuple[str, ...] = (),  # further output options
) -> Path:
    """round(seconds · rate) numbered frames, and noise(seconds, channels) as their sound."""
    count = max(1, round(Fraction(seconds) * Fraction(rate)))
    stored = size[::-1] if rotation in (90, 270) else size
    video, sound = DEFAULTS[path.suffix]
    video, sound = codec or video, audio_codec or sound
    args = [
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-s",
        f"{stored[0]}x{stored[1]}",
        "-r",
        rate,
        "-i",
        "pipe:0",
    ]
    wav = path.with_name("sound.wav")
    if audio is not None:
        write_wav(wav, noise(Fraction(count) / Fraction(rate), CHANNELS[audio]))
        args += [
            "-itsoffset",
            f"{float(audio_delay + _lost_delay(path, sound)):.6f}",
            "-i",
            ffmpeg.url(wav),
            "-map",
            "0:v",
            "-map",
            "1:a",
        ]
        args += ["-c:a", sound]
    if keep is not None:
        wanted = "+".join(f"eq(n,{number})" for number in keep)
        args += ["-vf", f"select='{wanted}'", "-vsync", "vfr", "-enc_time_base", "1/90000"]
    args += ["-c:v", video, "-pix_fmt", "yuv420p", *VIDEO.get(video, []), *options, "-y", ffmpeg.url(path)]
    frames = (np.rot90(numbered_frame(number, size), rotation // 90) for number in range(count))
    ffmpeg.run(args, timeout=60, stdin=b"".join(frame.tobytes() for frame in frames))
    wav.unlink(missing_ok=True)
    if rotation:
        set_rotation(path, rotation)
    return path


def _lost_delay(path: Path, sound: str) -> Fraction:
    """Seconds that an older Matroska muxer would put Opus early."""
    lost = path.suffix in (".mkv", ".webm") and sound == "libopus" and not ffmpeg.adds_codec_delay()
    return Fraction(312, RATE) if lost else Fraction(0)


def numbered_frame(number: int, size: tuple[int, int] = (320, 180)) -> ByteArray:
    """[height, width, 3]: 16 cells, white for 1, lowest bit first; below red, green, blue."""
    width, height = size
    image = np.zeros((height, width, 3), np.uint8)
    for bit in range(16):
        row, column = divmod(bit, 8)
        if number >> bit & 1:
            cell = image[row * height // 3 : (row + 1) * height // 3]
            cell[:, column * width // 8 : (column + 1) * width // 8] = 255
    for channel in range(3):
        image[2 * height // 3 :, channel * width // 3 : (channel + 1) * width // 3, channel] = 255
    return image


def frame_number(image: ByteArray) -> int:
    """The number baked into an upright frame; asserts that it is upright and RGB."""
    height, width = image.shape[:2]
    for channel in range(3):
        colour = image[height * 5 // 6, width * (2 * channel + 1) // 6]
        assert int(np.argmax(colour)) == channel, f"colours wrong: {colour} at bar {channel}"
    number = 0
    for bit in range(16):
        row, column = divmod(bit, 8)
        value = image[height * (2 * row + 1) // 6, width * (2 * column + 1) // 16].mean()
        number |= int(value > 127) << bit
    return number


def noise(seconds: float | Fraction, channels: int = 2, seed: int = 1) -> FloatArray:
    """[channels, round(seconds · 48000)] noise, RMS about 0.1, below 10 kHz so that AAC keeps it."""
    count = round(Fraction(seconds) * RATE)
    white = np.random.default_rng(seed).standard_normal((channels, count + 8))
    smooth = np.stack([np.convolve(row, np.hanning(9)[:-1] / 4, "full")[4 : 4 + count] for row in white])
    return np.clip(0.15 * smooth, -0.9, 0.9).astype(np.float32)


def write_wav(path: Path, waveform: FloatArray, subtype: str = "FLOAT") -> Path:
    """A 48 kHz WAV of [channels, n]."""
    soundfile.write(path, waveform.T, RATE, subtype=subtype)
    return path


def trim_clip(source: Path, path: Path, start: float) -> Path:
    """A stream copy from `start` seconds on: in MP4 and MOV with an edit list that hides the lead-in."""
    ffmpeg.run(
        ["-ss", f"{start}", "-i", ffmpeg.url(source), "-c", "copy", "-y", ffmpeg.url(path)], timeout=60
    )
    return path


def set_rotation(path: Path, degrees: int) -> None:
    """Write the display matrix of the first track of an MP4 or MOV (ISO 14496-12, 8.3.2)."""
    cosine, sine = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    data = bytearray(path.read_bytes())
    body = data.index(b"tkhd") + 4
    matrix = [cosine << 16, sine << 16, 0, -sine << 16, cosine << 16, 0, 0, 0, 1 << 30]
    struct.pack_into(">9i", data, body + (40 if data[body] == 0 else 52), *matrix)
    path.write_bytes(data)


def offset_of(decoded: FloatArray, render: FloatArray) -> int:
    """Samples by which `decoded` (one channel) lies later than `render`, by cross-correlation."""
    size = 1 << (len(decoded) + len(render)).bit_length()
    product = np.fft.rfft(decoded, size) * np.conj(np.fft.rfft(render, size))
    peak = int(np.argmax(np.fft.irfft(product, size)))
    return peak - size if peak > size // 2 else peak
