// The search page: completion of attribute names, and the kind that decides what they are.
import { element, enhance, json } from "./dom.js";

const WORD = /[^\s()=<>!,']*$/;
// Where the language wants an attribute: at the start, in parentheses, after and, or, not.
const BEFORE_ATTRIBUTE = /(^|(?<!\bin\s*)\(|\b(and|or|not)\s)\s*$/i;
const SHOWN = 40;

enhance("[data-kind]", (select) => {
  // Columns, order and completion belong to a kind.
  select.addEventListener("change", () => {
    const query = new URLSearchParams({ kind: select.value });
    const asOf = new URLSearchParams(location.search).get("as_of");
    if (asOf) query.set("as_of", asOf);
    location.assign(`/search?${query}`);
  });
});

enhance("[data-complete]", (input) => {
  const id = "completions";
  const list = element("ul", { className: "options", id, hidden: true });
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Suggestions");
  input.setAttribute("role", "combobox");
  input.setAttribute("aria-expanded", "false");
  input.setAttribute("aria-controls", id);
  input.setAttribute("aria-autocomplete", "list");
  input.after(list);
  let known = null;
  let chosen = -1;

  const word = () => input.value.slice(0, input.selectionStart).match(WORD)[0];
  const wanted = () => {
    const before = input.value.slice(0, input.selectionStart - word().length);
    return before.split("'").length % 2 === 1 && BEFORE_ATTRIBUTE.test(before);
  };

  function close() {
    list.hidden = true;
    chosen = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  async function open() {
    known ??= json(input.dataset.complete).then((said) => said.attributes);
    const names = await known.catch(() => []);
    const begun = word().toLowerCase();
    if (!wanted() || document.activeElement !== input) return close();
    const starting = names.filter((name) => name.toLowerCase().startsWith(begun));
    const holding = begun ? names.filter((name) => !starting.includes(name) && name.toLowerCase().includes(begun)) : [];
    const shown = [...starting, ...holding].slice(0, SHOWN);
    if (!shown.length || (shown.length === 1 && shown[0] === word())) return close();
    list.replaceChildren(...shown.map((name, place) => {
      const option = element("li", { textContent: name, id: `${id}-${place}` });
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      option.addEventListener("mousedown", (event) => { event.preventDefault(); take(name); });
      return option;
    }));
    chosen = -1;
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
  }

  function take(name) {
    const end = input.selectionStart;
    const start = end - word().length;
    input.setRangeText(`${name} `, start, end, "end");
    close();
    input.focus();
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
    if (event.key === "Escape") return close();
    if (event.key === "ArrowDown" && list.hidden) { open(); return event.preventDefault(); }
    if (list.hidden) return undefined;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      move(event.key === "ArrowDown" ? 1 : chosen < 0 ? 0 : -1);
      event.preventDefault();
    } else if ((event.key === "Enter" || event.key === "Tab") && chosen >= 0) {
      take(list.children[chosen].textContent);
      event.preventDefault();
    }
    return undefined;
  });
});
