// Reading content in pieces, going on where it broke off.

import type { Caller } from "./caller.js";
import { join } from "./content-source.js";
import { type FileInfo, toFileInfo } from "./file-info.js";
import { FilesService } from "./gen/vexfs/v1/files_pb.js";
import type { PastOptions } from "./options.js";
import { type FileRef, toFileRef } from "./references.js";

/** Options of reading content. */
export interface ReadContentOptions extends PastOptions {
  /** First byte to read; 0 if not set. */
  offset?: number | undefined;
  /** How many bytes at most; to the end if 0 or not set. */
  length?: number | undefined;
}

/** What the first piece of content tells. */
export interface OpenedContent {
  /** The revision that all pieces are of. */
  readonly revision: bigint;
  /** The file. */
  readonly file: FileInfo;
}

/**
 * Content that is read in pieces: `for await (const piece of content)`. It can be gone through once. Leaving the loop ends the
 * call on the server. A stream that breaks is opened again where it broke off, at the same revision.
 */
export class ContentStream implements AsyncIterable<Uint8Array> {
  readonly #pieces: AsyncGenerator<Uint8Array, void, undefined>;
  readonly #opening: AsyncGenerator<Uint8Array, void, undefined>;
  #opened: OpenedContent | undefined;
  #firstPiece: Promise<IteratorResult<Uint8Array, void>> | undefined;

  /** @internal */
  constructor(caller: Caller, ref: FileRef, options: ReadContentOptions | undefined) {
    this.#opening = piecesOf(caller, ref, options ?? {}, (opened) => {
      this.#opened = opened;
    });
    this.#pieces = this.#rest();
  }

  /** Waits for the first piece, and tells what is being read. Throws what the call throws. */
  async opened(): Promise<OpenedContent> {
    this.#firstPiece ??= this.#opening.next();
    await this.#firstPiece;
    if (this.#opened === undefined) {
      throw new TypeError("the content was left before it was opened");
    }
    return this.#opened;
  }

  /** Goes through the pieces. Throws what the call throws. */
  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    return this.#pieces;
  }

  /** All bytes at once. */
  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    const parts: Uint8Array[] = [];
    for await (const piece of this) {
      parts.push(piece);
    }
    return join(parts);
  }

  /** The same pieces as a web stream; cancelling it ends the call. */
  toReadableStream(): ReadableStream<Uint8Array> {
    const pieces = this.#pieces;
    return new ReadableStream<Uint8Array>({
      async pull(controller) {
        const { done, value } = await pieces.next();
        if (done === true) {
          controller.close();
        } else {
          controller.enqueue(value);
        }
      },
      async cancel() {
        await pieces.return();
      },
    });
  }

  async *#rest(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      this.#firstPiece ??= this.#opening.next();
      for (let piece = await this.#firstPiece; piece.done !== true; piece = await this.#opening.next()) {
        if (piece.value.byteLength > 0) {
          yield piece.value;
        }
      }
    } finally {
      await this.#opening.return();
    }
  }
}

async function* piecesOf(
  caller: Caller,
  ref: FileRef,
  options: ReadContentOptions,
  onOpened: (opened: OpenedContent) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  const method = FilesService.method.readFile;
  const call = caller.begin(method, options, "");
  const { minRevision = 0n } = options;
  const position = {
    offset: BigInt(options.offset ?? 0),
    length: BigInt(options.length ?? 0),
    atRevision: options.atRevision ?? 0n,
  };
  let opened = false;
  const limited = position.length > 0n;
  try {
    for (;;) {
      try {
        const request = { file: toFileRef(ref), ...position, minRevision };
        for await (const piece of caller.stream(method, one(request), call)) {
          if (!opened) {
            opened = true;
            position.atRevision = piece.revision;
            onOpened({ revision: piece.revision, file: toFileInfo(piece.file) });
          }
          position.offset += BigInt(piece.data.byteLength);
          position.length -= limited ? BigInt(piece.data.byteLength) : 0n;
          yield piece.data;
        }
        return;
      } catch (thrown) {
        if (limited && position.length === 0n) {
          return; // All that was asked for is here; only the end of the stream is not.
        }
        await call.attempts.next(thrown);
      }
    }
  } catch (error) {
    throw call.fail(error);
  } finally {
    call.end();
  }
}

async function* one<T>(value: T): AsyncGenerator<T, void, undefined> {
  yield value;
}
