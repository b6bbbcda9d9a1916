"""The store against its model, driven by hypothesis.

`make test` runs a fixed, short form; `make proofs-long` (VEXFS_PROOFS=long) searches at random and for longer.
"""

import os

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from .machine import StoreMachine

_LONG = os.environ.get("VEXFS_PROOFS") == "long"
_SETTINGS = settings(
    max_examples=400 if _LONG else 20,
    stateful_step_count=80 if _LONG else 40,
    suppress_health_check=list(HealthCheck),
)


class ContentMachine(StoreMachine):
    """The same with little but content: what was cut off must never come back."""

    kinds = mount_kinds = ("create", "write", "write_large", "truncate", "truncate", "replace", "replace")


def test_the_volume_does_what_the_model_says() -> None:
    run_state_machine_as_test(StoreMachine, settings=_SETTINGS)


def test_content_is_what_was_written_last() -> None:
    run_state_machine_as_test(ContentMachine, settings=_SETTINGS)
