// `client.files`: looking, listing, reading, writing, moving, links.

import type { DescMessage, DescMethodUnary, MessageInitShape } from "@bufbuild/protobuf";
import type { Caller } from "./caller.js";
import { readAll } from "./content-reader.js";
import type { Content } from "./content-source.js";
import { ContentStream, type ReadContentOptions } from "./content-stream.js";
import type { ContentWriter, WriteContentOptions } from "./content-writer.js";
import { type Done, FileAttributes, type FileResult, past } from "./file-attributes.js";
import { type FileInfo, toFileInfo } from "./file-info.js";
import type { File } from "./gen/vexfs/v1/common_pb.js";
import { FilesService } from "./gen/vexfs/v1/files_pb.js";
import { List } from "./list.js";
import type { ListOptions, PastOptions, WriteOptions } from "./options.js";
import { type FileRef, toFileRef } from "./references.js";
import { requestIdOr } from "./request-id.js";

/** Options of listing a directory. */
export interface ListFilesOptions extends ListOptions, PastOptions {}

/** Options of making a directory. */
export interface MakeDirectoryOptions extends WriteOptions {
  /** Make the directories above it that are missing; if the directory itself is there already, that is no error. */
  makeParents?: boolean | undefined;
  /** Permission bits; 0o755 if not set. */
  mode?: number | undefined;
}

/** Options of moving. */
export interface MoveOptions extends WriteOptions {
  /** Fail with reason `FILE_EXISTS` if something has the new name. */
  noReplace?: boolean | undefined;
  /** Exchange the two files; both must be there. */
  exchange?: boolean | undefined;
}

/** Options of copying. */
export interface CopyOptions extends WriteOptions {
  /** Copy a directory with everything below it. */
  recursive?: boolean | undefined;
  /** Fail with reason `FILE_EXISTS` if something has the new name, instead of replacing a file. */
  noReplace?: boolean | undefined;
}

/** Options of removing. */
export interface RemoveOptions extends WriteOptions {
  /** Remove a directory with everything below it. */
  recursive?: boolean | undefined;
}

/** A copy. */
export interface CopyResult extends FileResult {
  /** How many files of any kind were made. */
  readonly copied: number;
}

/** What was removed. */
export interface RemoveResult extends Done {
  /** How many names of files and directories were removed. */
  readonly removed: number;
}

/** Where a symbolic link leads. */
export interface SymlinkTarget extends Done {
  /** The target; empty if it is not UTF-8. */
  readonly target: string;
  /** The target as bytes; set only if it is not UTF-8. */
  readonly targetBytes?: Uint8Array;
}

/**
 * The tree of files, as `client.files`. Every method can throw {@link VexfsError}; the reasons that are special to a
 * method stand there, and all that name a file can end with `FILE_NOT_FOUND`, `NOT_A_DIRECTORY`, `INVALID_PATH` and
 * `INVALID_NAME`.
 */
export class Files extends FileAttributes {
  readonly #writer: ContentWriter;

  /** @internal */
  constructor(caller: Caller, writer: ContentWriter) {
    super(caller);
    this.#writer = writer;
  }

  /**
   * Tells what a file is: kind, size, times, owner.
   *
   * Reasons: `REVISION_NOT_AVAILABLE`.
   */
  async stat(file: FileRef, options?: PastOptions): Promise<FileResult> {
    return this.#file(FilesService.method.statFile, { file: toFileRef(file), ...past(options) }, options);
  }

  /**
   * Lists the entries of a directory in byte order of their names.
   *
   * Reasons: `NOT_A_DIRECTORY`, `REVISION_NOT_AVAILABLE`.
   */
  list(directory: FileRef, options?: ListFilesOptions): List<FileInfo> {
    return new List(async (pageToken) => {
      const request = {
        directory: toFileRef(directory),
        pageSize: options?.pageSize ?? 0,
        pageToken,
        ...past(options),
      };
      const response = await this.caller.unary(FilesService.method.listFiles, request, options);
      const { revision, nextPageToken } = response;
      return { revision, items: response.files.map(toFileInfo), nextPageToken };
    }, options?.pageToken);
  }

  /**
   * Reads content of any size into memory. `offset` and `length` choose a part, in bytes.
   *
   * Reasons: `IS_A_DIRECTORY`, `NOT_A_REGULAR_FILE`, `REVISION_NOT_AVAILABLE`, `CORRUPT_CONTENT`.
   */
  async read(file: FileRef, options?: ReadContentOptions): Promise<Uint8Array> {
    return readAll(this.caller, file, options ?? {});
  }

  /**
   * Reads content of any size as text. Bytes that are not UTF-8 become U+FFFD.
   *
   * Reasons: as {@link Files.read}.
   */
  async readText(file: FileRef, options?: ReadContentOptions): Promise<string> {
    return new TextDecoder().decode(await this.read(file, options));
  }

  /**
   * Reads content of any size in pieces: `for await (const piece of client.files.readStream("/a"))`.
   *
   * Reasons: as {@link Files.read}.
   */
  readStream(file: FileRef, options?: ReadContentOptions): ContentStream {
    return new ContentStream(this.caller, file, options);
  }

  /**
   * Writes content of any size, and makes the file if there is none at this path. The file changes as a whole at the end of the
   * content, and not at all if that breaks. Content in hand is sent again after a passing failure; a stream is not,
   * once more of it was taken than one message holds. A stream is cancelled or returned when the call fails.
   *
   * Reasons: `IS_A_DIRECTORY`, `NOT_A_REGULAR_FILE`, `FILE_EXISTS`, `CONTENT_CHANGED`, `VOLUME_FULL`,
   * `QUOTA_EXCEEDED`.
   */
  async write(file: FileRef, content: Content, options?: WriteContentOptions): Promise<FileResult> {
    return this.#writer.write(file, content, options ?? {});
  }

  /**
   * Makes a directory.
   *
   * Reasons: `FILE_EXISTS`.
   */
  async makeDirectory(directory: FileRef, options?: MakeDirectoryOptions): Promise<FileResult> {
    const request = {
      directory: toFileRef(directory),
      makeParents: options?.makeParents ?? false,
      ...(options?.mode === undefined ? {} : { mode: options.mode }),
      requestId: requestIdOr(options?.requestId),
    };
    return this.#file(FilesService.method.makeDirectory, request, options);
  }

  /**
   * Gives a file another name or another place. What has the new name already is replaced, as rename(2) does.
   *
   * Reasons: `FILE_EXISTS`, `IS_A_DIRECTORY`, `DIRECTORY_NOT_EMPTY`, `MOVE_INTO_ITSELF`, `VECTORS_DO_NOT_FIT`,
   * `ROOT_IMMUTABLE`.
   */
  async move(source: FileRef, destination: FileRef, options?: MoveOptions): Promise<FileResult> {
    const request = {
      source: toFileRef(source),
      destination: toFileRef(destination),
      noReplace: options?.noReplace ?? false,
      exchange: options?.exchange ?? false,
      requestId: requestIdOr(options?.requestId),
    };
    return this.#file(FilesService.method.moveFile, request, options);
  }

  /**
   * Copies a file, or a tree, with content, attributes, metadata and vectors. `copied` counts the files of any kind
   * that were made. A tree is copied in steps: a failure leaves the part that was done.
   *
   * Reasons: `FILE_EXISTS`, `IS_A_DIRECTORY`, `MOVE_INTO_ITSELF`, `VECTORS_DO_NOT_FIT`, `ROOT_IMMUTABLE`, `CORRUPT_CONTENT`.
   */
  async copy(source: FileRef, destination: FileRef, options?: CopyOptions): Promise<CopyResult> {
    const request = {
      source: toFileRef(source),
      destination: toFileRef(destination),
      recursive: options?.recursive ?? false,
      noReplace: options?.noReplace ?? false,
      requestId: requestIdOr(options?.requestId),
    };
    const { revision, file, copied } = await this.caller.unary(FilesService.method.copyFile, request, options);
    return { revision, file: toFileInfo(file), copied: Number(copied) };
  }

  /**
   * Removes a file, an empty directory or, if asked, a whole tree. `removed` counts the names that are gone. A tree is
   * removed in steps, from its leaves up: a failure leaves what was not yet removed.
   *
   * Reasons: `DIRECTORY_NOT_EMPTY`, `ROOT_IMMUTABLE`.
   */
  async remove(file: FileRef, options?: RemoveOptions): Promise<RemoveResult> {
    const recursive = options?.recursive ?? false;
    const request = { file: toFileRef(file), recursive, requestId: requestIdOr(options?.requestId) };
    const { revision, removed } = await this.caller.unary(FilesService.method.removeFile, request, options);
    return { revision, removed: Number(removed) };
  }

  /**
   * Makes a symbolic link that leads to `target`: a path, absolute or relative to the link's directory, which need not
   * exist; bytes if it is not UTF-8.
   *
   * Reasons: `FILE_EXISTS`.
   */
  async symlink(target: string | Uint8Array, link: FileRef, options?: WriteOptions): Promise<FileResult> {
    const request = {
      link: toFileRef(link),
      destination:
        typeof target === "string"
          ? { case: "target" as const, value: target }
          : { case: "targetBytes" as const, value: target },
      requestId: requestIdOr(options?.requestId),
    };
    return this.#file(FilesService.method.createSymlink, request, options);
  }

  /**
   * Tells where a symbolic link leads.
   *
   * Reasons: `NOT_A_SYMLINK`, `REVISION_NOT_AVAILABLE`.
   */
  async readSymlink(file: FileRef, options?: PastOptions): Promise<SymlinkTarget> {
    const request = { file: toFileRef(file), ...past(options) };
    const { revision, target, targetBytes } = await this.caller.unary(
      FilesService.method.readSymlink,
      request,
      options,
    );
    return { revision, target, ...(targetBytes.length > 0 ? { targetBytes } : {}) };
  }

  /**
   * Gives a file, which is no directory, a second name.
   *
   * Reasons: `FILE_EXISTS`, `TOO_MANY_LINKS`, `LINK_NOT_PERMITTED`, `VECTORS_DO_NOT_FIT`.
   */
  async link(file: FileRef, link: FileRef, options?: WriteOptions): Promise<FileResult> {
    const request = { file: toFileRef(file), link: toFileRef(link), requestId: requestIdOr(options?.requestId) };
    return this.#file(FilesService.method.createLink, request, options);
  }

  async #file<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options: WriteOptions | undefined,
  ): Promise<FileResult> {
    const { revision, file } = (await this.caller.unary(method, request, options)) as unknown as {
      revision: bigint;
      file?: File;
    };
    return { revision, file: toFileInfo(file) };
  }
}
