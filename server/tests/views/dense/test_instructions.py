"""ScaNN uses the processor's AVX2, and finds with it what it finds without."""

import ctypes
import platform
import shutil
from pathlib import Path

import numpy as np
import pytest
from scann import scann_ops_pybind

from vexfs.views.dense import engine, instructions, metrics
from vexfs.views.dense.engine import Layout

LIBRARY = scann_ops_pybind.scann_pybind.__file__
BELIEF = ctypes.c_bool.in_dll(ctypes.CDLL(LIBRARY), instructions._BELIEF)

needs_avx2 = pytest.mark.skipif(
    not instructions.processor_flags() >= {"avx2", "fma"}, reason=f"this {platform.machine()} has no AVX2"
)


@needs_avx2
def test_the_view_has_scann_use_avx2() -> None:
    assert BELIEF.value


@needs_avx2
def test_the_same_rows_are_found_with_and_without_avx2(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(5)
    matrix = metrics.prepare_rows(random.standard_normal((4_000, 48)).astype(np.float32), metrics.COSINE)
    searcher = engine.train(matrix, metrics.COSINE, Layout(0, 3))

    def found() -> list[set[int]]:
        return [set(searcher.search(query, 50, 50, -1)[0].tolist()) for query in matrix[:100]]

    with_it = found()
    monkeypatch.setattr(BELIEF, "value", False)
    without = found()
    shared = [len(one & other) for one, other in zip(with_it, without, strict=True)]
    assert min(shared) >= 49, "but for ties at the end, both add up the same codes"


def test_without_the_instructions_scann_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BELIEF, "value", False)
    monkeypatch.setattr(instructions, "processor_flags", lambda: frozenset({"sse4_2"}))
    assert not instructions.use_avx2(LIBRARY)
    assert not BELIEF.value


def test_another_build_of_scann_is_left_as_it_is(tmp_path: Path) -> None:
    other = Path(np._core._multiarray_umath.__file__)  # a library without the variable
    assert not instructions.use_avx2(str(other))
    assert not instructions.use_avx2(str(shutil.copy(__file__, tmp_path / "none.so")))
