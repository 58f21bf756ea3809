"""The one training loop: seeded, resumable, with an average of the weights, checkpoints and curves.

A task brings a network, a loss for one step and a validation. Step s of a run draws everything it needs from
generators seeded with (seed, s), so a run that was stopped and resumed gives the same weights as one that was
never stopped.

    run(task, out, settings) → <out>/checkpoint.pt, history.json, curves.png, and the averaged network
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from loguru import logger
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn

from ssv2a.errors import TrainingError
from ssv2a.files import write_whole

CHECKPOINT = "checkpoint.pt"
HISTORY = "history.json"
CURVES = "curves.png"

Row = dict[str, float]


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """How long and how fast to learn. AdamW, linear warm-up, then a half cosine down to zero."""

    steps: int
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup: int = 50  # steps
    ema_decay: float = 0.995  # of the averaged weights, per step
    clip_norm: float = 1.0  # of the gradient
    validate_every: int = 200  # steps; a checkpoint is written at the same time
    seed: int = 0


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What of a run changes none of its results."""

    resume: bool = False  # go on from the folder's checkpoint, if there is one
    seconds_budget: float | None = None  # stop after so many wall seconds, with a checkpoint
    device: str = "cpu"  # where the network learns; its average, which is validated, stays on the processor


WHOLE = RunOptions()


@dataclass(frozen=True, slots=True)
class Draws:
    """The random generators of one step."""

    numpy: np.random.Generator
    torch: torch.Generator  # on the processor, so that a seed means the same on every device
    device: str = "cpu"  # where the network is

    def tensor(self, array: NDArray[Any]) -> Tensor:
        """A batch in float32, where the network is."""
        return torch.from_numpy(np.ascontiguousarray(array, np.float32)).to(self.device)


NetworkT = TypeVar("NetworkT", bound=nn.Module)


class Task(Protocol[NetworkT]):
    """What is to be learned. The loop owns the weights; the task owns data and losses."""

    name: str
    network: NetworkT

    def losses(self, network: NetworkT, draws: Draws) -> Mapping[str, Tensor]:
        """Terms of one step's loss, scalars, by name; their sum is minimised."""

    def validate(self, network: NetworkT) -> Mapping[str, float]:
        """Figures on held-out data, by name; called in evaluation mode without gradients."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a run stands."""

    step: int  # steps done, of all runs together
    finished: bool  # False: the time budget ended first; resume to go on
    best_step: int  # whose averaged weights are left in the network
    history: tuple[Row, ...]  # one row a validation: step, seconds, losses, figures; () before the first


def run(
    task: Task[NetworkT],
    out: Path,
    settings: LoopSettings,
    options: RunOptions = WHOLE,
    *,
    judge: str | None = None,
    patience: int = 0,
) -> Outcome:
    """Train `task.network` and leave the averaged weights in it, in evaluation mode.

    Args:
        task: network, losses and validation.
        out: folder of the run; made if missing.
        settings: the same for all parts of a resumed run.
        options: how far to go, and where.
        judge: a figure of the validation, the larger the better: the weights that had the best are left in
            the network, those that it came with among them. Without it, the last.
        patience: with a judge, the run ends after so many validations without a better one; 0: never.

    Raises:
        TrainingError: the folder holds another run, or a loss is not finite.
    """
    out.mkdir(parents=True, exist_ok=True)
    state = _State(task.network, settings, judge, options.device)
    if kept := checkpoint_of(out, settings, resume=options.resume):
        state.take_up(kept, out / CHECKPOINT)
    elif judge is not None:
        state.note({}, task)
    begun = state.step
    budget = options.seconds_budget
    deadline = math.inf if budget is None else time.monotonic() + budget
    with _progress(task.name, settings.steps, state.step) as advance:
        while state.step < settings.steps and not state.is_stale(patience):
            row = state.learn(task)
            advance(row["loss"])
            late = time.monotonic() >= deadline
            due = state.step % settings.validate_every == 0 or state.step == settings.steps
            if due:
                state.note(row, task)
            if state.step == begun + 1 or due:
                _tell(task.name, state, row)
            if due or late:
                state.save(out)
            if late:
                break
    task.network.to("cpu").load_state_dict(state.average.state_dict() if judge is None else state.best)
    task.network.eval()
    finished = state.step >= settings.steps or state.is_stale(patience)
    return Outcome(state.step, finished, state.best_step, tuple(state.history))


class _State:
    """Everything a checkpoint holds: weights, their average, the best, the optimiser and the history."""

    def __init__(self, network: nn.Module, settings: LoopSettings, judge: str | None, device: str) -> None:
        self.average = copy.deepcopy(network).eval().requires_grad_(False)
        self.network = network.to(device)
        self.device = device
        self.settings = settings
        trained = [p for p in network.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(
            trained, lr=settings.learning_rate, weight_decay=settings.weight_decay, betas=(0.9, 0.98)
        )
        self.step = 0
        self.seconds = 0.0  # spent on learning, over all runs
        self.history: list[Row] = []
        self.judge = judge
        self.best: dict[str, Tensor] = {}  # averaged weights; empty without a judge
        self.best_step = 0

    def learn(self, task: Task[Any]) -> Row:
        """One step of descent; the losses by name, and their sum as "loss"."""
        started = time.monotonic()
        rate = learning_rate(self.step, self.settings)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        seed = _step_seed(self.settings.seed, self.step)
        draws = Draws(np.random.default_rng(seed), torch.Generator().manual_seed(seed), self.device)
        self.network.train()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)  # dropout knows no other generator
            terms = task.losses(self.network, draws)
        loss = torch.stack(list(terms.values())).sum()
        if not torch.isfinite(loss):
            shown = ", ".join(f"{name} {term.item():.3g}" for name, term in terms.items())
            raise TrainingError(
                f"the loss of step {self.step} is not finite ({shown}): lower the learning rate."
            )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip_norm)
        self.optimiser.step()
        self._follow()
        self.step += 1
        self.seconds += time.monotonic() - started
        return {"loss": loss.item(), **{name: term.item() for name, term in terms.items()}}

    def _follow(self) -> None:
        # The average follows fast at first: a decay of (1 + step) / (10 + step) until the set one is reached.
        decay = min(self.settings.ema_decay, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            averaged, learned = self.average.state_dict(), self.network.state_dict()
            for key, value in averaged.items():
                if value.is_floating_point():
                    value.lerp_(learned[key].to(value.device), 1 - decay)
                else:
                    value.copy_(learned[key])

    def note(self, losses: Row, task: Task[Any]) -> None:
        """Validate the averaged weights and add a row to the history."""
        self.average.eval()
        with torch.no_grad():
            figures = task.validate(self.average)
        self.history.append({"step": self.step, "seconds": round(self.seconds, 1), **losses, **figures})
        if self.judge is None:
            self.best_step = self.step
        elif all(figures[self.judge] > row[self.judge] for row in self.history[:-1]):
            self.best = copy.deepcopy(self.average.state_dict())
            self.best_step = self.step

    def is_stale(self, patience: int) -> bool:
        """Whether so many validations have come after the best."""
        later = [row for row in self.history if row["step"] > self.best_step]
        return 0 < patience <= len(later)

    def save(self, out: Path) -> None:
        """Write checkpoint, history and curves; each appears whole or not at all."""
        from ssv2a.train.plots import curves  # matplotlib: only here

        content = {
            "settings": asdict(self.settings),
            "step": self.step,
            "seconds": self.seconds,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "history": self.history,
            "best": self.best,
            "best_step": self.best_step,
        }
        partial = out / f"{CHECKPOINT}.part"
        torch.save(content, partial)
        partial.replace(out / CHECKPOINT)
        write_whole(out / HISTORY, (json.dumps(self.history, indent=1) + "\n").encode())
        if self.history:
            write_whole(out / CURVES, curves(self.history))

    def take_up(self, content: Mapping[str, Any], checkpoint: Path) -> None:
        """Go on where a checkpoint left off; TrainingError if it holds another network."""
        try:
            self.network.load_state_dict(content["network"])
            self.average.load_state_dict(content["average"])
        except RuntimeError as error:
            raise TrainingError(f"{checkpoint} holds another network: {error}") from error
        self.optimiser.load_state_dict(content["optimiser"])
        self.step, self.seconds = content["step"], content["seconds"]
        self.history = list(content["history"])
        self.best, self.best_step = content["best"], content["best_step"]


def checkpoint_of(out: Path, settings: LoopSettings, *, resume: bool) -> Mapping[str, Any] | None:
    """What the checkpoint in a run's folder holds; None where there is none.

    Raises:
        TrainingError: there is one, but nothing is to be resumed, or it was begun with other settings.
    """
    checkpoint = out / CHECKPOINT
    if not checkpoint.exists():
        return None
    if not resume:
        raise TrainingError(
            f"{out} already holds a run: expected an empty folder. Go on with it (--resume) or name another."
        )
    content: dict[str, Any] = torch.load(checkpoint, map_location="cpu", weights_only=True)
    kept = content["settings"]
    others = [
        f"{name} {kept.get(name)}, not {asked}"
        for name, asked in asdict(settings).items()
        if kept.get(name) != asked
    ]
    if others:
        raise TrainingError(
            f"{checkpoint}: this run was begun with {'; '.join(others)}. Resume with the settings it began "
            "with, or name another folder."
        )
    return content


def learning_rate(step: int, settings: LoopSettings) -> float:
    """Rate of a step: linear over the warm-up, then a half cosine that ends at zero after the last step."""
    if step < settings.warmup:
        return settings.learning_rate * (step + 1) / settings.warmup
    done = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * done))


def _step_seed(seed: int, step: int) -> int:
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0]) >> 1


def _tell(name: str, state: _State, losses: Row) -> None:
    """Log the loss of the last step, and the figures if it was validated."""
    last = state.history[-1] if state.history and state.history[-1]["step"] == state.step else {}
    figures = {key: figure for key, figure in last.items() if key not in ("step", "seconds", *losses)}
    shown = ", ".join(f"{key} {figure:.3g}" for key, figure in {"loss": losses["loss"], **figures}.items())
    logger.info("{}: step {} of {}: {}", name, state.step, state.settings.steps, shown)


@contextmanager
def _progress(name: str, steps: int, done: int) -> Iterator[Callable[[float], None]]:
    """A progress bar on standard error; it shows nothing where that is no terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}  loss {task.fields[loss]:.3f}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        line = bar.add_task(name, total=steps, completed=done, loss=math.nan)
        yield lambda loss: bar.update(line, advance=1, loss=loss)
