"""Runs side by side: what differs, what is the same, which value of each metric is best."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from arangopipe.errors import ArangopipeError
from arangopipe.model.directions import HIGHER, LOWER, known_direction
from arangopipe.model.entities import Run
from arangopipe.model.graph import Node
from arangopipe.server.pages.asking import Ask
from arangopipe.server.pages.texts import is_number

FEW = 8
"""So many runs stand side by side; of more, it is told how the values divide."""

_VALUES = 6

Fact = tuple[str, str]

SEEN_APART = ("params", "data", "features", "code", "environment")
"""The sections of what a run was given; the metrics are what came of it."""


def chosen(ask: Ask, texts: Sequence[str]) -> tuple[list[Run], list[dict[str, str]]]:
    """Return the runs that keys, ids or names mean, each once, and what is wrong with the others."""
    wanted = list(dict.fromkeys(text.strip().removeprefix("run/") for text in texts if text.strip()))
    nodes = ask.store.get([f"run/{key}" for key in wanted], ask.moment)
    found: list[Node] = []
    wrong = []
    for text, node in zip(wanted, nodes, strict=True):
        try:
            found.append(node if node is not None else ask.pipe.lookup_run(text, as_of=ask.as_of).node)
        except ArangopipeError as error:
            wrong.append({"text": text, "said": str(error)})
    distinct = list({node.id: node for node in found}.values())
    return [run for run in ask.pipe.entities(distinct, ask.as_of) if isinstance(run, Run)], wrong


@dataclass(frozen=True)
class Column:
    """One fact of all runs; a run that lacks it has None."""

    section: str
    name: str
    values: tuple[Any, ...]

    @property
    def key(self) -> str:
        """What names it in an address."""
        return f"{self.section}.{self.name}"

    @cached_property
    def differs(self) -> bool:
        """Whether it is not the same in all runs."""
        first = self.values[0]
        return any(each != first or isinstance(each, bool) != isinstance(first, bool) for each in self.values)

    @property
    def missing(self) -> int:
        """How many runs lack it."""
        return sum(value is None for value in self.values)

    @cached_property
    def numeric(self) -> bool:
        """Whether every run that has it has a number."""
        there = [value for value in self.values if value is not None]
        return bool(there) and all(map(is_number, there))

    def best(self, better: str | None) -> list[int]:
        """Return the places of the best value, none where the runs do not differ in it."""
        numbers = [value for value in self.values if is_number(value)]
        if better is None or len(set(numbers)) < 2:
            return []
        best = min(numbers) if better == "lower" else max(numbers)
        return [place for place, value in enumerate(self.values) if is_number(value) and value == best]

    def spread(self) -> dict[str, Any]:
        """Return how the values divide: the range of many numbers, else the commonest with their counts."""
        there = [value for value in self.values if value is not None]
        counts = Counter(map(_hashable, there))
        if self.numeric and len(counts) > _VALUES:
            ordered = sorted(there)
            return {
                "least": ordered[0],
                "middle": ordered[len(ordered) // 2],
                "greatest": ordered[-1],
                "distinct": len(counts),
            }
        common = counts.most_common(_VALUES)
        return {
            "values": [{"value": value, "count": count} for (_, value), count in common],
            "distinct": len(counts),
        }


def _hashable(value: Any) -> tuple[str, Any]:
    return type(value).__name__, value


def columns(ask: Ask, runs: Sequence[Run]) -> list[Column]:
    """Return all facts of runs, by section, as far as anyone looks for them when comparing."""
    # The package of the questions takes half a second to import, which no other page needs.
    from arangopipe.analysis.facts import SECTIONS, facts_of

    found = facts_of(ask.pipe, runs, ask.moment)
    tables = [{fact: _plain(value) for fact, value in facts.values.items()} for facts in found]
    names = _featuresets(ask, runs)
    order: dict[Fact, None] = {("features", "featureset"): None} if any(names) else {}
    for place, table in enumerate(tables):
        order.update(dict.fromkeys(table))
        if names[place]:
            table["features", "featureset"] = names[place]
    made = [Column(*fact, tuple(table.get(fact) for table in tables)) for fact in order]
    return sorted(made, key=lambda column: SECTIONS.index(column.section))


def _featuresets(ask: Ask, runs: Sequence[Run]) -> list[str]:
    edges = ask.store.edges([run.id for run in runs], ["run_featuresets"], as_of=ask.moment)
    ids = sorted({edge.target for edge in edges})
    labels = {node.id: node.label for node in ask.store.get(ids, ask.moment) if node is not None}
    return [
        " + ".join(sorted(labels[e.target] for e in edges if e.source == run.id and e.target in labels))
        for run in runs
    ]


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: numbers that are not finite are text."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "-∞"
    return value


def metrics(found: Sequence[Column]) -> list[Column]:
    """Return the metrics, those first that most runs have and of which it is known what is better."""
    order = {name: place for place, name in enumerate((*LOWER, *HIGHER))}
    measured = [column for column in found if column.section == "metrics"]
    return sorted(
        measured,
        key=lambda c: (c.missing, known_direction(c.name) is None, order.get(c.name, len(order)), c.name),
    )


def sorted_by(column: Column | None, count: int, down: bool) -> list[int]:
    """Return the places of runs by a fact: numbers, then texts, then those without it."""
    places = list(range(count))
    if column is None:
        return places
    having = [place for place in places if column.values[place] is not None]

    def key(place: int) -> tuple[bool, Any]:
        value = column.values[place]
        return (False, value) if is_number(value) else (True, str(value))

    having.sort(key=key, reverse=down)
    return having + [place for place in places if column.values[place] is None]


def by_section(found: Sequence[Column], differing: bool) -> dict[str, list[Column]]:
    """Return the facts that do, or do not, differ, by section; metrics stand elsewhere."""
    parts: Mapping[str, list[Column]] = {
        section: [c for c in found if c.section == section and c.differs == differing]
        for section in SEEN_APART
    }
    return {section: part for section, part in parts.items() if part}
