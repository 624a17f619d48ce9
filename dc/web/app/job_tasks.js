// The tasks of a job, page by page.
import { html } from "../vendor/vendor.js";
import { withQuery } from "./api.js";
import { count, size, span } from "./format.js";
import { Choice } from "./forms.js";
import { WorkerLink } from "./jobs_shared.js";
import { useData } from "./live.js";
import { Badge, Fetched, Meter, Since, Time } from "./parts.js";
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
      <${Pager} next=${data.next} late=${tasks.path !== path} />`}<//>
  </div>`;
}
