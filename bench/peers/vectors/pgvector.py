"""PostgreSQL with pgvector, as `pgserver` ships it: a server of its own, reached over a Unix socket, a connection a thread."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pgserver
import psycopg
from pgvector import Vector
from pgvector.psycopg import register_vector

from bench.peers.vectors.engine import Condition, K, Place, Rows, Vectors

_SETTINGS = {
    "shared_buffers": "2GB",
    "maintenance_work_mem": "2GB",
    "effective_cache_size": "8GB",
    "max_parallel_maintenance_workers": "2",
}
"""For a machine of some memory: the distribution's defaults are for one of 1 GB. What concerns durability is left as it is."""


class Pgvector:
    efforts = (10, 20, 40, 60, 80, 100, 128, 192, 256, 384, 512, 768, 1000)
    recommended = 40
    writes_beside_searches = True

    def __init__(self, place: Place) -> None:
        self._place = place
        self._server = pgserver.get_server(place.folder / "pgdata", cleanup_mode="stop")
        self._local = threading.local()
        self._effort = self.recommended
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            for name, value in _SETTINGS.items():
                connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")  # type: ignore[arg-type]
        self._restart()
        columns = ", ".join(f"{name} int4" for name in place.names)
        connection = self._connection(register=False)
        connection.execute("CREATE EXTENSION vector")
        connection.execute(f"CREATE TABLE bench (id int8 PRIMARY KEY, vector vector({place.dimension}), {columns})")
        register_vector(connection)
        version = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
        number = connection.execute("SHOW server_version").fetchone()
        settings = ", ".join(f"{name} {value}" for name, value in _SETTINGS.items())
        self.about = {
            "version": f"pgvector {version[0]}, PostgreSQL {number[0]}" if version and number else "",
            "settings": f"HNSW m 16, ef_construction 64 after the load, numbers indexed, prepared statements; {settings}",
            "durable": "its own commit of each batch (fsync and synchronous_commit are on)",
        }

    def _restart(self) -> None:
        self._server.cleanup()
        self._server = pgserver.get_server(self._place.folder / "pgdata", cleanup_mode="stop")

    def _connection(self, *, register: bool = True) -> psycopg.Connection[Any]:
        """This thread's connection, set to the effort asked for."""
        connection: psycopg.Connection[Any] | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = psycopg.connect(self._server.get_uri(), autocommit=True, prepare_threshold=1)
            if register:
                register_vector(connection)
            self._local.connection, self._local.effort = connection, 0
        if register and self._local.effort != self._effort:
            connection.execute(f"SET hnsw.ef_search = {self._effort}")  # type: ignore[arg-type]
            self._local.effort = self._effort
        return connection

    def insert(self, rows: Rows) -> None:
        names = ", ".join(("id", "vector", *self._place.names))
        connection = self._connection()
        with connection.cursor() as cursor, cursor.copy(f"COPY bench ({names}) FROM STDIN WITH (FORMAT BINARY)") as copy:  # type: ignore[arg-type]
            copy.set_types(["int8", "vector", *("int4" for _ in self._place.names)])
            for place, number in enumerate(rows.ids):
                copy.write_row(
                    [number, Vector(rows.vectors[place]), *(int(rows.numbers[name][place]) for name in self._place.names)]
                )

    def build(self) -> None:
        connection = self._connection()
        for name in self._place.names:
            connection.execute(f"CREATE INDEX ON bench ({name})")  # type: ignore[arg-type]
        connection.execute("CREATE INDEX ON bench USING hnsw (vector vector_cosine_ops)")
        connection.execute("VACUUM ANALYZE bench")

    def set_effort(self, effort: int) -> None:
        self._effort = effort

    def prepare(self, vector: Vectors, condition: Condition | None) -> Any:
        value = Vector(np.asarray(vector))
        if condition is None:
            return "SELECT id FROM bench ORDER BY vector <=> %s LIMIT %s", (value, K)
        return f"SELECT id FROM bench WHERE {condition.name} = %s ORDER BY vector <=> %s LIMIT %s", (condition.value, value, K)

    def search(self, question: Any) -> list[int]:
        return [number for (number,) in self._connection().execute(*question, binary=True).fetchall()]

    def processes(self) -> list[int]:
        return [self._server.get_pid() or 0]

    def close(self) -> None:
        self._server.cleanup()
