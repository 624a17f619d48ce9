// Light, dark, or as the system has it; kept in this browser.
import { cell } from "./cell.js";

const KEY = "dc-theme";
export const THEMES = ["auto", "light", "dark"];

function kept() {
  try {
    const name = localStorage.getItem(KEY);
    return THEMES.includes(name) ? name : "auto";
  } catch {
    return "auto"; // a browser may refuse to keep anything
  }
}

function show(name) {
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
}

export const theme = cell(kept());
show(theme.value);

export function setTheme(name) {
  show(name);
  theme.set(name);
  try {
    localStorage.setItem(KEY, name);
  } catch {
    // it holds until the page is left
  }
}

// Calls back when colours change, by hand or by the system.
export function onColours(call) {
  const media = matchMedia("(prefers-color-scheme: dark)");
  media.addEventListener("change", call);
  const end = theme.watch(call);
  return () => {
    media.removeEventListener("change", call);
    end();
  };
}

// A colour of the style sheet as the canvas takes it.
export function colour(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}
