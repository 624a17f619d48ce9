// What an operator can do with a job.
import { html } from "../vendor/vendor.js";
import { send } from "./api.js";
import { confirm, form } from "./dialog.js";
import { plural } from "./format.js";
import { Field } from "./forms.js";
import { FINISHED } from "./jobs_shared.js";
import { controls } from "./me.js";
import { Action } from "./parts.js";

const PRIORITY_MOST = 1000;

export function JobActions({ job, onChange }) {
  if (!controls(job.submitter)) return null;
  const path = `/api/jobs/${job.job}`;
  const over = FINISHED.has(job.state);
  const paused = job.state === "paused";
  const ask = async (action, body = {}) => {
    const answer = await send("POST", `${path}/${action}`, body);
    onChange(answer.job?.job != null ? answer.job : answer.counts ? answer : job);
    return answer;
  };
  const change = async (changes) => onChange(await send("PATCH", path, changes));

  const pause = async () => {
    await ask("pause");
    return { text: "Paused: what runs goes on, nothing new begins.", undo: () => ask("resume") };
  };
  const resume = async () => {
    await ask("resume");
    return { text: "Resumed.", undo: () => ask("pause") };
  };
  const retry = async () => {
    const { tasks } = await ask("retry");
    return `${plural(tasks, "failed task")} will run again.`;
  };
  const cancel = async () => {
    const left = job.counts.queued + job.counts.assigned + job.counts.running;
    if (!await confirm({
      title: `Cancel job ${job.job}?`, danger: true, action: "Cancel the job",
      text: `${plural(left, "unfinished task")} will not run; what runs is stopped, what has finished stays. This cannot be undone.`,
    })) return null;
    await ask("cancel");
    return "Cancelled.";
  };
  const priority = () => {
    const before = job.priority;
    return form({
      title: `Priority of job ${job.job}`, action: "Set priority",
      fields: html`<${Field} label="Priority" help="Jobs with a higher one go first; 0 is usual. Tasks that run already go on.">
        ${(id, described) => html`<input id=${id} name="priority" type="number" min=${-PRIORITY_MOST} max=${PRIORITY_MOST}
          step="1" required value=${before} aria-describedby=${described} />`}<//>`,
      async act(answer) {
        const next = Number(answer.get("priority"));
        if (next === before) return null;
        await change({ priority: next });
        return { text: `Priority ${next}.`, undo: () => change({ priority: before }) };
      },
    });
  };

  return html`
    ${!over && (paused
      ? html`<${Action} act=${resume} icon="running">Resume<//>`
      : html`<${Action} act=${pause} icon="paused">Pause<//>`)}
    ${job.counts.failed > 0 && job.state !== "cancelled" && html`<${Action} act=${retry} icon="retry">
      Retry ${plural(job.counts.failed, "failed task")}<//>`}
    ${!over && html`<${Action} act=${priority} icon="up">Priority ${job.priority}<//>`}
    ${!over && html`<${Action} act=${cancel} kind="quiet-danger" icon="close">Cancel<//>`}`;
}
