// Short words on what was done, at the edge of the page, with Undo where that can be.
import { html } from "../vendor/vendor.js";
import { cell, useCell } from "./cell.js";
import { Icon } from "./icons.js";
import { cut, visible } from "./visible.js";

const SHOWN_MS = 8000;
const MOST = 4;
const LONG = 600; // characters of what others wrote: errors have parts of names and values in them
const toasts = cell([]);
let last = 0;

// `undo` is what takes it back; `level` is info or error. Errors stay until they are closed.
export function toast(text, { undo = null, level = "info" } = {}) {
  const id = (last += 1);
  const shown = visible(cut(String(text), LONG));
  toasts.set([...toasts.value, { id, text: shown, undo, level }].slice(-MOST));
  if (level !== "error") setTimeout(() => remove(id), undo ? 2 * SHOWN_MS : SHOWN_MS);
}

function remove(id) {
  toasts.set(toasts.value.filter((one) => one.id !== id));
}

async function takeBack({ id, undo }) {
  remove(id);
  try {
    await undo();
    toast("Undone.");
  } catch (problem) {
    toast(problem.message, { level: "error" });
  }
}

export function Toasts() {
  return html`<div class="toasts" role="status" aria-live="polite">
    ${useCell(toasts).map((one) => html`<div class=${`toast ${one.level}`} key=${one.id}>
      <${Icon} name=${one.level === "error" ? "sick" : "done"} />
      <bdi class="toast-text">${one.text}</bdi>
      ${one.undo && html`<button type="button" class="small" onClick=${() => takeBack(one)}>Undo</button>`}
      <button type="button" class="icon-button" aria-label="Close" onClick=${() => remove(one.id)}>
        <${Icon} name="close" /></button>
    </div>`)}
  </div>`;
}
