// The client of Node's entry point.

import { createConnectTransport, createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { BaseClient, commonHeader, type Wire } from "./client.js";
import { type ClientSettings, type NodeSettings, nodeSettings } from "./node-settings.js";
import { currentTracer } from "./node-telemetry.js";
import { version } from "./version.js";

export type { ClientSettings } from "./node-settings.js";

/**
 * A client of one server. It connects when it is first used, and any number of calls can run at the same time.
 *
 * ```ts
 * const client = new Client({ token });
 * await client.files.write("/notes.md", "buy milk");
 * ```
 */
export class Client extends BaseClient {
  /** Makes a client. Throws {@link SettingsError} if a setting cannot be read. */
  constructor(settings: ClientSettings = {}) {
    const checked = nodeSettings(settings, process.env);
    super(wireOf(checked), {
      timeout: checked.timeout,
      maxAttempts: checked.maxAttempts,
      header: commonHeader(checked.token, "user-agent", `vexfs-js/${version}`),
      tracer: currentTracer,
    });
  }
}

function wireOf(settings: NodeSettings): Wire {
  const { ca, cert, key } = settings;
  const tls = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
  if (settings.transport === "connect") {
    return {
      transport: createConnectTransport({
        baseUrl: settings.url,
        httpVersion: "1.1",
        useBinaryFormat: true,
        nodeOptions: tls,
      }),
      close: () => {},
    };
  }
  const baseUrl = `${settings.tls ? "https" : "http"}://${settings.address}`;
  const sessionManager = new Http2SessionManager(baseUrl, {}, settings.tls ? tls : {});
  return {
    transport: createGrpcTransport({ baseUrl, sessionManager }),
    close: () => sessionManager.abort(),
  };
}
