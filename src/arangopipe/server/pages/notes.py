"""What a box of a lineage says of a thing beside its kind: enough to tell it from others of its name."""

from __future__ import annotations

from datetime import datetime, timedelta

from arangopipe import words
from arangopipe.model.entities import Dataset, Deployment, Featureset, Model, Run, ServingPerf
from arangopipe.model.graph import Node
from arangopipe.server.pages.spans import short_day
from arangopipe.server.pages.texts import label
from arangopipe.server.pages.things import brief


def called(node: Node) -> str:
    """Return what a person calls a thing; a serving period by its days."""
    if node.kind == "servingperf" and not node.name:
        perf = ServingPerf(node)
        if perf.start is not None and perf.end is not None:
            return _days(perf.start, perf.end)
    return label(brief(node))


def note(node: Node) -> str:
    """Return when, how or how large, in a few words; "" where nothing is recorded of that."""
    match node.kind:
        case "run":
            start = Run(node).start
            return "" if start is None else short_day(start)
        case "deployment":
            since = Deployment(node).active_from
            return "" if since is None else short_day(since)
        case "models":
            technique = Model(node).technique
            return technique if isinstance(technique, str) and technique != node.name else ""
        case "datasets":
            rows = (Dataset(node).summary or {}).get("rows")
            return words.count(rows, "row") if isinstance(rows, int) else ""
        case "featuresets":
            columns = Featureset(node).columns
            return words.count(len(columns), "column") if columns else ""
    return ""


def _days(start: datetime, end: datetime) -> str:
    # A period ends before its end: one of a week names seven days.
    last = max(end - timedelta(microseconds=1), start)
    if last.date() == start.date():
        return short_day(start)
    first = short_day(start)
    return f"{first.removesuffix(str(last.year)).strip()} – {short_day(last)}"
