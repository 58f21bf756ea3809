"""Pictures from files, as the eyes take them: upright, 8-bit RGB, not transparent. Files are only read."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ssv2a.errors import InputError
from ssv2a.types import ByteArray

LONGEST_SIDE = 2048  # pixels; larger pictures are reduced to it: no detector here looks at more
MOST_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or 0)  # of a file; above, Pillow suspects a decompression bomb
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP")  # told by content, whatever the file's name
BACKGROUND = (255, 255, 255)  # behind what is transparent: white, as in most viewers

_SIXTEEN_TO_EIGHT = 257  # 65535 / 255


def read_image(path: Path) -> ByteArray:
    """A picture file, upright (EXIF orientation), in its own shape.

    Of an animation the first frame is taken. 16-bit pictures are scaled to 8 bit, transparent ones laid
    over white, palettes, greys and CMYK turned into RGB. Colour profiles are not applied.

    Returns:
        [height, width, 3] uint8 RGB; the longer side is at most LONGEST_SIDE.

    Raises:
        InputError: the file cannot be read, is no picture, is broken off, or holds more than MOST_PIXELS.
    """
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of odd metadata and of large sizes
            with Image.open(file, formats=FORMATS) as image:
                image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))  # JPEG: decoded no larger than need be
                rgb = _rgb(ImageOps.exif_transpose(image))
        rgb.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.BICUBIC)
    except UnidentifiedImageError as error:
        raise InputError(
            f"{path}: no picture in it; expected one as {', '.join(FORMATS)}. Is the file whole?"
        ) from error
    except Image.DecompressionBombError as error:
        raise InputError(
            f"{path}: too large; expected at most {MOST_PIXELS / 1e6:.0f} million pixels. Make it smaller."
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # Pillow raises whatever broken bytes lead its decoders to
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise InputError(f"{path}: the picture cannot be read: {reason}. Is the file whole?") from error
    return np.asarray(rgb)


def _rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB of a picture in any of Pillow's modes."""
    if image.mode.startswith("I"):  # 16 bit, or 32 that hold 16: Pillow would cut off what is above 255
        return _grey(np.asarray(image, np.float64) / _SIXTEEN_TO_EIGHT)
    if image.mode == "F":  # floating point TIFF: 0 is black, 1 is white
        return _grey(np.nan_to_num(np.asarray(image, np.float64)) * 255)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        ground = Image.new("RGBA", layer.size, (*BACKGROUND, 255))
        return Image.alpha_composite(ground, layer).convert("RGB")
    return image.convert("RGB")


def _grey(values: np.ndarray) -> Image.Image:  # type: ignore[type-arg]
    return Image.fromarray(np.clip(values + 0.5, 0, 255).astype(np.uint8)).convert("RGB")
