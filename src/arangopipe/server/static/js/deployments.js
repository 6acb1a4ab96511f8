// Deployments: who was live when as bars, and how they serve against development.
import "./brief.js";
import { element, enhance, failed, here } from "./dom.js";

const PALE = 0.22;
const date = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric", timeZone: "UTC" });
const day = (time) => date.format(new Date(time));

function drawn(box, draw) {
  return import("./charts.js").then((charts) => draw(charts)).catch((error) => failed(box, error));
}

enhance("[data-timeline]", (box) => drawn(box, (charts) => {
  const plot = JSON.parse(box.dataset.timeline);
  const canvas = element("div", { className: "chart" });
  canvas.style.height = `${Math.max(130, plot.lanes.length * 38 + 70)}px`;
  const models = plot.models.slice(0, 8).map((name, at) => [at, name || "(no model)"]);
  const legend = element("ul", { className: "legend" }, ...models.map(([at, name]) =>
    element("li", {}, element("span", { className: `swatch series-${at + 1}` }), name)));
  box.replaceChildren(legend, canvas);
  const { chart } = charts.chart(canvas, plot.words, (theme) => timeline(charts, theme, plot, canvas.clientWidth < 560));
  chart.on("click", ({ data }) => { if (data?.bar) location.assign(here(`/entity/${data.bar.id}`)); });
  chart.getZr().on("click", (event) => {
    const point = [event.offsetX, event.offsetY];
    if (event.target || !chart.containPixel("grid", point)) return;
    const [time] = chart.convertFromPixel("grid", point);
    const to = new URL(location.href);
    to.searchParams.set("at", new Date(time).toISOString().slice(0, 10));
    location.assign(to);
  });
}));

function timeline(charts, theme, plot, narrow) {
  const shade = (bar) => theme.series[plot.models.indexOf(bar.model) % theme.series.length];
  const bars = plot.bars.filter((bar) => bar.status !== "scheduled").map((bar) => ({ value: [Date.parse(bar.from), bar.lane, Date.parse(bar.to)], bar }));
  const planned = plot.bars.filter((bar) => bar.status === "scheduled").map((bar) => ({ value: [Date.parse(bar.from), bar.lane], bar, itemStyle: { borderColor: shade(bar) } }));
  const now = Date.parse(plot.now);
  const [from, to] = (plot.asked ?? []).map((time) => Date.parse(time));
  const times = [...bars.flatMap(({ value }) => [value[0], value[2]]), ...planned.map(({ value }) => value[0]), ...(plot.asked ? [from, to] : []), now];
  const room = (Math.max(...times) - Math.min(...times)) * 0.02 || 43_200_000;
  return {
    useUTC: true,
    xAxis: { type: "time", min: Math.min(...times) - room, max: Math.max(...times) + room, splitLine: { show: true }, axisLine: { onZero: false } },
    yAxis: charts.rowAxis(plot.lanes, narrow),
    grid: { top: 24 },
    tooltip: {
      formatter: ({ data }) => {
        if (!data?.bar) return "";
        const { bar } = data;
        const when = bar.status === "scheduled" ? `from ${day(bar.from)}` : `${day(bar.from)} – ${bar.open ? "now" : day(bar.to)}`;
        return charts.tip(`${bar.tag}: ${bar.status}`, [[shade(bar), bar.model || "(no model)", ""], [theme.surface, bar.name, ""], [theme.surface, when, ""]]);
      },
    },
    series: [
      {
        type: "custom", data: bars, encode: { x: [0, 2], y: 1 }, clip: true,
        renderItem: (params, api) => {
          const { bar } = bars[params.dataIndex];
          const [left, y] = api.coord([api.value(0), api.value(1)]);
          const [right] = api.coord([api.value(2), api.value(1)]);
          const width = Math.max(right - left, 3);
          const color = shade(bar);
          const words = { type: "text", silent: true, style: { text: bar.name, x: left + 7, y, fill: theme.text, font: "12px sans-serif", verticalAlign: "middle", width: width - 12, overflow: "truncate" } };
          return {
            type: "group",
            children: [
              { type: "rect", shape: { x: left, y: y - 12, width, height: 24, r: 4 }, style: { fill: theme.surface } },
              { type: "rect", shape: { x: left, y: y - 12, width, height: 24, r: 4 }, style: { fill: color, fillOpacity: PALE, stroke: color, lineWidth: bar.status === "live" ? 2 : 1 } },
              ...(width > 36 ? [words] : []),
            ],
          };
        },
        markLine: { symbol: "none", silent: true, data: [{ xAxis: now, lineStyle: { color: theme.quiet, type: "dashed" }, label: { formatter: "now", color: theme.quiet, position: "start" } }, ...(plot.asked && from === to ? [{ xAxis: from, lineStyle: { color: theme.accent, width: 2, type: "solid" }, label: { formatter: "asked", color: theme.accent, position: "start" } }] : [])] },
        ...(plot.asked && from !== to ? { markArea: { silent: true, itemStyle: { color: theme.accent, opacity: 0.13 }, label: { color: theme.accent, position: "top" }, data: [[{ name: "asked", xAxis: from }, { xAxis: to }]] } } : {}),
      },
      { type: "scatter", data: planned, symbol: "diamond", symbolSize: 15, itemStyle: { color: theme.surface, borderWidth: 2 } },
    ],
  };
}

enhance("[data-serving]", (box) => drawn(box, (charts) => {
  const { metrics, missing } = JSON.parse(box.dataset.serving);
  const names = [...new Map(metrics.flatMap((metric) => [...metric.development, ...metric.serving]).map((one) => [one.deployment, one.label]))];
  const order = names.map(([id]) => id);
  const legend = element("ul", { className: "legend" }, ...names.map(([, label], at) =>
    element("li", {}, element("span", { className: `swatch series-${(at % 8) + 1}` }), label)));
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
    charts.chart(canvas, label, (theme) => serving(charts, theme, metric, missing, order, range));
  }
}));

function serving(charts, theme, metric, missing, order, range) {
  const shade = (one) => theme.series[order.indexOf(one.deployment) % theme.series.length];
  const spans = metric.serving.map((one) => ({ value: [Date.parse(one.start), one.value, Date.parse(one.end)], one }));
  const middles = spans.map(({ value, one }) => ({ value: [(value[0] + value[2]) / 2, value[1]], one, itemStyle: { color: shade(one) } }));
  const gaps = missing.map((gap) => [{ xAxis: Date.parse(gap.from) }, { xAxis: Date.parse(gap.to) }]);
  return {
    useUTC: true,
    xAxis: { type: "time", ...range, axisLine: { onZero: false } },
    yAxis: { type: "value", scale: true, boundaryGap: ["8%", "8%"], axisLabel: { formatter: (value) => charts.number(value) } },
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
