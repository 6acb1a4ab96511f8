// The boxes and edges of a lineage as SVG elements.
import { HEIGHT, WIDTH, curve } from "./layout.js";

const SVG = "http://www.w3.org/2000/svg";
const ROOM = WIDTH - 26;

/** Return a new SVG element with attributes and children. */
export function shape(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** Return an empty picture: the SVG, and the layers of edges and boxes in what is panned and zoomed. */
export function canvas(label) {
  const head = (id, name) => shape("marker", { id, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 9, markerHeight: 9, orient: "auto", markerUnits: "userSpaceOnUse" },
    shape("path", { d: "M0,0 L8,4 L0,8 z", class: name }));
  const edges = shape("g", { class: "edges" });
  const boxes = shape("g", { class: "boxes" });
  const view = shape("g", { class: "view" }, edges, boxes);
  const svg = shape("svg", { role: "group", "aria-label": label }, shape("defs", {}, head("head", "head"), head("head-on", "head on")), view);
  return { svg, view, edges, boxes };
}

/** Add to a layer the box of a thing, of a group, or of what may not be seen, and return it. */
export function box(it, start, layer) {
  const words = it.id === start ? "start" : `level ${Math.abs(it.level)} ${it.level < 0 ? "before" : "after"}`;
  const name = it.group ? `${it.label}, ${it.title}` : `${it.title} ${it.label}`;
  const body = shape(it.href ? "a" : "g", { href: it.href, tabindex: -1, class: "body", role: it.href ? null : "img" });
  const [left, top] = [-WIDTH / 2, -HEIGHT / 2];
  body.append(shape("title", {}, [name, it.note, it.status, words].filter(Boolean).join(", ")));
  if (it.group) {
    for (const by of [6, 3]) body.append(shape("rect", { class: "behind", x: left + by, y: top + by, width: WIDTH, height: HEIGHT, rx: 6 }));
  }
  const sort = shape("text", { class: "sort", x: left + 13, y: top + 18 }, [it.title, it.note].filter(Boolean).join(" · "));
  const label = shape("text", { class: "name", x: left + 13, y: top + 37 }, it.label);
  body.append(
    shape("rect", { class: "frame", x: left, y: top, width: WIDTH, height: HEIGHT, rx: 6 }),
    shape("rect", { class: `strip ${it.kind}`, x: left + 1, y: top + 6, width: 4, height: HEIGHT - 12, rx: 2 }),
    sort, label,
  );
  const status = it.status ? shape("text", { class: `state ${it.status}`, x: -left - 10, y: top + 18 }, it.status) : null;
  if (status) body.append(status);
  const classes = ["box", it.id === start ? "start" : "", it.redacted ? "unseen" : "", it.group ? "group" : ""];
  const made = shape("g", { class: classes.filter(Boolean).join(" "), "data-id": it.id }, body);
  layer.append(made);
  fitted(label, ROOM);
  const room = ROOM - (status ? status.getComputedTextLength() + 8 : 0);
  if (sort.getComputedTextLength() > room && it.status) sort.textContent = it.title;
  fitted(sort, room);
  return made;
}

/** Cut the middle out of a text that is in the page until it fits: names often differ at their ends. */
function fitted(text, room) {
  if (text.getComputedTextLength() <= room) return;
  const letters = [...text.textContent];
  let [least, most] = [1, letters.length];
  const cut = (kept) => {
    const end = Math.floor(kept * 0.4);
    text.textContent = `${letters.slice(0, kept - end).join("")}…${letters.slice(letters.length - end).join("")}`;
  };
  while (least < most) {
    const middle = Math.ceil((least + most) / 2);
    cut(middle);
    if (text.getComputedTextLength() <= room) least = middle;
    else most = middle - 1;
  }
  cut(least);
}

/** Show at the sides of a box where it can be opened (+) or closed again (−). */
export function openings(made, it) {
  for (const [way, side] of [["upstream", -1], ["downstream", 1]]) {
    const open = it.more.includes(way);
    if (!open && !it.opened?.[way]) continue;
    const what = way === "upstream" ? `what ${it.label} came from` : `what came of ${it.label}`;
    made.append(shape("g", { class: "more", role: "button", tabindex: -1, "data-way": way, "aria-label": `${open ? "Show" : "Hide"} ${what}`, transform: `translate(${side * WIDTH / 2},${HEIGHT / 2 - 6})` },
      shape("title", {}, `${open ? "Show" : "Hide"} ${what}`),
      shape("circle", { class: "touch", r: 13 }),
      shape("circle", { class: "dot", r: 8.5 }),
      shape("text", { y: 4.6 }, open ? "+" : "−")));
  }
}

/** Return the line between two boxes, with how many edges it stands for. */
export function line(arrow, label, from, to, through) {
  const { data, x, y } = curve(from, to, through);
  const made = shape("g", { class: arrow.count ? "edge" : "edge passes", role: "button", tabindex: -1 },
    shape("title", {}, label),
    shape("path", { class: "touch", d: data }),
    shape("path", { class: "line", d: data, "marker-end": "url(#head)" }));
  if (arrow.count > 1) made.append(shape("text", { x, y: y - 4 }, arrow.count.toLocaleString("en")));
  return made;
}

const LOOKS = ["fill", "stroke", "stroke-width", "stroke-dasharray", "font-family", "font-size", "font-weight", "font-style", "text-anchor", "opacity", "paint-order"];

/** Return the whole picture as the text of an SVG file that needs nothing else. */
export function file(svg, view, frame) {
  const copy = svg.cloneNode(true);
  const originals = [svg, ...svg.querySelectorAll("*")];
  [copy, ...copy.querySelectorAll("*")].forEach((each, place) => {
    const looks = getComputedStyle(originals[place]);
    for (const name of LOOKS) each.setAttribute(name, looks.getPropertyValue(name));
    if (each.hasAttribute("href")) each.setAttribute("href", new URL(each.getAttribute("href"), location.href).href);
    for (const name of ["tabindex", "class", "role", "style"]) if (!(name === "class" && each.matches(".view, .more"))) each.removeAttribute(name);
  });
  for (const more of copy.querySelectorAll(".more")) more.remove();
  copy.querySelector(".view").removeAttribute("transform");
  copy.setAttribute("xmlns", SVG);
  copy.setAttribute("viewBox", `${frame.left} ${frame.top} ${frame.width} ${frame.height}`);
  copy.setAttribute("width", frame.width);
  copy.setAttribute("height", frame.height);
  const ground = shape("rect", { x: frame.left, y: frame.top, width: frame.width, height: frame.height, fill: getComputedStyle(svg.parentElement).backgroundColor });
  copy.insertBefore(ground, copy.querySelector(".view"));
  return new XMLSerializer().serializeToString(copy);
}
