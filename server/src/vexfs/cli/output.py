"""What a command prints: JSON lines for programs, coloured text for people. Colour only on a terminal.

Standard output carries results and nothing else; remarks go to standard error.
"""

import json
import sys
from typing import Any

import click


def print_json(record: dict[str, Any]) -> None:
    """One object on a line of standard output."""
    click.echo(to_json(record))


def to_json(record: dict[str, Any]) -> str:
    """One object on one line."""
    return json.dumps(record, ensure_ascii=False)


def remark(text: str) -> None:
    """A remark for people, on standard error."""
    click.secho(text, err=True, dim=True)


def is_terminal() -> bool:
    """Whether a person sees standard error: there a progress bar helps."""
    return sys.stderr.isatty()
