// What is before and after a box of a lineage, and which one is next to it.
import { WIDTH } from "./layout.js";

/** The path through what is under the pointer, which stands out. */
export class Trace {
  constructor(picture) {
    this.picture = picture;
  }

  box(id) {
    this.show([id], []);
  }

  edge(key) {
    const { from, to } = this.picture.arrows.get(key);
    this.show([from, to], [key]);
  }

  none() {
    this.show([], []);
  }

  show(ids, also) {
    const { arrows, drawn, lines, layers } = this.picture;
    const boxes = new Set(ids);
    const keys = new Set(also);
    if (ids.length) {
      for (const [found, over] of [reach(arrows, ids[0], "to", "from"), reach(arrows, ids.at(-1), "from", "to")]) {
        for (const each of found) boxes.add(each);
        for (const each of over) keys.add(each);
      }
    }
    layers.view.classList.toggle("tracing", ids.length > 0);
    for (const [id, made] of drawn) made.classList.toggle("on", boxes.has(id));
    for (const [key, made] of lines) {
      made.classList.toggle("on", keys.has(key));
      made.querySelector(".line").setAttribute("marker-end", keys.has(key) ? "url(#head-on)" : "url(#head)");
    }
  }
}

function reach(arrows, id, near, far) {
  const found = new Set([id]);
  const keys = new Set();
  for (const each of found) {
    for (const [key, arrow] of arrows) {
      if (arrow[near] === each) { found.add(arrow[far]); keys.add(key); }
    }
  }
  return [found, keys];
}

/** Return the keys of the arrows that begin or end at a box. */
export function touching(arrows, id) {
  return [...arrows].filter(([, one]) => one.from === id || one.to === id).map(([key]) => key);
}

/** Return the box that an arrow key leads to: along the edges, or up and down the column. */
export function next({ arrows, places, focused }, key) {
  const here = places.get(focused);
  const nearest = (ids) => ids.map((id) => [id, places.get(id)]).sort(([, a], [, b]) => Math.abs(a.y - here.y) - Math.abs(b.y - here.y) || Math.abs(a.x - here.x) - Math.abs(b.x - here.x))[0]?.[0];
  const column = [...places.keys()].filter((id) => id !== focused && Math.abs(places.get(id).x - here.x) < WIDTH);
  const all = [...arrows.values()];
  return {
    ArrowRight: () => nearest(all.filter((one) => one.from === focused).map((one) => one.to)),
    ArrowLeft: () => nearest(all.filter((one) => one.to === focused).map((one) => one.from)),
    ArrowDown: () => nearest(column.filter((id) => places.get(id).y > here.y)),
    ArrowUp: () => nearest(column.filter((id) => places.get(id).y < here.y)),
  }[key]?.();
}
