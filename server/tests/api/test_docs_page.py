"""The page at /docs: served by us alone, with a strict policy; its examples are taken by the server; it works in a browser."""

import functools
import http.server
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from browser import CHROMIUM, browsing
from running import Server, running

from vexfs.api import docs_page
from vexfs.contract import descriptors

METHODS = list(descriptors.methods())
FILES = Path(docs_page.__file__).with_name("docs_page_files")
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for this module: the examples write to it."""
    with running(tmp_path_factory.mktemp("docs"), ["-m", "vexfs.api"]) as server:
        yield server


def test_the_page_and_all_it_needs_are_served_without_a_token(server: Server) -> None:
    page = server.http("GET", "/docs", token=None)
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    named = re.findall(rb'(?:src|href)="(docs/[^"]+)"', page.body)
    assert len(named) >= 2
    imported = [b"docs/" + name for path in named for name in re.findall(rb'from "\./([^"]+)"', fetch(server, path.decode()))]
    assert imported
    kinds = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
    for path in {name.decode() for name in named + imported}:
        answer = server.http("GET", f"/{path}", token=None)
        assert (answer.status, answer.headers["content-type"]) == (200, kinds[path.rpartition(".")[2]])


def fetch(server: Server, path: str) -> bytes:
    answer = server.http("GET", f"/{path}", token=None)
    assert answer.status == 200, path
    return answer.body


@pytest.mark.parametrize("path", ["/docs", "/docs/page.js", "/docs/page.css", "/docs/description.js"])
def test_its_policy_allows_nothing_from_elsewhere_and_nothing_inline(server: Server, path: str) -> None:
    headers = server.http("GET", path, token=None).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in headers["content-security-policy"]
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")


def test_it_is_answered_to_its_own_site_only_and_to_get_only(server: Server) -> None:
    assert server.http("GET", "/docs", headers={"Host": "evil.example"}).reason == "FOREIGN_ORIGIN"
    assert server.http("POST", "/docs").headers["allow"] == "GET"
    assert server.http("GET", "/docs/nothing.js").status == 404


def test_every_file_of_the_page_is_served_and_makes_no_markup_of_text() -> None:
    assert {path.name for path in FILES.iterdir()} == {name for name, _ in docs_page._FILES.values()}
    for path in FILES.iterdir():
        text = path.read_text("utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), path.name
        assert set(re.findall(r"https?://[\w.]+", text)) <= {"http://www.w3.org"}, "something is loaded from elsewhere"


def node(tmp_path: Path, script: str) -> Any:
    """What a script that imports description.js prints, as JSON."""
    (tmp_path / "description.mjs").write_bytes((FILES / "description.js").read_bytes())
    (tmp_path / "script.mjs").write_text(
        f'import * as page from "./description.mjs";\nimport {{ readFileSync }} from "node:fs";\n{script}'
    )
    done = subprocess.run(["node", "script.mjs"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@needs_node
def test_the_example_of_every_method_is_a_request_that_the_server_takes(own: Server, tmp_path: Path) -> None:
    (tmp_path / "openapi.json").write_bytes(own.http("GET", "/openapi.json").body)
    examples = node(
        tmp_path,
        """
        const description = JSON.parse(readFileSync("openapi.json"));
        const methods = page.servicesOf(description).flatMap((service) => service.methods);
        console.log(JSON.stringify(methods.map((method) => ({ key: method.key, about: method.about,
          fields: page.fieldsOf(description, method.schema), ...page.requestOf(method, method.example) }))));
        """,
    )
    found = {example["key"]: example for example in examples}
    assert set(found) == {f"{method.service.rpartition('.')[2]}.{method.name}" for method in METHODS}
    # Reads come after what makes something to read, removals come last; each must get past the rules of the contract.
    order = {
        "Put": 0,
        "Make": 1,
        "CreateC": 2,
        "Upsert": 3,
        "Set": 4,
        "RemoveX": 6,
        "Remove": 7,
        "DeleteP": 7,
        "Delete": 8,
        "Move": 9,
    }
    failed = []
    for key in sorted(found, key=lambda key: next((at for word, at in order.items() if f".{word}" in key), 5)):
        example = found[key]
        assert example["about"], key
        body = example["body"].encode() if example["body"] is not None else None
        headers = {"Grpc-Timeout": "20S" if "Wait" not in key else "1S", **({"Content-Type": example["type"]} if body else {})}
        answer = own.http(example["verb"], example["address"], body, headers=headers)
        if answer.status != 200:
            assert answer.status in (400, 404, 409, 503, 504), (key, answer)
            assert answer.reason not in ("INVALID_ARGUMENT", "NOT_SUPPORTED"), (key, answer)
            failed.append(key)
    without_indexer = {"SearchService.WaitForViews", "SearchService.ListSkippedFiles"}
    # One example takes the name that another wants, or removes its file.
    one_after_another = {"FilesService.ReadSymlink", "FilesService.MoveFile", "FilesService.CreateSymlink"}
    assert set(failed) <= without_indexer | one_after_another


@needs_node
def test_a_request_is_built_as_the_description_says(tmp_path: Path) -> None:
    built = node(
        tmp_path,
        r"""
        const get = { verb: "GET", path: "/v1/x", inBody: false, streamsIn: false };
        const lines = { verb: "POST", path: "/v1/y", inBody: true, streamsIn: true };
        const outcome = (work) => { try { return work(); } catch (error) { return error.name; } };
        console.log(JSON.stringify([
          page.requestOf(get, '{"file": {"path": "/ä &b"}, "ids": [1, 2], "none": null, "follow": true}').address,
          page.requestOf(get, "").address,
          page.requestOf(lines, '{"a": 1}\n\n{"b": "it\'s"}').body,
          page.curlOf("http://h:1", page.requestOf(lines, '{"b": "it\'s"}')),
          outcome(() => page.requestOf(get, "{")),
        ]));
        """,
    )
    assert built == [
        "/v1/x?file.path=%2F%C3%A4+%26b&ids=1&ids=2&follow=true",
        "/v1/x",
        '{"a":1}\n{"b":"it\'s"}\n',
        "curl -s -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/x-ndjson' "
        "--data-binary '{\"b\":\"it'\\''s\"}\n' 'http://h:1/v1/y'",
        "SyntaxError",
    ]


def form(key: str) -> str:
    return f"document.getElementById('{key}').querySelector('form')"


@needs_chromium
async def test_in_a_browser_the_page_lists_every_method_and_sends_requests(own: Server, tmp_path: Path) -> None:
    async with browsing(tmp_path / "profile") as page:
        await page.open(f"{own.rest_url}/docs#ServerService.GetServerInfo")
        await page.until("document.querySelectorAll('.method').length > 0 && !!document.querySelector('.method[open] form')")
        shown = set(await page.evaluate("[...document.querySelectorAll('.method')].map((each) => each.id)"))
        assert shown == {f"{method.service.rpartition('.')[2]}.{method.name}" for method in METHODS}
        sending = form("ServerService.GetServerInfo")
        answered = f"/bytes/.test({sending}.querySelector('.facts')?.textContent)"
        await page.evaluate(f"{sending}.requestSubmit()")
        await page.until(answered)
        assert await page.evaluate(f"{sending}.querySelector('.status').textContent") == "401 Unauthorized"
        assert (
            await page.evaluate(f"JSON.parse({sending}.querySelector('.body').textContent).error.status") == "UNAUTHENTICATED"
        )
        await page.evaluate(f"const token = document.getElementById('token'); token.value = '{own.token}'")
        await page.evaluate(f"{sending}.requestSubmit()")
        await page.until(f"{answered} && {sending}.querySelector('.status').textContent === '200 OK'")
        assert "content-type" in await page.evaluate(f"{sending}.querySelector('.answer details pre').textContent")
        assert " ms" in await page.evaluate(f"{sending}.querySelector('.facts').textContent")
        await page.evaluate(
            "const box = document.getElementById('filter'); box.value = 'xattr'; box.dispatchEvent(new Event('input'))"
        )
        left = await page.evaluate(
            "[...document.querySelectorAll('.method')].filter((each) => !each.hidden).map((each) => each.id)"
        )
        assert left
        assert all("Xattr" in key for key in left)
        # A refused call is an error of the console by the browser's own doing; there is no other.
        assert [complaint for complaint in page.complaints if "401" not in complaint] == []


@contextmanager
def site(folder: Path) -> Iterator[str]:
    """Another site: an empty page on a port of its own."""
    (folder / "index.html").write_text("<!doctype html><title>another site</title>")
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        del format, arguments


CALL = """
fetch("%s/vexfs.v1.FilesService/StatFile", {
  method: "POST",
  headers: {"Authorization": "Bearer %s", "Content-Type": "application/json",
            "Connect-Protocol-Version": "1", "Connect-Timeout-Ms": "9000"},
  body: JSON.stringify({file: {path: "/"}}),
}).then((answer) => answer.json()).then((body) => body.file?.kind ?? JSON.stringify(body), (error) => error.name)
"""


@needs_chromium
async def test_a_browser_lets_the_page_of_an_allowed_site_call_and_no_other(tmp_path: Path) -> None:
    with (
        site(tmp_path) as allowed,
        site(tmp_path) as other,
        running(tmp_path / "data", ["-m", "vexfs.api"], "--cors-origin", allowed) as server,
    ):
        async with browsing(tmp_path / "profile") as page:
            await page.open(allowed)
            assert await page.evaluate(CALL % (server.rest_url, server.token)) == "FILE_KIND_DIRECTORY"
            await page.open(other)
            assert await page.evaluate(CALL % (server.rest_url, server.token)) == "TypeError"
