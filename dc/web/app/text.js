// What others wrote: names, errors, output. Shown as text, whatever is in it, and cut where it is long.
import { html, useState } from "../vendor/vendor.js";
import { Icon } from "./icons.js";
import { toast } from "./toast.js";
import { count, size } from "./format.js";

const SHORT = 200;
const LONG = 16 * 1024;
// Control characters, and those that turn the direction of what follows or cannot be seen.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;
const ONE_LINE = /[\t\n]/g;

function symbol(character) {
  const code = character.codePointAt(0);
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  if (code === 0x7f) return "\u2421";
  return `\u27e8U+${code.toString(16).toUpperCase().padStart(4, "0")}\u27e9`;
}

// The same text with what cannot be seen made visible; `lines` keeps its lines and tabs.
export function visible(text, lines = false) {
  const shown = String(text).replaceAll("\r\n", "\n").replace(UNSEEN, symbol);
  return lines ? shown : shown.replace(ONE_LINE, symbol);
}

// The first characters of a text, never half of one.
export function cut(text, most) {
  if (text.length <= most) return text;
  const last = text.charCodeAt(most - 1);
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? most - 1 : most);
}

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
