// One client for each distinct connection, with the settings that are set and no others.

import { toBinary } from "@bufbuild/protobuf";
import { Client } from "@vexfs/client";
import { Unsupported } from "./errors.mjs";
import { ConnectionSchema } from "./gen/vexfs/conformance/v1/adapter_pb.js";

const clients = new Map();

/** The client for `connection`. Throws the SettingsError of the SDK. */
export function clientFor(connection) {
  const key = connection === undefined ? "" : Buffer.from(toBinary(ConnectionSchema, connection)).toString("base64");
  let client = clients.get(key);
  if (client === undefined) {
    client = new Client(settingsOf(connection));
    clients.set(key, client);
  }
  return client;
}

function settingsOf(connection) {
  const { $typeName, $unknown, timeoutMs, transport, ...settings } = connection ?? {};
  if (transport !== undefined && transport !== "grpc" && transport !== "connect") {
    throw new Unsupported(`the SDK has no transport ${transport}`);
  }
  return {
    ...settings,
    ...(transport === undefined ? {} : { transport }),
    ...(timeoutMs === undefined ? {} : { timeout: timeoutMs / 1000 }),
  };
}
