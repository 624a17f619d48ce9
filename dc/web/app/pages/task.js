// A task: why it is as it is, its attempts, what went in, what came out, and what it wrote.
import { html, useEffect, useRef, useState } from "../../vendor/vendor.js";
import { get, send } from "../api.js";
import { Bytes } from "../bytes.js";
import { confirm } from "../dialog.js";
import { count, fileName, size, span } from "../format.js";
import { Icon } from "../icons.js";
import { GoToTask } from "../job_tasks.js";
import { FINISHED, WorkerLink } from "../jobs_shared.js";
import { subscribe, useData } from "../live.js";
import { NO_OUTPUT, joined } from "../output.js";
import { controls } from "../me.js";
import { Action, Badge, Empty, Fetched, Figures, Meter, Note, Page, Section, Since, Time, Trouble } from "../parts.js";
import { Table } from "../table.js";
import { Block, Text } from "../text.js";

const SHOWN = 64 * 1024; // characters of output that stay in the page
const AGAIN_MS = 2000;

export default function TaskPage({ job: jobNumber, task: number }) {
  const address = `/api/jobs/${jobNumber}/tasks/${number}`;
  const task = useData(address, { topic: `task:${jobNumber}/${number}` });
  const job = useData(`/api/jobs/${jobNumber}`);
  const name = job.data?.name || job.data?.type || `Job ${jobNumber}`;
  const crumbs = [["Jobs", "/jobs"], [html`<${Text} value=${name} max=${60} fixed />`, `/jobs/${jobNumber}`],
    ["Tasks", `/jobs/${jobNumber}?tab=tasks`]];
  const { data } = task;
  return html`<${Page} title=${`Task ${number}`} name=${`Task ${number} of job ${jobNumber}`} crumbs=${crumbs}
      badge=${data && html`<${Badge} state=${data.state} />`}
      actions=${html`<${Beside} job=${job.data} number=${Number(number)} />
        ${data && job.data && controls(job.data.submitter) && html`<${TaskActions} task=${data} address=${address} onChange=${task.set} />`}`}>
    ${!data ? (task.problem ? html`<${Trouble} problem=${task.problem} again=${task.reload} />` : html`<${Fetched} from=${task} lines=${10} />`)
      : html`<${Shown} task=${data} job=${job.data} />`}
  <//>`;
}

function Beside({ job, number }) {
  const last = (job?.counts.total ?? 0) - 1;
  const link = (to, icon, text) => (to >= 0 && to <= last
    ? html`<a class="button" href=${`/jobs/${job.job}/tasks/${to}`} aria-label=${`${text} task`} title=${`${text} task`}><${Icon} name=${icon} /></a>` : null);
  return html`${link(number - 1, "left", "Previous")}${link(number + 1, "right", "Next")}${job && html`<${GoToTask} job=${job} />`}`;
}

function TaskActions({ task, address, onChange }) {
  const cancel = async () => {
    if (!await confirm({
      title: `Cancel task ${task.number}?`, danger: true, action: "Cancel the task",
      text: "It is stopped if it runs, and counts as cancelled. The rest of the job goes on.",
    })) return null;
    onChange(await send("POST", `${address}/cancel`, {}));
    return "Cancelled.";
  };
  const retry = async () => {
    onChange(await send("POST", `${address}/retry`, {}));
    return "It will run again.";
  };
  return html`${task.state === "failed" && html`<${Action} act=${retry} icon="retry">Retry<//>`}
    ${!FINISHED.has(task.state) && html`<${Action} act=${cancel} kind="quiet-danger" icon="close">Cancel<//>`}`;
}

function Shown({ task, job }) {
  const at = `/jobs/${task.job}/tasks/${task.number}`;
  return html`
    ${task.why && html`<${Note} level=${task.reason?.kind === "impossible" ? "error" : "info"}>
      <strong>Why it waits:</strong>${" "}<${Text} value=${task.why} max=${800} /><//>`}
    ${task.failure && html`<${Failure} failure=${task.failure} worker=${task.worker} />`}
    <section class="panel" aria-label="In short">
      ${task.progress && html`<div class="big-progress"><${Meter} value=${task.progress.fraction} label="Progress" />
        <p class="soft"><${Text} value=${task.progress.text} />, <${Time} at=${task.progress.at} /></p></div>`}
      <${Figures} of=${[
        ["Worker", html`<${WorkerLink} name=${task.worker} />`],
        task.state === "running" && task.began != null && ["Running for", html`<${Since} at=${task.began} />`],
        task.time != null && ["Run time", span(task.time)],
        ["Attempts", count(task.attempt)],
        task.crashes > 0 && ["Crashes", count(task.crashes)],
        task.finished_at != null && ["Finished", html`<${Time} at=${task.finished_at} />`],
        ["Payload", size(task.payload_size)],
        task.result_size != null && ["Result", size(task.result_size)],
        ["Output", size(task.output_size ?? 0)],
      ]} />
    </section>
    ${task.attempts?.length > 0 && html`<${Attempts} attempts=${task.attempts} />`}
    <div class="columns">
      ${task.result_size != null && job && html`<${Section} title="Result">
        <${Bytes} key=${task.attempt} path=${`${at}/result`} codec=${job.result} size=${task.result_size} label="result" file=${fileName(task.job, task.number)} /><//>`}
      ${job && html`<${Section} title="Payload"><${Bytes} path=${`${at}/payload`} codec=${job.payload} size=${task.payload_size} label="payload"
        file=${fileName(task.job, task.number, "payload")} /><//>`}
      <${Output} key=${`${task.attempt}-${task.state}`} task=${task} />
    </div>`;
}

function Failure({ failure, worker }) {
  return html`<section class="panel failure" aria-labelledby="failure"><div class="panel-head"><h2 id="failure">It failed: ${failure.kind}</h2>
      ${worker && html`<span class="soft">on <${WorkerLink} name=${worker} /></span>`}</div>
    <p class="failure-error"><${Text} value=${failure.error} max=${600} /></p>
    ${failure.traceback && html`<${Block} value=${failure.traceback} label="traceback" tail />`}
  </section>`;
}

// --- attempts -----------------------------------------------------------------------------------

const ENDS = {
  done: "done", running: "running", assigned: "assigned", error: "failed", timeout: "failed", memory: "failed",
  crashed: "failed", payload: "failed", quota: "failed", deadline: "failed", lost: "away", returned: "gone", cancelled: "cancelled",
};
const ENDS_TEXT = {
  lost: "its worker was lost", returned: "given back", memory: "too much memory", timeout: "timed out", crashed: "crashed",
  error: "raised", payload: "bad payload", quota: "above a quota", deadline: "deadline passed",
};
const COLUMNS = [
  { key: "attempt", title: "Attempt", head: true, cell: (one) => one.attempt },
  { key: "end", title: "Ended", cell: (one) => html`<${Badge} state=${ENDS[one.end] ?? "queued"} text=${ENDS_TEXT[one.end] ?? one.end} />` },
  { key: "worker", title: "Worker", cell: (one) => html`<${WorkerLink} name=${one.worker} />` },
  { key: "began", title: "Began", cell: (one) => html`<${Time} at=${one.began} long />` },
  { key: "took", title: "Took", number: true, cell: took },
  { key: "why", title: "Error", cell: (one) => one.failure && html`<${Text} value=${one.failure.error} max=${160} />` },
];

function took(one) {
  if (one.seconds != null) return span(one.seconds);
  if (one.end === "running") return html`<${Since} at=${one.began} />`;
  return one.began != null && one.ended != null ? span(one.ended - one.began) : html`<span class="soft">–</span>`;
}

function Attempts({ attempts }) {
  return html`<${Section} title="Attempts"><${Table} caption="Attempts" columns=${COLUMNS} rows=${[...attempts].reverse()}
    rowKey=${(one) => one.attempt} /><//>`;
}

// --- output -------------------------------------------------------------------------------------

// What it has written, and goes on to write; only the end stays in the page.
function Output({ task }) {
  const path = `/api/jobs/${task.job}/tasks/${task.number}/output`;
  const [state, setState] = useState(NO_OUTPUT);
  const [follow, setFollow] = useState(true);
  const box = useRef(null);
  useEffect(() => {
    let mine = true;
    let timer = 0;
    const take = (piece) => mine && setState((old) => joined(old, piece, SHOWN));
    const ask = () => get(path).then(take, (problem) => {
      if (!mine) return;
      setState((old) => (old.loaded ? old : { ...old, problem })); // what the stream has brought stays
      if (problem.lost) timer = setTimeout(ask, AGAIN_MS);
    });
    ask();
    const end = FINISHED.has(task.state) ? null : subscribe(`output:${task.job}/${task.number}`, path, take, { same: true });
    return () => {
      mine = false;
      clearTimeout(timer);
      end?.();
    };
  }, [path]);
  useEffect(() => {
    const pre = box.current?.querySelector("pre");
    if (follow && state.live && pre) pre.scrollTop = pre.scrollHeight;
  }, [state.text, follow]);
  const tools = html`
    ${state.live && html`<label class="check"><input type="checkbox" checked=${follow} onChange=${(event) => setFollow(event.target.checked)} />Follow</label>`}
    ${state.total > 0 && html`<a class="button small" href=${`/jobs/${task.job}/tasks/${task.number}/output`}
      download=${`${fileName(task.job, task.number, "output")}.txt`}><${Icon} name="download" />Download<span class="unseen"> the output</span></a>`}`;
  return html`<${Section} title="Output" note=${state.total > SHOWN ? `the end of ${size(state.total)}` : ""} tools=${tools}>
    <div ref=${box}>${state.problem ? html`<${Trouble} problem=${state.problem} />`
      : state.text ? html`<${Block} value=${state.text} label="output" max=${SHOWN} />`
      : html`<${Empty}>${!state.loaded ? "Loading." : state.live ? "It has written nothing yet." : "It wrote nothing."}<//>`}</div>
  <//>`;
}
