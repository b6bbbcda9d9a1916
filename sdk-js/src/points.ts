// `client.points`: the files of a collection, seen as vectors with a payload.

import type { JsonObject } from "@bufbuild/protobuf";
import type { Caller } from "./caller.js";
import { missingFromAnswer } from "./errors.js";
import type { Done } from "./file-attributes.js";
import { type Filter, toWireFilter } from "./filters.js";
import { PointsService, type QueryPointsResponse, type Point as WirePoint } from "./gen/vexfs/v1/points_pb.js";
import { List } from "./list.js";
import type { ListOptions, ReadOptions, WriteOptions } from "./options.js";
import { type PointInput, type PointInputs, pointMessages, toWirePoint, wirePoints } from "./points-stream.js";
import { type FileRef, toFileRef } from "./references.js";
import { requestIdOr } from "./request-id.js";
import { type Found, type HitsOptions, toFound, toHits } from "./search-answer.js";
import { Source, type Upload } from "./upload.js";
import { packVector, unpackVector, type VectorInput } from "./vectors.js";

/** A point as it is stored. */
export interface Point {
  /** The name of its file in the collection's directory. */
  readonly id: string;
  /** Id of its file. */
  readonly fileId: bigint;
  /** Its payload; empty if it has none. */
  readonly metadata: JsonObject;
  /** Its vectors by name, if they were asked for. */
  readonly vectors: Readonly<Record<string, Float32Array>>;
  /** Revision of the last change to its file. */
  readonly revision: bigint;
}

/** What was put. */
export interface UpsertResult extends Done {
  /** How many points were put. */
  readonly upserted: number;
}

/** Points that were read. */
export interface PointsResult extends Done {
  /** In the order of the request; an id that is not there is left out. */
  readonly points: readonly Point[];
}

/** What was deleted. */
export interface DeletePointsResult extends Done {
  /** How many points were there. */
  readonly deleted: number;
}

/** Options of reading points. */
export interface ReadPointsOptions extends ReadOptions {
  /** Answer the vectors too. */
  withVectors?: boolean | undefined;
}

/** Options of listing points. */
export interface ListPointsOptions extends ListOptions, ReadPointsOptions {}

/** An example of what is looked for, or of what is not: a vector, or a point's id; that point is left out of the answer. */
export type PointExample = VectorInput | string;

/** What points shall be near to: a vector, the vector of another point, which is itself left out of the answer, or examples. */
export type PointsQuery =
  | {
      /** This vector. */
      readonly vector: VectorInput;
    }
  | {
      /** The id of a point. */
      readonly pointId: string;
    }
  | {
      /** What points shall be like, 1 to 100 examples: their mean is compared, under cosine that of their directions. */
      readonly positive: readonly PointExample[];
      /** What points shall not be like, at most 100: twice the mean of `positive` less theirs is compared. */
      readonly negative?: readonly PointExample[] | undefined;
    };

/** What a query of points answers, and how it is found. */
export interface PointsQueryOptions {
  /** Which named vector to compare; the collection's first if not set. */
  vectorName?: string | undefined;
  /** Which points may be answered. */
  filter?: Filter | undefined;
  /** How many hits at most: 1 to 1,000; 10 if not set. */
  limit?: number | undefined;
  /** Compare with every vector that may be answered, so that none is missed, however long that takes. */
  exact?: boolean | undefined;
  /** Answer the vectors of the hits, too. */
  withVectors?: boolean | undefined;
  /** `nextPageToken` of an answer to the same question, to have the hits that follow; `limit` may be another. */
  pageToken?: string | undefined;
}

/** Options of a query. */
export interface QueryPointsOptions extends ReadPointsOptions, PointsQueryOptions {}

/** Options of going through all hits of a query. */
export interface QueryHitsOptions extends Omit<QueryPointsOptions, keyof HitsOptions>, HitsOptions {}

/** One query of a batch. */
export interface BatchedPointsQuery extends PointsQueryOptions {
  /** The collection's directory. */
  readonly collection: FileRef;
  /** What its points shall be near to. */
  readonly query: PointsQuery;
}

/** One point that is near. */
export interface PointHit {
  /** The point. */
  readonly point: Point;
  /** How near it is under the collection's metric; higher is nearer. */
  readonly score: number;
}

/** Points of collections, as `client.points`. Every method can throw {@link VexfsError}, with reason `COLLECTION_NOT_FOUND`. */
export class Points {
  readonly #caller: Caller;
  readonly #upload: Upload;

  /** @internal */
  constructor(caller: Caller, upload: Upload) {
    this.#caller = caller;
    this.#upload = upload;
  }

  /**
   * Makes points, or replaces those of the same id; at most 10,000, and 16 MiB in all. More than 250 are put in several transactions, in
   * order: a failure leaves those before it. `upserted` counts the points.
   *
   * Reasons: `INVALID_VECTOR`, `DIMENSION_MISMATCH`, `INVALID_METADATA`, `IS_A_DIRECTORY`, `NOT_A_REGULAR_FILE`.
   */
  async upsert(collection: FileRef, points: readonly PointInput[], options?: WriteOptions): Promise<UpsertResult> {
    const request = {
      collection: toFileRef(collection),
      points: points.map(toWirePoint),
      requestId: requestIdOr(options?.requestId),
    };
    const { revision, upserted } = await this.#caller.unary(PointsService.method.upsertPoints, request, options);
    return { revision, upserted: Number(upserted) };
  }

  /**
   * Makes points, or replaces those of the same id, as they come: any number of them. They are put in order, and the source
   * is asked for more when the server takes them, so memory stays small; a browser collects them first. A failure leaves
   * those before it, and `upserted` of the error's metadata says how many, at least, those are. All are durable in the end.
   *
   * The time-out is for the whole stream; the client's does not hold here. It is sent once, and not tried again; it is safe
   * to send all of it again. What the source throws ends the call, and is thrown. Reasons: those of `upsert`.
   */
  async upsertStream(collection: FileRef, points: PointInputs, options?: WriteOptions): Promise<UpsertResult> {
    const method = PointsService.method.upsertPointsStream;
    const requestId = requestIdOr(options?.requestId);
    const first = { collection: toFileRef(collection), requestId };
    const source = new Source(wirePoints(points));
    const call = this.#caller.begin(method, { ...options, timeout: options?.timeout ?? 0 }, requestId, false);
    try {
      const { revision, upserted } = await this.#upload(method, pointMessages(first, source), call);
      call.end();
      return { revision, upserted: Number(upserted) };
    } catch (thrown) {
      throw call.fail(source.failure === undefined ? call.attempts.toFailure(thrown).error : source.failure.thrown);
    }
  }

  /** Reads points by their ids, at most 10,000, in the order of the request; an id that is not there is left out. */
  async get(collection: FileRef, ids: readonly string[], options?: ReadPointsOptions): Promise<PointsResult> {
    const request = { collection: toFileRef(collection), ids: [...ids], ...reading(options) };
    const { revision, points } = await this.#caller.unary(PointsService.method.getPoints, request, options);
    return { revision, points: points.map(toPoint) };
  }

  /**
   * Deletes points by their ids, at most 10,000; an id that is not there is passed over. `deleted` counts those that
   * were there.
   */
  async delete(collection: FileRef, ids: readonly string[], options?: WriteOptions): Promise<DeletePointsResult> {
    const request = { collection: toFileRef(collection), ids: [...ids], requestId: requestIdOr(options?.requestId) };
    const { revision, deleted } = await this.#caller.unary(PointsService.method.deletePoints, request, options);
    return { revision, deleted: Number(deleted) };
  }

  /** Lists the points of a collection in byte order of their ids. */
  list(collection: FileRef, options?: ListPointsOptions): List<Point> {
    return new List(async (pageToken) => {
      const page = { pageSize: options?.pageSize ?? 0, pageToken };
      const request = { collection: toFileRef(collection), ...page, ...reading(options) };
      const response = await this.#caller.unary(PointsService.method.listPoints, request, options);
      const { revision, nextPageToken } = response;
      return { revision, items: response.points.map(toPoint), nextPageToken };
    }, options?.pageToken);
  }

  /**
   * Finds the points whose vectors are nearest, best first; equal scores by file id.
   *
   * Reasons: `POINT_NOT_FOUND`, `INVALID_VECTOR`, `DIMENSION_MISMATCH`, `INVALID_FILTER`, `VIEW_UNAVAILABLE`.
   */
  async query(collection: FileRef, query: PointsQuery, options?: QueryPointsOptions): Promise<Found<PointHit>> {
    const request = {
      ...toWireRequest({ collection, query, ...options }),
      minRevision: options?.minRevision ?? 0n,
    };
    return toFoundPoints(await this.#caller.unary(PointsService.method.queryPoints, request, options));
  }

  /**
   * Goes through all points that are near, nearest first, a page at a time.
   *
   * Reasons: those of `query`; `INVALID_ARGUMENT` behind the 10,000th hit.
   */
  queryHits(collection: FileRef, query: PointsQuery, options: QueryHitsOptions = {}): List<PointHit> {
    return toHits((page) => this.query(collection, query, { ...options, ...page }), options);
  }

  /**
   * Answers up to 100 queries, in their order and all of the same revision. Their limits may be 10,000 together, the answers
   * 3 MiB. If one query cannot be answered all fail, and the error names it, in its message and as `index` of its metadata.
   *
   * Reasons: those of `query`, `TOO_LARGE`.
   */
  async batchQuery(queries: readonly BatchedPointsQuery[], options?: ReadOptions): Promise<Found<PointHit>[]> {
    const request = { queries: queries.map(toWireRequest), minRevision: options?.minRevision ?? 0n };
    const response = await this.#caller.unary(PointsService.method.batchQueryPoints, request, options);
    return response.answers.map(toFoundPoints);
  }
}

function toWireRequest(asked: BatchedPointsQuery) {
  return {
    collection: toFileRef(asked.collection),
    query: toWireQuery(asked.query),
    vectorName: asked.vectorName ?? "",
    ...(asked.filter === undefined ? {} : { filter: toWireFilter(asked.filter) }),
    limit: asked.limit ?? 0,
    exact: asked.exact ?? false,
    withVectors: asked.withVectors ?? false,
    pageToken: asked.pageToken ?? "",
  };
}

function toFoundPoints(response: QueryPointsResponse): Found<PointHit> {
  return toFound(
    response,
    response.hits.map(({ point, score }) => ({ point: toPoint(point), score })),
  );
}

function reading(options: ReadPointsOptions | undefined) {
  return { withVectors: options?.withVectors ?? false, minRevision: options?.minRevision ?? 0n };
}

function toWireQuery(query: PointsQuery) {
  if ("vector" in query) {
    return { case: "vector", value: { values: packVector(query.vector) } } as const;
  }
  if ("pointId" in query) {
    return { case: "pointId", value: query.pointId } as const;
  }
  const { positive, negative = [] } = query;
  const value = { positive: positive.map(toWireExample), negative: negative.map(toWireExample) };
  return { case: "examples", value } as const;
}

function toWireExample(example: PointExample) {
  return typeof example === "string"
    ? { example: { case: "pointId", value: example } as const }
    : { example: { case: "vector", value: { values: packVector(example) } } as const };
}

function toPoint(point: WirePoint | undefined): Point {
  if (point === undefined) {
    throw missingFromAnswer("point");
  }
  const { id, fileId, metadata = {}, revision } = point;
  const vectors = Object.entries(point.vectors).map(([name, vector]) => [name, unpackVector(vector.values)]);
  return { id, fileId, metadata, vectors: Object.fromEntries(vectors), revision };
}
