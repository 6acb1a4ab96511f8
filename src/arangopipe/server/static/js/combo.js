// A box that suggests while one types: arrows and Enter, or the mouse.
import { element } from "./dom.js";

let made = 0;

/** Offer under a box what `suggest()` returns: items of {text, hint}, and call `take(item)` for the chosen.
 *
 * What a slow answer brings is shown only if nothing was typed since.
 */
export function combobox(input, suggest, take) {
  const id = `suggestions-${made += 1}`;
  const list = element("ul", { className: "options", id, hidden: true });
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Suggestions");
  for (const [name, value] of Object.entries({ role: "combobox", "aria-expanded": "false", "aria-controls": id, "aria-autocomplete": "list" })) input.setAttribute(name, value);
  input.after(list);
  let items = [];
  let chosen = -1;
  let asked = 0;

  function close() {
    asked += 1;
    list.hidden = true;
    chosen = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  async function open() {
    const number = asked += 1;
    const found = await suggest().catch(() => []);
    if (number !== asked) return;
    items = found;
    if (!items.length || document.activeElement !== input) { close(); return; }
    list.replaceChildren(...items.map((item, place) => {
      const option = element("li", { id: `${id}-${place}` }, element("span", { textContent: item.text }));
      if (item.hint) option.append(element("span", { className: "hint", textContent: item.hint }));
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      option.addEventListener("mousedown", (event) => { event.preventDefault(); choose(item); });
      return option;
    }));
    chosen = -1;
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    input.removeAttribute("aria-activedescendant");
  }

  function choose(item) {
    close();
    take(item);
  }

  function move(step) {
    const options = [...list.children];
    chosen = (chosen + step + options.length) % options.length;
    for (const [place, option] of options.entries()) option.setAttribute("aria-selected", String(place === chosen));
    options[chosen].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", options[chosen].id);
  }

  input.addEventListener("input", open);
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !list.hidden) { close(); event.preventDefault(); return; }
    if (event.key === "ArrowDown" && list.hidden) { open(); event.preventDefault(); return; }
    if (list.hidden) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      move(event.key === "ArrowDown" ? 1 : chosen < 0 ? 0 : -1);
      event.preventDefault();
    } else if ((event.key === "Enter" || event.key === "Tab") && chosen >= 0) {
      choose(items[chosen]);
      event.preventDefault();
    }
  });
}
