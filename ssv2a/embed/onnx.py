"""ONNX networks on this processor: one way to open them."""

from __future__ import annotations

from pathlib import Path

import onnxruntime as ort

from ssv2a.errors import BundleError
from ssv2a.memory import give_back


def open_session(model: Path, threads: int, *, compact: bool = False) -> ort.InferenceSession:
    """A session on the CPU with `threads` threads of its own, operators run one after the other.

    Args:
        model: the ONNX file.
        threads: of one run.
        compact: weights in eight bits are unfolded at every run and not once, here: a quarter of the memory.

    Raises:
        BundleError: the file is missing or is not a network.
    """
    if not model.is_file():
        raise BundleError(f"{model}: no such network; expected an ONNX file of the bundle; install it again")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.enable_mem_pattern = False  # as fast, and a run holds no more than it needs
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.disable_quant_qdq", "1")  # weights alone are in eight bits
    left_out = ["ConstantFolding"] if compact else []
    try:
        return ort.InferenceSession(
            str(model), options, providers=["CPUExecutionProvider"], disabled_optimizers=left_out
        )
    except Exception as error:
        raise BundleError(f"{model}: not a readable ONNX network ({error})") from error
    finally:
        give_back()  # opening takes several times what stays
