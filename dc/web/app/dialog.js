// Asks before what destroys: `if (await confirm({...})) …`; and for a value, by a form in a dialog.
import { html, useLayoutEffect, useRef } from "../vendor/vendor.js";
import { cell, useCell } from "./cell.js";
import { place } from "./router.js";

const asked = cell(null);

// `action` is what the button says; `danger` has it red. True if the user wants it.
export function confirm({ title, text, action, danger = false }) {
  return form({ title, text, action, danger, fields: null }).then((answer) => answer !== null);
}

// `fields` is what stands in the form (form controls with names); gives a FormData, or null.
export function form({ title, text = "", action, danger = false, fields }) {
  asked.value?.answer(null);
  return new Promise((answer) => asked.set({ title, text, action, danger, fields, answer }));
}

export function Dialogs() {
  const one = useCell(asked);
  const { path } = useCell(place);
  const box = useRef(null);
  useLayoutEffect(() => { if (one) box.current.showModal(); }, [one]);
  useLayoutEffect(() => () => { // the page that asked is left: what it asked is not wanted
    asked.value?.answer(null);
    asked.set(null);
  }, [path]);
  if (!one) return null;
  const end = (answer) => {
    box.current.close(); // gives the focus back to where it was
    asked.set(null);
    one.answer(answer);
  };
  const submit = (event) => {
    event.preventDefault();
    end(new FormData(event.target));
  };
  const outside = (event) => { if (event.target === box.current) end(null); };
  return html`<dialog ref=${box} class="dialog" aria-labelledby="dialog-title" onClick=${outside}
      onCancel=${(event) => { event.preventDefault(); end(null); }}>
    <form onSubmit=${submit}>
      <h2 id="dialog-title">${one.title}</h2>
      ${one.text && html`<p>${one.text}</p>`}
      ${one.fields}
      <div class="buttons end">
        <button type="button" onClick=${() => end(null)} autofocus=${!one.fields}>Keep it as it is</button>
        <button type="submit" class=${one.danger ? "danger" : "primary"}>${one.action}</button>
      </div>
    </form>
  </dialog>`;
}
