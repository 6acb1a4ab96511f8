"""What differs between runs: params, metrics, data, features, code, environment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from arangopipe.analysis.answers import Answer, listed, several
from arangopipe.analysis.facts import SECTIONS, Fact, Facts
from arangopipe.errors import InvalidInput


@dataclass(frozen=True)
class Difference:
    """One fact that is not the same in all runs, and its value in each (None: it has none)."""

    section: str
    name: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Comparison(Answer):
    """The runs (names and ids), what differs between them, and how many facts are the same, by section."""

    runs: tuple[str, ...]
    ids: tuple[str, ...]
    differences: tuple[Difference, ...]
    same: dict[str, int]

    @property
    def sentence(self) -> str:
        """What kinds of things differ."""
        found = [section for section in SECTIONS if any(d.section == section for d in self.differences)]
        equal = [section for section in self.same if section not in found]
        differ = f"{several(len(self.runs), 'run')} differ in {listed(found, 9)}"
        if not found:
            return f"{several(len(self.runs), 'run')} differ in nothing that is recorded."
        return f"{differ}{f', not in {listed(equal, 9)}' if equal else ''}."

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each difference, with a column for each run."""
        return [
            {"what": d.section, "name": d.name, **dict(zip(self._headings, d.values, strict=True))}
            for d in self.differences
        ]

    @property
    def _headings(self) -> list[str]:
        """The runs by name, by id where that does not tell them apart."""
        return list(self.runs if len(set(self.runs)) == len(self.runs) else self.ids)


def compare(found: Sequence[Facts]) -> Comparison:
    """Return what differs between two or more runs."""
    if len({facts.run.id for facts in found}) < 2:
        raise InvalidInput("comparing takes two different runs or more")
    differing = differences([facts.values for facts in found])
    every = {fact for facts in found for fact in facts.values}
    same = {section: 0 for section in SECTIONS if any(fact[0] == section for fact in every)}
    for section, name in every - {(d.section, d.name) for d in differing}:
        same[section] += 1 if name else 0
    return Comparison(
        runs=tuple(facts.run.node.label for facts in found),
        ids=tuple(facts.run.id for facts in found),
        differences=tuple(differing),
        same=same,
    )


def differences(values: Sequence[Any]) -> list[Difference]:
    """Return the facts that are not the same in all, by section and in the order they are recorded."""
    order: dict[Fact, None] = {}
    for each in values:
        order.update(dict.fromkeys(each))
    found = []
    for fact in order:
        cells = tuple(each.get(fact) for each in values)
        if any(cell != cells[0] or isinstance(cell, bool) != isinstance(cells[0], bool) for cell in cells):
            found.append(Difference(*fact, cells))
    return sorted(found, key=lambda difference: SECTIONS.index(difference.section))
