// What an author has written of something: paragraphs of plain text.
import { html } from "../vendor/vendor.js";
import { Text } from "./text.js";

const LONG = 600;

export function Doc({ value, kind = "doc" }) {
  const paragraphs = value.split(/\n\s*\n/).map((one) => one.replace(/\s+/g, " ").trim()).filter(Boolean);
  return paragraphs.map((one, at) => html`<p class=${kind} key=${at}><${Text} value=${one} max=${LONG} /></p>`);
}
