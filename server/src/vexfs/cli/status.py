"""`vexfs status` and `vexfs wait`: how is the server, and when can everything be found?"""

import time
from typing import Any

import click

from vexfs.cli import output
from vexfs.cli.connect import connected
from vexfs.cli.options import Target, server_options
from vexfs.cli.pace import Pace, shown_while_waiting
from vexfs.cli.records import size_text
from vexfs.cli.waiting import server_info, wait_for_views
from vexfs.contract.v1 import common_pb2, server_pb2

_STATES = {
    common_pb2.VIEW_STATE_READY: "ready",
    common_pb2.VIEW_STATE_BEHIND: "behind",
    common_pb2.VIEW_STATE_REBUILDING: "rebuilding",
    common_pb2.VIEW_STATE_UNAVAILABLE: "unavailable",
}
_BETWEEN_LOOKS_S = 1.0


@click.command("status")
@server_options()
def status_command(target: Target, as_json: bool) -> None:
    """Show the server's version, how much it holds, and what is still being indexed.

    While something is, it looks twice, a second apart, to tell how long that will take.
    """
    pace = Pace()
    with connected(target) as client:
        info = server_info(client)
        outlook = pace.look(info, time.monotonic())
        if not as_json and (outlook.files or outlook.passages):
            time.sleep(_BETWEEN_LOOKS_S)
            info = server_info(client)
            outlook = pace.look(info, time.monotonic())
        where = client.where
    record = info_record(info, where)
    if as_json:
        output.print_json(record)
        return
    click.echo(f"VexFS {info.version} at {where}" + ("  (read-only)" if info.store.read_only else ""))
    click.echo(
        f"  files     {info.store.file_count}, revision {info.store.revision} (history from {info.store.oldest_revision})"
    )
    click.echo(f"  holds     {_held(info.store)}")
    text = info.text
    click.echo(f"  text      {text.ready} ready, {text.pending} pending, {text.skipped} not text; {text.passages} passages")
    click.echo(f"  model     {info.embedding.name or 'none'}")
    if info.embedding.next_name:
        done, total = info.embedding.next_done, info.embedding.next_total
        click.echo(f"  next      {info.embedding.next_name}: {done:,} of {total:,} passages embedded")
    if info.embedding.failure:
        click.echo(f"  embedding {click.style('failed', fg='red')}: {info.embedding.failure}")
    for view in info.views:
        state = _STATES.get(view.state, "unknown")
        colour = {"ready": "green", "behind": "yellow"}.get(state, "red")
        generation = f", generation {view.generation}" if view.generation else ""
        where_it_is = f"revision {view.revision}, {view.pending} pending{generation}"
        click.echo(f"  {view.view:<9} {click.style(state, fg=colour)}, {where_it_is}")
        if view.put_off:
            click.echo(f"            {click.style('build put off', fg='yellow')}: {view.put_off}")
    if outlook.files or outlook.passages:
        click.echo(f"  indexing  {outlook}")


def _held(store: server_pb2.StorePosition) -> str:
    """How much there is, and may be."""
    held = size_text(store.used_bytes)
    if store.quota_bytes:
        held += f" of {size_text(store.quota_bytes)}"
    return held + (f", {store.file_count} of {store.quota_files} files" if store.quota_files else "")


def info_record(info: server_pb2.GetServerInfoResponse, where: str) -> dict[str, Any]:
    """The server as --json shows it."""
    return {
        "version": info.version,
        "where": where,
        "capabilities": list(info.capabilities),
        "revision": info.store.revision,
        "oldest_revision": info.store.oldest_revision,
        "read_only": info.store.read_only,
        "files": info.store.file_count,
        "used_bytes": info.store.used_bytes,
        "quota_bytes": info.store.quota_bytes or None,
        "quota_files": info.store.quota_files or None,
        "text": {name: getattr(info.text, name) for name in ("ready", "pending", "skipped", "passages")},
        "model": info.embedding.name,
        "next_model": info.embedding.next_name,
        "next_done": info.embedding.next_done,
        "next_total": info.embedding.next_total,
        "embedding_failure": info.embedding.failure,
        "views": [
            {
                "view": view.view,
                "state": _STATES.get(view.state, "unknown"),
                "revision": view.revision,
                "pending": view.pending,
                "generation": view.generation,
                "put_off": view.put_off,
            }
            for view in info.views
        ],
    }


@click.command("wait")
@server_options(timeout_s=600.0)
def wait_command(target: Target, as_json: bool) -> None:
    """Return when all views have what the store has: then every search finds everything that was written."""
    with connected(target) as client, shown_while_waiting() as on_step:
        response = wait_for_views(client, target.timeout_s, on_step)
    if as_json:
        views = {view.view: view.revision for view in response.views}
        output.print_json({"revision": response.revision, "views": views})
