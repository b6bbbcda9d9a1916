"""Sizes as people write them."""

import pytest

from vexfs.cli import sizes
from vexfs.core.errors import InvalidRequest


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("1", 1),
        ("4096", 4096),
        ("4096B", 4096),
        ("10GiB", 10 << 30),
        (" 10 gib ", 10 << 30),
        ("10G", 10 << 30),
        ("10GB", 10_000_000_000),
        ("500MB", 500_000_000),
        ("64k", 65_536),
        ("1.5KiB", 1536),
        ("2TiB", 2 << 40),
        ("1024PiB", 1 << 60),
    ],
)
def test_a_size_is_a_number_and_a_unit(text: str, size_bytes: int) -> None:
    assert sizes.parse(text) == size_bytes


@pytest.mark.parametrize("text", ["", "GiB", "ten", "-1", "0", "0.1", "1XB", "1 GiB more", "1025PiB", "1e9", "1,5GiB"])
def test_what_is_no_size_says_how_one_looks(text: str) -> None:
    with pytest.raises(InvalidRequest, match="no size"):
        sizes.parse(text)
