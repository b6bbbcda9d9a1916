// The client, whatever carries its calls.

import type { Transport } from "@connectrpc/connect";
import { Caller, type CallerSettings } from "./caller.js";
import { Collections } from "./collections.js";
import { ContentWriter } from "./content-writer.js";
import { Files } from "./files.js";
import type { List } from "./list.js";
import type { ReadOptions } from "./options.js";
import { Points } from "./points.js";
import {
  type BatchedSearch,
  batchSearch,
  type ListSkippedFilesOptions,
  listSkippedFiles,
  type SearchHit,
  type SearchHitsOptions,
  type SearchOptions,
  type SearchQuery,
  type SkippedFile,
  search,
  searchHits,
  type ViewsResult,
  type WaitOptions,
  waitForViews,
} from "./search.js";
import type { Found } from "./search-answer.js";
import { type ServerInfo, serverInfo } from "./server-info.js";
import { streamingUpload, type Upload } from "./upload.js";

/** What carries a client's calls. */
export interface Wire {
  transport: Transport;
  /** How a stream of requests is sent, if not as one of the transport. */
  upload?: Upload;
  /** Ends all connections. */
  close(): void;
}

/** What the clients of all entry points have in common. */
export abstract class BaseClient {
  /** The tree of files. */
  readonly files: Files;
  /** Directories with a vector schema. */
  readonly collections: Collections;
  /** The files of a collection, seen as vectors with a payload. */
  readonly points: Points;
  readonly #caller: Caller;
  readonly #wire: Wire;

  /** @internal */
  protected constructor(wire: Wire, settings: CallerSettings) {
    const caller = new Caller(wire.transport, settings);
    this.#caller = caller;
    this.#wire = wire;
    const upload = wire.upload ?? streamingUpload(caller);
    this.files = new Files(caller, new ContentWriter(caller, upload));
    this.collections = new Collections(caller);
    this.points = new Points(caller, upload);
  }

  /**
   * Finds the files that answer a question best, by meaning and by words. The answer comes from what is indexed at the
   * moment, and says how much is pending; `minRevision` waits for what was written.
   *
   * Throws {@link VexfsError}. Reasons: `INVALID_VECTOR`, `DIMENSION_MISMATCH`, `INVALID_FILTER`, `VIEW_UNAVAILABLE`.
   */
  async search(query: SearchQuery, options?: SearchOptions): Promise<Found<SearchHit>> {
    return search(this.#caller, query, options ?? {});
  }

  /**
   * Goes through all files that answer a question, best first, a page at a time. The first page's size is how deep a
   * hybrid search is fused, as the limit of `search` is.
   *
   * Throws {@link VexfsError}. Reasons: those of `search`; `INVALID_ARGUMENT` behind the 10,000th hit.
   */
  searchHits(query: SearchQuery, options?: SearchHitsOptions): List<SearchHit> {
    return searchHits(this.#caller, query, options ?? {});
  }

  /**
   * Answers up to 100 searches, in their order and from one state of the views. Their limits may be 10,000 together, the answers
   * 3 MiB. If one search cannot be answered all fail, and the error names it, in its message and as `index` of its metadata.
   *
   * Throws {@link VexfsError}. Reasons: those of `search`, `TOO_LARGE`.
   */
  async batchSearch(searches: readonly BatchedSearch[], options?: ReadOptions): Promise<Found<SearchHit>[]> {
    return batchSearch(this.#caller, searches, options ?? {});
  }

  /**
   * Waits until all views have what the store has, so that it can be found.
   *
   * Throws {@link VexfsError}. Reasons: `REVISION_NOT_REACHED` at the time-out, `VIEW_UNAVAILABLE`.
   */
  async waitForViews(options?: WaitOptions): Promise<ViewsResult> {
    return waitForViews(this.#caller, options ?? {});
  }

  /**
   * Lists the files whose text was not indexed, each with the reason.
   *
   * Throws {@link VexfsError}. Reasons: `VIEW_UNAVAILABLE`.
   */
  listSkippedFiles(options?: ListSkippedFilesOptions): List<SkippedFile> {
    return listSkippedFiles(this.#caller, options ?? {});
  }

  /** Tells version, capabilities, limits, and the positions of store and views. Throws {@link VexfsError}. */
  async serverInfo(options?: ReadOptions): Promise<ServerInfo> {
    return serverInfo(this.#caller, options);
  }

  /** Ends the client's connections; calls that are running fail. A client that is forgotten keeps no process alive. */
  close(): void {
    this.#wire.close();
  }
}

/** The header that every call carries; `userAgent` names the header that says who calls, as a browser keeps its own. */
export function commonHeader(
  token: string | undefined,
  userAgent: "user-agent" | "x-user-agent",
  name: string,
): Headers {
  const header = new Headers({ [userAgent]: name });
  if (token !== undefined) {
    header.set("authorization", `Bearer ${token}`);
  }
  return header;
}
