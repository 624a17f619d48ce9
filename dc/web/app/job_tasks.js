// The tasks of a job, page by page, and their results.
import { html } from "../vendor/vendor.js";
import { withQuery } from "./api.js";
import { Bytes } from "./bytes.js";
import { count, size, span } from "./format.js";
import { Choice } from "./forms.js";
import { Icon } from "./icons.js";
import { WorkerLink } from "./jobs_shared.js";
import { useData } from "./live.js";
import { Badge, Fetched, Meter, Section, Since, Time } from "./parts.js";
import { go, setQuery } from "./router.js";
import { Pager, Table } from "./table.js";
import { Text } from "./text.js";

const ROWS = 50;
const STATES = [["", "All"], ["unfinished", "Unfinished"], ["failed", "Failed"], ["done", "Done"], ["finished", "Finished"]];

// A field for a task's number: any of ten million is one step away.
export function GoToTask({ job }) {
  const submit = (event) => {
    event.preventDefault();
    const number = new FormData(event.target).get("number");
    if (number !== "") go(`/jobs/${job.job}/tasks/${Number(number)}`);
  };
  return html`<form class="go-to" onSubmit=${submit}><label class="choice">Task
    <input name="number" type="number" min="0" max=${Math.max(0, job.counts.total - 1)} step="1" inputmode="numeric" required
      placeholder=${`0 to ${count(Math.max(0, job.counts.total - 1))}`} /></label>
    <button type="submit">Go</button></form>`;
}

// --- tasks --------------------------------------------------------------------------------------

const columnsOf = (job) => [
  { key: "number", title: "Task", head: true, cell: (task) => html`<a href=${`/jobs/${job}/tasks/${task.number}`}>${task.number}</a>` },
  { key: "state", title: "State", cell: (task) => html`<${Badge} state=${task.state} />` },
  { key: "worker", title: "Worker", cell: (task) => html`<${WorkerLink} name=${task.worker} />` },
  { key: "time", title: "Run time", number: true, cell: runTime },
  { key: "attempt", title: "Attempts", number: true, cell: (task) => task.attempt },
  { key: "finished", title: "Finished", number: true, cell: (task) => html`<${Time} at=${task.finished_at} />` },
  { key: "what", title: "Note", cell: noteOf },
];

function runTime(task) {
  if (task.time != null) return span(task.time);
  return task.began != null && task.state === "running" ? html`<${Since} at=${task.began} />` : html`<span class="soft">–</span>`;
}

function noteOf(task) {
  if (task.failure) return html`<${Text} value=${task.failure.error || task.failure.kind} max=${90} fixed />`;
  if (task.progress) {
    return html`<div class="wide"><${Meter} value=${task.progress.fraction} label="Progress" />
      <span class="below"><${Text} value=${task.progress.text} max=${60} fixed /></span></div>`;
  }
  if (task.why) return html`<${Text} value=${task.why} max=${90} fixed />`;
  return task.result_size != null && html`<span class="soft">result of ${size(task.result_size)}</span>`;
}

export function JobTasks({ job, query }) {
  const state = query.get("state") ?? "";
  const path = withQuery(`/api/jobs/${job.job}/tasks`, { state, cursor: query.get("cursor"), limit: ROWS });
  const tasks = useData(path, { on: `job:${job.job}` });
  return html`<div class="panel">
    <div class="filters">
      <${Choice} label="State" value=${state} options=${STATES} onChange=${(one) => setQuery({ state: one, cursor: "" })} />
      <${GoToTask} job=${job} />
    </div>
    <${Fetched} from=${tasks} lines=${12}>${(data) => html`<${Table} caption="Tasks" columns=${columnsOf(job.job)} rows=${data.tasks}
        rowKey=${(task) => task.number} loading=${tasks.loading && tasks.path !== path}
        empty=${state ? "No task is in this state." : "It has no task."} />
      <${Pager} next=${data.next} />`}<//>
  </div>`;
}

// --- results ------------------------------------------------------------------------------------

const resultColumns = (job, shown) => [
  { key: "number", title: "Task", head: true, cell: (task) => html`<a href=${`/jobs/${job.job}/tasks/${task.number}`}>${task.number}</a>` },
  { key: "size", title: "Result", number: true, cell: (task) => size(task.result_size) },
  { key: "time", title: "Run time", number: true, cell: (task) => span(task.time) },
  { key: "worker", title: "Worker", cell: (task) => html`<${WorkerLink} name=${task.worker} />` },
  { key: "look", title: "Look", unseen: true, cell: (task) => html`<div class="buttons end-cell">
    <button type="button" class="small" aria-pressed=${shown === task.number}
      onClick=${() => setQuery({ show: shown === task.number ? "" : task.number })}>
      ${shown === task.number ? "Hide" : "Look"}<span class="unseen">${shown === task.number ? "" : " at"} the result of task ${task.number}</span></button>
    <a class="button small" href=${`/jobs/${job.job}/tasks/${task.number}/result`} download=${fileName(job.job, task.number)}
      aria-label=${`Download the result of task ${task.number}`}><${Icon} name="download" /></a></div>` },
];

export function fileName(job, number, what = "result") {
  return `job-${job}-task-${number}-${what}`;
}

export function Results({ job, query }) {
  const path = withQuery(`/api/jobs/${job.job}/tasks`, { state: "done", cursor: query.get("cursor"), limit: ROWS });
  const tasks = useData(path);
  const shown = query.has("show") ? Number(query.get("show")) : null;
  const tools = html`<a class="button small" href=${`/api/jobs/${job.job}/results`} download=${`job-${job.job}-results.ndjson`}>
      <${Icon} name="download" />All results (NDJSON)</a>
    <a class="button small" href=${`/api/jobs/${job.job}/trace`} download=${`job-${job.job}-trace.json`}><${Icon} name="download" />Trace</a>`;
  return html`<${Section} title="Results" note=${`${count(job.counts.done)} tasks are done`} tools=${tools}>
    ${job.counts.done > 0 && !tasks.loading && tasks.data?.tasks.length === 0 && html`<button type="button" class="small" onClick=${tasks.reload}>Show them</button>`}
    <${Fetched} from=${tasks} lines=${10}>${(data) => html`
      ${shown !== null && html`<${ShownResult} job=${job} task=${data.tasks.find((one) => one.number === shown)} number=${shown} />`}
      <${Table} caption="Results" columns=${resultColumns(job, shown)} rows=${data.tasks} rowKey=${(task) => task.number}
        loading=${tasks.loading && tasks.path !== path} empty="There is no result yet." />
      <${Pager} next=${data.next} />`}<//>
  <//>`;
}

function ShownResult({ job, task, number }) {
  if (!task) return null;
  return html`<div class="shown"><h3>Result of task ${number}</h3>
    <${Bytes} path=${`/jobs/${job.job}/tasks/${number}/result`} codec=${job.result} size=${task.result_size ?? 0}
      label=${`result of task ${number}`} file=${fileName(job.job, number)} /></div>`;
}
