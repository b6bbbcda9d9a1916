"""Every format there ever was is opened, migrated, clean, and shows what it showed."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from vexfs.store import schema
from vexfs.store.check import check_volume
from vexfs.store.volume import Volume

from .formats.reading import read_volume
from .helpers import make_file

FORMATS = Path(__file__).parent / "formats"


def what_is_asked(shown: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    """`shown` without what later versions brought: attributes of files, and of the vectors of a schema the last."""
    found: dict[str, Any] = {}
    for revision, tree in shown.items():
        found[revision] = {}
        for path, facts in tree.items():
            asked = expected.get(revision, {}).get(path, facts)
            kept = {name: fact for name, fact in facts.items() if name in asked}
            if "schema" in kept:
                kept["schema"] = _schema_as(kept["schema"], asked["schema"])
            found[revision][path] = kept
    return found


def _schema_as(shown: Any, expected: Any) -> Any:
    """A schema, of whose vectors as much is shown as was then: later ones are float32, which the volume did not say."""
    if not shown or not expected:
        return shown
    vectors, *rest = shown
    assert all(spec[3:] == ["float32"] for spec in vectors)
    return [[spec[: len(then)] for spec, then in zip(vectors, expected[0], strict=True)], *rest]


def test_every_format_up_to_the_present_has_its_volume() -> None:
    assert sorted(path.name for path in FORMATS.iterdir() if path.name.isdigit()) == [
        str(number) for number in range(1, schema.FORMAT + 1)
    ]


@pytest.mark.parametrize("number", range(1, schema.FORMAT + 1))
def test_a_volume_of_an_old_format_opens_clean_and_shows_what_it_showed(number: int, folder: Path) -> None:
    shutil.copytree(FORMATS / str(number), folder)
    expected = json.loads((folder / "expected.json").read_text())
    assert len(expected) > 5
    with Volume.open(folder, "api") as volume:
        with volume.snapshot() as view:
            assert view.execute("PRAGMA user_version").fetchall() == [(schema.FORMAT,)]
        assert what_is_asked(read_volume(volume), expected) == expected
    assert check_volume(folder, deep=True) == []
    with Volume.open(folder, "api") as volume:
        make_file(volume, b"new", b"x")
        assert volume.head() == len(expected)
