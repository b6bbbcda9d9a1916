// The options that calls take, beside what each method is about.

/** Options of every call. */
export interface CallOptions {
  /** Seconds this call may take, all its attempts and pauses together; 0 is no limit. If not set: the client's. */
  timeout?: number | undefined;
  /** How often this call is tried at most. If not set: the client's. */
  maxAttempts?: number | undefined;
  /** Ends the call, on the server, too, with a `CancelledError`. */
  signal?: AbortSignal | undefined;
}

/** Options of calls that read. */
export interface ReadOptions extends CallOptions {
  /** Wait, until the time-out, for this revision; fails with reason `REVISION_NOT_REACHED`. */
  minRevision?: bigint | undefined;
}

/** Options of calls that read what has a past. */
export interface PastOptions extends ReadOptions {
  /** Answer from the state at this revision, inside the history window; fails with reason `REVISION_NOT_AVAILABLE`. */
  atRevision?: bigint | undefined;
}

/** Options of calls that write. */
export interface WriteOptions extends CallOptions {
  /**
   * Makes it safe to send the call again: a random id of at most 128 bytes, the same for every attempt. The server
   * keeps it for 10 minutes, and answers a call with the same id as it did the first time. If not set: a random UUID.
   */
  requestId?: string | undefined;
}

/** Options of lists. */
export interface ListOptions extends ReadOptions {
  /** How many items a page holds at most: 1 to 10,000; if not set, 1,000. */
  pageSize?: number | undefined;
  /** Go on behind an earlier page: its `nextPageToken`. */
  pageToken?: string | undefined;
}
