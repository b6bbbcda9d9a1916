// The benchmark runs, in small, so that it does not rot. What it measures here means nothing.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

test("the overhead benchmark prints a ratio", async () => {
  const script = fileURLToPath(new URL("../bench/overhead.mjs", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script, "3"]);
  const result = JSON.parse(stdout);
  assert.equal(result.calls, 3);
  assert.ok(result.ratio > 0 && result.client_us > 0 && result.stub_us > 0);
});
