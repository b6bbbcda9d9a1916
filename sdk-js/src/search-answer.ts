// What a search and a query of points say about how they were answered.

/** Hits, and how they were found. */
export interface Found<Hit> {
  /** The revision that this answer reflects. */
  readonly revision: bigint;
  /** The hits, best first. */
  readonly hits: readonly Hit[];
  /** The generation of the dense index that answered; empty if none did. */
  readonly generation: string;
  /** No nearer vector can have been missed: the dense part compared every candidate. */
  readonly exact: boolean;
  /** How the answer was found, such as `exact`, `scann`, `lexical` or `hybrid`. */
  readonly strategy: string;
  /** Something that was asked for could not be looked through: a view is missing or being rebuilt. */
  readonly partial: boolean;
  /** Why the answer is partial, for people. */
  readonly partialReasons: readonly string[];
  /** How many changed files, or vectors, the views do not have yet. */
  readonly pending: number;
  /** What to ask for the hits that follow with, as `pageToken`; empty after the last. */
  readonly nextPageToken: string;
}

interface WireAnswer {
  revision: bigint;
  generation: string;
  exact: boolean;
  strategy: string;
  partial: boolean;
  partialReasons: string[];
  pending: bigint;
  nextPageToken: string;
}

/** The answer with its hits. */
export function toFound<Hit>(answer: WireAnswer, hits: readonly Hit[]): Found<Hit> {
  const { revision, generation, exact, strategy, partial, partialReasons, pending, nextPageToken } = answer;
  const found = { revision, hits, generation, exact, strategy, partial, partialReasons };
  return { ...found, pending: Number(pending), nextPageToken };
}
