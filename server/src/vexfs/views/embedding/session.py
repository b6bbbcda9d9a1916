"""ONNX Runtime, as every model here uses it. Which threads compute, and where?

Called when a process loads a model of any kind. A session computes in its caller's thread, releases the interpreter while it
does, and may be used from several threads at once. Imports ONNX Runtime only when called: it takes its time.
"""

from pathlib import Path
from typing import Any


def open_session(path: Path, threads: int = 1) -> Any:
    """A loaded graph that runs on the processor, `threads` wide. Raises what ONNX Runtime raises, which has no common base."""
    import onnxruntime  # type: ignore[import-untyped]  # ships no types

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
