/**
 * From an OpenAPI description to what the page shows: services, methods, fields, example requests; and from an edited example
 * to an HTTP request. Pure functions, no document: usable outside of a browser.
 */

const VERBS = ["get", "post", "put", "patch", "delete"];
const STREAM = "application/x-ndjson";
const DEPTH_MAX = 6;

/** Fields an example has although a request may leave them out, because it says nothing without them. */
const TELLING = new Set([
  "text", "file", "directory", "collection", "path", "data", "header", "limit", "metadata", "vectors", "vector", "values",
  "target", "name", "value",
]);
/** Of two fields that exclude each other the example has the first. */
const INSTEAD = new Map([["vector", "text"]]);

/** Values by field name, where the type alone gives no good one. A name with its owner goes before the bare name. */
const VALUES = new Map(Object.entries({
  "directory.path": "/notes",
  "collection.path": "/notes",
  "destination.path": "/b.md",
  "link.path": "/link",
  path: "/a.md",
  text: "parse command line arguments",
  target: "/a.md",
  "vectors.name": "embedding",
  name: "user.note",
  limit: 3,
  metadata: { topic: "example" },
  dimension: 2,
  values: "AACAPwAAAAA=",
  ids: ["1"],
  id: "1",
}));
const BYTES = "SGVsbG8K";

/**
 * The services of `description`, in its order, each with its methods:
 * {name, about, methods: [{key, name, verb, path, about, schema, inBody, streamsIn, streamsOut, example}]}.
 */
export function servicesOf(description) {
  const empty = (tag) => ({ name: tag.name, about: tidy(tag.description), methods: [] });
  const services = new Map(description.tags.map((tag) => [tag.name, empty(tag)]));
  for (const [path, operations] of Object.entries(description.paths)) {
    for (const verb of VERBS.filter((each) => operations[each])) {
      const method = methodOf(description, path, verb, operations[verb]);
      services.get(operations[verb].tags[0]).methods.push(method);
    }
  }
  return [...services.values()].filter((service) => service.methods.length > 0);
}

function methodOf(description, path, verb, operation) {
  const [service, name] = operation.operationId.split("_");
  const body = operation.requestBody?.content;
  const kind = body && Object.keys(body)[0];
  const schema = body ? body[kind].schema : schemaOfParameters(operation.parameters ?? []);
  const method = {
    key: `${service}.${name}`,
    name,
    verb: verb.toUpperCase(),
    path,
    about: tidy(operation.description),
    schema,
    inBody: Boolean(body),
    streamsIn: kind === STREAM,
    streamsOut: STREAM in (operation.responses["200"]?.content ?? {}),
  };
  method.example = exampleOf(description, method);
  return method;
}

/** The parameters of an address (`file.path`) as the schema of the object they stand for. */
function schemaOfParameters(parameters) {
  const root = { type: "object", properties: {}, required: [] };
  for (const parameter of parameters) {
    const names = parameter.name.split(".");
    const last = names.pop();
    let holder = root;
    for (const name of names) {
      holder = holder.properties[name] ??= { type: "object", properties: {}, required: [] };
    }
    holder.properties[last] = { description: parameter.description, ...parameter.schema };
    if (parameter.required) holder.required.push(last);
  }
  return root;
}

/** A schema with its references followed, keeping the description that stands beside the reference. */
export function resolve(description, schema) {
  let found = schema;
  for (const part of schema.allOf ?? []) found = { ...resolve(description, part), ...without(found, "allOf") };
  if (schema.$ref) {
    const name = schema.$ref.split("/").pop();
    found = { name, ...resolve(description, description.components.schemas[name]) };
  }
  return found;
}

function without(object, key) {
  return Object.fromEntries(Object.entries(object).filter(([name]) => name !== key));
}

/** The fields of an object schema: [{name, type, about, required, schema}], where `schema` has fields of its own or is null. */
export function fieldsOf(description, schema) {
  const whole = resolve(description, schema);
  return Object.entries(whole.properties ?? {}).map(([name, each]) => {
    const field = resolve(description, each);
    const item = field.type === "array" ? resolve(description, field.items) : field;
    return {
      name,
      type: typeOf(field, item),
      about: tidy(field.description),
      required: (whole.required ?? []).includes(name),
      values: item.enum ?? [],
      schema: item.properties ? item : null,
    };
  });
}

function typeOf(field, item) {
  const single = item.name ?? (item.enum ? "enum" : item.format === "bytes" ? "base64" : item.type ?? "any");
  return field.type === "array" ? `${single}[]` : single;
}

/** The text of an example request: a JSON object, or one a line for a stream. */
function exampleOf(description, method) {
  const value = sample(description, resolve(description, method.schema), "", "", 0);
  if (!method.streamsIn) return JSON.stringify(value, null, 2);
  // The first message of a stream says what it is about, the ones after it carry the data.
  return Object.entries(value).map(([name, part]) => JSON.stringify({ [name]: part })).reverse()
    .sort((one, other) => Number(other.startsWith('{"header"')) - Number(one.startsWith('{"header"'))).join("\n");
}

function sample(description, schema, owner, name, depth) {
  const known = VALUES.get(`${owner}.${name}`) ?? VALUES.get(name);
  if (known !== undefined && (schema.type !== "object" || !schema.properties)) return known;
  if (schema.type === "array") return [sample(description, resolve(description, schema.items), owner, name, depth + 1)];
  if (schema.enum) return schema.enum[1] ?? schema.enum[0];
  if (schema.properties && depth < DEPTH_MAX) {
    const wanted = Object.entries(schema.properties).filter(([key]) => isInExample(schema, key));
    const part = (key, each) => sample(description, resolve(description, each), name, key, depth + 1);
    return Object.fromEntries(wanted.map(([key, each]) => [key, part(key, each)]));
  }
  if (schema.additionalProperties?.$ref) {
    const value = resolve(description, schema.additionalProperties);
    return { [VALUES.get(`${name}.name`)]: sample(description, value, name, "", depth + 1) };
  }
  if (schema.format === "bytes") return BYTES;
  return { string: "", integer: 1, number: 1, boolean: false }[schema.type] ?? {};
}

function isInExample(schema, key) {
  if ((schema.required ?? []).includes(key)) return true;
  return TELLING.has(key) && !(INSTEAD.get(key) in schema.properties);
}

/**
 * The HTTP request of a method for an edited example: {verb, address, body, type}. `address` is relative to the server's root,
 * `body` null when everything stands in the address. Throws SyntaxError when the text is no JSON.
 */
export function requestOf(method, text) {
  const lines = method.streamsIn ? text.split("\n").filter((line) => line.trim()) : [text.trim() || "{}"];
  const values = lines.map((line) => JSON.parse(line));
  if (method.inBody) {
    const body = method.streamsIn ? `${values.map((value) => JSON.stringify(value)).join("\n")}\n` : lines[0];
    return { verb: method.verb, address: method.path, body, type: method.streamsIn ? STREAM : "application/json" };
  }
  const query = new URLSearchParams(pairsOf(values[0], "")).toString();
  return { verb: method.verb, address: query ? `${method.path}?${query}` : method.path, body: null, type: null };
}

function pairsOf(value, name) {
  if (Array.isArray(value)) return value.flatMap((each) => pairsOf(each, name));
  if (value !== null && typeof value === "object") {
    return Object.entries(value).flatMap(([key, each]) => pairsOf(each, name ? `${name}.${key}` : key));
  }
  return value === null ? [] : [[name, String(value)]];
}

/** The request as a command line, with the token in $TOKEN. */
export function curlOf(origin, request) {
  const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const verb = request.body === null ? "GET" : "POST"; // what curl does by itself
  const words = ["curl -s", request.verb === verb ? "" : `-X ${request.verb}`, '-H "Authorization: Bearer $TOKEN"'];
  if (request.body !== null) words.push(`-H 'Content-Type: ${request.type}'`, `--data-binary ${quote(request.body)}`);
  return [...words, quote(origin + request.address)].filter(Boolean).join(" ");
}

function tidy(text) {
  return (text ?? "").replaceAll("\n ", "\n").trim();
}
