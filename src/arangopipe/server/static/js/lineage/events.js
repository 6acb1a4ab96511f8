// What pointer, keys and buttons do with the picture of a lineage.
import { element } from "../dom.js";
import { file } from "./drawing.js";
import { bounds } from "./layout.js";
import { next, touching } from "./paths.js";

const of = (event, selector) => event.target.closest?.(selector);

/** Let a picture be used. */
export function listen(picture) {
  const { svg } = picture.layers;
  svg.addEventListener("click", (event) => clicked(picture, event));
  svg.addEventListener("keydown", (event) => pressed(picture, event));
  svg.addEventListener("pointerover", (event) => {
    const [over, edge] = [of(event, ".box"), of(event, ".edge")];
    if (over) picture.trace.box(over.dataset.id);
    else if (edge) picture.trace.edge(edge.dataset.key);
  });
  svg.addEventListener("pointerout", (event) => { if (of(event, ".box, .edge")) picture.trace.none(); });
  svg.addEventListener("focusin", (event) => {
    const body = of(event, ".body");
    if (body?.matches(":focus-visible")) picture.trace.box(body.parentNode.dataset.id);
  });
  svg.addEventListener("focusout", () => picture.trace.none());
  document.addEventListener("keydown", (event) => everywhere(picture, event));
  controls(picture);
}

function controls(picture) {
  const { card } = picture;
  const seek = document.getElementById("seek");
  seek.addEventListener("input", () => picture.seek(seek.value));
  seek.addEventListener("keydown", (event) => { if (event.key === "Enter") picture.seek(seek.value, true); });
  for (const button of card.querySelectorAll("[data-zoom]")) button.addEventListener("click", () => picture.move.zoom(Number(button.dataset.zoom)));
  card.querySelector("[data-fit]").addEventListener("click", () => picture.move.fit(bounds(picture.places)));
  card.querySelector("[data-tidy]").addEventListener("click", () => picture.tidy());
  const save = document.querySelector("[data-svg]");
  save.hidden = false;
  save.addEventListener("click", () => saved(picture));
}

function clicked(picture, event) {
  const [more, body, edge] = [of(event, ".more"), of(event, ".body"), of(event, ".edge")];
  if (more) {
    const { id } = more.parentNode.dataset;
    const { way } = more.dataset;
    if (picture.boxes.get(id).more.includes(way)) picture.open(id, way);
    else picture.close(id, way);
  } else if (edge) picture.details.edge(edge.dataset.key);
  else if (body) {
    const { id } = body.parentNode.dataset;
    picture.focus(id, false);
    const it = picture.boxes.get(id);
    if (event.ctrlKey || event.metaKey || event.shiftKey || it.redacted) return;
    // The name is a link, as is the whole box for who has no pointer; elsewhere a click opens the box.
    if (!it.group && (event.detail === 0 || of(event, ".name"))) return;
    event.preventDefault();
    picture.toggle(id);
  }
}

function pressed(picture, event) {
  if (event.ctrlKey || event.metaKey || event.altKey || !of(event, ".body")) return;
  const act = event.key.startsWith("Arrow") ? () => {
    const to = next(picture, event.key);
    if (to) picture.focus(to);
  } : { e: () => picture.toggle(picture.focused), d: () => holds(picture) }[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

/** Show what the edges of the focused box hold, one after the other. */
function holds(picture) {
  const keys = touching(picture.arrows, picture.focused);
  picture.turn = picture.told === picture.focused ? (picture.turn + 1) % keys.length : 0;
  picture.told = picture.focused;
  if (keys.length) picture.details.edge(keys[picture.turn]);
}

function everywhere(picture, event) {
  if (of(event, "input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const act = {
    f: () => document.getElementById("seek").focus(),
    "+": () => picture.move.zoom(1.25),
    "-": () => picture.move.zoom(0.8),
    0: () => picture.move.fit(bounds(picture.places)),
    Escape: () => picture.details.hide(),
  }[event.key];
  if (!act) return;
  if (event.key !== "Escape") event.preventDefault();
  act();
}

function saved(picture) {
  picture.trace.none();
  const { svg, view } = picture.layers;
  const text = file(svg, view, bounds(picture.places));
  const { start } = picture.view;
  const link = element("a", { download: `lineage-${start.name || start.key}.svg`, href: URL.createObjectURL(new Blob([text], { type: "image/svg+xml" })) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
