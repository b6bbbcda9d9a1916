"""A headless Chromium for the tests, driven over its debugging protocol. Only what the tests need: open, evaluate, look."""

import asyncio
import base64
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
START_SECONDS = 60.0


class Page:
    """One tab. `complaints` are the console's errors and what a page's policy forbade."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._last = 0
        self.complaints: list[str] = []

    async def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command; its answer. Raises AssertionError when the browser refuses it."""
        self._last += 1
        await self._socket.send_json({"id": self._last, "method": method, "params": parameters})
        while True:
            message = await self._socket.receive_json(timeout=START_SECONDS)
            if message.get("id") == self._last:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        method, parameters = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown" or (method == "Log.entryAdded" and parameters["entry"]["level"] == "error"):
            self.complaints.append(json.dumps(parameters))

    async def open(self, url: str) -> None:
        """Go to `url`; returns when the document is there."""
        for domain in ("Runtime", "Log", "Page"):
            await self.command(f"{domain}.enable")
        await self.command("Page.navigate", url=url)
        await self.until("document.readyState === 'complete'")

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is awaited."""
        result = await self.command("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def until(self, condition: str) -> None:
        """Wait until the JavaScript expression is true."""
        end = asyncio.get_running_loop().time() + START_SECONDS
        while not await self.evaluate(condition):
            assert asyncio.get_running_loop().time() < end, f"never true: {condition}"
            await asyncio.sleep(0.05)

    async def screenshot(self, path: Path, *, width: int, height: int, dark: bool) -> None:
        """Write what is seen as a PNG file."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.command("Emulation.setEmulatedMedia", features=[scheme])
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await self.command("Emulation.setDeviceMetricsOverride", **metrics)
        path.write_bytes(base64.b64decode((await self.command("Page.captureScreenshot"))["data"]))


@asynccontextmanager
async def browsing(folder: Path) -> AsyncIterator[Page]:
    """A browser with its profile in `folder`, and a tab in it."""
    assert CHROMIUM is not None
    command = [CHROMIUM, "--headless=new", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0"]
    command += ["--disable-background-networking", "--disable-component-update", f"--user-data-dir={folder}"]
    if os.geteuid() == 0:
        command.append("--no-sandbox")  # Chromium's sandbox does not run as root
    null = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, "about:blank", stdout=null, stderr=null)
    try:
        port = await _port(folder / "DevToolsActivePort")
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                tab = next(target for target in await answer.json() if target["type"] == "page")
            async with session.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                yield Page(socket)
    finally:
        process.terminate()
        await process.wait()


async def _port(file: Path) -> int:
    end = asyncio.get_running_loop().time() + START_SECONDS
    while not (file.exists() and file.read_text().strip()):
        assert asyncio.get_running_loop().time() < end, "the browser did not start"
        await asyncio.sleep(0.05)
    return int(file.read_text().split()[0])
