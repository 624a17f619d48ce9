// The workers: who is here and how it is; and what is done with many of them at once.
import { html, useLayoutEffect, useState } from "../../vendor/vendor.js";
import { withQuery } from "../api.js";
import { count, percent, plural, rate, size } from "../format.js";
import { Choice, Search } from "../forms.js";
import { useData } from "../live.js";
import { administers, may } from "../me.js";
import { Action, Badge, Fetched, Meter, Page, Time } from "../parts.js";
import { setQuery } from "../router.js";
import { Pager, Table, sortByQuery } from "../table.js";
import { Text, cut, visible } from "../text.js";
import { Waiting } from "../waiting.js";
import { done, named, powerDeeds, workerLink } from "../workers_shared.js";

const ROWS = 200; // as many as the stream brings
const RUNNING_SHOWN = 2;
const STATES = ["", "connected", "draining", "paused", "resting", "sick", "trial", "away", "gone"];
const FAILS = 0.1; // of the tasks that ended lately: from here on it is red

export default function Workers({ query }) {
  const asked = Object.fromEntries(["state", "label", "search", "sort", "order", "cursor"].map((name) => [name, query.get(name) ?? ""]));
  const plain = Object.values(asked).every((value) => !value);
  const path = withQuery("/api/workers", { ...asked, limit: ROWS });
  // The stream brings the first page as it is; what is filtered or sorted is asked for when it changes.
  const workers = useData(path, plain ? { topic: "workers" } : { on: "workers" });
  const [selected, setSelected] = useState(new Set());
  const [all, setAll] = useState(false);
  useLayoutEffect(() => { setSelected(new Set()); setAll(false); }, [path]);
  const select = (next) => { setSelected(next); setAll(false); };
  return html`<${Page} title="Workers" actions=${html`<${Fails} asked=${asked} />${administers() && html`
      <a class="button primary" href="/workers/add">Add a computer</a>`}`}>
    <${Waiting} />
    <${Filters} asked=${asked} />
    <${Fetched} from=${workers} lines=${12}>${(data) => html`
      <${Bulk} asked=${asked} page=${data} selected=${selected} all=${all} setAll=${setAll} select=${select} after=${workers.reload} />
      <section class="panel"><${Table} caption="Workers" columns=${COLUMNS} rows=${data.workers} rowKey=${(worker) => worker.name}
        sort=${asked.sort || "name"} order=${asked.order || "asc"} onSort=${sortByQuery} selected=${selected} onSelect=${may() ? select : undefined}
        loading=${workers.loading && workers.path !== path} empty=${html`<${None} plain=${plain} />`} />
        <${Pager} next=${data.next} late=${workers.path !== path} label="Pages of workers" /></section>`}<//>
  <//>`;
}

function Fails({ asked }) {
  const on = asked.sort === "failing";
  return html`<button type="button" aria-pressed=${on} onClick=${() => (on ? sortByQuery("", "") : sortByQuery("failing", "desc"))}>
    Failing most first</button>`;
}

function Filters({ asked }) {
  const set = (name) => (value) => setQuery({ [name]: value, cursor: "" });
  return html`<div class="filters" role="search" aria-label="Which workers">
    <${Search} label="Search workers" value=${asked.search} onChange=${set("search")} placeholder="A part of a name" />
    <${Choice} label="State" value=${asked.state} onChange=${set("state")} options=${STATES.map((one) => [one, one || "any"])} />
    <${Search} label="Label" value=${asked.label} onChange=${set("label")} placeholder="Label, as room=3" />
  </div>`;
}

function None({ plain }) {
  if (!plain) return html`No worker is like that. <a href="/workers">Show all</a>`;
  if (administers()) return html`No worker has come yet. <a href="/workers/add">Add a computer</a>`;
  return html`No worker has come yet. On any computer with dc:${" "}
    <code class="mono">python -m dc.worker ${location.origin}</code>`;
}

// --- columns ------------------------------------------------------------------------------------

const COLUMNS = [
  { key: "name", title: "Worker", head: true, sort: "name", cell: Who },
  { key: "state", title: "State", sort: "state", cell: State },
  { key: "slots", title: "Slots", sort: "held", first: "desc", cell: Slots },
  { key: "load", title: "Load", sort: "processors", first: "desc", cell: ({ vitals }) => vitals?.processors != null && html`<${Share} value=${vitals.processors} label="Processors" />` },
  { key: "memory", title: "Memory", sort: "memory", first: "desc", cell: Memory },
  { key: "rate", title: "Rate", number: true, sort: "rate", first: "desc", cell: (worker) => worker.rate > 0 && rate(worker.rate) },
  { key: "failing", title: "Failing", number: true, sort: "failing", first: "desc", cell: Failing },
  { key: "done", title: "Done", number: true, sort: "done", first: "desc", cell: (worker) => html`${count(worker.done)}
    ${worker.failed > 0 && html`<span class="below">${count(worker.failed)} failed</span>`}` },
  { key: "seen", title: "Since", number: true, cell: Here },
];

function Who(worker) {
  const computer = [worker.address.replace(/:\d+$/, ""), worker.labels.os].filter(Boolean).join(" · ");
  const labels = Object.keys(worker.labels).length;
  return html`<a class="worker-name" href=${workerLink(worker.name)}><${Text} value=${worker.name} max=${60} fixed /></a>
    <span class="below"><${Text} value=${computer || "not connected"} max=${80} fixed /></span>
    <span class="below"><${Text} value=${[version(worker), labels ? plural(labels, "label") : ""].filter(Boolean).join(" · ")} max=${80} fixed /></span>
    ${worker.note && html`<span class="below">“<${Text} value=${worker.note} max=${80} fixed />”</span>`}`;
}

function version({ software }) {
  return software ? software.replace(/^distributed-computing /, "") : "";
}

function State(worker) {
  const why = worker.state === "connected" && worker.held ? "" : worker.why;
  return html`<${Badge} state=${worker.state} />
    ${why && html`<span class="below clamp" title=${visible(cut(why, 400))}><${Text} value=${why} max=${120} fixed /></span>`}`;
}

function Slots(worker) {
  const busy = Math.min(worker.held, worker.slots);
  const first = worker.running.slice(0, RUNNING_SHOWN);
  return html`<span class="nowrap">${count(busy)} of ${count(worker.slots)} busy</span>
    ${first.length > 0 && html`<span class="below">${first.map((task, at) => html`${at > 0 && ", "}<a key=${`${task.job}/${task.number}`}
      href=${`/jobs/${task.job}/tasks/${task.number}`}>${task.job}/${task.number}</a>`)}
      ${worker.running.length > RUNNING_SHOWN && ` and ${count(worker.running.length - RUNNING_SHOWN)} more`}</span>`}`;
}

function Share({ value, label, below }) {
  return html`<div class="share-cell"><span>${percent(value)}</span><${Meter} value=${value} label=${label} />
    ${below && html`<span class="below">${below}</span>`}</div>`;
}

function Memory({ vitals }) {
  if (vitals?.memory_used == null || !vitals.memory_total) return null;
  return html`<${Share} value=${vitals.memory_used / vitals.memory_total} label="Memory" below=${`of ${size(vitals.memory_total)}`} />`;
}

function Failing(worker) {
  if (!worker.failing) return null;
  return html`<span class=${worker.failing >= FAILS ? "bad-text" : ""}>${percent(worker.failing)}</span>`;
}

function Here(worker) {
  if (worker.seen != null) return html`seen <${Time} at=${worker.seen} />`;
  return html`<${Time} at=${worker.connected_at} />`;
}

// --- many at once -------------------------------------------------------------------------------

const BULK = [
  ["drain", "Drain", "draining"], ["pause", "Pause", "paused"], ["resume", "Resume", "running"], ["label", "Label…"],
  ["slots", "Slots…"], ["note", "Note…"], ["restart", "Restart…", "retry"], ["stop", "Stop…"], ["remove", "Delete…", "failed"],
];

const ENDING = new Set(["off", "stop", "remove"]);

function Bulk({ asked, page, selected, all, setAll, select, after }) {
  if (!may()) return null;
  const here = page.workers.filter((worker) => selected.has(worker.name)); // who has gone from the list is not meant
  const names = here.map((worker) => worker.name);
  if (!names.length) return html`<div class="bulk"><span class="soft">${page.next ? `The first ${count(page.workers.length)} of them` : plural(page.workers.length, "worker")}.
    Select some to drain, pause, stop or change them.</span></div>`;
  const whole = all ? filterOf(asked) : null;
  const which = whole ?? { names };
  const who = whole ? "all workers that the filter matches" : named(names);
  const power = powerDeeds(here);
  const act = (deed) => async () => {
    const said = await done(deed, which, who, after);
    if (said !== null && deed === "remove") select(new Set());
    return said;
  };
  return html`<div class="bulk" role="group" aria-label="Selected workers">
    <strong>${whole ? "All selected" : `${count(names.length)} selected`}</strong>
    ${[...BULK.slice(0, -2), ...power, ...BULK.slice(-2)].map(([deed, text, icon]) => html`<${Action} key=${deed} act=${act(deed)} icon=${icon}
      kind=${ENDING.has(deed) ? "small quiet-danger" : "small"}>${text}<//>`)}
    ${page.next && !all && filterOf(asked) && html`<button type="button" class="more" onClick=${() => setAll(true)}>
      Select all that the filter matches</button>`}
    <button type="button" class="more" onClick=${() => select(new Set())}>Select none</button>
  </div>`;
}

// The filter as the server takes it for a command; null if it cannot be said there: words to look for.
function filterOf({ state, label, search }) {
  if (search) return null;
  const [name, ...value] = label.split("=");
  return { states: state ? state.split(",") : [], labels: label ? { [name]: value.join("=") } : {}, all: true };
}
