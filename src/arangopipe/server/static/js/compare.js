// The page that compares: a metric by what the runs were given, and all of it read in parallel.
import { element, enhance, failed, here, json, remember } from "./dom.js";

const FEW = 8;
const AXES = 8;
const WIDE_SPREAD = 100;

enhance("[data-values]", async (card) => {
  const place = card.querySelector("[data-plots]");
  try {
    await draw(card, place, await json(card.dataset.values));
  } catch (error) {
    failed(place, error);
  }
});

async function draw(card, place, { runs, given, metrics }) {
  if (!given.length || !metrics.length) {
    const said = metrics.length ? "Nothing that they were given differs." : "No metric with numbers is recorded.";
    place.replaceChildren(element("p", { className: "empty", textContent: said }));
    return;
  }
  const charts = await import("./charts.js");
  const controls = card.querySelector("[data-controls]");
  const [by, of, scaled] = ["[data-given]", "[data-metric]", "[data-scaled]"].map((name) => controls.querySelector(name));
  by.append(...given.map((one) => new Option(one.name, one.key)));
  of.append(...metrics.map((one) => new Option(one.name, one.key)));
  const asked = new URLSearchParams(location.search);
  const first = metrics.find((one) => one.key === (asked.get("order") ?? "").replace(/ desc$/, "")) ?? metrics[0];
  by.value = given.some((one) => one.key === asked.get("by")) ? asked.get("by") : telling(given).key;
  of.value = metrics.some((one) => one.key === asked.get("of")) ? asked.get("of") : first.key;
  const chosen = (columns, select) => columns.find((one) => one.key === select.value);
  const spread = () => {
    const column = chosen(given, by);
    const numbers = column.numeric ? column.values.filter((value) => value !== null) : [];
    scaled.disabled = !numbers.length || Math.min(...numbers) <= 0;
    scaled.checked = !scaled.disabled && Math.max(...numbers) / Math.min(...numbers) >= WIDE_SPREAD;
  };
  spread();
  if (asked.has("scale")) scaled.checked = asked.get("scale") === "log" && !scaled.disabled;
  controls.hidden = false;

  const figure = (words) => {
    const canvas = element("div", { className: "chart tall" });
    const made = element("figure", {}, element("figcaption", { textContent: words }), canvas);
    place.append(made);
    return [canvas, made.firstChild];
  };
  place.replaceChildren();
  const [one, caption] = figure("");
  const lost = element("p", { className: "small quiet" });
  one.after(lost);
  const words = () => `${chosen(metrics, of).name} by ${chosen(given, by).name}`;
  const plot = charts.chart(one, `${words()} of ${runs.length} runs`, (theme) => depends(charts, theme, runs, chosen(given, by), chosen(metrics, of), scaled.checked));
  plot.chart.on("click", ({ data }) => { if (data?.run) location.assign(here(`/entity/${data.run}`)); });
  const update = () => {
    caption.textContent = words();
    one.setAttribute("aria-label", `${words()} of ${runs.length} runs`);
    const absent = runs.filter((_, at) => chosen(given, by).values[at] === null || !number(chosen(metrics, of).values[at])).length;
    lost.textContent = absent ? `${absent} of ${runs.length} runs are not drawn: they lack one of the two.` : "";
    plot.update();
  };
  update();
  const changed = () => {
    remember({ by: by.value, of: of.value, scale: scaled.disabled ? "" : scaled.checked ? "log" : "linear" });
    update();
  };
  by.addEventListener("input", () => { spread(); changed(); });
  for (const control of [of, scaled]) control.addEventListener("input", changed);
  const axes = axesOf(given, metrics);
  if (axes.length > 2) {
    const [parallel] = figure("All of it at once: a line for each run");
    charts.chart(parallel, `${axes.map((axis) => axis.name).join(", ")} of ${runs.length} runs, read in parallel`, (theme) => lines(charts, theme, runs, axes));
  }
}

function number(value) {
  return typeof value === "number";
}

/** Return what is worth looking at first: what has several values, but not one for each run. */
function telling(given) {
  const distinct = (column) => new Set(column.values).size;
  return given.find((column) => distinct(column) < column.values.length && column.name !== "seed") ?? given[0];
}

function label(run) {
  return run.name || run.key.slice(-8);
}

function text(charts, value) {
  return value === null ? "not recorded" : number(value) ? charts.number(value) : String(value);
}

// --- a metric by one thing ---

function depends(charts, theme, runs, column, metric, log) {
  const found = runs.map((run, at) => ({ run, x: column.values[at], y: metric.values[at] })).filter((one) => one.x !== null && number(one.y));
  const values = [...new Set(found.map((one) => one.x))];
  const yAxis = { type: "value", scale: true, name: metric.name, axisLabel: { formatter: charts.number } };
  const tooltip = {
    formatter: ({ data, color }) => (data.run ? charts.tip(data.name, [[color, column.name, text(charts, data.given)], [color, metric.name, charts.number(data.measured)]]) : charts.tip(String(data.title), data.rows.map((row) => [color, ...row]))),
  };
  const point = ({ run, x, y }, at) => ({ value: [at, y], run: run.id, name: label(run), given: x, measured: y });
  const dots = { type: "scatter", symbolSize: 9, color: theme.series[0], itemStyle: { opacity: 0.8 } };
  if (column.numeric && values.length > FEW) {
    return {
      grid: { top: 34, bottom: 26 }, tooltip, yAxis,
      xAxis: { type: log ? "log" : "value", scale: true, name: column.name, nameLocation: "middle", nameGap: 26, axisLabel: { formatter: charts.number } },
      series: [{ ...dots, data: found.map((one) => point(one, one.x)) }],
    };
  }
  values.sort((a, b) => (number(a) && number(b) ? a - b : String(a).localeCompare(String(b))));
  const groups = values.map((value) => found.filter((one) => one.x === value).map((one) => one.y).sort((a, b) => a - b));
  const boxes = groups.map((group, at) => {
    const five = [0, 0.25, 0.5, 0.75, 1].map((part) => quantile(group, part));
    return { value: five, title: text(charts, values[at]), rows: [["runs", String(group.length)], ["least", charts.number(five[0])], ["median", charts.number(five[2])], ["greatest", charts.number(five[4])]] };
  });
  const nth = new Map();
  const spot = (one) => {
    const at = values.indexOf(one.x);
    const n = nth.get(at) ?? 0;
    nth.set(at, n + 1);
    return { ...point(one, at), value: [at, one.y] };
  };
  return {
    grid: { top: 34, bottom: 26 }, tooltip, yAxis,
    xAxis: { type: "category", data: values.map((value) => text(charts, value)), name: column.name, nameLocation: "middle", nameGap: 26 },
    series: [
      { type: "boxplot", data: boxes, boxWidth: [12, 46], itemStyle: { color: "transparent", borderColor: theme.quiet } },
      { ...dots, data: found.map(spot) },
    ],
  };
}

function quantile(sorted, part) {
  const at = (sorted.length - 1) * part;
  const low = Math.floor(at);
  return sorted[low] + (sorted[Math.ceil(at)] - sorted[low]) * (at - low);
}

// --- all things in parallel ---

/** Return the axes to read in parallel: what was given and differs, then the metrics. */
function axesOf(given, metrics) {
  const told = given.filter((column) => !/^(column|rows of|transformation) /.test(column.name) && column.name !== "seed");
  const measured = metrics.slice(0, 3);
  return [...told.slice(0, AXES - measured.length), ...measured].map(scale);
}

function scale(column) {
  const there = column.values.filter((value) => value !== null && (!column.numeric || number(value)));
  if (column.numeric && there.length) {
    const [least, most] = [Math.min(...there), Math.max(...there)];
    const log = least > 0 && most / least >= WIDE_SPREAD;
    const on = (value) => (log ? Math.log(value) : value);
    const wide = on(most) - on(least) || 1;
    return { ...column, low: least, high: most, at: (value) => (number(value) ? (on(value) - on(least)) / wide : null) };
  }
  const order = [...new Set(there.map(String))].sort();
  return { ...column, low: order[0], high: order.at(-1), order, at: (value) => (value === null ? null : order.length < 2 ? 0.5 : order.indexOf(String(value)) / (order.length - 1)) };
}

function lines(charts, theme, runs, axes) {
  const first = axes.find((axis) => axis.section === "metrics");
  const shade = (at) => {
    // By the first metric, so that good runs stand out among many.
    const share = first?.at(first.values[at]);
    if (share === null || share === undefined || !first.better) return [theme.series[0], 0.55];
    const good = first.better === "lower" ? 1 - share : share;
    return good > 0.8 ? [theme.good, 0.95] : [theme.series[7], 0.25 + 0.35 * good];
  };
  const short = (value) => { const said = text(charts, value); return said.length > 14 ? `${said.slice(0, 13)}…` : said; };
  return {
    grid: { top: 40, bottom: 56, left: 64, right: 64, containLabel: false },
    xAxis: {
      type: "category", boundaryGap: false, data: axes.map((axis) => axis.name), position: "bottom", axisLine: { show: false },
      axisLabel: { interval: 0, hideOverlap: false, margin: 12, lineHeight: 17, formatter: (_, at) => `${short(axes[at].low)}\n${axes[at].name.length > 16 ? `${axes[at].name.slice(0, 15)}…` : axes[at].name}` },
      splitLine: { show: true, lineStyle: { color: theme.line } },
    },
    yAxis: { type: "value", min: 0, max: 1, show: false },
    tooltip: {
      trigger: "item",
      formatter: ({ seriesIndex, color }) => charts.tip(label(runs[seriesIndex]), axes.map((axis) => [color, axis.name, text(charts, axis.values[seriesIndex])])),
    },
    series: [
      ...runs.map((run, at) => {
        const [color, opacity] = shade(at);
        return {
          type: "line", name: label(run), data: axes.map((axis) => axis.at(axis.values[at])), connectNulls: true, symbol: "circle", symbolSize: 6, color,
          lineStyle: { width: 1.6, opacity }, itemStyle: { opacity }, emphasis: { focus: "series", lineStyle: { width: 3, opacity: 1 } }, triggerLineEvent: true,
        };
      }),
      // The upper end of each axis.
      {
        type: "scatter", silent: true, symbolSize: 1, itemStyle: { color: "transparent" }, data: axes.map((_, at) => [at, 1]), tooltip: { show: false },
        label: { show: true, position: "top", distance: 12, color: theme.quiet, fontSize: 12, formatter: ({ dataIndex }) => short(axes[dataIndex].high) },
      },
    ],
  };
}
