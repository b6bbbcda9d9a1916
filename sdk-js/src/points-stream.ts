// Points of any number, as the messages of one stream.

import type { JsonObject, MessageInitShape } from "@bufbuild/protobuf";
import { iterable } from "./content-source.js";
import type { PointInputSchema, UpsertPointsStreamRequestSchema } from "./gen/vexfs/v1/points_pb.js";
import { packVector, type VectorInput } from "./vectors.js";

/** A point to put. */
export interface PointInput {
  /** The name of its file in the collection's directory. */
  readonly id: string;
  /** Its vectors by name. A name that is left out keeps no vector. */
  readonly vectors?: Readonly<Record<string, VectorInput>> | undefined;
  /** Its payload, at most 64 KiB as JSON. */
  readonly metadata?: JsonObject | undefined;
  /** Content of its file, a string as UTF-8; if not set, a new file is empty and an old one keeps what it has. */
  readonly content?: Uint8Array | string | undefined;
}

/** Points to put, in hand or as they come. */
export type PointInputs = Iterable<PointInput> | AsyncIterable<PointInput> | ReadableStream<PointInput>;

/** A message has so many points at most: the server puts so many in one transaction. */
const MESSAGE_POINTS = 250;
/** A message is not filled further than about this, in bytes; a larger point goes alone. */
const MESSAGE_BYTES = 1024 * 1024;

type WirePoint = ReturnType<typeof toWirePoint>;
type Message = MessageInitShape<typeof UpsertPointsStreamRequestSchema>;

/** The messages: the first as it is given, then those with points, each taken from the source when it is asked for. */
export async function* pointMessages(
  first: Message,
  points: AsyncIterable<WirePoint>,
): AsyncGenerator<Message, void, undefined> {
  yield first;
  let packed: WirePoint[] = [];
  let size = 0;
  for await (const point of points) {
    const more = sizeOf(point);
    if (packed.length === MESSAGE_POINTS || (packed.length > 0 && size + more > MESSAGE_BYTES)) {
      yield { points: packed };
      packed = [];
      size = 0;
    }
    packed.push(point);
    size += more;
  }
  if (packed.length > 0) {
    yield { points: packed };
  }
}

/** What a source of any kind gives, as the contract has it. Ends the caller's stream when it is left early. */
export async function* wirePoints(points: PointInputs): AsyncGenerator<WirePoint, void, undefined> {
  for await (const point of points instanceof ReadableStream ? iterable(points) : points) {
    yield toWirePoint(point);
  }
}

/** A point as the contract has it. */
export function toWirePoint(point: PointInput) {
  const { id, vectors = {}, metadata, content } = point;
  return {
    id,
    vectors: Object.fromEntries(
      Object.entries(vectors).map(([name, vector]) => [name, { values: packVector(vector) }]),
    ),
    ...(metadata === undefined ? {} : { metadata }),
    ...(content === undefined
      ? {}
      : { content: typeof content === "string" ? new TextEncoder().encode(content) : content }),
  } satisfies MessageInitShape<typeof PointInputSchema>;
}

/** About how many bytes of a message a point takes. */
function sizeOf(point: WirePoint): number {
  const vectors = Object.values(point.vectors).reduce((sum, vector) => sum + vector.values.byteLength, 0);
  const metadata = point.metadata === undefined ? 0 : JSON.stringify(point.metadata).length;
  return vectors + metadata + (point.content?.byteLength ?? 0);
}
