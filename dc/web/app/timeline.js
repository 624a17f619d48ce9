// A job's tasks over its workers and time: how busy each was, and single tasks where one is near enough.
//
// It is drawn, for there may be a hundred thousand steps of it; all that it shows can be had by the
// keyboard as a sentence, and as a table.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../vendor/vendor.js";
import { withQuery } from "./api.js";
import { AsTable } from "./chart.js";
import { count, moment, span as spanText } from "./format.js";
import { aimed, busiest, found, markText, marks, panned, rowsOf, shade, stepped, sums, within, xOf, zoomed } from "./lanes.js";
import { Icon } from "./icons.js";
import { FINISHED, WorkerLink } from "./jobs_shared.js";
import { useData } from "./live.js";
import { Empty, Fetched, Section } from "./parts.js";
import { go } from "./router.js";
import { Text, cut, visible } from "./text.js";
import { colour, onColours } from "./theme.js";

const ROOM = { height: 24, slot: 12 }; // pixels of a lane, and of each slot in it where there are several
const AXIS = 24;
const STEP_PIXELS = 5;
const STEPS = [40, 400]; // as many as are asked for, by the room there is
const FRESH_MS = 5000;
const SETTLED_MS = 150; // how long a window is looked at before it is asked for
const MARK_PIXELS = 90;
const PAN = 0.5;
const ZOOM = 2;
const DRAG_PIXELS = 4;
const TEXT_PIXELS = 40; // a task that is as wide has its number in it

// `job` is a JobView. While it goes on what is new appears, a few seconds apart.
export function Timeline({ job: { job, finished_at: finished, state } }) {
  const live = finished == null && !FINISHED.has(state);
  const [width, plot] = useWidth();
  const [view, setView] = useState(null);
  const settled = useSettled(view);
  const steps = Math.min(STEPS[1], Math.max(STEPS[0], Math.round(width / STEP_PIXELS)));
  const path = width ? withQuery(`/api/jobs/${job}/timeline`, { ...settled, steps }) : "";
  const fetched = useData(path);
  const { data, reload } = fetched;
  const whole = useWhole(fetched.path === path ? data : null, settled);
  useFresh(live && !view, reload);
  const seen = view ?? whole;
  const change = (next) => setView(next && whole ? within(next, whole) : null);
  return html`<${Section} title="Timeline" note="Which worker was how busy with it, and when">
    <${Tools} view=${view} seen=${seen} whole=${whole} change=${change} />
    <div class="timeline-body">
      ${data && html`<${Names} timeline=${data} />`}
      <div class="timeline-plot" ref=${plot}>
        ${data && seen && html`<${Plot} timeline=${data} view=${seen} whole=${whole} width=${width} change=${change} />`}
      </div>
    </div>
    <${Fetched} from=${fetched} lines=${4}>${({ lanes }) => (lanes.length
      ? html`<${AsTable} label="Workers of this job in the time that is shown" head=${HEAD} rows=${() => rowsOfTable(data)} />`
      : html`<${Empty}>No task of this job has run yet.<//>`)}<//>
  <//>`;
}

const HEAD = ["Worker", "Run time", "Busy, in the mean", "Failed"];

function rowsOfTable(timeline) {
  return sums(timeline).map((row) => [
    html`<${Text} value=${row.worker} max=${60} fixed />`, spanText(row.seconds), row.busy.toFixed(2), count(row.failed),
  ]);
}

function useWidth() {
  const [width, setWidth] = useState(0);
  const ref = useRef(null);
  useLayoutEffect(() => {
    const watch = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)));
    watch.observe(ref.current);
    return () => watch.disconnect();
  }, []);
  return [width, ref];
}

function useSettled(view) {
  const [settled, setSettled] = useState(view);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(view), view ? SETTLED_MS : 0);
    return () => clearTimeout(timer);
  }, [view]);
  return settled;
}

// The longest window there is: what the server says when it is not asked for one. `data` is what it says to that.
function useWhole(data, asked) {
  const last = useRef(null);
  if (data && (!asked || !last.current)) last.current = { since: data.since, until: data.until };
  return last.current;
}

function useFresh(wanted, reload) {
  useEffect(() => {
    if (!wanted) return undefined;
    const timer = setInterval(() => { if (!document.hidden) reload(); }, FRESH_MS);
    return () => clearInterval(timer);
  }, [wanted]);
}

function Tools({ view, seen, whole, change }) {
  const middle = seen && (seen.since + seen.until) / 2;
  const act = (does) => () => { if (seen && whole) change(does()); };
  const button = (icon, label, does, off) => html`<button type="button" class="icon-button" aria-label=${label}
    title=${label} disabled=${off} onClick=${act(does)}>${icon}</button>`;
  return html`<div class="timeline-tools" role="group" aria-label="What the timeline shows">
    ${button(html`<${Icon} name="left" />`, "Earlier", () => panned(seen, -PAN, whole), !view)}
    ${button(html`<${Icon} name="right" />`, "Later", () => panned(seen, PAN, whole), !view)}
    ${button("+", "Nearer", () => zoomed(seen, ZOOM, middle, whole), !seen)}
    ${button("−", "Farther", () => zoomed(seen, 1 / ZOOM, middle, whole), !view)}
    <button type="button" class="small" disabled=${!view} onClick=${act(() => null)}>The whole job</button>
    ${seen && html`<span class="soft">${moment(seen.since)}, ${spanText(seen.until - seen.since)}</span>`}
    <span class="timeline-legend soft" aria-hidden="true">
      <i class="swatch is-running"></i> busy <i class="swatch is-failed"></i> failed
    </span>
  </div>`;
}

function Names({ timeline }) {
  const rows = useMemo(() => rowsOf(timeline, ROOM), [timeline]);
  return html`<ul class="timeline-names">
    ${timeline.lanes.map((lane, at) => html`<li key=${lane.worker} style=${{ height: `${rows[at].height}px` }}>
      <${WorkerLink} name=${lane.worker} />
    </li>`)}
  </ul>`;
}

// --- the plot -----------------------------------------------------------------------------------

function Plot({ timeline, view, whole, width, change }) {
  const canvas = useRef(null);
  const rows = useMemo(() => rowsOf(timeline, ROOM), [timeline]);
  const height = AXIS + rows.reduce((sum, row) => sum + row.height, 0);
  const [choice, setChoice] = useState(null);
  const chosen = useMemo(() => found(timeline, rows, choice), [timeline, rows, choice]);
  const colours = useColours();
  const state = useRef({});
  state.current = { timeline, rows, view, whole, width, change, choice, chosen, setChoice };
  useLayoutEffect(() => draw(canvas.current, { timeline, rows, view, width, height, chosen, colours }), [
    timeline, view, width, height, chosen, colours,
  ]);
  useEffect(() => pointed(canvas.current, state), []);
  return html`
    <div class="timeline-canvas" role="application" tabindex="0" aria-roledescription="timeline"
      aria-label="Timeline: up and down for workers, left and right for time, plus and minus to zoom, Enter for the task"
      onKeyDown=${(event) => typed(event, state.current)}>
      <canvas ref=${canvas} style=${{ width: `${width}px`, height: `${height}px` }}></canvas>
    </div>
    <p class="timeline-said" role="status">${chosen ? said(timeline, chosen) : "\u00a0"}</p>`;
}

function useColours() {
  const [colours, setColours] = useState(inks);
  useEffect(() => onColours(() => setColours(inks())), []);
  return colours;
}

const INKS = {
  busy: "--bar-running", failed: "--bar-failed", grid: "--line", text: "--soft", lane: "--sunken", chosen: "--accent", on: "--panel",
};

function inks() {
  return Object.fromEntries(Object.entries(INKS).map(([name, variable]) => [name, colour(variable)]));
}

// A sentence on what is chosen.
function said(timeline, { lane, step, span }) {
  const one = timeline.lanes[lane];
  if (!one) return "\u00a0";
  const name = visible(cut(one.worker, 60));
  if (span) {
    const lasted = span.ended === null ? "runs since" : `${span.end} after ${spanText(span.ended - span.began)}, began`;
    return `Task ${span.number} on ${name}, attempt ${span.attempt}: ${lasted} ${moment(span.began)}`;
  }
  const busy = Math.round((one.busy[step] ?? 0) * 100) / 100;
  const failed = one.failed[step] ? `, ${count(one.failed[step])} failed` : "";
  const at = timeline.since + step * timeline.step;
  return `${name}, ${spanText(timeline.step)} from ${moment(at)}: ${busy} busy${failed}`;
}

function typed(event, { timeline, view, whole, change, choice, chosen, setChoice }) {
  const { lane, step, span } = chosen ?? { lane: -1, step: -1, span: null };
  if (!timeline.lanes.length || event.ctrlKey || event.metaKey || event.altKey) return;
  const choose = (toLane, toStep) => setChoice(stepped(timeline, toLane, toStep));
  const middle = choice ? choice.at : (view.since + view.until) / 2;
  const keys = {
    ArrowUp: () => choose(lane - 1, step),
    ArrowDown: () => choose(lane + 1, step),
    ArrowLeft: () => (event.shiftKey ? change(panned(view, -PAN, whole)) : choose(lane, step - 1)),
    ArrowRight: () => (event.shiftKey ? change(panned(view, PAN, whole)) : choose(lane, step + 1)),
    "+": () => change(zoomed(view, ZOOM, middle, whole)),
    "=": () => change(zoomed(view, ZOOM, middle, whole)),
    "-": () => change(zoomed(view, 1 / ZOOM, middle, whole)),
    Home: () => change(null),
    Enter: () => span && go(`/jobs/${timeline.job}/tasks/${span.number}`),
  };
  if (!Object.hasOwn(keys, event.key)) return;
  event.preventDefault();
  keys[event.key]();
}

// Listens to a pointer; returns what ends that.
function pointed(canvas, state) {
  let held = null;
  const placed = ({ clientX, clientY }) => {
    const { left, top } = canvas.getBoundingClientRect();
    const { timeline, rows, view, width } = state.current;
    const place = { x: clientX - left, y: clientY - top - AXIS };
    return { ...place, aim: aimed(rows, timeline.lanes, place, view, width, ROOM.slot) };
  };
  const on = {
    pointerdown(event) {
      if (event.button !== 0) return;
      held = { x: event.clientX, view: state.current.view, moved: false };
      canvas.setPointerCapture(event.pointerId);
    },
    pointermove(event) {
      const { whole, width, change, setChoice } = state.current;
      if (!held) return setChoice(placed(event).aim);
      const by = held.x - event.clientX;
      if (Math.abs(by) > DRAG_PIXELS) held.moved = true;
      if (held.moved) change(panned(held.view, by / width, whole));
    },
    pointerup(event) {
      const wasClick = held && !held.moved;
      held = null;
      const { timeline, rows, view, whole, change } = state.current;
      const { aim } = placed(event);
      const hit = found(timeline, rows, aim);
      if (!wasClick || !hit) return;
      if (hit.span) go(`/jobs/${timeline.job}/tasks/${hit.span.number}`);
      else change(zoomed(view, 2 * ZOOM, aim.at, whole));
    },
    pointercancel() { held = null; },
    pointerleave() { if (!held) state.current.setChoice(null); },
    wheel(event) {
      if (!event.ctrlKey && !event.metaKey) return; // the page's to scroll
      event.preventDefault();
      const { view, whole, width, change } = state.current;
      const at = view.since + (placed(event).x / width) * (view.until - view.since);
      change(zoomed(view, event.deltaY < 0 ? ZOOM : 1 / ZOOM, at, whole));
    },
  };
  for (const [name, does] of Object.entries(on)) canvas.addEventListener(name, does, { passive: false });
  return () => { for (const [name, does] of Object.entries(on)) canvas.removeEventListener(name, does); };
}

// --- drawing ------------------------------------------------------------------------------------

function draw(canvas, { timeline, rows, view, width, height, chosen, colours }) {
  const ratio = devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.font = `11px ${getComputedStyle(canvas).fontFamily}`;
  drawAxis(pen, { view, width, height, colours });
  pen.translate(0, AXIS);
  const most = busiest(timeline.lanes);
  timeline.lanes.forEach((lane, at) => {
    pen.fillStyle = colours.lane;
    pen.fillRect(0, rows[at].top + 1, width, rows[at].height - 2);
    if (timeline.spans) drawSpans(pen, { row: rows[at], view, width, colours });
    else drawSteps(pen, { lane, row: rows[at], timeline, view, width, most, colours });
  });
  if (chosen && rows[chosen.lane]) drawChosen(pen, { chosen, row: rows[chosen.lane], timeline, view, width, colours });
}

function drawAxis(pen, { view, width, height, colours }) {
  const offset = -new Date(view.since * 1000).getTimezoneOffset() * 60;
  const { step, at } = marks(view, width / MARK_PIXELS, offset);
  pen.textBaseline = "middle";
  for (const one of at) {
    const x = Math.round(xOf(one, view, width)) + 0.5;
    pen.fillStyle = colours.grid;
    pen.fillRect(x, AXIS - 6, 1, height);
    const text = markText(one, step);
    const room = pen.measureText(text).width;
    if (x + 4 + room > width) continue;
    pen.fillStyle = colours.text;
    pen.fillText(text, x + 4, AXIS / 2);
  }
}

function drawSteps(pen, { lane, row, timeline, view, width, most, colours }) {
  lane.busy.forEach((busy, step) => {
    const left = xOf(timeline.since + step * timeline.step, view, width);
    const right = xOf(timeline.since + (step + 1) * timeline.step, view, width);
    if (right < 0 || left > width) return;
    const wide = Math.max(1, right - left);
    pen.globalAlpha = shade(busy, most);
    pen.fillStyle = colours.busy;
    pen.fillRect(left, row.top + 2, wide + 0.5, row.height - 4);
    pen.globalAlpha = 1;
    if (!lane.failed[step]) return;
    pen.fillStyle = colours.failed;
    pen.fillRect(left, row.top + row.height - 7, Math.max(2, wide), 5);
  });
}

function drawSpans(pen, { row, view, width, colours }) {
  for (const one of row.spans) {
    const left = Math.max(-2, xOf(one.began, view, width));
    const right = Math.min(width + 2, xOf(one.ended ?? view.until, view, width));
    if (right < 0 || left > width) continue;
    const top = row.top + 2 + one.slot * ROOM.slot;
    const wide = Math.max(1.5, right - left - 1);
    const bad = !["done", "running", "assigned"].includes(one.end);
    pen.globalAlpha = one.ended === null ? 0.55 : 1;
    pen.fillStyle = bad ? colours.failed : colours.busy;
    pen.fillRect(left, top, wide, ROOM.slot - 2);
    pen.globalAlpha = 1;
    if (wide < TEXT_PIXELS) continue;
    pen.fillStyle = colours.on;
    pen.fillText(`${bad ? "✕ " : ""}${one.number}`, Math.max(0, left) + 3, top + (ROOM.slot - 2) / 2 + 0.5);
  }
}

function drawChosen(pen, { chosen, row, timeline, view, width, colours }) {
  const { span, step } = chosen;
  const [since, until] = span
    ? [span.began, span.ended ?? view.until]
    : [timeline.since + step * timeline.step, timeline.since + (step + 1) * timeline.step];
  const left = xOf(since, view, width);
  const wide = Math.max(3, xOf(until, view, width) - left);
  const top = span ? row.top + 1 + span.slot * ROOM.slot : row.top + 1;
  pen.strokeStyle = colours.chosen;
  pen.lineWidth = 2;
  pen.strokeRect(left, top, wide, span ? ROOM.slot : row.height - 2);
}
