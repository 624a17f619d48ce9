// Small pictures, drawn in the colour of the text beside them; that text says the same.
import { html } from "../vendor/vendor.js";

const PATHS = {
  overview: "M2 9h5V2H2zM9 14h5V7H9zM9 2v3h5V2zM2 14h5v-3H2z",
  jobs: "M2 3.5h12M2 8h12M2 12.5h8",
  workers: "M2 2.5h12v4H2zM2 9.5h12v4H2zM4.5 4.5h.01M4.5 11.5h.01",
  submit: "M8 11V2.5M4.5 6L8 2.5 11.5 6M2.5 10v3.5h11V10",
  plugins: "M8 1.5l5.5 3v7L8 14.5l-5.5-3v-7zM2.5 4.5L8 7.5l5.5-3M8 7.5v7",
  events: "M8 4v4l2.5 2M8 1.5a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13z",
  settings: "M2 4.5h6M12 4.5h2M2 11.5h2M8 11.5h6M10 2.5v4M6 9.5v4",
  done: "M3 8.5l3.2 3.2L13 5",
  failed: "M4 4l8 8M12 4l-8 8",
  running: "M5 3l8 5-8 5z",
  queued: "M8 4.5V8l2.5 1.5M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2z",
  assigned: "M2.5 8h10M9 4.5L12.5 8 9 11.5",
  cancelled: "M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2zM3.8 3.8l8.4 8.4",
  paused: "M5.5 3v10M10.5 3v10",
  waiting: "M4 2h8M4 14h8M5 2c0 4 6 8 6 12M11 2c0 4-6 8-6 12",
  open: "M8 11V2.5M4.5 6L8 2.5 11.5 6M2.5 13.5h11",
  connected: "M8 5.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6z",
  away: "M8 3.5v5M8 12h.01",
  gone: "M3 8h10",
  sick: "M8 2l6.5 12h-13zM8 6.5v3.5M8 12h.01",
  info: "M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2zM8 7.5V11M8 5h.01",
  dot: "M8 6.5a1.5 1.5 0 1 1 0 3 1.5 1.5 0 0 1 0-3z",
  search: "M7 2.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9zM10.5 10.5L14 14",
  menu: "M2 4h12M2 8h12M2 12h12",
  close: "M4 4l8 8M12 4l-8 8",
  sun: "M8 5a3 3 0 1 1 0 6 3 3 0 0 1 0-6zM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1",
  moon: "M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7z",
  half: "M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2zM8 2v12",
  up: "M4 10l4-4 4 4",
  down: "M4 6l4 4 4-4",
  left: "M10 3L5 8l5 5",
  right: "M6 3l5 5-5 5",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  download: "M8 2v8.5M4.5 7L8 10.5 11.5 7M2.5 13.5h11",
  retry: "M13 8a5 5 0 1 1-1.5-3.5M13 2v3h-3",
  power: "M8 1.5v6M4.6 4a5.2 5.2 0 1 0 6.8 0",
  link: "M6 3.5H3v9.5h9.5v-3M9 2.5h4.5V7M13.5 2.5L7.5 8.5",
};
PATHS.draining = PATHS.download;
PATHS.trial = PATHS.retry;
PATHS.error = PATHS.failed;
PATHS.warning = PATHS.sick;
PATHS.lost = PATHS.away;
PATHS.finished = PATHS.done;

export function Icon({ name }) {
  return html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
    <path d=${PATHS[name] ?? PATHS.dot} /></svg>`;
}
