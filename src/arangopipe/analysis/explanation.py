"""Why is this model different? All that differs, ranked by how often such a change moved the metric here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from arangopipe.analysis.answers import Answer, cell, listed, number, several, signed
from arangopipe.analysis.codes import Bools, Floats, Ints, coded, combined, group_means
from arangopipe.analysis.comparison import Difference, differences
from arangopipe.analysis.facts import Fact, Facts, flat
from arangopipe.analysis.material import SEEDS, Material
from arangopipe.model import documents

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HISTORY = 5_000
"""Changes are looked for among so many runs, the latest."""

TECHNIQUE, SEED = ("params", "technique"), ("params", "seed")

_NOISE = 2.0
_LIKELY = ("data", "features", "params", "ancestry", "code", "environment")
"""Sections in the order in which causes stand that nothing is known of."""


@dataclass(frozen=True)
class Cause:
    """One difference; in how many `pairs` of otherwise equal runs it occurred, and in how many it `moved`
    the metric.

    `typical` is the median size of these changes.
    """

    section: str
    name: str
    before: Any
    after: Any
    pairs: int
    moved: int
    typical: float | None

    @property
    def score(self) -> float:
        """The share of pairs that moved, drawn to one half where there are few (Laplace's rule)."""
        return (self.moved + 1) / (self.pairs + 2)


@dataclass(frozen=True)
class Explanation(Answer):
    """The differences between two runs over their whole ancestry, the likeliest cause first."""

    first: str
    second: str
    metric: str
    task: str
    before: float | None
    after: float | None
    noise: float | None
    causes: tuple[Cause, ...]

    @property
    def sentence(self) -> str:
        """What changed, and the likeliest cause."""
        if not self.causes:
            return f"{self.first} and {self.second} do not differ in anything that is recorded."
        change = ""
        if self.before is not None and self.after is not None:
            by = signed(self.after - self.before)
            change = f"{self.metric} changes by {by} from {self.first} to {self.second}; "
        best = self.causes[0]
        among = several(len(self.causes), "difference")
        if not best.moved:
            return f"{change}none of {among} is known here to move {self.metric}."
        return (
            f"{change}of {among} the likeliest cause is {best.section}: {best.name} ({cell(best.before)} → "
            f"{cell(best.after)}): such a change moved {self.metric} in {best.moved:,} of "
            f"{several(best.pairs, 'pair')} of otherwise equal runs, by {number(best.typical, 3)} typically."
        )

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each difference."""
        return [
            {
                "what": cause.section,
                "name": cause.name,
                "before": cause.before,
                "after": cause.after,
                "pairs": cause.pairs,
                "moved": cause.moved,
                "typical change": cause.typical,
            }
            for cause in self.causes
        ]

    def figure(self, axes: Axes) -> bool:
        """Draw how often each kind of change moved the metric."""
        from arangopipe.analysis.pictures import bars

        known = [cause for cause in self.causes if cause.pairs]
        rows = [(f"{cause.section}: {cause.name}", 100 * cause.moved / cause.pairs) for cause in known]
        bars(axes, rows, f"% of such changes that moved {self.metric}")
        return bool(rows)


def explain(first: Facts, second: Facts, material: Material, said: Sequence[str]) -> Explanation:
    """Return what differs between two runs, by what such changes did among the runs of their task."""
    metric = material.measured.metric
    before, after = (_finite(facts.run.metrics.get(metric)) for facts in (first, second))
    found = [d for d in differences([first.values, second.values]) if d.section != "metrics"]
    notes = [*said, *material.measured.notes]
    if len(material) > HISTORY:
        latest = np.argsort(material.measured.runs.starts)[-HISTORY:].astype(np.int64)
        notes.append(f"Changes were looked for in the latest {HISTORY:,} of {len(material):,} runs.")
        material = material.taken(latest)
    past = _Past(material, [(d.section, d.name) for d in found])
    if past.noise is None:
        notes.append("No run was repeated, so the noise is not known: any change counts as moved.")
    causes = [_cause(difference, past) for difference in _merged(found)]
    causes.sort(key=_rank)
    return Explanation(
        first=first.run.node.label,
        second=second.run.node.label,
        metric=metric,
        task=material.measured.task,
        before=before,
        after=after,
        noise=past.noise,
        causes=tuple(causes),
        notes=tuple(notes),
    )


def _rank(cause: Cause) -> tuple[Any, ...]:
    """Return what causes are sorted by: evidence first, then what is likeliest by its kind."""
    likely = _LIKELY.index(cause.section)
    return not cause.pairs, -cause.score if cause.pairs else 0.0, -(cause.typical or 0.0), likely, cause.name


def _finite(value: Any) -> float | None:
    known = isinstance(value, (int, float)) and not isinstance(value, bool) and np.isfinite(value)
    return float(value) if known else None


def _merged(found: Sequence[Difference]) -> list[Difference]:
    """Return differences, without those that only spell out another one.

    Columns of data that was exchanged are named beside it; params of one technique only are part of it.
    """
    roles = {d.name for d in found if d.section == "data" and " " not in d.name}
    exchanged = any((d.section, d.name) == TECHNIQUE for d in found)
    merged = []
    for difference in found:
        role = difference.name.rpartition(" of ")[2].removesuffix(" data")
        if difference.section == "data" and difference.name in roles:
            changed = [d.name for d in found if d.name.endswith(f" of {difference.name} data")]
            names = [name.removesuffix(f" of {difference.name} data") for name in changed]
            more = f" ({listed(names)})" if names else ""
            merged.append(replace(difference, name=f"{difference.name}{more}"))
        elif difference.section == "params" and exchanged and None in difference.values:
            continue
        elif difference.section != "data" or role not in roles:
            merged.append(difference)
    return merged


def _cause(difference: Difference, past: _Past) -> Cause:
    sizes, moved = past.changes((difference.section, difference.name.partition(" (")[0]))
    return Cause(
        difference.section,
        difference.name,
        before=difference.values[0],
        after=difference.values[1],
        pairs=len(sizes),
        moved=int(moved.sum()),
        typical=float(np.median(sizes)) if len(sizes) else None,
    )


class _Past:
    """The runs of a task as columns of codes, one for each thing that may differ, and what changes did."""

    def __init__(self, material: Material, differing: Sequence[Fact]) -> None:
        self._values = material.measured.values
        params, self._partial = _param_columns(material)
        self._columns = {**dict(_columns(material, differing)), **params}
        configurations = [codes for name, codes in self._columns.items() if name != SEED]
        self.noise = _repeats(self._values, combined(*configurations)) if len(material) else None

    def changes(self, fact: Fact) -> tuple[Floats, Bools]:
        """Return the changes of the metric between runs that differ in one fact, and which moved it.

        Seeds may differ: repeats are averaged. A change counts as moved beyond twice the noise of repeats.
        """
        if fact not in self._columns or not len(self._values):
            return np.empty(0), np.empty(0, bool)
        others = {name: codes for name, codes in self._columns.items() if name not in (fact, SEED)}
        if fact == TECHNIQUE:
            # What only some techniques have is a part of them.
            others = {name: codes for name, codes in others.items() if name not in self._partial}
        found = self._steps(self._columns[fact], combined(*others.values()))
        if len(found[0]):
            return found
        # Code and environment seldom stand still; where they never do, they are left aside.
        core = [codes for name, codes in others.items() if name[0] not in ("code", "environment")]
        return self._steps(self._columns[fact], combined(*core))

    def _steps(self, own: Ints, contexts: Ints) -> tuple[Floats, Bools]:
        """Return the differences between neighbouring values of a column within each context."""
        cells = combined(contexts, own)
        count = int(cells.max()) + 1
        means, runs = group_means(self._values, cells, count), np.bincount(cells, minlength=count)
        first = np.unique(cells, return_index=True)[1]
        same = contexts[first][1:] == contexts[first][:-1]
        sizes = np.abs(np.diff(means))[same]
        noise = (self.noise or 0.0) * np.sqrt(1 / runs[1:] + 1 / runs[:-1])[same]
        return sizes, sizes > _NOISE * noise


def _repeats(values: Floats, cells: Ints) -> float | None:
    count = int(cells.max()) + 1
    freedom = len(values) - count
    if freedom < 1:
        return None
    residuals = values - group_means(values, cells, count)[cells]
    return float(np.sqrt((residuals**2).sum() / freedom))


def _columns(material: Material, differing: Sequence[Fact]) -> Iterator[tuple[Fact, Ints]]:
    """Yield a column for each thing that may differ between runs, under the name that facts have."""
    runs = material.measured.runs
    same = material.circumstances()
    yield TECHNIQUE, same["technique"]
    for role in ("training", "validation", "test"):
        yield ("data", role), same[f"{role} data"]
    yield ("data", "source"), same["source data"]
    names = {name for content in material.used for name in content.names}
    for name in sorted(names):
        dtypes = [dict(content.columns).get(name) for content in material.contents]
        yield ("features", f"column {name}"), coded(dtypes)[0][material.sets]
    steps = {step for content in material.used for step in content.transformations}
    for step in sorted(steps):
        applied = [step in content.transformations for content in material.contents]
        yield ("features", f"transformation {step}"), coded(applied)[0][material.sets]
    nested = [fact for fact in differing if fact[0] in ("code", "environment")]
    if nested:
        yield from _nested_columns(runs.documents("run"), nested)


def _param_columns(material: Material) -> tuple[dict[Fact, Ints], set[Fact]]:
    """Return a column of codes for each param and the seed, and the params that only some runs have."""
    seeds, _ = material.seeds_and_params()
    rows = [dict(flat(params)) for params in material.params()]
    found: dict[Fact, Ints] = {SEED: seeds}
    partial = set()
    for name in dict.fromkeys(name for row in rows for name in row if name not in SEEDS):
        cells = [documents.dump({"": row.get(name)}) for row in rows]
        found["params", name] = coded(cells)[0]
        if any(name not in row for row in rows):
            partial.add(("params", name))
    return found, partial


def _nested_columns(found: Iterator[Mapping[str, Any]], facts: Sequence[Fact]) -> Iterator[tuple[Fact, Ints]]:
    """Yield what stands in code and environment of each run at the facts that differ."""
    cells: dict[Fact, list[str]] = {fact: [] for fact in facts}
    for document in found:
        for fact, column in cells.items():
            column.append(documents.dump({"": _at(document.get(fact[0]), fact[1])}))
    for fact, column in cells.items():
        yield fact, coded(column)[0]


def _at(document: Any, name: str) -> Any:
    """Return what stands at a dotted name; packages are named without the word."""
    packages = document.get("packages") if isinstance(document, dict) else None
    if isinstance(packages, dict) and name in packages:
        return packages[name]
    for part in name.split("."):
        document = document.get(part) if isinstance(document, dict) else None
    return document
