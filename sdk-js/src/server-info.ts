// `client.serverInfo`: what the server is and can, and how it is.

import type { Caller } from "./caller.js";
import { type GetServerInfoResponse, ServerService } from "./gen/vexfs/v1/server_pb.js";
import type { ReadOptions } from "./options.js";
import { toViewPosition, type ViewPosition } from "./views.js";

/** What a request may ask of the server at most. */
export interface Limits {
  /** Bytes of one message. */
  readonly messageSizeBytes: number;
  /** Bytes of content that one message can carry. */
  readonly contentSizeBytes: number;
  /** Hits of a search or query. */
  readonly searchHits: number;
  /** Entries of a page. */
  readonly pageSize: number;
  /** Points of one upsert. */
  readonly points: number;
  /** Components of a vector. */
  readonly dimension: number;
  /** Bytes of a file's metadata as JSON. */
  readonly metadataSizeBytes: number;
  /** Bytes of a file's name. */
  readonly nameSizeBytes: number;
  /** Bytes of a path. */
  readonly pathSizeBytes: number;
}

/** Where the store is. */
export interface StorePosition {
  /** The newest revision. */
  readonly revision: bigint;
  /** The oldest revision that `atRevision` can name. */
  readonly oldestRevision: bigint;
  /** The volume takes no writes. */
  readonly readOnly: boolean;
  /** How many files of any kind there are. */
  readonly fileCount: number;
  /** How many bytes their content has, holes not counted. */
  readonly usedBytes: number;
  /** How many bytes it may have at most; 0: there is no limit. */
  readonly quotaBytes: number;
  /** How many files of any kind there may be; 0: there is no limit. */
  readonly quotaFiles: number;
}

/** How far the text of files is indexed. */
export interface TextCounts {
  /** Files whose text can be found. */
  readonly ready: number;
  /** Files that are waiting. */
  readonly pending: number;
  /** Files that are not indexed, see `listSkippedFiles`. */
  readonly skipped: number;
  /** Passages that can be found. */
  readonly passages: number;
}

/** How the text of files is embedded. */
export interface EmbeddingModel {
  /** The name of the model whose vectors are searched. */
  readonly name: string;
  /** Components of its vectors. */
  readonly dimension: number;
  /** The model that embeds everything anew, to take over once it has; empty when none does. */
  readonly nextName: string;
  /** Passages that it has embedded, each distinct text once. */
  readonly nextDone: number;
  /** Passages that it has to embed in all. */
  readonly nextTotal: number;
  /** Why passages cannot be embedded now; empty when they can. */
  readonly failure: string;
}

/** About the server. */
export interface ServerInfo {
  /** The revision that this answer reflects. */
  readonly revision: bigint;
  /** The release, such as `0.1.0`. */
  readonly version: string;
  /** What this server can, by name: `files`, `collections`, `points`, `search.dense`, `search.lexical`, `history`. */
  readonly capabilities: readonly string[];
  /** Its limits. */
  readonly limits: Limits;
  /** The store. */
  readonly store: StorePosition;
  /** The views. */
  readonly views: readonly ViewPosition[];
  /** The text of files. */
  readonly text: TextCounts;
  /** The model that embeds it. */
  readonly embedding: EmbeddingModel;
}

/** Calls GetServerInfo. */
export async function serverInfo(caller: Caller, options: ReadOptions | undefined): Promise<ServerInfo> {
  const request = { minRevision: options?.minRevision ?? 0n };
  const response = await caller.unary(ServerService.method.getServerInfo, request, options);
  const { revision, version, capabilities, views, store, text, embedding } = response;
  return {
    revision,
    version,
    capabilities,
    limits: toLimits(response.limits),
    store: {
      revision: store?.revision ?? 0n,
      oldestRevision: store?.oldestRevision ?? 0n,
      readOnly: store?.readOnly ?? false,
      fileCount: Number(store?.fileCount ?? 0),
      usedBytes: Number(store?.usedBytes ?? 0),
      quotaBytes: Number(store?.quotaBytes ?? 0),
      quotaFiles: Number(store?.quotaFiles ?? 0),
    },
    views: views.map(toViewPosition),
    text: {
      ready: Number(text?.ready ?? 0),
      pending: Number(text?.pending ?? 0),
      skipped: Number(text?.skipped ?? 0),
      passages: Number(text?.passages ?? 0),
    },
    embedding: {
      name: embedding?.name ?? "",
      dimension: embedding?.dimension ?? 0,
      nextName: embedding?.nextName ?? "",
      nextDone: Number(embedding?.nextDone ?? 0),
      nextTotal: Number(embedding?.nextTotal ?? 0),
      failure: embedding?.failure ?? "",
    },
  };
}

function toLimits(limits: GetServerInfoResponse["limits"]): Limits {
  return {
    messageSizeBytes: Number(limits?.messageSizeBytes ?? 0),
    contentSizeBytes: Number(limits?.contentSizeBytes ?? 0),
    searchHits: limits?.searchHits ?? 0,
    pageSize: limits?.pageSize ?? 0,
    points: limits?.points ?? 0,
    dimension: limits?.dimension ?? 0,
    metadataSizeBytes: limits?.metadataSizeBytes ?? 0,
    nameSizeBytes: limits?.nameSizeBytes ?? 0,
    pathSizeBytes: limits?.pathSizeBytes ?? 0,
  };
}
