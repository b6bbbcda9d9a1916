// From what the SDK gives back to the contract's messages as JSON.

/** Base64 of bytes. */
export const base64 = (data) => Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");

const pathBytesOf = ({ pathBytes }) => (pathBytes === undefined ? {} : { pathBytes: base64(pathBytes) });

function timestamp(nanoseconds) {
  const billion = 1_000_000_000n;
  const rest = ((nanoseconds % billion) + billion) % billion;
  const whole = new Date(Number((nanoseconds - rest) / 1_000_000n)).toISOString().slice(0, 19);
  return `${whole}.${rest.toString().padStart(9, "0")}Z`;
}

/** A File. */
export function file(info) {
  const { atime, mtime, ctime, btime, atimeNs, mtimeNs, ctimeNs, btimeNs, kind, pathBytes, ...same } = info;
  return {
    ...same,
    ...pathBytesOf(info),
    kind: kind === "unknown" ? 0 : `FILE_KIND_${kind.toUpperCase()}`,
    atime: timestamp(atimeNs),
    mtime: timestamp(mtimeNs),
    ctime: timestamp(ctimeNs),
    btime: timestamp(btimeNs),
  };
}

/** A response that holds a file. */
export const withFile = (result) => ({ ...result, file: file(result.file) });

/** A Collection. */
export function collection(value) {
  const { pathBytes, schema, ...same } = value;
  const vectors = schema.vectors.map(({ metric, storage, ...spec }) => ({
    ...spec,
    ...(metric === undefined ? {} : { metric: `METRIC_${metric.toUpperCase()}` }),
    ...(storage === undefined ? {} : { storage: `VECTOR_STORAGE_${storage.toUpperCase()}` }),
  }));
  return { ...same, ...pathBytesOf(value), schema: { ...schema, vectors } };
}

/** A Point. */
export function point({ vectors, ...same }) {
  const entries = Object.entries(vectors).map(([name, floats]) => [name, { values: packed(floats) }]);
  return { ...same, vectors: Object.fromEntries(entries) };
}

function packed(floats) {
  const view = new DataView(new ArrayBuffer(4 * floats.length));
  floats.forEach((value, at) => {
    view.setFloat32(4 * at, value, true);
  });
  return base64(new Uint8Array(view.buffer));
}

/** A hit of a search. */
export function searchHit({ file: info, matches, ...same }) {
  return { ...same, file: file(info), matches: matches.map(match) };
}

function match({ mode, ...same }) {
  return { ...same, mode: mode === "unknown" ? 0 : `SEARCH_MODE_${mode.toUpperCase()}` };
}

/** The position of a view. */
export function view({ state, ...same }) {
  return { ...same, state: state === "unknown" ? 0 : `VIEW_STATE_${state.toUpperCase()}` };
}
