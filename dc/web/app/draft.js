// What someone is filling in: drafts of values, and the values that they make.
//
// A draft has the form of its schema, but its leaves are what was typed, so that half a number is
// not lost. By kind of shape: object `{name: draft}` (a field that is left out is absent), map
// `[{key, of}]`, list and tuple `[draft]`, maybe `null` or `{of}`, union `{choice, of}`, choice the
// place in its values, flag a boolean; the others are text.

import { Raw, oneLine } from "./json_text.js";
import { MEASURES } from "./measures.js";
import { shapeOf } from "./schema.js";

const DEEPEST = 12; // objects within objects that are filled in ahead

// Return a draft of a value; without one of the schema's default, or else an empty one.
export function draftOf(schema, root, value, deep = DEEPEST) {
  const shape = shapeOf(schema, root);
  const given = value === undefined ? shape.fallback : value;
  return DRAFTS[shape.kind](shape, root, given, deep);
}

const asText = (_shape, _root, value) => (value === undefined || value === null ? "" : String(value));
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

const DRAFTS = {
  text: asText,
  measure: asText,
  bytes: asText,
  number: asText,
  file: () => "",
  flag: (_shape, _root, value) => value === true,
  json: (_shape, _root, value) => (value === undefined ? "" : JSON.stringify(value)),
  choice(shape, _root, value) {
    const same = (one) => JSON.stringify(one) === JSON.stringify(value);
    return Math.max(0, shape.values.findIndex(same));
  },
  object(shape, root, value, deep) {
    const draft = {};
    for (const { name, schema, required } of shape.fields) {
      const given = isObject(value) ? value[name] : undefined;
      const wanted = deep > 0 && (required || shapeOf(schema, root).fallback !== undefined);
      if (given !== undefined || wanted) draft[name] = draftOf(schema, root, given, deep - 1);
    }
    return draft;
  },
  map(shape, root, value, deep) {
    const entries = Object.entries(isObject(value) ? value : {});
    return entries.map(([key, one]) => ({ key, of: draftOf(shape.values, root, one, deep) }));
  },
  list(shape, root, value, deep) {
    const given = Array.isArray(value) ? value : Array(deep > 0 ? shape.least : 0).fill(undefined);
    return given.map((one) => draftOf(shape.items, root, one, deep - 1));
  },
  tuple(shape, root, value, deep) {
    return shape.parts.map((part, at) => draftOf(part, root, Array.isArray(value) ? value[at] : undefined, deep));
  },
  maybe(shape, root, value, deep) {
    return value === undefined || value === null ? null : { of: draftOf(shape.of, root, value, deep) };
  },
  union(shape, root, value, deep) {
    const choice = Math.max(0, shape.choices.findIndex((one) => fits(one, root, value)));
    return { choice, of: draftOf(shape.choices[choice], root, value, deep) };
  },
};

// Whether a value is of the kind that a schema asks for, as far as it is seen from outside.
function fits(schema, root, value) {
  const shape = shapeOf(schema, root);
  switch (shape.kind) {
    case "object":
      return isObject(value) && shape.fields.every((field) => !field.required || fits(field.schema, root, value[field.name]));
    case "number":
      return typeof value === "number" && (!shape.whole || Number.isInteger(value));
    case "choice":
      return shape.values.includes(value);
    default:
      return SEEN[shape.kind]?.(value) ?? true;
  }
}

const SEEN = {
  map: isObject,
  list: Array.isArray,
  tuple: Array.isArray,
  text: (value) => typeof value === "string",
  bytes: (value) => typeof value === "string",
  flag: (value) => typeof value === "boolean",
};

// --- values -----------------------------------------------------------------------------------

// Return `{value, errors}` of a draft; each error is `{path, text}`, with the path of its field.
//
// The value may hold `Raw` parts: it is for `encode`.
export function valueOf(schema, root, draft) {
  const errors = [];
  const value = read(schema, root, draft, [], (path, text) => errors.push({ path, text }));
  return { value, errors };
}

function read(schema, root, draft, path, wrong) {
  const shape = shapeOf(schema, root);
  return VALUES[shape.kind](shape, draft, path, wrong, (part, of, step) => read(part, root, of, [...path, step], wrong), root);
}

const VALUES = {
  flag: (_shape, draft) => draft === true,
  choice: (shape, draft) => shape.values[draft] ?? null,
  file: () => null,
  text(shape, draft, path, wrong) {
    const length = [...draft].length;
    if (length < shape.least) wrong(path, shape.least === 1 ? "is needed" : `has at least ${shape.least} characters`);
    if (length > shape.most) wrong(path, `has at most ${shape.most} characters, not ${length}`);
    if (length >= shape.least && shape.pattern && !matches(shape.pattern, draft)) {
      wrong(path, `does not match ${shape.pattern}`);
    }
    return draft;
  },
  bytes(_shape, draft, path, wrong) {
    const text = draft.replace(/\s/g, "");
    if (text.length % 4 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) wrong(path, "is not base64: choose a file instead");
    return text;
  },
  measure(shape, draft, path, wrong) {
    const { read: reads, doc } = MEASURES[shape.measure];
    const value = reads(draft);
    if (!Number.isFinite(value)) wrong(path, draft.trim() ? `is not ${doc}` : "is needed");
    return value;
  },
  number: readNumber,
  json: readJson,
  object(shape, draft, _path, _wrong, part) {
    const value = {};
    for (const { name, schema } of shape.fields) {
      if (draft?.[name] !== undefined) value[name] = part(schema, draft[name], name);
    }
    return value;
  },
  map(shape, draft, path, wrong, part) {
    const value = {};
    draft.forEach(({ key, of }, at) => {
      if (Object.hasOwn(value, key)) wrong([...path, at], `the name ${JSON.stringify(key)} is there twice`);
      Object.defineProperty(value, key, { value: part(shape.values, of, at), enumerable: true, configurable: true });
    });
    return value;
  },
  list(shape, draft, path, wrong, part) {
    if (draft.length < shape.least) wrong(path, `has at least ${shape.least} entries`);
    if (draft.length > shape.most) wrong(path, `has at most ${shape.most} entries`);
    return draft.map((one, at) => part(shape.items, one, at));
  },
  tuple: (shape, draft, _path, _wrong, part) => shape.parts.map((one, at) => part(one, draft[at], at)),
  maybe(shape, draft, path, wrong, _part, root) {
    return draft === null ? null : read(shape.of, root, draft.of, path, wrong);
  },
  union(shape, draft, path, wrong, _part, root) {
    return read(shape.choices[draft.choice], root, draft.of, path, wrong);
  },
};

function readNumber(shape, draft, path, wrong) {
  const text = draft.trim();
  if (!text) wrong(path, "is needed");
  else if (shape.whole && !/^-?\d+$/.test(text)) wrong(path, "is not a whole number");
  else if (!Number.isFinite(Number(text))) wrong(path, "is not a number");
  else bounds(shape, Number(text), (said) => wrong(path, said));
  const number = Number(text);
  return shape.whole && !Number.isSafeInteger(number) ? new Raw(text) : number;
}

function bounds({ min, max, above, below, step }, number, wrong) {
  if (number < min) wrong(`is at least ${min}`);
  if (number > max) wrong(`is at most ${max}`);
  if (number <= above) wrong(`is more than ${above}`);
  if (number >= below) wrong(`is less than ${below}`);
  if (step && Math.abs(number / step - Math.round(number / step)) > 1e-9) wrong(`is a multiple of ${step}`);
}

function readJson(shape, draft, path, wrong) {
  if (!draft.trim()) {
    wrong(path, "is needed, as JSON");
    return null;
  }
  try {
    const value = JSON.parse(draft);
    if (shape.type === "object" && !isObject(value)) wrong(path, "is a JSON object: {…}");
  } catch (error) {
    wrong(path, `is not JSON: ${error.message}`);
  }
  return new Raw(oneLine(draft));
}

function matches(pattern, text) {
  try {
    return new RegExp(pattern, "u").test(text);
  } catch {
    return true; // Python's patterns can have what these cannot: the server looks at it
  }
}

// --- changes ----------------------------------------------------------------------------------

// Return a draft in which what is at a path of keys is another; `undefined` takes a key out.
export function changed(draft, keys, value) {
  if (!keys.length) return value;
  const [key, ...rest] = keys;
  const copy = Array.isArray(draft) ? [...draft] : { ...draft };
  const part = changed(copy[key], rest, value);
  if (part !== undefined) copy[key] = part;
  else if (Array.isArray(copy)) copy.splice(key, 1);
  else delete copy[key];
  return copy;
}
