// Reads MessagePack, in which typed payloads and results are: for showing them only.
// Integers beyond 2^53 come as BigInt, bytes as Uint8Array, extensions as {extension, bytes}.
import { indented } from "./json_text.js";

const DEEPEST = 100;
const SHOWN = 64; // bytes of bytes
const TEXT = new TextDecoder();

export function decode(bytes) {
  const reader = { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), at: 0 };
  const value = read(reader, 0);
  if (reader.at !== bytes.length) throw new RangeError("something follows the value");
  return value;
}

function take(reader, size) {
  const part = reader.bytes.subarray(reader.at, reader.at + size);
  if (part.length < size) throw new RangeError("the value is not whole");
  reader.at += size;
  return part;
}

function number(reader, kind, size) {
  const { at } = reader;
  take(reader, size);
  return reader.view[`get${kind}`](at);
}

function large(value) {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

const LENGTHS = { 1: "Uint8", 2: "Uint16", 4: "Uint32" };
const length = (reader, size) => number(reader, LENGTHS[size], size);

function list(reader, size, depth) {
  const items = [];
  for (let at = 0; at < size; at += 1) items.push(read(reader, depth));
  return items;
}

function map(reader, size, depth) {
  const pairs = [];
  for (let at = 0; at < size; at += 1) pairs.push([read(reader, depth), read(reader, depth)]);
  return new Map(pairs);
}

function extension(reader, size) {
  const code = number(reader, "Int8", 1);
  return { extension: code, bytes: take(reader, size) };
}

const KINDS = {
  0xc0: () => null,
  0xc2: () => false,
  0xc3: () => true,
  0xca: (reader) => number(reader, "Float32", 4),
  0xcb: (reader) => number(reader, "Float64", 8),
  0xcc: (reader) => number(reader, "Uint8", 1),
  0xcd: (reader) => number(reader, "Uint16", 2),
  0xce: (reader) => number(reader, "Uint32", 4),
  0xcf: (reader) => large(number(reader, "BigUint64", 8)),
  0xd0: (reader) => number(reader, "Int8", 1),
  0xd1: (reader) => number(reader, "Int16", 2),
  0xd2: (reader) => number(reader, "Int32", 4),
  0xd3: (reader) => large(number(reader, "BigInt64", 8)),
};
for (const [at, size] of [1, 2, 4].entries()) {
  KINDS[0xc4 + at] = (reader) => take(reader, length(reader, size));
  KINDS[0xc7 + at] = (reader) => extension(reader, length(reader, size));
  KINDS[0xd9 + at] = (reader) => TEXT.decode(take(reader, length(reader, size)));
}
for (const [at, size] of [2, 4].entries()) {
  KINDS[0xdc + at] = (reader, depth) => list(reader, length(reader, size), depth);
  KINDS[0xde + at] = (reader, depth) => map(reader, length(reader, size), depth);
}
for (let at = 0; at < 5; at += 1) KINDS[0xd4 + at] = (reader) => extension(reader, 2 ** at);

function read(reader, above) {
  const depth = above + 1;
  if (depth > DEEPEST) throw new RangeError("the value is nested too deeply");
  const kind = number(reader, "Uint8", 1);
  if (kind < 0x80) return kind;
  if (kind >= 0xe0) return kind - 0x100;
  if (kind < 0x90) return map(reader, kind & 0x0f, depth);
  if (kind < 0xa0) return list(reader, kind & 0x0f, depth);
  if (kind < 0xc0) return TEXT.decode(take(reader, kind & 0x1f));
  const known = KINDS[kind];
  if (!known) throw new RangeError("no MessagePack");
  return known(reader, depth);
}

// The value as JSON, indented, with what JSON has no words for said in words.
export function pretty(value) {
  return indented(json(value));
}

function json(value) {
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number" && !Number.isFinite(value)) return JSON.stringify(String(value));
  if (value instanceof Uint8Array) return JSON.stringify(`(${value.length} bytes) ${hex(value.subarray(0, SHOWN))}`);
  if (Array.isArray(value)) return `[${value.map(json).join(",")}]`;
  if (value instanceof Map) return `{${[...value].map(([name, one]) => `${nameOf(name)}:${json(one)}`).join(",")}}`;
  if (value && typeof value === "object") return `{"extension":${value.extension},"bytes":${JSON.stringify(hex(value.bytes.subarray(0, SHOWN)))}}`;
  return JSON.stringify(value);
}

function nameOf(name) {
  return JSON.stringify(typeof name === "string" ? name : json(name));
}

export function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}
