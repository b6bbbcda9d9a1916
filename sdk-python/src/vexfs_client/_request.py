"""The `request_id` of a writing call. Pure but for randomness."""

import uuid


def new_request_id(given: str | None) -> str:
    """The one that was given, even an empty one; otherwise a random UUID."""
    return str(uuid.uuid4()) if given is None else given
