// What others wrote: names, errors, output. Shown as text, whatever is in it, and cut where it is long.
import { html, useState } from "../vendor/vendor.js";
import { Icon } from "./icons.js";
import { toast } from "./toast.js";
import { count, size } from "./format.js";
import { cut, visible } from "./visible.js";

const SHORT = 200;
const LONG = 16 * 1024;

export { cut, visible };

// A text in a line, cut with a way to see all; `fixed` has it cut without one, where that stands elsewhere.
export function Text({ value, max = SHORT, fixed = false, mono = false }) {
  const [all, setAll] = useState(false);
  const text = String(value ?? "");
  const long = text.length > max;
  const shown = visible(all ? text : cut(text, max));
  const kind = mono ? "foreign mono" : "foreign";
  if (!long) return html`<bdi class=${kind}>${shown}</bdi>`;
  if (fixed) return html`<bdi class=${kind}>${shown}…</bdi>`;
  return html`<bdi class=${kind}>${shown}${all ? "" : "…"}</bdi>${" "}
    <button type="button" class="more" aria-expanded=${all} onClick=${() => setAll(!all)}>
      ${all ? "Show less" : `Show all (${count(text.length)} characters)`}</button>`;
}

// Lines of text in a box of their own; `tail` shows the end where it is cut.
export function Block({ value, label, max = LONG, tail = false, copy = true, empty = "Empty." }) {
  const [all, setAll] = useState(false);
  const text = String(value ?? "");
  if (!text) return html`<p class="soft">${empty}</p>`;
  const long = text.length > max;
  const part = all || !long ? text : tail ? text.slice(-max) : cut(text, max);
  return html`<div class="block">
    <pre tabindex="0" role="group" aria-label=${label}><bdi>${visible(part, true)}</bdi></pre>
    <div class="block-tools">
      ${long && html`<span class="soft">${all ? "All" : tail ? "The end" : "The beginning"} of ${size(text.length)}</span>
        <button type="button" class="more" aria-expanded=${all} onClick=${() => setAll(!all)}>
          ${all ? "Show less" : "Show all"}</button>`}
      ${copy && html`<${Copy} text=${text} label=${`Copy ${label}`} />`}
    </div>
  </div>`;
}

// A value as JSON, indented.
export function Json({ value, label }) {
  return html`<${Block} value=${JSON.stringify(value, null, 2)} label=${label} />`;
}

export function Copy({ text, label = "Copy" }) {
  return html`<button type="button" class="icon-button" title=${label} aria-label=${label}
    onClick=${() => copied(text)}><${Icon} name="copy" /></button>`;
}

async function copied(text) {
  try {
    if (navigator.clipboard) await navigator.clipboard.writeText(text);
    else copyByHand(text); // a page that is not of https or of this computer has no clipboard
    toast("Copied.");
  } catch {
    toast("The browser did not let it be copied.", { level: "error" });
  }
}

function copyByHand(text) {
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("not copied");
}
