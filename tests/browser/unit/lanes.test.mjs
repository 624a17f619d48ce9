// The geometry of a job's timeline.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  aimed, busiest, found, markText, marks, panned, rowsOf, shade, stepped, sums, timeOf, within, xOf, zoomed,
} from "../../../dc/web/app/lanes.js";

const WHOLE = { since: 1000, until: 2000 };
const TIMELINE = {
  since: 1000,
  step: 10,
  lanes: [
    { worker: "a", busy: [0, 2, 1], failed: [0, 1, 0] },
    { worker: "b", busy: [0, 0, 0.5], failed: [0, 0, 0] },
  ],
  spans: null,
};
const SPANS = [
  { number: 1, attempt: 1, worker: "a", slot: 0, began: 1000, ended: 1010, end: "done" },
  { number: 2, attempt: 1, worker: "a", slot: 2, began: 1005, ended: null, end: "running" },
  { number: 3, attempt: 1, worker: "gone", slot: 0, began: 1005, ended: 1006, end: "done" },
];
const ROOM = { height: 20, slot: 10 };

test("a window stays within the whole and keeps its length", () => {
  assert.deepEqual(within({ since: 900, until: 1100 }, WHOLE), { since: 1000, until: 1200 });
  assert.deepEqual(within({ since: 1950, until: 2050 }, WHOLE), { since: 1900, until: 2000 });
  assert.deepEqual(within({ since: 0, until: 9000 }, WHOLE), WHOLE);
});

test("zooming keeps what is under the pointer, and ends somewhere", () => {
  const near = zoomed(WHOLE, 2, 1250, WHOLE);
  assert.deepEqual(near, { since: 1125, until: 1625 });
  assert.equal(xOf(1250, near, 100), 25);
  let view = WHOLE;
  for (let times = 0; times < 100; times += 1) view = zoomed(view, 2, 1500, WHOLE);
  assert.ok(view.until - view.since > 0.0199, view.until - view.since);
  assert.deepEqual(zoomed(near, 0.1, 1250, WHOLE), WHOLE);
});

test("a whole that is shorter than the narrowest window is no trouble", () => {
  const short = { since: 5, until: 5.001 };
  assert.deepEqual(zoomed(short, 2, 5, short), short);
});

test("panning stops at the ends", () => {
  const view = { since: 1100, until: 1200 };
  assert.deepEqual(panned(view, 0.5, WHOLE), { since: 1150, until: 1250 });
  assert.deepEqual(panned(view, -9, WHOLE), { since: 1000, until: 1100 });
});

test("marks are on round times, and never too many", () => {
  assert.deepEqual(marks({ since: 1000, until: 1060 }, 6), { step: 10, at: [1000, 1010, 1020, 1030, 1040, 1050, 1060] });
  assert.deepEqual(marks({ since: 0, until: 86400 }, 4, 3600).at, [18000, 39600, 61200, 82800]);
  for (const length of [0.02, 1, 59, 3601, 86400, 1e7, 1e9]) {
    const { at } = marks({ since: 1e9 + 0.123, until: 1e9 + 0.123 + length }, 8);
    assert.ok(at.length >= 1 && at.length <= 10, `${length}: ${at.length}`);
  }
});

test("marks say as much of the time as they need", () => {
  const at = new Date(2026, 2, 4, 9, 5, 7, 250).getTime() / 1000;
  assert.equal(markText(at, 86400), "03-04");
  assert.equal(markText(at, 60), "09:05");
  assert.equal(markText(at, 1), "09:05:07");
  assert.equal(markText(at, 0.01), "09:05:07.25");
});

test("where a little ran is seen, and where nothing ran is not", () => {
  assert.equal(shade(0, 4), 0);
  assert.equal(shade(1, 0), 0);
  assert.ok(shade(0.001, 1000) > 0.2);
  assert.equal(shade(4, 4), 1);
  assert.equal(busiest(TIMELINE.lanes), 2);
  assert.equal(busiest([]), 0);
});

test("lanes are one below the other, as high as their slots need", () => {
  assert.deepEqual(rowsOf(TIMELINE, ROOM).map((row) => [row.top, row.height]), [[0, 20], [20, 20]]);
  const rows = rowsOf({ ...TIMELINE, spans: SPANS }, ROOM);
  assert.deepEqual(rows.map((row) => [row.top, row.height, row.slots]), [[0, 34, 3], [34, 20, 1]]);
  assert.equal(rows[0].spans.length, 2);
});

test("what is under a pointer", () => {
  const timeline = { ...TIMELINE, spans: SPANS };
  const view = { since: 1000, until: 1030 };
  const rows = rowsOf(timeline, ROOM);
  const at = (x, y) => found(timeline, rows, aimed(rows, timeline.lanes, { x, y }, view, 300, ROOM.slot));
  assert.deepEqual(at(50, 5), { lane: 0, step: 0, span: SPANS[0] });
  assert.deepEqual(at(299, 25), { lane: 0, step: 2, span: SPANS[1] });
  assert.deepEqual(at(150, 40), { lane: 1, step: 1, span: null });
  assert.equal(at(150, 400), null);
  assert.equal(timeOf(150, view, 300), 1015);
});

test("a step by the keyboard, kept within what is there", () => {
  const timeline = { ...TIMELINE, spans: SPANS };
  const rows = rowsOf(timeline, ROOM);
  assert.deepEqual(stepped(timeline, 0, 1), { worker: "a", at: 1015, slot: null, reach: 0 });
  assert.deepEqual(found(timeline, rows, stepped(timeline, -1, -1)), { lane: 0, step: 0, span: SPANS[0] });
  assert.deepEqual(found(timeline, rows, stepped(timeline, 9, 9)), { lane: 1, step: 2, span: null });
});

test("what was chosen stays what it is when another window is fetched", () => {
  const choice = stepped(TIMELINE, 0, 2);
  const near = { since: 1024, step: 0.5, lanes: [{ worker: "new", busy: [0], failed: [0] }, { ...TIMELINE.lanes[0] }], spans: SPANS };
  assert.deepEqual(found(TIMELINE, rowsOf(TIMELINE, ROOM), choice), { lane: 0, step: 2, span: null });
  assert.deepEqual(found(near, rowsOf(near, ROOM), choice), { lane: 1, step: 2, span: SPANS[1] });
  const other = { ...TIMELINE, lanes: [TIMELINE.lanes[1]] };
  assert.equal(found(other, rowsOf(other, ROOM), choice), null);
  assert.equal(found(TIMELINE, rowsOf(TIMELINE, ROOM), null), null);
});

test("a table of it", () => {
  assert.deepEqual(sums(TIMELINE), [
    { worker: "a", seconds: 30, busy: 1, failed: 1 },
    { worker: "b", seconds: 5, busy: 0.5 / 3, failed: 0 },
  ]);
});
