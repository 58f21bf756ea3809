"""Checkpoints in and out: the released `.pth` pair, and safetensors for the bundles made here."""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from ssv2a.config import Ssv2aConfig
from ssv2a.errors import WeightsError
from ssv2a.files import write_whole
from ssv2a.networks import Networks

State = Mapping[str, Tensor]

_RELEASED = {f"{name}_state": name for name in ("manifold", "generator", "remixer")}  # tables of `ssv2a.pth`

_LEFT_BY_TRAINERS = (  # names in released checkpoints that stand for no weights: none is imported or called
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.dtype",
    "packaging.version.Version",
    "packaging.version._Version",
    "packaging._structures.InfinityType",
    "packaging._structures.NegativeInfinityType",
    "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
)


def load_released(config: Ssv2aConfig, ssv2a_path: Path, aggregator_path: Path) -> Networks:
    """Networks with the weights of a released `ssv2a.pth` and `agg.pth`, on the CPU, for inference.

    The first holds `manifold_state`, `generator_state`, `remixer_state` (and a time stamp), the second is
    the aggregator's flat state. Only tensors and plain values are unpickled.

    Raises:
        WeightsError: a file cannot be read, or names every key that is missing, unexpected or misshapen.
    """
    states: dict[str, State] = {"aggregator": read_checkpoint(aggregator_path)}
    for key, value in read_checkpoint(ssv2a_path).items():
        if key in _RELEASED:
            states[_RELEASED[key]] = value if isinstance(value, dict) else {}  # of which every key is missing
        elif key != "timestamp":
            states[str(key)] = {}  # told as unexpected
    return _networks(config, states, f"{ssv2a_path} and {aggregator_path}")


def load_networks(config: Ssv2aConfig, path: Path) -> Networks:
    """Networks with the weights that `save_modules` wrote, on the CPU, for inference.

    Raises:
        WeightsError: the file cannot be read, or names every key that is missing, unexpected or misshapen.
    """
    return _networks(config, _read(path), str(path))


def load_modules(modules: Mapping[str, nn.Module], path: Path) -> None:
    """Fill some networks, by name, from a file of `save_modules` that holds exactly these.

    Raises:
        WeightsError: the file cannot be read, or names every key that is missing, unexpected or misshapen.
    """
    fill(modules, _read(path), str(path))


def save_modules(modules: Mapping[str, nn.Module], path: Path, dtype: torch.dtype = torch.float16) -> None:
    """Write networks as safetensors, keys `name.key`, in one step (write, then rename)."""
    tensors = {
        f"{name}.{key}": tensor.detach().to("cpu", dtype).contiguous()
        for name, module in modules.items()
        for key, tensor in module.state_dict().items()
    }
    write_whole(path, save(tensors))


def join_files(parts: Sequence[Path], path: Path) -> None:
    """Write one file with the networks of several files of `save_modules`.

    Raises:
        WeightsError: a part cannot be read.
    """
    tensors = {key: tensor for part in parts for key, tensor in _tensors(part).items()}
    write_whole(path, save(tensors))


def _networks(config: Ssv2aConfig, states: Mapping[str, State], where: str) -> Networks:
    with torch.device("meta"):  # shapes only: every tensor comes from the checkpoint
        networks = Networks.untrained(config, seed=0)
    fill(networks.modules, states, where)
    return networks.for_inference("cpu")


def fill(modules: Mapping[str, nn.Module], states: Mapping[str, State], where: str) -> None:
    """Give networks, by name, the tensors of their states, as copies, numbers with a point in float32.

    Args:
        modules: the networks; on the meta device they need no memory of their own before.
        states: their tensors, by the same names.
        where: the file, for messages.

    Raises:
        WeightsError: names every key that is missing, unexpected or misshapen; no network was changed.
    """
    faults = [f"{name}.*: unexpected" for name in sorted(states.keys() - modules.keys())]
    for name, module in modules.items():
        faults += _misfits(name, module.state_dict(), states.get(name, {}))
    if faults:
        raise WeightsError(
            "\n  ".join(
                (f"{where}: does not fit the configuration, {len(faults)} fault(s); use its own:", *faults)
            )
        )
    for name, module in modules.items():
        state = {
            key: tensor.to(torch.float32 if tensor.is_floating_point() else tensor.dtype, copy=True)
            for key, tensor in states[name].items()
        }
        module.load_state_dict(state, assign=True)


def _misfits(name: str, wanted: State, found: State) -> list[str]:
    faults = [f"{name}.{key}: missing" for key in wanted if key not in found]
    faults += [f"{name}.{key}: unexpected" for key in found if key not in wanted]
    for key in wanted.keys() & found.keys():
        if not isinstance(found[key], Tensor):
            faults.append(f"{name}.{key}: expected a tensor, got {type(found[key]).__name__}")
        elif wanted[key].shape != found[key].shape:
            faults.append(
                f"{name}.{key}: expected shape {list(wanted[key].shape)}, got {list(found[key].shape)}"
            )
    return sorted(faults)


def _read(path: Path) -> dict[str, State]:
    """A safetensors file as states by network."""
    states: dict[str, dict[str, Tensor]] = {}
    for key, tensor in _tensors(path).items():
        name, _, rest = key.partition(".")
        states.setdefault(name, {})[rest] = tensor
    return dict(states)


def _tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise WeightsError(
            f"{path}: cannot be read as safetensors: {error}. Fetch or build it again."
        ) from error


def read_checkpoint(path: Path) -> Mapping[str, Any]:
    """A checkpoint's table, on the CPU; torch's tensors are read from the disk when they are used.

    Only tensors and plain values are unpickled; what trainers leave beside them is passed over.
    A `.safetensors` is read as what it is.

    Raises:
        WeightsError: the file cannot be read, holds anything else, or is no table.
    """
    if path.suffix == ".safetensors":
        return _tensors(path)
    lazily = zipfile.is_zipfile(path)  # files of torch before 1.6 are not
    try:
        with (
            torch.serialization.safe_globals([(_Unread, name) for name in _LEFT_BY_TRAINERS]),
            warnings.catch_warnings(),
        ):
            warnings.filterwarnings("ignore", "Detected pickle protocol")  # it reads what it can, or refuses
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=lazily)
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL (\S+)", str(error))  # torch's own advice is to switch the check off
        reason = f"it names {found[1]}, a piece of program, which was not run" if found else "it is none"
        raise WeightsError(
            f"{path}: cannot be read as a torch checkpoint of tensors and plain values: {reason}. "
            "Fetch it again from where it was published."
        ) from error
    except (OSError, EOFError, RuntimeError) as error:
        raise WeightsError(
            f"{path}: cannot be read as a torch checkpoint: {error}. Fetch it again."
        ) from error
    if not isinstance(content, dict):
        raise WeightsError(f"{path}: expected a table of tensors, got {type(content).__name__}.")
    return content


class _Unread:
    """Takes the place of an object that nothing reads: any argument, any state, no effect."""

    def __new__(cls, *_: object) -> _Unread:
        return super().__new__(cls)

    def __setstate__(self, _: object) -> None:
        """Forget it."""
