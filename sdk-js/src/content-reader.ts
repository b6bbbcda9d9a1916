// Reading all content at once: in one answer, which costs less than a stream, and in a stream where that is too large.

import type { Caller } from "./caller.js";
import { ContentStream, type ReadContentOptions } from "./content-stream.js";
import { DeadlineExceededError, VexfsError } from "./errors.js";
import { past } from "./file-attributes.js";
import { FilesService } from "./gen/vexfs/v1/files_pb.js";
import { type FileRef, toFileRef } from "./references.js";

/** Reads it all; see `client.files.read`. */
export async function readAll(caller: Caller, file: FileRef, options: ReadContentOptions): Promise<Uint8Array> {
  const range = { offset: BigInt(options.offset ?? 0), length: BigInt(options.length ?? 0) };
  const request = { file: toFileRef(file), ...range, ...past(options) };
  const started = performance.now();
  try {
    return (await caller.unary(FilesService.method.getContent, request, options)).data;
  } catch (error) {
    if (!(error instanceof VexfsError && error.reason === "TOO_LARGE")) {
      throw error;
    }
    const timeout = caller.timeoutOf(options);
    const left = timeout - (performance.now() - started) / 1000;
    if (timeout > 0 && left <= 0) {
      throw new DeadlineExceededError("the time-out passed before the content was read", {
        code: "DEADLINE_EXCEEDED",
        reason: "",
        metadata: {},
        requestId: "",
        retryable: false,
        attempts: error.attempts,
        cause: error,
      });
    }
    return new ContentStream(caller, file, { ...options, timeout: timeout > 0 ? left : 0 }).bytes();
  }
}
