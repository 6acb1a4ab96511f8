// The lineage page: a picture that grows where one clicks, and never moves what is there.
import { Details } from "./details.js";
import { element, enhance, json } from "./dom.js";
import { box, canvas, file, fitted, line, openings, shape } from "./drawing.js";
import { movable } from "./gestures.js";
import { HEIGHT, WIDTH, arranged, beside, bounds } from "./layout.js";

const READABLE = 0.72;
const SIDES = { upstream: -1, downstream: 1 };

class Picture {
  constructor(card) {
    this.card = card;
    this.view = JSON.parse(document.getElementById("lineage-data").textContent);
    this.start = this.view.start.id;
    this.boxes = new Map();
    this.arrows = new Map();
    this.drawn = new Map();
    this.lines = new Map();
    this.focused = this.start;
    this.details = new Details(card.querySelector(".panel"), this);
    this.rows = document.querySelector("[data-rows] tbody");
  }

  begin() {
    for (const it of this.view.boxes) this.boxes.set(it.id, { ...it, opened: {} });
    for (const arrow of this.view.arrows) this.arrows.set(`${arrow.from}\n${arrow.to}`, arrow);
    this.places = arranged([...this.boxes.keys()], this.arrows.values());
    this.layers = canvas(`Picture of the lineage of ${this.boxes.get(this.start).label}: what came first stands on the left`);
    const place = this.card.querySelector(".canvas");
    place.replaceChildren(this.layers.svg);
    const frame = bounds(this.places);
    const least = place.clientWidth < 600 ? READABLE : 0.5;
    const high = frame.height * Math.min(1, Math.max(least, place.clientWidth / frame.width));
    place.style.height = `${Math.max(220, Math.min(high + 24, innerHeight * (place.clientWidth < 600 ? 0.55 : 0.7)))}px`;
    this.move = movable(this.layers.svg, this.layers.view);
    for (const id of this.boxes.keys()) this.addBox(id);
    for (const key of this.arrows.keys()) this.addLine(key);
    this.move.fit(frame, least, this.places.get(this.start));
    this.focus(this.start, false);
    this.listen();
    this.legend();
    this.card.querySelector("[data-controls]").hidden = false;
  }

  // --- drawing ---

  addBox(id) {
    const it = this.boxes.get(id);
    const made = box(it, this.start);
    const { x, y } = this.places.get(id);
    made.setAttribute("transform", `translate(${x},${y})`);
    openings(made, it);
    this.layers.boxes.append(made);
    fitted(made);
    this.drawn.set(id, made);
  }

  addLine(key) {
    const arrow = this.arrows.get(key);
    const [from, to] = [arrow.from, arrow.to].map((id) => this.boxes.get(id));
    const count = arrow.count > 1 ? ` (${arrow.count.toLocaleString("en")} edges)` : "";
    const made = line(arrow, `${to.label} ${arrow.words} ${from.label}${count}`, this.places.get(arrow.from), this.places.get(arrow.to));
    made.dataset.key = key;
    this.layers.edges.append(made);
    this.lines.set(key, made);
  }

  redraw() {
    this.layers.edges.replaceChildren();
    this.lines.clear();
    for (const [id, made] of this.drawn) made.setAttribute("transform", `translate(${this.places.get(id).x},${this.places.get(id).y})`);
    for (const key of this.arrows.keys()) this.addLine(key);
  }

  legend() {
    const known = new Map([...this.boxes.values()].filter((it) => it.kind).map((it) => [it.kind, it.sort]));
    this.card.querySelector("[data-legend]").replaceChildren(...[...known].map(([kind, title]) => {
      const swatch = shape("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, shape("rect", { class: `strip ${kind}`, width: 10, height: 10, rx: 2 }));
      return element("span", { className: "small quiet nowrap" }, swatch, title);
    }));
  }

  say(text) {
    this.card.querySelector("[data-said]").textContent = text;
  }

  // --- what is before and after ---

  reach(id, near, far) {
    const found = new Set([id]);
    const keys = new Set();
    for (const each of found) {
      for (const [key, arrow] of this.arrows) {
        if (arrow[near] === each) { found.add(arrow[far]); keys.add(key); }
      }
    }
    return [found, keys];
  }

  trace(ids, also = []) {
    const boxes = new Set(ids);
    const keys = new Set(also);
    if (ids.length) {
      const sides = [this.reach(ids[0], "to", "from"), this.reach(ids.at(-1), "from", "to")];
      for (const [found, over] of sides) {
        for (const each of found) boxes.add(each);
        for (const each of over) keys.add(each);
      }
    }
    this.layers.view.classList.toggle("tracing", ids.length > 0);
    for (const [id, made] of this.drawn) made.classList.toggle("on", boxes.has(id));
    for (const [key, made] of this.lines) {
      made.classList.toggle("on", keys.has(key));
      made.querySelector(".line").setAttribute("marker-end", keys.has(key) ? "url(#head-on)" : "url(#head)");
    }
  }

  neighbours(id) {
    const all = [...this.arrows.values()];
    return [...all.filter((one) => one.to === id).map((one) => one.from), ...all.filter((one) => one.from === id).map((one) => one.to)];
  }

  // --- growing ---

  address(it, query) {
    const asked = new URLSearchParams(location.search);
    const kept = new URLSearchParams(asked.getAll("hide").map((kind) => ["hide", kind]));
    if (asked.has("as_of")) kept.set("as_of", asked.get("as_of"));
    for (const [name, value] of Object.entries(query)) for (const each of [value].flat()) kept.append(name, each);
    return `/lineage/${encodeURIComponent(it.kind)}/${encodeURIComponent(it.key)}.json?${kept}`;
  }

  async open(id, way) {
    const it = this.boxes.get(id);
    const room = this.view.room - this.boxes.size;
    if (room < 1) return this.say(`${this.view.room} boxes are drawn, which is as many as one can follow: hide some first.`);
    it.more = it.more.filter((each) => each !== way);
    const near = this.neighbours(id).filter((each) => !this.boxes.get(each).group);
    try {
      const found = await json(this.address(it, { depth: 1, direction: way, room, with: near }));
      const fresh = this.merge(found, id, SIDES[way]);
      it.opened[way] = fresh;
      this.say(fresh.length ? `${fresh.length === 1 ? "One box" : `${fresh.length} boxes`} more: ${way === "upstream" ? `what ${it.label} came from` : `what came of ${it.label}`}.` : `There is nothing more ${way === "upstream" ? "before" : "after"} ${it.label}.`);
      if (!fresh.length) delete it.opened[way];
      this.remember(way === "upstream" ? "up" : "down", id, true);
    } catch (error) {
      it.more.push(way);
      this.say(`This could not be loaded: ${error.message}`);
    }
    openings(this.drawn.get(id), it);
    return undefined;
  }

  merge(found, origin, side) {
    const level = this.boxes.get(origin).level + side;
    // Groups of different origins may be called the same.
    const name = (id) => (id === found.start.id ? origin : id.startsWith("group:") ? `${id}@${origin}` : id);
    const fresh = [];
    for (const it of found.boxes) {
      const id = name(it.id);
      if (this.boxes.has(id)) continue;
      this.boxes.set(id, { ...it, id, level, opened: {}, parent: origin });
      fresh.push(id);
    }
    beside(this.places, fresh, origin, side);
    for (const id of fresh) this.addBox(id);
    this.link(found.arrows, name);
    for (const id of fresh) this.addRow(id);
    this.legend();
    return fresh;
  }

  link(arrows, name = (id) => id) {
    for (const arrow of arrows) {
      const [from, to] = [name(arrow.from), name(arrow.to)];
      const key = `${from}\n${to}`;
      if (!this.boxes.has(from) || !this.boxes.has(to) || this.arrows.has(key)) continue;
      this.arrows.set(key, { ...arrow, from, to });
      this.addLine(key);
    }
  }

  close(id, way) {
    const it = this.boxes.get(id);
    for (const each of it.opened[way] ?? []) this.remove(each);
    delete it.opened[way];
    it.more.push(way);
    openings(this.drawn.get(id), it);
    this.remember(way === "upstream" ? "up" : "down", id, false);
    this.say("");
    this.trace([]);
    if (!this.boxes.has(this.focused)) this.focus(id);
  }

  remove(id) {
    const it = this.boxes.get(id);
    if (!it) return;
    for (const way of Object.keys(it.opened)) {
      for (const each of it.opened[way]) this.remove(each);
      this.remember(way === "upstream" ? "up" : "down", id, false);
    }
    this.boxes.delete(id);
    this.places.delete(id);
    this.drawn.get(id).remove();
    this.drawn.delete(id);
    for (const [key, arrow] of this.arrows) {
      if (arrow.from !== id && arrow.to !== id) continue;
      this.arrows.delete(key);
      this.lines.get(key).remove();
      this.lines.delete(key);
    }
    this.row(id)?.remove();
  }

  /** Open a box where it leads on, away from the start first; one that is open everywhere is closed. */
  toggle(id) {
    const it = this.boxes.get(id);
    if (it.group) return this.list(it);
    const order = it.level < 0 ? ["upstream", "downstream"] : ["downstream", "upstream"];
    const closed = order.find((way) => it.more.includes(way));
    if (closed) return this.open(id, closed);
    const opened = order.find((way) => it.opened[way]);
    if (opened) return this.close(id, opened);
    return this.say(`All that ${it.label} is linked to is shown.`);
  }

  async pin(id) {
    if (this.boxes.has(id)) return this.focus(id);
    if (this.boxes.size >= this.view.room) return this.say(`${this.view.room} boxes are drawn: hide some first.`);
    const [kind, ...key] = id.split("/");
    const origin = this.listed && this.boxes.has(this.listed) ? this.listed : this.start;
    try {
      const found = await json(this.address({ kind, key: key.join("/") }, { depth: 1, room: this.view.room, with: [...this.boxes.keys()].filter((each) => !each.startsWith("group:")).slice(0, 100) }));
      const it = found.boxes.find((each) => each.id === found.start.id);
      const { level } = this.boxes.get(origin);
      this.boxes.set(id, { ...it, level, more: ["upstream", "downstream"], opened: {} });
      const { x, y } = this.places.get(origin);
      let free = y;
      const taken = [...this.places.values()].filter((one) => Math.abs(one.x - x) < WIDTH + 16).map((one) => one.y);
      while (taken.some((other) => Math.abs(other - free) < HEIGHT + 10)) free += HEIGHT + 18;
      this.places.set(id, { x, y: free });
      this.addBox(id);
      this.link(found.arrows);
      this.addRow(id);
      this.remember("with", id, true);
    } catch (error) {
      this.say(`This could not be loaded: ${error.message}`);
      return undefined;
    }
    return this.focus(id);
  }

  // --- the address, the table ---

  remember(name, id, add) {
    const here = new URL(location.href);
    const left = here.searchParams.getAll(name).filter((each) => each !== id);
    here.searchParams.delete(name);
    for (const each of add ? [...left, id] : left) here.searchParams.append(name, each);
    history.replaceState(history.state, "", here);
    const mermaid = document.querySelector("[data-mermaid]");
    mermaid.href = mermaid.pathname + here.search;
  }

  row(id) {
    return [...this.rows.children].find((row) => row.dataset.row === id);
  }

  addRow(id) {
    const it = this.boxes.get(id);
    const row = element("tr");
    row.dataset.row = id;
    const cell = (...content) => element("td", {}, ...content);
    const name = it.href ? element("a", { href: it.href, textContent: it.label }) : it.label;
    const head = element("th", {}, name);
    head.scope = "row";
    const near = [...this.arrows.values()].filter((one) => one.to === id || one.from === id).slice(0, 4).map((one) => {
      const other = this.boxes.get(one.to === id ? one.from : one.to);
      return one.to === id ? `${one.words} ${other.label}` : `${other.label} ${one.words} it`;
    });
    row.append(cell(it.level ? `${Math.abs(it.level)} ${it.level < 0 ? "before" : "after"}` : "start"), head, cell(it.sort), cell(it.status), cell(near.join("; ")));
    this.rows.append(row);
  }

  list(it) {
    this.listed = it.id;
    return this.details.show(it.href);
  }

  // --- moving about ---

  focus(id, really = true) {
    this.drawn.get(this.focused)?.querySelector(".body").setAttribute("tabindex", "-1");
    this.focused = id;
    const body = this.drawn.get(id).querySelector(".body");
    body.setAttribute("tabindex", "0");
    if (!really) return;
    this.move.reveal(this.places.get(id), WIDTH + 40, HEIGHT);
    body.focus({ preventScroll: true });
  }

  step(key) {
    const here = this.places.get(this.focused);
    const near = (ids) => ids.map((id) => [id, this.places.get(id)]).sort(([, a], [, b]) => Math.abs(a.y - here.y) - Math.abs(b.y - here.y) || Math.abs(a.x - here.x) - Math.abs(b.x - here.x))[0]?.[0];
    const others = [...this.places.keys()].filter((id) => id !== this.focused);
    const column = others.filter((id) => Math.abs(this.places.get(id).x - here.x) < WIDTH);
    const arrows = [...this.arrows.values()];
    return {
      ArrowRight: () => near(arrows.filter((one) => one.from === this.focused).map((one) => one.to)),
      ArrowLeft: () => near(arrows.filter((one) => one.to === this.focused).map((one) => one.from)),
      ArrowDown: () => near(column.filter((id) => this.places.get(id).y > here.y)),
      ArrowUp: () => near(column.filter((id) => this.places.get(id).y < here.y)),
    }[key]?.();
  }

  seek(text, next) {
    const wanted = text.trim().toLowerCase();
    const found = [...this.boxes.values()].filter((it) => wanted && `${it.label} ${it.id}`.toLowerCase().includes(wanted));
    for (const [id, made] of this.drawn) made.classList.toggle("found", found.some((it) => it.id === id));
    this.say(wanted ? `${found.length || "No"} ${found.length === 1 ? "box holds" : "boxes hold"} “${text}”.` : "");
    if (!found.length) return;
    if (next) this.focus(found[(found.findIndex((it) => it.id === this.focused) + 1) % found.length].id);
    else this.move.reveal(this.places.get(found[0].id), WIDTH, HEIGHT);
  }

  // --- events ---

  listen() {
    const { svg } = this.layers;
    const of = (event, selector) => event.target.closest?.(selector);
    svg.addEventListener("click", (event) => this.clicked(event, of));
    svg.addEventListener("keydown", (event) => this.pressed(event));
    svg.addEventListener("pointerover", (event) => {
      const [over, edge] = [of(event, ".box"), of(event, ".edge")];
      if (over) this.trace([over.dataset.id]);
      else if (edge) {
        const arrow = this.arrows.get(edge.dataset.key);
        this.trace([arrow.from, arrow.to], [edge.dataset.key]);
      }
    });
    svg.addEventListener("pointerout", (event) => { if (of(event, ".box, .edge")) this.trace([]); });
    svg.addEventListener("focusin", (event) => {
      const body = of(event, ".body");
      if (body?.matches(":focus-visible")) this.trace([body.parentNode.dataset.id]);
    });
    svg.addEventListener("focusout", () => this.trace([]));
    document.addEventListener("keydown", (event) => this.everywhere(event));
    const seek = document.getElementById("seek");
    seek.addEventListener("input", () => this.seek(seek.value));
    seek.addEventListener("keydown", (event) => { if (event.key === "Enter") this.seek(seek.value, true); });
    for (const button of this.card.querySelectorAll("[data-zoom]")) button.addEventListener("click", () => this.move.zoom(Number(button.dataset.zoom)));
    this.card.querySelector("[data-fit]").addEventListener("click", () => this.move.fit(bounds(this.places)));
    this.card.querySelector("[data-tidy]").addEventListener("click", () => this.tidy());
    const save = document.querySelector("[data-svg]");
    save.hidden = false;
    save.addEventListener("click", () => this.save());
  }

  clicked(event, of) {
    const [more, body, edge] = [of(event, ".more"), of(event, ".body"), of(event, ".edge")];
    if (more) {
      const { id } = more.parentNode.dataset;
      const { way } = more.dataset;
      if (this.boxes.get(id).more.includes(way)) this.open(id, way);
      else this.close(id, way);
    } else if (edge) this.details.edge(edge.dataset.key);
    else if (body) {
      const { id } = body.parentNode.dataset;
      this.focus(id, false);
      const it = this.boxes.get(id);
      if (event.ctrlKey || event.metaKey || event.shiftKey || it.redacted) return;
      // The name is a link, as is the whole box for who has no pointer; elsewhere a click opens the box.
      if (!it.group && (event.detail === 0 || of(event, ".name"))) return;
      event.preventDefault();
      this.toggle(id);
    }
  }

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !event.target.closest(".body")) return;
    if (event.key.startsWith("Arrow")) {
      const next = this.step(event.key);
      if (next) this.focus(next);
      event.preventDefault();
    } else if (event.key === "e") {
      event.preventDefault();
      this.toggle(this.focused);
    } else if (event.key === "d") {
      event.preventDefault();
      const keys = [...this.arrows].filter(([, one]) => one.from === this.focused || one.to === this.focused).map(([key]) => key);
      if (keys.length) this.details.edge(keys[this.told === this.focused ? (this.turn = (this.turn + 1) % keys.length) : (this.turn = 0)]);
      this.told = this.focused;
    }
  }

  everywhere(event) {
    if (event.target.closest?.("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const act = {
      f: () => document.getElementById("seek").focus(),
      "+": () => this.move.zoom(1.25),
      "-": () => this.move.zoom(0.8),
      0: () => this.move.fit(bounds(this.places)),
      Escape: () => this.details.hide(),
    }[event.key];
    if (!act) return;
    if (event.key !== "Escape") event.preventDefault();
    act();
  }

  /** Lay out anew; the box that was looked at stays where it is. */
  tidy() {
    const before = this.places.get(this.focused);
    this.places = arranged([...this.boxes.keys()], this.arrows.values());
    const now = { ...this.places.get(this.focused) };
    for (const place of this.places.values()) {
      place.x += before.x - now.x;
      place.y += before.y - now.y;
    }
    this.redraw();
  }

  save() {
    this.trace([]);
    const text = file(this.layers.svg, this.layers.view, bounds(this.places));
    const link = element("a", { download: `lineage-${this.view.start.name || this.view.start.key}.svg`, href: URL.createObjectURL(new Blob([text], { type: "image/svg+xml" })) });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
}

enhance("[data-lineage]", (card) => new Picture(card).begin());
