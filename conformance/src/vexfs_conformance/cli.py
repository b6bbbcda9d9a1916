"""`vexfs-conformance`: what can a person type? Parses the command line and calls the session; exit 0 conformant, 1 not, 2
usage, 3 harness, 130 interrupted.
"""

import argparse
import os
import shlex
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from vexfs_conformance import __version__, cells, known, suites
from vexfs_conformance.lanes import choosing
from vexfs_conformance.outcomes import Endpoint, HarnessError, Lane
from vexfs_conformance.reports import jsonl, table, writing
from vexfs_conformance.results import CaseResult, RunFooter, RunHeader
from vexfs_conformance.server import OwnServer, Target, endpoint_of, look
from vexfs_conformance.session import Choice, Session, collect

CONFORMANT, NOT_CONFORMANT, USAGE, HARNESS, INTERRUPTED = 0, 1, 2, 3, 130
_ENDINGS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = _parser().parse_args(_with_token(sys.argv[1:] if arguments is None else arguments))
    try:
        with _ended_once():
            return int(options.command(options))
    except KeyboardInterrupt:
        sys.stderr.write("vexfs-conformance: interrupted; what the run left on the server and on this machine is removed\n")
        return INTERRUPTED
    except HarnessError as error:
        sys.stderr.write(f"vexfs-conformance: {error}\n")
        return HARNESS
    except ValueError as error:
        sys.stderr.write(f"vexfs-conformance: {error}\n")
        return USAGE


def _with_token(arguments: Sequence[str]) -> list[str]:
    """The arguments with `--token X` as one: a token may begin with a dash, and the parser would take it for an option."""
    found = list(arguments)
    if "--token" in found[:-1]:
        at = found.index("--token")
        found[at : at + 2] = [f"--token={found[at + 1]}"]
    return found


@contextmanager
def _ended_once() -> Iterator[None]:
    """Ctrl-C, SIGTERM and a closed terminal end a run alike, and do not interrupt its cleaning up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_: object) -> None:
        for each in _ENDINGS:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {each: signal.signal(each, end) for each in _ENDINGS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("vexfs-conformance", description="Shows that SDKs and surfaces of VexFS behave alike.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run cases and report")
    _target_options(run)
    run.add_argument("--serve", action="store_true", help="start a server for the run instead of --target")
    run.add_argument("--quota", metavar="SIZE", help="of that server; the cases of Quota need 1MiB")
    run.add_argument("--sdk", default="", metavar="NAMES", help="SDKs whose adapters lie beside the suite, such as python,go")
    run.add_argument("--adapter", action="append", default=[], metavar="NAME=COMMAND", help="an adapter of any SDK")
    run.add_argument("--transport", default="", metavar="NAMES", help="only these transports of the SDKs")
    run.add_argument("--lane", metavar="NAMES", help="raw lanes: grpc,rest,connect,mount or none  [default: all that answer]")
    run.add_argument("--mount", type=Path, metavar="FOLDER", help="where the target is mounted on this machine")
    _choice_options(run)
    run.add_argument("--known", type=Path, metavar="FILE", help="known failures (YAML)")
    run.add_argument("--report", type=Path, metavar="FOLDER", default=Path(".conformance"), help="[default: .conformance]")
    run.add_argument("--jobs", type=int, default=2, metavar="N", help="lanes at the same time  [default: 2]")
    run.add_argument("--complete", action="store_true", help="fail if a behaviour of the contract is shown by no case")
    run.set_defaults(command=_run)
    listing = commands.add_parser("list", help="list the cases")
    _choice_options(listing)
    listing.set_defaults(command=_list)
    gc = commands.add_parser("gc", help="remove what killed runs left on a server")
    _target_options(gc)
    gc.add_argument("--older-than", type=float, default=3600, metavar="SECONDS", help="[default: 3600]")
    gc.set_defaults(command=_gc)
    again = commands.add_parser("report", help="make the reports again from a report.jsonl")
    again.add_argument("file", type=Path)
    again.set_defaults(command=_report_again)
    return parser


def _target_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--target", metavar="URL", help="the server's REST address: http://host:8080 or https://host")
    parser.add_argument("--grpc", metavar="HOST:PORT", help="its gRPC address  [default: port 8083 of the same host]")
    parser.add_argument("--token", default=os.environ.get("VEXFS_TOKEN"), help="the token  [default: VEXFS_TOKEN]")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="a file that holds the token")
    for name, text in (("ca", "whom to trust"), ("client-cert", "the certificate to show"), ("client-key", "its key")):
        parser.add_argument(f"--tls-{name}", metavar="FILE", help=f"{text} (PEM)")


def _choice_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--case", action="append", default=[], metavar="GLOB", help="such as 'Files/*'; may be repeated")
    parser.add_argument("--profile", choices=("core", "read-only"), default="core", help="[default: core]")
    parser.add_argument("--cases", type=Path, metavar="FOLDER", help="cases of your own instead of the suite's")


def _endpoint(options: argparse.Namespace) -> Endpoint:
    if not options.target:
        raise ValueError("name a server with --target URL, or start one with --serve")
    token = _token_in(options.token_file) if options.token_file else options.token
    names = ("tls_ca", "tls_client_cert", "tls_client_key")
    tls = {name: getattr(options, name) for name in names if getattr(options, name)}
    return endpoint_of(options.target, options.grpc, token, tls)


def _token_in(file: Path) -> str:
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"--token-file: {file} cannot be read: {error}") from error


def _run(options: argparse.Namespace) -> int:
    loaded = suites.load(options.cases)
    listed = known.load(options.known)
    choice = Choice(options.case, options.profile == "read-only")
    mount, left_out = choosing.mount(options.lane, options.mount, serve=options.serve)
    if options.quota and not options.serve:
        raise ValueError("--quota is that of a server which --serve starts")
    server = OwnServer(mount=mount, quota=options.quota) if options.serve else None
    lanes: list[Lane] = []
    try:
        target = look(server.endpoint if server else _endpoint(options))
        session = Session(target, loaded, choice)
        if not session.cases:
            raise ValueError("no case has such a name")
        lanes += choosing.raw_lanes(options.lane, target, (server.mountpoint if server else options.mount) if mount else None)
        lanes += choosing.sdk_lanes(options.sdk, options.adapter, options.transport)
        if not lanes:
            raise ValueError("there is nothing to run: no lane and no SDK")
        started = time.monotonic()
        results = session.run(lanes, jobs=options.jobs, tell=_tell)
        results, problems = known.apply(listed, results)
        if options.complete:
            problems += [f"no case shows {cell.name}" for cell in cells.cells(results) if cell.empty]
        left_out += [] if options.lane else target.silent
        header = _header(options, target, lanes, len(session.cases), left_out)
        footer = RunFooter(time.monotonic() - started, dict(Counter(str(each.verdict) for each in results)), problems)
    finally:
        try:
            for lane in lanes:
                lane.close()
        finally:
            if server is not None:
                server.close()
    return _finish(jsonl.Report(header, results, footer), options.report)


def _header(
    options: argparse.Namespace, target: Target, lanes: Sequence[Lane], count: int, left_out: Sequence[str]
) -> RunHeader:
    return RunHeader(
        suite_version=__version__,
        target=target.name,
        server_version=target.info.get("version", "?"),
        profile=options.profile,
        lanes=[_lane(options, lane) for lane in lanes],
        cases=count,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        again=_again(options),
        left_out=left_out,
    )


def _lane(options: argparse.Namespace, lane: Lane) -> dict[str, str]:
    """A lane in the header; of an SDK with `--adapter`, that too."""
    told = {"sdk": "raw" if lane.raw else lane.name, "version": lane.version, "transport": lane.transport}
    given = next((entry for entry in options.adapter if not lane.raw and entry.startswith(f"{lane.name}=")), None)
    return {**told, "adapter": given} if given else told


def _again(options: argparse.Namespace) -> str:
    """The options that lead to the same server once more; never the token."""
    if options.serve:
        return f"--serve --quota {shlex.quote(options.quota)}" if options.quota else "--serve"
    names = ("target", "grpc", "token_file", "tls_ca", "tls_client_cert", "tls_client_key", "mount")
    given = {name: getattr(options, name) for name in names if getattr(options, name)}
    return " ".join(f"--{name.replace('_', '-')} {shlex.quote(str(value))}" for name, value in given.items())


def _tell(result: CaseResult) -> None:
    """One line for what went wrong while it runs; dots would say nothing."""
    if result.bad:
        sys.stderr.write(f"✗ {result.lane} {result.case} (step {result.step})\n")
        sys.stderr.flush()


def _finish(report: jsonl.Report, folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    jsonl.write(folder / "report.jsonl", report)
    writing.write(report, folder)
    sys.stdout.write(writing.told(report, folder))
    return CONFORMANT if report.footer.conformant else NOT_CONFORMANT


def _list(options: argparse.Namespace) -> int:
    choice = Choice(options.case, options.profile == "read-only")
    chosen = [case for case in suites.all_cases(suites.load(options.cases)) if choice.takes(case)]
    for case in chosen:
        sys.stdout.write(f"{case.full_name}\t{case.why}\n")
    sys.stdout.write(f"{len(chosen)} cases\n")
    return CONFORMANT


def _gc(options: argparse.Namespace) -> int:
    removed = collect(look(_endpoint(options)), older_than_s=options.older_than)
    sys.stdout.write("".join(f"removed {path}\n" for path in removed) or "nothing was left behind\n")
    return CONFORMANT


def _report_again(options: argparse.Namespace) -> int:
    report = jsonl.read(options.file)
    writing.write(report, options.file.parent)
    sys.stdout.write(table.table(report) + "\n")
    return CONFORMANT if report.footer.conformant else NOT_CONFORMANT
