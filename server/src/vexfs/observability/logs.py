"""Structured logs: one JSON object a line on standard error.

Every process calls `configure` once at its start, before it starts threads. Loggers are the standard library's; what a
caller passes as `extra={...}` becomes fields of the object. Never writes to standard output, which belongs to commands
and protocols.
"""

import datetime
import json
import logging
import os
import sys
from typing import Any

LEVEL_VARIABLE = "VEXFS_LOG_LEVEL"

_STANDARD_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Turns a log record into one line of JSON: time (RFC 3339, UTC), level, process, logger, message, then the extras."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        line: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name, value in vars(record).items():
            if name not in _STANDARD_ATTRIBUTES:
                line.setdefault(name, value)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def configure(process: str, level: str | None = None) -> None:
    """Send the logs of this process to standard error as JSON.

    `process` names the process ("api", "mount", "indexer"); `level` is a level name, by default VEXFS_LOG_LEVEL or INFO.
    A second call replaces the first.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(process))
    logging.basicConfig(handlers=[handler], level=(level or os.environ.get(LEVEL_VARIABLE) or "INFO").upper(), force=True)
