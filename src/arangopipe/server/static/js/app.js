// What every page has: local times, keys, theme, tabs, copying.
import { element, enhance } from "./dom.js";

const local = new Intl.DateTimeFormat(undefined, {
  year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit",
});

enhance("time[datetime]", (time) => {
  const moment = new Date(time.dateTime);
  if (!Number.isNaN(moment.getTime())) time.textContent = local.format(moment);
});

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

enhance("[data-copy]", (button) => {
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.parentElement.querySelector("pre").textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
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
enhance("form[data-lean]", (form) => form.addEventListener("formdata", (event) => {
  for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
}));

let before = "";
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, select, textarea, [contenteditable]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || keys.open) return;
  const pair = before + event.key;
  before = event.key === "g" ? "g" : "";
  const act = {
    "/": () => document.getElementById("find")?.focus(),
    "?": () => keys.showModal(),
    t: toggleTheme,
    n: () => document.querySelector("[data-next]")?.click(),
    p: () => document.querySelector("[data-first]")?.click(),
    gh: () => location.assign("/"),
    gs: () => location.assign("/search"),
  }[pair in { gh: 1, gs: 1 } ? pair : event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

// A part that does not arrive says so.
document.addEventListener("htmx:error", (event) => {
  const place = event.detail?.ctx?.target;
  const waiting = place?.querySelector?.(".loading") ?? (place?.matches?.(".loading") ? place : null);
  place?.removeAttribute?.("hx-trigger");
  waiting?.replaceWith(element("span", { className: "quiet", textContent: "This could not be loaded." }));
});
