// From what a transport throws to a VexfsError: the status with its details, or what a broken connection means.

import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { isRetryableReason } from "./error-reasons.js";
import { type ErrorCode, makeError, VexfsError } from "./errors.js";
import { ErrorInfoSchema, RetryInfoSchema } from "./gen/google/rpc/error_details_pb.js";

const DOMAIN = "vexfs.v1";
const codeNames: Record<Code, ErrorCode> = {
  [Code.Canceled]: "CANCELLED",
  [Code.Unknown]: "UNKNOWN",
  [Code.InvalidArgument]: "INVALID_ARGUMENT",
  [Code.DeadlineExceeded]: "DEADLINE_EXCEEDED",
  [Code.NotFound]: "NOT_FOUND",
  [Code.AlreadyExists]: "ALREADY_EXISTS",
  [Code.PermissionDenied]: "PERMISSION_DENIED",
  [Code.ResourceExhausted]: "RESOURCE_EXHAUSTED",
  [Code.FailedPrecondition]: "FAILED_PRECONDITION",
  [Code.Aborted]: "ABORTED",
  [Code.OutOfRange]: "OUT_OF_RANGE",
  [Code.Unimplemented]: "UNIMPLEMENTED",
  [Code.Internal]: "INTERNAL",
  [Code.Unavailable]: "UNAVAILABLE",
  [Code.DataLoss]: "DATA_LOSS",
  [Code.Unauthenticated]: "UNAUTHENTICATED",
};

/** What this package knows about the call that failed. */
export interface FailedCall {
  requestId: string;
  attempts: number;
  signal: AbortSignal | undefined;
  /** The call's time is over. */
  expired: boolean;
}

/** A failed attempt: its error, and how long the server asks to wait before the next. */
export interface Failure {
  error: VexfsError;
  /** The least pause in milliseconds; 0 if the server asked for none. */
  retryDelayMs: number;
}

/** What `thrown` means; `call` says whose attempt it was. */
export function toFailure(thrown: unknown, call: FailedCall): Failure {
  const { requestId, attempts } = call;
  if (call.signal?.aborted === true) {
    const fields = { code: "CANCELLED", reason: "", metadata: {}, requestId, retryable: false, attempts } as const;
    return {
      error: makeError("the caller cancelled the call", { ...fields, cause: call.signal.reason }),
      retryDelayMs: 0,
    };
  }
  if (thrown instanceof VexfsError) {
    return { error: thrown, retryDelayMs: 0 };
  }
  const status = ConnectError.from(thrown);
  const info = status.findDetails(ErrorInfoSchema).find((detail) => detail.domain === DOMAIN);
  const code = info === undefined ? codeWithoutReason(status, call.expired) : codeNames[status.code];
  const reason = info?.reason ?? "";
  const { retryable: told, ...metadata } = info?.metadata ?? {};
  const retryable = reason === "" ? code === "UNAVAILABLE" : (isRetryableReason(reason) ?? told === "true");
  const delay = status.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return {
    error: makeError(status.rawMessage, { code, reason, metadata, requestId, retryable, attempts, cause: thrown }),
    retryDelayMs: delay === undefined ? 0 : durationMs(delay),
  };
}

function codeWithoutReason(status: ConnectError, expired: boolean): ErrorCode {
  // A transport names a broken connection in many ways; to a caller they are one: nobody answered.
  if (isBrokenConnection(status)) {
    return expired ? "DEADLINE_EXCEEDED" : "UNAVAILABLE";
  }
  return codeNames[status.code];
}

/** Whether no status came from the server: the connection could not be made, or broke. */
function isBrokenConnection(status: ConnectError): boolean {
  for (let cause: unknown = status.cause; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof TypeError || ("code" in cause && typeof cause.code === "string")) {
      return true;
    }
  }
  // A status that came over the wire has the headers it came with. Without them, these codes are the transport's own
  // words for a stream that was reset or ended too early.
  const local = [...status.metadata.keys()].length === 0;
  return local && brokenStreamCodes.has(status.code);
}

const brokenStreamCodes: ReadonlySet<Code> = new Set([Code.Canceled, Code.Aborted, Code.Unknown, Code.DataLoss]);
