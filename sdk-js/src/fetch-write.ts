// Writing large content where `fetch` cannot send a stream: the messages of the stream are laid out in one body.

import { create, toBinary } from "@bufbuild/protobuf";
import { type ConnectTransportOptions, createConnectTransport } from "@connectrpc/connect-web";
import { pieces } from "./content-source.js";
import { type LargeWrite, onlyResponse, type SendLarge, writeHeader } from "./content-writer.js";
import { WriteFileRequestSchema } from "./gen/vexfs/v1/content_pb.js";
import { FilesService } from "./gen/vexfs/v1/files_pb.js";

const ENVELOPE_HEADER_BYTES = 5;

/**
 * Sends it in one request, over a transport with these options. A caller's stream is collected first; the browser may
 * keep it on disk.
 */
export function largeWriteByFetch(options: ConnectTransportOptions): SendLarge {
  // The transport refuses methods that stream requests, as fetch has no such thing. To the wire the method is the same
  // when it takes one message; those behind the first are added to the body.
  const method = { ...FilesService.method.writeFile, methodKind: "server_streaming" as const };
  return async (write, call) => {
    const rest = await envelopes(write);
    const transport = createConnectTransport({
      ...options,
      fetch: (url, init) => globalThis.fetch(url, { ...init, body: new Blob([init?.body as BlobPart, ...rest]) }),
    });
    const { attempts, header, signal } = call;
    const first = create(WriteFileRequestSchema, writeHeader(write));
    return onlyResponse((await transport.stream(method, signal, attempts.remainingMs(), header, one(first))).message);
  };
}

async function envelopes(write: LargeWrite): Promise<BlobPart[]> {
  const parts: BlobPart[] = [];
  const { content } = write;
  for await (const data of content instanceof Uint8Array || content instanceof Blob ? pieces(content) : content) {
    const message = toBinary(
      WriteFileRequestSchema,
      create(WriteFileRequestSchema, { part: { case: "data", value: data } }),
    );
    const header = new Uint8Array(ENVELOPE_HEADER_BYTES);
    new DataView(header.buffer).setUint32(1, message.byteLength);
    parts.push(new Blob([header, message]));
  }
  return parts;
}

async function* one<T>(value: T): AsyncGenerator<T, void, undefined> {
  yield value;
}
