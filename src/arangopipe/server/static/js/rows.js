// Rows that can be chosen: all at once, a stretch of them with Shift, or with keys; and how many are.
import { enhance, shortcut } from "./dom.js";

enhance("[data-rows]", (form) => {
  const boxes = [...form.querySelectorAll('tbody input[type="checkbox"]')];
  const all = form.querySelector("[data-all]");
  const compare = form.querySelector("[data-compare]");
  const count = form.querySelector("[data-count]");
  let last = null;
  let here = -1;

  const tell = () => {
    const chosen = boxes.filter((box) => box.checked).length;
    count.textContent = chosen ? `(${chosen})` : "";
    compare.disabled = chosen < 2;
    all.checked = chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
    for (const box of boxes) box.closest("tr").classList.toggle("chosen", box.checked);
  };
  const go = (step) => {
    here = Math.max(0, Math.min(boxes.length - 1, here + step));
    const row = boxes[here].closest("tr");
    row.querySelector("a").focus();
    row.scrollIntoView({ block: "nearest" });
  };

  all.hidden = false;
  all.addEventListener("change", () => { for (const box of boxes) box.checked = all.checked; tell(); });
  for (const [place, box] of boxes.entries()) {
    box.addEventListener("click", (event) => {
      if (event.shiftKey && last !== null) {
        for (const between of boxes.slice(Math.min(last, place), Math.max(last, place) + 1)) between.checked = box.checked;
      }
      last = place;
      tell();
    });
    box.closest("tr").addEventListener("focusin", () => { here = place; });
  }
  shortcut("j", () => go(1));
  shortcut("k", () => go(-1));
  shortcut("x", () => boxes[here]?.click());
  shortcut("c", () => { if (!compare.disabled) compare.click(); });
  // A browser that comes back has kept what was chosen.
  tell();
  addEventListener("pageshow", tell);
});
