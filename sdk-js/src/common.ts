// What every entry point exports.

export type { JsonObject, JsonValue } from "@bufbuild/protobuf";
export { BaseClient } from "./client.js";
export {
  type Collection,
  type CollectionResult,
  type CollectionSchema,
  Collections,
  type Metric,
  type StoredSchema,
  type VectorSpec,
  type VectorStorage,
} from "./collections.js";
export type { Content } from "./content-source.js";
export { ContentStream, type OpenedContent, type ReadContentOptions } from "./content-stream.js";
export type { WriteContentOptions } from "./content-writer.js";
export {
  AlreadyExistsError,
  CancelledError,
  DataLossError,
  DeadlineExceededError,
  type ErrorCode,
  FailedPreconditionError,
  InternalError,
  InvalidArgumentError,
  NotFoundError,
  PermissionDeniedError,
  ResourceExhaustedError,
  SettingsError,
  UnauthenticatedError,
  UnavailableError,
  VexfsError,
  type VexfsErrorFields,
} from "./errors.js";
export {
  type AttributeChanges,
  type Done,
  FileAttributes,
  type FileMetadata,
  type FileResult,
  type SetXattrOptions,
  type XattrNames,
  type XattrValue,
} from "./file-attributes.js";
export type { FileInfo, FileKind } from "./file-info.js";
export {
  type CopyOptions,
  type CopyResult,
  Files,
  type ListFilesOptions,
  type MakeDirectoryOptions,
  type MoveOptions,
  type RemoveOptions,
  type RemoveResult,
  type SymlinkTarget,
} from "./files.js";
export type {
  AttributeCondition,
  Filter,
  MetadataCondition,
  MetadataKey,
  MetadataTest,
  NumberRange,
  Scalar,
  TimeRange,
} from "./filters.js";
export { List, type Page } from "./list.js";
export type { CallOptions, ListOptions, PastOptions, ReadOptions, WriteOptions } from "./options.js";
export {
  type BatchedPointsQuery,
  type DeletePointsResult,
  type ListPointsOptions,
  type Point,
  type PointExample,
  type PointHit,
  Points,
  type PointsQuery,
  type PointsQueryOptions,
  type PointsResult,
  type QueryHitsOptions,
  type QueryPointsOptions,
  type ReadPointsOptions,
  type UpsertResult,
} from "./points.js";
export type { PointInput, PointInputs } from "./points-stream.js";
export type { FileRef, FileRefObject } from "./references.js";
export type {
  BatchedSearch,
  ListSkippedFilesOptions,
  Match,
  Passage,
  SearchHit,
  SearchHitsOptions,
  SearchMode,
  SearchOptions,
  SearchQuery,
  SearchQueryOptions,
  SkippedFile,
  ViewsResult,
  WaitOptions,
} from "./search.js";
export type { Found, HitsOptions } from "./search-answer.js";
export type { EmbeddingModel, Limits, ServerInfo, StorePosition, TextCounts } from "./server-info.js";
export type { CommonSettings } from "./settings.js";
export type { Time } from "./times.js";
export type { VectorInput } from "./vectors.js";
export { version } from "./version.js";
export type { ViewPosition, ViewState } from "./views.js";
