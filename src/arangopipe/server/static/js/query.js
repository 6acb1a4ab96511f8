// The page Query: running by keys, and the rows that were fetched, page by page.
import { element, enhance } from "./dom.js";

enhance("[data-query] textarea", (editor) => {
  if (!editor.value) editor.focus();
  editor.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    editor.form.requestSubmit();
  });
});

enhance("[data-pages]", (box) => {
  const rows = [...box.querySelectorAll("tbody tr")];
  const size = Number(box.dataset.pages);
  if (rows.length <= size) return;
  const before = element("button", { type: "button", textContent: "Rows before" });
  const after = element("button", { type: "button", textContent: "Rows after" });
  const said = element("span", { className: "quiet small", role: "status" });
  let first = 0;
  const show = (from) => {
    first = from;
    rows.forEach((row, place) => { row.hidden = place < first || place >= first + size; });
    before.disabled = first === 0;
    after.disabled = first + size >= rows.length;
    said.textContent = `rows ${first + 1} to ${Math.min(first + size, rows.length)} of ${rows.length}`;
  };
  before.addEventListener("click", () => show(first - size));
  after.addEventListener("click", () => show(first + size));
  box.append(element("p", { className: "bar" }, before, after, said));
  show(0);
});
