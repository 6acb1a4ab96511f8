// Where the boxes of a lineage stand: columns by dependency, and room for what comes later without moving any.
import { graphlib, layout } from "../../vendor/dagre-3.1.3.esm.js";

export const WIDTH = 212;
export const HEIGHT = 48;
const BETWEEN = 58;
const GAP = 16;
const COLUMN = WIDTH + BETWEEN;
const ROW = HEIGHT + GAP;

/** Lay out anew, what came first on the left: return the place of each box, and what long edges go through. */
export function arranged(ids, arrows) {
  const graph = new graphlib.Graph();
  graph.setGraph({ rankdir: "LR", ranksep: BETWEEN, nodesep: GAP, edgesep: 14 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const id of ids) graph.setNode(id, { width: WIDTH, height: HEIGHT });
  for (const { from, to } of arrows) if (graph.hasNode(from) && graph.hasNode(to)) graph.setEdge(from, to);
  layout(graph);
  const places = new Map(ids.map((id) => {
    const { x, y } = graph.node(id);
    return [id, { x, y }];
  }));
  // The bends of an edge lie in turn between columns and in them.
  const routes = graph.edges().map(({ v, w }) => [`${v}\n${w}`, graph.edge(v, w).points.slice(1, -1).filter((_, place) => place % 2)]);
  return { places, routes: new Map(routes) };
}

/** Return a place for each box: those that have one keep it; what a box was opened for stands beside it. */
export function settled(before, boxes, arrows) {
  const first = [...boxes.values()].filter((it) => !boxes.has(it.by)).map((it) => it.id);
  const { places: old, routes } = before ?? arranged(first, arrows.values());
  const places = new Map([...old].filter(([id]) => boxes.has(id)));
  for (const id of first) if (!places.has(id)) among(places, boxes, id);
  let left = [...boxes.values()].filter((it) => !places.has(it.id));
  while (left.length) {
    const ready = left.filter((it) => places.has(it.by));
    if (!ready.length) ready.push(...left.map((it) => ({ ...it, by: first[0] })));
    for (const [name, fresh] of Map.groupBy(ready, (it) => `${it.way} ${it.by}`)) {
      beside(places, fresh.map((it) => it.id), fresh[0].by, name.startsWith("upstream") ? -1 : 1);
    }
    left = left.filter((it) => !places.has(it.id));
  }
  return { places, routes };
}

/** Add a place in the column of those of its level. */
function among(places, boxes, id) {
  const level = ([other]) => boxes.get(other).level;
  const far = (one) => Math.abs(level(one) - boxes.get(id).level);
  const [, near] = [...places].sort((one, other) => far(one) - far(other))[0];
  places.set(id, { x: near.x, y: free(places, near.x, near.y) });
}

/** Add places beside one that stays, as all others do: to its left (-1) or right (1). */
function beside(places, fresh, origin, side) {
  const start = places.get(origin);
  const x = start.x + side * COLUMN;
  for (const id of fresh) places.set(id, { x, y: free(places, x, start.y) });
}

/** Return the height nearest to a wanted one at which a column has room. */
function free(places, x, wanted) {
  const taken = [...places.values()].filter((one) => Math.abs(one.x - x) < WIDTH + 16).map((one) => one.y);
  let y = wanted;
  for (let step = 1; taken.some((other) => Math.abs(other - y) < HEIGHT + 10); step += 1) {
    y = wanted + Math.ceil(step / 2) * ROW * (step % 2 ? 1 : -1);
  }
  return y;
}

/** Return the rectangle around all places. */
export function bounds(places) {
  const all = [...places.values()];
  const left = Math.min(...all.map((one) => one.x)) - WIDTH / 2 - 16;
  const right = Math.max(...all.map((one) => one.x)) + WIDTH / 2 + 16;
  const top = Math.min(...all.map((one) => one.y)) - HEIGHT / 2 - 12;
  const bottom = Math.max(...all.map((one) => one.y)) + HEIGHT / 2 + 14;
  return { left, top, width: right - left, height: bottom - top };
}

/** Return the line from one box to another as the data of a path, and where its text stands. */
export function curve(from, to, through = []) {
  if (to.x - from.x < WIDTH) {
    // Not from left to right: around, so that the line does not hide behind the boxes.
    const low = Math.max(from.y, to.y) + ROW * 0.8;
    const [a, b] = [from.x + WIDTH / 2, to.x - WIDTH / 2];
    return { data: `M${a},${from.y} C${a + 60},${from.y} ${a + 60},${low} ${(a + b) / 2},${low} S${b - 60},${to.y} ${b - 6},${to.y}`, x: (a + b) / 2, y: low };
  }
  let at = { x: from.x + WIDTH / 2, y: from.y };
  let data = `M${at.x},${at.y}`;
  // Straight through a column, between its boxes; bent from one to the next.
  for (const stop of [...through, { x: to.x - 6, y: to.y }]) {
    const x = stop.x - WIDTH / 2;
    const middle = (at.x + x) / 2;
    data += ` C${middle},${at.y} ${middle},${stop.y} ${x},${stop.y}`;
    at = { x: stop.x + WIDTH / 2, y: stop.y };
    if (through.includes(stop)) data += ` H${at.x}`;
  }
  const [stop] = through;
  return { data, x: stop?.x ?? (from.x + to.x) / 2, y: stop?.y ?? (from.y + to.y) / 2 };
}
