// Payloads and results as they are shown: what was written is what is read.
import assert from "node:assert/strict";
import { test } from "node:test";
import { indented } from "../../../dc/web/app/json_text.js";
import { decode, pretty } from "../../../dc/web/app/msgpack.js";

test("JSON is indented, and large numbers stay what they are", () => {
  const text = String.raw`{"id":12345678901234567890,"size":[1.10,{}, [ ]],"a\"b\\":"caf\u00e9: [1,2]"}`;
  assert.equal(indented(text), String.raw`{
  "id": 12345678901234567890,
  "size": [
    1.10,
    {},
    []
  ],
  "a\"b\\": "café: [1,2]"
}`);
});

test("it is as JSON.stringify has it", () => {
  const value = { a: [1, 2.5, null, true, "x,y:{}[]", { b: {} }], "": [], "ä\n\"": -1e300, deep: [[[{ c: 1 }]]] };
  assert.equal(indented(JSON.stringify(value)), JSON.stringify(value, null, 2));
});

test("what is no JSON is refused", () => {
  for (const text of ["", "{", "[1 2]", "{'a': 1}"]) assert.throws(() => indented(text), SyntaxError);
});

const packed = (...bytes) => pretty(decode(new Uint8Array(bytes)));

test("MessagePack: numbers beyond 2^53 are exact, names keep their order", () => {
  assert.equal(packed(0xcf, 255, 255, 255, 255, 255, 255, 255, 255), "18446744073709551615");
  assert.equal(packed(0xd3, 128, 0, 0, 0, 0, 0, 0, 0), "-9223372036854775808");
  assert.equal(packed(0x82, 0xa2, 0x31, 0x30, 0x01, 0xa1, 0x32, 0x02), '{\n  "10": 1,\n  "2": 2\n}');
  assert.equal(packed(0x81, 0x05, 0xc0), '{\n  "5": null\n}');
});

test("MessagePack: what JSON has no words for is said", () => {
  assert.equal(packed(0xc4, 2, 0xab, 0xcd), '"(2 bytes) ab cd"');
  assert.equal(packed(0xcb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0), '"Infinity"');
  assert.equal(packed(0xd4, 5, 0xff), '{\n  "extension": 5,\n  "bytes": "ff"\n}');
});
