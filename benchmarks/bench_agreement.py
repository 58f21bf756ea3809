"""How many sounds `ssv2a data build` takes for the source that is seen, rightly and wrongly.

    python benchmarks/bench_agreement.py --data DIR [--bundle NAME] [--split val]

Each recording of a training manifest (see `ssv2a train`), its first ten seconds, is compared with every
source of the vocabulary as if that source had been seen: its own should be agreed with, those of other
families should not. `--split val` takes recordings that CLAP was not trained on. Beside it, on those of 2.5 s
or more of kinds without steady partials: how many are taken for music. A table by `--nearest`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from ssv2a.chain import load_chain
from ssv2a.footage.kinds import NEAREST, Kinds, family, load_kinds
from ssv2a.footage.single_source import TONAL
from ssv2a.footage.sound_check import MUSIC, sound_facts
from ssv2a.soundbank.bank import read_audio
from ssv2a.train.data import Recording, read_manifest
from ssv2a.types import SAMPLE_RATE, FloatArray

THRESHOLDS = (1, 2, 4, NEAREST, 8, 12)
LONGEST = 10 * SAMPLE_RATE


def ranks(kinds: Kinds, recording: Recording, clap: FloatArray) -> tuple[int, list[int]]:
    """Rank of the recording's own source, and those of all other sources."""
    own = family(recording.sound)
    others = {family(key)[0] for key in kinds.keys if key not in own}
    return kinds.hear(recording.sound, clap).rank, [kinds.hear(key, clap).rank for key in sorted(others)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with manifest.csv")
    parser.add_argument("--bundle", default="mini")
    parser.add_argument("--split", default="val", choices=("train", "val"))
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    chain = load_chain(chosen.bundle, device="cpu", threads=1, low_memory=True)
    kinds, ears = load_kinds(chain), chain.clap.get()
    recordings = [one for one in read_manifest(chosen.data) if one.sound and one.split == chosen.split]
    own: list[int] = []
    others: list[int] = []
    music: list[bool] = []
    for recording in recordings:
        sound = read_audio(recording.path)[:, :LONGEST]
        right, wrong = ranks(kinds, recording, ears.audio_batch([sound])[0])
        own.append(right)
        others += wrong
        if recording.seconds >= 2.5 and recording.sound not in TONAL:
            music.append(sound_facts(sound).music >= MUSIC)
    table = Table(title=f"{len(own)} recordings, {len(kinds.keys)} kinds")
    for column in ("--nearest", "own source agreed with", "another agreed with"):
        table.add_column(column, justify="right")
    for nearest in THRESHOLDS:
        shares = (float(np.mean(np.array(found) < nearest)) for found in (own, others))
        table.add_row(str(nearest), *(f"{share:.1%}" for share in shares))
    Console().print(table)
    Console().print(f"taken for music: {sum(music)} of {len(music)}")


if __name__ == "__main__":
    main()
