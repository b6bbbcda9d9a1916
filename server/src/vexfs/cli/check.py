"""`vexfs check`: is everything in a data folder as it must be, and can what is not be repaired?

Works on the folder itself, without a server. Repairing needs the folder for itself: it takes the server's lock and refuses
while a mount has the volume open.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vexfs import runtime
from vexfs.cli import exits, output
from vexfs.cli.options import data_option, json_option
from vexfs.core.errors import NotFound, VolumeInUse

if TYPE_CHECKING:
    from vexfs.store.check import Finding


@click.command("check")
@data_option
@click.option("--repair", is_flag=True, help="Repair what is broken; needs that no server and no mount runs on the folder.")
@click.option("--deep", is_flag=True, help="Also compare every large content with its hash.")
@json_option
def check_command(data: Path, repair: bool, deep: bool, as_json: bool) -> int:
    """Verify a data folder. Ends with status 1 when something is broken and not repaired."""
    from vexfs.store.check import check_volume

    folder = runtime.DataFolder(data)
    if not folder.volume.is_dir():
        raise NotFound(f"there is no VexFS data in {folder.path}; name the folder with --data or VEXFS_DATA")
    with _alone(folder) if repair else contextlib.nullcontext():
        findings = check_volume(folder.volume, repair=repair, deep=deep, progress=_progress(as_json))
    for finding in findings:
        _show(finding, as_json)
    broken = sum(1 for finding in findings if not finding.repaired)
    if not as_json:
        state = f"{broken} broken" if broken else "clean"
        click.echo(f"{folder.path}: {state}" + (f", {len(findings) - broken} repaired" if repair else ""))
        if broken and not repair:
            output.remark("stop the server, keep a copy of the folder, then run: vexfs check --repair")
    return exits.ERROR if broken else exits.OK


def _show(finding: "Finding", as_json: bool) -> None:
    if as_json:
        output.print_json(finding._asdict())
        return
    outcome = "repaired" if finding.repaired else finding.error or "not repaired"
    click.echo(f"{click.style(finding.invariant, bold=True)}  {finding.subject}: {finding.message} ({outcome})")


@contextlib.contextmanager
def _alone(folder: runtime.DataFolder) -> Iterator[None]:
    """The folder for this command alone. Raises VolumeInUse, naming who has it."""
    lock = runtime.ServerLock(folder.path)
    lock.acquire()
    try:
        for file in folder.run.glob("*.ready.json"):
            name = file.name.removesuffix(".ready.json")
            record = runtime.read_ready(folder.path, name)
            if record is not None:
                raise VolumeInUse(
                    f"the process {record['pid']} ({name}) has the data folder {folder.path} open; unmount or stop it first",
                    pid=str(record["pid"]),
                )
        yield
    finally:
        lock.release()


def _progress(as_json: bool) -> Callable[[str], None]:
    if as_json or not output.is_terminal():
        return lambda _name: None
    return lambda name: output.remark(f"checking {name}")
