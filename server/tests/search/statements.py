"""Counting the SQL statements that a piece of code runs in its own thread."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import apsw

_counting: dict[int, list[str]] = {}
"""By thread: where its statements go while somebody counts."""


def _trace(_: Any, sql: str, __: Any) -> bool:
    kept = _counting.get(threading.get_ident())
    if kept is not None:
        kept.append(sql)
    return True


def _hook(connection: apsw.Connection) -> None:
    connection.exec_trace = _trace


@contextmanager
def traced_connections() -> Iterator[None]:
    """Connections opened inside can be counted, as long as they live."""
    apsw.connection_hooks.append(_hook)
    try:
        yield
    finally:
        apsw.connection_hooks.remove(_hook)


@contextmanager
def statements() -> Iterator[list[str]]:
    """What this thread executes inside, on traced connections."""
    kept: list[str] = []
    _counting[threading.get_ident()] = kept
    try:
        yield kept
    finally:
        del _counting[threading.get_ident()]
