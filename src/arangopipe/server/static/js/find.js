// The box in the header: what has such a name is offered while one types.
import { combobox } from "./combo.js";
import { enhance, here, json } from "./dom.js";

const PATIENCE = 150;
const pause = () => new Promise((done) => { setTimeout(done, PATIENCE); });

enhance("#find", (input) => {
  const suggest = async () => {
    const text = input.value.trim();
    // A condition is not a name; and who types on does not wait for what they typed before.
    if (text.length < 2 || /[=<>]/.test(text)) return [];
    await pause();
    if (input.value.trim() !== text) return [];
    const address = new URL(here("/find/names.json"), location.href);
    address.searchParams.set("text", text);
    const { groups } = await json(address);
    return groups.flatMap((group) => group.items.map((item) => ({
      id: item.id, text: item.label, hint: [group.title.toLowerCase(), item.project].filter(Boolean).join(" · "),
    })));
  };
  combobox(input, suggest, ({ id }) => {
    const [kind, ...key] = id.split("/");
    location.assign(here(`/entity/${kind}/${encodeURIComponent(key.join("/"))}`));
  });
});
