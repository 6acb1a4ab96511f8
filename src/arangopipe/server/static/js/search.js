// The search page: completion of attributes and of their values, and the kind that decides what they are.
import { combobox } from "./combo.js";
import { enhance, json } from "./dom.js";

const WORD = /[^\s()=<>!,']*$/;
// Where the language wants an attribute: at the start, in parentheses, after and, or, not.
const BEFORE_ATTRIBUTE = /(^|(?<!\bin\s*)\(|\b(and|or|not)\s)\s*$/i;
// Where it wants a value of an attribute, of which something may be typed already.
const VALUE = /([^\s()=<>!,']+)\s*(?:!?=|\bi?like\b)\s*('?)([^']*)$/i;
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
  if (input.dataset.at) input.setSelectionRange(input.dataset.at, input.dataset.at);
  let known = null;

  const suggest = async () => {
    known ??= json(input.dataset.complete);
    const { attributes, values } = await known;
    const before = input.value.slice(0, input.selectionStart);
    const quotes = before.split("'").length - 1;
    const [whole, path, quote, begun] = before.match(VALUE) ?? [];
    if (whole && quotes % 2 === quote.length && values[path]) {
      return like(values[path], begun.trim()).map((text) => ({ text, hint: path, put: `'${text.replaceAll("'", "''")}' `, from: before.length - begun.length - quote.length }));
    }
    const word = before.match(WORD)[0];
    const from = before.length - word.length;
    if (quotes % 2 || !BEFORE_ATTRIBUTE.test(before.slice(0, from))) return [];
    return like(attributes, word).map((text) => ({ text, put: `${text} `, from }));
  };
  combobox(input, suggest, ({ put, from }) => {
    const after = input.value[input.selectionStart] === "'" ? 1 : 0;
    input.setRangeText(put, from, input.selectionStart + after, "end");
    input.focus();
  });
});

/** Return the names that begin, then those that go on, with what was typed; none where it is one of them whole. */
function like(names, begun) {
  const wanted = begun.toLowerCase();
  const starting = names.filter((name) => name.toLowerCase().startsWith(wanted));
  const holding = wanted ? names.filter((name) => !starting.includes(name) && name.toLowerCase().includes(wanted)) : [];
  const found = [...starting, ...holding].slice(0, SHOWN);
  return found.length === 1 && found[0] === begun ? [] : found;
}
