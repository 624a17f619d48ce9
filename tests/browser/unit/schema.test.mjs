// Forms from schemas: what is asked for, what is filled in ahead, which values come out.

import assert from "node:assert/strict";
import { test } from "node:test";

import { changed, draftOf, valueOf } from "../../../dc/web/app/draft.js";
import { Raw, encode, placeOf, readLines } from "../../../dc/web/app/json_text.js";
import { shapeOf, wordsOf } from "../../../dc/web/app/schema.js";

const SIZE = {
  title: "Size",
  type: "object",
  properties: {
    width: { type: "integer", minimum: 1, maximum: 10 },
    height: { type: "integer", default: 3 },
  },
  required: ["width"],
};
const ROOT = {
  $ref: "#/$defs/Picture",
  $defs: {
    Size: SIZE,
    Picture: {
      title: "Picture",
      description: "A picture.",
      type: "object",
      properties: {
        size: { $ref: "#/$defs/Size" },
        name: { type: "string", minLength: 1, pattern: "^a" },
        colour: { enum: ["red", "blue"], default: "blue" },
        part: { anyOf: [{ $ref: "#/$defs/Picture" }, { type: "null" }], default: null },
        extra: { type: "array", items: { type: "integer" } },
        any: { default: null },
      },
      required: ["size", "name"],
    },
  },
};

const kinds = (schema) => shapeOf(schema, ROOT).kind;
const made = (schema, draft) => valueOf(schema, ROOT, draft);
const texts = ({ errors }) => errors.map((error) => `${error.path.join(".")} ${error.text}`);

test("each JSON type has its shape", () => {
  assert.equal(kinds(ROOT), "object");
  assert.equal(kinds({ type: "object", additionalProperties: { type: "integer" } }), "map");
  assert.equal(kinds({ type: "object" }), "json");
  assert.equal(kinds({ type: "array" }), "list");
  assert.equal(kinds({ type: "array", prefixItems: [{}], items: false }), "tuple");
  assert.equal(kinds({ type: "string" }), "text");
  assert.equal(kinds({ type: "string", contentEncoding: "base64" }), "bytes");
  assert.equal(kinds({ type: "string", contentMediaType: "application/octet-stream" }), "file");
  assert.equal(kinds({ type: "number" }), "number");
  assert.equal(kinds({ type: "boolean" }), "flag");
  assert.equal(kinds({ const: 3 }), "choice");
  assert.equal(kinds({ anyOf: [{ type: "integer" }, { type: "null" }] }), "maybe");
  assert.equal(kinds({ type: ["integer", "null"] }), "maybe");
  assert.equal(kinds({ anyOf: [{ type: "integer" }, { type: "string" }] }), "union");
  assert.equal(kinds({ anyOf: [{ type: "null" }] }), "choice");
  assert.equal(kinds({}), "json");
});

test("choices within choices are one row of choices", () => {
  const inner = { anyOf: [{ $ref: "#/$defs/Size" }, { type: "integer" }], discriminator: {} };
  const shape = shapeOf({ anyOf: [inner, { type: "null" }] }, ROOT);
  assert.equal(shape.kind, "maybe");
  assert.equal(shapeOf(shape.of, ROOT).choices.length, 2);
});

test("what goes in a circle or names nothing is typed as JSON", () => {
  const root = { $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/a" } } };
  assert.equal(shapeOf({ $ref: "#/$defs/a" }, root).kind, "json");
  assert.equal(shapeOf({ $ref: "#/$defs/none" }, root).kind, "json");
  assert.equal(shapeOf(null, root).kind, "json");
  assert.equal(shapeOf({ type: "nonsense" }, root).kind, "json");
});

test("defaults are filled in, what need not be said is left out", () => {
  const draft = draftOf(ROOT, ROOT);
  assert.deepEqual(draft, {
    size: { width: "", height: "3" }, name: "", colour: 1, part: null, any: "null",
  });
});

test("a draft of a value makes that value again", () => {
  const value = {
    size: { width: 2, height: 4 }, name: "ab", colour: "red", extra: [1, 2], any: { x: [1] },
    part: { size: { width: 1, height: 3 }, name: "a", colour: "blue", part: null, any: null },
  };
  const { value: again, errors } = made(ROOT, draftOf(ROOT, ROOT, value));
  assert.deepEqual(errors, []);
  assert.deepEqual(JSON.parse(encode(again)), value);
});

test("a type that only contains itself ends", () => {
  const root = { type: "object", properties: { next: { $ref: "#" } }, required: ["next"] };
  assert.ok(JSON.stringify(draftOf(root, root)).length < 300);
});

test("mistakes are told where they are", () => {
  const draft = draftOf(ROOT, ROOT);
  assert.deepEqual(texts(made(ROOT, draft)), ["size.width is needed", "name is needed"]);
  draft.size.width = "11";
  draft.name = "b";
  assert.deepEqual(texts(made(ROOT, draft)), ["size.width is at most 10", "name does not match ^a"]);
  draft.size.width = "1.5";
  draft.extra = ["x"];
  draft.name = "a";
  draft.any = "{";
  const [width, extra, any] = texts(made(ROOT, draft));
  assert.equal(width, "size.width is not a whole number");
  assert.equal(extra, "extra.0 is not a whole number");
  assert.match(any, /^any is not JSON: /);
});

test("bounds of numbers", () => {
  const said = (schema, text) => texts(made({ type: "number", ...schema }, text)).join();
  assert.equal(said({ exclusiveMinimum: 0 }, "0"), " is more than 0");
  assert.equal(said({ exclusiveMaximum: 1 }, "1"), " is less than 1");
  assert.equal(said({ multipleOf: 0.1 }, "0.35"), " is a multiple of 0.1");
  assert.equal(said({ multipleOf: 0.1 }, "0.3"), "");
  assert.equal(said({}, "1e999"), " is not a number");
  assert.equal(said({}, "-1.5e3"), "");
});

test("whole numbers of any size go out as they were typed", () => {
  const { value, errors } = made({ type: "integer" }, "123456789012345678901");
  assert.deepEqual(errors, []);
  assert.equal(encode([value, 1]), "[123456789012345678901,1]");
});

test("names of a map are anything, even __proto__, but not twice", () => {
  const schema = { type: "object", additionalProperties: { type: "integer" } };
  const { value } = made(schema, [{ key: "__proto__", of: "1" }, { key: "", of: "2" }]);
  assert.equal(encode(value), '{"__proto__":1,"":2}');
  assert.match(texts(made(schema, [{ key: "a", of: "1" }, { key: "a", of: "2" }])).join(), /there twice/);
});

test("the choice of a union is the one that a value fits", () => {
  const schema = { anyOf: [{ type: "string" }, { $ref: "#/$defs/Size" }, { type: "integer" }] };
  assert.equal(draftOf(schema, ROOT, 4).choice, 2);
  assert.equal(draftOf(schema, ROOT, { width: 1 }).choice, 1);
  assert.equal(draftOf(schema, ROOT).choice, 0);
  assert.equal(encode(made(schema, { choice: 2, of: "7" }).value), "7");
});

test("lists have as many entries as they must", () => {
  const schema = { type: "array", items: { type: "string" }, minItems: 2, maxItems: 3 };
  assert.deepEqual(draftOf(schema, ROOT), ["", ""]);
  assert.deepEqual(texts(made(schema, [""])), [" has at least 2 entries"]);
  assert.deepEqual(texts(made(schema, ["", "", "", ""])), [" has at most 3 entries"]);
});

test("bytes are base64", () => {
  const schema = { type: "string", contentEncoding: "base64" };
  assert.deepEqual(texts(made(schema, "aGk=")), []);
  assert.equal(made(schema, "aG\nk=").value, "aGk=");
  assert.equal(texts(made(schema, "a!")).length, 1);
});

test("patterns that only Python understands are left to the server", () => {
  assert.deepEqual(texts(made({ type: "string", pattern: "(?P<a>x)" }, "y")), []);
});

test("a draft is changed along a path, and left as it was", () => {
  const draft = { a: [{ b: "1" }, { b: "2" }], c: "x" };
  assert.deepEqual(changed(draft, ["a", 0, "b"], "3"), { a: [{ b: "3" }, { b: "2" }], c: "x" });
  assert.deepEqual(changed(draft, ["a", 0], undefined), { a: [{ b: "2" }], c: "x" });
  assert.deepEqual(changed(draft, ["c"], undefined), { a: [{ b: "1" }, { b: "2" }] });
  assert.deepEqual(draft, { a: [{ b: "1" }, { b: "2" }], c: "x" });
});

test("types in words", () => {
  assert.equal(wordsOf(ROOT, ROOT), "Picture");
  assert.equal(wordsOf(SIZE.properties.width, ROOT), "whole number, 1 to 10");
  assert.equal(wordsOf({ type: "number", exclusiveMinimum: 0 }, ROOT), "number, above 0");
  assert.equal(wordsOf({ type: "array", items: { type: "string" } }, ROOT), "list of: text");
  assert.equal(wordsOf({ anyOf: [{ type: "boolean" }, { type: "null" }] }, ROOT), "yes or no or nothing");
  assert.equal(wordsOf({ enum: ["a", 1] }, ROOT), '"a" or 1');
  assert.equal(wordsOf({}, ROOT), "anything");
});

test("JSON lines: numbers stay as they are, mistakes have their line", () => {
  const { lines, errors } = readLines('1\r\n\n  12345678901234567890\nx\n');
  assert.deepEqual(lines, ["1", "12345678901234567890"]);
  assert.equal(errors.length, 1);
  assert.equal(errors[0].line, 4);
});

test("where the server says that a mistake is", () => {
  assert.deepEqual(placeOf("task 3: Expected `int`, got `str` - at `$.size.width`"), { task: 3, path: ["size", "width"] });
  assert.deepEqual(placeOf("Expected `float`, got `str` - at `$.xs[1]`").path, ["xs", 1]);
  assert.deepEqual(placeOf("Expected `int` - at `$.d[...].w`").path, ["d"]);
  assert.deepEqual(placeOf("Object missing required field `size`"), { task: null, path: ["size"] });
  assert.deepEqual(placeOf("Object missing required field `w` - at `$.size`").path, ["size", "w"]);
  assert.deepEqual(placeOf("there is no task type x"), { task: null, path: null });
});

test("JSON goes out as it would by itself", () => {
  const value = { a: [1, null, true, "\u2028<"], b: {}, c: undefined };
  assert.deepEqual(JSON.parse(encode(value)), { ...value, c: null });
  assert.equal(encode([new Raw("1.0")]), "[1.0]");
});
