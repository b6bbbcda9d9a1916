// What a caller gives to be written, as bytes in pieces.

/** Content to write. Strings are written as UTF-8. */
export type Content =
  | string
  | Uint8Array
  | ArrayBuffer
  | Blob
  | ReadableStream<Uint8Array | string>
  | AsyncIterable<Uint8Array | string>;

type Stream = ReadableStream<Uint8Array | string> | AsyncIterable<Uint8Array | string>;

/** The largest piece of a stream that travels as one message, in bytes. */
export const PIECE_BYTES = 256 * 1024;

/** Content in hand, which can be sent any number of times. */
export type Bytes = Uint8Array | Blob;

/** The content if all of it is in hand, else `undefined`. */
export function inHand(content: Content): Bytes | undefined {
  if (typeof content === "string") {
    return new TextEncoder().encode(content);
  }
  if (content instanceof Uint8Array || content instanceof Blob) {
    return content;
  }
  return content instanceof ArrayBuffer ? new Uint8Array(content) : undefined;
}

/** How many bytes there are. */
export function sizeOf(bytes: Bytes): number {
  return bytes instanceof Blob ? bytes.size : bytes.byteLength;
}

/** The bytes in one array. */
export async function asArray(bytes: Bytes): Promise<Uint8Array> {
  return bytes instanceof Blob ? new Uint8Array(await bytes.arrayBuffer()) : bytes;
}

/** The content in pieces of at most {@link PIECE_BYTES}. Ends the caller's stream when it is left early. */
export async function* pieces(content: Content): AsyncGenerator<Uint8Array, void, undefined> {
  const bytes = inHand(content);
  if (bytes instanceof Uint8Array) {
    yield* cut(bytes);
    return;
  }
  const stream = bytes === undefined ? (content as Stream) : bytes.stream();
  for await (const chunk of iterable(stream)) {
    yield* cut(typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk);
  }
}

/** The pieces joined. */
export function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}

function* cut(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.byteLength; at += PIECE_BYTES) {
    yield bytes.subarray(at, at + PIECE_BYTES);
  }
}

/** The stream as what `for await` takes, in every browser. */
export function iterable<T>(stream: ReadableStream<T> | AsyncIterable<T>): AsyncIterable<T> {
  return Symbol.asyncIterator in stream ? stream : chunksOf(stream);
}

// Not every browser can iterate over a ReadableStream.
async function* chunksOf<T>(stream: ReadableStream<T>): AsyncGenerator<T, void, undefined> {
  const reader = stream.getReader();
  let finished = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        finished = true;
        return;
      }
      yield value;
    }
  } finally {
    if (!finished) {
      await reader.cancel();
    }
    reader.releaseLock();
  }
}
