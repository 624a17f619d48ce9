// What is shown once: a secret, or a line with one in it; copied as it is.
import { html } from "../vendor/vendor.js";
import { Copy } from "./text.js";
import { visible } from "./visible.js";

export function Secret({ value, label, help }) {
  return html`<div class="secret"><span class="label">${label}</span>
    <div class="secret-line"><code tabindex="0" role="group" aria-label=${label}>${visible(value)}</code>
      <${Copy} text=${value} label=${`Copy: ${label}`} /></div>
    ${help && html`<p class="help">${help}</p>`}</div>`;
}

// How long what is made is to last: pairs of seconds and words; `none` is "never".
export function Lifetimes({ id, name = "lifetime", of: choices, chosen }) {
  return html`<select id=${id} name=${name}>${choices.map(([seconds, text]) => html`
    <option key=${text} value=${seconds} selected=${seconds === chosen}>${text}</option>`)}</select>`;
}

const HOUR = 3600;
const DAY = 86400;

export const SHORT = [[HOUR, "an hour"], [DAY, "a day"], [7 * DAY, "a week"], [30 * DAY, "30 days"], [365 * DAY, "a year"]];
export const LONG = [[DAY, "a day"], [7 * DAY, "a week"], [30 * DAY, "30 days"], [90 * DAY, "90 days"], [365 * DAY, "a year"],
  ["", "until it is revoked"]];
