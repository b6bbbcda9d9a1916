/** The page: builds the list of methods and a form for each, sends requests, shows answers. Text only, never markup. */

import { curlOf, fieldsOf, requestOf, servicesOf } from "./description.js";

const SHOWN_CHARACTERS = 1_000_000;
const TOKEN_KEY = "vexfs-token";
const root = new URL(".", document.baseURI);
const byId = (id) => document.getElementById(id);

/** An element with properties and children; a string child is text. */
function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** Comment text: paragraphs, with what stands in backquotes as code. */
function prose(text, className) {
  const paragraphs = text.split(/\n\s*\n/).map((paragraph) => {
    const pieces = paragraph.split("`").map((piece, index) => (index % 2 ? make("code", {}, piece) : piece));
    return make("p", {}, ...pieces);
  });
  return make("div", { className }, ...paragraphs);
}

function fieldList(description, schema) {
  const list = make("ul", { className: "fields" });
  for (const field of fieldsOf(description, schema)) {
    const type = make("span", { className: "type" }, field.type);
    const head = make("span", { className: "field-head" }, make("code", {}, field.name), type);
    if (field.required) head.append(make("span", { className: "required" }, "required"));
    const item = make("li", {}, head, prose(field.about, "about"));
    if (field.values.length) item.append(make("p", { className: "values" }, field.values.join(" · ")));
    if (field.schema) item.append(nestedFields(description, field));
    list.append(item);
  }
  return list;
}

/** Fields inside a field, made when they are first looked at: a message may hold its own kind. */
function nestedFields(description, field) {
  const details = make("details", {}, make("summary", {}, `fields of ${field.name}`));
  details.addEventListener("toggle", () => details.append(fieldList(description, field.schema)), { once: true });
  return details;
}

function methodCard(description, method) {
  const badge = make("span", { className: `verb ${method.verb.toLowerCase()}` }, method.verb);
  const title = make("span", { className: "name" }, method.name);
  const path = make("code", { className: "path" }, method.path);
  const summary = make("summary", {}, badge, title, path, prose(method.about, "about"));
  const card = make("details", { className: "method", id: method.key }, summary);
  card.addEventListener("toggle", () => card.append(methodForm(description, method)), { once: true });
  return card;
}

function methodForm(description, method) {
  const editor = make("textarea", { value: method.example, spellcheck: false, rows: method.example.split("\n").length + 1 });
  editor.setAttribute("aria-label", `Request of ${method.name}`);
  const line = make("pre", { className: "line" });
  const send = make("button", { type: "submit" }, "Send");
  const copy = make("button", { type: "button", className: "quiet" }, "Copy as curl");
  const answer = make("div", { className: "answer" });
  const inAddress = method.inBody ? "" : ": becomes the query of the address";
  const label = `Request${method.streamsIn ? ": a JSON object a line" : inAddress}`;
  const form = make("form", {}, make("h4", {}, label), editor, line, make("div", { className: "buttons" }, send, copy), answer);

  const refresh = () => showLine(line, method, editor, [send, copy]);
  editor.addEventListener("input", refresh);
  editor.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  copy.hidden = !navigator.clipboard;
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(curlOf(root.origin, requestOf(method, editor.value)));
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy as curl"; }, 1200);
  });
  let running = null;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (running) return running.abort();
    running = new AbortController();
    send.textContent = "Cancel";
    await exchange(requestOf(method, editor.value), answer, running.signal);
    send.textContent = "Send";
    running = null;
  });
  refresh();
  const fields = make("section", {}, make("h4", {}, "Fields"), fieldList(description, method.schema));
  return make("div", { className: "try" }, form, fields);
}

function showLine(line, method, editor, buttons) {
  let text;
  let valid = true;
  try {
    const request = requestOf(method, editor.value);
    text = `${request.verb} ${decodeURIComponent(request.address)}`;
  } catch (error) {
    text = `This is no JSON: ${error.message}`;
    valid = false;
  }
  line.textContent = text;
  line.classList.toggle("fault", !valid);
  for (const button of buttons) button.disabled = !valid;
}

/** Send one request and show its answer as it arrives. */
async function exchange(request, answer, signal) {
  const headers = {};
  const token = byId("token").value.trim();
  if (token) headers.Authorization = `Bearer ${token}`;
  if (request.type) headers["Content-Type"] = request.type;
  const status = make("span", { className: "status" }, "…");
  const facts = make("span", { className: "facts" });
  const body = make("pre", { className: "body" });
  const list = make("pre", {});
  const more = make("details", {}, make("summary", {}, "Headers"), list);
  answer.replaceChildren(make("div", { className: "outcome" }, status, facts), more, body);
  const began = performance.now();
  const elapsed = () => `${(performance.now() - began).toFixed(1)} ms`;
  try {
    const options = { method: request.verb, headers, body: request.body ?? undefined, signal, cache: "no-store" };
    const response = await fetch(new URL(`.${request.address}`, root), options);
    status.textContent = `${response.status} ${response.statusText}`;
    status.classList.add(response.ok ? "good" : "bad");
    list.textContent = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    const bytes = await readBody(response, body);
    facts.textContent = `${elapsed()} · ${bytes.toLocaleString("en")} bytes`;
  } catch (error) {
    if (!status.classList.contains("good")) status.textContent = signal.aborted ? "Cancelled" : "No answer";
    status.classList.add("bad");
    facts.textContent = `${elapsed()} · ${signal.aborted ? "you cancelled it" : error.message}`;
  }
}

async function readBody(response, target) {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for (const reader = response.body.getReader(); ;) {
    const { value, done } = await reader.read();
    if (done) break;
    bytes += value.length;
    if (text.length < SHOWN_CHARACTERS) {
      text += decoder.decode(value, { stream: true });
      target.textContent = text;
    }
  }
  const isWhole = text.length < SHOWN_CHARACTERS;
  target.textContent = isWhole ? pretty(text, response) : `${text.slice(0, SHOWN_CHARACTERS)}\n… (more is not shown)`;
  return bytes;
}

function pretty(text, response) {
  if (!(response.headers.get("Content-Type") ?? "").startsWith("application/json")) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function showServices(description) {
  const services = servicesOf(description);
  const main = byId("main");
  main.replaceChildren(prose(description.info.description ?? "", "intro"));
  for (const service of services) {
    const cards = service.methods.map((method) => methodCard(description, method));
    const head = [make("h2", {}, service.name), prose(service.about, "about")];
    main.append(make("section", { className: "service", id: service.name }, ...head, ...cards));
    const whole = make("a", { className: "service-link", href: `#${service.name}` }, service.name);
    const links = service.methods.map((method) => make("a", { href: `#${method.key}` }, method.name));
    byId("index").append(make("div", { className: "group" }, whole, ...links));
  }
}

function filter(words) {
  const wanted = words.toLowerCase().trim();
  for (const card of document.querySelectorAll(".method")) {
    card.hidden = !`${card.id} ${card.querySelector("summary").textContent}`.toLowerCase().includes(wanted);
  }
  for (const link of document.querySelectorAll("#index a:not(.service-link)")) link.hidden = byId(link.hash.slice(1)).hidden;
  for (const part of document.querySelectorAll(".service, .group")) {
    part.hidden = ![...part.querySelectorAll(".method, a:not(.service-link)")].some((each) => !each.hidden);
  }
}

/** Open the method that the address names. */
function follow() {
  const card = byId(decodeURIComponent(location.hash.slice(1)));
  if (!card) return;
  if (card.classList.contains("method") && !card.open) {
    card.addEventListener("toggle", () => card.scrollIntoView(), { once: true }); // its form is there by then
    card.open = true;
  }
  card.scrollIntoView();
}

async function start() {
  const token = byId("token");
  token.value = sessionStorage.getItem(TOKEN_KEY) ?? "";
  token.addEventListener("input", () => sessionStorage.setItem(TOKEN_KEY, token.value));
  try {
    const response = await fetch(new URL("openapi.json", root));
    if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
    showServices(await response.json());
  } catch (error) {
    byId("state").textContent = `The description of the API could not be read: ${error.message}`;
    return;
  }
  byId("filter").addEventListener("input", (event) => filter(event.target.value));
  window.addEventListener("hashchange", follow);
  follow();
}

start();
