// Deployments: how they serve against development. Who was live when is drawn by `timeline.js`.
import { element, enhance, failed } from "./dom.js";
import { day, marks } from "./times.js";
import "./timeline.js";

const TOLD_APART = 8;
const WIDE = 70;

function drawn(box, draw) {
  return import("./charts.js").then((charts) => draw(charts)).catch((error) => failed(box, error));
}

enhance("[data-serving]", (box) => drawn(box, (charts) => {
  const { metrics, missing } = JSON.parse(box.dataset.serving);
  const names = [...new Map(metrics.flatMap((metric) => [...metric.development, ...metric.serving]).map((one) => [one.deployment, one.label]))];
  const order = names.map(([id]) => id);
  const shown = names.length <= TOLD_APART ? names : [];
  const legend = element("ul", { className: "legend" }, ...shown.map(([, label], at) =>
    element("li", {}, element("span", { className: `swatch series-${at + 1}` }), label)));
  const words = element("li", { className: "quiet" }, "dashed: in development · solid: while serving", ...(missing.length ? [" · shaded: not reported"] : []));
  legend.append(words);
  const times = [...metrics.flatMap(({ development, serving: served }) => [...development.flatMap((one) => [one.from, one.to]), ...served.flatMap((one) => [one.start, one.end])]), ...missing.flatMap((gap) => [gap.from, gap.to])].map((time) => Date.parse(time));
  const range = { min: Math.min(...times), max: Math.max(...times) };
  const grid = element("div", { className: "charts" });
  box.replaceChildren(legend, grid);
  for (const metric of metrics) {
    const canvas = element("div", { className: "chart" });
    grid.append(element("figure", {}, element("figcaption", { textContent: metric.name }), canvas));
    const last = metric.last ? `, last ${charts.number(metric.last.value)}` : "";
    const label = `${metric.name} over ${metric.serving.length} serving periods${last}`;
    charts.chart(canvas, label, (theme) => serving(charts, theme, metric, missing, order, { ...range, width: canvas.clientWidth }));
  }
}));

function serving(charts, theme, metric, missing, order, range) {
  const shade = (one) => theme.series[order.indexOf(one.deployment) % theme.series.length];
  const spans = metric.serving.map((one) => ({ value: [Date.parse(one.start), one.value, Date.parse(one.end)], one }));
  const middles = spans.map(({ value, one }) => ({ value: [(value[0] + value[2]) / 2, value[1]], one, itemStyle: { color: shade(one) } }));
  const gaps = joined(missing).map((ends) => ends.map((xAxis) => ({ xAxis })));
  const axis = marks(range.min, range.max, Math.max(2, (range.width - 60) / WIDE));
  const values = [...spans.map(({ value }) => value[1]), ...metric.development.map(({ value }) => value)];
  return {
    useUTC: true,
    xAxis: {
      type: "time", min: range.min, max: range.max, axisLine: { onZero: false },
      axisTick: { customValues: axis.map(({ time }) => time) },
      axisLabel: { customValues: axis.map(({ time }) => time), formatter: (time) => axis.find((one) => one.time === time)?.words ?? "" },
    },
    yAxis: { type: "value", scale: true, boundaryGap: ["8%", "8%"], min: nonnegative(values) ? 0 : null, axisLabel: { formatter: (value) => charts.number(value) } },
    tooltip: {
      formatter: ({ data }) => data?.one
        ? charts.tip(`${day(data.one.start)} – ${day(data.one.end)}`, [[shade(data.one), data.one.label, charts.number(data.one.value)]])
        : data?.line ? charts.tip("in development", [[shade(data.line), data.line.label, charts.number(data.line.value)]]) : "",
    },
    series: [
      ...metric.development.map((line) => ({
        type: "line", symbol: "circle", symbolSize: 5, color: shade(line), lineStyle: { type: "dashed", width: 1.8 },
        data: [line.from, line.to].map((time) => ({ value: [Date.parse(time), line.value], line })),
      })),
      {
        type: "custom", data: spans, encode: { x: [0, 2], y: 1 }, clip: true, silent: true,
        renderItem: (params, api) => {
          const [left, y] = api.coord([api.value(0), api.value(1)]);
          const [right] = api.coord([api.value(2), api.value(1)]);
          return { type: "line", shape: { x1: left, y1: y, x2: right, y2: y }, style: { stroke: shade(spans[params.dataIndex].one), lineWidth: 4, lineCap: "round" } };
        },
        ...(gaps.length ? { markArea: { silent: true, itemStyle: { color: charts.colour("--warn"), opacity: 0.14 }, data: gaps } } : {}),
      },
      { type: "scatter", data: middles, symbolSize: 9 },
    ],
  };
}

/** Whether what is drawn is nowhere below 0, and an axis that leaves room would go there. */
function nonnegative(values) {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return least >= 0 && least - (most - least) * 0.1 < 0;
}

/** Return stretches that overlap as one, so that none is shaded twice. */
function joined(missing) {
  const found = [];
  for (const gap of missing) {
    const [from, to] = [Date.parse(gap.from), Date.parse(gap.to)];
    const last = found.at(-1);
    if (last && from <= last[1]) last[1] = Math.max(last[1], to);
    else found.push([from, to]);
  }
  return found;
}
