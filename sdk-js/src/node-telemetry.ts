// Spans by @opentelemetry/api, if the application has it installed; without it nothing is traced and nothing is loaded.

import type { Span, Tracer } from "./telemetry.js";
import { version } from "./version.js";

type Api = typeof import("@opentelemetry/api");

let tracer: Tracer | undefined;

/** Resolves when it is known whether there is something to trace with. */
export const tracingIsKnown: Promise<void> = import("@opentelemetry/api").then(
  (api) => {
    tracer = makeTracer(api);
  },
  () => {},
);

/** The tracer; `undefined` while there is none. */
export function currentTracer(): Tracer | undefined {
  return tracer;
}

function makeTracer(api: Api): Tracer {
  // Asked for at every call: the application may register its provider after this package was loaded.
  const tracerOf = () => api.trace.getTracer("@vexfs/client", version);
  return {
    start(service: string, method: string, header: Headers): Span {
      const attributes = { "rpc.system.name": "vexfs", "rpc.method": `${service}/${method}` };
      const span = tracerOf().startSpan(`${service}/${method}`, { kind: api.SpanKind.CLIENT, attributes });
      const context = api.trace.setSpan(api.context.active(), span);
      api.propagation.inject(context, header, { set: (carrier, key, value) => carrier.set(key, value) });
      return {
        end(attempts: number, error?: Error): void {
          span.setAttribute("vexfs.attempts", attempts);
          if (error !== undefined) {
            const { code, reason } = error as { code?: string; reason?: string };
            span.setAttribute("error.type", reason || code || error.name);
            span.setStatus({ code: api.SpanStatusCode.ERROR, message: error.message });
          }
          span.end();
        },
      };
    },
  };
}
