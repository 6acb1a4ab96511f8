// What every module shares: finding elements now and whenever a part of the page arrives.

const enhancers = [];

/** Call `make` once for each element that matches, now and in what arrives later. */
export function enhance(selector, make) {
  enhancers.push([selector, make]);
  apply(document, selector, make);
}

function apply(root, selector, make) {
  const found = [...root.querySelectorAll(selector)];
  if (root.matches?.(selector)) found.unshift(root);
  for (const element of found) {
    element.enhanced ??= new Set();
    if (element.enhanced.has(make)) continue;
    element.enhanced.add(make);
    make(element);
  }
}

document.addEventListener("htmx:after:swap", () => {
  for (const [selector, make] of enhancers) apply(document, selector, make);
});

const shortcuts = new Map();

/** Call `act` when a key is pressed while nobody is typing; for "gs" both, one after the other. */
export function shortcut(keys, act) {
  shortcuts.set(keys, act);
}

let before = "";
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("textarea, select, [contenteditable], input:not([type=checkbox], [type=radio], [type=range])");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const act = shortcuts.get(before + event.key) ?? shortcuts.get(event.key);
  before = event.key === "g" ? "g" : "";
  if (!act) return;
  event.preventDefault();
  act();
});

/** Return a new element with properties and children. */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** Return what a server answers as JSON, or throw an error that says what was wrong. */
export async function json(address) {
  const answer = await fetch(address, { headers: { Accept: "application/json" } });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.detail || said.title || `the server answered ${answer.status}`);
  return said;
}

/** Return the page at an address, or throw an error that says what was wrong. */
export async function html(address) {
  const answer = await fetch(address, { headers: { Accept: "text/html" } });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!answer.ok) throw new Error(page.querySelector("main p")?.textContent ?? `the server answered ${answer.status}`);
  return page;
}

/** Put a failure where the reader looks. */
export function failed(place, error) {
  const text = element("p", { textContent: `This could not be loaded: ${error.message}` });
  place.replaceChildren(element("div", { className: "notice bad", role: "alert" }, text));
}

/** Change some of the address of this page without loading it again; empty values are left out. */
export function remember(values) {
  const here = new URL(location.href);
  for (const [name, value] of Object.entries(values)) {
    if (value === "" || value === null || value === false) here.searchParams.delete(name);
    else here.searchParams.set(name, value);
  }
  history.replaceState(history.state, "", here);
}

/** Return the address of another page as of the same moment. */
export function here(path) {
  const moment = new URLSearchParams(location.search).get("as_of");
  return moment ? `${path}?${new URLSearchParams({ as_of: moment })}` : path;
}
