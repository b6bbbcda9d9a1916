// The browser's bundle: its size, and that it works in a real browser. Needs Chromium: CHROMIUM_COMMAND, or a usual
// name on the PATH.
//
// Without one the test fails; VEXFS_JS_NO_BROWSER=1 says that this is known, and skips it.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { startServer } from "./server.mjs";

const NAMES = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

async function bundle(contents) {
  const { outputFiles, warnings } = await build({
    stdin: { contents, resolveDir: new URL(".", import.meta.url).pathname },
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    write: false,
  });
  assert.deepEqual(warnings, []);
  return outputFiles[0].text;
}

function browserCommand() {
  if (process.env.CHROMIUM_COMMAND) {
    return process.env.CHROMIUM_COMMAND;
  }
  for (const name of NAMES) {
    try {
      return execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
    } catch {
      // Not under this name.
    }
  }
  return undefined;
}

test("the bundle has the size that the README says, and nothing of Node", async () => {
  const code = await bundle('export * from "@vexfs/client";');
  assert.ok(!/["'`]node:/.test(code), "the bundle imports modules of Node");
  const kilobytes = Math.round(gzipSync(code, { level: 9 }).length / 1000);
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const [, told] = /compressed with gzip: (\d+) kB/.exec(readme);
  assert.ok(Math.abs(Number(told) - kilobytes) <= 1, `README says ${told} kB, it is ${kilobytes} kB`);
});

/** What runs in the page; it is made a string, so it sees nothing of this file. */
async function inPage({ url, token }) {
  const { Client, NotFoundError } = await import("/client.js");
  const client = new Client({ url, token, timeout: 120 });
  const large = new Uint8Array(3 * 1024 * 1024 + 1).map((_, n) => n % 251);
  await client.files.write("/small.md", "Boil the carrots.");
  await client.files.write("/large", new Blob([large]).stream());
  const pieces = [];
  for await (const piece of client.files.readStream("/large")) {
    pieces.push(piece);
  }
  const back = new Uint8Array(await new Blob(pieces).arrayBuffer());
  const paths = [];
  for await (const file of client.files.list("/", { pageSize: 1 })) {
    paths.push(file.path);
  }
  const { revision } = await client.files.stat("/");
  const { hits } = await client.search("carrots", { mode: "lexical", minRevision: revision, timeout: 120 });
  const failure = await client.files.stat("/none").catch((error) => error);
  const unknown = await new Client({ url, token: "wrong", maxAttempts: 1 }).files.stat("/").catch((error) => error);
  const cancelling = new AbortController();
  cancelling.abort();
  const cancelled = await client.files.stat("/", { signal: cancelling.signal }).catch((error) => error);
  return {
    text: await client.files.readText("/small.md"),
    same: back.length === large.length && back.every((byte, at) => byte === large[at]),
    paths,
    hit: hits[0]?.file.path,
    failure: [failure instanceof NotFoundError, failure.reason, failure.metadata.path],
    unknown: unknown.code,
    cancelled: cancelled.code,
  };
}

test("the client works in a browser, from a page of another site", async (context) => {
  const executablePath = browserCommand();
  if (executablePath === undefined) {
    const missing = "there is no Chromium: install one (Debian: apt install chromium), or name it in CHROMIUM_COMMAND";
    assert.equal(process.env.VEXFS_JS_NO_BROWSER, "1", missing);
    context.skip(missing);
    return;
  }
  const code = await bundle('export * from "@vexfs/client";');
  const page = createServer((request, response) => {
    const script = request.url === "/client.js";
    response.setHeader("content-type", script ? "text/javascript" : "text/html");
    response.end(script ? code : "<!doctype html><title>test</title>");
  });
  await new Promise((resolve) => page.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${page.address().port}`;
  const server = await startServer(["--cors-origin", origin]);
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"], timeout: 120_000 });
  try {
    const tab = await browser.newPage();
    await tab.goto(origin, { timeout: 120_000 });
    const result = await tab.evaluate(inPage, { url: server.url, token: server.token });
    assert.deepEqual(result, {
      text: "Boil the carrots.",
      same: true,
      paths: ["/large", "/small.md"],
      hit: "/small.md",
      failure: [true, "FILE_NOT_FOUND", "/none"],
      unknown: "UNAUTHENTICATED",
      cancelled: "CANCELLED",
    });
  } finally {
    await browser.close();
    await server.stop();
    page.close();
  }
});
