// The options of a job as a form shows them: a schema in plain words, and what goes out.
import { changed, draftOf, valueOf } from "./draft.js";

const names = (values, description) => ({ type: "object", additionalProperties: values, description });
const text = (description, more = {}) => ({ type: "string", maxLength: 256, description, ...more });
const measure = (kind, description) => ({ type: "string", measure: kind, description });

const RESOURCES = {
  type: "object",
  description: "What each task uses of a worker while it runs; without cpus it uses one.",
  properties: {
    cpus: { type: "number", exclusiveMinimum: 0, description: "Processors." },
    memory: measure("size", "Memory."),
    gpus: { type: "number", exclusiveMinimum: 0, description: "Graphics cards." },
    others: names({ type: "number", minimum: 0 }, "Whatever else workers say that they have, by name."),
  },
};

const LIMITS = {
  type: "object",
  description: "What each task may use; a task that goes beyond fails.",
  properties: {
    memory: measure("size", "Memory of its processes."),
    disk: measure("size", "Disk in its folders."),
    open_files: { type: "integer", minimum: 1, description: "Open files of a process." },
    processes: { type: "integer", minimum: 1, description: "Processes and threads." },
    nice: { type: "integer", minimum: 1, maximum: 19, description: "How far it stands back behind other programs." },
  },
};

// In this order; those of SHOWN are there from the beginning, the others when they are asked for.
export const OPTIONS = {
  type: "object",
  properties: {
    name: text("For people, to find it again."),
    priority: { type: "integer", minimum: -1e6, maximum: 1e6, description: "Higher runs first; 0 if not said." },
    retries: { type: "integer", minimum: 0, maximum: 100, description: "Further tries of a task that failed." },
    timeout: measure("span", "How long one task may run; without end if not said."),
    requires: names(text(""), "What must hold of a worker's labels: a value, or a condition such as >=3.11."),
    resources: RESOURCES,
    after: {
      type: "array", items: { type: "integer", minimum: 1 }, maxItems: 100,
      description: "Numbers of jobs that come before this one.",
    },
    after_what: {
      enum: ["done", "finished", "any"],
      description: "done: all of them have succeeded; finished: whatever came of them; any: one has finished.",
    },
    each: { type: "boolean", description: "Task n waits for task n of the one job before it, alone." },
    not_before: measure("moment", "Nothing of it runs before this time."),
    deadline: measure("moment", "Tasks that have not finished by then fail."),
    submitter: text("Who submits it; jobs of different submitters share the workers."),
    weight: { type: "number", minimum: 0.001, maximum: 1000, description: "Its share among this submitter's jobs; 1 if not said." },
    retry_on: {
      type: "array", items: { enum: ["error", "timeout", "memory", "crashed"] }, maxItems: 4,
      description: "Which failures are tried again; all if not said.",
    },
    retry_seconds: measure("span", "The pause before the first further try; it doubles with each."),
    crashes: { type: "integer", minimum: 1, maximum: 100, description: "Lost workers and crashes after which a task fails." },
    long: { type: "boolean", description: "Its tasks run long: a worker that is away keeps them for longer." },
    grace: measure("span", "How long a worker that is away keeps its tasks."),
    limits: LIMITS,
    environment: names(text("", { maxLength: 16384 }), "Variables of the environment of each task."),
    keep_output: { type: "boolean", description: "Keep all that its tasks write, not only beginnings and ends." },
  },
};

export const SHOWN = ["name", "priority", "retries", "timeout", "requires"];

// A draft with the options that are shown from the beginning; more come from `defaults` of a type.
export function optionsDraft() {
  return draftOf(OPTIONS, OPTIONS, Object.fromEntries(SHOWN.map((name) => [name, BLANK[name] ?? ""])));
}

const BLANK = { requires: {} };

// `{options, errors}` of a draft. What is empty is not said, so that the type's own holds for it.
export function optionsOf(draft) {
  const { value, errors } = valueOf(OPTIONS, OPTIONS, withoutBlanks(draft));
  const { resources, ...options } = value;
  if (resources) {
    const { others = {}, ...amounts } = resources;
    options.resources = { ...others, ...amounts };
  }
  return { options, errors };
}

function withoutBlanks(draft) {
  return Object.entries(draft).reduce((rest, [name, one]) => {
    const blank = one === "" || (Array.isArray(one) && !one.length);
    if (blank) return changed(rest, [name], undefined);
    const inner = typeof one === "object" && !Array.isArray(one) && OPTIONS.properties[name].properties;
    return inner ? changed(rest, [name], withoutEmpty(one)) : rest;
  }, draft);
}

const withoutEmpty = (draft) => Object.fromEntries(Object.entries(draft).filter(([, one]) => one !== ""));
