"""Results kept by `request_id`, so that a repeated write is answered and not done again.

Called by the write queue inside the transaction of the write: result and effect commit together. Stateless.
"""

from typing import NamedTuple

from vexfs.core.errors import RequestIdReused
from vexfs.store.log import Executes

KEPT_NS = 600 * 1_000_000_000
"""How long a result is kept: 10 minutes."""


class StoredResult(NamedTuple):
    revision: int
    response: bytes


def find(view: Executes, request_id: str, digest: bytes, *, now_ns: int) -> StoredResult | None:
    """The result of an earlier attempt, or None. Raises RequestIdReused when the id came with another request."""
    sql = "SELECT digest, revision, response, time_ns FROM request WHERE request_id=?"
    for found, revision, response, time_ns in view.execute(sql, (request_id,)):
        if now_ns - time_ns > KEPT_NS:
            return None
        if found != digest:
            raise RequestIdReused(
                f"request_id {request_id!r} was used for another request within the last 10 minutes: choose a new one"
            )
        return StoredResult(revision, response)
    return None


def is_known(view: Executes, request_id: str, *, now_ns: int) -> bool:
    """Whether the result of a request with this id is kept, whatever the request was."""
    sql = "SELECT 1 FROM request WHERE request_id=? AND time_ns>=?"
    return any(True for _ in view.execute(sql, (request_id, now_ns - KEPT_NS)))


def keep(txn: Executes, request_id: str, digest: bytes, *, revision: int, now_ns: int, response: bytes) -> None:
    txn.execute("INSERT OR REPLACE INTO request VALUES(?, ?, ?, ?, ?)", (request_id, digest, revision, now_ns, response))


def expire(txn: Executes, *, now_ns: int) -> None:
    """Delete results that are over."""
    txn.execute("DELETE FROM request WHERE time_ns<?", (now_ns - KEPT_NS,))
