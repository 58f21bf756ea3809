"""Contact sheets: of every kind of sound what the bank has, what comes from words, what comes from a picture.

    python -m ssv2a.evaluate.contact_sheet DIR [BANK]

writes `sheet-1.webp` … into DIR: a row a kind, three spectrograms of six seconds, none where nothing is.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from ssv2a.bundle import Bundle
from ssv2a.evaluate.material import Wanted, pictures
from ssv2a.pipeline import Ssv2a
from ssv2a.soundbank.bank import Bank
from ssv2a.soundbank.gallery import spectrogram
from ssv2a.soundbank.player import play_alone
from ssv2a.soundbank.vocabulary import vocabulary
from ssv2a.types import SAMPLE_RATE, Composition, FloatArray, VideoSettings

_N = 6 * SAMPLE_RATE  # samples of each sound
_WIDTH, _HEIGHT, _TITLE, _GAP = 220, 56, 13, 5  # pixels of a spectrogram, its title and the space around
_KINDS, _BESIDE = 14, 2  # kinds below each other on a sheet, and beside each other
_COLUMNS = ("bank", "words", "picture")
_SETTINGS = VideoSettings(var_samples=16, cycle_its=16, cycle_samples=16)


def write_sheets(folder: Path, bank: str = "default") -> None:
    """Write all sheets of one of mini's banks."""
    model = Ssv2a.load("mini", bank=bank, device="cpu", threads=1)
    opened = Bank.open(Bundle.open("mini").path("synthesis", bank))
    shown = {sound: wanted for wanted in reversed(pictures()) for sound in wanted.sounds}
    sounds = list(vocabulary())
    folder.mkdir(parents=True, exist_ok=True)
    per_sheet = _KINDS * _BESIDE
    for number, start in enumerate(range(0, len(sounds), per_sheet), 1):
        rows = [
            (sound, _three(model, opened, sound, shown.get(sound)))
            for sound in sounds[start : start + per_sheet]
        ]
        _sheet(rows).save(folder / f"sheet-{number}.webp", quality=60, method=6)


def _three(model: Ssv2a, bank: Bank, sound: str, shown: Wanted | None) -> list[tuple[str, FloatArray | None]]:
    """The kind by itself, from its caption, and from a picture of it; each with what plays."""
    entry = next((entry for entry in bank.entries if entry.sound == sound), None)
    alone = (entry.id, play_alone(bank, entry, _N, 0)) if entry else ("not in this bank", None)
    caption = vocabulary()[sound].caption
    words = model.compose(Composition(texts=(caption,)), _N, seed=0, settings=_SETTINGS)
    heard = [(alone[0], alone[1]), (caption, words.waveform)]
    if shown is None:
        return [*heard, ("", None)]
    take = model.image([shown.picture()], _N, seeds=[0], settings=_SETTINGS)[0]
    played = ", ".join(dict.fromkeys(pick.sound for pick in take.picks if pick.track is not None))
    return [*heard, (f"{shown.name}: {played or 'nothing'}", take.waveform)]


def _sheet(rows: Sequence[tuple[str, Sequence[tuple[str, FloatArray | None]]]]) -> Image.Image:
    cell = _TITLE + _HEIGHT + _GAP
    block = len(_COLUMNS) * (_WIDTH + _GAP)
    deep = min(_KINDS, len(rows))
    sheet = Image.new("RGB", (-(-len(rows) // _KINDS) * (block + 4 * _GAP), deep * (cell + _TITLE)), "white")
    pen = ImageDraw.Draw(sheet)
    for number, (sound, sounds) in enumerate(rows):
        left, top = number // _KINDS * (block + 4 * _GAP), number % _KINDS * (cell + _TITLE)
        pen.text((left, top), sound, fill=(160, 40, 20))
        for column, (title, waveform) in enumerate(sounds):
            x = left + column * (_WIDTH + _GAP)
            pen.text(
                (x, top + _TITLE - 1), f"{_COLUMNS[column]}: {title}"[:36] if title else "", fill="black"
            )
            if waveform is not None:
                picture = Image.fromarray(np.asarray(spectrogram(waveform, _WIDTH, _HEIGHT)))
                sheet.paste(picture, (x, top + 2 * _TITLE - 1))
    return sheet


if __name__ == "__main__":
    write_sheets(Path(sys.argv[1]), *sys.argv[2:3])
