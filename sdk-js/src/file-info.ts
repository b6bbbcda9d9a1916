// What a caller learns about a file.

import { missingFromAnswer } from "./errors.js";
import { type File as WireFile, FileKind as WireKind } from "./gen/vexfs/v1/common_pb.js";
import { toDate, toNanoseconds } from "./times.js";

/** What a file is; `unknown` for a kind that this release does not know. */
export type FileKind =
  | "regular"
  | "directory"
  | "symlink"
  | "fifo"
  | "socket"
  | "character_device"
  | "block_device"
  | "unknown";

/** A file as stat(2) shows it. */
export interface FileInfo {
  /** Id within the volume; never used again for another file. The root is 1. */
  readonly id: bigint;
  /** The path by which the request reached the file, or one of its paths. Empty if it is not UTF-8. */
  readonly path: string;
  /** The same path as bytes; set only if it is not UTF-8. */
  readonly pathBytes?: Uint8Array;
  /** What the file is. */
  readonly kind: FileKind;
  /** Permission bits, including set-user-id, set-group-id and sticky: 0 to 0o7777. */
  readonly mode: number;
  /** How many names lead to it. */
  readonly nlink: number;
  /** Owner. */
  readonly uid: number;
  /** Owning group. */
  readonly gid: number;
  /** Device number of a character or block device. */
  readonly rdev: bigint;
  /** Length of the content in bytes (of a symbolic link, of its target); exact below 2^53. */
  readonly sizeBytes: number;
  /** Last access as far as it is kept. */
  readonly atime: Date;
  /** The same in nanoseconds since 1970. */
  readonly atimeNs: bigint;
  /** Last change of the content. */
  readonly mtime: Date;
  /** The same in nanoseconds since 1970. */
  readonly mtimeNs: bigint;
  /** Last change of the file or its attributes. */
  readonly ctime: Date;
  /** The same in nanoseconds since 1970. */
  readonly ctimeNs: bigint;
  /** Creation. */
  readonly btime: Date;
  /** The same in nanoseconds since 1970. */
  readonly btimeNs: bigint;
  /** Revision of the last change to the file: attributes, content, metadata, extended attributes or vectors. */
  readonly revision: bigint;
  /** Revision of the last change to the content. */
  readonly contentRevision: bigint;
}

const kinds: Partial<Record<WireKind, FileKind>> = {
  [WireKind.REGULAR]: "regular",
  [WireKind.DIRECTORY]: "directory",
  [WireKind.SYMLINK]: "symlink",
  [WireKind.FIFO]: "fifo",
  [WireKind.SOCKET]: "socket",
  [WireKind.CHARACTER_DEVICE]: "character_device",
  [WireKind.BLOCK_DEVICE]: "block_device",
};

/** The file that the contract's message describes. */
export function toFileInfo(file: WireFile | undefined): FileInfo {
  if (file === undefined) {
    throw missingFromAnswer("file");
  }
  const [atimeNs, mtimeNs] = [toNanoseconds(file.atime), toNanoseconds(file.mtime)];
  const [ctimeNs, btimeNs] = [toNanoseconds(file.ctime), toNanoseconds(file.btime)];
  return {
    id: file.id,
    path: file.path,
    ...(file.pathBytes.length > 0 ? { pathBytes: file.pathBytes } : {}),
    kind: kinds[file.kind] ?? "unknown",
    mode: file.mode,
    nlink: file.nlink,
    uid: file.uid,
    gid: file.gid,
    rdev: file.rdev,
    sizeBytes: Number(file.sizeBytes),
    atime: toDate(atimeNs),
    atimeNs,
    mtime: toDate(mtimeNs),
    mtimeNs,
    ctime: toDate(ctimeNs),
    ctimeNs,
    btime: toDate(btimeNs),
    btimeNs,
    revision: file.revision,
    contentRevision: file.contentRevision,
  };
}
