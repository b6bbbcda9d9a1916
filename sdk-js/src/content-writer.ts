// Writing content: in one request when it is small, in a stream when it is large or its size is not known.

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Caller } from "./caller.js";
import { asArray, type Bytes, type Content, inHand, join, pieces, sizeOf } from "./content-source.js";
import type { FileResult } from "./file-attributes.js";
import { toFileInfo } from "./file-info.js";
import { type WriteFileRequestSchema, WriteOptionsSchema } from "./gen/vexfs/v1/content_pb.js";
import { FilesService } from "./gen/vexfs/v1/files_pb.js";
import type { WriteOptions } from "./options.js";
import { type FileRef, toFileRef } from "./references.js";
import { requestIdOr } from "./request-id.js";
import { Source, type Upload } from "./upload.js";

/** Content up to this size goes in one request, in bytes. */
export const UNARY_BYTES = 1024 * 1024;

/** Options of writing content. */
export interface WriteContentOptions extends WriteOptions {
  /** Write over what is there from this byte on, and leave the rest. If not set: the content becomes the whole content. */
  offset?: number | undefined;
  /**
   * Write only if the content still is of this revision ({@link FileInfo.contentRevision}), else fail with
   * `CONTENT_CHANGED`; 0: only if there is no such file yet, else fail with `FILE_EXISTS`.
   */
  ifContentRevision?: bigint | undefined;
  /** Make the directories above the file that are missing. */
  makeParents?: boolean | undefined;
  /** Permission bits of a file that is made; 0o644 if not set. Those of a file that is there stay. */
  mode?: number | undefined;
}

/** One large write. */
interface LargeWrite {
  file: FileRef;
  options: WriteContentOptions;
  requestId: string;
  /** The content: in hand, or what must be taken from the caller's stream. */
  content: Bytes | AsyncIterable<Uint8Array>;
}

/** Writes content for one client. */
export class ContentWriter {
  readonly #caller: Caller;
  readonly #upload: Upload;

  constructor(caller: Caller, upload: Upload) {
    this.#caller = caller;
    this.#upload = upload;
  }

  /** Writes it all; see `client.files.write`. */
  async write(file: FileRef, content: Content, options: WriteContentOptions): Promise<FileResult> {
    const requestId = requestIdOr(options.requestId);
    const bytes = inHand(content);
    if (bytes !== undefined) {
      return sizeOf(bytes) <= UNARY_BYTES
        ? this.#put(file, await asArray(bytes), options, requestId)
        : this.#large({ file, options, requestId, content: bytes });
    }
    const { start, rest } = await firstPart(pieces(content));
    return rest === undefined
      ? this.#put(file, start, options, requestId)
      : this.#large({ file, options, requestId, content: rest });
  }

  async #put(file: FileRef, data: Uint8Array, options: WriteContentOptions, requestId: string): Promise<FileResult> {
    const request = { file: toFileRef(file), data, options: toWireOptions(options), requestId };
    const response = await this.#caller.unary(FilesService.method.putContent, request, options);
    return { revision: response.revision, file: toFileInfo(response.file) };
  }

  async #large(write: LargeWrite): Promise<FileResult> {
    // What was taken from a caller's stream is gone: without a request id, a call is not sent again.
    const source =
      write.content instanceof Uint8Array || write.content instanceof Blob ? undefined : new Source(write.content);
    const call = this.#caller.begin(
      FilesService.method.writeFile,
      write.options,
      write.requestId,
      source === undefined,
    );
    try {
      for (;;) {
        try {
          const sent = messages({ ...write, content: source ?? write.content });
          const response = await this.#upload(FilesService.method.writeFile, sent, call);
          call.end();
          return { revision: response.revision, file: toFileInfo(response.file) };
        } catch (thrown) {
          await call.attempts.next(thrown);
        }
      }
    } catch (error) {
      throw call.fail(source?.failure === undefined ? error : source.failure.thrown);
    }
  }
}

async function* messages(
  write: LargeWrite,
): AsyncGenerator<MessageInitShape<typeof WriteFileRequestSchema>, void, undefined> {
  const header = { file: toFileRef(write.file), options: toWireOptions(write.options) };
  yield { part: { case: "header", value: header }, requestId: write.requestId };
  const { content } = write;
  for await (const data of content instanceof Uint8Array || content instanceof Blob ? pieces(content) : content) {
    yield { part: { case: "data", value: data } };
  }
}

function toWireOptions(options: WriteContentOptions) {
  const { offset, ifContentRevision, makeParents = false, mode } = options;
  return create(WriteOptionsSchema, {
    makeParents,
    ...(offset === undefined ? {} : { offset: BigInt(offset) }),
    ...(ifContentRevision === undefined ? {} : { ifContentRevision }),
    ...(mode === undefined ? {} : { mode }),
  });
}

/** The whole content if it fits into one request; else what was taken so far and what is to come, as one stream. */
async function firstPart(source: AsyncGenerator<Uint8Array, void, undefined>): Promise<{
  start: Uint8Array;
  rest: AsyncIterable<Uint8Array> | undefined;
}> {
  const taken: Uint8Array[] = [];
  let size = 0;
  while (size <= UNARY_BYTES) {
    const next = await source.next();
    if (next.done === true) {
      return { start: join(taken), rest: undefined };
    }
    taken.push(next.value);
    size += next.value.byteLength;
  }
  return { start: new Uint8Array(), rest: followedBy(taken, source) };
}

async function* followedBy(
  taken: readonly Uint8Array[],
  source: AsyncGenerator<Uint8Array, void, undefined>,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* taken;
    yield* source;
  } finally {
    await source.return();
  }
}
