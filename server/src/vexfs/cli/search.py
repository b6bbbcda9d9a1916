"""`vexfs search`: which files answer a question?"""

from typing import Any

import click

from vexfs.cli import output
from vexfs.cli.connect import connected
from vexfs.cli.excerpt import excerpt
from vexfs.cli.options import Target, server_options
from vexfs.cli.records import path_of, printable, reference
from vexfs.contract.v1 import search_pb2

_MODES = {
    "hybrid": search_pb2.SEARCH_MODE_HYBRID,
    "dense": search_pb2.SEARCH_MODE_DENSE,
    "lexical": search_pb2.SEARCH_MODE_LEXICAL,
}
_HITS_MAX = 10_000
_PAGE_MAX = 1_000
"""More hits than this are asked for page by page."""
_MODE_NAMES = {number: name for name, number in _MODES.items()}


@click.command("search")
@click.argument("query", nargs=-1)
@click.option("--like", metavar="P", help="Instead of a question: what is like this file.")
@click.option("--path", "scope", metavar="P", help="Only in this directory and below it.")
@click.option("--limit", type=click.IntRange(1, _HITS_MAX), default=10, show_default=True, help="Hits at most, up to 10,000.")
@click.option("--mode", type=click.Choice(list(_MODES)), help="By meaning and words (hybrid, the default), or one of them.")
@click.option("--exact", is_flag=True, help="Compare every passage by meaning; slow where there is much.")
@click.option("--dense-weight", type=float, default=1.0, show_default=True, help="Hybrid: how much the meaning counts.")
@click.option("--lexical-weight", type=float, default=1.0, show_default=True, help="Hybrid: how much the words count.")
@click.option("--min-revision", type=click.IntRange(0), default=0, help="Wait for this revision first.")
@server_options()
def search_command(
    query: tuple[str, ...],
    like: str | None,
    scope: str | None,
    limit: int,
    mode: str | None,
    exact: bool,
    dense_weight: float,
    lexical_weight: float,
    min_revision: int,
    target: Target,
    as_json: bool,
) -> None:
    """Find files by meaning and by words, or by what they are like.

    In the question, "words in quotes" are a phrase and begin* is the beginning of a word; quote them for the shell:
    '"rotate keys"', 'conf*'.

    The best file comes first, with its best passage. With --json each hit is an object: file, score, passage, start_byte,
    end_byte, start_line, end_line, matches.
    """
    if (like is None) != bool(query):
        raise click.UsageError("give a question, or --like and a file")
    text = " ".join(query)
    if any("\udc80" <= letter <= "\udcff" for letter in text):  # bytes that are no text
        raise click.UsageError("the question is not UTF-8")
    request = search_pb2.SearchRequest(
        text=text,
        mode=search_pb2.SEARCH_MODE_UNSPECIFIED if mode is None else _MODES[mode],
        exact=exact,
        dense_weight=dense_weight,
        lexical_weight=lexical_weight,
        min_revision=min_revision,
    )
    if like is not None:
        request.like.CopyFrom(reference(like))
    if scope is not None:
        request.scope.CopyFrom(reference(scope))
    shown = 0
    with connected(target) as client:
        while True:
            request.limit = min(limit - shown, _PAGE_MAX)
            response = client.call("SearchService.Search", request, search_pb2.SearchResponse)
            for place, hit in enumerate(response.hits, start=shown + 1):
                if as_json:
                    output.print_json(hit_record(hit))
                else:
                    show_hit(place, hit)
            shown += len(response.hits)
            if shown == limit or not response.next_page_token:
                break
            request.page_token = response.next_page_token
    _remark(response, shown, as_json)


def hit_record(hit: search_pb2.SearchHit) -> dict[str, Any]:
    """A hit as --json shows it."""
    return {
        "file": printable(path_of(hit.file)),
        "score": hit.score,
        "passage": hit.passage.text,
        "start_byte": hit.passage.start_byte,
        "end_byte": hit.passage.end_byte,
        "start_line": hit.passage.start_line,
        "end_line": hit.passage.end_line,
        "id": hit.file.id,
        "matches": [
            {"mode": _MODE_NAMES[match.mode], "rank": match.rank, "score": match.score, "terms": list(match.terms)}
            for match in hit.matches
        ],
    }


def show_hit(place: int, hit: search_pb2.SearchHit) -> None:
    """A hit for people: where, how well, why, and some lines of its passage with the words of the question marked."""
    lines = f":{hit.passage.start_line}-{hit.passage.end_line}" if hit.passage.start_line else ""
    why = " + ".join(f"{_MODE_NAMES.get(match.mode, '?')} #{match.rank}" for match in hit.matches)
    name = click.style(printable(path_of(hit.file)), fg="cyan", bold=True)
    click.echo(f"{place:2d}. {name}{click.style(lines, fg='cyan')}  {click.style(f'{hit.score:.4f}  {why}', dim=True)}")
    for line in excerpt(hit.passage.text, [term for match in hit.matches for term in match.terms]):
        click.echo(f"      {line}")


def _remark(response: search_pb2.SearchResponse, shown: int, as_json: bool) -> None:
    """What is to be known about the answer as a whole, by its last page, on standard error."""
    if as_json:
        facts = {
            "revision": response.revision,
            "strategy": response.strategy,
            "generation": response.generation,
            "exact": response.exact,
            "partial": response.partial,
            "partial_reasons": list(response.partial_reasons),
            "pending": response.pending,
        }
        click.echo(output.to_json(facts), err=True)
        return
    if not shown:
        output.remark("no file answers that")
    if response.partial:
        output.remark(f"partial answer: {'; '.join(response.partial_reasons)}")
    elif response.pending:
        output.remark(f"{response.pending} changed files are still being indexed; `vexfs wait` waits for them")
