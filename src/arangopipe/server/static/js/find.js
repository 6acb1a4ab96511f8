// Boxes that take a name: the one in the header, and those for a thing of one kind.
import { combobox } from "./combo.js";
import { enhance, here, json } from "./dom.js";

const PATIENCE = 150;
const pause = () => new Promise((done) => { setTimeout(done, PATIENCE); });

/** Return what is called like the text in a box, of one kind or of any; a condition may be a name too (alpha=10). */
async function named(input, kind) {
  const text = input.value.trim();
  if (text.length < 2) return [];
  await pause();
  // Who types on does not wait for what they typed before.
  if (input.value.trim() !== text) return [];
  const address = new URL(here("/find/names.json"), location.href);
  address.searchParams.set("text", text);
  const { groups } = await json(address);
  return groups.filter((group) => !kind || group.kind === kind).flatMap((group) => group.items.map((item) => ({
    key: item.key, id: item.id, text: item.label,
    hint: kind ? item.project : [group.title.toLowerCase(), item.project].filter(Boolean).join(" · "),
  })));
}

enhance("#find", (input) => combobox(input, () => named(input), ({ id, key }) => {
  location.assign(here(`/entity/${id.slice(0, id.indexOf("/"))}/${encodeURIComponent(key)}`));
}));

enhance("[data-names]", (input) => combobox(input, () => named(input, input.dataset.names), ({ key }) => {
  input.value = key;
  input.form.requestSubmit();
}));
