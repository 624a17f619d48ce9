// Asks before what destroys: `if (await confirm({...})) …`; and for values, by a form in a dialog.
import { html, useLayoutEffect, useRef, useState } from "../vendor/vendor.js";
import { cell, useCell } from "./cell.js";
import { Icon } from "./icons.js";
import { place } from "./router.js";
import { Text } from "./text.js";

const LONG = 600; // characters of what the server says is wrong: it has parts of what was filled in
const asked = cell(null);
let last = 0;

// `action` is what the button says; `danger` has it red. True if the user wants it.
export async function confirm({ title, text, action, danger = false }) {
  return await form({ title, text, action, danger, act: () => true }) === true;
}

// `fields` is what stands in the form (form controls with names), and `act` what is done with it, given as FormData.
//
// Gives what `act` gives, or null if it is closed instead. Where `act` fails, the form stays as it was filled in
// and says why, so that nothing is typed twice.
export function form({ title, text = "", action, danger = false, fields = null, act }) {
  drop();
  const id = (last += 1);
  return new Promise((answer, fail) => asked.set({ id, title, text, action, danger, fields, act, answer, fail, sent: false }));
}

// What is asked is not wanted; of what was sent already, its caller is told how it ended.
function drop() {
  const one = asked.value;
  asked.set(null);
  if (one && !one.sent) one.answer(null);
}

export function Dialogs() {
  const one = useCell(asked);
  const { path } = useCell(place);
  useLayoutEffect(() => drop, [path]); // the page that asked is left
  return one && html`<${Dialog} key=${one.id} one=${one} />`;
}

function Dialog({ one }) {
  const box = useRef(null);
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState("");
  useLayoutEffect(() => box.current.showModal(), []);
  const close = () => {
    box.current?.close(); // gives the focus back to where it was
    if (asked.value === one) drop();
  };
  const submit = async (event) => {
    event.preventDefault();
    if (one.sent) return;
    one.sent = true;
    setBusy(true);
    setWrong("");
    try {
      const said = await one.act(new FormData(event.target));
      close();
      one.answer(said);
    } catch (problem) {
      if (asked.value !== one) return one.fail(problem); // it was closed meanwhile
      one.sent = false;
      setBusy(false);
      setWrong(problem.message);
    }
  };
  const outside = (event) => { if (event.target === box.current) close(); };
  return html`<dialog ref=${box} class="dialog" aria-labelledby="dialog-title" onClick=${outside}
      onCancel=${(event) => { event.preventDefault(); close(); }}>
    <form onSubmit=${submit}>
      <h2 id="dialog-title">${one.title}</h2>
      ${one.text && html`<p>${one.text}</p>`}
      ${one.fields}
      ${wrong && html`<p class="problem" role="alert"><${Icon} name="sick" /><${Text} value=${wrong} max=${LONG} fixed /></p>`}
      <div class="buttons end">
        <button type="button" onClick=${close} autofocus=${!one.fields}>Keep it as it is</button>
        <button type="submit" class=${one.danger ? "danger" : "primary"} aria-busy=${busy}>${one.action}</button>
      </div>
    </form>
  </dialog>`;
}
