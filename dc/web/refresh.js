// Fetches this page again and again and swaps its main part, so that what is shown is what is.
// Open <details> and the focus stay; a hidden tab asks for nothing; a lost server is said and found again.
const SHORTEST_MS = 1000;
const LONGEST_MS = 10000;
const FOCUSABLE = "a, summary";
const live = document.getElementById("live");
let pause = SHORTEST_MS;

function openDetails(root) {
  return [...root.querySelectorAll("details")].map((item) => item.open);
}

async function refresh() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.querySelector("main");
  const shown = document.querySelector("main");
  if (!fresh || !shown || shown.innerHTML === fresh.innerHTML) return;
  if (!getSelection().isCollapsed) return;
  const open = openDetails(shown);
  const focused = [...shown.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
  shown.replaceWith(fresh);
  if (focused >= 0) fresh.querySelectorAll(FOCUSABLE)[focused]?.focus({ preventScroll: true });
  fresh.querySelectorAll("details").forEach((item, at) => { item.open = open[at] ?? false; });
  document.title = page.title;
}

async function turn() {
  if (!document.hidden) {
    try {
      await refresh();
      live.textContent = "";
      pause = SHORTEST_MS;
    } catch {
      live.textContent = "The server does not answer. Trying again.";
      pause = Math.min(2 * pause, LONGEST_MS);
    }
  }
  setTimeout(turn, pause);
}

setTimeout(turn, pause);
