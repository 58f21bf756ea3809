"""A page with a spectrogram of every procedural model, and one line on its physics.

    python -m ssv2a.soundbank.gallery docs

writes `gallery.md` and `images/gallery/FAMILY.webp`: one picture a family, in which every model has one draw.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from ssv2a.mel_picture import mel_picture
from ssv2a.soundbank.model import SoundModel
from ssv2a.soundbank.models import all_models
from ssv2a.train.data import render_draw
from ssv2a.types import ByteArray, FloatArray

PAGE = "gallery.md"
PICTURES = Path("images") / "gallery"
SECONDS = 6.0  # of each model
_COLUMNS = 4
_WIDTH, _HEIGHT, _TITLE, _GAP = 240, 96, 16, 8  # pixels of a cell's picture, its title and the space around
_RANGE_DB = 60.0

# From silence to the loudest.
_SHADES = np.array([(8, 8, 20), (70, 20, 110), (190, 55, 80), (250, 150, 60), (252, 250, 200)], float)

_HEAD = """# The procedural sound models

Every sound here is computed: no recording is in it. Each picture has one draw of each model of a family: six
seconds, 40 Hz to 16 kHz (mel) upwards, {range:.0f} dB from dark to bright; events come again after natural
pauses. Another draw of the parameters, and another seed, sounds otherwise.

To hear one: `ssv2a bank audition model.mammal.dog --out dog.wav`.
This page is written by `python -m ssv2a.soundbank.gallery docs`.
"""


def write_gallery(docs: Path, models: Mapping[str, SoundModel]) -> None:
    """Write the page and its pictures.

    Args:
        docs: folder of the documentation.
        models: by name, "family.model".
    """
    (docs / PICTURES).mkdir(parents=True, exist_ok=True)
    text = _HEAD.format(range=_RANGE_DB)
    for family, members in _families(models).items():
        picture = PICTURES / f"{family}.webp"
        _sheet(members).save(docs / picture, quality=70, method=6)
        text += f"\n## {family}\n\n![spectrograms of the {family} models]({picture.as_posix()})\n\n"
        text += "| model | sound | kind | physics |\n|---|---|---|---|\n"
        text += "".join(f"| `{m.name}` | {m.sound} | {m.kind} | {m.physics} |\n" for m in members)
    (docs / PAGE).write_text(text, encoding="utf-8")


def spectrogram(waveform: FloatArray, width: int = _WIDTH, height: int = _HEIGHT) -> ByteArray:
    """[height, width, 3]: mel bands upwards, time to the right."""
    shade = Image.fromarray(mel_picture(waveform, _RANGE_DB)[::-1])
    grey = shade.resize((width, height), Image.Resampling.BILINEAR)
    place = np.asarray(grey, float) / 255 * (len(_SHADES) - 1)
    lower = np.minimum(place.astype(int), len(_SHADES) - 2)
    share = (place - lower)[..., None]
    return np.asarray(_SHADES[lower] * (1 - share) + _SHADES[lower + 1] * share, np.uint8)


def _families(models: Mapping[str, SoundModel]) -> dict[str, list[SoundModel]]:
    families: dict[str, list[SoundModel]] = {}
    for name, model in sorted(models.items()):
        families.setdefault(name.partition(".")[0], []).append(model)
    return families


def _sheet(members: Sequence[SoundModel]) -> Image.Image:
    rows = -(-len(members) // _COLUMNS)
    columns = min(_COLUMNS, len(members))
    cell_width, cell_height = _WIDTH + _GAP, _TITLE + _HEIGHT + _GAP
    sheet = Image.new("RGB", (columns * cell_width, rows * cell_height), "white")
    pen = ImageDraw.Draw(sheet)
    for number, model in enumerate(members):
        left, top = number % _COLUMNS * cell_width, number // _COLUMNS * cell_height
        pen.text((left, top + 2), model.name, fill="black")
        picture = spectrogram(render_draw(model, 0, SECONDS))
        sheet.paste(Image.fromarray(picture), (left, top + _TITLE))
    return sheet


if __name__ == "__main__":
    write_gallery(Path(sys.argv[1]), all_models())
