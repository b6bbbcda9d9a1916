// How a caller names a file.

import type { MessageInitShape } from "@bufbuild/protobuf";
import type { FileRefSchema } from "./gen/vexfs/v1/common_pb.js";

/**
 * Names one file of any kind:
 *
 * - a string: its absolute path, such as `/docs/a.md`
 * - a bigint: its id, which stays the same wherever the file moves
 * - a Uint8Array: its path where that is not UTF-8
 * - an object with one of `path`, `id`, `pathBytes`, and `follow` to go where a symbolic link leads
 *
 * A {@link FileInfo} is such an object, and names its file by the id.
 */
export type FileRef = string | bigint | Uint8Array | FileRefObject;

/** A file by name, with options. If several names are set, `id` wins over `pathBytes`, and that over `path`. */
export interface FileRefObject {
  /** An absolute path in UTF-8. */
  readonly path?: string | undefined;
  /** The file's id. */
  readonly id?: bigint | undefined;
  /** A path that is not UTF-8. */
  readonly pathBytes?: Uint8Array | undefined;
  /** If the path ends at a symbolic link: the file it leads to, instead of the link itself. */
  readonly follow?: boolean | undefined;
}

/** The contract's message for a file's name. */
export function toFileRef(ref: FileRef): MessageInitShape<typeof FileRefSchema> {
  if (typeof ref === "string") {
    return { name: { case: "path", value: ref } };
  }
  if (typeof ref === "bigint") {
    return { name: { case: "id", value: ref } };
  }
  if (ref instanceof Uint8Array) {
    return { name: { case: "pathBytes", value: ref } };
  }
  const follow = ref.follow ?? false;
  if (ref.id !== undefined) {
    return { name: { case: "id", value: ref.id }, follow };
  }
  if (ref.pathBytes !== undefined) {
    return { name: { case: "pathBytes", value: ref.pathBytes }, follow };
  }
  // A name that is missing altogether is for the server to refuse, as any other request that breaks the contract's rules.
  return ref.path === undefined ? { follow } : { name: { case: "path", value: ref.path }, follow };
}
