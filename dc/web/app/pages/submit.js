// Submits a job: a form made from what its task type says of its payloads. No code needed.
import { html, useLayoutEffect, useMemo, useRef, useState } from "../../vendor/vendor.js";
import { idempotencyKey } from "../api.js";
import { Doc } from "../doc.js";
import { changed, draftOf, valueOf } from "../draft.js";
import { count, plural, size } from "../format.js";
import { Field, useAdded } from "../forms.js";
import { Icon } from "../icons.js";
import { encode, placeOf, readLines } from "../json_text.js";
import { useData } from "../live.js";
import { OPTIONS, SHOWN, optionsDraft, optionsOf } from "../options.js";
import { Empty, Fetched, Meter, Note, Page, Section } from "../parts.js";
import { goFrom, setQuery } from "../router.js";
import { shapeOf, wordsOf } from "../schema.js";
import { SchemaForm, pathKey } from "../schema_form.js";
import { Text, cut, visible } from "../text.js";
import { toast } from "../toast.js";
import { post, putFiles } from "../uploads.js";

const MOST_CARDS = 50; // tasks that are filled in one by one: more of them are lines
const MOST_NAME = 256; // characters of an input's name
const SHOWN_ERRORS = 5;
const MOST_LINES = 64 * 1024 * 1024; // bytes of a file of lines: it is in memory several times over
const PREVIEW = 20_000; // characters of a file that are shown

export default function Submit({ query }) {
  const types = useData("/api/types");
  return html`<${Page} title="Submit a job">
    <${Fetched} from=${types} lines=${10}>${({ types: all }) => (all.length
      ? html`<${Choose} types=${all} name=${query.get("type") ?? ""} version=${query.get("version") ?? ""} />`
      : html`<${Empty}>The server has no task types yet: they come with <a href="/plugins">plugins</a>.<//>`)}<//>
  <//>`;
}

const typeKey = (type) => `${type.name}\n${type.version}`;

function Choose({ types, name, version }) {
  const found = types.find((type) => type.name === name && (!version || type.version === version));
  const drafts = useRef(new Map()); // by type: who looks at another one comes back to what was filled in
  const choose = (event) => {
    const type = types.find((one) => typeKey(one) === event.target.value);
    setQuery({ type: type?.name ?? "", version: type?.version ?? "" }, { replace: false });
  };
  return html`
    <${Section} title="What to run">
      <${Field} label="Task type" help="Each comes from a plugin; it says what one task is given and what comes back.">
        ${(id, described) => html`<select id=${id} aria-describedby=${described} value=${found ? typeKey(found) : ""} onChange=${choose}>
          <option value="" selected=${!found}>choose…</option>
          ${types.map((type) => html`<option key=${typeKey(type)} value=${typeKey(type)} selected=${type === found}>
            ${visible(cut(type.name, 60))} ${visible(cut(type.version, 20))}</option>`)}
        </select>`}<//>
      ${name && !found && html`<${Note} level="warning">There is no task type <${Text} value=${name} max=${60} fixed /> ${version}.<//>`}
      ${found && html`<${About} type=${found} />`}
    <//>
    ${found && html`<${Job} key=${typeKey(found)} type=${found} kept=${keptOf(drafts.current, typeKey(found))} />`}`;
}

function keptOf(drafts, key) {
  if (!drafts.has(key)) drafts.set(key, { last: { body: "", key: "" }, put: new Map() });
  return drafts.get(key);
}

function About({ type }) {
  const said = Object.entries(type.options ?? {}).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  return html`<div class="about">
    <${Doc} value=${type.doc} />
    <p class="help">Gives back: <${Text} value=${wordsOf(type.result_schema, type.result_schema)} max=${200} />.
      ${said.length > 0 && html` If not said otherwise: <${Text} value=${said.join(", ")} max=${200} />.`}</p>
  </div>`;
}

// --- the job ------------------------------------------------------------------------------------

const none = new Map();
const NOTHING_WRONG = { tasks: [], options: none, all: [] };

// `kept` is what there was of this job when another type was looked at; it is brought up to date here.
//   last: what was submitted last, and under which key; put: the files that are at the server already.
function Job({ type, kept }) {
  const schema = type.payload_schema;
  const isFile = shapeOf(schema, schema).kind === "file";
  const [mode, setMode] = useState(kept.mode ?? (isFile ? "files" : "form"));
  const [tasks, setTasks] = useState(() => kept.tasks ?? [draftOf(schema, schema)]);
  const [lines, setLines] = useState(kept.lines ?? { text: "", name: "" });
  const [files, setFiles] = useState(kept.files ?? []);
  const [options, setOptions] = useState(() => kept.options ?? optionsDraft());
  const [inputs, setInputs] = useState(kept.inputs ?? []);
  const [wrong, setWrong] = useState(NOTHING_WRONG);
  const [busy, setBusy] = useState(null);
  const box = useRef(null);
  useLayoutEffect(() => { Object.assign(kept, { mode, tasks, lines, files, options, inputs }); });
  useLayoutEffect(() => { // a mistake is looked at where it is
    if (wrong.all.length) (box.current.querySelector('[aria-invalid="true"]') ?? box.current.querySelector(".wrong"))?.focus();
  }, [wrong]);

  const moved = () => setWrong(NOTHING_WRONG); // mistakes are known by where they stood

  const submit = async (event) => {
    event.preventDefault();
    if (busy) return;
    const read = READS[mode]({ schema, tasks, lines, files });
    const said = optionsOf(options);
    const found = mistakes(read, { ...said, errors: [...said.errors, ...wrongInputs(inputs)] }, mode);
    setWrong(found);
    if (found.all.length) return;
    setBusy({ done: 0, of: read.many, what: "Submitting" });
    const { pathname } = location;
    try {
      const payloads = mode === "files" ? await putAll(files, kept.put, setFiles, setBusy) : read.lines;
      const given = inputs.length ? { inputs: await putInputs(inputs, kept.put) } : {};
      const head = encode({ type: type.name, version: type.version, options: { ...said.options, ...given } });
      const body = [head, ...payloads].join("\n");
      if (body !== kept.last.body) kept.last = { body, key: idempotencyKey() };
      setBusy({ done: 0, of: 1, what: "Submitting" });
      const job = await post("/api/jobs", body, {
        type: "application/x-ndjson", headers: { "Idempotency-Key": kept.last.key },
        told: (fraction) => setBusy({ done: fraction, of: 1, what: "Submitting" }),
      });
      toast(job.warning || `Submitted ${plural(job.tasks, "task")} as job ${job.job}.`, { level: job.warning ? "error" : "info" });
      if (box.current) goFrom(pathname, `/jobs/${job.job}`); // else another type was chosen meanwhile
    } catch (problem) {
      setWrong(refused(problem, mode));
      setBusy(null);
    }
  };

  return html`<form onSubmit=${submit} ref=${box} novalidate>
    <${Section} title="Tasks" tools=${html`<${Modes} isFile=${isFile} mode=${mode} setMode=${setMode} />`}>
      ${mode === "form" && html`<${Cards} type=${type} tasks=${tasks} setTasks=${setTasks} problems=${wrong.tasks} moved=${moved} />`}
      ${mode === "text" && html`<${Cards} type=${TEXT_TYPE} tasks=${tasks} setTasks=${setTasks} problems=${wrong.tasks} moved=${moved} />`}
      ${mode === "lines" && html`<${Lines} lines=${lines} setLines=${setLines} schema=${schema} />`}
      ${mode === "files" && html`<${Files} files=${files} setFiles=${setFiles} />`}
    <//>
    <${Section} title="Options" note="All of them may be left as they are">
      <${SchemaForm} schema=${OPTIONS} root=${OPTIONS} draft=${options} problems=${wrong.options} label="Options" stays=${SHOWN} moved=${moved}
        change=${(keys, value) => setOptions((old) => changed(old, keys, value))} />
      <${Inputs} inputs=${inputs} setInputs=${setInputs} problems=${wrong.options} moved=${moved} />
    <//>
    ${wrong.all.length > 0 && html`<div class="note error wrong" role="alert" tabindex="-1"><${Icon} name="sick" /><div>
      <strong>${wrong.title}</strong>${wrong.all.slice(0, SHOWN_ERRORS).map((one) => html`<p key=${one}><${Text} value=${one} max=${400} /></p>`)}
      ${wrong.all.length > SHOWN_ERRORS && html`<p>And ${count(wrong.all.length - SHOWN_ERRORS)} more.</p>`}</div></div>`}
    <div class="buttons submit-row">
      <button type="submit" class="primary" aria-busy=${Boolean(busy)} disabled=${Boolean(busy)}><${Icon} name="submit" />
        ${busy ? `${busy.what}…` : `Submit ${many({ mode, tasks, lines, files })}`}</button>
      ${busy && html`<${Meter} value=${busy.of ? busy.done / busy.of : 0} label=${busy.what} />`}
    </div>
  </form>`;
}

const MODES = [["form", "One by one"], ["lines", "JSON lines"]];
const FILE_MODES = [["files", "Files"], ["text", "Text"], ["lines", "JSON lines"]];
const TEXT_TYPE = { name: "text", payload_schema: { type: "string" } };

function Modes({ isFile, mode, setMode }) {
  return html`<div class="switch" role="group" aria-label="How tasks are given">${(isFile ? FILE_MODES : MODES).map(([name, text]) => html`
    <button type="button" key=${name} aria-pressed=${name === mode} onClick=${() => setMode(name)}>${text}</button>`)}</div>`;
}

function many({ mode, tasks, lines, files }) {
  const number = { form: () => tasks.length, text: () => tasks.length, files: () => files.length, lines: () => lines.text.split("\n").filter((line) => line.trim()).length }[mode]();
  return plural(number, "task");
}

// What is to be submitted: `{lines, many, errors}`; an error has the number of its task, and a path in it.
const READS = {
  form: ({ schema, tasks }) => readTasks(tasks, schema),
  text: ({ tasks }) => readTasks(tasks, TEXT_TYPE.payload_schema),
  lines({ lines: { text } }) {
    const { lines, errors } = readLines(text);
    if (!lines.length && !errors.length) errors.push({ text: "there is no task: write one payload a line, as JSON" });
    return { lines, many: lines.length, errors };
  },
  files({ files }) {
    return { lines: [], many: files.length, errors: files.length ? [] : [{ text: "choose a file: each becomes one task" }] };
  },
};

function readTasks(tasks, schema) {
  const read = tasks.map((draft) => valueOf(schema, schema, draft));
  const errors = read.flatMap(({ errors: some }, task) => some.map((error) => ({ ...error, task })));
  return { lines: read.map(({ value }) => encode(value)), many: tasks.length, errors };
}

function mistakes(read, said, mode) {
  const tasks = [];
  for (const { task, path, text } of read.errors) {
    if (task === undefined) continue;
    tasks[task] ??= new Map();
    tasks[task].set(pathKey(path), text);
  }
  const options = new Map(said.errors.map(({ path, text }) => [pathKey(path), text]));
  const named = (error, what) => `${[what, ...(error.path ?? [])].join(" › ")}: ${error.text}`;
  const of = ({ task }) => (mode === "lines" || mode === "files" || task === undefined ? "Tasks" : `Task ${task + 1}`);
  const all = [...read.errors.map((error) => named(error, of(error))), ...said.errors.map((error) => named(error, "Options"))];
  return { title: "Nothing was submitted yet", tasks, options, all };
}

// What the server says, at the field that it belongs to as far as it says so.
function refused(problem, mode) {
  const { task, path } = placeOf(problem.message);
  const tasks = [];
  if (task !== null && path && mode === "form") tasks[task] = new Map([[pathKey(path), problem.message]]);
  const where = task === null ? "" : mode === "lines" ? `Line ${task + 1}: ` : `Task ${task + 1}: `;
  return { title: problem.title || "It was refused", tasks, options: none, all: [where + problem.message] };
}

// --- tasks one by one ---------------------------------------------------------------------------

function Cards({ type, tasks, setTasks, problems, moved }) {
  const schema = type.payload_schema;
  const box = useRef(null);
  const added = useAdded(box, ":scope > .card", tasks.length);
  const add = (draft) => {
    added();
    setTasks((old) => [...old, draft]);
  };
  const remove = (at) => {
    moved();
    setTasks((old) => old.filter((_, other) => other !== at));
  };
  const single = tasks.length === 1;
  return html`<div ref=${box}>
    ${tasks.map((draft, at) => html`<div class=${single ? "card single" : "card"} key=${at} role="group" aria-label=${`Task ${at + 1}`}>
      ${!single && html`<div class="card-head"><h3>Task ${at + 1}</h3>
        <button type="button" class="icon-button" aria-label=${`Remove task ${at + 1}`} title="Remove"
          onClick=${() => remove(at)}><${Icon} name="close" /></button></div>`}
      <${SchemaForm} schema=${schema} root=${schema} draft=${draft} problems=${problems[at] ?? none} label=${nameOf(type)} moved=${moved}
        change=${(keys, value) => setTasks((old) => old.map((one, other) => (other === at ? changed(one, keys, value) : one)))} />
    </div>`)}
    <div class="adds">
      <button type="button" class="small" disabled=${tasks.length >= MOST_CARDS} onClick=${() => add(draftOf(schema, schema))}>+ Another task</button>
      <button type="button" class="small" disabled=${tasks.length >= MOST_CARDS} onClick=${() => add(tasks.at(-1))}>+ A copy of the last</button>
      ${tasks.length >= MOST_CARDS && html`<span class="soft">More of them are easier as JSON lines.</span>`}
    </div>
  </div>`;
}

// What stands at the one control of a payload that has no parts.
function nameOf(type) {
  const { title } = shapeOf(type.payload_schema, type.payload_schema);
  return title || "Payload";
}

// --- tasks as lines -----------------------------------------------------------------------------

function Lines({ lines, setLines, schema }) {
  const take = async (event) => {
    const [file] = event.target.files;
    if (file && file.size > MOST_LINES) {
      toast(`${visible(cut(file.name, 60))} has ${size(file.size)}, and a page takes ${size(MOST_LINES)}: use python -m dc submit.`, { level: "error" });
    } else if (file) setLines({ text: await file.text(), name: file.name });
    event.target.value = "";
  };
  const { errors } = useMemo(() => readLines(lines.text), [lines.text]);
  const problem = errors.length ? errors.slice(0, SHOWN_ERRORS).map((one) => one.text).join("; ") : undefined;
  const large = lines.text.length > PREVIEW;
  const words = wordsOf(schema, schema);
  return html`
    ${large ? html`<${Note}><bdi>${visible(cut(lines.name || "What was pasted", 80))}</bdi>, ${size(lines.text.length)}.
        <button type="button" class="more" onClick=${() => setLines({ text: "", name: "" })}>Take it away</button>
        ${problem && html`<p class="problem">${problem}</p>`}<//>`
      : html`<${Field} label="Payloads, one a line" help=${`Each line is one task, as JSON: ${words}.`} problem=${problem}>${(id, described) => html`
        <textarea id=${id} rows="8" class="mono long" spellcheck=${false} aria-describedby=${described} aria-invalid=${problem ? "true" : undefined}
          value=${lines.text} onInput=${(event) => setLines({ text: event.target.value, name: "" })}></textarea>`}<//>`}
    <${Field} label="Or a file of such lines">${(id) => html`<input type="file" id=${id} accept=".jsonl,.ndjson,.json,.txt,application/x-ndjson" onChange=${take} />`}<//>`;
}

// --- tasks as files -----------------------------------------------------------------------------

function Files({ files, setFiles }) {
  const add = (list) => setFiles((old) => [...old, ...[...list].map((file) => ({ file, part: 0 }))]);
  const drop = (event) => {
    event.preventDefault();
    add(event.dataTransfer.files);
  };
  const all = files.reduce((sum, { file }) => sum + file.size, 0);
  return html`<div class="drop" onDragOver=${(event) => event.preventDefault()} onDrop=${drop}>
    <${Field} label="Files" help="Each becomes one task: its bytes as they are. They can be dropped here as well.">${(id, described) => html`
      <input type="file" id=${id} multiple aria-describedby=${described} onChange=${(event) => { add(event.target.files); event.target.value = ""; }} />`}<//>
    ${files.length > 0 && html`<ul class="rows files">${files.map(({ file, part }, at) => html`<li class="row" key=${at}>
      <div class="row-main"><${Text} value=${file.name} max=${80} /> <span class="soft">${size(file.size)}</span></div>
      ${part > 0 && html`<div class="file-part"><${Meter} value=${part} label=${`Sent of ${visible(cut(file.name, 60))}`} /></div>`}
      <button type="button" class="icon-button" aria-label=${`Remove ${visible(cut(file.name, 60))}`}
        onClick=${() => setFiles((old) => old.filter((_, other) => other !== at))}><${Icon} name="close" /></button></li>`)}</ul>
      <p class="soft">${plural(files.length, "file")}, ${size(all)}</p>`}
  </div>`;
}

// Puts the files that are not at the server yet; what was put stays put if another fails.
async function putAll(files, put, setFiles, setBusy) {
  const parts = files.map(({ part }) => part);
  const told = (at, part) => {
    parts[at] = part;
    setFiles((old) => old.map((one) => (one.file === files[at].file ? { ...one, part } : one)));
    setBusy({ done: parts.reduce((sum, one) => sum + one, 0), of: parts.length, what: "Uploading" });
  };
  return (await putFiles(files.map(({ file }) => file), told, put)).map(encode);
}

// --- inputs -------------------------------------------------------------------------------------

// Files that all tasks may read, each under a name.
function Inputs({ inputs, setInputs, problems, moved }) {
  const add = (event) => {
    const more = [...event.target.files].map((file) => ({ name: cut(file.name, MOST_NAME), file }));
    setInputs((old) => [...old, ...more]);
    event.target.value = "";
  };
  const remove = (at) => {
    moved();
    setInputs((old) => old.filter((_, other) => other !== at));
  };
  const rename = (at) => (event) => {
    const { value } = event.target;
    setInputs((old) => old.map((one, other) => (other === at ? { ...one, name: value } : one)));
  };
  return html`<${Field} label="inputs" help="Files that all its tasks may read, each by its name.">${(id, described) => html`
      <input type="file" id=${id} multiple aria-describedby=${described} onChange=${add} />`}<//>
    ${inputs.length > 0 && html`<ul class="rows files">${inputs.map(({ name, file }, at) => html`<li class="row" key=${at}>
      <div class="row-main"><${Field} label=${html`Name of <${Text} value=${file.name} max=${60} fixed />, ${size(file.size)}`}
        problem=${problems.get(pathKey(["inputs", at]))}>${(id, described) => html`<input type="text" id=${id} value=${name} maxlength=${MOST_NAME}
          aria-describedby=${described} aria-invalid=${problems.has(pathKey(["inputs", at])) ? "true" : undefined}
          autocomplete="off" onInput=${rename(at)} />`}<//></div>
      <button type="button" class="icon-button" aria-label=${`Remove ${visible(cut(file.name, 60))}`}
        onClick=${() => remove(at)}><${Icon} name="close" /></button></li>`)}</ul>`}`;
}

function wrongInputs(inputs) {
  const names = inputs.map(({ name }) => name);
  return names.flatMap((name, at) => {
    if (!name) return [{ path: ["inputs", at], text: "needs a name" }];
    return names.indexOf(name) < at ? [{ path: ["inputs", at], text: `the name ${JSON.stringify(name)} is there twice` }] : [];
  });
}

async function putInputs(inputs, put) {
  const blobs = await putFiles(inputs.map(({ file }) => file), () => {}, put);
  return Object.fromEntries(inputs.map(({ name }, at) => [name, { sha256: blobs[at].blob, size: blobs[at].size }]));
}
