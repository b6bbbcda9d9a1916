// The three ways a client's calls can go, so that a test can take each of them.

import { Client } from "@vexfs/client";
import { Client as BrowserClient } from "@vexfs/client/browser";

/** A client over each transport, by name: gRPC, Connect in Node, and what a browser has. Patient, as the machine may be busy. */
export const transports = {
  grpc: (server, settings = {}) => new Client({ ...pick(server), timeout, ...settings }),
  connect: (server, settings = {}) => new Client({ transport: "connect", ...pick(server), timeout, ...settings }),
  fetch: (server, settings = {}) => new BrowserClient({ url: server.url, token: server.token, timeout, ...settings }),
};
const timeout = 120;

function pick({ address, url, token }) {
  return { address, url, token };
}
