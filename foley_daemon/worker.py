"""One clip from its path to a published output: the page a newcomer reads first."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from foley_daemon.domain import Output, Probe
from foley_daemon.engine import Engine, ModelChoice, RenderRequest, bundle_id
from foley_daemon.gate import Signature
from foley_daemon.identity import content_id, publish_key, render_key
from foley_daemon.mux import MuxRequest, decide_tracks, publish
from foley_daemon.picture import draw_picture, picture_path
from foley_daemon.place import disk_errors, output_path, reserve_name
from foley_daemon.plan import plan_chunks
from foley_daemon.probe import probe
from foley_daemon.profile import Profile
from foley_daemon.progress import Progress, Stopwatch, no_progress
from foley_daemon.rendering import mix_foley, render_foley
from foley_daemon.report import Facts, report_path, warnings_of, write_report
from foley_daemon.scratch import work_folder
from ssv2a.media.timeline import picture_timeline
from ssv2a.types import VideoSettings


@dataclass(frozen=True, slots=True)
class Keys:
    """The names of one job; see identity.py."""

    content: str
    bundle: str
    render: str
    publish: str


def no_intention(paths: Sequence[Path]) -> None:
    """Keep no record of what is about to be published."""


def process_clip(
    path: Path,
    profile: Profile,
    *,
    engine: Engine,
    out: Path | None = None,
    earlier: Sequence[str] = (),
    intend: Callable[[Sequence[Path]], None] = no_intention,
    progress: Progress = no_progress,
) -> Output:
    """Give one clip its foley.

    Args:
        path: the clip; opened for reading only.
        profile: what is to be made of it.
        engine: the process that holds the models.
        out: folder of the output; by default the profile's.
        earlier: files that an interrupted attempt at this very job meant to publish; replaced.
        intend: told the names of what is to be published, before anything is.
        progress: told what is going on; what it raises stops the work.

    Raises:
        ClipError: the clip cannot be used.
        OutputError: the result cannot be made, or is not what was wanted.
        TransientError: something around it failed.
        Ssv2aError: the bundle or a setting is wrong.
    """
    started, watch = time.monotonic(), Stopwatch()

    # 1. What is it, whole and readable, and where does the result go?
    progress("probe", 0.0)
    with watch("probe"):
        clip, signature = probe(path), Signature.of(path.stat())
        timeline, keys = picture_timeline(path), find_keys(path, profile)
    destination = _destination(clip, profile, out, earlier)
    plan = plan_chunks(
        clip.duration,
        seconds=profile.chunks.seconds,
        overlap=profile.chunks.overlap,
        frames=profile.model.frames,
        render_key=keys.render,
    )
    with work_folder() as work:
        # 2. See and hear every chunk; the foley goes to a file as it comes.
        progress("render", 0.0)
        model = ModelChoice(profile.model.bundle, profile.model.bank, profile.model.device)
        request = RenderRequest(path, timeline, plan.chunks, model, _settings(profile))
        rendered = render_foley(plan, request, engine, work / "foley.wav", watch, progress)

        # 3. Decide its level, and mix it with the original where the profile says so.
        progress("mix", 0.0)
        mixed = mix_foley(clip, rendered, profile.mix, work / "mixed.wav", watch)

        # 4. Put it into a copy of the clip, verify that, and give it its name.
        progress("mux", 0.0)
        intend((destination, report_path(destination), picture_path(destination)))
        with watch("mux and verify"):
            ours = str(destination) in earlier
            published = publish(
                MuxRequest(
                    clip,
                    mixed.path,
                    mixed.channels,
                    profile.mix.mode,
                    destination,
                    profile.output.codec,
                    "overwrite" if ours else profile.output.collision,
                    {"render": keys.render, "bundle": keys.bundle},
                    signature,
                )
            )

        # 5. A picture and a report beside it.
        progress("picture", 0.0)
        with watch("picture"):
            picture = draw_picture(
                picture_path(published.file), clip, timeline, rendered.chunks, rendered.path
            )
    seconds = time.monotonic() - started
    facts = Facts(
        clip, profile, keys.content, keys.bundle, keys.render, rendered.chunks, mixed, published, picture
    )
    report = write_report(facts, watch.seconds, seconds)
    progress("done", 1.0)
    return Output((published.file,), report, picture, seconds, published.verified, tuple(warnings_of(facts)))


def find_keys(path: Path, profile: Profile) -> Keys:
    """The keys of a clip under a profile.

    Raises:
        BundleError: the profile's bundle is not there or not whole.
        OSError: the clip cannot be read.
    """
    content = content_id(path, full=profile.watch.fingerprint == "full")
    bundle = bundle_id(profile.model.bundle)
    render = render_key(content, bundle, profile.sound_fields())
    return Keys(content, bundle, render, publish_key(render, profile.publish_fields()))


def _destination(clip: Probe, profile: Profile, out: Path | None, earlier: Sequence[str]) -> Path:
    """The name of the result, in a folder that exists from now on.

    What cannot be had is said now, not after the work.

    Raises:
        OutputExists: it is taken and the profile says to fail then.
        ContainerCannot: the container it names cannot hold what the profile asks for.
        DiskFull, FolderGone, OutputError: the folder cannot be made.
    """
    folder = (out or clip.path.parent / profile.output.folder).absolute()
    with disk_errors(folder.parent):
        folder.mkdir(parents=True, exist_ok=True)
    sidecar = profile.mix.mode == "sidecar"

    def name(take: int) -> Path:
        return output_path(
            clip.path,
            folder,
            profile.output.name,
            profile=profile.name,
            take=take,
            seed=profile.model.seed,
            day=datetime.now(UTC).astimezone().date(),
            ext=".wav" if sidecar else None,
        )

    destination = reserve_name(name, profile.output.collision, earlier)
    if not sidecar:
        decide_tracks(clip, destination, profile.mix.mode, profile.output.codec)
    return destination


def _settings(profile: Profile) -> VideoSettings:
    model, sources = profile.model, profile.sources
    return VideoSettings(
        var_samples=model.var_samples,
        cycle_its=model.cycle_its,
        cycle_samples=model.cycle_samples,
        candidates=model.candidates,
        min_confidence=float(sources.min_confidence),
        max_sources=sources.max,
        mute=frozenset(sources.mute),
        add=tuple(sources.add),
        synthesis={key: float(value) for key, value in model.synthesis.model_dump().items()},
    )
