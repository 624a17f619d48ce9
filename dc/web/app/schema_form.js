// A form made from a JSON Schema: each shape has its control, each control its label, help and mistake.
import { html, useLayoutEffect, useRef } from "../vendor/vendor.js";
import { Doc } from "./doc.js";
import { draftOf } from "./draft.js";
import { Field, focusIn, useAdded, useId } from "./forms.js";
import { size } from "./format.js";
import { Icon } from "./icons.js";
import { MEASURES } from "./measures.js";
import { shapeOf, wordsOf } from "./schema.js";
import { Text, cut, visible } from "./text.js";
import { toast } from "./toast.js";

const FEW = 3; // fields that are left out, up to which each has a button of its own
const MOST_NAME = 80; // characters of a field that is shown
const MOST_FILE = 256 * 1024; // bytes of a file that goes into a payload as base64

export const pathKey = (path) => JSON.stringify(path);

// The whole form. `draft` is as in draft.js; `change(keys, value)` is called for each change of it;
// `problems` is a Map of what is wrong, by pathKey of the field; fields named in `stays` cannot be left out;
// `moved()` is called when entries move up, so that other paths are theirs.
export function SchemaForm({ schema, root, draft, change, problems, label, moved, stays = [] }) {
  const form = { root, change, problems, moved, stays };
  return html`<${Part} form=${form} schema=${schema} draft=${draft} keys=${[]} path=${[]} label=${label} outer=${true} />`;
}

function Part(props) {
  const shape = shapeOf(props.schema, props.form.root);
  const kind = PARTS[shape.kind] ?? TextPart;
  return html`<${kind} ...${props} shape=${shape} problem=${props.form.problems.get(pathKey(props.path))} />`;
}

// --- leaves -------------------------------------------------------------------------------------

function Leaf({ label, shape, help = "", problem, remove, children }) {
  const said = [shape.doc, help].filter(Boolean).join(" ");
  return html`<div class="part leaf">
    <${Field} label=${html`<${Name} value=${label} />`} help=${said && html`<${Text} value=${said} max=${600} />`}
      problem=${problem}>${children}<//>
    ${remove && html`<${Remove} label=${label} remove=${remove} />`}
  </div>`;
}

function Name({ value }) {
  return html`<${Text} value=${value} max=${MOST_NAME} fixed />`;
}

const short = (name) => visible(cut(name, MOST_NAME));

function Remove({ label, remove }) {
  return html`<button type="button" class="icon-button" aria-label=${`Leave out ${short(label)}`} title="Leave out"
    onClick=${remove}><${Icon} name="close" /></button>`;
}

function typed({ form, keys, draft }, id, described, problem, more = {}) {
  return {
    id, value: draft ?? "", "aria-describedby": described, "aria-invalid": problem ? "true" : undefined,
    autocomplete: "off", onInput: (event) => form.change(keys, event.target.value), ...more,
  };
}

function TextPart(props) {
  const { shape, problem } = props;
  const long = (props.draft ?? "").length > 60;
  const least = shape.least > 1 ? `At least ${shape.least} characters.` : "";
  const help = [least, shape.pattern && `It matches ${shape.pattern}.`].filter(Boolean).join(" ");
  return html`<${Leaf} ...${props} help=${help}>${(id, described) => html`
    <textarea rows=${long || props.outer ? 4 : 1} ...${typed(props, id, described, problem)}></textarea>`}<//>`;
}

function NumberPart(props) {
  const words = wordsOf(props.schema, props.form.root);
  const help = `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
  return html`<${Leaf} ...${props} help=${help}>${(id, described) => html`
    <input type="text" inputmode=${props.shape.whole ? "numeric" : "decimal"} class="short"
      ...${typed(props, id, described, props.problem)} />`}<//>`;
}

function MeasurePart(props) {
  const { measure } = props.shape;
  const kind = measure === "moment" ? "datetime-local" : "text";
  return html`<${Leaf} ...${props} help=${`Type ${MEASURES[measure].doc}.`}>${(id, described) => html`
    <input type=${kind} class="short" ...${typed(props, id, described, props.problem)} />`}<//>`;
}

function JsonPart(props) {
  const help = props.shape.type === "object" ? "A JSON object." : "Any JSON: a text stands in quotes.";
  return html`<${Leaf} ...${props} help=${help}>${(id, described) => html`
    <textarea rows=${props.outer ? 8 : 2} class="mono" spellcheck=${false}
      ...${typed(props, id, described, props.problem)}></textarea>`}<//>`;
}

function BytesPart(props) {
  const take = async ([file]) => {
    if (!file) return;
    if (file.size > MOST_FILE) {
      toast(`${file.name.slice(0, 100)} has ${size(file.size)}: within a payload there may be ${size(MOST_FILE)}.`, { level: "error" });
      return;
    }
    props.form.change(props.keys, await base64(file));
  };
  const taken = (event) => {
    take([...event.target.files]);
    event.target.value = ""; // the bytes stand in the line: an entry that moves up takes them along
  };
  return html`<${Leaf} ...${props} help="Bytes: choose a file, or paste base64.">${(id, described) => html`
    <input type="file" aria-label=${`A file for ${short(props.label)}`} onChange=${taken} />
    <textarea rows="1" class="mono" spellcheck=${false} ...${typed(props, id, described, props.problem)}></textarea>`}<//>`;
}

async function base64(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

function FlagPart(props) {
  const { form, keys, shape, label, draft, remove } = props;
  const id = useId("flag");
  return html`<div class="part leaf"><div class="field">
    <label class="check"><input type="checkbox" id=${id} checked=${draft === true} aria-describedby=${shape.doc ? `${id}-help` : undefined}
      onChange=${(event) => form.change(keys, event.target.checked)} /><span><${Name} value=${label} /></span></label>
    ${shape.doc && html`<p class="help" id=${`${id}-help`}><${Text} value=${shape.doc} max=${600} /></p>`}
  </div>${remove && html`<${Remove} label=${label} remove=${remove} />`}</div>`;
}

function ChoicePart(props) {
  const { shape, draft, form, keys } = props;
  return html`<${Leaf} ...${props}>${(id, described) => html`
    <select id=${id} aria-describedby=${described} value=${draft} disabled=${shape.values.length < 2}
      onChange=${(event) => form.change(keys, Number(event.target.value))}>
      ${shape.values.map((value, at) => html`<option key=${at} value=${at} selected=${at === draft}>${choiceText(value)}</option>`)}
    </select>`}<//>`;
}

function choiceText(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return visible(text.slice(0, 80)) || "(empty)";
}

// --- what has parts -----------------------------------------------------------------------------

function Group({ label, shape, problem, remove, children, outer, box, note = "" }) {
  const id = useId("group");
  const about = html`${shape.doc && html`<${Doc} value=${shape.doc} kind="help" />`}
    ${problem && html`<p class="problem" id=${`${id}-problem`}><${Icon} name="sick" />${problem}</p>`}`;
  const described = problem ? `${id}-problem` : undefined;
  if (outer) {
    return html`<div class="parts" role="group" aria-label=${label} aria-describedby=${described} ref=${box}>${about}${children}</div>`;
  }
  return html`<fieldset class="part parts" aria-describedby=${described} ref=${box}>
    <legend><${Name} value=${label} />${note && html` <span class="soft">${note}</span>`}</legend>
    ${remove && html`<${Remove} label=${label} remove=${remove} />`}
    ${about}${children}
  </fieldset>`;
}

function ObjectPart(props) {
  const { form, shape, draft, keys, path } = props;
  const box = useRef(null);
  const has = (field) => draft?.[field.name] !== undefined;
  const there = shape.fields.filter(has);
  const added = useAdded(box, ":scope > .part", there.length);
  const add = (name) => {
    added(shape.fields.filter((field) => has(field) || field.name === name).findIndex((field) => field.name === name));
    const { schema } = shape.fields.find((field) => field.name === name);
    form.change([...keys, name], draftOf(schema, form.root));
  };
  const left = shape.fields.filter((field) => !has(field));
  return html`<${Group} ...${props} box=${box}>
    ${there.map((field) => html`<${Part} key=${field.name} form=${form} schema=${field.schema}
      draft=${draft[field.name]} keys=${[...keys, field.name]} path=${[...path, field.name]} label=${field.name}
      remove=${field.required || kept(field, form, path) ? null : () => form.change([...keys, field.name], undefined)} />`)}
    <${AddField} fields=${left} add=${add} />
  <//>`;
}

// What has a default stands there from the beginning and stays: to leave it out says the same.
function kept(field, form, path) {
  return shapeOf(field.schema, form.root).fallback !== undefined || (!path.length && form.stays.includes(field.name));
}

function AddField({ fields, add }) {
  const id = useId("add");
  if (!fields.length) return null;
  if (fields.length <= FEW) {
    return html`<div class="adds">${fields.map(({ name }) => html`<button type="button" class="small" key=${name}
      onClick=${() => add(name)}>+ <${Name} value=${name} /></button>`)}</div>`;
  }
  const chosen = (event) => {
    if (event.target.value !== "") add(fields[Number(event.target.value)].name);
    event.target.value = "";
  };
  return html`<div class="adds"><label class="choice" for=${id}><span>Say more:</span>
    <select id=${id} onChange=${chosen}><option value="">choose…</option>
      ${fields.map(({ name }, at) => html`<option key=${name} value=${at}>${visible(name).slice(0, 80)}</option>`)}
    </select></label></div>`;
}

// Entries that can be added and removed; `children` draws them. A new one gets the focus; when the last is
// removed, where one adds.
function Entries({ draft, form, keys, blank, what, children, ...props }) {
  const box = useRef(null);
  const changed = useAdded(box, ":scope > .entry, :scope > .adds", draft.length);
  const add = () => {
    changed(-2);
    form.change([...keys, draft.length], blank());
  };
  const remove = (at) => {
    if (at === draft.length - 1) changed(-1);
    form.moved();
    form.change([...keys, at], undefined);
  };
  const note = draft.length ? `${draft.length}` : "none";
  return html`<${Group} ...${props} box=${box} note=${note}>
    ${draft.map((one, at) => html`<div class="entry" key=${at}>${children(one, at, () => remove(at))}</div>`)}
    <div class="adds"><button type="button" class="small" onClick=${add}>+ ${what}</button></div>
  <//>`;
}

function ListPart(props) {
  const { form, shape, keys, path } = props;
  return html`<${Entries} ...${props} what="Add an entry" blank=${() => draftOf(shape.items, form.root)}>
    ${(one, at, remove) => html`<${Part} form=${form} schema=${shape.items} draft=${one} keys=${[...keys, at]}
      path=${[...path, at]} label=${`${at + 1}`} remove=${remove} />`}<//>`;
}

function MapPart(props) {
  const { form, shape, keys, path } = props;
  return html`<${Entries} ...${props} what="Add a name" blank=${() => ({ key: "", of: draftOf(shape.values, form.root) })}>
    ${(one, at, remove) => html`<div class="pair">
      <${Field} label="Name" problem=${undefined}>${(id, described) => html`<input type="text" id=${id} value=${one.key}
        aria-describedby=${described} autocomplete="off" onInput=${(event) => form.change([...keys, at, "key"], event.target.value)} />`}<//>
      <${Part} form=${form} schema=${shape.values} draft=${one.of} keys=${[...keys, at, "of"]} path=${[...path, at]}
        label="Value" />
      <${Remove} label=${one.key || `entry ${at + 1}`} remove=${remove} />
    </div>`}<//>`;
}

function TuplePart(props) {
  const { form, shape, draft, keys, path } = props;
  return html`<${Group} ...${props}>${shape.parts.map((part, at) => html`<${Part} key=${at} form=${form} schema=${part}
    draft=${draft[at]} keys=${[...keys, at]} path=${[...path, at]} label=${`${at + 1}`} />`)}<//>`;
}

function MaybePart(props) {
  const { form, shape, draft, keys, label } = props;
  const place = useRef(null); // where it stands, as [box, number]: what is given there gets the focus
  useLayoutEffect(() => {
    const [box, at] = place.current ?? [];
    place.current = null;
    focusIn(box?.children[at]);
  }, [draft === null]);
  const give = ({ currentTarget }) => {
    const part = currentTarget.closest(".part");
    place.current = [part.parentElement, [...part.parentElement.children].indexOf(part)];
    form.change(keys, { of: draftOf(shape.of, form.root) });
  };
  if (draft === null) {
    return html`<div class="part leaf unset"><div class="field">
      <span class="label"><${Name} value=${label} /></span>
      <div class="unset-row"><span class="soft">nothing</span>
        <button type="button" class="small" aria-label=${`Give ${short(label)} a value`}
          onClick=${give}>Give a value</button></div>
      ${shape.doc && html`<p class="help"><${Text} value=${shape.doc} max=${600} /></p>`}
    </div></div>`;
  }
  return html`<${Part} ...${props} schema=${{ ...shape.of, ...(shape.doc ? { description: shape.doc } : {}) }} draft=${draft.of}
    keys=${[...keys, "of"]} remove=${() => form.change(keys, null)} />`;
}

function UnionPart(props) {
  const { form, shape, draft, keys, path, label } = props;
  const choose = (choice) => form.change(keys, { choice, of: draftOf(shape.choices[choice], form.root) });
  return html`<${Group} ...${props} outer=${false}>
    <${Field} label="Kind">${(id) => html`<select id=${id} value=${draft.choice} onChange=${(event) => choose(Number(event.target.value))}>
      ${shape.choices.map((choice, at) => html`<option key=${at} value=${at} selected=${at === draft.choice}>${wordsOf(choice, form.root)}</option>`)}
    </select>`}<//>
    <${Part} key=${draft.choice} form=${form} schema=${shape.choices[draft.choice]} draft=${draft.of}
      keys=${[...keys, "of"]} path=${path} label=${label} />
  <//>`;
}

const PARTS = {
  text: TextPart, number: NumberPart, measure: MeasurePart, json: JsonPart, bytes: BytesPart, flag: FlagPart,
  choice: ChoicePart, object: ObjectPart, list: ListPart, map: MapPart, tuple: TuplePart, maybe: MaybePart, union: UnionPart,
};
