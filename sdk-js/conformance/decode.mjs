// From requests in JSON, with the contract's names, to the arguments that a user of the SDK would write.

import { Unsupported } from "./errors.mjs";

/** Bytes from base64. */
export const bytes = (text) => new Uint8Array(Buffer.from(text, "base64"));

/** A vector from base64. */
export function vector({ values = "" }) {
  const packed = bytes(values);
  if (packed.length % 4 !== 0) {
    throw new Unsupported("an array of 32-bit floats has no such length");
  }
  const view = new DataView(packed.buffer);
  return Float32Array.from({ length: packed.length / 4 }, (_, at) => view.getFloat32(4 * at, true));
}

/** How a user names a file. */
export function ref(file, field) {
  if (file === undefined) {
    throw new Unsupported(`the SDK's method takes ${field} always`);
  }
  const { path, id, path_bytes: pathBytes, follow } = file;
  const named = {
    ...(path === undefined ? {} : { path }),
    ...(id === undefined ? {} : { id: BigInt(id) }),
    ...(pathBytes === undefined ? {} : { pathBytes: bytes(pathBytes) }),
  };
  const names = Object.values(named);
  return follow === undefined && names.length === 1
    ? names[0]
    : { ...named, ...(follow === undefined ? {} : { follow }) };
}

/** A moment from RFC 3339, in nanoseconds. */
export function time(text) {
  const [, seconds, fraction = "", zone] = /^(.*?\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/i.exec(text);
  return BigInt(Date.parse(seconds + zone)) * 1_000_000n + BigInt(fraction.padEnd(9, "0").slice(0, 9));
}

/** A number of protojson. */
const number = (value) => Number(value);

const optionNames = {
  at_revision: ["atRevision", BigInt],
  min_revision: ["minRevision", BigInt],
  if_content_revision: ["ifContentRevision", BigInt],
  request_id: ["requestId", String],
  page_size: ["pageSize", number],
  page_token: ["pageToken", String],
  make_parents: ["makeParents", Boolean],
  no_replace: ["noReplace", Boolean],
  exchange: ["exchange", Boolean],
  recursive: ["recursive", Boolean],
  create_only: ["createOnly", Boolean],
  replace_only: ["replaceOnly", Boolean],
  with_vectors: ["withVectors", Boolean],
  vector_name: ["vectorName", String],
  exact: ["exact", Boolean],
  dense_weight: ["denseWeight", number],
  lexical_weight: ["lexicalWeight", number],
  limit: ["limit", number],
  mode: ["mode", number],
  offset: ["offset", number],
  length: ["length", number],
};

/** What points shall be near to. */
export function pointsQuery({ vector: near, point_id: pointId, examples }) {
  if (near !== undefined) {
    return { vector: vector(near) };
  }
  if (pointId !== undefined) {
    return { pointId };
  }
  if (examples === undefined) {
    throw new Unsupported("the SDK's method takes a vector, a point's id or examples always");
  }
  const { positive = [], negative } = examples;
  return { positive: positive.map(example), ...(negative === undefined ? {} : { negative: negative.map(example) }) };
}

/** What files shall answer. */
export function searchQuery({ text, vector: near, like }) {
  if (like !== undefined) {
    return { like: ref(like, "like") };
  }
  if (near === undefined && text === undefined) {
    throw new Unsupported("the SDK's method takes a text, a vector or a file always");
  }
  return near === undefined ? text : vector(near);
}

const example = ({ point_id: pointId, vector: near }) => (near === undefined ? pointId : vector(near));

/** The options of a call: those of the request's fields in `names` that are set. */
export function options(request, names) {
  const set = names.filter((name) => request[name] !== undefined);
  return Object.fromEntries(set.map((name) => [optionNames[name][0], optionNames[name][1](request[name])]));
}

/** What to change of a file. */
export function changes(request) {
  const { mode, uid, gid, atime, mtime, size_bytes: sizeBytes } = request;
  return {
    ...(mode === undefined ? {} : { mode: number(mode) }),
    ...(uid === undefined ? {} : { uid: number(uid) }),
    ...(gid === undefined ? {} : { gid: number(gid) }),
    ...(atime === undefined ? {} : { atime: time(atime) }),
    ...(mtime === undefined ? {} : { mtime: time(mtime) }),
    ...(sizeBytes === undefined ? {} : { sizeBytes: number(sizeBytes) }),
  };
}

/** The schema of a collection. */
export function schema({ vectors, embed_text: embedText }) {
  return {
    ...(vectors === undefined ? {} : { vectors: vectors.map(vectorSpec) }),
    ...(embedText === undefined ? {} : { embedText }),
  };
}

function vectorSpec({ name = "", dimension = 0, metric, storage }) {
  return {
    name,
    dimension: number(dimension),
    ...(metric === undefined ? {} : { metric: enumName(metric, "METRIC_") }),
    ...(storage === undefined ? {} : { storage: enumName(storage, "VECTOR_STORAGE_") }),
  };
}

/** A point to put. */
export function pointInput({ id = "", vectors, metadata, content }) {
  const entries = Object.entries(vectors ?? {}).map(([name, value]) => [name, vector(value)]);
  return {
    id,
    ...(vectors === undefined ? {} : { vectors: Object.fromEntries(entries) }),
    ...(metadata === undefined ? {} : { metadata }),
    ...(content === undefined ? {} : { content: bytes(content) }),
  };
}

/** A name of the SDK for a value of an enum. */
export function enumName(value, prefix) {
  if (typeof value !== "string" || !value.startsWith(prefix) || value === `${prefix}UNSPECIFIED`) {
    throw new Unsupported(`the SDK has no name for ${value}`);
  }
  return value.slice(prefix.length).toLowerCase();
}

/** A filter as users write it. */
export function filter(node) {
  if (node.all !== undefined) {
    return { all: (node.all.filters ?? []).map(filter) };
  }
  if (node.any !== undefined) {
    return { any: (node.any.filters ?? []).map(filter) };
  }
  if (node.negated !== undefined) {
    return { negated: filter(node.negated) };
  }
  if (node.metadata !== undefined) {
    const { key = "", one_of: oneOf, range: numbers, ...rest } = node.metadata;
    const list = oneOf === undefined ? {} : { oneOf: oneOf.values ?? [] };
    return { metadata: { key, ...rest, ...list, ...(numbers === undefined ? {} : { range: range(numbers) }) } };
  }
  return node.attribute === undefined ? {} : { attribute: attribute(node.attribute) };
}

function attribute({ size_bytes: sizeBytes, mtime, btime, ...rest }) {
  return {
    ...rest,
    ...(sizeBytes === undefined ? {} : { sizeBytes: range(sizeBytes) }),
    ...(mtime === undefined ? {} : { mtime: span(mtime) }),
    ...(btime === undefined ? {} : { btime: span(btime) }),
  };
}

const range = (bounds) => Object.fromEntries(Object.entries(bounds).map(([name, value]) => [name, number(value)]));
const span = (bounds) => Object.fromEntries(Object.entries(bounds).map(([name, value]) => [name, time(value)]));
