// A value that components watch: what several of them show and none of them owns.
import { useEffect, useReducer } from "../vendor/vendor.js";

export function cell(value) {
  const watchers = new Set();
  return {
    get value() { return value; },
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const watcher of [...watchers]) watcher();
    },
    watch(watcher) {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
  };
}

export function useCell(one) {
  const [, again] = useReducer((count) => count + 1, 0);
  const { value } = one;
  useEffect(() => {
    if (!Object.is(one.value, value)) again(0); // it changed between drawing and watching
    return one.watch(again);
  }, [one]);
  return value;
}
