"""The daemon with its engine: what `foley watch` runs."""

from __future__ import annotations

from foley_daemon.checkup import usable_profile
from foley_daemon.config import Config
from foley_daemon.daemon import Daemon
from foley_daemon.domain import Job, Output
from foley_daemon.engine import Engine, bundle_id
from foley_daemon.errors import EngineDied
from foley_daemon.profile import Profile, profile_of
from foley_daemon.runner import Attempt
from foley_daemon.worker import process_clip


def watch(config: Config, *, once: bool = False) -> int:
    """Watch the folders of a configuration until a signal comes; see `Daemon.run`."""
    with Engine(config.unload_after) as engine:

        def process(job: Job, profile: Profile, attempt: Attempt) -> Output:
            try:
                return process_clip(
                    job.path,
                    profile,
                    engine=engine,
                    earlier=job.outputs,
                    intend=attempt.intend,
                    progress=lambda _stage, _share: attempt.beat(),
                )
            except EngineDied:
                attempt.beat()  # raises if the engine was ended because the daemon is
                raise

        daemon = Daemon(
            config,
            process,
            bundle_id=lambda profile: bundle_id(profile.model.bundle),
            check=lambda folder: usable_profile(profile_of(folder.folder, folder.profile)),
            interrupt=engine.close,
        )
        return daemon.run(once=once)
