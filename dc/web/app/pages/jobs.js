// All jobs: to find one, and to act on several.
import { html, useLayoutEffect, useState } from "../../vendor/vendor.js";
import { send, withQuery } from "../api.js";
import { confirm } from "../dialog.js";
import { plural, rate } from "../format.js";
import { Choice, Search } from "../forms.js";
import { columnsFor, FINISHED, JobLink, JobProgress, noteOf, STATES } from "../jobs_shared.js";
import { useData } from "../live.js";
import { controls, may } from "../me.js";
import { Action, Badge, Fetched, Page, Time } from "../parts.js";
import { setQuery } from "../router.js";
import { Pager, sortByQuery, Table } from "../table.js";
import { Text } from "../text.js";

const ROWS = 50;

const COLUMNS = [
  { key: "job", title: "Number", sort: "job", first: "desc", number: true, cell: (job) => job.job },
  { key: "name", title: "Job", sort: "name", head: true, cell: (job) => html`<${JobLink} job=${job} />
    <span class="below"><${Text} value=${job.type} max=${60} fixed /></span>` },
  { key: "state", title: "State", cell: (job) => html`<${Badge} state=${job.state} />` },
  { key: "progress", title: "Progress", cell: (job) => html`<${JobProgress} counts=${job.counts} />` },
  { key: "why", title: "Note", cell: (job) => noteOf(job) && html`<${Text} value=${noteOf(job)} max=${80} fixed />` },
  { key: "submitter", title: "Submitter", cell: (job) => job.submitter && html`<${Text} value=${job.submitter} max=${32} fixed />` },
  { key: "rate", title: "Rate", number: true, cell: (job) => job.rate != null && rate(job.rate) },
  { key: "created", title: "Submitted", sort: "created", first: "desc", number: true, cell: (job) => html`<${Time} at=${job.created} />` },
  { key: "finished", title: "Finished", sort: "finished", first: "desc", number: true,
    cell: (job) => job.finished_at != null && html`<${Time} at=${job.finished_at} />` },
];

export default function Jobs({ query }) {
  const said = (name, usual = "") => query.get(name) ?? usual;
  const [sort, order] = [said("sort", "job"), said("order", "desc")];
  const state = said("state");
  const path = withQuery("/api/jobs", {
    state: STATES[state]?.[1] ?? state, type: said("type"), submitter: said("submitter"),
    search: said("search"), cursor: said("cursor"), sort, order, limit: ROWS,
  });
  const jobs = useData(path, { on: "jobs" });
  const [selected, setSelected] = useState(new Set());
  useLayoutEffect(() => setSelected(new Set()), [path]);
  const filter = (changes) => setQuery({ ...changes, cursor: "" });
  const filtered = ["state", "type", "submitter", "search"].some((name) => said(name));
  return html`<${Page} title="Jobs" actions=${may("submit") && html`<a class="button primary" href="/submit">Submit a job</a>`}>
    <div class="panel">
      <div class="filters" role="search" aria-label="Jobs">
        <${Search} label="Search by name" value=${said("search")} onChange=${(search) => filter({ search })} />
        <${Choice} label="State" value=${state} onChange=${(one) => filter({ state: one })}
          options=${Object.entries(STATES).map(([name, [text]]) => [name, text])} />
        <${Types} value=${said("type")} onChange=${(type) => filter({ type })} />
        <${Submitters} value=${said("submitter")} onChange=${(submitter) => filter({ submitter })} />
        ${filtered && html`<button type="button" class="small"
          onClick=${() => filter({ state: "", type: "", submitter: "", search: "" })}>Clear filters</button>`}
      </div>
      <${Fetched} from=${jobs} lines=${12}>${(data) => html`
        <${Bulk} jobs=${data.jobs.filter((job) => selected.has(job.job) && controls(job.submitter))}
          after=${jobs.reload} drop=${(some) => setSelected((old) => new Set([...old].filter((job) => !some.has(job))))} />
        <${Table} caption="Jobs" columns=${columnsFor(COLUMNS, data.jobs)} rows=${data.jobs} rowKey=${(job) => job.job}
          nameOf=${(job) => `job ${job.job}`} sort=${sort} order=${order} onSort=${sortByQuery}
          selected=${selected} onSelect=${may("submit") ? setSelected : undefined} loading=${jobs.loading && jobs.path !== path}
          empty=${filtered ? "No job is like that: change the filters." : html`There is no job yet.
            ${may("submit") && html`<a href="/submit">Submit one</a>, or do it from a program.`}`} />
        <${Pager} next=${data.next} late=${jobs.path !== path} />`}<//>
    </div>
  <//>`;
}

// --- filters ------------------------------------------------------------------------------------

function Types({ value, onChange }) {
  const types = useData("/api/types");
  const names = [...new Set([...(types.data?.types ?? []).map((one) => one.name), value])].filter(Boolean).sort();
  return html`<${Choice} label="Type" value=${value} onChange=${onChange}
    options=${[["", "All"], ...names.map((name) => [name, name])]} />`;
}

function Submitters({ value, onChange }) {
  const known = useData(may("view") ? "/api/submitters" : "");
  const names = [...new Set([...(known.data?.submitters ?? []).map((one) => one.name), value])].filter(Boolean);
  if (!names.length) return null;
  return html`<${Choice} label="Submitter" value=${value} onChange=${onChange}
    options=${[["", "All"], ...names.map((name) => [name, name])]} />`;
}

// --- several at once ----------------------------------------------------------------------------

// `drop` takes numbers of jobs out of what is selected: of what was selected since, nothing.
function Bulk({ jobs, after, drop }) {
  if (!jobs.length) return null;
  const open = jobs.filter((job) => !FINISHED.has(job.state));
  const paused = open.filter((job) => job.state === "paused");
  const running = open.filter((job) => job.state !== "paused");
  const each = async (some, action) => { // one that is refused, as it has finished meanwhile, keeps no other back
    const problems = [];
    for (const job of some) await send("POST", `/api/jobs/${job.job}/${action}`, {}).catch((problem) => problems.push(problem));
    after();
    if (problems.length) throw problems[0];
  };
  const deed = (some, action) => each(some, action).finally(() => drop(new Set(jobs.map((job) => job.job))));
  const pause = async () => {
    await deed(running, "pause");
    return { text: `${plural(running.length, "job")} paused.`, undo: () => each(running, "resume") };
  };
  const resume = async () => {
    await deed(paused, "resume");
    return { text: `${plural(paused.length, "job")} resumed.`, undo: () => each(paused, "pause") };
  };
  const cancel = async () => {
    const tasks = open.reduce((sum, job) => sum + job.counts.queued + job.counts.assigned + job.counts.running, 0);
    if (!await confirm({
      title: `Cancel ${plural(open.length, "job")}?`, danger: true, action: `Cancel ${plural(open.length, "job")}`,
      text: `${plural(tasks, "unfinished task")} will not run; what has finished stays. This cannot be undone.`,
    })) return null;
    await deed(open, "cancel");
    return `${plural(open.length, "job")} cancelled.`;
  };
  return html`<div class="bulk" role="group" aria-label="Selected jobs"><strong>${plural(jobs.length, "job")} selected</strong>
    <${Action} act=${pause} kind="small" icon="paused" disabled=${!running.length}>Pause<//>
    <${Action} act=${resume} kind="small" icon="running" disabled=${!paused.length}>Resume<//>
    <${Action} act=${cancel} kind="small quiet-danger" icon="close" disabled=${!open.length}>Cancel<//></div>`;
}
