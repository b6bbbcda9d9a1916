// The client of the browsers' entry point.

import { createConnectTransport } from "@connectrpc/connect-web";
import { BaseClient, commonHeader } from "./client.js";
import { uploadByFetch } from "./fetch-upload.js";
import { type CommonSettings, commonSettings } from "./settings.js";
import { version } from "./version.js";

/** Settings of a client in a browser. What is not given comes from a default; a browser has no variables. */
export interface ClientSettings extends CommonSettings {}

/**
 * A client of one server. Any number of calls can run at the same time. A page of another site than the server's own
 * needs to be allowed there (`vexfs serve --cors-origin`).
 *
 * ```ts
 * const client = new Client({ url: "http://127.0.0.1:8080", token });
 * const { hits } = await client.search("parse command line arguments");
 * ```
 */
export class Client extends BaseClient {
  /** Makes a client. Throws {@link SettingsError} if a setting cannot be read. */
  constructor(settings: ClientSettings = {}) {
    const checked = commonSettings(settings, {});
    const transport = { baseUrl: checked.url, useBinaryFormat: true };
    super(
      { transport: createConnectTransport(transport), upload: uploadByFetch(transport), close: () => {} },
      {
        timeout: checked.timeout,
        maxAttempts: checked.maxAttempts,
        header: commonHeader(checked.token, "x-user-agent", `vexfs-js/${version}`),
        tracer: () => undefined,
      },
    );
  }
}
