// The settings that only Node has: the gRPC address, and TLS from files.

import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { SettingsError } from "./errors.js";
import { type CommonSettings, commonSettings, type Variables, variable } from "./settings.js";

/**
 * Settings of a client in Node. What is not given comes from a variable, then from a default; an empty variable counts
 * as not set.
 */
export interface ClientSettings extends CommonSettings {
  /** What carries the calls: `grpc` (to `address`), or `connect` over HTTP/1.1 (to `url`). `grpc` if not set. */
  transport?: "grpc" | "connect" | undefined;
  /** The server's gRPC address, `host:port`; `VEXFS_ADDRESS`, then `127.0.0.1:8083`. */
  address?: string | undefined;
  /**
   * gRPC over TLS, trusting the certificates that Node trusts; `VEXFS_TLS`, then off. On by itself when a file below is
   * given.
   */
  tls?: boolean | undefined;
  /**
   * A PEM file: whom to trust; `VEXFS_TLS_CA`, then those that Node trusts: its own list, which `NODE_EXTRA_CA_CERTS`
   * and, in later releases, `--use-system-ca` extend.
   */
  tlsCa?: string | undefined;
  /** A PEM file: the certificate to show; `VEXFS_TLS_CLIENT_CERT`, then none. */
  tlsClientCert?: string | undefined;
  /** A PEM file: the key of that certificate; `VEXFS_TLS_CLIENT_KEY`, then none. */
  tlsClientKey?: string | undefined;
}

/** Checked settings, with the files' contents. */
export type NodeSettings = ReturnType<typeof nodeSettings>;

/** The settings of a client in Node, checked. Throws {@link SettingsError}. */
export function nodeSettings(given: ClientSettings, variables: Variables) {
  const address = given.address ?? variable(variables, "VEXFS_ADDRESS") ?? "127.0.0.1:8083";
  if (!/^(\[[0-9a-f:.]+\]|[^\s/:@?#]+):\d{1,5}$/i.test(address)) {
    throw new SettingsError("address", `host:port, not ${JSON.stringify(address)}`);
  }
  const transport = given.transport ?? "grpc";
  if (transport !== "grpc" && transport !== "connect") {
    throw new SettingsError("transport", `grpc or connect, not ${JSON.stringify(transport)}`);
  }
  const tlsCa = given.tlsCa ?? variable(variables, "VEXFS_TLS_CA");
  const tlsClientCert = given.tlsClientCert ?? variable(variables, "VEXFS_TLS_CLIENT_CERT");
  const tlsClientKey = given.tlsClientKey ?? variable(variables, "VEXFS_TLS_CLIENT_KEY");
  if (tlsClientCert !== undefined && tlsClientKey === undefined) {
    throw new SettingsError("tls_client_cert", "a certificate needs its key: set tls_client_key, too");
  }
  if (tlsClientKey !== undefined && tlsClientCert === undefined) {
    throw new SettingsError("tls_client_key", "a key needs its certificate: set tls_client_cert, too");
  }
  const [ca, cert, key] = [
    pem("tls_ca", tlsCa),
    pem("tls_client_cert", tlsClientCert),
    pem("tls_client_key", tlsClientKey),
  ];
  checkUsable("tls_ca", { ca });
  checkUsable("tls_client_cert", { cert });
  checkUsable("tls_client_key", { cert, key });
  const asked = given.tls ?? flag(variable(variables, "VEXFS_TLS"));
  return {
    ...commonSettings(given, variables),
    transport,
    address,
    tls: asked || tlsCa !== undefined || tlsClientCert !== undefined,
    ca,
    cert,
    key,
  };
}

/** Throws if OpenSSL cannot make anything of it, so that it is known now, and not when the first call fails. */
function checkUsable(
  setting: string,
  options: { ca?: string | undefined; cert?: string | undefined; key?: string | undefined },
): void {
  if (Object.values(options).every((value) => value === undefined)) {
    return;
  }
  try {
    createSecureContext(options);
  } catch (error) {
    throw new SettingsError(setting, `cannot be used: ${error instanceof Error ? error.message : error}`, error);
  }
}

function flag(text: string | undefined): boolean {
  switch (text?.toLowerCase()) {
    case "1":
    case "true":
      return true;
    case undefined:
    case "0":
    case "false":
      return false;
    default:
      throw new SettingsError("tls", `1, true, 0 or false, not ${JSON.stringify(text)}`);
  }
}

function pem(setting: string, path: string | undefined): string | undefined {
  if (path === undefined) {
    return undefined;
  }
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new SettingsError(setting, `${path} cannot be read`, error);
  }
  if (!text.includes("-----BEGIN ")) {
    throw new SettingsError(setting, `${path} is no PEM file`);
  }
  return text;
}
