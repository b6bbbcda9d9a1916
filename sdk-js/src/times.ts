// Times: Date for people's code, nanoseconds since 1970 as bigint where every digit counts.

import { create } from "@bufbuild/protobuf";
import { type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";

/** A moment: a Date (milliseconds), or a bigint of nanoseconds since 1970. */
export type Time = Date | bigint;

const NANOSECONDS = 1_000_000_000n;

/** Nanoseconds since 1970; 0 if there is no time. */
export function toNanoseconds(timestamp: Timestamp | undefined): bigint {
  return timestamp === undefined ? 0n : timestamp.seconds * NANOSECONDS + BigInt(timestamp.nanos);
}

/** The moment as a Date, rounded down to the millisecond. */
export function toDate(nanoseconds: bigint): Date {
  const milliseconds = nanoseconds / 1_000_000n;
  return new Date(Number(nanoseconds < milliseconds * 1_000_000n ? milliseconds - 1n : milliseconds));
}

/** The contract's message for a moment. Throws a RangeError for an invalid Date. */
export function toTimestamp(time: Time | undefined): Timestamp | undefined {
  if (time === undefined) {
    return undefined;
  }
  const nanoseconds = typeof time === "bigint" ? time : BigInt(time.getTime()) * 1_000_000n;
  const rest = ((nanoseconds % NANOSECONDS) + NANOSECONDS) % NANOSECONDS;
  return create(TimestampSchema, { seconds: (nanoseconds - rest) / NANOSECONDS, nanos: Number(rest) });
}
