// Spans, with the OpenTelemetry that the application brings.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { propagation, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { Client } from "@vexfs/client";
import { tracingIsKnown } from "../dist/node-telemetry.js";
import { startFaulty } from "./faulty.mjs";

test("every call is one span, whose context the server is sent", async () => {
  const exporter = new InMemorySpanExporter();
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  await tracingIsKnown;
  const headers = [];
  const server = await startFaulty({
    FilesService: {
      statFile: (_, context) => {
        headers.push(context.requestHeader.get("traceparent"));
        if (headers.length === 1) {
          throw new ConnectError("gone", Code.Unavailable);
        }
        return { file: { id: 1n } };
      },
      async *readFile() {
        yield { data: new Uint8Array(1), file: { id: 1n } };
        yield { data: new Uint8Array(1) };
      },
    },
  });
  const client = new Client({ address: server.address });
  try {
    await client.files.stat("/");
    await assert.rejects(client.files.getXattr("/", "user.a"));
    for await (const _ of client.files.readStream("/")) {
      break;
    }
  } finally {
    client.close();
    await server.stop();
  }
  const [stat, xattr, read, ...more] = exporter.getFinishedSpans();
  assert.equal(more.length, 0);
  assert.deepEqual([stat.name, stat.kind], ["vexfs.v1.FilesService/StatFile", SpanKind.CLIENT]);
  assert.equal(stat.attributes["vexfs.attempts"], 2);
  assert.equal(stat.status.code, SpanStatusCode.UNSET);
  const { traceId, spanId } = stat.spanContext();
  assert.deepEqual(headers, [`00-${traceId}-${spanId}-01`, `00-${traceId}-${spanId}-01`]);
  assert.equal(xattr.status.code, SpanStatusCode.ERROR);
  assert.equal(xattr.attributes["error.type"], "UNIMPLEMENTED");
  assert.equal(read.name, "vexfs.v1.FilesService/ReadFile");
});
