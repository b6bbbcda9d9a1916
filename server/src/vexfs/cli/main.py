"""The entry of the `vexfs` command: which commands are there, and how does every one of them end?

The table below is the whole list; a command's module is imported when the command is called, so that `vexfs --help` loads none.
`main` turns errors into one sentence on standard error (one JSON object with --json) and a stable exit status. Single-threaded.
"""

import importlib
import os
import signal
import sys

import click

from vexfs import __version__
from vexfs.cli import exits

#: Command → (module, what it does in a line), in the order people meet them.
COMMANDS = {
    "search": ("vexfs.cli.search", "find files by meaning and by words"),
    "ls": ("vexfs.cli.listing", "list a directory"),
    "cat": ("vexfs.cli.content", "write a file's content to standard output"),
    "put": ("vexfs.cli.content", "store a local file, or standard input"),
    "get": ("vexfs.cli.content", "fetch a file's content into a local file"),
    "rm": ("vexfs.cli.tree", "remove files, or directories with --recursive"),
    "mv": ("vexfs.cli.tree", "rename or move a file or directory"),
    "cp": ("vexfs.cli.tree", "copy a file"),
    "mkdir": ("vexfs.cli.tree", "make a directory"),
    "ln": ("vexfs.cli.tree", "make a hard link, or a symbolic one with --symbolic"),
    "stat": ("vexfs.cli.listing", "show what is known of a file"),
    "import": ("vexfs.cli.importing", "copy a local directory into VexFS"),
    "wait": ("vexfs.cli.status", "wait until everything stored can be found"),
    "status": ("vexfs.cli.status", "show the server, and what is still being indexed"),
    "check": ("vexfs.cli.check", "verify a data folder, and repair it with --repair"),
    "mount": ("vexfs.cli.mounting", "mount a data folder's files on a directory"),
    "umount": ("vexfs.cli.mounting", "unmount that directory"),
    "serve": ("vexfs.cli.serve", "run a server on a data folder"),
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports a module only to run its command."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        if name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[name][0])
        command = getattr(module, f"{name}_command")
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="vexfs", message="%(prog)s %(version)s")
def vexfs() -> None:
    """VexFS: a file system you can search by meaning.

    Commands find the running server by VEXFS_ADDRESS (gRPC) or VEXFS_URL (REST), else through the data folder (--data or
    VEXFS_DATA). Each takes --json for programs. `vexfs COMMAND --help` says more.
    """


def main() -> None:
    """Run the command line and exit with its status."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command; the exit status (see `vexfs.cli.exits`)."""
    as_json = "--json" in arguments
    try:
        status = vexfs.main(arguments, prog_name="vexfs", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        if as_json:
            exits.Failure(exits.USAGE, "INVALID_ARGUMENT", "INVALID_ARGUMENT", error.format_message()).show(as_json)
        else:
            error.show()
        return exits.USAGE
    except (click.Abort, KeyboardInterrupt):
        return exits.INTERRUPTED
    except BrokenPipeError:
        # `vexfs ls | head`: the reader has had enough. Standard output is done for; the interpreter must not flush it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 128 + signal.SIGPIPE
    except Exception as error:
        failure = exits.describe(error)
        if failure is None:
            raise
        failure.show(as_json)
        return failure.status
    return status if isinstance(status, int) else exits.OK


if __name__ == "__main__":
    main()
