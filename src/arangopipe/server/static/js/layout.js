// Where the boxes of a lineage stand: columns by dependency, and room for what comes later without moving any.
import { graphlib, layout } from "../vendor/dagre-3.1.3.esm.js";

export const WIDTH = 208;
export const HEIGHT = 46;
const BETWEEN = 88;
const GAP = 18;
const COLUMN = WIDTH + BETWEEN;
const ROW = HEIGHT + GAP;

/** Return the place of each box, laid out anew: what came first on the left. */
export function arranged(ids, arrows) {
  const graph = new graphlib.Graph();
  graph.setGraph({ rankdir: "LR", ranksep: BETWEEN, nodesep: GAP, edgesep: 8 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const id of ids) graph.setNode(id, { width: WIDTH, height: HEIGHT });
  for (const { from, to } of arrows) if (graph.hasNode(from) && graph.hasNode(to)) graph.setEdge(from, to);
  layout(graph);
  return new Map(ids.map((id) => {
    const { x, y } = graph.node(id);
    return [id, { x, y }];
  }));
}

/** Add places for new boxes beside one that stays, as all others do: to its left (-1) or right (1). */
export function beside(places, fresh, origin, side) {
  const start = places.get(origin);
  const x = start.x + side * COLUMN;
  const column = [...places.values()].filter((one) => Math.abs(one.x - x) < WIDTH + 16).map((one) => one.y);
  for (const id of fresh) {
    let y = start.y;
    for (let step = 1; column.some((other) => Math.abs(other - y) < HEIGHT + 10); step += 1) {
      y = start.y + Math.ceil(step / 2) * ROW * (step % 2 ? 1 : -1);
    }
    column.push(y);
    places.set(id, { x, y });
  }
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

/** Return the line from one box to another as the data of a path. */
export function curve(from, to) {
  if (to.x - from.x < WIDTH) {
    // Not from left to right: around, so that the line does not hide behind the boxes.
    const low = Math.max(from.y, to.y) + ROW * 0.8;
    const [a, b] = [from.x + WIDTH / 2, to.x - WIDTH / 2];
    return `M${a},${from.y} C${a + 60},${from.y} ${a + 60},${low} ${(a + b) / 2},${low} S${b - 60},${to.y} ${b - 6},${to.y}`;
  }
  const [a, b] = [from.x + WIDTH / 2, to.x - WIDTH / 2 - 6];
  const middle = (a + b) / 2;
  return `M${a},${from.y} C${middle},${from.y} ${middle},${to.y} ${b},${to.y}`;
}
