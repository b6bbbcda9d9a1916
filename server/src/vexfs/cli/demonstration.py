"""What `make run` shows on its server: a real corpus, three searches as soon as they can be answered, what to try next.

The corpus is the sources of the Python standard library without their tests. It is an ordinary client of the server: what it
does, a person can do with the commands it names. Runs in a thread of its own and gives up when `ended` is set.
"""

import sys
import sysconfig
import threading
import time
from pathlib import Path

import click

from vexfs.cli.client import Client
from vexfs.cli.connect import connected
from vexfs.cli.content import make_directory
from vexfs.cli.exits import RemoteError
from vexfs.cli.importer import Importer
from vexfs.cli.importing import progress_bar
from vexfs.cli.options import Target
from vexfs.cli.records import reference
from vexfs.cli.search import show_hit
from vexfs.cli.waiting import server_info
from vexfs.contract.v1 import attributes_pb2, common_pb2, search_pb2, server_pb2
from vexfs.core.errors import VexfsError

CORPUS = f"/python{sys.version_info.major}.{sys.version_info.minor}"
#: Tests, and what was installed beside the library.
NOT_SOURCES = ("test/", "tests/", "idle_test/", "site-packages/", "dist-packages/", "ensurepip/_bundled/")
EXAMPLES = ("parse command line arguments", "keep a list sorted while inserting", "pick a random element")
#: After that long the examples are shown with what there is.
PATIENCE_SECONDS = 40.0


class Demonstration:
    """Fills a server and shows what it can; `ended` is set when the server is to stop."""

    def __init__(self, data: Path, mount: Path | None, ended: threading.Event) -> None:
        self._data = data
        self._mount = mount
        self._ended = ended

    def run(self) -> None:
        """Import, search, tell what to try. A failure here is said and ends nothing: the server goes on."""
        target = Target(self._data, None, None, None, None, None, None)
        try:
            with connected(target) as client:
                if not _is_imported(client):
                    self._import(client)
                self._examples(client)
                self._hints()
                self._follow(client)
        except (VexfsError, RemoteError) as error:
            if not self._ended.is_set():
                click.secho(f"the demonstration stopped: {error.message}", fg="red", err=True)

    def _import(self, client: Client) -> None:
        source = Path(sysconfig.get_path("stdlib"))
        click.echo(f"importing the sources of the Python standard library, {source}, into {CORPUS}")
        begun = time.monotonic()
        with progress_bar("importing") as progress:
            importer = Importer(client, source, CORPUS, excluded=NOT_SOURCES, included=("*.py",), progress=progress)
            report = importer.run()
        for failed in report.failed:
            click.secho(f"failed   {failed.path}  ({failed.reason})", fg="red")
        click.echo(f"{report.stored} files imported in {time.monotonic() - begun:.0f} s; embedding goes on in the background")
        if not report.failed:
            _mark_imported(client)

    def _examples(self, client: Client) -> None:
        """Three searches, as soon as every file can be found by its words, and by the meaning of how it begins."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._ended.is_set() and time.monotonic() < deadline and not _is_answerable(server_info(client)):
            time.sleep(0.5)
        for question in EXAMPLES:
            if self._ended.is_set():
                return
            request = search_pb2.SearchRequest(text=question, limit=3)
            begun = time.monotonic()
            answer = client.call("SearchService.Search", request, search_pb2.SearchResponse, timeout_s=10.0)
            milliseconds = (time.monotonic() - begun) * 1000
            click.echo()
            click.secho(f"$ vexfs search --limit 3 '{question}'", fg="green", nl=False)
            click.secho(f"   {milliseconds:.0f} ms", dim=True)
            for place, hit in enumerate(answer.hits, start=1):
                show_hit(place, hit)
            if not answer.hits:
                click.echo("   nothing found yet")

    def _hints(self) -> None:
        click.echo()
        click.secho("Try, in another shell:", bold=True)
        if self._mount is not None:
            click.echo(f"  ls {short(self._mount)}/.search/'parse command line arguments'/")
            click.echo(f"  cp README.md {short(self._mount)}/ && .venv/bin/vexfs search 'what is this project about'")
        click.echo("  .venv/bin/vexfs status")
        click.echo("Ctrl-C stops.")

    def _follow(self, client: Client) -> None:
        """Say how far the embedding is, until it is done."""
        said = 0.0
        busy = False
        while not self._ended.wait(1.0):
            info = server_info(client)
            pending = sum(view.pending for view in info.views)
            if not pending:
                if busy:
                    click.echo(f"everything is embedded: {info.text.ready} files, {info.text.passages} passages")
                return
            busy = True
            if time.monotonic() - said > 15.0:
                said = time.monotonic()
                click.secho(f"{pending} of {info.text.passages} passages still to embed", dim=True)


def _is_answerable(info: server_pb2.GetServerInfoResponse) -> bool:
    """Whether all words are indexed, and the first passages of each file embedded: beginnings come first.

    A server that has just started answers by words alone until it has loaded its model and vectors.
    """
    if not info.HasField("embedding") or any(view.state == common_pb2.VIEW_STATE_REBUILDING for view in info.views):
        return False
    pending = {view.view: view.pending for view in info.views}
    embedded = info.text.passages - pending.get("dense", 0)
    # The first files of an import count as fresh and are embedded whole: three for each file are two of every other one.
    enough = min(3 * info.text.ready, info.text.passages)
    return pending.get("lexical", 1) == 0 and info.text.pending == 0 and embedded >= enough


def _is_imported(client: Client) -> bool:
    request = attributes_pb2.GetMetadataRequest(file=reference(CORPUS))
    try:
        answer = client.call("FilesService.GetMetadata", request, attributes_pb2.GetMetadataResponse, timeout_s=10.0)
    except RemoteError as error:
        if error.code == "NOT_FOUND":
            return False
        raise
    return "imported" in answer.metadata and answer.metadata["imported"] == sys.version


def _mark_imported(client: Client) -> None:
    make_directory(client, CORPUS)
    request = attributes_pb2.SetMetadataRequest(file=reference(CORPUS))
    request.metadata.update({"imported": sys.version})
    client.call("FilesService.SetMetadata", request, attributes_pb2.SetMetadataResponse, timeout_s=10.0)


def short(path: Path | None) -> str:
    """A path as a person in this directory types it."""
    try:
        return f"./{path.relative_to(Path.cwd())}" if path is not None else ""
    except ValueError:
        return str(path)
