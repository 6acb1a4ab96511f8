// Curves of metrics over steps or time, of one run or several over each other. Also used by the page that compares.
import { element, enhance, failed, here, json, remember } from "./dom.js";

const MANY = 6;
const OFTEN = 10_000;

enhance("[data-curves]", async (box) => {
  const place = box.querySelector("[data-charts]");
  try {
    const { runs } = await json(box.dataset.curves);
    const update = await draw(box, place, runs);
    if ("live" in box.dataset) follow(box, update);
  } catch (error) {
    failed(place, error);
  }
});

/** Draw what a run that goes on has logged since, as long as anyone looks. */
function follow(box, update) {
  setInterval(async () => {
    if (document.hidden) return;
    const { runs } = await json(box.dataset.curves).catch(() => ({ runs: [] }));
    if (runs.length) update(runs);
  }, OFTEN);
}

const namesOf = (runs) => [...new Set(runs.flatMap((run) => Object.keys(run.series)))].sort();

/** Draw a chart for each metric; returns what draws later points of the same runs. */
async function draw(box, place, first) {
  let runs = first;
  const names = namesOf(runs);
  if (!names.length) {
    place.replaceChildren(element("p", { className: "empty", textContent: "No metric was logged over steps." }));
    for (const others of box.querySelectorAll("[data-others]:not([open])")) others.hidden = true;
    return (later) => { if (namesOf(later).length) location.reload(); };
  }
  for (const others of box.querySelectorAll("[data-others]")) others.hidden = false;
  const charts = await import("./charts.js");
  const asked = new URLSearchParams(location.search);
  const controls = box.querySelector("[data-controls]");
  const [log, smooth, against, seek] = ["[data-log]", "[data-smooth]", "[data-x]", "[data-seek]"].map((name) => controls.querySelector(name));
  log.checked = asked.has("log");
  smooth.value = asked.get("smooth") ?? "0";
  against.value = asked.get("x") ?? "step";
  controls.hidden = false;
  const grid = element("div", { className: "charts" });
  place.replaceChildren(...(runs.length > 1 ? [legend(runs)] : []), grid);
  const state = () => ({ log: log.checked, smooth: Number(smooth.value), x: against.value });
  const seriesOf = (name) => runs.map((run, at) => ({ at, label: label(run), points: run.series[name]?.points })).filter((one) => one.points);
  const drawn = new Map();
  // A chart is made when it comes into sight: of a hundred metrics few are looked at.
  const make = (canvas) => {
    const { name } = canvas.dataset;
    if (drawn.has(name)) return;
    const series = seriesOf(name);
    const words = `${name} of ${series.length === 1 ? "the run" : `${series.length} runs`} over ${series.reduce((most, one) => Math.max(most, one.points.length), 0)} points`;
    drawn.set(name, charts.chart(canvas, words, (theme) => option(charts, theme, seriesOf(name), state())));
  };
  const sight = new IntersectionObserver((seen) => {
    for (const { target, isIntersecting } of seen) if (isIntersecting) make(target);
  }, { rootMargin: "400px" });
  for (const name of names) {
    const canvas = element("div", { className: "chart" });
    canvas.dataset.name = name;
    const figure = element("figure", {}, element("figcaption", {}, element("span", { textContent: name }), wider()), canvas);
    grid.append(figure);
    sight.observe(canvas);
  }
  // On paper everything is seen.
  addEventListener("beforeprint", () => { for (const canvas of grid.querySelectorAll(".chart")) make(canvas); });
  seek.hidden = names.length <= MANY;
  seek.addEventListener("input", () => {
    for (const figure of grid.children) figure.hidden = !figure.lastChild.dataset.name.toLowerCase().includes(seek.value.toLowerCase());
  });
  const update = () => { for (const one of drawn.values()) one.update(); };
  for (const control of [log, smooth, against]) {
    control.addEventListener("input", () => {
      const { log: scaled, smooth: factor, x } = state();
      remember({ log: scaled ? "1" : "", smooth: factor || "", x: x === "step" ? "" : x });
      update();
    });
  }
  controls.querySelector("[data-reset]").addEventListener("click", () => {
    for (const one of drawn.values()) one.chart.dispatchAction({ type: "dataZoom", start: 0, end: 100 });
  });
  return (later) => { runs = later; update(); };
}

/** Return a button that makes a chart as wide as the page, and small again. */
function wider() {
  const button = element("button", { type: "button", className: "small", textContent: "Larger" });
  button.addEventListener("click", () => {
    const wide = button.closest("figure").classList.toggle("wide");
    button.textContent = wide ? "Smaller" : "Larger";
  });
  return button;
}

function label(run) {
  return run.name || run.key.slice(-8);
}

function legend(runs) {
  return element("ul", { className: "legend" }, ...runs.map((run, at) => {
    const swatch = element("span", { className: `swatch series-${(at % 8) + 1}` });
    return element("li", {}, swatch, element("a", { href: here(`/entity/${run.id}`), textContent: label(run) }));
  }));
}

/** Return points as (x, value), smoothed by an exponential mean that makes up for its start. */
export function smoothed(points, factor, x) {
  let sum = 0;
  let weight = 0;
  const start = points[0]?.[1] ?? 0;
  return points.map(([step, time, value]) => {
    const at = x === "time" ? (time - start) / 1e6 : step;
    if (value === null || !factor) return [at, value];
    sum = factor * sum + (1 - factor) * value;
    weight = factor * weight + (1 - factor);
    return [at, sum / weight];
  });
}

function option(charts, theme, series, { log, smooth, x }) {
  const lines = [];
  for (const { at, label, points } of series) {
    const shade = theme.series[at % theme.series.length];
    const line = { type: "line", name: label, symbol: points.length > 60 ? "none" : "circle", symbolSize: 4, color: shade, connectNulls: false, emphasis: { disabled: true } };
    if (smooth) lines.push({ ...line, symbol: "none", tooltip: { show: false }, silent: true, lineStyle: { width: 1, opacity: 0.3 }, data: positive(smoothed(points, 0, x), log) });
    lines.push({ ...line, lineStyle: { width: 1.8 }, data: positive(smoothed(points, smooth, x), log) });
  }
  return {
    xAxis: { type: "value", scale: true, axisLabel: { formatter: (value) => charts.number(value) } },
    yAxis: { type: log ? "log" : "value", scale: true, axisLabel: { formatter: (value) => charts.number(value) } },
    grid: { bottom: 42 },
    dataZoom: [
      { type: "inside", filterMode: "none", zoomOnMouseWheel: "ctrl" },
      { type: "slider", height: 18, bottom: 8, filterMode: "none", borderColor: theme.line, textStyle: { color: theme.quiet }, brushSelect: true, showDetail: false },
    ],
    tooltip: {
      trigger: "axis",
      formatter: (found) => {
        const rows = found.filter((one, place) => found.findIndex((other) => other.seriesName === one.seriesName && other.seriesIndex > one.seriesIndex) < 0 || place === found.length - 1);
        const title = x === "time" ? `${charts.number(found[0].axisValue)} s` : `step ${charts.number(found[0].axisValue)}`;
        return charts.tip(title, rows.map((one) => [one.color, one.seriesName, charts.number(one.value[1])]));
      },
    },
    series: lines,
  };
}

function positive(points, log) {
  return log ? points.map(([at, value]) => [at, value > 0 ? value : null]) : points;
}
