// The example of the README runs, and prints what the README says.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startServer } from "./server.mjs";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const [, example] = /```js\n(.*?)```/s.exec(readme);
const [, printed] = /It prints:\n\n```\n(.*?)```/s.exec(readme);

test("the example prints what stands below it", async () => {
  const server = await startServer();
  // Inside the package, so that its own name leads to it.
  const script = fileURLToPath(new URL(`readme-${process.pid}.tmp.mjs`, import.meta.url));
  try {
    writeFileSync(script, example);
    const env = { ...process.env, TOKEN: server.token, VEXFS_ADDRESS: server.address, VEXFS_TIMEOUT: "120" };
    const { stdout } = await promisify(execFile)(process.execPath, [script], { env });
    assert.equal(stdout, printed);
  } finally {
    rmSync(script, { force: true });
    await server.stop();
  }
});
