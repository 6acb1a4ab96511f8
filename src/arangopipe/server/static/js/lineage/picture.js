// The lineage page: a picture that grows where one clicks, and never moves what is there.
import { element, enhance, html } from "../dom.js";
import { Details } from "./details.js";
import { box, canvas, line, openings, shape } from "./drawing.js";
import { listen } from "./events.js";
import { movable } from "./gestures.js";
import { HEIGHT, WIDTH, arranged, bounds, settled } from "./layout.js";
import { Trace } from "./paths.js";

const READABLE = 0.75;
const PARAMS = { upstream: "up", downstream: "down" };
const FOLLOWING = ["[data-rows] tbody", "[data-mermaid]", "[data-opened]", ".foot"];

export class Picture {
  constructor(card) {
    this.card = card;
    this.start = this.take(document).start.id;
    this.stand(settled(null, this.boxes, this.arrows));
    this.focused = this.start;
    this.details = new Details(card.querySelector(".panel"), this);
    this.waiting = Promise.resolve();
  }

  begin() {
    this.layers = canvas(`Picture of the lineage of ${this.boxes.get(this.start).label}: what came first stands on the left`);
    this.trace = new Trace(this);
    const place = this.card.querySelector(".canvas");
    place.querySelector(".loading").replaceWith(this.layers.svg);
    const frame = bounds(this.places);
    const narrow = place.clientWidth < 600;
    const high = frame.height * Math.min(1, Math.max(READABLE, place.clientWidth / frame.width));
    place.style.height = `${Math.max(220, Math.min(high + 56, innerHeight * (narrow ? 0.55 : 0.7)))}px`;
    this.move = movable(this.layers.svg, this.layers.view);
    this.draw();
    this.move.fit(frame, READABLE, this.places.get(this.start));
    listen(this);
    for (const hidden of this.card.querySelectorAll("[data-controls], [data-sides]")) hidden.hidden = false;
  }

  /** Take what a page says of the lineage: its boxes, with what each has open, and the arrows between them. */
  take(page) {
    this.view = JSON.parse(page.getElementById("lineage-data").textContent);
    this.boxes = new Map(this.view.boxes.map((it) => [it.id, { ...it, opened: {} }]));
    for (const it of this.boxes.values()) if (it.by) (this.boxes.get(it.by)?.opened ?? {})[it.way] = true;
    this.arrows = new Map(this.view.arrows.map((arrow) => [`${arrow.from}\n${arrow.to}`, arrow]));
    return this.view;
  }

  stand({ places, routes }) {
    this.places = places;
    this.routes = routes;
  }

  // --- drawing ---

  draw() {
    const inside = this.layers.svg.contains(document.activeElement);
    this.layers.boxes.replaceChildren();
    this.layers.edges.replaceChildren();
    this.drawn = new Map([...this.boxes].map(([id, it]) => [id, this.drawBox(id, it)]));
    this.lines = new Map([...this.arrows].map(([key, arrow]) => [key, this.drawLine(key, arrow)]));
    this.legend();
    if (!this.boxes.has(this.focused)) this.focused = this.start;
    this.focus(this.focused, inside);
  }

  drawBox(id, it) {
    const { x, y } = this.places.get(id);
    const made = box(it, this.start, this.layers.boxes);
    made.setAttribute("transform", `translate(${x},${y})`);
    openings(made, it);
    return made;
  }

  drawLine(key, arrow) {
    const [from, to] = [arrow.from, arrow.to].map((id) => this.boxes.get(id));
    const count = arrow.count > 1 ? ` (${arrow.count.toLocaleString("en")} edges)` : "";
    const made = line(arrow, `${to.label} ${arrow.words} ${from.label}${count}`, this.places.get(arrow.from), this.places.get(arrow.to), this.routes.get(key));
    made.dataset.key = key;
    this.layers.edges.append(made);
    return made;
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

  // --- growing: what is drawn is always what the address says ---

  /** Change what the address asks for, and show the page that answers; returns whether it came, once it did. */
  update(change) {
    this.waiting = this.waiting.then(async () => {
      const address = new URL(location.href);
      change(address.searchParams);
      this.say("Loading …");
      try {
        this.show(await html(address));
        history.replaceState(history.state, "", address);
        return true;
      } catch (error) {
        this.say(`This could not be loaded: ${error.message}`);
        return false;
      }
    });
    return this.waiting;
  }

  show(page) {
    this.take(page);
    this.stand(settled(this, this.boxes, this.arrows));
    this.draw();
    for (const selector of FOLLOWING) {
      const [old, fresh] = [document, page].map((each) => each.querySelector(selector));
      old.replaceWith(document.importNode(fresh, true));
    }
  }

  async open(id, way) {
    const { label } = this.boxes.get(id);
    const before = this.boxes.size;
    if (before >= this.view.room) return this.say(`${this.view.room} boxes are drawn, which is as many as one can follow: hide some first.`);
    if (!await this.update((asked) => asked.append(PARAMS[way], id))) return undefined;
    const more = this.boxes.size - before;
    if (!more) return this.say(`There is nothing more ${way === "upstream" ? "before" : "after"} ${label}.`);
    return this.say(`${more === 1 ? "One box" : `${more} boxes`} more: ${way === "upstream" ? `what ${label} came from` : `what came of ${label}`}.`);
  }

  /** Close what was opened at a box, and what was opened further on. */
  async close(id, way) {
    const closed = new Set([`${PARAMS[way]} ${id}`]);
    const brought = new Set([...this.boxes.values()].filter((it) => it.by === id && it.way === way).map((it) => it.id));
    for (const each of brought) {
      for (const name of Object.values(PARAMS)) closed.add(`${name} ${each}`);
      for (const it of this.boxes.values()) if (it.by === each) brought.add(it.id);
    }
    if (brought.has(this.focused)) this.focused = id;
    const done = await this.update((asked) => {
      for (const name of Object.values(PARAMS)) {
        const left = asked.getAll(name).filter((each) => !closed.has(`${name} ${each}`));
        asked.delete(name);
        for (const each of left) asked.append(name, each);
      }
    });
    if (done) this.say("");
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

  /** Show a thing of a group by itself. */
  async pin(id) {
    if (!this.boxes.has(id)) {
      if (this.boxes.size >= this.view.room) return this.say(`${this.view.room} boxes are drawn: hide some first.`);
      if (!await this.update((asked) => asked.append("with", id))) return undefined;
      this.say("");
    }
    return this.boxes.has(id) ? this.focus(id) : this.say("That one is not reached from here.");
  }

  list(it) {
    return this.details.show(it.href);
  }

  /** Lay out anew; the box that was looked at stays where it is. */
  tidy() {
    const before = this.places.get(this.focused);
    this.stand(arranged([...this.boxes.keys()], this.arrows.values()));
    const now = { ...this.places.get(this.focused) };
    for (const place of [...this.places.values(), ...[...this.routes.values()].flat()]) {
      place.x += before.x - now.x;
      place.y += before.y - now.y;
    }
    this.draw();
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

  seek(text, next) {
    const wanted = text.trim().toLowerCase();
    const found = [...this.boxes.values()].filter((it) => wanted && `${it.label} ${it.id}`.toLowerCase().includes(wanted));
    for (const [id, made] of this.drawn) made.classList.toggle("found", found.some((it) => it.id === id));
    this.say(wanted ? `${found.length || "No"} ${found.length === 1 ? "box holds" : "boxes hold"} “${text}”.` : "");
    if (!found.length) return;
    if (next) this.focus(found[(found.findIndex((it) => it.id === this.focused) + 1) % found.length].id);
    else this.move.reveal(this.places.get(found[0].id), WIDTH, HEIGHT);
  }
}

enhance("[data-lineage]", (card) => new Picture(card).begin());
