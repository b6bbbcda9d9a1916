// One call over a transport: attempts, deadline, request id, errors, spans. Everything above it is names and shapes.

import {
  create,
  type DescMessage,
  type DescMethodStreaming,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import type { Transport } from "@connectrpc/connect";
import { Attempts } from "./attempts.js";
import { checkMaxAttempts, checkTimeout } from "./limits.js";
import type { CallOptions, WriteOptions } from "./options.js";
import type { Span, Tracer } from "./telemetry.js";

/** What every call of a client shares. */
export interface CallerSettings {
  timeout: number;
  maxAttempts: number;
  header: Headers;
  tracer: () => Tracer | undefined;
}

type AnyMethod = DescMethodUnary | DescMethodStreaming;

/** Makes calls over one transport. */
export class Caller {
  readonly #transport: Transport;
  readonly #settings: CallerSettings;

  constructor(transport: Transport, settings: CallerSettings) {
    this.#transport = transport;
    this.#settings = settings;
  }

  /** Calls a method that has one request and one response. */
  async unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options: WriteOptions | undefined,
  ): Promise<MessageShape<O>> {
    const message = create(method.input, request);
    const call = this.begin(method, options, requestIdOf(message));
    const { attempts, header, signal } = call;
    try {
      for (;;) {
        try {
          const response = await this.#transport.unary(
            method,
            signal,
            attempts.remainingMs(),
            header,
            message as MessageInitShape<I>,
          );
          call.end();
          return response.message;
        } catch (thrown) {
          await attempts.next(thrown);
        }
      }
    } catch (error) {
      throw call.fail(error);
    }
  }

  /**
   * Makes one attempt at a streaming method, and answers its responses. Whoever leaves them early ends it on the server,
   * too.
   */
  async *stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodStreaming<I, O>,
    requests: AsyncIterable<MessageInitShape<I>>,
    call: Call,
  ): AsyncGenerator<MessageShape<O>, void, undefined> {
    const leaving = linked(call.signal);
    let responses: AsyncIterator<MessageShape<O>> | undefined;
    try {
      const timeoutMs = call.attempts.remainingMs();
      const response = await this.#transport.stream(method, leaving.signal, timeoutMs, call.header, requests);
      responses = response.message[Symbol.asyncIterator]();
      for (let next = await responses.next(); next.done !== true; next = await responses.next()) {
        yield next.value;
      }
      responses = undefined;
    } finally {
      leaving.abort();
      // The transport's iterator cannot be returned; only a further step makes it let go of its timer.
      responses?.next().catch(() => {});
    }
  }

  /** Seconds that a call with these options may take. */
  timeoutOf(options: CallOptions): number {
    return options.timeout ?? this.#settings.timeout;
  }

  /** Begins a call: what it may take, and its span. `replayable`: its request is in hand, and can be sent again. */
  begin(method: AnyMethod, options: CallOptions | undefined, requestId: string, replayable = true): Call {
    const { timeout = this.#settings.timeout, maxAttempts = this.#settings.maxAttempts, signal } = options ?? {};
    checkTimeout("timeout", timeout);
    checkMaxAttempts("max_attempts", maxAttempts);
    const harmless = requestId !== "" || method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
    const repeatable = replayable && harmless;
    const attempts = new Attempts({ timeout, maxAttempts, signal, requestId, repeatable });
    const tracer = this.#settings.tracer();
    if (tracer === undefined) {
      return new Call(attempts, this.#settings.header, signal, undefined);
    }
    const header = new Headers(this.#settings.header);
    return new Call(attempts, header, signal, tracer.start(method.parent.typeName, method.name, header));
  }
}

/** One running call. */
export class Call {
  readonly attempts: Attempts;
  readonly header: Headers;
  readonly signal: AbortSignal | undefined;
  #span: Span | undefined;

  constructor(attempts: Attempts, header: Headers, signal: AbortSignal | undefined, span: Span | undefined) {
    this.attempts = attempts;
    this.header = header;
    this.signal = signal;
    this.#span = span;
  }

  /** It succeeded, or the caller wants no more of it. */
  end(): void {
    this.#span?.end(this.attempts.count);
    this.#span = undefined;
  }

  /** It failed; answers the error to throw. */
  fail(thrown: unknown): unknown {
    this.#span?.end(this.attempts.count, thrown instanceof Error ? thrown : undefined);
    this.#span = undefined;
    return thrown;
  }
}

function requestIdOf(message: object): string {
  return "requestId" in message && typeof message.requestId === "string" ? message.requestId : "";
}

/** A signal that follows `signal`, and can be aborted by itself. */
function linked(signal: AbortSignal | undefined): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController();
  const follow = () => controller.abort(signal?.reason);
  if (signal?.aborted === true) {
    follow();
  }
  signal?.addEventListener("abort", follow, { once: true });
  return {
    signal: controller.signal,
    abort: () => {
      signal?.removeEventListener("abort", follow);
      controller.abort();
    },
  };
}
