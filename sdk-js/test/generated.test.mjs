// The generated code is what the contract generates now.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

function filesIn(folder) {
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => relative(folder, path))
    .sort();
}

for (const [template, output] of [
  ["sdk-js/buf.gen.yaml", "sdk-js/src/gen"],
  ["sdk-js/conformance/buf.gen.yaml", "sdk-js/conformance/gen"],
]) {
  test(`${output} is up to date`, () => {
    // Made in a copy of what it is made from, so that nothing of the working tree is touched.
    const copy = mkdtempSync(join(tmpdir(), "vexfs-js-"));
    try {
      for (const name of ["proto", "third_party", "buf.yaml", "sdk-js/third_party", template]) {
        cpSync(join(root, name), join(copy, name), { recursive: true });
      }
      mkdirSync(join(copy, "sdk-js"), { recursive: true });
      symlinkSync(join(root, "sdk-js/node_modules"), join(copy, "sdk-js/node_modules"));
      execFileSync(join(root, "node_modules/.bin/buf"), ["generate", "--template", template], { cwd: copy });
      const made = filesIn(join(copy, output));
      assert.deepEqual(filesIn(join(root, output)), made);
      assert.ok(made.length > 0);
      for (const name of made) {
        const [ours, fresh] = [root, copy].map((from) => readFileSync(join(from, output, name), "utf8"));
        assert.equal(ours, fresh, `${name}: run make generate-sdk-js`);
      }
    } finally {
      rmSync(copy, { recursive: true });
    }
  });
}
