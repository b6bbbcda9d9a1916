// TLS in both directions, against a real server that wants to see a certificate.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Client, UnavailableError } from "@vexfs/client";
import { makeCertificates } from "./certificates.mjs";
import { startServer } from "./server.mjs";

let folder;
let certificates;
let server;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "vexfs-js-"));
  certificates = makeCertificates(folder);
  const { ca, serverCert, serverKey } = certificates;
  server = await startServer(["--tls-cert", serverCert, "--tls-key", serverKey, "--tls-client-ca", ca]);
});
after(async () => {
  await server?.stop();
  await rm(folder, { recursive: true });
});

for (const transport of ["grpc", "connect"]) {
  const clientWith = (settings) => {
    const { address, url, token } = server;
    return new Client({ transport, address, url: url.replace("http:", "https:"), token, timeout: 60, ...settings });
  };

  test(`${transport}: with the authority and a certificate to show`, async () => {
    const { ca: tlsCa, clientCert: tlsClientCert, clientKey: tlsClientKey } = certificates;
    const client = clientWith({ tlsCa, tlsClientCert, tlsClientKey });
    await client.files.write(`/${transport}`, "secret");
    assert.equal(await client.files.readText(`/${transport}`), "secret");
    client.close();
  });

  test(`${transport}: without one of them nobody answers`, async () => {
    const { ca: tlsCa, clientCert: tlsClientCert, clientKey: tlsClientKey, otherCert, otherKey } = certificates;
    for (const settings of [
      { tlsCa },
      { tlsClientCert, tlsClientKey },
      { tlsCa: otherCert, tlsClientCert, tlsClientKey },
      { tlsCa, tlsClientCert: otherCert, tlsClientKey: otherKey },
    ]) {
      const client = clientWith({ ...settings, maxAttempts: 1 });
      await assert.rejects(client.files.stat("/"), UnavailableError);
      client.close();
    }
  });
}
