// The one layer that tries again: how often, how long in all, and with which pauses between.

import type { VexfsError } from "./errors.js";
import { type Failure, toFailure } from "./wire-errors.js";

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2000;
// grpc-timeout has eight digits, and a timer of JavaScript 31 bits; what is longer (a day and more) is no limit.
const LONGEST_TIMEOUT_MS = 99_999_999;

/** What one call is allowed. */
export interface Allowance {
  /** Seconds for all attempts and pauses; 0 is no limit. */
  timeout: number;
  /** How often it is tried at most. */
  maxAttempts: number;
  signal: AbortSignal | undefined;
  requestId: string;
  /** The call may be sent again: it has no side effects, or carries a `request_id`. */
  repeatable: boolean;
}

/** The attempts of one call, over all of which it has one deadline. */
export class Attempts {
  /** Which attempt is running; the first is 1. */
  count = 1;
  readonly #allowance: Allowance;
  readonly #deadlineMs: number | undefined;

  constructor(allowance: Allowance) {
    this.#allowance = allowance;
    const timeoutMs = allowance.timeout * 1000;
    this.#deadlineMs = timeoutMs > 0 && timeoutMs <= LONGEST_TIMEOUT_MS ? performance.now() + timeoutMs : undefined;
  }

  /** Whole milliseconds that are left, at least 1; `undefined` if the call has no limit. */
  remainingMs(): number | undefined {
    return this.#deadlineMs === undefined ? undefined : Math.max(1, Math.ceil(this.#deadlineMs - performance.now()));
  }

  /** Waits before the next attempt; throws the call's error if there is none. */
  async next(thrown: unknown): Promise<void> {
    const failure = this.toFailure(thrown);
    if (!this.#mayTryAgain(failure.error)) {
      throw failure.error;
    }
    const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (this.count - 1));
    const pause = Math.max(Math.random() * longest, failure.retryDelayMs);
    if (this.#deadlineMs !== undefined && performance.now() + pause >= this.#deadlineMs) {
      throw failure.error;
    }
    await this.#sleep(pause);
    this.count += 1;
  }

  /** What `thrown` means for this call. */
  toFailure(thrown: unknown): Failure {
    return toFailure(thrown, {
      requestId: this.#allowance.requestId,
      attempts: this.count,
      signal: this.#allowance.signal,
      expired: this.#deadlineMs !== undefined && performance.now() >= this.#deadlineMs,
    });
  }

  #mayTryAgain(error: VexfsError): boolean {
    // After a deadline there is no time left, whatever may come later.
    const later = error.retryable && error.code !== "DEADLINE_EXCEEDED";
    return this.#allowance.repeatable && later && this.count < this.#allowance.maxAttempts;
  }

  async #sleep(ms: number): Promise<void> {
    const signal = this.#allowance.signal;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(end, ms);
      function end(): void {
        clearTimeout(timer);
        signal?.removeEventListener("abort", end);
        resolve();
      }
      signal?.addEventListener("abort", end, { once: true });
    });
    if (signal?.aborted === true) {
      throw this.toFailure(signal.reason).error;
    }
  }
}
