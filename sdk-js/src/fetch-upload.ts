// Streams of requests where `fetch` cannot send one: the messages are laid out in one body.

import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type ConnectTransportOptions, createConnectTransport } from "@connectrpc/connect-web";
import type { Call } from "./caller.js";
import { onlyResponse, type Upload } from "./upload.js";

const ENVELOPE_HEADER_BYTES = 5;

/**
 * Sends the messages in one request, over a transport with these options. A caller's stream is collected first; the
 * browser may keep it on disk.
 */
export function uploadByFetch(options: ConnectTransportOptions): Upload {
  return async (method, messages, call) => {
    const iterator = messages[Symbol.asyncIterator]();
    const first = await iterator.next();
    const rest = await envelopes(method.input, iterator, call);
    const transport = createConnectTransport({
      ...options,
      fetch: (url, init) => globalThis.fetch(url, { ...init, body: new Blob([init?.body as BlobPart, ...rest]) }),
    });
    const { attempts, header, signal } = call;
    // The transport refuses methods that stream requests, as fetch has no such thing. To the wire the method is the same
    // when it takes one message; those behind the first are added to the body.
    const taking = { ...method, methodKind: "server_streaming" as const };
    const sent = one(first.value);
    return onlyResponse((await transport.stream(taking, signal, attempts.remainingMs(), header, sent)).message);
  };
}

async function envelopes<I extends DescMessage>(
  schema: I,
  messages: AsyncIterator<MessageInitShape<I>>,
  call: Call,
): Promise<BlobPart[]> {
  const parts: BlobPart[] = [];
  for (let next = await messages.next(); next.done !== true; next = await messages.next()) {
    const message = toBinary(schema, create(schema, next.value)) as Uint8Array<ArrayBuffer>;
    const header = new Uint8Array(ENVELOPE_HEADER_BYTES);
    new DataView(header.buffer).setUint32(1, message.byteLength);
    parts.push(new Blob([header, message]));
    // Nothing is sent of a call that has ended meanwhile: the transport refuses it, and says why.
    if (call.signal?.aborted === true || (call.attempts.remainingMs() ?? 2) <= 1) {
      await messages.return?.();
      return [];
    }
  }
  return parts;
}

async function* one<T>(value: T): AsyncGenerator<T, void, undefined> {
  yield value;
}
