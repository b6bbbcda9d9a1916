// `client.collections`: directories whose files carry vectors of a declared form.

import type { Caller } from "./caller.js";
import { missingFromAnswer } from "./errors.js";
import type { Done } from "./file-attributes.js";
import {
  CollectionsService,
  type Collection as WireCollection,
  Metric as WireMetric,
  VectorStorage as WireStorage,
} from "./gen/vexfs/v1/collections_pb.js";
import { List } from "./list.js";
import type { ListOptions, ReadOptions, WriteOptions } from "./options.js";
import { type FileRef, toFileRef } from "./references.js";
import { requestIdOr } from "./request-id.js";

/**
 * How near two vectors are to each other: the cosine of their angle, their inner product, or the negated Euclidean
 * distance. Higher is nearer with all of them.
 */
export type Metric = "cosine" | "dot" | "euclidean";

/**
 * How a search index keeps vectors in memory: 4, 2 or 1 byte a component. What was put is kept, and scores are exact,
 * whatever it is.
 */
export type VectorStorage = "float32" | "bfloat16" | "int8";

/** One named vector that each point may carry. */
export interface VectorSpec {
  /** Its name within the collection: lower-case letters, digits, `_` and `-`, at most 64. */
  readonly name: string;
  /** How many components it has: 1 to 4,096. */
  readonly dimension: number;
  /** How nearness is measured; cosine if not set. */
  readonly metric?: Metric | undefined;
  /** How a search index keeps it in memory; float32 if not set. */
  readonly storage?: VectorStorage | undefined;
}

/** What vectors the files of a collection carry. */
export interface CollectionSchema {
  /** The vectors clients put, at most 16; the first is the one meant when a request names none. */
  readonly vectors?: readonly VectorSpec[] | undefined;
  /** Extract, split and embed the content of the files, as everywhere else. */
  readonly embedText?: boolean | undefined;
}

/** The schema of a collection that is there. */
export interface StoredSchema {
  /** The vectors clients put, each with its metric and storage. */
  readonly vectors: readonly VectorSpec[];
  /** The content of the files is extracted, split and embedded. */
  readonly embedText: boolean;
}

/** A collection. */
export interface Collection {
  /** Id of the directory. */
  readonly id: bigint;
  /** Path of the directory; empty if it is not UTF-8. */
  readonly path: string;
  /** The same path as bytes; set only if it is not UTF-8. */
  readonly pathBytes?: Uint8Array;
  /** Its schema. */
  readonly schema: StoredSchema;
  /** Revision of the last change of the schema. */
  readonly revision: bigint;
  /** How many points it has. */
  readonly pointCount: number;
}

/** A collection, and the revision that the answer reflects. */
export interface CollectionResult extends Done {
  /** The collection. */
  readonly collection: Collection;
}

const toWireMetric: Record<Metric, WireMetric> = {
  cosine: WireMetric.COSINE,
  dot: WireMetric.DOT,
  euclidean: WireMetric.EUCLIDEAN,
};

const toWireStorage: Record<VectorStorage, WireStorage> = {
  float32: WireStorage.FLOAT32,
  bfloat16: WireStorage.BFLOAT16,
  int8: WireStorage.INT8,
};

/** Directories with a vector schema, as `client.collections`. Every method can throw {@link VexfsError}. */
export class Collections {
  readonly #caller: Caller;

  /** @internal */
  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /**
   * Gives a directory a vector schema: named vectors, or embedded text, or both. If the directory is named by a path
   * and is not there, it is made; the one above it must be there.
   *
   * Reasons: `COLLECTION_EXISTS`, `INVALID_SCHEMA`, `VECTORS_DO_NOT_FIT`.
   */
  async create(collection: FileRef, schema: CollectionSchema, options?: WriteOptions): Promise<CollectionResult> {
    const vectors = (schema.vectors ?? []).map(({ name, dimension, metric, storage }) => ({
      name,
      dimension,
      metric: metric === undefined ? WireMetric.UNSPECIFIED : toWireMetric[metric],
      storage: storage === undefined ? WireStorage.UNSPECIFIED : toWireStorage[storage],
    }));
    const request = {
      collection: toFileRef(collection),
      schema: { vectors, embedText: schema.embedText ?? false },
      requestId: requestIdOr(options?.requestId),
    };
    return toResult(await this.#caller.unary(CollectionsService.method.createCollection, request, options));
  }

  /**
   * Reads one collection.
   *
   * Reasons: `COLLECTION_NOT_FOUND`.
   */
  async get(collection: FileRef, options?: ReadOptions): Promise<CollectionResult> {
    const request = { collection: toFileRef(collection), minRevision: options?.minRevision ?? 0n };
    return toResult(await this.#caller.unary(CollectionsService.method.getCollection, request, options));
  }

  /** Lists all collections, the root's first. */
  list(options?: ListOptions): List<Collection> {
    return new List(async (pageToken) => {
      const request = { pageSize: options?.pageSize ?? 0, pageToken, minRevision: options?.minRevision ?? 0n };
      const response = await this.#caller.unary(CollectionsService.method.listCollections, request, options);
      const { revision, nextPageToken } = response;
      return { revision, items: response.collections.map(toCollection), nextPageToken };
    }, options?.pageToken);
  }

  /**
   * Takes the schema away from a directory, and with it the vectors of its points; the files stay.
   *
   * Reasons: `COLLECTION_NOT_FOUND`, `ROOT_IMMUTABLE`.
   */
  async delete(collection: FileRef, options?: WriteOptions): Promise<Done> {
    const request = { collection: toFileRef(collection), requestId: requestIdOr(options?.requestId) };
    const { revision } = await this.#caller.unary(CollectionsService.method.deleteCollection, request, options);
    return { revision };
  }
}

function toResult(response: { revision: bigint; collection?: WireCollection | undefined }): CollectionResult {
  if (response.collection === undefined) {
    throw missingFromAnswer("collection");
  }
  return { revision: response.revision, collection: toCollection(response.collection) };
}

function toCollection(collection: WireCollection): Collection {
  const { id, path, pathBytes, schema, revision, pointCount } = collection;
  return {
    id,
    path,
    ...(pathBytes.length > 0 ? { pathBytes } : {}),
    schema: {
      vectors: (schema?.vectors ?? []).map(({ name, dimension, metric, storage }) => {
        return { name, dimension, ...toMetric(metric), ...toStorage(storage) };
      }),
      embedText: schema?.embedText ?? false,
    },
    revision,
    pointCount: Number(pointCount),
  };
}

function toMetric(wire: WireMetric): { metric?: Metric } {
  const found = (Object.keys(toWireMetric) as Metric[]).find((metric) => toWireMetric[metric] === wire);
  return found === undefined ? {} : { metric: found };
}

function toStorage(wire: WireStorage): { storage?: VectorStorage } {
  const found = (Object.keys(toWireStorage) as VectorStorage[]).find((storage) => toWireStorage[storage] === wire);
  return found === undefined ? {} : { storage: found };
}
