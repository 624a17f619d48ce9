// Output that comes in pieces: each part of it is there once, in its order.
import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_OUTPUT, joined } from "../../../dc/web/app/output.js";

const piece = (start, text, more = {}) => {
  const next = start + new TextEncoder().encode(text).length;
  return { attempt: 1, start, text, total: next, next, live: true, ...more };
};
const all = (pieces, most = 1000) => pieces.reduce((old, one) => joined(old, one, most), NO_OUTPUT).text;

test("pieces follow each other", () => {
  assert.equal(all([piece(0, "one "), piece(4, "two "), piece(8, "three")]), "one two three");
});

test("a piece that comes twice, or late, adds nothing", () => {
  assert.equal(all([piece(0, "one "), piece(4, "two "), piece(4, "two "), piece(0, "one ")]), "one two ");
  assert.equal(all([piece(0, "one "), piece(4, "two "), piece(0, "one "), piece(8, "three")]), "one two three");
});

test("of a piece that reaches further, what is new is added", () => {
  assert.equal(all([piece(0, "ein "), piece(4, "ä"), piece(4, "äöü")]), "ein äöü");
  assert.equal(all([piece(0, "one "), piece(0, "one two")]), "one two");
});

test("a new attempt begins anew, and an old one is over", () => {
  assert.equal(all([piece(0, "first"), piece(0, "again", { attempt: 2 }), piece(5, "!")]), "again");
});

test("only the end of it stays", () => {
  assert.equal(all([piece(0, "abc"), piece(3, "def")], 4), "cdef");
});
