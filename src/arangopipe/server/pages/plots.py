"""What is drawn of an answer, as plain values that the page's own charts understand.

A plot is one of *rows* (a line of marks, with a middle and an interval, for each name), *bars*, *grid* (what
was there in which period) and *steps* (the best value so far). `words` says it to who cannot see it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from arangopipe.analysis.answers import Answer, cell, plain
from arangopipe.analysis.comparison import Comparison
from arangopipe.analysis.data import DatasetsUsed
from arangopipe.analysis.effect import Effect, Pair
from arangopipe.analysis.explanation import Explanation
from arangopipe.analysis.extraction import FeatureTechniques
from arangopipe.analysis.importance import Importance
from arangopipe.analysis.leaderboard import Leaderboard
from arangopipe.analysis.techniques import Techniques, Used
from arangopipe.analysis.useful import UsefulFeatures
from arangopipe.analysis.wear import TestSetWear, Worn
from arangopipe.words import brief

MOST_ROWS = 40
MOST_POINTS = 600

Plot = dict[str, Any]


def of(answer: Answer) -> list[Plot]:
    """Return the plots of an answer, none where there is nothing to see."""
    return [_within(plot) for plot in plain(list(_plots(answer)))]


def _within(plot: Plot) -> Plot:
    """Return a plot with as many rows as one can read, and how many it leaves out."""
    left_out = max(len(plot.get("rows", ())) - MOST_ROWS, 0)
    return {**plot, "rows": plot.get("rows", [])[:MOST_ROWS], "left_out": left_out}


def _plots(answer: Answer) -> Iterator[Plot]:
    match answer:
        case Effect() if answer.estimate is not None:
            yield _effect(answer)
        case UsefulFeatures() if answer.items:
            yield _useful(answer)
        case Techniques() if answer.items:
            yield _techniques(answer)
        case FeatureTechniques() if answer.items:
            counts = [{"name": cell(item.transformation), "value": item.runs} for item in answer.items]
            yield _bars("Runs by transformation", "runs", counts)
        case Leaderboard():
            yield _leaderboard(answer)
        case Importance() if answer.items:
            yield _bars(
                "Importance of each param", "share of variance lost without it", list(_weights(answer))
            )
        case TestSetWear() if answer.items:
            yield from _wear(answer)
        case DatasetsUsed() if answer.periods:
            yield _datasets(answer)
        case Explanation() if any(cause.pairs for cause in answer.causes):
            axis = f"% of such changes, alone, that moved {answer.metric}"
            yield _bars("How often each kind of change moved the metric", axis, list(_causes(answer)))
        case Comparison():
            yield _comparison(answer)


def _bars(title: str, axis: str, rows: Sequence[Mapping[str, Any]], **more: Any) -> Plot:
    words = f"{title}: {_said((row['name'], row['value']) for row in rows)}"
    return {"kind": "bars", "title": title, "axis": axis, "rows": list(rows), "words": words, **more}


def _rows(title: str, axis: str, better: str | None, rows: Sequence[Mapping[str, Any]], **more: Any) -> Plot:
    words = f"{title}: {_said((row['name'], row.get('middle')) for row in rows)}"
    known = {"kind": "rows", "title": title, "axis": axis, "better": better, "rows": list(rows)}
    return {**known, "words": words, "zero": False, **more}


def _said(values: Any) -> str:
    told = [f"{name} {'–' if value is None else brief(value)}" for name, value in list(values)[:12]]
    return ", ".join(told)


# --- rows ------------------------------------------------------------------------------------------


def _effect(answer: Effect) -> Plot:
    """Return the difference of each pair by technique, and the mean over all with its interval."""
    groups: dict[str, list[Pair]] = {name: [] for name in answer.per_technique}
    for pair in answer.matched:
        groups[pair.technique].append(pair)
    every = max(1, -(-len(answer.matched) // MOST_POINTS))
    rows: list[Plot] = [
        {
            "name": name,
            "middle": part.estimate,
            "low": part.low,
            "high": part.high,
            "points": [[p.difference, p.with_it, p.without_it] for p in groups[name][::every]],
            "note": f"better in {part.better:,} of {part.pairs:,} pairs",
        }
        for name, part in answer.per_technique.items()
    ]
    low, high = answer.interval or (None, None)
    note = "mean over clusters with its 95 % interval" if answer.interval else "mean over clusters"
    total = {"name": "all", "middle": answer.estimate, "low": low, "high": high, "strong": True, "note": note}
    total["tone"] = _toned(answer.verdict)
    shown = rows[: MOST_ROWS - 1]
    title = f"Pairs by {'opponent' if answer.kind == 'technique' else 'technique'}"
    axis = f"{answer.metric} with {cell(answer.what)} minus without"
    legend = [["●", "one pair"], ["▮", "mean of the technique"], ["◆", note]]
    more = {"thinned": every > 1, "zero": True, "legend": legend}
    return _rows(title, axis, answer.better, [*shown, total], **more)


def _toned(verdict: str) -> str:
    """Return the colour of a verdict: what is not consistent is neither good nor bad."""
    gain, loss = (verdict.startswith(f"consistent {word}") for word in ("gain", "loss"))
    return "good" if gain else "bad" if loss else "plain"


def _useful(answer: UsefulFeatures) -> Plot:
    rows = [
        {
            "name": cell(item.name),
            "middle": item.estimate,
            "low": item.interval[0] if item.interval else None,
            "high": item.interval[1] if item.interval else None,
            "tone": "good" if item.helped else _toned(item.verdict),
            "note": f"{item.verdict}, {item.pairs:,} pairs, corrected p {brief(item.adjusted)}",
        }
        for item in answer.items
    ]
    title, axis = "Mean difference with each, and its 95 % interval", f"{answer.metric} with it minus without"
    legend = [["▮", "green: helped, red: a consistent loss, blue: neither"]]
    return _rows(title, axis, answer.better, rows, zero=True, legend=legend)


def _techniques(answer: Techniques) -> Plot:
    """Return the range of each technique; where no metric is known, how often each was used."""
    if not any(item.counted for item in answer.items):
        counts = [{"name": item.technique, "value": item.runs} for item in answer.items]
        return _bars("Runs by technique", "runs", counts)
    rows = [_range(item) for item in answer.items if item.counted]
    legend = [["○", "best run"], ["▮", "median"]]
    return _rows("From the best run to the worst", answer.metric, answer.better, rows, legend=legend)


def _range(item: Used) -> dict[str, Any]:
    ends = [end for end in (item.best, item.worst) if end is not None]
    return {
        "name": item.technique,
        "middle": item.median,
        "low": min(ends),
        "high": max(ends),
        "note": f"{item.counted:,} of {item.runs:,} runs; the mark is the median",
        "marks": [{"value": item.best, "label": "best", "shape": "circle"}],
    }


def _leaderboard(answer: Leaderboard) -> Plot:
    rows = [
        {
            "name": f"{item.rank}. {item.run}",
            "middle": item.value,
            "group": item.technique,
            "note": ", ".join(each for each in (item.technique, item.featureset, item.dataset) if each),
        }
        for item in answer.items
    ]
    return _rows("The best runs", answer.metric, answer.better, rows)


def _wear(answer: TestSetWear) -> Iterator[Plot]:
    told = [item for item in answer.items if item.raw_best is not None]
    if told:
        rows = [_worth(item) for item in told]
        legend = [
            ["○", "best run"],
            ["▮", "honest estimate with its 95 % interval"],
            ["△", "mean of all runs"],
        ]
        title = "What the best run is worth on each set"
        yield _rows(title, answer.metric, answer.better, rows, legend=legend)
    choices = [{"name": item.dataset, "value": item.choices} for item in answer.items]
    lines = [
        {"name": item.dataset, "points": [*item.records, (item.choices, item.raw_best)]}
        for item in told
        if len(item.records) > 1
    ]
    if lines:
        words = "; ".join(f"{each['name']}: {len(each['points'])} records" for each in lines[:8])
        yield {
            "kind": "steps",
            "title": "The best score so far, choice by choice",
            "axis": answer.metric,
            "below": "choices made on the set",
            "better": answer.better,
            "lines": lines[:8],
            "words": f"The best score so far: {words}",
        }
    if len(choices) > 1:
        yield _bars("Choices made on each set", "runs tested on it", choices)


def _worth(item: Worn) -> dict[str, Any]:
    marks = [
        {"value": item.raw_best, "label": "best run", "shape": "circle"},
        {"value": item.if_all_equal, "label": "mean of all runs", "shape": "triangle"},
    ]
    note = f"{item.choices:,} choices" + (f"; {item.why_not}" if item.why_not else "; honest estimate")
    return {
        "name": item.dataset,
        "middle": item.honest,
        "low": item.low,
        "high": item.high,
        "note": note,
        "marks": marks,
    }


# --- bars, periods ---------------------------------------------------------------------------------


def _weights(answer: Importance) -> Iterator[dict[str, Any]]:
    for item in answer.items:
        tone = "good" if item.matters and answer.explained > 0 else "plain"
        yield {"name": item.name, "value": item.importance, "error": item.deviation, "tone": tone}


def _causes(answer: Explanation) -> Iterator[dict[str, Any]]:
    for cause in answer.causes:
        if cause.pairs:
            share = 100 * cause.moved / cause.pairs
            note = f"{cause.moved:,} of {cause.pairs:,} pairs"
            yield {"name": f"{cause.section}: {cause.name}", "value": share, "note": note}


def _comparison(answer: Comparison) -> Plot:
    rows = []
    for section, same in answer.same.items():
        differ = sum(each.section == section for each in answer.differences)
        rows.append({"name": section, "value": differ, "rest": same})
    title = "What differs, and what is the same in all"
    return _bars(title, "facts", rows, parts=["differ", "are the same"])


def _datasets(answer: DatasetsUsed) -> Plot:
    periods = answer.periods[-60:]
    used = [name for name in answer.datasets if any(name in period.datasets for period in periods)]
    shown = used[:MOST_ROWS]
    cells = [
        [column, shown.index(name), period.runs]
        for column, period in enumerate(periods)
        for name in period.datasets
        if name in shown
    ]
    counts = _said((period.period, len(period.datasets)) for period in periods)
    return {
        "kind": "grid",
        "title": f"Datasets by {answer.per}",
        "columns": [period.period for period in periods],
        "names": shown,
        "counts": [len(period.datasets) for period in periods],
        "cells": cells,
        "words": f"Datasets by {answer.per}: {counts}",
        "rows": used,
    }
