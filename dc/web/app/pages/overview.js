// The first page: what happens, whether it is well, when it will be done, and what needs attention.
import { html, useEffect, useMemo, useState } from "../../vendor/vendor.js";
import { withQuery } from "../api.js";
import { useCell } from "../cell.js";
import { Chart } from "../chart.js";
import { clock } from "../clock.js";
import { count, plural, rate, size, span } from "../format.js";
import { Icon } from "../icons.js";
import { columnsFor, CountsLegend, JobLink, JobProgress, leftBelow, leftText, noteOf, STATES } from "../jobs_shared.js";
import { connection, subscribe, useData } from "../live.js";
import { may } from "../me.js";
import { useWaiting, waitingNote } from "../waiting.js";
import { Badge, Empty, Fetched, Figures, Loading, Page, Progress, Section, Tile, Time, Trouble } from "../parts.js";
import { setQuery } from "../router.js";
import { Table } from "../table.js";
import { Text } from "../text.js";

const JOBS_SHOWN = 8;
const ATTENTION_SHOWN = 5;

export default function Overview({ query }) {
  const overview = useData("/api/overview", { topic: "overview" });
  const waiting = waitingNote(useWaiting().waiting);
  return html`<${Page} title="Overview">
    ${overview.data ? html`<${AtAGlance} of=${overview.data} first=${waiting} />`
      : overview.problem ? html`<${Trouble} problem=${overview.problem} again=${overview.reload} />`
      : html`<div class="tiles first-wide">${Array.from({ length: 6 }, (_, at) => html`<div class="tile" key=${at}>
          <${Loading} lines=${2} /></div>`)}</div>`}
    <div class="columns wide-first">
      <${Throughput} name=${query.get("last") ?? "3h"} rate=${overview.data?.status.rate} />
      ${overview.data && html`<${States} status=${overview.data.status} />`}
    </div>
    <${Running} />
    ${overview.data && html`<${Failures} of=${overview.data.failures} />`}
  <//>`;
}

function AtAGlance({ of: { status, left, attention }, first }) {
  const { tasks } = status;
  const unfinished = tasks.queued + tasks.assigned + tasks.running;
  const jobs = Object.values(status.jobs).reduce((sum, number) => sum + number, 0);
  const absent = [status.away && `${count(status.away)} away`, status.sick && `${count(status.sick)} sick`];
  return html`
    <${Attentions} of=${[...first, ...attention]} />
    <div class="tiles first-wide">
      <${Tile} name="Time left" value=${leftText(left)} below=${left.tasks ? leftBelow(left) : "All is done"} />
      <${Tile} name="Throughput" value=${rate(status.rate)} below="tasks finished, lately" />
      <${Tile} name="Unfinished" value=${count(unfinished)} href="/jobs?state=unfinished"
        below=${`${count(tasks.running)} running, in ${plural(jobs, "job")}`} />
      <${Tile} name="Slots busy" value=${`${count(status.busy)} of ${count(status.slots)}`} href="/workers"
        below=${status.slots ? `${Math.round((100 * status.busy) / status.slots)} % in use` : "No worker is here"} />
      <${Tile} name="Workers" value=${count(status.workers)} href="/workers" level=${status.sick ? "bad" : ""}
        below=${absent.filter(Boolean).join(", ") || "All are well"} />
      <${Tile} name="Failed" value=${count(tasks.failed)} href="/jobs?state=failed" level=${tasks.failed ? "bad" : ""}
        below=${`of ${count(tasks.done + tasks.failed)} finished`} />
    </div>`;
}

function Attentions({ of: all }) {
  const [more, setMore] = useState(false);
  if (!all.length) return null;
  const shown = more ? all : all.slice(0, ATTENTION_SHOWN);
  return html`<section class="attention" aria-labelledby="attention"><h2 id="attention" class="unseen">Needs attention</h2>
    <ul>${shown.map((one, at) => html`<li class=${`note ${one.level}`} key=${attentionKey(one, shown.slice(0, at))}>
      <${Icon} name=${one.level === "info" ? "info" : "sick"} />
      <div><span class="unseen">${one.level}: </span><${Text} value=${one.text} max=${400} />
        ${one.since != null && html` <span class="soft">(<${Time} at=${one.since} />)</span>`}</div>
      ${one.link && html`<a class="note-end" href=${one.link}>Look<span class="unseen"> at it: ${one.kind}</span></a>`}
    </li>`)}</ul>
    ${all.length > ATTENTION_SHOWN && html`<button type="button" class="more" aria-expanded=${more}
      onClick=${() => setMore(!more)}>${more ? "Show fewer" : `Show all ${count(all.length)}`}</button>`}
  </section>`;
}

// Its words may count seconds: it stays the same all the same, so that a click or the focus on its link is not lost.
function attentionKey({ kind, link }, before) {
  return `${kind} ${link} ${before.filter((one) => one.kind === kind && one.link === link).length}`;
}

// --- throughput ---------------------------------------------------------------------------------

const SPANS = [["15m", 900, "15 min"], ["3h", 10800, "3 h"], ["2d", 172800, "2 days"], ["30d", 2592000, "30 days"],
  ["2y", 63072000, "2 years"]];
const SERIES = [{ label: "Done", colour: "--bar-done", fill: "--area-done" }, { label: "Failed", colour: "--bar-failed" }];
const STEPS_ASKED = 300;
const LEAST_SHOWN = 60; // seconds

function Throughput({ name, rate: now }) {
  const [, back, words] = SPANS.find(([one]) => one === name) ?? SPANS[1];
  const [turn, setTurn] = useState(0);
  const [begin, setBegin] = useState(0);
  const path = useMemo(() => {
    const until = Math.floor(clock.now());
    return withQuery("/api/history", { since: Math.max(until - back, begin), until, points: STEPS_ASKED });
  }, [back, turn, begin]);
  const history = useData(path);
  const step = history.data?.step ?? 10;
  useEffect(() => { // of a young server there are finer steps than the whole time would have
    const { at, series } = history.data ?? { at: [], series: {} };
    const known = at.findIndex((_, index) => series.done?.[index] != null);
    if (!begin && known > at.length / 2) setBegin(Math.floor(at[known] - step));
  }, [history.data]);
  useEffect(() => { // what is new comes by asking again, a step apart; the stream says when there is one
    let last = performance.now();
    return subscribe("history", "", () => {
      if (performance.now() - last < step * 1000) return;
      last = performance.now();
      setTurn((count) => count + 1);
    });
  }, [step]);
  const polling = useCell(connection).state === "polling";
  useEffect(() => { // without a stream nothing says so
    if (!polling) return undefined;
    const timer = setInterval(() => { if (!document.hidden) setTurn((count) => count + 1); }, step * 1000);
    return () => clearInterval(timer);
  }, [polling, step]);
  const tools = html`<div class="switch" role="group" aria-label="Time shown">${SPANS.map(([one, , text]) => html`
    <button type="button" key=${one} aria-pressed=${one === name} onClick=${() => setQuery({ last: one === "3h" ? "" : one })}>
      ${text}</button>`)}</div>`;
  return html`<${Section} title="Throughput" note=${`tasks a second, the last ${words}`} tools=${tools}>
    <${Fetched} from=${history} lines=${9}>${(data) => html`<${History} of=${data} back=${back} now=${now} />`}<//>
  <//>`;
}

function History({ of: { at, step, series }, back }) {
  const data = useMemo(() => {
    const each = (values) => (values ?? []).map((value) => (value == null ? null : value / step));
    return [at, each(series.done), each(series.failed)];
  }, [at, step, series]);
  const known = data[1].findIndex((value) => value != null);
  const until = at.length ? at.at(-1) : clock.now();
  const since = Math.max(until - back, Math.min(known < 0 ? 0 : at[known], until - LEAST_SHOWN)); // young servers
  if (known < 0) return html`<${Empty}>Nothing has been counted yet: the chart begins with the first task.<//>`;
  return html`<${Chart} data=${data} series=${SERIES} format=${rate} label="Throughput" height=${180}
    since=${since} until=${until} />`;
}

// --- tasks by state -----------------------------------------------------------------------------

function States({ status }) {
  const { tasks } = status;
  return html`<${Section} title="Tasks" note=${`${count(tasks.total)} in all`}>
    <${Progress} counts=${tasks} label="Tasks by state" />
    <${CountsLegend} counts=${tasks} />
    <div class="panel-foot"><${Figures} of=${[
      ["Stored", html`${size(status.bytes)}${status.disk_free != null && html`<span class="below">${size(status.disk_free)} free</span>`}`],
      ["Task types", html`<a href="/plugins">${count(status.types)}</a>`],
      ["Server up", span(Math.floor(clock.now() - status.started))],
      ["Version", html`<${Text} value=${status.version} max=${20} fixed />`],
    ]} /></div>
  <//>`;
}

// --- jobs ---------------------------------------------------------------------------------------

const COLUMNS = [
  { key: "name", title: "Job", head: true, cell: (job) => html`<${JobLink} job=${job} /><span class="below">
    ${job.job} · <${Text} value=${job.type} max=${60} fixed /></span>` },
  { key: "state", title: "State", cell: (job) => html`<${Badge} state=${job.state} />` },
  { key: "progress", title: "Progress", cell: (job) => html`<${JobProgress} counts=${job.counts} />` },
  { key: "why", title: "Note", cell: (job) => noteOf(job) && html`<${Text} value=${noteOf(job)} max=${90} fixed />` },
  { key: "rate", title: "Rate", number: true, cell: (job) => job.rate != null && rate(job.rate) },
  { key: "created", title: "Submitted", number: true, cell: (job) => html`<${Time} at=${job.created} />` },
];

function Running() {
  const path = withQuery("/api/jobs", { state: STATES.unfinished[1], limit: JOBS_SHOWN });
  const jobs = useData(path, { on: "jobs" });
  return html`<${Section} title="Unfinished jobs" tools=${html`<a href="/jobs">All jobs</a>`}>
    <${Fetched} from=${jobs} lines=${6}>${(data) => html`<${Table} caption="Unfinished jobs" columns=${columnsFor(COLUMNS, data.jobs)}
      rows=${data.jobs} rowKey=${(job) => job.job} empty=${html`Nothing is to be done.
        ${may("submit") && html`<a href="/submit">Submit a job</a>, or see `}<a href="/jobs">${may("submit") ? "those" : "The jobs"} that have finished</a>.`} />`}<//>
  <//>`;
}

// --- failures -----------------------------------------------------------------------------------

function Failures({ of: failures }) {
  if (!failures.length) return null;
  return html`<${Section} title="Failures lately" tools=${html`<a href="/workers?sort=failing&order=desc">Workers, failing most first</a>`}>
    <ul class="rows">${failures.map(({ job, name, type, group }) => html`<li class="row" key=${`${job} ${group.kind} ${group.error}`}>
      <span class="row-number">${count(group.count)}</span>
      <div class="row-main"><a href=${`/jobs/${job}/tasks/${group.first}`}><${Text} value=${group.error || group.kind} max=${160} fixed /></a>
        <span class="below"><a href=${`/jobs/${job}`}><${Text} value=${name || type} max=${60} fixed /></a>, ${group.kind},
          last in task <a href=${`/jobs/${job}/tasks/${group.last}`}>${group.last}</a></span></div>
      <${Time} at=${group.last_at} /></li>`)}</ul>
  <//>`;
}
