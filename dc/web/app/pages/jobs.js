import { html } from "../../vendor/vendor.js";
import { Page } from "../parts.js";
export default function Soon() { return html`<${Page} title="Soon" />`; }
