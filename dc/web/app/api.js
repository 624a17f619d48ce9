// Asks the server: JSON in, JSON out, and what is wrong as a Problem.
import { cell } from "./cell.js";
import { clock } from "./clock.js";

// How often the server said that one has to sign in first.
export const refused = cell(0);

export class Problem extends Error {
  // status 0: the server did not answer.
  constructor(status, code, title, detail) {
    super(detail || title);
    Object.assign(this, { status, code, title, detail });
  }

  get lost() { return this.status === 0; }
}

export async function get(path, signal) {
  return ask("GET", path, undefined, {}, signal);
}

// Changes something; `key` makes it safe to ask again (see idempotencyKey).
export async function send(method, path, body, key) {
  return ask(method, path, body, key ? { "Idempotency-Key": key } : {});
}

export function idempotencyKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// A path with the parameters that say something.
export function withQuery(path, parameters) {
  const said = Object.entries(parameters).filter(([, value]) => value !== "" && value != null);
  const query = new URLSearchParams(said).toString();
  return query ? `${path}?${query}` : path;
}

async function ask(method, path, body, headers, signal) {
  const json = body === undefined ? {} : { "Content-Type": "application/json" };
  let answer;
  try {
    answer = await fetch(path, {
      method, signal,
      headers: { Accept: "application/json", ...json, ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    clock.heard(answer.headers.get("Date"));
    return await read(answer);
  } catch (error) {
    if (error instanceof Problem || error.name === "AbortError") throw error;
    throw new Problem(0, "unreachable", "The server does not answer", "");
  }
}

async function read(answer) {
  const text = await answer.text();
  let value = null;
  try {
    value = text ? JSON.parse(text) : null;
  } catch {
    if (answer.ok) throw new Problem(answer.status, "answer", "The server's answer is no JSON", "");
  }
  if (answer.ok) return value;
  const said = value && typeof value === "object" ? value : {};
  if (answer.status === 401 && said.code === "not_signed_in") refused.set(refused.value + 1);
  const title = said.title || answer.statusText || `Status ${answer.status}`;
  throw new Problem(answer.status, said.code || said.error || "", title, said.detail || said.text || text);
}
