// Who looks at the page, and what they may do: what is not allowed is not offered. The server decides anyway.
import { get, refused, send } from "./api.js";
import { cell } from "./cell.js";
import { go, place } from "./router.js";

export const SIGN_IN = "/sign-in";

// As the API says it; null until it has, or while it does not answer.
export const me = cell(null);

// Whether one has one of these roles, or need not sign in at all; who administers may do everything.
export function may(...roles) {
  const { value } = me;
  return !value?.needed || ["admin", ...roles].some((role) => value.roles.includes(role));
}

// Whether one may stop and change what a submitter has submitted.
export function controls(submitter) {
  return may() || (may("submit") && submitter === me.value.name);
}

// Whether this server has anything to do with who is let in, and one may decide it.
export function administers() {
  return Boolean(me.value?.needed) && may();
}

export async function load() {
  try {
    me.set(await get("/api/me"));
  } catch {
    // whatever asks next says what is wrong
  }
}

// The secret of the link by which the page was opened. It goes out of the address and the history at once.
function taken() {
  if (location.pathname !== SIGN_IN || location.hash.length < 2) return "";
  const code = location.hash.slice(1);
  history.replaceState(history.state, "", location.pathname + location.search);
  return code;
}

export const linkCode = cell(taken());

addEventListener("hashchange", () => {
  const code = taken();
  if (code) linkCode.set(code);
});

// Where to go from the sign-in page: to an address of this page alone.
export function wanted(query) {
  const to = query.get("to") ?? "";
  return /^\/(?![/\\])/.test(to) && !to.startsWith(SIGN_IN) ? to : "/";
}

export async function signIn(secret) {
  me.set(await send("POST", "/api/sign-in", { secret }));
  linkCode.set("");
}

// The page is loaded anew: nothing of what was shown stays in it.
export async function signOut() {
  await send("POST", "/api/sign-out");
  location.assign(SIGN_IN);
}

// To the sign-in page, and back from there.
export function askToSignIn() {
  if (place.value.path === SIGN_IN) return;
  const here = location.pathname + location.search;
  go(here === "/" ? SIGN_IN : `${SIGN_IN}?to=${encodeURIComponent(here)}`, { replace: true });
}

refused.watch(async () => {
  if (!me.value) await load(); // it could not be had when the page was opened
  if (!me.value?.needed) return;
  me.set({ ...me.value, signed_in: false, roles: [] });
  askToSignIn();
});
