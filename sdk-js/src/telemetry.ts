// What a tracer is to this package. Node's entry point makes one when @opentelemetry/api is installed; without one
// nothing is traced.

/** A running span. */
export interface Span {
  /** Ends it; with the error if the call failed. */
  end(attempts: number, error?: Error): void;
}

/** Starts a span for a call and adds the span's context to the header that is sent. */
export interface Tracer {
  start(service: string, method: string, header: Headers): Span;
}
