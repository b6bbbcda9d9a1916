// What a search and a query of points say about how they were answered, and the list of all their hits.

import { List } from "./list.js";

/** How many hits a page has when all are asked for: few enough to come fast, many enough to seldom wait. */
const HITS_AT_ONCE = 100;

/** Options of going through all hits, beside those of the search or query. */
export interface HitsOptions {
  /** How many hits there are in all; 0 or not set: no limit. The pages have 10,000: where there are more, an error ends them. */
  limit?: number | undefined;
  /** How many hits a page holds at most: 1 to 1,000; if not set, 100. */
  pageSize?: number | undefined;
  /** Go on behind an earlier page: its `nextPageToken`. */
  pageToken?: string | undefined;
}

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

/** All hits of the question that `ask` asks, page after page. */
export function toHits<Hit>(
  ask: (page: { pageToken: string; limit: number }) => Promise<Found<Hit>>,
  { limit, pageSize = HITS_AT_ONCE, pageToken }: HitsOptions,
): List<Hit> {
  const read = async (token: string, wanted: number) => {
    const { revision, hits, nextPageToken } = await ask({ pageToken: token, limit: Math.min(pageSize, wanted) });
    return { revision, items: hits, nextPageToken };
  };
  return new List(read, pageToken, limit || undefined);
}
