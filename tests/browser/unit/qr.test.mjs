// Rows of a QR code as runs of black.
import assert from "node:assert/strict";
import { test } from "node:test";
import { runs } from "../../../dc/web/app/qr.js";

test("a row is drawn as runs that cover its black modules, and nothing else", () => {
  assert.deepEqual(runs(""), []);
  assert.deepEqual(runs("000"), []);
  assert.deepEqual(runs("1"), [[0, 1]]);
  assert.deepEqual(runs("0110101110"), [[1, 2], [4, 1], [6, 3]]);
  const row = "1101001110101";
  const drawn = Array(row.length).fill("0");
  for (const [x, width] of runs(row)) drawn.fill("1", x, x + width);
  assert.equal(drawn.join(""), row);
});
