// What changes while one looks. One event stream for all that a page watches; where it cannot be had,
// the same is asked for again and again; where the server is lost, that is said, and it is found again.
import { useLayoutEffect, useRef, useState } from "../vendor/vendor.js";
import { get } from "./api.js";
import { cell } from "./cell.js";
import { clock } from "./clock.js";

const POLL_MS = 2000;
const STREAM_AGAIN_MS = 30000; // where there is none: one that was there is tried again after POLL_MS
const SHORTEST_MS = 500;
const LONGEST_MS = 10000;
const HIDDEN_MS = 60000; // a tab that nobody looks at lets go of its stream after this
const SILENT_MS = 45000; // the server says something at least each 15 s

// How it stands: `state` is connecting, live, polling, idle or lost; `at` when something came last.
export const connection = cell({ state: "connecting", at: null, again: null });

const wanted = new Map(); // topic -> set of {path, take, same, gone}
const lastText = new Map(); // topic -> what was polled last, to tell whether it changed
let source = null;
let turn = 0; // each way of hearing is one: what an earlier one still waits for is of no interest
let opened = "";
let heardFirst = 0; // when this stream began to say something, by performance.now(); 0 before that
let lastEvent = "";
let timer = 0;
let pause = SHORTEST_MS;
let watchdog = 0;

function heard(state) {
  const { value } = connection;
  const at = Math.floor(clock.now());
  pause = SHORTEST_MS;
  if (value.state !== state || value.at !== at) connection.set({ state, at, again: null });
}

// A page that watches nothing knows how it stands by what it asks for.
function idle(answered) {
  const { at } = connection.value;
  if (wanted.size) return;
  connection.set(answered ? { state: "idle", at, again: null } : { state: "lost", at, again: null });
}

export function tell(topic, value, id = "") {
  for (const { take } of [...(wanted.get(topic) ?? [])]) take(value, id);
}

function close() {
  turn += 1;
  source?.close();
  source = null;
  opened = "";
  heardFirst = 0;
  clearTimeout(timer);
  clearTimeout(watchdog);
}

function topics() {
  return [...wanted.keys()].sort().join(",");
}

function open() {
  close();
  opened = topics();
  if (!opened) {
    idle(connection.value.state !== "lost");
    return;
  }
  const after = wanted.has("events") && lastEvent ? `&after=${encodeURIComponent(lastEvent)}` : "";
  source = new EventSource(`/api/stream?topics=${encodeURIComponent(opened).replaceAll("%2C", ",")}${after}`);
  const mine = source;
  source.onopen = () => {
    heardFirst = performance.now();
    heard("live");
    watch();
  };
  source.onerror = () => { if (mine === source) failed(); };
  source.addEventListener("beat", () => { if (mine === source) { heard("live"); watch(); } }); // nothing new
  source.addEventListener("problem", (event) => { // a topic that is not there, or no more
    if (mine !== source) return;
    heard("live");
    watch();
    for (const { gone } of [...(wanted.get(JSON.parse(event.data).topic) ?? [])]) gone();
  });
  for (const topic of wanted.keys()) {
    source.addEventListener(topic, (event) => {
      if (mine !== source) return;
      heard("live");
      watch();
      if (topic === "events" && event.lastEventId) lastEvent = event.lastEventId;
      lastText.delete(topic); // what is polled later is compared with nothing older than this
      tell(topic, JSON.parse(event.data), event.lastEventId);
    });
  }
}

function watch() {
  clearTimeout(watchdog);
  // The server says something every 15 s, so this is only about streams that are dead.
  watchdog = setTimeout(() => poll(STREAM_AGAIN_MS), SILENT_MS);
}

// The stream ended or could not be had: is the server there at all?
//
// One that lasted will do so again, as after a restart of the server; one that is cut off again and
// again is no better than asking.
function failed() {
  const lasted = heardFirst > 0 && performance.now() - heardFirst > STREAM_AGAIN_MS;
  poll(lasted ? 0 : STREAM_AGAIN_MS);
}

// Asks for what is wanted, each POLL_MS; the stream is tried when `left` milliseconds are over.
async function poll(left) {
  close();
  const mine = turn;
  if (!wanted.size) return;
  const answered = await Promise.all([...wanted].map(([topic, takers]) => fetchOne(topic, takers, mine)));
  if (mine !== turn) return;
  if (answered.includes(true)) {
    const back = connection.value.state === "lost"; // so that the stream may have failed before it came
    heard("polling");
    timer = setTimeout(left > 0 && !back ? () => poll(left - POLL_MS) : open, POLL_MS);
  } else if (answered.includes(false)) {
    pause = Math.min(2 * pause, LONGEST_MS);
    connection.set({ ...connection.value, state: "lost", again: clock.now() + pause / 1000 });
    timer = setTimeout(retry, pause);
  } else {
    timer = setTimeout(open, POLL_MS); // nothing here can be asked for but by the stream
  }
}

// Asks for what a topic says, or else for what is asked for on it, and tells of it if it is new.
async function fetchOne(topic, takers, mine) {
  const said = [...takers].find((one) => one.same);
  const paths = said ? [said.path] : [...new Set([...takers].map((one) => one.path))].filter(Boolean);
  if (!paths.length) return null;
  try {
    const values = await Promise.all(paths.map((path) => get(path)));
    if (mine !== turn) return true; // what the stream has said since is newer
    const text = JSON.stringify(values);
    if (lastText.get(topic) !== text) {
      lastText.set(topic, text);
      tell(topic, values[0]);
    }
    return true;
  } catch (problem) {
    return !problem.lost;
  }
}

// Looks for a lost server at once; the stream is tried first, as it is what was lost.
export function retry() {
  open();
}

let planned = false;

function plan() {
  if (planned) return;
  planned = true;
  setTimeout(() => {
    planned = false;
    if (topics() !== opened || !source) open();
  }, 0);
}

// Calls `take(value, id)` with what the topic says, until what is returned is called.
//   same: whether the path says the same as the topic, so that it can be asked for instead.
//   gone: called when the topic is not there, or no more.
export function subscribe(topic, path, take, { same = false, gone = () => {} } = {}) {
  const one = { path, take, same, gone };
  if (!wanted.has(topic)) wanted.set(topic, new Set());
  wanted.get(topic).add(one);
  plan();
  return () => {
    const takers = wanted.get(topic);
    takers.delete(one);
    if (!takers.size) {
      wanted.delete(topic);
      lastText.delete(topic);
    }
    plan();
  };
}

let hiding = 0;

document.addEventListener("visibilitychange", () => {
  clearTimeout(hiding);
  if (document.hidden) hiding = setTimeout(close, HIDDEN_MS);
  else if (!source && wanted.size) open();
});
addEventListener("online", () => { if (wanted.size) open(); });

// What is at a path, for a component: {data, path, problem, loading, reload, set}.
//   topic: a topic of the stream that says the same as the path, which then keeps it fresh.
//   on: a topic on which the path is asked again, a second apart at least.
// While another path is fetched, what was there before stays, and `loading` is true; `path` is what `data` is of.
export function useData(path, { topic = "", on = "" } = {}) {
  const [state, setState] = useState({ data: null, problem: null, loading: true, path: "" });
  const asked = useRef(null);

  const reload = () => asked.current?.(true);

  useLayoutEffect(() => {
    if (!path) return undefined;
    const control = new AbortController();
    let busy = false;
    let again = false; // asked for while an answer was under way, which may be older than what was done
    let next = 0;
    let late = false;
    const take = (data) => {
      late = true;
      idle(true);
      if (!control.signal.aborted) setState({ data, problem: null, loading: false, path });
    };
    const ask = async (now) => {
      if (busy) again = again || now;
      if (busy || (next && !now)) return;
      clearTimeout(next);
      next = 0;
      busy = true;
      again = false;
      late = false;
      try {
        const data = await get(path, control.signal);
        if (!late) take(data);
      } catch (problem) {
        if (control.signal.aborted || late) return; // it is here all the same, by the stream
        idle(!problem.lost);
        setState((old) => ({ ...old, problem, loading: false, ...(problem.lost ? {} : { data: null, path }) }));
        if (problem.lost) next = setTimeout(() => { next = 0; ask(true); }, POLL_MS);
      } finally {
        busy = false;
        if (again && !control.signal.aborted) ask(true);
      }
    };
    const soon = () => {
      if (next) return;
      next = setTimeout(() => {
        next = 0;
        if (busy) soon(); // what is under way may not have it yet
        else ask(true);
      }, 1000);
    };
    asked.current = ask;
    setState((old) => ({ ...old, loading: true }));
    ask(true);
    const ends = [];
    if (topic) ends.push(subscribe(topic, path, take, { same: true, gone: () => ask(true) }));
    if (on) ends.push(subscribe(on, path, soon));
    return () => {
      control.abort();
      clearTimeout(next);
      for (const end of ends) end();
    };
  }, [path, topic, on]);

  return { ...state, reload, set: (data) => setState((old) => ({ ...old, data })) };
}
