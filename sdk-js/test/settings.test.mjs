// Settings: the table in docs/sdk.md is the test, argument before variable before default.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Client, SettingsError } from "@vexfs/client";
import { Client as BrowserClient } from "@vexfs/client/browser";
import { nodeSettings } from "../dist/node-settings.js";
import { makeCertificates } from "./certificates.mjs";

const documented = readFileSync(new URL("../../docs/sdk.md", import.meta.url), "utf8");
const rows = documented
  .slice(documented.indexOf("## Settings"), documented.indexOf("## Calls"))
  .split("\n")
  .filter((line) => line.startsWith("| "))
  .slice(1) // the heading
  .map((line) => line.split("|").map((cell) => cell.trim().replaceAll("`", "")))
  .map(([, setting, variable, byDefault]) => ({ setting, variable, byDefault }));
const camelCase = (name) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());

let folder;
let certificates;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "vexfs-js-"));
  certificates = makeCertificates(folder);
});
after(() => rm(folder, { recursive: true }));

/** For each setting: how to set it, what then is seen, and what is seen by default. */
function samples() {
  const { ca, clientCert, clientKey, otherCert, otherKey } = certificates;
  const pem = (path) => readFileSync(path, "utf8");
  const pair = { VEXFS_TLS_CLIENT_CERT: clientCert, VEXFS_TLS_CLIENT_KEY: clientKey };
  const given = { tlsClientCert: otherCert, tlsClientKey: otherKey };
  return {
    address: { text: "a:1", argument: "b:2", seen: (s) => s.address },
    url: { text: "https://a:1", argument: "http://b", seen: (s) => s.url },
    token: { text: "abc", argument: "def", seen: (s) => s.token },
    tls: { text: "true", argument: true, seen: (s) => s.tls, of: { text: true, byDefault: false } },
    tls_ca: { text: ca, argument: otherCert, seen: (s) => s.ca, of: { text: pem(ca), argument: pem(otherCert) } },
    tls_client_cert: {
      text: clientCert,
      argument: otherCert,
      with: pair,
      given,
      seen: (s) => s.cert,
      of: { text: pem(clientCert), argument: pem(otherCert) },
    },
    tls_client_key: {
      text: clientKey,
      argument: otherKey,
      with: pair,
      given,
      seen: (s) => s.key,
      of: { text: pem(clientKey), argument: pem(otherKey) },
    },
    timeout: { text: "2.5", argument: 7, seen: (s) => s.timeout, of: { text: 2.5 } },
    max_attempts: { text: "2", argument: 9, seen: (s) => s.maxAttempts, of: { text: 2 } },
  };
}

function defaultOf(byDefault) {
  if (["none", "the system's"].includes(byDefault)) {
    return undefined;
  }
  return byDefault === "off" ? false : /^\d+$/.test(byDefault) ? Number(byDefault) : byDefault;
}

test("the documented settings are those of the client", () => {
  assert.deepEqual(
    rows.map(({ setting }) => setting),
    Object.keys(samples()),
  );
});

test("argument, then variable, then default", () => {
  for (const { setting, variable, byDefault } of rows) {
    const sample = samples()[setting];
    const { text, argument, seen, of = {}, given = {} } = sample;
    const variables = { [variable]: text, ...sample.with };
    assert.equal(seen(nodeSettings({}, {})), defaultOf(byDefault), `${setting}: the default`);
    assert.equal(seen(nodeSettings({}, { [variable]: "" })), defaultOf(byDefault), `${setting}: an empty variable`);
    assert.equal(seen(nodeSettings({}, variables)), of.text ?? text, `${setting}: ${variable}`);
    const both = nodeSettings({ ...given, [camelCase(setting)]: argument }, variables);
    assert.equal(seen(both), of.argument ?? argument, `${setting}: the argument`);
  }
});

test("the variables are those of the process", () => {
  process.env.VEXFS_MAX_ATTEMPTS = "none";
  try {
    assert.throws(() => new Client(), { name: "SettingsError", setting: "max_attempts" });
  } finally {
    delete process.env.VEXFS_MAX_ATTEMPTS;
  }
  new Client().close();
});

test("TLS is on when one of its files is given", () => {
  const { ca, clientCert, clientKey } = certificates;
  assert.equal(nodeSettings({ tlsCa: ca }, {}).tls, true);
  assert.equal(nodeSettings({ tlsClientCert: clientCert, tlsClientKey: clientKey }, {}).tls, true);
  assert.equal(nodeSettings({}, { VEXFS_TLS: "0" }).tls, false);
});

test("what cannot be read is an error that names the setting", () => {
  const { ca, clientCert, clientKey, otherKey } = certificates;
  const empty = join(folder, "empty.pem");
  writeFileSync(empty, "");
  const wrong = [
    ["timeout", {}, { VEXFS_TIMEOUT: "soon" }],
    ["timeout", { timeout: -1 }, {}],
    ["timeout", { timeout: Number.NaN }, {}],
    ["max_attempts", {}, { VEXFS_MAX_ATTEMPTS: "0" }],
    ["max_attempts", { maxAttempts: 1.5 }, {}],
    ["tls", {}, { VEXFS_TLS: "perhaps" }],
    ["tls_ca", { tlsCa: join(folder, "none.pem") }, {}],
    ["tls_ca", { tlsCa: empty }, {}],
    ["tls_client_cert", { tlsClientCert: clientCert }, {}],
    ["tls_client_key", {}, { VEXFS_TLS_CLIENT_KEY: clientKey }],
    ["tls_client_key", { tlsClientCert: clientCert, tlsClientKey: otherKey }, {}],
    ["tls_client_cert", { tlsClientCert: clientKey, tlsClientKey: clientKey }, {}],
    ["address", { address: "http://127.0.0.1:8083" }, {}],
    ["address", { address: "127.0.0.1" }, {}],
    ["url", { url: "127.0.0.1:8080" }, {}],
    ["token", { token: "two\nlines" }, {}],
    ["transport", { transport: "pigeon" }, {}],
  ];
  for (const [setting, given, variables] of wrong) {
    assert.throws(
      () => nodeSettings(given, variables),
      (error) => error instanceof SettingsError && error.setting === setting && error.message.startsWith(setting),
      `${setting}: ${JSON.stringify(given)} ${JSON.stringify(variables)}`,
    );
  }
  assert.ok(nodeSettings({ tlsCa: ca }, {}));
});

test("a call's own time-out and attempts are checked, too", async () => {
  const client = new Client();
  await assert.rejects(client.files.stat("/a", { timeout: -1 }), { name: "SettingsError", setting: "timeout" });
  await assert.rejects(client.files.stat("/a", { maxAttempts: 0 }), { name: "SettingsError", setting: "max_attempts" });
});

test("a browser has arguments and defaults", () => {
  assert.throws(() => new BrowserClient({ url: "ftp://a" }), { name: "SettingsError", setting: "url" });
  new BrowserClient().close();
});
