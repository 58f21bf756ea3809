"""Pictures and sounds from files: what they hold comes out upright and whole, what cannot be used is said."""

import io
import struct
import zlib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from ssv2a import images, sounds
from ssv2a.errors import InputError
from ssv2a.images import read_image
from ssv2a.media import ffmpeg
from ssv2a.sounds import read_sound

RATE = 48_000
WIDTH, HEIGHT = 48, 32


def picture() -> np.ndarray:
    """Four quarters: red, green, blue, white; wider than high, so that turns and swapped axes show."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    half, middle = HEIGHT // 2, WIDTH // 2
    image[:half, :middle, 0] = 255
    image[:half, middle:, 1] = 255
    image[half:, :middle, 2] = 255
    image[half:, middle:] = 255
    return image


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


# Pictures


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP"])
def test_a_picture_is_told_by_its_content_whatever_its_name(tmp_path, kind):
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95, "subsampling": 0}}.get(kind, {})
    path = written(tmp_path / "PICTURE.Of.A.Thing", encoded(Image.fromarray(picture()), kind, **options))
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    image = read_image(path)
    assert image.dtype == np.uint8
    assert np.abs(image.astype(int) - picture()).max() <= (8 if kind == "JPEG" else 0)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_comes_upright(tmp_path, kind, orientation):
    undone = {  # how a camera held in that way stores an upright picture
        1: lambda x: x,
        2: lambda x: x[:, ::-1],
        3: lambda x: x[::-1, ::-1],
        4: lambda x: x[::-1],
        5: lambda x: x.transpose(1, 0, 2),
        6: lambda x: np.rot90(x, 1),
        7: lambda x: x.transpose(1, 0, 2)[::-1, ::-1],
        8: lambda x: np.rot90(x, -1),
    }
    stored = Image.fromarray(np.ascontiguousarray(undone[orientation](picture())))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = read_image(written(tmp_path / "a", encoded(stored, kind, exif=exif)))
    assert image.shape == (HEIGHT, WIDTH, 3)
    wrong = np.abs(image.astype(int) - picture()) > 60  # the edges of a JPEG's quarters are soft
    assert wrong.mean() < 0.05


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_not_clipped(tmp_path, kind):
    ramp = np.linspace(0, 65535, WIDTH * HEIGHT).round().astype(np.uint16).reshape(HEIGHT, WIDTH)
    grey = read_image(written(tmp_path / "grey", encoded(Image.fromarray(ramp), kind)))
    assert np.abs(grey - (ramp / 257)[:, :, None]).max() <= 0.5
    colours = np.stack([ramp, ramp[::-1], ramp[:, ::-1]], axis=-1)
    path = tmp_path / f"colours.{kind.lower()}"  # Pillow writes none; ffmpeg does
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb48le", "-s", f"{WIDTH}x{HEIGHT}", "-i", "pipe:0"]
    ffmpeg.run([*raw, "-frames:v", "1", ffmpeg.url(path)], timeout=30, stdin=colours.astype("<u2").tobytes())
    assert np.abs(read_image(path) - colours / 257).max() <= 1


def test_floating_point_is_scaled(tmp_path):
    ramp = np.linspace(0, 1, WIDTH * HEIGHT, dtype=np.float32).reshape(HEIGHT, WIDTH)
    image = read_image(written(tmp_path / "a", encoded(Image.fromarray(ramp), "TIFF")))
    assert np.abs(image - 255 * ramp[:, :, None]).max() <= 0.51


@pytest.mark.parametrize(
    ("mode", "kind"), [("RGBA", "PNG"), ("RGBA", "WEBP"), ("LA", "PNG"), ("RGBA", "GIF"), ("P", "PNG")]
)
def test_what_is_transparent_lies_over_white(tmp_path, mode, kind):
    opaque = Image.fromarray(picture()).convert("RGBA")
    alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
    alpha[:, : WIDTH // 2] = 0
    opaque.putalpha(Image.fromarray(alpha))
    options = {"lossless": True} if kind == "WEBP" else {}
    layer = opaque.quantize(8) if mode == "P" else opaque.convert(mode)
    image = read_image(written(tmp_path / "a", encoded(layer, kind, **options)))
    assert (image[:, : WIDTH // 2] == 255).all()
    green = image[: HEIGHT // 2, WIDTH // 2 :].reshape(-1, 3).mean(axis=0)
    assert green.min() < 160, "the opaque half is as it was"


def test_half_transparent_is_half_white(tmp_path):
    layer = Image.new("RGBA", (4, 4), (255, 0, 0, 128))
    image = read_image(written(tmp_path / "a", encoded(layer, "PNG")))
    assert np.abs(image.astype(int) - (255, 127, 127)).max() <= 1


@pytest.mark.parametrize(
    ("mode", "kind"), [("CMYK", "JPEG"), ("CMYK", "TIFF"), ("L", "JPEG"), ("1", "PNG"), ("P", "PNG")]
)
def test_other_colour_modes_become_rgb(tmp_path, mode, kind):
    image = read_image(written(tmp_path / "a", encoded(Image.fromarray(picture()).convert(mode), kind)))
    assert image.shape == (HEIGHT, WIDTH, 3)
    assert image[-2, -2].min() > 240, "white stays white"
    if mode in ("CMYK", "P"):
        assert image[2, 2].argmax() == 0
        assert image[-2, 2].argmax() == 2


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_frame_is_taken(tmp_path, kind):
    frames = [Image.new("RGB", (WIDTH, HEIGHT), colour) for colour in ("red", "green", "blue")]
    image = read_image(
        written(tmp_path / "a", encoded(frames[0], kind, save_all=True, append_images=frames[1:]))
    )
    assert np.abs(image.reshape(-1, 3).mean(axis=0) - (255, 0, 0)).max() < 4


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_very_wide_picture_is_reduced_and_keeps_its_shape(tmp_path, kind):
    wide = np.zeros((400, 20_000, 3), np.uint8)
    wide[:, 10_000:] = 255
    image = read_image(written(tmp_path / "a", encoded(Image.fromarray(wide), kind)))
    assert image.shape == (41, images.LONGEST_SIDE, 3)
    assert image[:, :1000].max() < 10
    assert image[:, 1050:].min() > 245


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (9000, 1)])
def test_the_smallest_pictures_are_pictures(tmp_path, size):
    height, width = read_image(written(tmp_path / "a", encoded(Image.new("RGB", size), "PNG"))).shape[:2]
    assert min(height, width) >= 1
    assert max(height, width) <= images.LONGEST_SIDE


NOISE = Image.effect_noise((300, 300), 90)


def bomb(side: int) -> bytes:
    """The head of a PNG that promises side × side pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no picture in it"),
        (b"this is a text\n" * 100, "no picture in it; expected one as PNG, JPEG"),
        (
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
            "no picture in it",
        ),  # Pillow would run Ghostscript
        (bomb(100_000), "too large; expected at most 179 million pixels"),
        (encoded(Image.fromarray(picture()), "PNG")[:90], "cannot be read"),
        (encoded(NOISE, "JPEG")[:9000], "truncated"),
        (
            encoded(NOISE, "TIFF", compression="tiff_lzw")[:9000],
            "no picture in it",
        ),
    ],
    ids=["empty", "text", "eps", "bomb", "png", "jpeg", "tiff"],
)
def test_what_is_no_whole_picture_is_refused_by_name(tmp_path, data, says):
    path = written(tmp_path / "thing.png", data)
    with pytest.raises(InputError) as caught:
        read_image(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("read", [read_image, read_sound])
def test_missing_files_and_folders_are_errors_of_their_own(tmp_path, read):
    with pytest.raises(InputError, match="No such file"):
        read(tmp_path / "nothing.png")
    with pytest.raises(InputError, match="Is a directory"):
        read(tmp_path)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP"]),
    hits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=20),
    cut=st.floats(0.2, 1),
)
def test_broken_bytes_are_a_picture_or_an_input_error(tmp_path, kind, hits, cut):
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {} if kind in ("GIF", "BMP") else {"exif": exif}
    data = bytearray(encoded(Image.fromarray(picture()), kind, **options))
    for place, value in hits:
        data[int(place * (len(data) - 1))] = value
    path = written(tmp_path / "broken", bytes(data[: int(cut * len(data))]))
    try:
        image = read_image(path)
    except InputError:
        return
    assert image.ndim == 3
    assert image.shape[2] == 3


# Sounds


def tones(seconds: float, channels: int, rate: int = RATE) -> np.ndarray:
    """[n, channels]: channel k is a sine of 300 + 200 k Hz at a tenth of full scale."""
    time = np.arange(round(seconds * rate)) / rate
    return np.stack([0.1 * np.sin(2 * np.pi * (300 + 200 * k) * time) for k in range(channels)], axis=1)


def levels(sound: np.ndarray, channels: int) -> list[float]:
    """Amplitude of each channel's sine in a mixture."""
    time = np.arange(sound.size) / RATE
    waves = [np.exp(2j * np.pi * (300 + 200 * k) * time) for k in range(channels)]
    return [2 * abs(np.mean(sound * wave)) for wave in waves]


@pytest.mark.parametrize(
    ("suffix", "rate", "channels"),
    [
        ("wav", 48_000, 2),
        ("wav", 8_000, 1),
        ("wav", 192_000, 8),
        ("wav", 44_100, 13),
        ("flac", 96_000, 6),
        ("mp3", 44_100, 2),
        ("ogg", 22_050, 3),
    ],
)
def test_every_channel_is_heard_at_any_rate(tmp_path, suffix, rate, channels):
    path = tmp_path / f"Sound.{suffix.upper()}"
    soundfile.write(path, tones(2, channels, rate), rate, format=suffix.upper())
    sound = read_sound(path)
    assert sound.dtype == np.float32
    assert sound.shape[0] == 1
    assert sound.shape[1] == pytest.approx(2 * RATE, abs=0.06 * RATE)  # MP3 adds its encoder's delay
    middle = sound[0, RATE // 2 : 3 * RATE // 2]
    assert levels(middle, channels) == pytest.approx([0.1 / channels] * channels, rel=0.1)


def test_a_long_sound_is_heard_to_its_end(tmp_path):
    tone = tones(25, 1)
    tone[: 24 * RATE] = 0
    soundfile.write(tmp_path / "a.wav", tone, RATE)
    sound = read_sound(tmp_path / "a.wav")
    assert sound.shape == (1, 25 * RATE)
    assert np.abs(sound[0, -RATE:]).max() == pytest.approx(0.1, rel=0.01)


def test_a_sound_begins_where_its_stream_begins(tmp_path):
    """Broadcast streams count from some hour on: that is no silence."""
    soundfile.write(tmp_path / "a.wav", tones(2, 1), RATE)
    late = ["-itsoffset", "3600", "-i", ffmpeg.url(tmp_path / "a.wav"), "-c:a", "mp2"]
    ffmpeg.run([*late, "-f", "mpegts", ffmpeg.url(tmp_path / "a.ts")], timeout=30)
    sound = read_sound(tmp_path / "a.ts")
    assert sound.shape[1] == pytest.approx(2 * RATE, abs=0.1 * RATE)
    assert np.abs(sound[0, : RATE // 5]).max() > 0.05


def test_the_sound_of_a_clip_can_be_given(tmp_path):
    soundfile.write(tmp_path / "a.wav", tones(1, 2), RATE)
    args = ["-f", "lavfi", "-i", "color=black:size=64x64:duration=1", "-i", ffmpeg.url(tmp_path / "a.wav")]
    ffmpeg.run([*args, "-shortest", ffmpeg.url(tmp_path / "clip.mkv")], timeout=30)
    assert np.abs(read_sound(tmp_path / "clip.mkv")).max() > 0.05


def test_a_sound_beyond_the_longest_is_refused_before_it_fills_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(sounds, "LONGEST", 2)
    soundfile.write(tmp_path / "fits.wav", tones(2, 1), RATE)
    soundfile.write(tmp_path / "long.wav", tones(2 + Fraction(1, 100), 1), RATE)
    assert read_sound(tmp_path / "fits.wav").shape[1] == 2 * RATE
    with pytest.raises(InputError, match=r"long\.wav: too long"):
        read_sound(tmp_path / "long.wav")


def test_sounds_in_which_nothing_is_heard_are_refused(tmp_path):
    opposed = tones(1, 1)
    for name, data, says in (
        ("none.wav", np.zeros((0, 2)), "no samples"),
        ("silent.wav", np.zeros((RATE, 2)), "silent"),
        ("phase.wav", np.concatenate([opposed, -opposed], axis=1), "phase"),
        ("nan.wav", np.full((RATE, 1), np.nan), "no numbers"),
    ):
        soundfile.write(tmp_path / name, data, RATE, subtype="FLOAT")
        with pytest.raises(InputError, match=says) as caught:
            read_sound(tmp_path / name)
        assert name in str(caught.value)


def test_files_without_sound_are_refused(tmp_path):
    (tmp_path / "text.wav").write_text("RIFF is what a WAV begins with, but not this.")
    (tmp_path / "text.flac").write_text("a suffix that ffmpeg believes for a while")
    Image.fromarray(picture()).save(tmp_path / "picture.png")
    with pytest.raises(InputError, match=r"text\.wav"):
        read_sound(tmp_path / "text.wav")
    with pytest.raises(InputError, match=r"text\.flac: the sound in it cannot be read"):
        read_sound(tmp_path / "text.flac")
    with pytest.raises(InputError, match=r"picture\.png: no sound in it"):
        read_sound(tmp_path / "picture.png")
