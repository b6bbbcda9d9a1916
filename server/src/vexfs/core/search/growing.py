"""An array that grows at its end. How are a few values added to a million without copying the million?

Used by the tables of facts. One thread at a time.
"""

from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

Scalar = TypeVar("Scalar", bound=np.generic)

_SPARE_SHARE = 0.25
"""So much more room than is needed is made each time, so that a value is copied five times at most, on average."""


class Growing(Generic[Scalar]):
    """`values` is all there is: another array after every `append`. What is written into it stays."""

    def __init__(self, dtype: DTypeLike) -> None:
        self._room: NDArray[Any] = np.empty(0, dtype=dtype)
        self.values: NDArray[Scalar] = self._room

    def __len__(self) -> int:
        return len(self.values)

    def append(self, more: NDArray[Scalar]) -> None:
        """Add values at the end."""
        count, end = len(self.values), len(self.values) + len(more)
        if end > len(self._room):
            room = np.empty(end + int(_SPARE_SHARE * end), dtype=self._room.dtype)
            room[:count] = self.values
            self._room = room
        self._room[count:end] = more
        self.values = self._room[:end]
