// The errors of this package: one class for what the server said, a subclass for each kind, and one for settings.

/** The name of a gRPC status code, such as `NOT_FOUND`. */
export type ErrorCode =
  | "CANCELLED"
  | "UNKNOWN"
  | "INVALID_ARGUMENT"
  | "DEADLINE_EXCEEDED"
  | "NOT_FOUND"
  | "ALREADY_EXISTS"
  | "PERMISSION_DENIED"
  | "RESOURCE_EXHAUSTED"
  | "FAILED_PRECONDITION"
  | "ABORTED"
  | "OUT_OF_RANGE"
  | "UNIMPLEMENTED"
  | "INTERNAL"
  | "UNAVAILABLE"
  | "DATA_LOSS"
  | "UNAUTHENTICATED";

/** What a {@link VexfsError} is made of. */
export interface VexfsErrorFields {
  /** The gRPC code's name. */
  code: ErrorCode;
  /** The reason, or empty. */
  reason: string;
  /** What the server told beside the reason. */
  metadata: Readonly<Record<string, string>>;
  /** The `request_id` that the call carried, or empty. */
  requestId: string;
  /** Whether the same call can succeed later by itself. */
  retryable: boolean;
  /** How often the call was tried. */
  attempts: number;
  /** What lies underneath, for people. */
  cause?: unknown;
}

/**
 * A call failed. Match by class (`error instanceof NotFoundError`) or by {@link VexfsError.reason}, never by the message.
 *
 * Codes without a class of their own (`OUT_OF_RANGE`, `UNIMPLEMENTED`, `ABORTED`, `UNKNOWN`) are plain `VexfsError`s.
 */
export class VexfsError extends Error {
  /** The gRPC code's name, such as `NOT_FOUND`. */
  readonly code: ErrorCode;
  /** Why, as the contract names it, such as `FILE_NOT_FOUND`; empty when the server gave no reason, or nobody answered. */
  readonly reason: string;
  /** What the server told beside the reason, such as the field that is wrong. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The `request_id` that the call carried; empty for calls that only read. */
  readonly requestId: string;
  /** Whether the same call can succeed later without anybody changing it. */
  readonly retryable: boolean;
  /** How often the call was tried; 1 if it was not tried again. */
  readonly attempts: number;

  /** Made by this package; there is no need to make one. */
  constructor(message: string, fields: VexfsErrorFields) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.name = new.target.name;
    this.code = fields.code;
    this.reason = fields.reason;
    this.metadata = fields.metadata;
    this.requestId = fields.requestId;
    this.retryable = fields.retryable;
    this.attempts = fields.attempts;
  }
}

/** Something the call names is not there: a file, a collection, a point, an attribute. Code `NOT_FOUND`. */
export class NotFoundError extends VexfsError {}
/** Something is there already. Code `ALREADY_EXISTS`. */
export class AlreadyExistsError extends VexfsError {}
/** The tree is not in the state that the call needs. Code `FAILED_PRECONDITION`. */
export class FailedPreconditionError extends VexfsError {}
/** The call can never succeed as it is. Code `INVALID_ARGUMENT`. */
export class InvalidArgumentError extends VexfsError {}
/** The token is missing or wrong. Code `UNAUTHENTICATED`. */
export class UnauthenticatedError extends VexfsError {}
/** The caller may not do this. Code `PERMISSION_DENIED`. */
export class PermissionDeniedError extends VexfsError {}
/** A limit was reached: a size, a queue, the volume. Code `RESOURCE_EXHAUSTED`. */
export class ResourceExhaustedError extends VexfsError {}
/** Nobody answered, or not now. Code `UNAVAILABLE`. */
export class UnavailableError extends VexfsError {}
/** The time-out passed before the call ended; a write may still have happened. Code `DEADLINE_EXCEEDED`. */
export class DeadlineExceededError extends VexfsError {}
/**
 * The caller's `AbortSignal` ended the call; `cause` is the signal's reason. A write may still have happened. Code
 * `CANCELLED`.
 */
export class CancelledError extends VexfsError {}
/** Stored data cannot be read back as it was written. Code `DATA_LOSS`. */
export class DataLossError extends VexfsError {}
/** A fault of the server. Code `INTERNAL`. */
export class InternalError extends VexfsError {}

/** A setting of the client cannot be read. Thrown when the client is made. */
export class SettingsError extends Error {
  /** The setting's name in the documentation, such as `tls_ca`. */
  readonly setting: string;

  /** Made by this package; there is no need to make one. */
  constructor(setting: string, message: string, cause?: unknown) {
    super(`${setting}: ${message}`, cause === undefined ? undefined : { cause });
    this.name = "SettingsError";
    this.setting = setting;
  }
}

const classes: Partial<Record<ErrorCode, typeof VexfsError>> = {
  NOT_FOUND: NotFoundError,
  ALREADY_EXISTS: AlreadyExistsError,
  FAILED_PRECONDITION: FailedPreconditionError,
  INVALID_ARGUMENT: InvalidArgumentError,
  UNAUTHENTICATED: UnauthenticatedError,
  PERMISSION_DENIED: PermissionDeniedError,
  RESOURCE_EXHAUSTED: ResourceExhaustedError,
  UNAVAILABLE: UnavailableError,
  DEADLINE_EXCEEDED: DeadlineExceededError,
  CANCELLED: CancelledError,
  DATA_LOSS: DataLossError,
  INTERNAL: InternalError,
};

/** An error of the class that belongs to its code. */
export function makeError(message: string, fields: VexfsErrorFields): VexfsError {
  return new (classes[fields.code] ?? VexfsError)(message, fields);
}

/** The error for an answer that lacks what the contract promises. */
export function missingFromAnswer(what: string): VexfsError {
  const fields = { reason: "", metadata: {}, requestId: "", retryable: false, attempts: 1 };
  return makeError(`the answer holds no ${what}: the server does not keep to the contract`, {
    code: "INTERNAL",
    ...fields,
  });
}
