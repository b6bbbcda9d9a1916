// Errors of the SDK in the words of the suite.

import * as sdk from "@vexfs/client";

/** The SDK's API cannot express a call. */
export class Unsupported extends Error {}

const kinds = {
  not_found: sdk.NotFoundError,
  already_exists: sdk.AlreadyExistsError,
  failed_precondition: sdk.FailedPreconditionError,
  invalid_argument: sdk.InvalidArgumentError,
  unauthenticated: sdk.UnauthenticatedError,
  permission_denied: sdk.PermissionDeniedError,
  resource_exhausted: sdk.ResourceExhaustedError,
  unavailable: sdk.UnavailableError,
  deadline_exceeded: sdk.DeadlineExceededError,
  cancelled: sdk.CancelledError,
  data_loss: sdk.DataLossError,
  internal: sdk.InternalError,
};

/** The fields of the SDK's error. */
export function sdkError(error) {
  const { code, reason, message, metadata, requestId, retryable, attempts } = error;
  const matching = Object.keys(kinds).filter((kind) => error instanceof kinds[kind]);
  return { code, reason, message, metadata: { ...metadata }, requestId, retryable, attempts, kinds: matching };
}
