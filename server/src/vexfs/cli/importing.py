"""`vexfs import`: copy a local directory into VexFS, with a progress bar for people and a report for everybody."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from vexfs.cli import exits, output
from vexfs.cli.connect import connected
from vexfs.cli.importer import Importer, Report
from vexfs.cli.options import Target, server_options
from vexfs.cli.pace import shown_while_waiting
from vexfs.cli.records import printable, size_text
from vexfs.cli.waiting import wait_for_views


@click.command("import")
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--into", metavar="PATH", help="Directory to import into, made when missing.  [default: /NAME]")
@click.option("--exclude", "excluded", multiple=True, metavar="PATTERN", help="Leave out, in the manner of .gitignore.")
@click.option("--include", "included", multiple=True, metavar="PATTERN", help="Only files with such a name, as *.md.")
@click.option("--wait", is_flag=True, help="Return when everything can be found.")
@server_options(timeout_s=None)
def import_command(
    directory: Path,
    into: str | None,
    excluded: tuple[str, ...],
    included: tuple[str, ...],
    wait: bool,
    target: Target,
    as_json: bool,
) -> int:
    """Copy a local directory into VexFS.

    Files that are there already with the same size and time are left alone, so an interrupted import goes on where it stopped.
    Left out are .git, node_modules, virtual environments, caches, swap files and what .gitignore and .vexfsignore say; each
    is listed with the reason.
    """
    destination = into if into is not None else f"/{directory.resolve().name}"
    with connected(target) as client:
        with progress_bar(f"importing {directory}") as progress:
            importer = Importer(client, directory, destination, excluded=excluded, included=included, progress=progress)
            report = importer.run()
        show_report(report, as_json)
        if wait:
            with shown_while_waiting() as on_step:
                wait_for_views(client, target.timeout_s, on_step)
    return exits.ERROR if report.failed else exits.OK


@contextlib.contextmanager
def progress_bar(title: str) -> Iterator[Callable[[Report], None]]:
    """A bar on a terminal's standard error; elsewhere nothing. Yields what the importer calls."""
    if not output.is_terminal():
        yield lambda _report: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("files"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=5) as bar:
        task = bar.add_task(title, total=None)
        yield lambda report: bar.update(task, total=report.total_files, completed=report.done)


def show_report(report: Report, as_json: bool) -> None:
    """Every entry that was passed over, every failure, and the sum, on standard output."""
    if as_json:
        for skipped in report.skipped:
            output.print_json({"local": printable(str(skipped.path)), "outcome": "skipped", "reason": skipped.reason})
        for failed in report.failed:
            output.print_json({"local": printable(str(failed.path)), "outcome": "failed", "reason": failed.reason})
        output.print_json(
            {
                "stored": report.stored,
                "unchanged": report.unchanged,
                "skipped": len(report.skipped),
                "failed": len(report.failed),
                "size_bytes": report.done_size_bytes,
            }
        )
        return
    for skipped in report.skipped:
        click.secho(f"skipped  {printable(str(skipped.path))}  ({skipped.reason})", dim=True)
    for failed in report.failed:
        click.secho(f"failed   {printable(str(failed.path))}  ({failed.reason})", fg="red")
    skips, failures, size = len(report.skipped), len(report.failed), size_text(report.done_size_bytes)
    click.echo(f"{report.stored} files stored, {report.unchanged} unchanged, {skips} skipped, {failures} failed ({size})")
