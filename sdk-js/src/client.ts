// The client, whatever carries its calls.

import type { Transport } from "@connectrpc/connect";
import { Caller, type CallerSettings } from "./caller.js";
import { ContentWriter, type SendLarge, streamingWrite } from "./content-writer.js";
import { Files } from "./files.js";

/** What carries a client's calls. */
export interface Wire {
  transport: Transport;
  /** How large content is written, if not as a WriteFile stream. */
  sendLarge?: SendLarge;
  /** Ends all connections. */
  close(): void;
}

/** What the clients of all entry points have in common. */
export abstract class BaseClient {
  /** The tree of files. */
  readonly files: Files;
  readonly #wire: Wire;

  /** @internal */
  protected constructor(wire: Wire, settings: CallerSettings) {
    this.#wire = wire;
    const caller = new Caller(wire.transport, settings);
    this.files = new Files(caller, new ContentWriter(caller, wire.sendLarge ?? streamingWrite(caller)));
  }

  /** Ends the client's connections; calls that are running fail with `UNAVAILABLE`. A client that is forgotten keeps no process alive. */
  close(): void {
    this.#wire.close();
  }
}

/** The header that every call carries. */
export function commonHeader(token: string | undefined, userAgent: string | undefined): Headers {
  const header = new Headers();
  if (token !== undefined) {
    header.set("authorization", `Bearer ${token}`);
  }
  if (userAgent !== undefined) {
    header.set("user-agent", userAgent);
  }
  return header;
}
