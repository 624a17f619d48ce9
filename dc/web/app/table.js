// Tables: sorted by their headings, with rows to select, page by page; cards on a narrow screen.
import { html, useEffect, useRef } from "../vendor/vendor.js";
import { setQuery } from "./router.js";
import { Icon } from "./icons.js";
import { cut, visible } from "./visible.js";

// columns: {key, title, cell(row), sort?: its name at the server, number?, head?: names the row, unseen?: title}
// onSort(sort, order); selected: a Set of keys, with onSelect(Set). The roles stand there because a row
// that is laid out as a card would lose them.
export function Table({
  caption, columns, rows, rowKey, sort, order, onSort, selected, onSelect, nameOf, empty, loading,
}) {
  return html`<div class="table-frame" aria-busy=${loading}>
    <div class="table-scroll" tabindex="0" role="group" aria-label=${`${caption}, table`}>
      <table role="table" class=${onSelect ? "selectable" : ""}>
        <caption class="unseen">${caption}</caption>
        <thead role="rowgroup"><tr role="row">
          ${onSelect && html`<th scope="col" role="columnheader" class="tick">
            <${SelectAll} keys=${rows.map(rowKey)} selected=${selected} onSelect=${onSelect} /></th>`}
          ${columns.map((column) => html`<${Heading} key=${column.key} column=${column} sort=${sort}
            order=${order} onSort=${onSort} />`)}
        </tr></thead>
        <tbody role="rowgroup">${rows.map((row) => html`<${Row} key=${rowKey(row)} row=${row} id=${rowKey(row)}
          columns=${columns} selected=${selected} onSelect=${onSelect} nameOf=${nameOf} />`)}</tbody>
      </table>
      ${rows.length === 0 && !loading && html`<div class="empty">${empty ?? "There is nothing here."}</div>`}
    </div></div>`;
}

function Heading({ column, sort, order, onSort }) {
  const kind = column.number ? "number" : undefined;
  const title = column.unseen ? html`<span class="unseen">${column.title}</span>` : column.title;
  if (!column.sort || !onSort) return html`<th scope="col" role="columnheader" class=${kind}>${title}</th>`;
  const mine = column.sort === sort;
  const sorted = mine ? (order === "asc" ? "ascending" : "descending") : "none";
  const next = mine ? (order === "asc" ? "desc" : "asc") : column.first ?? "asc";
  return html`<th scope="col" role="columnheader" class=${kind} aria-sort=${sorted}>
    <button type="button" class="sort" onClick=${() => onSort(column.sort, next)}>${title}
      ${mine ? html`<${Icon} name=${order === "asc" ? "up" : "down"} />` : html`<span class="icon" />`}</button></th>`;
}

function Row({ row, id, columns, selected, onSelect, nameOf }) {
  const on = selected?.has(id);
  return html`<tr role="row" class=${on ? "selected" : undefined}>
    ${onSelect && html`<td role="cell" class="tick"><label class="tick-box">
      <input type="checkbox" checked=${on} aria-label=${`Select ${visible(cut(nameOf?.(row) ?? String(id), 60))}`}
        onChange=${() => onSelect(toggled(selected, id))} /></label></td>`}
    ${columns.map((column) => {
      const kind = column.number ? "number" : undefined;
      const inner = column.cell(row);
      return column.head
        ? html`<th scope="row" role="rowheader" key=${column.key} class=${kind}>${inner}</th>`
        : html`<td role="cell" key=${column.key} class=${kind} data-title=${column.unseen ? "" : column.title}>${inner}</td>`;
    })}
  </tr>`;
}

function toggled(selected, id) {
  const next = new Set(selected);
  if (!next.delete(id)) next.add(id);
  return next;
}

function SelectAll({ keys, selected, onSelect }) {
  const box = useRef(null);
  const some = keys.filter((key) => selected.has(key)).length;
  useEffect(() => { box.current.indeterminate = some > 0 && some < keys.length; }, [some, keys.length]);
  return html`<label class="tick-box"><input type="checkbox" ref=${box} aria-label="Select all that are shown"
    checked=${keys.length > 0 && some === keys.length}
    onChange=${() => onSelect(some === keys.length ? new Set() : new Set(keys))} /></label>`;
}

// Steps through what is paged by cursors. The cursors passed stand in the history's state, so that
// Back and a copied address work.
//   late: whether what is shown, and `next` with it, is still of another page.
export function Pager({ next, late, name = "cursor", label = "Pages of the table" }) {
  const at = new URLSearchParams(location.search).get(name);
  const passed = history.state?.[name] ?? [];
  if (!next && !at) return null;
  const move = (cursor, trail) => {
    if (late) return; // pressed twice: not disabled, so that the focus stays on it
    setQuery({ [name]: cursor }, { replace: false, state: { ...history.state, [name]: trail } });
    document.getElementById("heading")?.scrollIntoView({ block: "nearest" });
  };
  const back = () => move(passed.at(-1) ?? "", passed.slice(0, -1));
  return html`<nav class="pager" aria-label=${label}>
    <button type="button" disabled=${!at} onClick=${() => move("", [])}>First</button>
    <button type="button" disabled=${!at} onClick=${back}><${Icon} name="left" />Previous</button>
    <button type="button" disabled=${!next} onClick=${() => move(next, [...passed, at ?? ""])}>
      Next<${Icon} name="right" /></button>
  </nav>`;
}

// Makes the headings of a table change `sort` and `order` of the query, from the first page on.
export function sortByQuery(sort, order) {
  setQuery({ sort, order, cursor: "" });
}

