"""How deployments of a tag did over their serving periods, against what their runs showed in development."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from arangopipe import deployments
from arangopipe.model import times
from arangopipe.model.entities import Deployment, Run, ServingPerf
from arangopipe.model.expressions import Compare, OrderKey, Path
from arangopipe.server.pages import placed
from arangopipe.server.pages.asking import Ask
from arangopipe.server.pages.spans import day_text
from arangopipe.server.pages.things import brief, plain_metrics, time_text
from arangopipe.words import brief as short
from arangopipe.words import count, short_key

PERIODS = 100
"""So many periods are read: the latest."""

DEPLOYMENTS = 20
METRICS = 6
EXPECTED = timedelta(days=7)
"""How long a period is taken to be where none was reported."""

_METRICS_READ = 100


@dataclass(frozen=True)
class Reports:
    """The deployments of a tag, the periods of each, and what their runs showed in development."""

    placements: Sequence[Deployment]
    periods: Mapping[str, Sequence[ServingPerf]]
    runs: Mapping[str, Run]
    cut: bool

    @property
    def usual(self) -> timedelta:
        """How long a period usually is."""
        lengths = [
            perf.end - perf.start
            for each in self.periods.values()
            for perf in each
            if perf.start and perf.end and perf.end > perf.start
        ]
        return sorted(lengths)[len(lengths) // 2] if lengths else EXPECTED

    @property
    def since(self) -> datetime | None:
        """From when on the periods that were read are all there are; None: from the start."""
        starts = [perf.start for each in self.periods.values() for perf in each if perf.start]
        return min(starts) if self.cut and starts else None


def read(ask: Ask, tag: str) -> Reports:
    """Return what was reported of a tag: the latest periods, and the deployments they belong to."""
    where = Compare(Path(("deployment", "name")), "=", tag)
    order = [OrderKey(Path(("start",)), descending=True)]
    page = ask.store.search("servingperf", where, order, PERIODS, None, ask.moment)
    ids = [node.id for node in page.items]
    edges = ask.store.edges(ids, ["deployment_servingperf"], len(ids) + 1, ask.moment) if ids else ()
    owners = {edge.target: edge.source for edge in edges}
    newest = [
        item for item in placed.found(ask, placed.of_tag(tag), DEPLOYMENTS)[0] if item.status != "scheduled"
    ]
    known = {item.id for item in newest}
    others = [owner for owner in dict.fromkeys(owners.values()) if owner not in known]
    nodes = ask.store.get(others, ask.moment) if others else ()
    every = [*newest, *(Deployment(node) for node in nodes if node is not None)]
    periods: dict[str, list[ServingPerf]] = {item.id: [] for item in every}
    for node in page.items:
        periods.setdefault(owners.get(node.id, ""), []).append(ServingPerf(node))
    return Reports(every, periods, _runs(ask, every), page.cursor is not None)


def _runs(ask: Ask, items: Sequence[Deployment]) -> dict[str, Run]:
    links = deployments.served(ask.store, items, ask.moment)
    nodes = {item.id: node for item in items for node in links[item.id].get("run", ())[:1]}
    found = ask.pipe.entities(list(nodes.values()), ask.as_of)
    return {item: run for item, run in zip(nodes, found, strict=True) if isinstance(run, Run)}


def view(ask: Ask, tag: str) -> dict[str, Any]:
    """Return the reports of a tag as plain values: metrics over time, and what is missing."""
    reports = read(ask, tag)
    gaps = [gap for item in reports.placements for gap in _missing(item, reports, ask.now)]
    gaps.sort(key=lambda gap: str(gap["from"]))
    periods = sorted(_periods(reports), key=lambda period: period["start"] or "", reverse=True)
    metrics = [_metric(name, reports, periods, ask.now) for name in _names(reports, periods)]
    return {
        "tag": tag,
        "periods": periods,
        "missing": gaps,
        "metrics": metrics,
        "cut": reports.cut,
        "sentence": _sentence(tag, periods, gaps, metrics),
    }


def _periods(reports: Reports) -> Iterator[dict[str, Any]]:
    for item in reports.placements:
        for perf in reports.periods.get(item.id, ()):
            yield {
                **brief(perf),
                "start": time_text(perf.start),
                "end": time_text(perf.end),
                "metrics": plain_metrics(perf.metrics, _METRICS_READ),
                "deployment": item.id,
                "label": _label(item, reports),
            }


def _label(item: Deployment, reports: Reports) -> str:
    run = reports.runs.get(item.id)
    return (run.name if run is not None else "") or short_key(item.key)


def _names(reports: Reports, periods: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the metrics to draw: those of development and of serving first."""
    developed = {name for run in reports.runs.values() for name in run.metrics}
    counts: dict[str, int] = {}
    for period in periods:
        for name in period["metrics"]:
            counts[name] = counts.get(name, 0) + 1
    return sorted(counts, key=lambda name: (name not in developed, -counts[name], name))[:METRICS]


def _metric(
    name: str, reports: Reports, periods: Sequence[Mapping[str, Any]], now: datetime
) -> dict[str, Any]:
    """Return one metric: a line for what each run showed in development, and each period's value."""
    lines = []
    for item in reports.placements:
        run = reports.runs.get(item.id)
        value = plain_metrics(run.metrics, _METRICS_READ).get(name) if run is not None else None
        if value is not None and item.active_from is not None and item.active_from < now:
            label = _label(item, reports)
            span = {"from": time_text(item.active_from), "to": time_text(min(item.active_to or now, now))}
            lines.append({"deployment": item.id, "label": label, "value": value, **span})
    lines.sort(key=lambda line: str(line["from"]))
    served = [
        {**{each: period[each] for each in ("start", "end", "deployment", "label")}, "value": value}
        for period in reversed(periods)
        if (value := period["metrics"].get(name)) is not None and period["start"] and period["end"]
    ]
    return {"name": name, "development": lines, "serving": served, "last": _last(lines, served)}


def _last(lines: Sequence[Mapping[str, Any]], served: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return the latest value in serving, and what the same deployment showed in development."""
    if not served:
        return None
    last = served[-1]
    before = [line["value"] for line in lines if line["deployment"] == last["deployment"]]
    value = before[-1] if before else None
    change = (last["value"] - value) / abs(value) if value else None
    return {"value": last["value"], "development": value, "change": change, "end": last["end"]}


def _missing(item: Deployment, reports: Reports, now: datetime) -> Iterator[dict[str, Any]]:
    """Yield the stretches in which a deployment was live, and that no period tells of."""
    if item.active_from is None:
        return
    usual = reports.usual
    start = max(item.active_from, reports.since or item.active_from)
    end = min(item.active_to or now, now)
    covered = start
    told = [perf for perf in reports.periods.get(item.id, ()) if perf.start and perf.end]
    for perf in sorted(told, key=lambda perf: (perf.start, perf.end)):
        if perf.start is not None and perf.start - covered >= usual / 2:
            yield _gap(item, reports, covered, min(perf.start, end), usual)
        covered = max(covered, perf.end or covered)
    # The period that goes on is reported when it has ended.
    if end - covered >= (usual * 1.5 if item.active_to is None else usual / 2):
        yield _gap(item, reports, covered, end, usual)


def _gap(
    item: Deployment, reports: Reports, start: datetime, end: datetime, usual: timedelta
) -> dict[str, Any]:
    return {
        "deployment": item.id,
        "label": _label(item, reports),
        "from": time_text(start),
        "to": time_text(end),
        "periods": max(1, round((end - start) / usual)),
    }


def _sentence(
    tag: str,
    periods: Sequence[Mapping[str, Any]],
    gaps: Sequence[Mapping[str, Any]],
    metrics: Sequence[Mapping[str, Any]],
) -> str:
    if not periods:
        return f"{tag} has not reported how it serves."
    said = f"{tag} reported {count(len(periods), 'period')}"
    ended = max((period["end"] for period in periods if period["end"]), default=None)
    if ended is not None:
        said += f", the last until {day_text(times.parse(ended))}"
    compared = [metric for metric in metrics if metric["last"] and metric["last"]["development"] is not None]
    for metric in compared[:1]:
        last = metric["last"]
        now, before = short(last["value"]), short(last["development"])
        change = "" if last["change"] is None else f" ({100 * last['change']:+.0f} %)".replace("-", "−")
        said += f"; {metric['name']} was {now} then, {before} in development{change}"
    lost = sum(gap["periods"] for gap in gaps)
    missing = f"About {count(lost, 'period')} went unreported." if lost else "None is missing."
    return f"{said}. {missing}"
