// The server's time, so that ages are right on a computer whose clock is not; and ticks to show them by.
import { cell } from "./cell.js";

const TRUSTED_SECONDS = 2; // a Date header has whole seconds: less than this is no difference

export const clock = {
  offset: 0,
  now() { return Date.now() / 1000 + this.offset; },
  heard(date) {
    const said = Date.parse(date || "") / 1000 + 0.5 - Date.now() / 1000;
    this.offset = Math.abs(said) > TRUSTED_SECONDS ? said : 0;
  },
};

// They hold the time; the first changes each second, the second each half minute.
export const seconds = cell(0);
export const halfMinutes = cell(0);

function tick() {
  if (document.hidden) return;
  const now = Math.floor(clock.now());
  seconds.set(now);
  halfMinutes.set(now - (now % 30));
}

tick();
setInterval(tick, 1000);
document.addEventListener("visibilitychange", tick);
