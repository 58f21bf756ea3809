"""The process that holds the models: it starts with a clip, and ends when there is nothing to do."""

import time
from fractions import Fraction
from pathlib import Path

from media_fixtures import make_clip

from foley_daemon.engine import Engine, ModelChoice, RenderRequest
from foley_daemon.plan import plan_chunks
from ssv2a.media.timeline import picture_timeline
from ssv2a.types import VideoSettings


def request(clip: Path) -> RenderRequest:
    timeline = picture_timeline(clip)
    plan = plan_chunks(
        timeline.end - timeline.start, seconds=Fraction(10), overlap=Fraction(0), frames=4, render_key="k"
    )
    model = ModelChoice("mini", "default", "cpu")
    return RenderRequest(clip, timeline, plan.chunks, model, VideoSettings(cycle_its=1, cycle_samples=2))


def wait_until(condition, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_models_are_unloaded_when_idle_and_come_back(tmp_path: Path) -> None:
    wanted = request(make_clip(tmp_path / "a.mp4", seconds="0.4"))
    with Engine(unload_after=0.3) as engine:
        [first] = engine.render(wanted)
        assert engine.alive
        wait_until(lambda: not engine.alive)
        [again] = engine.render(wanted)
        assert engine.alive
        assert (first.waveform == again.waveform).all()


def test_the_models_stay_while_a_clip_is_being_rendered(tmp_path: Path) -> None:
    wanted = request(make_clip(tmp_path / "a.mp4", seconds="0.4"))
    with Engine(unload_after=0.3) as engine:
        list(engine.render(wanted))
        takes = engine.render(wanted)
        next(takes)
        time.sleep(0.6)
        assert engine.alive
        takes.close()
