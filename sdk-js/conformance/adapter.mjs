// The adapter of the conformance suite: reads calls on standard input, makes them through @vexfs/client, and answers on
// standard output, in frames of a length (4 bytes, big-endian) and a message. Calls run side by side.

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { SettingsError, VexfsError, version } from "@vexfs/client";
import { callMethod } from "./calls.mjs";
import { clientFor } from "./clients.mjs";
import { sdkError, Unsupported } from "./errors.mjs";
import { CallSchema, FromAdapterSchema } from "./gen/vexfs/conformance/v1/adapter_pb.js";

const LENGTH_BYTES = 4;

function send(message) {
  const bytes = toBinary(FromAdapterSchema, create(FromAdapterSchema, { message }));
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(bytes.length);
  process.stdout.write(Buffer.concat([length, bytes]));
}

async function* frames(input) {
  let buffer = Buffer.alloc(0);
  for await (const chunk of input) {
    buffer = Buffer.concat([buffer, chunk]);
    while (buffer.length >= LENGTH_BYTES) {
      const end = LENGTH_BYTES + buffer.readUInt32BE(0);
      if (buffer.length < end) {
        break;
      }
      yield buffer.subarray(LENGTH_BYTES, end);
      buffer = buffer.subarray(end);
    }
  }
}

async function outcomeOf(call) {
  try {
    const messages = await callMethod(clientFor(call.connection), call);
    return { case: "response", value: { messages: messages.map(toJson) } };
  } catch (error) {
    if (error instanceof SettingsError) {
      return { case: "settingsError", value: { setting: error.setting, message: error.message } };
    }
    if (error instanceof VexfsError) {
      return { case: "sdkError", value: sdkError(error) };
    }
    if (error instanceof Unsupported) {
      return { case: "unsupported", value: error.message };
    }
    return { case: "adapterFault", value: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

function toJson(message) {
  return JSON.stringify(message, (_, value) => (typeof value === "bigint" ? value.toString() : value));
}

send({
  case: "hello",
  value: {
    name: "js",
    version,
    language: `Node.js ${process.versions.node}`,
    transports: ["grpc", "connect"],
    features: ["cancel", "error_kinds"],
    // `files.read` answers the bytes alone; `files.readStream` tells the rest.
    unreportedFields: ["GetContentResponse.revision", "GetContentResponse.file"],
  },
});
const running = new Set();
for await (const frame of frames(process.stdin)) {
  const call = fromBinary(CallSchema, frame);
  const done = outcomeOf(call).then((outcome) => {
    running.delete(done);
    send({ case: "result", value: { id: call.id, outcome } });
  });
  running.add(done);
}
await Promise.all(running);
