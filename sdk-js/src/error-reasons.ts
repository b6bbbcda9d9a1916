// Which reasons the contract knows, and whether a call that failed with one can succeed later by itself.

import { getOption } from "@bufbuild/protobuf";
import { ErrorReasonSchema, error as errorContract } from "./gen/vexfs/v1/errors_pb.js";

const PREFIX = "ERROR_REASON_";
const retryableByReason = new Map(
  ErrorReasonSchema.values
    .filter((value) => value.number !== 0)
    .map((value) => [value.name.slice(PREFIX.length), getOption(value, errorContract).retryable]),
);

/**
 * Whether the contract marks a reason as one that can pass by itself: `true` or `false`, and `undefined` for a reason that this
 * release does not know.
 */
export function isRetryableReason(reason: string): boolean | undefined {
  return retryableByReason.get(reason);
}
