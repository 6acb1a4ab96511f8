// Tables that are there as a whole sort by a click on a heading.
import { element, enhance } from "./dom.js";

enhance("table[data-sortable]", (table) => {
  for (const [place, head] of [...table.tHead.rows[0].cells].entries()) {
    const button = element("button", { type: "button", className: "sort", textContent: head.textContent.trim() });
    button.addEventListener("click", () => sort(table, head, place));
    head.replaceChildren(button);
  }
});

function sort(table, head, place) {
  // Numbers are read from the largest down, names from A.
  const falls = head.classList.contains("num");
  const before = head.getAttribute("aria-sort");
  const down = before ? before === "ascending" : falls;
  for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const [body] = table.tBodies;
  const known = [...body.rows].map((row) => [row, value(row.cells[place])]);
  known.sort(([, one], [, other]) => compared(one, other) * (down ? -1 : 1) || 0);
  // What has no value comes last, whichever way.
  body.append(...known.filter(([, each]) => each !== null).map(([row]) => row), ...known.filter(([, each]) => each === null).map(([row]) => row));
}

function value(cell) {
  if (cell.dataset.value !== undefined) return Number(cell.dataset.value);
  if (cell.querySelector(".missing")) return null;
  return cell.querySelector("time")?.dateTime ?? cell.textContent.trim();
}

function compared(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  return String(one).localeCompare(String(other), undefined, { numeric: true });
}
