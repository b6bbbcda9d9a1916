"""A SQLite database on the mount, with SQLite's defaults: transactions of one row, then many rows in one transaction."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import time
from pathlib import Path

from bench.runner import processes
from bench.runner.mounted import Sample
from bench.runner.systems import Running
from bench.workloads.workload import Workload

ONE_ROW, BULK = "SQLite, a transaction a row", "SQLite, one transaction"
TRANSACTIONS, ROWS = "transactions/s", "rows/s"
ROW_BYTES = 200


def workload(transactions: int, rows: int) -> Workload:
    def measure(running: Running, sample: Sample) -> None:
        with processes.pinned(sample.pinning):
            one_row_s, bulk_s = load(running.directory / "rows.db", transactions, rows)
        sample.add(ONE_ROW, TRANSACTIONS, transactions / one_row_s)
        sample.add(BULK, ROWS, rows / bulk_s)

    return Workload("SQLite", measure)


def load(database: Path, transactions: int, rows: int) -> tuple[float, float]:
    """Seconds of both parts. RuntimeError when the database does not hold every row afterwards or is not sound."""
    made = random.Random(0)
    contents = [(made.randbytes(ROW_BYTES),) for _ in range(transactions + rows)]
    insert = "INSERT INTO entries (content) VALUES (?)"
    try:
        with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
            connection.execute("CREATE TABLE entries (id INTEGER PRIMARY KEY, content BLOB NOT NULL)")
            began = time.perf_counter()
            for content in contents[:transactions]:
                connection.execute(insert, content)
            between = time.perf_counter()
            connection.execute("BEGIN")
            connection.executemany(insert, contents[transactions:])
            connection.execute("COMMIT")
            ended = time.perf_counter()
            (found,), (sound,) = (
                connection.execute(q).fetchone() for q in ("SELECT count(*) FROM entries", "PRAGMA quick_check")
            )
    except sqlite3.Error as error:
        raise RuntimeError(f"SQLite: {error}") from error
    if found != transactions + rows or sound != "ok":
        raise RuntimeError(f"SQLite: {found} rows of {transactions + rows}; quick_check: {sound}")
    return between - began, ended - between
