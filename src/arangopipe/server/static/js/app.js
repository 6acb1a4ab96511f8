// What every page has: local times, keys, theme, tabs, copying.
import { element, enhance, shortcut } from "./dom.js";
import "./find.js";

const local = new Intl.DateTimeFormat(undefined, {
  year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit",
});
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const UNITS = [["second", 60], ["minute", 60], ["hour", 24], ["day", 7]];
const paper = matchMedia("print");
const recent = [];

/** Return how long ago a moment was, or will be; nothing for what is more than a week away. */
function ago(moment) {
  let length = (moment - Date.now()) / 1000;
  if (Math.abs(length) < 45) return "just now";
  for (const [unit, many] of UNITS) {
    if (Math.abs(Math.round(length)) < many) return relative.format(Math.round(length), unit);
    length /= many;
  }
  return "";
}

function tell(time) {
  const moment = new Date(time.dateTime);
  if (Number.isNaN(moment.getTime())) return;
  time.textContent = ("ago" in time.dataset && !paper.matches && ago(moment)) || local.format(moment);
}

enhance("time[datetime]", (time) => {
  // What is seen as of another moment is not told from now.
  if (new URLSearchParams(location.search).has("as_of")) delete time.dataset.ago;
  if ("ago" in time.dataset) {
    time.title = `${local.format(new Date(time.dateTime))} (${time.title})`;
    recent.push(time);
  }
  tell(time);
});
setInterval(() => recent.forEach(tell), 60_000);
paper.addEventListener("change", () => recent.forEach(tell));

enhance("[data-theme-toggle]", (button) => button.addEventListener("click", toggleTheme));

function toggleTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
  document.dispatchEvent(new Event("theme"));
}

const keys = document.getElementById("keys");
enhance("[data-keys]", (button) => button.addEventListener("click", () => keys.showModal()));

enhance("[data-tabs]", (box) => {
  const tabs = [...box.querySelectorAll('[role="tab"]')];
  const show = (chosen) => {
    for (const tab of tabs) {
      const here = tab === chosen;
      tab.setAttribute("aria-selected", String(here));
      tab.tabIndex = here ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = !here;
    }
  };
  for (const [place, tab] of tabs.entries()) {
    tab.addEventListener("click", () => show(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = tabs[(place + step + tabs.length) % tabs.length];
      show(next);
      next.focus();
    });
  }
  if (tabs.length) show(tabs[0]);
});

/** Copy a text; where a page is not served over TLS, browsers have no clipboard but the old way. */
async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text).then(() => true, () => false);
  const place = element("textarea", { value: text });
  document.body.append(place);
  place.select();
  const done = document.execCommand("copy");
  place.remove();
  return done;
}

// Of a long list, what one looks for.
enhance("[data-filter]", (input) => input.addEventListener("input", () => {
  const wanted = input.value.toLowerCase();
  for (const row of document.querySelectorAll(`${input.dataset.filter} > *`)) row.hidden = !row.textContent.toLowerCase().includes(wanted);
}));

enhance("[data-copy]", (button) => {
  button.addEventListener("click", async () => {
    const done = await copy(button.dataset.copy || button.parentElement.querySelector("pre").textContent);
    const said = button.textContent;
    button.textContent = done ? "Copied" : "Select it, and press Ctrl+C";
    button.disabled = true;
    setTimeout(() => { button.textContent = said; button.disabled = false; }, 1500);
  });
});

// A menu closes when one turns away.
enhance("details[data-menu]", (menu) => {
  document.addEventListener("click", (event) => { if (!menu.contains(event.target)) menu.open = false; });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
});

// What was refused is open again, with what was wrong in it.
enhance("[popover][data-open]", (form) => form.showPopover());

// Times are typed in the reader's zone, and sent in UTC.
enhance('input[type="datetime-local"]', (input) => {
  if (input.dataset.utc) {
    const moment = new Date(input.dataset.utc);
    input.value = new Date(moment - moment.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
  }
  input.form?.addEventListener("formdata", (event) => {
    if (input.value) event.formData.set(input.name, new Date(input.value).toISOString());
  });
});

// What was left empty does not stand in the address.
enhance("form[data-lean]", (form) => form.addEventListener("formdata", ({ formData }) => {
  const said = [...formData].filter(([, value]) => value !== "");
  for (const name of new Set(formData.keys())) formData.delete(name);
  for (const [name, value] of said) formData.append(name, value);
}));

shortcut("/", () => document.getElementById("find")?.focus());
shortcut("?", () => keys.showModal());
shortcut("t", toggleTheme);
shortcut("n", () => document.querySelector("[data-next]")?.click());
shortcut("p", () => document.querySelector("[data-first]")?.click());
// A page of the navigation by its first letter, the first of those that share one.
for (const link of [...document.querySelectorAll(".nav a")].reverse()) {
  shortcut(`g${link.textContent.trim()[0].toLowerCase()}`, () => link.click());
}

// A part that does not arrive says so.
document.addEventListener("htmx:error", (event) => {
  const place = event.detail?.ctx?.target;
  const waiting = place?.querySelector?.(".loading") ?? (place?.matches?.(".loading") ? place : null);
  place?.removeAttribute?.("hx-trigger");
  waiting?.replaceWith(element("span", { className: "quiet", textContent: "This could not be loaded." }));
});
