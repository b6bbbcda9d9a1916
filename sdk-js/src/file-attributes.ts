// The part of `client.files` about attributes, extended attributes and metadata.

import type { JsonObject } from "@bufbuild/protobuf";
import type { Caller } from "./caller.js";
import { type FileInfo, toFileInfo } from "./file-info.js";
import { FilesService } from "./gen/vexfs/v1/files_pb.js";
import type { PastOptions, WriteOptions } from "./options.js";
import { type FileRef, toFileRef } from "./references.js";
import { requestIdOr } from "./request-id.js";
import { type Time, toTimestamp } from "./times.js";

/** A file, and the revision that the answer reflects. */
export interface FileResult {
  /** The revision that this answer reflects. */
  readonly revision: bigint;
  /** The file. */
  readonly file: FileInfo;
}

/** What was done needs no more words than its revision. */
export interface Done {
  /** The revision that this answer reflects. */
  readonly revision: bigint;
}

/** An extended attribute. */
export interface XattrValue extends Done {
  /** Its value. */
  readonly value: Uint8Array;
}

/** The extended attributes of a file. */
export interface XattrNames extends Done {
  /** Their names, in byte order. */
  readonly names: readonly string[];
}

/** The metadata of a file. */
export interface FileMetadata extends Done {
  /** The object; empty if none was ever set. */
  readonly metadata: JsonObject;
}

/** What to change of a file; what is not set stays. */
export interface AttributeChanges {
  /** Permission bits, 0 to 0o7777. */
  mode?: number | undefined;
  /** Owner. */
  uid?: number | undefined;
  /** Owning group. */
  gid?: number | undefined;
  /** Last access. */
  atime?: Time | undefined;
  /** Last change of the content. */
  mtime?: Time | undefined;
  /** Length of the content in bytes: cut off there, or filled with zeros up to there. */
  sizeBytes?: number | undefined;
}

/** Options of setting an extended attribute. */
export interface SetXattrOptions extends WriteOptions {
  /** Fail with reason `ATTRIBUTE_EXISTS` if it is set already. */
  createOnly?: boolean | undefined;
  /** Fail with reason `ATTRIBUTE_NOT_FOUND` if it is not set yet. */
  replaceOnly?: boolean | undefined;
}

/** Attributes, extended attributes and metadata of files; see {@link Files}. */
export abstract class FileAttributes {
  /** @internal */
  protected readonly caller: Caller;

  /** @internal */
  constructor(caller: Caller) {
    this.caller = caller;
  }

  /**
   * Changes permission bits, owner, times or size.
   *
   * Reasons: `FILE_NOT_FOUND`, `IS_A_DIRECTORY` and `NOT_A_REGULAR_FILE` (for `sizeBytes`).
   */
  async setAttributes(file: FileRef, changes: AttributeChanges, options?: WriteOptions): Promise<FileResult> {
    const { mode, uid, gid, sizeBytes } = changes;
    const response = await this.caller.unary(
      FilesService.method.setAttributes,
      {
        file: toFileRef(file),
        ...(mode === undefined ? {} : { mode }),
        ...(uid === undefined ? {} : { uid }),
        ...(gid === undefined ? {} : { gid }),
        ...(changes.atime === undefined ? {} : { atime: toTimestamp(changes.atime) }),
        ...(changes.mtime === undefined ? {} : { mtime: toTimestamp(changes.mtime) }),
        ...(sizeBytes === undefined ? {} : { sizeBytes: BigInt(sizeBytes) }),
        requestId: requestIdOr(options?.requestId),
      },
      options,
    );
    return { revision: response.revision, file: toFileInfo(response.file) };
  }

  /**
   * Reads one extended attribute, such as `user.colour`.
   *
   * Reasons: `FILE_NOT_FOUND`, `ATTRIBUTE_NOT_FOUND`, `REVISION_NOT_AVAILABLE`.
   */
  async getXattr(file: FileRef, name: string, options?: PastOptions): Promise<XattrValue> {
    const request = { file: toFileRef(file), name, ...past(options) };
    const { revision, value } = await this.caller.unary(FilesService.method.getXattr, request, options);
    return { revision, value };
  }

  /**
   * Sets one extended attribute. Its name has at most 255 bytes, its value at most 65,536; a string is written as UTF-8.
   *
   * Reasons: `FILE_NOT_FOUND`, `ATTRIBUTE_EXISTS`, `ATTRIBUTE_NOT_FOUND`.
   */
  async setXattr(file: FileRef, name: string, value: Uint8Array | string, options?: SetXattrOptions): Promise<Done> {
    const request = {
      file: toFileRef(file),
      name,
      value: typeof value === "string" ? new TextEncoder().encode(value) : value,
      createOnly: options?.createOnly ?? false,
      replaceOnly: options?.replaceOnly ?? false,
      requestId: requestIdOr(options?.requestId),
    };
    const { revision } = await this.caller.unary(FilesService.method.setXattr, request, options);
    return { revision };
  }

  /**
   * Lists the names of a file's extended attributes, in byte order.
   *
   * Reasons: `FILE_NOT_FOUND`, `REVISION_NOT_AVAILABLE`.
   */
  async listXattrs(file: FileRef, options?: PastOptions): Promise<XattrNames> {
    const request = { file: toFileRef(file), ...past(options) };
    const { revision, names } = await this.caller.unary(FilesService.method.listXattrs, request, options);
    return { revision, names };
  }

  /**
   * Removes one extended attribute.
   *
   * Reasons: `FILE_NOT_FOUND`, `ATTRIBUTE_NOT_FOUND`.
   */
  async removeXattr(file: FileRef, name: string, options?: WriteOptions): Promise<Done> {
    const request = { file: toFileRef(file), name, requestId: requestIdOr(options?.requestId) };
    const { revision } = await this.caller.unary(FilesService.method.removeXattr, request, options);
    return { revision };
  }

  /**
   * Reads a file's metadata: an object, empty if none was ever set.
   *
   * Reasons: `FILE_NOT_FOUND`, `REVISION_NOT_AVAILABLE`.
   */
  async getMetadata(file: FileRef, options?: PastOptions): Promise<FileMetadata> {
    const request = { file: toFileRef(file), ...past(options) };
    const { revision, metadata = {} } = await this.caller.unary(FilesService.method.getMetadata, request, options);
    return { revision, metadata };
  }

  /**
   * Replaces a file's metadata: an object of at most 64 KiB as JSON; an empty one clears it.
   *
   * Reasons: `FILE_NOT_FOUND`, `INVALID_METADATA`.
   */
  async setMetadata(file: FileRef, metadata: JsonObject, options?: WriteOptions): Promise<FileResult> {
    const request = { file: toFileRef(file), metadata, requestId: requestIdOr(options?.requestId) };
    const response = await this.caller.unary(FilesService.method.setMetadata, request, options);
    return { revision: response.revision, file: toFileInfo(response.file) };
  }
}

/** The revisions that a reading request names. */
export function past(options: PastOptions | undefined): { atRevision: bigint; minRevision: bigint } {
  return { atRevision: options?.atRevision ?? 0n, minRevision: options?.minRevision ?? 0n };
}
