// The results of a job, page by page, and one of them to look at.
import { html } from "../vendor/vendor.js";
import { withQuery } from "./api.js";
import { Bytes } from "./bytes.js";
import { count, fileName, size, span } from "./format.js";
import { Icon } from "./icons.js";
import { WorkerLink } from "./jobs_shared.js";
import { useData } from "./live.js";
import { Fetched, Section } from "./parts.js";
import { setQuery } from "./router.js";
import { Pager, Table } from "./table.js";

const ROWS = 50;

const resultColumns = (job, shown) => [
  { key: "number", title: "Task", head: true, cell: (task) => html`<a href=${`/jobs/${job.job}/tasks/${task.number}`}>${task.number}</a>` },
  { key: "size", title: "Result", number: true, cell: (task) => size(task.result_size) },
  { key: "time", title: "Run time", number: true, cell: (task) => span(task.time) },
  { key: "worker", title: "Worker", cell: (task) => html`<${WorkerLink} name=${task.worker} />` },
  { key: "look", title: "Look", unseen: true, cell: (task) => html`<div class="buttons end-cell">
    <button type="button" class="small" aria-pressed=${shown === task.number}
      onClick=${() => setQuery({ show: shown === task.number ? "" : task.number }, { state: history.state })}>
      ${shown === task.number ? "Hide" : "Look"}<span class="unseen">${shown === task.number ? "" : " at"} the result of task ${task.number}</span></button>
    <a class="button small" href=${`/jobs/${job.job}/tasks/${task.number}/result`} download=${fileName(job.job, task.number)}
      aria-label=${`Download the result of task ${task.number}`}><${Icon} name="download" /></a></div>` },
];

export default function Results({ job, query }) {
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
      <${Pager} next=${data.next} late=${tasks.path !== path} />`}<//>
  <//>`;
}

function ShownResult({ job, task, number }) {
  if (!task) return null;
  return html`<div class="shown"><h3>Result of task ${number}</h3>
    <${Bytes} path=${`/jobs/${job.job}/tasks/${number}/result`} codec=${job.result} size=${task.result_size ?? 0}
      label=${`result of task ${number}`} file=${fileName(job.job, number)} /></div>`;
}
