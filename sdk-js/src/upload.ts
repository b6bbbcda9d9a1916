// A stream of requests with one response: what a caller's source gives, sent once over a transport.

import type { DescMessage, DescMethodClientStreaming, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { Call, Caller } from "./caller.js";
import { missingFromAnswer } from "./errors.js";

/** How a transport sends the messages of one call; the first is taken at once. Throws what the transport throws. */
export type Upload = <I extends DescMessage, O extends DescMessage>(
  method: DescMethodClientStreaming<I, O>,
  messages: AsyncIterable<MessageInitShape<I>>,
  call: Call,
) => Promise<MessageShape<O>>;

/** Sends them as a stream of the transport. */
export function streamingUpload(caller: Caller): Upload {
  return (method, messages, call) => onlyResponse(caller.stream(method, messages, call));
}

/** The one response of a stream that has one. */
export async function onlyResponse<T>(responses: AsyncIterable<T>): Promise<T> {
  let last: T | undefined;
  for await (const response of responses) {
    last = response;
  }
  if (last === undefined) {
    throw missingFromAnswer("message");
  }
  return last;
}

/** A caller's stream. What it throws is kept: the caller gets that, and not what the broken call makes of it. */
export class Source<T> implements AsyncIterable<T> {
  failure: { thrown: unknown } | undefined;
  readonly #items: AsyncIterable<T>;

  constructor(items: AsyncIterable<T>) {
    this.#items = items;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    try {
      yield* this.#items;
    } catch (thrown) {
      this.failure = { thrown };
      throw thrown;
    }
  }
}
