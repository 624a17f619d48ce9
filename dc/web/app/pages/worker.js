// One worker: its computer, what runs on it, how it is and was, and what can be done with it.
import { html, useMemo, useRef } from "../../vendor/vendor.js";
import { send, withQuery } from "../api.js";
import { AsTable, Chart } from "../chart.js";
import { useCell } from "../cell.js";
import { clock, halfMinutes } from "../clock.js";
import { form } from "../dialog.js";
import { count, day, figure, moment, percent, rate, size, span } from "../format.js";
import { EventList } from "../events_shared.js";
import { useData } from "../live.js";
import { may } from "../me.js";
import { Action, Badge, Empty, Fetched, Figures, Loading, Meter, Note, Page, Section, Since, Time, Trouble } from "../parts.js";
import { goFrom } from "../router.js";
import { Table } from "../table.js";
import { Text, cut, visible } from "../text.js";
import { Line, done, isHeld, powerDeeds, withAfter, workerLink, workerPath } from "../workers_shared.js";

const KEPT_SECONDS = 600; // of vitals, in this tab
const KEPT_POINTS = 600;
const DAYS = 14;
const DAY = 86400;

export default function Worker({ name }) {
  const worker = useData(workerPath(name), { topic: `worker:${encodeURIComponent(name)}` });
  const crumbs = [["Workers", "/workers"]];
  const short = visible(cut(name, 80));
  if (!worker.data) {
    return html`<${Page} title=${short} crumbs=${crumbs}>${worker.problem
      ? html`<${Trouble} problem=${worker.problem} again=${worker.reload} />` : html`<${Loading} lines=${10} />`}<//>`;
  }
  const one = worker.data;
  return html`<${Page} title=${html`<${Text} value=${name} max=${80} />`} name=${`Worker ${short}`} crumbs=${crumbs}
      badge=${html`<${Badge} state=${one.state} />`} actions=${may() && html`<${Deeds} worker=${one} after=${worker.reload} />`}>
    ${one.why && html`<${Note} level=${LEVELS[one.state] ?? "info"}><${Text} value=${one.why} max=${600} /><//>`}
    ${one.note && html`<${Note}>Note: <${Text} value=${one.note} max=${600} /><//>`}
    <${Glance} worker=${one} />
    <${Running} worker=${one} />
    <${Vitals} vitals=${one.vitals} />
    <div class="columns">
      <${Computer} worker=${one} after=${worker.reload} />
      <div><${Labels} worker=${one} after=${worker.reload} /><${Code} worker=${one} /></div>
    </div>
    <${Presence} name=${name} />
    <${Events} name=${name} />
  <//>`;
}

const LEVELS = { sick: "error", away: "warning", paused: "warning", draining: "warning", trial: "warning" };

// --- what is done with it -----------------------------------------------------------------------

function Deeds({ worker, after }) {
  const which = { names: [worker.name] };
  const who = visible(cut(worker.name, 60));
  const act = (deed) => async () => {
    const { pathname } = location;
    const gone = deed === "remove" ? () => goFrom(pathname, "/workers") : after;
    return done(deed, which, who, gone);
  };
  const rename = () => form({
    title: `Rename ${who}`, action: "Rename it",
    text: `It calls itself ${visible(cut(worker.own_name || worker.name, 60))}. Empty: it is called by that again.`,
    fields: html`<${Line} label="Name" name="name" value=${worker.name} />`,
    async act(answer) {
      const { pathname } = location;
      const changed = await send("PATCH", workerPath(worker.name), { name: answer.get("name") || null });
      goFrom(pathname, workerLink(changed.name), { replace: true });
      return `It is called ${visible(cut(changed.name, 60))} now.`;
    },
  });
  const held = isHeld(worker);
  return html`
    ${held && html`<${Action} act=${act("resume")} kind="primary" icon="running">Resume<//>`}
    ${!held && html`<${Action} act=${act("drain")} icon="draining" title="Finish what it holds, take nothing new">Drain<//>
      <${Action} act=${act("pause")} icon="paused" title="Take nothing new; what it has not begun goes to others">Pause<//>`}
    <${Action} act=${rename}>Rename…<//>
    <${Action} act=${act("restart")} icon="retry">Restart…<//>
    ${powerDeeds([worker]).map(([deed, text, icon]) => html`<${Action} key=${deed} act=${act(deed)} icon=${icon}
      kind=${deed === "off" ? "quiet-danger" : ""}>${text}<//>`)}
    <${Action} act=${act("stop")} kind="quiet-danger">Stop…<//>
    <${Action} act=${act("remove")} kind="quiet-danger" icon="failed">Delete…<//>`;
}

// --- at a glance --------------------------------------------------------------------------------

function Glance({ worker }) {
  const busy = Math.min(worker.held, worker.slots);
  return html`<section class="panel" aria-label="At a glance"><${Figures} of=${[
    ["Slots busy", `${count(busy)} of ${count(worker.slots)}`],
    ["Holds", `${count(worker.held)} tasks`],
    ["Rate", rate(worker.rate)],
    ["Done", count(worker.done)],
    ["Failed", html`${count(worker.failed)}${worker.failing > 0 && html` <span class="soft">(${percent(worker.failing)} lately)</span>`}`],
    worker.connected_at != null ? ["Here since", html`<${Time} at=${worker.connected_at} />`] : ["Seen last", html`<${Time} at=${worker.seen} />`],
    worker.lapses_in != null && ["Its tasks go to others in", span(Math.ceil(worker.lapses_in))],
    worker.leaves_in != null && ["Leaves in", span(Math.ceil(worker.leaves_in))],
  ]} /></section>`;
}

const RUNS = [
  { key: "slot", title: "Slot", cell: (task) => count(task.slot) },
  { key: "task", title: "Task", head: true, cell: (task) => html`<a href=${`/jobs/${task.job}/tasks/${task.number}`}>Task ${task.number}</a>
    <span class="soft"> of <a href=${`/jobs/${task.job}`}>job ${task.job}</a></span>` },
  { key: "type", title: "Type", cell: (task) => task.type && html`<${Text} value=${task.type} max=${60} fixed />` },
  { key: "attempt", title: "Attempt", number: true, cell: (task) => count(task.attempt) },
  { key: "began", title: "For", number: true, cell: (task) => html`<${Since} at=${task.began} />` },
  { key: "progress", title: "Progress", cell: ({ progress, number }) => progress && html`<${Meter} value=${progress.fraction}
    label=${`Progress of task ${number}`} /><span class="below">${percent(progress.fraction)} <${Text} value=${progress.text} max=${80} fixed /></span>` },
];

function Running({ worker }) {
  const rows = worker.running.map((task, at) => ({ ...task, slot: at + 1 }));
  const note = `${count(rows.length)} of ${count(worker.slots)} slots`;
  return html`<${Section} title="What runs" note=${note}>
    <${Table} caption="Tasks that run on this worker" columns=${RUNS} rows=${rows} rowKey=${(task) => `${task.job}/${task.number}`}
      empty="Nothing runs here at present." /><//>`;
}

// --- vitals -------------------------------------------------------------------------------------

// What was said of late, kept while the page is open: `[times, processors, memory]`.
function useKept(vitals) {
  const kept = useRef([]);
  const last = kept.current.at(-1);
  if (vitals && (!last || vitals.at > last.at)) {
    kept.current = [...kept.current, vitals].filter((one) => one.at > vitals.at - KEPT_SECONDS).slice(-KEPT_POINTS);
  }
  return kept.current;
}

// A chart gives more than the value.
const part = (value) => percent(value);
const bytes = (value) => size(value);
const BYTE_STEPS = Array.from({ length: 50 }, (_, power) => 2 ** power);

const LOAD = [{ label: "Processors", colour: "--bar-running", fill: "--area-running" }];
const MEMORY = [
  { label: "In use", colour: "--bar-running", fill: "--area-running" },
  { label: "of that, dc", colour: "--bar-done" },
];

function Vitals({ vitals }) {
  const kept = useKept(vitals);
  const data = useMemo(() => {
    const at = kept.map((one) => one.at);
    const each = (read) => kept.map((one) => read(one) ?? null);
    return {
      load: [at, each((one) => one.processors)],
      memory: [at, each((one) => one.memory_used), each((one) => one.dc_memory)],
    };
  }, [kept]);
  if (!vitals) return html`<${Section} title="Load"><${Empty}>This worker says nothing of its computer.<//><//>`;
  const range = { since: vitals.at - KEPT_SECONDS, until: vitals.at };
  return html`<div class="columns">
    <${Section} title="Processors" note=${`${percent(vitals.processors)} busy${vitals.dc_processors == null ? "" : `, dc and its tasks use ${figure(vitals.dc_processors)} of them`}`}>
      <${Chart} data=${data.load} series=${LOAD} format=${part} label="Processors in use" height=${140} ...${range} /><//>
    <${Section} title="Memory" note=${vitals.memory_total ? `${size(vitals.memory_used)} of ${size(vitals.memory_total)}` : ""}>
      <${Chart} data=${data.memory} series=${MEMORY} format=${bytes} label="Memory in use" height=${140} steps=${BYTE_STEPS} ...${range} /><//>
  </div>`;
}

// --- what it is ---------------------------------------------------------------------------------

function Computer({ worker, after }) {
  const { vitals } = worker;
  const which = { names: [worker.name] };
  const set = (deed) => () => done(deed, which, visible(cut(worker.name, 60)), after);
  const own = worker.own_slots && worker.own_slots !== worker.slots ? ` (its own: ${count(worker.own_slots)})` : "";
  const tools = may() && html`<${Action} act=${set("slots")} kind="small">Slots…<//><${Action} act=${set("note")} kind="small">Note…<//>`;
  return html`<${Section} title="Computer" tools=${tools}><${Figures} kind="lines" of=${[
    worker.own_name && worker.own_name !== worker.name && ["Calls itself", html`<${Text} value=${worker.own_name} />`],
    ["Address", html`<${Text} value=${worker.address || "not connected"} mono />`],
    worker.software && ["Software", html`<${Text} value=${worker.software} />`],
    ["Slots", `${count(worker.slots)}${own}`],
    ...Object.entries(worker.resources).map(([name, amount]) => [visible(cut(name, 60)), name === "memory" ? size(amount) : String(amount)]),
    vitals?.disk_free != null && ["Disk free", size(vitals.disk_free)],
    vitals?.temperature != null && ["Temperature", `${vitals.temperature.toFixed(0)} °C`],
    vitals?.battery != null && ["Battery", `${percent(vitals.battery)}${vitals.mains ? ", on mains" : ""}`],
    worker.trusts.length > 0 && ["Trusts", html`${worker.trusts.map((key) => html`<div key=${key}><${Text} value=${key} mono /></div>`)}`],
    worker.appliance && ["Booted from the image", html`<${Text} value=${worker.appliance.image} />`],
    worker.appliance?.macs.length > 0 && ["Network cards", html`${worker.appliance.macs.map((mac) => html`<div key=${mac}><${Text} value=${mac} mono /></div>`)}`],
    worker.key && ["Key", html`<${Text} value=${worker.key} mono />`],
  ]} /><//>`;
}

function Labels({ worker, after }) {
  const which = { names: [worker.name] };
  const who = visible(cut(worker.name, 60));
  const entries = Object.entries(worker.labels);
  const decided = (name, value) => worker.own_labels[name] !== value;
  const add = () => done("label", which, who, after);
  const remove = (name, value) => async () => {
    await send("PATCH", workerPath(worker.name), { labels: { [name]: null } });
    after();
    const back = () => send("PATCH", workerPath(worker.name), { labels: { [name]: value } });
    return withAfter({ text: `Took the label ${visible(cut(name, 60))} away.`, undo: back }, after);
  };
  return html`<${Section} title="Labels" tools=${may() && html`<${Action} act=${add} kind="small">Set a label…<//>`}>
    ${entries.length ? html`<ul class="tags">${entries.map(([name, value]) => html`<li class="tag" key=${name}>
      <${Text} value=${`${name}=${value}`} max=${100} />
      ${may() && decided(name, value) && html`<${Action} act=${remove(name, value)} kind="icon-button" icon="close"
        label=${`Take the label ${visible(cut(name, 60))} away`} />`}</li>`)}</ul>` : html`<p class="soft">It has none.</p>`}<//>`;
}

function Code({ worker }) {
  const broken = Object.entries(worker.broken);
  return html`<${Section} title="Code">
    ${broken.map(([plugin, why]) => html`<${Note} level="error" key=${plugin}><strong><${Text} value=${plugin} max=${80} /></strong>:${" "}
      <${Text} value=${why} max=${300} /><//>`)}
    ${worker.types.length > 0 && html`<ul class="tags">${worker.types.map((type) => html`<li class="tag" key=${`${type.name} ${type.version}`}>
      <${Text} value=${`${type.name} ${type.version}`} max=${80} /></li>`)}</ul>`}
    <p class="help">${worker.takes_plugins ? "It takes plugins of the server" : "It takes no plugins of the server"}${worker.takes_plugins
      && (worker.installs ? ", and installs what they depend on." : ", but installs nothing that they depend on.")}${worker.takes_plugins ? "" : "."}</p><//>`;
}

// --- before now ---------------------------------------------------------------------------------

function Presence({ name }) {
  const history = useData(`/api/worker-history/${encodeURIComponent(name)}`);
  useCell(halfMinutes);
  return html`<${Section} title="When it was here" note=${`the last ${DAYS} days`}>
    <${Fetched} from=${history} lines=${4}>${({ presence }) => html`<${Days} presence=${presence} now=${clock.now()} />`}<//><//>`;
}

function Days({ presence, now }) {
  const days = daysOf(presence, now);
  const said = `Here for ${span(days.reduce((sum, one) => sum + one.seconds, 0))} of the last ${DAYS} days`;
  return html`<figure class="chart">
    <div class="days" role="img" aria-label=${said}>${days.map((one) => html`<div class="day" key=${one.name}>
      <span class="day-name">${one.name.slice(5)}</span>
      <span class="day-bar">${one.parts.map((part) => html`<i key=${part.left} title=${part.text}
        style=${{ left: `${100 * part.left}%`, width: `max(2px, ${100 * part.width}%)` }} />`)}</span>
      <span class="day-sum">${one.seconds ? span(Math.round(one.seconds)) : ""}</span></div>`)}</div>
    <${AsTable} label="When it was here" head=${["From", "Until", "Done", "Failed"]} rows=${() => [...presence].reverse().map((one) => [
      moment(one.since), one.until == null ? "now" : moment(one.until), count(one.done), count(one.failed)])} />
  </figure>`;
}

// Each of the last days, in the reader's zone: its name, and the parts of it at which the worker was here.
export function daysOf(presence, now, many = DAYS) {
  const midnight = new Date(now * 1000);
  midnight.setHours(0, 0, 0, 0);
  return Array.from({ length: many }, (_, back) => {
    const start = new Date(midnight);
    start.setDate(start.getDate() - back);
    const end = new Date(start);
    end.setDate(end.getDate() + 1);
    const [since, until] = [start.getTime() / 1000, end.getTime() / 1000];
    const parts = presence.map((one) => [Math.max(one.since, since), Math.min(one.until ?? now, until)]).filter(([from, to]) => to > from);
    return {
      name: day(start),
      seconds: parts.reduce((sum, [from, to]) => sum + to - from, 0),
      parts: parts.map(([from, to]) => ({
        left: (from - since) / (until - since), width: (to - from) / (until - since), text: `${moment(from)} to ${moment(to)}`,
      })),
    };
  });
}

function Events({ name }) {
  const events = useData(withQuery("/api/events", { worker: name, limit: 20 }), { on: "events" });
  const more = html`<a href=${withQuery("/events", { worker: name })}>All of them</a>`;
  return html`<${Section} title="Events" tools=${more}>
    <${Fetched} from=${events} lines=${5}>${(data) => html`<${EventList} caption="What happened to this worker" events=${data.events} empty="Nothing has happened to it." />`}<//><//>`;
}
