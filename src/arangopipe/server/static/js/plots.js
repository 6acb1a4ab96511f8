// Plots of answers: rows of marks with intervals, bars, periods, and the best so far. What to draw comes with the part.
import { element, enhance, failed } from "./dom.js";

enhance("[data-plot]", async (box) => {
  try {
    const plot = JSON.parse(box.dataset.plot);
    const charts = await import("./charts.js");
    const canvas = element("div", { className: "chart" });
    canvas.style.height = `${height(plot)}px`;
    const groups = [...new Set((plot.rows ?? []).map((row) => row.group).filter(Boolean))].slice(0, 8);
    box.replaceChildren(...(groups.length > 1 ? [legend(groups)] : plot.legend ? [glyphs(plot.legend)] : []), canvas);
    charts.chart(canvas, plot.words, (theme) => DRAWN[plot.kind](charts, theme, plot, canvas.clientWidth < 560, groups));
  } catch (error) {
    failed(box, error);
  }
});

const MANY = 100;

function height(plot) {
  if (plot.kind === "steps") return 260;
  const rows = plot.kind === "grid" ? plot.names.length : plot.rows.length;
  const each = plot.kind === "rows" ? (plot.rows.some((row) => row.points) ? 40 : 27) : 26;
  return Math.max(120, rows * each + (plot.kind === "grid" ? 110 : 84));
}

function legend(groups) {
  return element("ul", { className: "legend" }, ...groups.map((name, at) =>
    element("li", {}, element("span", { className: `swatch series-${at + 1}` }), name)));
}

function glyphs(items) {
  return element("ul", { className: "legend quiet small" }, ...items.map(([glyph, words]) => element("li", {}, `${glyph} ${words}`)));
}

function values(charts, theme, text) {
  return {
    type: "value", scale: true, name: text, nameLocation: "middle", nameGap: 26, axisLine: { onZero: false },
    axisLabel: { formatter: (value) => charts.number(value) },
  };
}

function direction(plot) {
  if (!plot.better) return plot.axis;
  return plot.better === "lower" ? `← better    ${plot.axis}` : `${plot.axis}    better →`;
}

/** Return a series that draws nothing but marks on the plane: zero, and the side on which it is better. */
function ground(theme, plot) {
  const better = plot.better === "lower" ? [{ xAxis: -Infinity }, { xAxis: 0 }] : [{ xAxis: 0 }, { xAxis: Infinity }];
  return {
    type: "scatter", data: [], silent: true,
    markLine: { symbol: "none", silent: true, label: { show: false }, lineStyle: { color: theme.text, width: 1, type: "solid" }, data: [{ xAxis: 0 }] },
    ...(plot.better ? { markArea: { silent: true, itemStyle: { color: theme.good, opacity: 0.09 }, data: [better] } } : {}),
  };
}

function rows(charts, theme, plot, narrow, groups) {
  const shade = (row) => row.tone === "good" ? theme.good : row.tone === "bad" ? theme.bad : row.strong ? theme.text
    : row.group ? theme.series[Math.max(groups.indexOf(row.group), 0)] : theme.series[0];
  const every = plot.rows;
  // Dots of a row are spread by a fixed pattern, so that equal answers look equal.
  const dots = every.flatMap((row, at) => (row.points ?? []).map(([x, one, other], place) =>
    ({ value: [x, at + (((place * 0.618) % 1) - 0.5) * 0.5, one, other], row })));
  const spans = every.map((row, at) => ({ value: [row.low, at, row.high], row })).filter((span) => span.row.low !== null && span.row.low !== undefined);
  const middles = every.map((row, at) => ({ value: [row.middle, at], row, itemStyle: { color: shade(row) }, symbol: row.strong ? "diamond" : "rect", symbolSize: row.strong ? 14 : row.low === undefined ? 9 : [4, 16] })).filter((one) => one.row.middle !== null && one.row.middle !== undefined);
  const marks = every.flatMap((row, at) => (row.marks ?? []).map((mark) => ({ value: [mark.value, at], row, mark, symbol: mark.shape }))).filter((one) => one.mark.value !== null);
  const extent = [...dots, ...spans, ...middles, ...marks].flatMap((one) => one.value.length === 3 ? [one.value[0], one.value[2]] : [one.value[0]]);
  const low = Math.min(...extent, ...(plot.zero ? [0] : []));
  const high = Math.max(...extent, ...(plot.zero ? [0] : []));
  const room = (high - low || Math.abs(high) || 1) * 0.05;
  return {
    xAxis: { ...values(charts, theme, direction(plot)), min: round(low - room), max: round(high + room), axisLabel: { showMinLabel: false, showMaxLabel: false, formatter: (value) => charts.number(value) } },
    yAxis: charts.rowAxis(every.map((row) => row.name), narrow),
    grid: { bottom: 34 },
    tooltip: { formatter: ({ data }) => told(charts, theme, plot, data) },
    series: [
      ...(plot.zero ? [ground(theme, plot)] : []),
      {
        type: "custom", data: spans, encode: { x: [0, 2], y: 1 },
        renderItem: (params, api) => {
          const { row } = spans[params.dataIndex];
          const [left, y] = api.coord([api.value(0), api.value(1)]);
          const [right] = api.coord([api.value(2), api.value(1)]);
          const style = { stroke: shade(row), lineWidth: row.strong ? 4 : 2, opacity: row.points ? 0.45 : 0.8, lineCap: "round" };
          return { type: "line", shape: { x1: left, y1: y, x2: right, y2: y }, style };
        },
      },
      { type: "scatter", data: dots, symbolSize: 7, itemStyle: { color: theme.series[0], opacity: 0.55 } },
      { type: "scatter", data: marks, symbolSize: 9, itemStyle: { color: theme.surface, borderColor: theme.series[1], borderWidth: 2 } },
      { type: "scatter", data: middles, z: 5 },
    ],
  };
}

function round(value) {
  return Number(value.toPrecision(4));
}

function told(charts, theme, plot, data) {
  const { row, mark } = data;
  if (mark) return charts.tip(row.name, [[theme.series[1], mark.label, charts.number(mark.value)], [theme.surface, row.note ?? "", ""]]);
  if (data.value.length === 4) {
    const [difference, , one, other] = data.value;
    return charts.tip(row.name, [[theme.series[0], "with", charts.number(one)], [theme.series[0], "without", charts.number(other)], [theme.series[0], "difference", charts.number(difference)]]);
  }
  const found = [[theme.series[0], row.points || plot.zero ? "mean" : plot.axis, charts.number(row.middle)]];
  if (row.low !== undefined && row.low !== null) found.push([theme.series[0], "from", charts.number(row.low)], [theme.series[0], "to", charts.number(row.high)]);
  if (row.note) found.push([theme.surface, row.note, ""]);
  return charts.tip(row.name, found);
}

function bars(charts, theme, plot, narrow) {
  const every = plot.rows;
  const shade = (row) => row.tone === "good" ? theme.good : row.tone === "plain" ? theme.series[7] : theme.series[0];
  const whiskers = every.map((row, at) => [row.value - row.error, at, row.value + row.error]).filter((one) => !Number.isNaN(one[0]));
  const stacked = plot.parts ? [{ type: "bar", stack: "all", name: plot.parts[1], barMaxWidth: 16, itemStyle: { color: theme.line }, data: every.map((row) => row.rest) }] : [];
  return {
    xAxis: { ...values(charts, theme, plot.axis), scale: false },
    yAxis: { type: "category", inverse: true, data: every.map((row) => row.name), axisTick: { show: false }, axisLabel: { width: narrow ? 110 : 220, overflow: "truncate", interval: 0, hideOverlap: false } },
    grid: { bottom: 34 },
    tooltip: {
      formatter: ({ dataIndex }) => {
        const row = every[dataIndex];
        const found = [[shade(row), plot.parts?.[0] ?? plot.axis, charts.number(row.value)]];
        if (plot.parts) found.push([theme.line, plot.parts[1], charts.number(row.rest)]);
        if (row.error) found.push([theme.surface, "give or take", charts.number(row.error)]);
        if (row.note) found.push([theme.surface, row.note, ""]);
        return charts.tip(row.name, found);
      },
    },
    series: [
      { type: "bar", stack: "all", name: plot.parts?.[0], barMaxWidth: 16, data: every.map((row) => ({ value: row.value, itemStyle: { color: plot.parts ? theme.series[1] : shade(row) } })) },
      ...stacked,
      {
        type: "custom", data: whiskers, silent: true, encode: { x: [0, 2], y: 1 },
        renderItem: (params, api) => {
          const [left, y] = api.coord([api.value(0), api.value(1)]);
          const [right] = api.coord([api.value(2), api.value(1)]);
          return { type: "line", shape: { x1: left, y1: y, x2: right, y2: y }, style: { stroke: theme.text, lineWidth: 1.5 } };
        },
      },
    ],
  };
}

function grid(charts, theme, plot, narrow) {
  return {
    xAxis: { type: "category", data: plot.columns, splitArea: { show: false }, axisLabel: { hideOverlap: true } },
    yAxis: { type: "category", inverse: true, data: plot.names, axisTick: { show: false }, splitLine: { show: true }, axisLabel: { width: narrow ? 96 : 200, overflow: "truncate", interval: 0, hideOverlap: false } },
    tooltip: {
      formatter: ({ value }) => charts.tip(plot.columns[value[0]], [
        [theme.series[0], plot.names[value[1]], "used"],
        [theme.surface, "datasets", charts.number(plot.counts[value[0]])],
        [theme.surface, "runs", charts.number(value[2])],
      ]),
    },
    series: [{
      type: "custom", data: plot.cells, encode: { x: 0, y: 1 },
      renderItem: (params, api) => {
        const [x, y] = api.coord([api.value(0), api.value(1)]);
        const [width] = api.size([1, 1]);
        const wide = Math.min(width * 0.86, 90);
        return { type: "rect", shape: { x: x - wide / 2, y: y - 8, width: wide, height: 16, r: 3 }, style: { fill: theme.series[0], opacity: 0.85 } };
      },
    }],
  };
}

function steps(charts, theme, plot) {
  const most = Math.max(...plot.lines.flatMap((line) => line.points.map(([choices]) => choices)));
  // Records become rare: where there are many choices, most of them would stand on the left edge.
  const logarithmic = most > MANY ? { type: "log", min: 1, max: most } : { scale: false, minInterval: 1 };
  return {
    legend: { type: "scroll", top: 0, textStyle: { color: theme.text }, show: plot.lines.length > 1 },
    xAxis: { ...values(charts, theme, most > MANY ? `${plot.below} (logarithmic)` : plot.below), ...logarithmic },
    yAxis: { type: "value", scale: true, name: `${plot.axis} (${plot.better} is better)`, nameTextStyle: { align: "left" }, axisLabel: { formatter: (value) => charts.number(value) } },
    grid: { bottom: 34, top: plot.lines.length > 1 ? 54 : 32 },
    tooltip: { trigger: "axis", formatter: (found) => charts.tip(`after ${charts.number(found[0].axisValue)} choices`, found.map((one) => [one.color, one.seriesName, charts.number(one.value[1])])) },
    series: plot.lines.map((line) => ({ type: "line", step: "end", name: line.name, data: line.points, symbolSize: 6 })),
  };
}

const DRAWN = { rows, bars, grid, steps };
