// A QR code, drawn from its rows of `0` and `1`; black on white in all colours, since cameras want it so.
import { html } from "../vendor/vendor.js";

const QUIET = 4; // modules of white around it, as its standard wants

export function Qr({ rows, label }) {
  const size = (rows[0]?.length ?? 0) + 2 * QUIET;
  return html`<svg class="qr" role="img" aria-label=${label} viewBox=${`0 0 ${size} ${size}`} shape-rendering="crispEdges">
    <rect width=${size} height=${size} fill="#fff" />
    ${rows.flatMap((row, y) => runs(row).map(([x, width]) => html`<rect key=${`${x} ${y}`}
      x=${x + QUIET} y=${y + QUIET} width=${width} height="1" fill="#000" />`))}
  </svg>`;
}

// Where a row is black: [first, how many] of each run.
export function runs(row) {
  return [...row.matchAll(/1+/g)].map((found) => [found.index, found[0].length]);
}
