// Filters as plain objects, and from there to the contract's tree.

import { fromJson, type MessageInitShape } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import type {
  AttributeConditionSchema,
  FilterSchema,
  MetadataConditionSchema,
  NumberRangeSchema,
} from "./gen/vexfs/v1/filter_pb.js";
import { type Time, toTimestamp } from "./times.js";

/** A value in metadata that can be compared. */
export type Scalar = string | number | boolean | null;

/** A range of numbers; a bound that is not set is open. */
export interface NumberRange {
  /** Greater than this. */
  gt?: number | undefined;
  /** Greater than this or equal to it. */
  gte?: number | undefined;
  /** Less than this. */
  lt?: number | undefined;
  /** Less than this or equal to it. */
  lte?: number | undefined;
}

/** A span of time; a bound that is not set is open. */
export interface TimeRange {
  /** At this time or later. */
  from?: Time | undefined;
  /** Before this time. */
  until?: Time | undefined;
}

/**
 * A test of one value in the metadata object. A file without that value fails every test but `exists: false`; an array
 * passes if one of its elements does.
 */
export type MetadataCondition = MetadataKey & MetadataTest;

/** Where a value stands in the metadata object. */
export interface MetadataKey {
  /** Keys joined by dots, such as `author.name`. */
  readonly key: string;
}

/** What a value in the metadata object must be. */
export type MetadataTest =
  | {
      /** Equal to this. */
      readonly equals: Scalar;
    }
  | {
      /** Equal to one of these. */
      readonly oneOf: readonly Scalar[];
    }
  | {
      /** A number in this range. */
      readonly range: NumberRange;
    }
  | {
      /** A string that starts so. */
      readonly prefix: string;
    }
  | {
      /** There (true) or not there (false). */
      readonly exists: boolean;
    };

/** A test of one attribute. */
export type AttributeCondition =
  | {
      /** The length of the content in bytes. */
      readonly sizeBytes: NumberRange;
    }
  | {
      /** The time of the last change of the content. */
      readonly mtime: TimeRange;
    }
  | {
      /** The time of creation. */
      readonly btime: TimeRange;
    }
  | {
      /** The file's name matches this shell pattern: `*`, `?` and `[…]`. */
      readonly name: string;
    }
  | {
      /** The owner's number. */
      readonly uid: number;
    }
  | {
      /** The group's number. */
      readonly gid: number;
    };

/**
 * Which files a search or a query may answer: a tree of conditions, at most 8 levels deep and 256 nodes in all.
 *
 * ```ts
 * { all: [{ metadata: { key: "year", range: { gte: 2020 } } }, { negated: { attribute: { name: "*.tmp" } } }] }
 * ```
 */
export type Filter =
  | {
      /** Every one of these holds. */
      readonly all: readonly Filter[];
    }
  | {
      /** At least one of these holds. */
      readonly any: readonly Filter[];
    }
  | {
      /** This one does not hold. */
      readonly negated: Filter;
    }
  | {
      /** A condition on the file's metadata. */
      readonly metadata: MetadataCondition;
    }
  | {
      /** A condition on the file's attributes. */
      readonly attribute: AttributeCondition;
    };

/** The contract's message for a filter. */
export function toWireFilter(filter: Filter): MessageInitShape<typeof FilterSchema> {
  if ("all" in filter) {
    return { node: { case: "all", value: { filters: filter.all.map(toWireFilter) } } };
  }
  if ("any" in filter) {
    return { node: { case: "any", value: { filters: filter.any.map(toWireFilter) } } };
  }
  if ("negated" in filter) {
    return { node: { case: "negated", value: toWireFilter(filter.negated) } };
  }
  if ("metadata" in filter) {
    return { node: { case: "metadata", value: metadataCondition(filter.metadata) } };
  }
  if ("attribute" in filter) {
    return { node: { case: "attribute", value: attributeCondition(filter.attribute) } };
  }
  return {};
}

function metadataCondition(condition: MetadataCondition): MessageInitShape<typeof MetadataConditionSchema> {
  const { key } = condition;
  if ("equals" in condition) {
    return { key, test: { case: "equals", value: toValue(condition.equals) } };
  }
  if ("oneOf" in condition) {
    return { key, test: { case: "oneOf", value: { values: condition.oneOf.map(toValue) } } };
  }
  if ("range" in condition) {
    return { key, test: { case: "range", value: toRange(condition.range) } };
  }
  if ("prefix" in condition) {
    return { key, test: { case: "prefix", value: condition.prefix } };
  }
  return "exists" in condition ? { key, test: { case: "exists", value: condition.exists } } : { key };
}

function attributeCondition(condition: AttributeCondition): MessageInitShape<typeof AttributeConditionSchema> {
  if ("sizeBytes" in condition) {
    return { test: { case: "sizeBytes", value: toRange(condition.sizeBytes) } };
  }
  if ("mtime" in condition) {
    return { test: { case: "mtime", value: toSpan(condition.mtime) } };
  }
  if ("btime" in condition) {
    return { test: { case: "btime", value: toSpan(condition.btime) } };
  }
  if ("name" in condition) {
    return { test: { case: "name", value: condition.name } };
  }
  if ("uid" in condition) {
    return { test: { case: "uid", value: condition.uid } };
  }
  return "gid" in condition ? { test: { case: "gid", value: condition.gid } } : {};
}

function toValue(scalar: Scalar) {
  return fromJson(ValueSchema, scalar);
}

function toSpan(span: TimeRange) {
  const [from, until] = [toTimestamp(span.from), toTimestamp(span.until)];
  return { ...(from === undefined ? {} : { from }), ...(until === undefined ? {} : { until }) };
}

function toRange(range: NumberRange): MessageInitShape<typeof NumberRangeSchema> {
  const { gt, gte, lt, lte } = range;
  return {
    ...(gt === undefined ? {} : { gt }),
    ...(gte === undefined ? {} : { gte }),
    ...(lt === undefined ? {} : { lt }),
    ...(lte === undefined ? {} : { lte }),
  };
}
