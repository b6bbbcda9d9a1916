"""The documents say what is so: commands and targets they name exist, links lead somewhere, tables match the code."""

import re
import subprocess
from pathlib import Path

import click
import pytest

from vexfs import config
from vexfs.cli import exits, main

ROOT = Path(__file__).parents[3]
_TRACKED = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
DOCUMENTS = sorted(ROOT / name for name in _TRACKED if "/" not in name or name.startswith("docs/"))
IDS = [str(path.relative_to(ROOT)) for path in DOCUMENTS]


def code_of(text: str) -> list[str]:
    """Every line of the code blocks, and every piece of inline code."""
    blocks = re.findall(r"^```[a-z]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    rest = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines()] + re.findall(r"`([^`\n]+)`", rest)


def vexfs_calls(text: str) -> list[list[str]]:
    """The words behind every `vexfs` that starts a command."""
    start = re.compile(r"(?:^|[$;&|(] *|\bdir/)(?:\.venv/bin/)?vexfs +([a-z-].*)")
    found = [match[1] for code in code_of(text) for match in start.finditer(code.strip())]
    return [re.split(r"[;&|#]", words)[0].split() for words in found]


def test_there_are_documents_to_check() -> None:
    assert {"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/operations.md"} <= set(IDS)
    assert sum(len(vexfs_calls(path.read_text("utf-8"))) for path in DOCUMENTS) > 20


@pytest.mark.parametrize("path", DOCUMENTS, ids=IDS)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        file, _, anchor = target.partition("#")
        document = (path.parent / file) if file else path
        assert document.exists(), f"{path.name} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", document.read_text("utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in anchors, f"{path.name} links to {target}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=IDS)
def test_every_vexfs_command_and_option_exists(path: Path) -> None:
    group = main.LazyGroup()
    for words in vexfs_calls(path.read_text("utf-8")):
        name = words[0].strip(",.")
        if name.startswith("-"):
            continue
        command = group.get_command(click.Context(main.vexfs), name.partition("|")[0])
        assert command is not None, f"{path.name}: vexfs {' '.join(words)}"
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        for word in words[1:]:
            option = word.strip("[]").partition("=")[0]
            if option.startswith("--") and len(option) > 2:
                assert option in known, f"{path.name}: vexfs {' '.join(words)}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=IDS)
def test_every_make_target_exists(path: Path) -> None:
    makefiles = [ROOT / "Makefile", *(ROOT / "make").glob("*.mk")]
    targets = {name for file in makefiles for name in re.findall(r"^([a-z][a-z-]*):", file.read_text("utf-8"), re.MULTILINE)}
    for code in code_of(path.read_text("utf-8")):
        for target in re.findall(r"(?:^|&& )make ([a-z][a-z-]*)", code.strip()):
            assert target in targets, f"{path.name}: make {target}"


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "CONTRIBUTING.md", "docs/operations.md"])
def test_every_path_it_names_exists(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    for code in re.findall(r"`([^`\n ]+)`", text):
        if re.fullmatch(r"(server|proto|docs|bench|third_party|make|scripts)/[\w./-]*", code):
            assert (ROOT / code).exists(), f"{name}: {code}"


def test_the_table_of_settings_is_the_codes() -> None:
    text = (ROOT / "docs/operations.md").read_text("utf-8")
    for setting in config.SETTINGS:
        cells = [f"`{setting.option}`" if setting.option else "", f"`{setting.variable}`" if setting.variable else ""]
        row = f"| {cells[0]} | {cells[1]} | {setting.default} | {setting.meaning} |"
        assert row in text, row


def test_every_option_that_can_be_a_variable_is_in_the_table() -> None:
    table = {(setting.option, setting.variable) for setting in config.SETTINGS}
    group = main.LazyGroup()
    for name in main.COMMANDS:
        command = group.get_command(click.Context(main.vexfs), name)
        assert command is not None
        for parameter in command.params:
            if parameter.envvar:
                assert (parameter.opts[0], parameter.envvar) in table, f"{name} {parameter.opts[0]}"


def test_the_exit_statuses_are_documented() -> None:
    text = (ROOT / "docs/troubleshooting.md").read_text("utf-8")
    for name, value in vars(exits).items():
        if name.isupper() and isinstance(value, int):
            assert f"| {value} | " in text, name


@pytest.mark.parametrize("path", DOCUMENTS, ids=IDS)
def test_documents_name_no_machine(path: Path) -> None:
    assert not re.search(r"(?<![\w/])/(?:work|root|home/\w+)/", path.read_text("utf-8"))
