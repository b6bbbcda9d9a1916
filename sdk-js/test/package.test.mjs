// The package as users get it: packed, installed into an empty folder, imported, and checked by their TypeScript.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const packageFolder = fileURLToPath(new URL("..", import.meta.url));
let folder;

function run(command, parameters, cwd) {
  try {
    return execFileSync(command, parameters, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    throw new Error(`${command} ${parameters.join(" ")}: ${error.stdout}${error.stderr}`);
  }
}

before(() => {
  folder = mkdtempSync(join(tmpdir(), "vexfs-js-"));
  const [{ filename, files }] = JSON.parse(
    run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], packageFolder),
  );
  const paths = files.map(({ path }) => path);
  assert.ok(paths.includes("dist/node.js") && paths.includes("README.md"));
  assert.ok(
    paths.every((path) => /^(dist\/.*\.(js|d\.ts)|README\.md|package\.json)$/.test(path)),
    paths.join(" "),
  );
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }');
  run(
    "npm",
    ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", join(folder, filename)],
    folder,
  );
});
after(() => rmSync(folder, { recursive: true, force: true }));

test("it is installed without OpenTelemetry, and works without it", () => {
  assert.ok(!readdirSync(join(folder, "node_modules")).includes("@opentelemetry"));
  writeFileSync(
    join(folder, "use.mjs"),
    `import { Client, UnavailableError, version } from "@vexfs/client";
     import { Client as BrowserClient } from "@vexfs/client/browser";
     const client = new Client({ address: "127.0.0.1:1", maxAttempts: 1 });
     const error = await client.files.stat("/").catch((error) => error);
     console.log(version, error instanceof UnavailableError, new BrowserClient() instanceof Client);`,
  );
  assert.match(run(process.execPath, ["use.mjs"], folder), /^\d+\.\d+\.\d+ true false\n$/);
});

test("the condition `browser` leads to the browser's entry point", () => {
  const script = 'console.log(import.meta.resolve("@vexfs/client"))';
  const resolve = (conditions) => run(process.execPath, [...conditions, "--input-type=module", "-e", script], folder);
  assert.match(resolve(["--conditions=browser"]), /dist\/browser\.js/);
  assert.match(resolve([]), /dist\/node\.js/);
});

test("strict TypeScript takes its types, and refuses what is wrong", () => {
  writeFileSync(
    join(folder, "use.ts"),
    `import { Client, type FileInfo, type Found, NotFoundError, type SearchHit } from "@vexfs/client";
     import { Client as BrowserClient } from "@vexfs/client/browser";
     const client = new Client({ address: "127.0.0.1:8083", timeout: 5 });
     export async function use(): Promise<FileInfo> {
       const { file, revision } = await client.files.write("/a", "text", { makeParents: true });
       const found: Found<SearchHit> = await client.search("a", { minRevision: revision, scope: file });
       for await (const each of client.files.list("/")) { const size: number = each.sizeBytes; void size; }
       const { points } = await client.points.get(file.id, ["a"], { withVectors: true });
       const vector: Float32Array | undefined = points[0]?.vectors["v"];
       void vector; void found;
       try { await client.files.stat("/a"); } catch (error) {
         if (error instanceof NotFoundError) { const reason: string = error.reason; void reason; }
       }
       // @ts-expect-error: ids are bigints
       await client.files.stat(12);
       // @ts-expect-error: a filter has one kind of node
       await client.search("a", { filter: { every: [] } });
       // @ts-expect-error: a browser has no gRPC
       new BrowserClient({ address: "127.0.0.1:8083" });
       return file;
     }`,
  );
  const strict = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess"];
  const tsc = join(packageFolder, "node_modules/typescript/bin/tsc");
  const target = ["--target", "es2022", "--lib", "es2022,dom,dom.iterable,dom.asynciterable"];
  const types = ["--types", "node", "--typeRoots", join(packageFolder, "node_modules/@types"), "--skipLibCheck"];
  for (const resolution of ["nodenext", "bundler"]) {
    const module = resolution === "bundler" ? "esnext" : "nodenext";
    const modules = ["--module", module, "--moduleResolution", resolution];
    run(process.execPath, [tsc, ...strict, ...target, ...modules, ...types, "use.ts"], folder);
  }
});
