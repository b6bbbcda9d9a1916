"""Reading documents in a process of their own, which may be killed: `python -m vexfs.views.embedding.document_process`.

A parser of PDF or zipped XML meets files that are made to hurt. This process has a limit of memory and, for each document, of
processor time; whoever started it also has one of real time. It serves one document after the other over its standard input and
output, writes no file, starts no program, and dies with the thread that started it. `DocumentReader` is the other end, used by
one thread; it starts the process when there is something to read, and another after one was lost.
"""

import contextlib
import json
import logging
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import IO, Any

from vexfs import runtime
from vexfs.views.embedding.extract import ExtractedText, Skipped
from vexfs.views.embedding.source import WholeContent

CONTENT_MAX_BYTES = 32 << 20
"""A larger document is skipped."""
MEMORY_MAX_BYTES = 1 << 30
PROCESSOR_MAX_S = 30
REAL_TIME_MAX_S = 180.0
"""At the lowest priority on a busy machine, PROCESSOR_MAX_S take a while."""
_ANSWER_MAX_BYTES = 64 << 20


class DocumentReader:
    """Owns the process. One thread reads; any may `close`."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._read_before = False

    def read(self, kind: str, content: bytes) -> ExtractedText | Skipped:
        """The text of a document, or why there is none; within the limits, whatever the content is.

        Raises OSError when the process cannot be started, RuntimeError when this was closed: the document may be read later.
        """
        name = {"pdf": "PDF document", "docx": "Word document"}[kind]
        answer = self._ask(kind, content)
        if "reason" in answer:
            return Skipped(f"{name}: {answer['reason']}")
        headings = {int(position): level for position, level in answer["headings"].items()}
        return ExtractedText(answer["text"], kind, WholeContent(len(content)), headings)

    def _ask(self, kind: str, content: bytes) -> dict[str, Any]:
        process = self._running()
        others_before, self._read_before = self._read_before, True
        assert process.stdin is not None and process.stdout is not None
        late = threading.Event()

        def give_up() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(REAL_TIME_MAX_S, give_up)
        timer.start()
        try:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(json.dumps({"kind": kind, "size": len(content)}).encode() + b"\n")
                process.stdin.write(content)
                process.stdin.flush()
            line = process.stdout.readline(_ANSWER_MAX_BYTES)
        finally:
            timer.cancel()
        if line.endswith(b"\n"):
            answer: dict[str, Any] = json.loads(line)
            return answer
        self.close_process()
        if self._closed:
            raise RuntimeError("the reader of documents was closed")
        if others_before and not late.is_set() and process.returncode != -signal.SIGXCPU:
            return self._ask(kind, content)  # in a new process: what others left in the memory of this one is not its fault
        return {"reason": _why_lost(process.returncode, late.is_set())}

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._closed:
            raise RuntimeError("the reader of documents was closed")
        if self._process is None or self._process.poll() is not None:
            self.close_process()
            arguments = [str(os.getpid()), str(MEMORY_MAX_BYTES), str(PROCESSOR_MAX_S)]
            command = [sys.executable, "-m", "vexfs.views.embedding.document_process", *arguments]
            # What documents can make of it sees no settings, some of which are secret.
            settings = {name: value for name, value in os.environ.items() if not name.startswith("VEXFS_")}
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=settings)
            self._read_before = False
        return self._process

    def close_process(self) -> None:
        """Ends the process, which the next document starts again."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()  # type: ignore[union-attr]  # both are pipes

    def close(self) -> None:
        """For good, also under the hands of the thread that reads, which then hears of an end. Idempotent."""
        self._closed = True
        process = self._process
        if process is not None:
            process.kill()


def _why_lost(status: int | None, late: bool) -> str:
    if late:
        return f"it was not read within {REAL_TIME_MAX_S:.0f} s"
    if status == -signal.SIGXCPU:
        return f"it was not read within {PROCESSOR_MAX_S} s of the processor's time"
    return "its reader crashed or needed too much memory"


# --- the process


def _limit(memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    for kind in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        resource.setrlimit(kind, (0, 0))


def _allow_processor_time(seconds: int) -> None:
    """So much from now on."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + 1 + seconds, hard))


def _requests(stream: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    while line := stream.readline(1000):
        request = json.loads(line)
        content = stream.read(request["size"])
        if len(content) < request["size"]:
            return
        yield request["kind"], content


def _answer(kind: str, content: bytes) -> dict[str, Any]:
    from vexfs.views.embedding import documents

    try:
        found = documents.read(kind, content)
    except documents.Unreadable as error:
        return {"reason": str(error)}
    except RecursionError:
        return {"reason": "it is nested too deep"}
    except MemoryError:
        raise
    except Exception as error:  # what damage can make of the inside of a parser has no end
        return {"reason": documents.damaged(error)}
    return {"text": found.text, "headings": found.headings}


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends this one
    if not runtime.tie_to(int(arguments[0])):
        return 1
    logging.disable(logging.CRITICAL)  # what a parser remarks about strangers' files is nobody's news
    _limit(int(arguments[1]))
    try:
        for kind, content in _requests(sys.stdin.buffer):
            _allow_processor_time(int(arguments[2]))
            answer = json.dumps(_answer(kind, content), ensure_ascii=False)
            sys.stdout.buffer.write(answer.encode("utf-8", "replace") + b"\n")
            sys.stdout.buffer.flush()
    except MemoryError:
        return 1  # whoever asked starts another
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
