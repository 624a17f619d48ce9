// What a timeline shows where: windows of time, marks on its axis, rows of its workers. No drawing.

export const LEAST_SECONDS = 0.02; // the narrowest window: single tasks of a millisecond can be told apart
const SHADES = 0.22; // how dark a step is in which anything ran at all

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30,
  MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE,
  HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 28 * DAY,
];

// A window of time within another one: as long as it was as far as there is room.
export function within({ since, until }, whole) {
  const most = whole.until - whole.since;
  const length = Math.min(most, Math.max(until - since, Math.min(LEAST_SECONDS, most)));
  const start = Math.min(Math.max(since, whole.since), whole.until - length);
  return { since: start, until: start + length };
}

// Nearer by a factor (farther, if below 1); `at` stays where it is.
export function zoomed(view, factor, at, whole) {
  const length = Math.max((view.until - view.since) / factor, Math.min(LEAST_SECONDS, whole.until - whole.since));
  const share = (at - view.since) / (view.until - view.since);
  const since = at - share * length;
  return within({ since, until: since + length }, whole);
}

// Later by a share of what is seen; earlier, if it is negative.
export function panned(view, share, whole) {
  const by = share * (view.until - view.since);
  return within({ since: view.since + by, until: view.until + by }, whole);
}

// Marks of an axis: {step, at: [times]}, at most so many, on round times of the reader's zone.
//   offset: of that zone, in seconds east of UTC.
export function marks({ since, until }, most, offset = 0) {
  const wanted = (until - since) / Math.max(1, most);
  const step = STEPS.find((one) => one >= wanted) ?? Math.ceil(wanted / (28 * DAY)) * 28 * DAY;
  const first = Math.ceil((since + offset) / step);
  const last = Math.floor((until + offset) / step);
  const at = [];
  for (let one = first; one <= last && at.length <= most + 1; one += 1) at.push(one * step - offset);
  return { step, at };
}

const pad = (value) => String(value).padStart(2, "0");

// A mark's text: as much of the time as its step needs.
export function markText(at, step) {
  const date = new Date(Math.round(at * 1000));
  if (step >= DAY) return `${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  const clock = `${pad(date.getHours())}:${pad(date.getMinutes())}`;
  if (step >= MINUTE) return clock;
  const digits = step >= 1 ? 0 : step >= 0.1 ? 1 : step >= 0.01 ? 2 : 3;
  const seconds = date.getSeconds() + date.getMilliseconds() / 1000;
  return `${clock}:${seconds.toFixed(digits).padStart(digits ? digits + 3 : 2, "0")}`;
}

// How dark a step is, of 1: nothing where nothing ran, and seen where a little did.
export function shade(busy, most) {
  if (!(busy > 0) || !(most > 0)) return 0;
  return SHADES + (1 - SHADES) * Math.sqrt(Math.min(1, busy / most));
}

export function busiest(lanes) {
  return lanes.reduce((most, lane) => lane.busy.reduce((one, busy) => Math.max(one, busy), most), 0);
}

// Where each lane is: `{top, height, slots, spans}`; spans one above the other by slot.
export function rowsOf({ lanes, spans }, { height, slot }) {
  const by = new Map(lanes.map((lane) => [lane.worker, []]));
  for (const span of spans ?? []) by.get(span.worker)?.push(span);
  let top = 0;
  return lanes.map((lane) => {
    const mine = by.get(lane.worker);
    const slots = mine.reduce((most, span) => Math.max(most, span.slot + 1), 1);
    const row = { top, height: spans ? Math.max(height, slots * slot + 4) : height, slots, spans: mine };
    top += row.height;
    return row;
  });
}

export function xOf(at, view, width) {
  return ((at - view.since) / (view.until - view.since)) * width;
}

export function timeOf(x, view, width) {
  return view.since + (x / width) * (view.until - view.since);
}

export function stepOf(at, { since, step }) {
  return step > 0 ? Math.floor((at - since) / step) : 0;
}

// What a place of the plot stands for: `{worker, at, slot, reach}`, null outside of all lanes.
//
// It is a choice in the terms of the job, not of what was fetched: windows come and go under it.
export function aimed(rows, lanes, { x, y }, view, width, slot) {
  const lane = rows.findIndex((row) => y >= row.top && y < row.top + row.height);
  if (lane < 0) return null;
  return {
    worker: lanes[lane].worker,
    at: timeOf(x, view, width),
    slot: Math.floor((y - rows[lane].top - 2) / slot),
    reach: ((view.until - view.since) / width) * 2, // two pixels: what is short can be hit
  };
}

// The same without a pointer: a worker's step, and whatever task ran in the middle of it.
export function stepped({ lanes, since, step }, lane, to) {
  const row = Math.min(lanes.length - 1, Math.max(0, lane));
  const at = Math.min(lanes[row].busy.length - 1, Math.max(0, to));
  return { worker: lanes[row].worker, at: since + (at + 0.5) * step, slot: null, reach: 0 };
}

// What is there in this timeline: `{lane, step, span}`; the last is null where there is none.
// Null if there is no choice, or no such worker.
export function found(timeline, rows, choice) {
  const lane = choice ? timeline.lanes.findIndex((one) => one.worker === choice.worker) : -1;
  if (lane < 0) return null;
  const { at, slot, reach } = choice;
  const most = Math.max(0, timeline.lanes[lane].busy.length - 1);
  const step = Math.min(most, Math.max(0, stepOf(at, timeline)));
  const span = rows[lane].spans.find((one) => (slot === null || one.slot === slot)
    && at >= one.began - reach && at <= (one.ended ?? Infinity) + reach);
  return { lane, step, span: span ?? null };
}

// For a table: each worker's busy time in seconds, failures, and the share of the window it worked.
export function sums({ lanes, step }) {
  return lanes.map(({ worker, busy, failed }) => {
    const total = busy.reduce((sum, one) => sum + one, 0);
    return {
      worker,
      seconds: total * step,
      busy: busy.length ? total / busy.length : 0,
      failed: failed.reduce((sum, one) => sum + one, 0),
    };
  });
}
