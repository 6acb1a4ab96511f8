// Charts: ECharts with this page's colours, drawn as SVG. A page loads this module only if it has a chart.
import { init } from "../vendor/echarts-6.1.0.esm.js";
import { element } from "./dom.js";

const open = new Set();

/** Return the colour of a token such as "--line" as the page shows it now. */
export function colour(token) {
  const probe = element("span", { hidden: true });
  probe.style.color = `var(${token})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/** Return the colours of series, in order. */
export function colours() {
  return [1, 2, 3, 4, 5, 6, 7, 8].map((place) => colour(`--series-${place}`));
}

/** Return a number as people read it. */
export function number(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (Number.isInteger(value) && Math.abs(value) < 1e7) return value.toLocaleString("en");
  if (value !== 0 && (Math.abs(value) < 1e-4 || Math.abs(value) >= 1e7)) return value.toExponential(3);
  return String(Number(value.toPrecision(5)));
}

/** Return rows of [colour, name, value] under a title as the content of a tooltip. */
export function tip(title, rows) {
  const box = element("div", { className: "tip" }, element("b", { textContent: title }));
  for (const [shade, name, value] of rows) {
    const swatch = element("span", { className: "swatch" });
    swatch.style.background = shade;
    box.append(element("div", {}, swatch, `${name}  `, element("b", { textContent: value })));
  }
  return box;
}

/** Draw in an element what `option(theme)` says, and again when the theme or the size changes.
 *
 * `label` says in words what the chart shows. Returns the chart with `update()`, which asks for the option again.
 */
export function chart(place, label, option) {
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", label);
  const made = init(place, null, { renderer: "svg" });
  const update = () => made.setOption(merged(option(theme())), { notMerge: true });
  const drawn = { chart: made, update, place };
  update();
  open.add(drawn);
  new ResizeObserver(() => made.resize()).observe(place);
  return drawn;
}

/** Return a vertical axis that names rows, the first at the top; one can draw between the rows too. */
export function rowAxis(labels, narrow) {
  return {
    type: "value", inverse: true, min: -0.7, max: labels.length - 0.3, interval: 1,
    axisLine: { show: false }, axisTick: { show: false }, splitLine: { show: false },
    // Rows stand at whole numbers, which are not where an axis has its own labels.
    axisLabel: {
      customValues: labels.map((_, at) => at), width: narrow ? 96 : 200, overflow: "truncate", hideOverlap: false,
      formatter: (value) => labels[Math.round(value)] ?? "",
    },
  };
}

function theme() {
  return {
    text: colour("--text"), quiet: colour("--quiet"), line: colour("--line"), surface: colour("--surface"),
    accent: colour("--accent"), good: colour("--good"), bad: colour("--bad"), series: colours(),
  };
}

function merged(option) {
  const now = theme();
  const font = getComputedStyle(document.body).fontFamily;
  return {
    animation: false,
    color: now.series,
    textStyle: { color: now.text, fontFamily: font },
    ...option,
    grid: { left: 12, right: 18, top: 14, bottom: 10, containLabel: true, ...option.grid },
    xAxis: each(option.xAxis, now),
    yAxis: each(option.yAxis, now),
    tooltip: {
      confine: true, backgroundColor: now.surface, borderColor: now.line, textStyle: { color: now.text },
      axisPointer: { lineStyle: { color: now.quiet }, label: { backgroundColor: now.quiet } },
      ...option.tooltip,
    },
  };
}

function each(axis, now) {
  if (Array.isArray(axis)) return axis.map((one) => each(one, now));
  return {
    ...axis,
    axisLine: { lineStyle: { color: now.line }, ...axis?.axisLine },
    axisLabel: { color: now.quiet, hideOverlap: true, ...axis?.axisLabel },
    axisTick: { lineStyle: { color: now.line }, ...axis?.axisTick },
    nameTextStyle: { color: now.quiet, ...axis?.nameTextStyle },
    splitLine: { lineStyle: { color: now.line, opacity: 0.6 }, ...axis?.splitLine },
  };
}

function redraw() {
  for (const drawn of open) {
    if (drawn.place.isConnected) drawn.update();
    else { drawn.chart.dispose(); open.delete(drawn); }
  }
}
document.addEventListener("theme", redraw);
matchMedia("print").addEventListener("change", redraw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
