// All that the page uses of others, as one module. `make vendor` makes vendor.js of it.
import { h, render, Fragment } from "preact";
import { useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState } from "preact/hooks";
import htm from "htm";
import uPlot from "uplot";

const html = htm.bind(h);

export {
  Fragment, html, render, uPlot,
  useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState,
};
