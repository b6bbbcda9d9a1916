"""An HTTP server that speaks the embeddings API of OpenAI, with a real model behind it and faults on demand."""

import contextlib
import json
import socket
import threading
import time
from collections import Counter, deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from vexfs.views.embedding.onnx_model import OnnxModel

KEY = "sk-a-key-of-this-test"


class Fault(NamedTuple):
    """What happens to one request instead of an answer."""

    status: int = 0
    """0: the connection is closed in the middle."""
    headers: dict[str, str] = {}  # noqa: RUF012 - nobody changes it
    body: str = "{}"
    delay_s: float = 0.0


class EmbeddingServer:
    """Serves `folder`'s model at `url` from `start` to `stop`; asks for KEY."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.model = OnnxModel.load(folder, questions=False)
        self.faults: deque[Fault] = deque()
        self.refused: set[str] = set()
        """Texts that it does not take."""
        self.delay_s = 0.0
        self.requests: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.headers: list[dict[str, str]] = []
        self.asked: Counter[str] = Counter()
        self.at_once, self.at_once_max = 0, 0
        self._lock = threading.Lock()
        self._connections: list[socket.socket] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                outer._connections.append(self.connection)

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with outer._lock:
                    outer.at_once += 1
                    outer.at_once_max = max(outer.at_once_max, outer.at_once)
                try:
                    outer._answer(self, body)
                finally:
                    with outer._lock:
                        outer.at_once -= 1

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def port(self) -> int:
        return int(self._server.server_port)

    def start(self) -> "EmbeddingServer":
        self._thread.start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        for connection in self._connections:
            with contextlib.suppress(OSError):  # it was closed before
                connection.shutdown(socket.SHUT_RDWR)

    def _answer(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        with self._lock:
            self.requests.append(body)
            self.times.append(time.monotonic())
            self.headers.append(dict(handler.headers))
            fault = self.faults.popleft() if self.faults else None
        time.sleep(self.delay_s)
        if fault is not None:
            time.sleep(fault.delay_s)
            if fault.status == 0:
                handler.connection.close()
                handler.close_connection = True
            else:
                _send(handler, fault.status, fault.body, fault.headers)
        elif handler.path != "/v1/embeddings":
            _send(handler, 404, '{"error": {"message": "no such path"}}')
        elif handler.headers["Authorization"] != f"Bearer {KEY}":
            _send(handler, 401, json.dumps({"error": {"message": f"wrong key: {handler.headers['Authorization']}"}}))
        elif self.refused & set(body["input"]):
            _send(handler, 400, '{"error": {"message": "a text is too long"}}')
        else:
            _send(handler, 200, json.dumps(self.answer(body)))
            self.asked.update(body["input"])

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        """In reversed order, and not at unit length: neither is promised."""
        vectors = 3 * self.model.embed(body["input"])[:, : body.get("dimensions")]
        data = [{"object": "embedding", "index": place, "embedding": row.tolist()} for place, row in enumerate(vectors)]
        return {"object": "list", "data": data[::-1], "model": body["model"], "usage": {"prompt_tokens": 1, "total_tokens": 1}}


def _send(handler: BaseHTTPRequestHandler, status: int, body: str, headers: dict[str, str] | None = None) -> None:
    content = body.encode()
    handler.send_response(status)
    for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **(headers or {})}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(content)
