"""One clip from its path to a published output: the page a newcomer reads first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from foley_daemon.domain import Output, Plan, Probe
from foley_daemon.engine import Engine, ModelChoice, RenderRequest, bundle_frames, bundle_id
from foley_daemon.gate import Signature
from foley_daemon.identity import content_id, publish_key, render_key
from foley_daemon.mux import MuxRequest, Published, decide_tracks, publish
from foley_daemon.picture import draw_picture
from foley_daemon.place import (
    Collision,
    cues_path,
    disk_errors,
    output_path,
    picture_path,
    report_path,
    reserve_name,
)
from foley_daemon.plan import plan_chunks
from foley_daemon.probe import probe
from foley_daemon.profile import Profile
from foley_daemon.progress import Progress, Stopwatch, no_progress
from foley_daemon.rendering import Mixed, Rendered, mix_foley, render_foley
from foley_daemon.report import Facts, companions, has_cues, warnings_of
from foley_daemon.scratch import work_folder
from ssv2a.media.timeline import Timeline, picture_timeline
from ssv2a.types import VideoSettings


@dataclass(frozen=True, slots=True)
class Keys:
    """The names of one job; see identity.py."""

    content: str
    bundle: str
    render: str
    publish: str


@dataclass(frozen=True, slots=True)
class Task:
    """All that is decided before the work begins."""

    clip: Probe
    signature: Signature  # of the clip, which must hold to the end
    timeline: Timeline
    keys: Keys
    plan: Plan
    destination: Path  # its folder exists
    collision: Collision  # what to do if that name is taken by then


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

    `out` is the folder of the output, by default the profile's. Files that an interrupted attempt at this
    job meant to publish (`earlier`) are replaced. `intend` is told the names of what is published, before
    it is, and `progress` what is going on; what they raise stops the work.

    Raises:
        ClipError, OutputError, TransientError, Ssv2aError: of the clip, the result, the rest, the bundle.
    """
    watch = Stopwatch()
    with work_folder() as work:
        # 1. What is it, whole and readable, and where does the result go?
        progress("probe", 0.0)
        task = prepare(path, profile, out, earlier, watch)

        # 2. See and hear every chunk; the foley goes to a file as it comes.
        progress("render", 0.0)
        request = _request(task, profile)
        rendered = render_foley(task.plan, request, engine, work / "foley.wav", watch, progress)

        # 3. Decide its level, and mix it with the original where the profile says so.
        progress("mix", 0.0)
        mixed = mix_foley(task.clip, rendered, profile.mix, work / "mixed.wav", watch)

        # 4. Draw what was seen and what is heard.
        progress("picture", 0.0)
        with watch("picture"):
            picture = draw_picture(task.clip, task.timeline, rendered.chunks, rendered.path)

        # 5. Put it into a copy of the clip and verify that; report, picture and clip get their names.
        progress("mux", 0.0)
        facts = _facts(task, profile, rendered, mixed, picture)
        published = publish(_mux_request(task, profile, mixed), _beside(facts, watch, intend), watch)
    progress("done", 1.0)
    return _output(facts, published, watch)


def prepare(path: Path, profile: Profile, out: Path | None, earlier: Sequence[str], watch: Stopwatch) -> Task:
    """Look at a clip and decide what is to be made of it, where and in which chunks.

    Raises:
        ClipError: it cannot be used.
        OutputError, TransientError: the result cannot be had, or not there.
    """
    with watch("probe"):
        clip, signature = probe(path), Signature.of(path.stat())
        timeline, keys = picture_timeline(path), find_keys(path, profile)
    destination = _destination(clip, profile, out, earlier)
    plan = plan_chunks(
        clip.duration,
        seconds=profile.chunks.seconds,
        overlap=profile.chunks.overlap,
        frames=profile.model.frames or bundle_frames(profile.model.bundle),
        render_key=keys.render,
    )
    ours = str(destination) in earlier
    collision: Collision = "overwrite" if ours else profile.output.collision
    return Task(clip, signature, timeline, keys, plan, destination, collision)


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


def _request(task: Task, profile: Profile) -> RenderRequest:
    own = profile.model
    model = ModelChoice(own.bundle, own.bank, own.device, own.low_memory)
    return RenderRequest(task.clip.path, task.timeline, task.plan.chunks, model, _settings(profile))


def _mux_request(task: Task, profile: Profile, mixed: Mixed) -> MuxRequest:
    return MuxRequest(
        task.clip,
        mixed.path,
        mixed.channels,
        profile.mix.mode,
        task.destination,
        profile.output.codec,
        task.collision,
        {"render": task.keys.render, "bundle": task.keys.bundle},
        task.signature,
    )


def _facts(task: Task, profile: Profile, rendered: Rendered, mixed: Mixed, picture: bytes | None) -> Facts:
    keys = task.keys
    return Facts(task.clip, profile, keys.content, keys.bundle, keys.render, rendered, mixed, picture)


def _beside(
    facts: Facts, watch: Stopwatch, intend: Callable[[Sequence[Path]], None]
) -> Callable[[Published], Mapping[Path, bytes]]:
    """What `publish` asks when the clip's name is certain: the files that come with it."""

    def files(published: Published) -> Mapping[Path, bytes]:
        found = companions(facts, published, watch)
        intend((published.file, *found))
        return found

    return files


def _output(facts: Facts, published: Published, watch: Stopwatch) -> Output:
    file = published.file
    picture = None if facts.picture is None else picture_path(file)
    cues = cues_path(file) if has_cues(facts) else None
    warnings = warnings_of(facts, published)
    return Output((file,), report_path(file), picture, watch.total, published.verified, warnings, cues)


def _settings(profile: Profile) -> VideoSettings:
    model, sources = profile.model, profile.sources
    return VideoSettings(
        var_samples=model.var_samples,
        cycle_its=model.cycle_its,
        cycle_samples=model.cycle_samples,
        candidates=model.candidates,
        min_confidence=sources.min_confidence,
        max_sources=sources.max,
        mute=frozenset(sources.mute),
        add=tuple(one.added() for one in sources.add),
        synthesis=model.synthesis.model_dump(exclude_none=True),
    )
