"""Which instructions ScaNN computes with. Does it use what the processor has?

Called once, by `engine`, before there is a searcher. ScaNN's wheel has its inner loops for AVX2, too, but never finds out
whether the processor has it, and takes those for SSE4, which need twice the time: 187 instead of 94 µs of CPU a search of a
tree of 50,000 rows of 384 dimensions. What it believes is a variable of its library, so it can be told. Where that variable or
the instructions are not there, nothing is changed.
"""

import ctypes
from pathlib import Path

_BELIEF = "_ZN14research_scann14flags_internal15should_use_avx2E"
"""`research_scann::flags_internal::should_use_avx2`, read before every loop over codes; AVX-512 was no faster than it."""
_NEEDED = frozenset({"avx2", "fma"})


def use_avx2(library: str) -> bool:
    """Let the ScaNN in that shared library, which is loaded, use AVX2 if the processor has it; whether it does now."""
    try:
        belief = ctypes.c_bool.in_dll(ctypes.CDLL(library), _BELIEF)
    except (OSError, ValueError):
        return False  # another build of ScaNN, which may well know by itself
    if not belief.value and processor_flags() >= _NEEDED:
        belief.value = True
    return bool(belief.value)


def processor_flags() -> frozenset[str]:
    """The instruction sets that processor and kernel offer, in the kernel's names; none where it has no such list."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.partition(":")[2] for line in lines if line.startswith("flags")), "").split())
