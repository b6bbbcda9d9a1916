// `client.search`, `waitForViews` and `listSkippedFiles`: finding files, and when they can be found.

import type { Caller } from "./caller.js";
import type { Done } from "./file-attributes.js";
import { type FileInfo, toFileInfo } from "./file-info.js";
import { type Filter, toWireFilter } from "./filters.js";
import {
  type SearchResponse,
  SearchService,
  type SearchHit as WireHit,
  type Match as WireMatch,
  SearchMode as WireMode,
} from "./gen/vexfs/v1/search_pb.js";
import { List } from "./list.js";
import type { CallOptions, ListOptions, ReadOptions } from "./options.js";
import { type FileRef, toFileRef } from "./references.js";
import { type Found, type HitsOptions, toFound, toHits } from "./search-answer.js";
import { packVector, type VectorInput } from "./vectors.js";
import { toViewPosition, type ViewPosition } from "./views.js";

/** How to look: by meaning and by words with the two rankings fused, by meaning only, or by words only. */
export type SearchMode = "hybrid" | "dense" | "lexical";

/**
 * What files shall answer: a question or a few words of at most 8,192 bytes, a vector, or a file that they shall be like: what is
 * near to the mean of its passages is answered, without the file itself.
 */
export type SearchQuery =
  | string
  | VectorInput
  | {
      /** The file. */
      readonly like: FileRef;
    };

/** Which files a search answers, and how they are found. */
export interface SearchQueryOptions {
  /** Only files in this directory or below it; everywhere if not set. */
  scope?: FileRef | undefined;
  /** Only files that pass this. */
  filter?: Filter | undefined;
  /** How to look; hybrid for words, dense for a vector if not set. */
  mode?: SearchMode | undefined;
  /** How many hits at most: 1 to 1,000; 10 if not set. */
  limit?: number | undefined;
  /** For a vector: compare with this named vector of the collection that `scope` names, instead of the embedded text. */
  vectorName?: string | undefined;
  /** By meaning, compare with every passage that may be answered, so that none is missed, however long that takes. */
  exact?: boolean | undefined;
  /** Hybrid: how much the ranking by meaning counts, 0.001 to 1,000; 1 if not set. */
  denseWeight?: number | undefined;
  /** Hybrid: how much the ranking by words counts, likewise. */
  lexicalWeight?: number | undefined;
  /** `nextPageToken` of an answer to the same question, to have the hits that follow; `limit` may be another. */
  pageToken?: string | undefined;
}

/** Options of a search. */
export interface SearchOptions extends ReadOptions, SearchQueryOptions {}

/** Options of going through all hits of a search. */
export interface SearchHitsOptions extends Omit<SearchOptions, keyof HitsOptions>, HitsOptions {}

/** One search of a batch. */
export interface BatchedSearch extends SearchQueryOptions {
  /** What files shall answer. */
  readonly query: SearchQuery;
}

/** A passage of a file's text. */
export interface Passage {
  /** The text. */
  readonly text: string;
  /** Where it starts in the file's content, in bytes. */
  readonly startByte: number;
  /** The byte after its last. */
  readonly endByte: number;
  /** The line it starts on; the first line is 1. */
  readonly startLine: number;
  /** The line it ends on. */
  readonly endLine: number;
}

/** One way in which a file matched. */
export interface Match {
  /** Which ranking found it; `unknown` for one that this release does not know. */
  readonly mode: SearchMode | "unknown";
  /** Its place in that ranking; the first is 1. */
  readonly rank: number;
  /** Its score in that ranking: cosine for dense, BM25 for lexical. */
  readonly score: number;
  /** Lexical: the words of the question, as they stand in the passage. */
  readonly terms: readonly string[];
}

/** One file that answers the question. */
export interface SearchHit {
  /** The file. */
  readonly file: FileInfo;
  /** How well it answers; higher is better. Comparable within one answer only. */
  readonly score: number;
  /** Its best passage; not set if a client's vector was compared. */
  readonly passage?: Passage;
  /** Why it is here. */
  readonly matches: readonly Match[];
}

/** Options of waiting for the views. */
export interface WaitOptions extends CallOptions {
  /** Wait until all views have this revision; if not set, the newest at the moment of asking. */
  minRevision?: bigint | undefined;
}

/** Where the views are. */
export interface ViewsResult extends Done {
  /** Each view. */
  readonly views: readonly ViewPosition[];
}

/** A file whose text was not indexed. */
export interface SkippedFile {
  /** The file. */
  readonly file: FileInfo;
  /** Why, such as `binary`, `ignored`, `too_large`. */
  readonly reason: string;
}

/** Options of listing the files that were not indexed. */
export interface ListSkippedFilesOptions extends ListOptions {
  /** Only files in this directory or below it; everywhere if not set. */
  scope?: FileRef | undefined;
}

const toWireMode: Record<SearchMode, WireMode> = {
  hybrid: WireMode.HYBRID,
  dense: WireMode.DENSE,
  lexical: WireMode.LEXICAL,
};

/** Calls Search. */
export async function search(caller: Caller, query: SearchQuery, options: SearchOptions): Promise<Found<SearchHit>> {
  const request = { ...toWireRequest({ query, ...options }), minRevision: options.minRevision ?? 0n };
  return toFoundFiles(await caller.unary(SearchService.method.search, request, options));
}

/** Calls Search, page after page. */
export function searchHits(caller: Caller, query: SearchQuery, options: SearchHitsOptions): List<SearchHit> {
  return toHits((page) => search(caller, query, { ...options, ...page }), options);
}

/** Calls BatchSearch. */
export async function batchSearch(
  caller: Caller,
  searches: readonly BatchedSearch[],
  options: ReadOptions,
): Promise<Found<SearchHit>[]> {
  const request = { searches: searches.map(toWireRequest), minRevision: options.minRevision ?? 0n };
  const response = await caller.unary(SearchService.method.batchSearch, request, options);
  return response.answers.map(toFoundFiles);
}

function toWireRequest(asked: BatchedSearch) {
  const { query, scope, filter, mode } = asked;
  return {
    query: toWireQuery(query),
    ...(scope === undefined ? {} : { scope: toFileRef(scope) }),
    ...(filter === undefined ? {} : { filter: toWireFilter(filter) }),
    mode: mode === undefined ? WireMode.UNSPECIFIED : toWireMode[mode],
    limit: asked.limit ?? 0,
    vectorName: asked.vectorName ?? "",
    exact: asked.exact ?? false,
    denseWeight: asked.denseWeight ?? 0,
    lexicalWeight: asked.lexicalWeight ?? 0,
    pageToken: asked.pageToken ?? "",
  };
}

function toFoundFiles(response: SearchResponse): Found<SearchHit> {
  return toFound(response, response.hits.map(toHit));
}

/** Calls WaitForViews. */
export async function waitForViews(caller: Caller, options: WaitOptions): Promise<ViewsResult> {
  const request = { minRevision: options.minRevision ?? 0n };
  const { revision, views } = await caller.unary(SearchService.method.waitForViews, request, options);
  return { revision, views: views.map(toViewPosition) };
}

/** Calls ListSkippedFiles, page after page. */
export function listSkippedFiles(caller: Caller, options: ListSkippedFilesOptions): List<SkippedFile> {
  const { scope, pageSize = 0, minRevision = 0n } = options;
  return new List(async (pageToken) => {
    const request = { ...(scope === undefined ? {} : { scope: toFileRef(scope) }), pageSize, pageToken, minRevision };
    const response = await caller.unary(SearchService.method.listSkippedFiles, request, options);
    const items = response.files.map(({ file, reason }) => ({ file: toFileInfo(file), reason }));
    return { revision: response.revision, items, nextPageToken: response.nextPageToken };
  }, options.pageToken);
}

function toWireQuery(query: SearchQuery) {
  if (typeof query === "string") {
    return { case: "text", value: query } as const;
  }
  return "like" in query
    ? ({ case: "like", value: toFileRef(query.like) } as const)
    : ({ case: "vector", value: { values: packVector(query) } } as const);
}

function toHit(hit: WireHit): SearchHit {
  const { file, score, passage, matches } = hit;
  const found = { file: toFileInfo(file), score, matches: matches.map(toMatch) };
  if (passage === undefined) {
    return found;
  }
  const { text, startByte, endByte, startLine, endLine } = passage;
  return { ...found, passage: { text, startByte: Number(startByte), endByte: Number(endByte), startLine, endLine } };
}

function toMatch({ mode, rank, score, terms }: WireMatch): Match {
  const known = (Object.keys(toWireMode) as SearchMode[]).find((name) => toWireMode[name] === mode);
  return { mode: known ?? "unknown", rank, score, terms };
}
