// A real server for a test file: started on free ports with a data folder of its own, stopped when the tests are over.

import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const packageFolder = fileURLToPath(new URL("..", import.meta.url));
const STARTING_MS = 120_000;

/** The command that starts VexFS. */
export const vexfsCommand = process.env.VEXFS_COMMAND ?? join(packageFolder, "../.venv/bin/vexfs");

/**
 * Starts a server; `options` are further arguments of `vexfs serve`.
 *
 * Answers its addresses, its token, and `stop()`.
 */
export async function startServer(options = []) {
  const folder = await mkdtemp(join(tmpdir(), "vexfs-js-"));
  const readyFile = join(folder, "ready.json");
  const log = [];
  const child = spawn(
    vexfsCommand,
    [
      "serve",
      "--data",
      join(folder, "data"),
      "--rest-port",
      "0",
      "--grpc-port",
      "0",
      "--ready-file",
      readyFile,
      ...options,
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  child.stdout.on("data", (data) => log.push(data));
  child.stderr.on("data", (data) => log.push(data));
  const ended = new Promise((resolve) => child.once("close", resolve));
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  const failed = new Promise((_, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`the server ended with ${code}: ${Buffer.concat(log)}`)));
  });
  failed.catch(() => {});
  try {
    const ready = await Promise.race([untilReady(readyFile), failed]);
    const token = (await readFile(join(folder, "data", "token"), "utf8")).trim();
    return { address: ready.grpc, url: ready.rest, token, folder, ready, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function untilReady(file) {
  const until = Date.now() + STARTING_MS;
  while (Date.now() < until) {
    try {
      return JSON.parse(await readFile(file, "utf8"));
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error("the server did not become ready");
}
