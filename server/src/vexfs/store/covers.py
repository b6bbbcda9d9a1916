"""Which of the rows that lie over one another show: a sweep over the blocks of a file, row by row, never block by block.

Called by `content` and `extents`. Pure counting, safe in any thread; never asks the database.
"""

from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from itertools import pairwise
from typing import NamedTuple


class Cover(NamedTuple):
    """A row as what it covers; of two over one block the later `order` shows, of two alike the one that begins first."""

    first_block: int
    end_block: int
    order: tuple[int, int]
    has_data: bool


def shown(covers: Sequence[Cover]) -> Iterator[tuple[int, int, int]]:
    """The runs of blocks (first, end) that something covers, in order, each with the index of the cover that shows there.
    Neighbouring runs may show the same.
    """
    places = sorted({place for cover in covers for place in cover[:2]})
    arriving = sorted(range(len(covers)), key=lambda index: covers[index].first_block, reverse=True)
    waiting: list[tuple[int, int, int, int]] = []  # what may cover the present place, the latest first
    for place, following in pairwise(places):
        while arriving and covers[arriving[-1]].first_block <= place:
            index = arriving.pop()
            first_block, _, (born, rank), _ = covers[index]
            heappush(waiting, (-born, -rank, first_block, index))
        while waiting and covers[waiting[0][3]].end_block <= place:
            heappop(waiting)
        if waiting:
            yield place, following, waiting[0][3]


def data_runs(covers: Sequence[Cover]) -> list[tuple[int, int]]:
    """The runs of blocks (first, end) that show content, in order; none touches the next."""
    runs: list[tuple[int, int]] = []
    for first, end, index in shown(covers):
        if not covers[index].has_data:
            continue
        if runs and runs[-1][1] == first:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((first, end))
    return runs
