"""Did adding it give consistent gains? Matched pairs, found in the store, and an honest verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from arangopipe.analysis.answers import Answer, frame, listed, several, signed
from arangopipe.analysis.codes import Floats, coded
from arangopipe.analysis.factors import Contrast, Factor
from arangopipe.analysis.inference import CONFIDENCE
from arangopipe.analysis.matching import Pairs, pair_up
from arangopipe.analysis.material import Material
from arangopipe.analysis.obstacles import narrowed, obstacles, with_params
from arangopipe.analysis.verdicts import judged
from arangopipe.model.directions import Better

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes


class Pair(NamedTuple):
    """One matched pair: means of the runs with and without, the first run of each, and how many there are."""

    technique: str
    dataset: str
    with_it: float
    without_it: float
    difference: float
    run_with: str
    run_without: str
    runs_with: int
    runs_without: int


@dataclass(frozen=True)
class Part:
    """The pairs of one technique: how many, how many of them are better and worse, and their differences."""

    pairs: int
    better: int
    worse: int
    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Effect(Answer):
    """What adding something did to a metric; differences are with minus without, in its units.

    `estimate` is the mean over `clusters` (a technique on a dataset, each counting once), `interval` its 95 %
    interval, `p_value` that of the exact one-sided sign test in the direction most clusters point to.
    `verdict` starts with *consistent gain*, *consistent loss*, *mixed*, *no evidence* or *not comparable*.
    `per_technique` sums up the pairs of each technique (of each opponent where a technique was asked about),
    that with the largest gain first.
    """

    kind: str
    what: str
    metric: str
    better: Better
    task: str
    verdict: str
    pairs: int = 0
    clusters: int = 0
    estimate: float | None = None
    interval: tuple[float, float] | None = None
    p_value: float | None = None
    per_technique: Mapping[str, Part] = field(default_factory=dict)
    datasets: tuple[str, ...] = ()
    versus: tuple[str, ...] = ()
    p_gain: float = field(default=1.0, repr=False)
    matched: tuple[Pair, ...] = field(default=(), repr=False)

    @property
    def sentence(self) -> str:
        """The verdict with its figures, for people."""
        name = f"{'using' if self.kind == 'technique' else 'adding'} {self.what}"
        if self.estimate is None:
            return f"{name[0].upper()}{name[1:]}: {self.verdict}."
        change = f"changes {self.metric} by {signed(self.estimate)}"
        if self.interval is not None:
            low, high = map(signed, self.interval)
            change += f" ({CONFIDENCE:.0%} interval {low} to {high})".replace("%", " %")
        return f"{self.verdict[0].upper()}{self.verdict[1:]}: {name} {change}; {self._agreement()}."

    def _agreement(self) -> str:
        helped = [name for name, part in self.per_technique.items() if self._is_gain(part.estimate)]
        better = sum(part.better for part in self.per_technique.values())
        groups = "opponent" if self.kind == "technique" else "technique"
        if 0 < len(helped) < len(self.per_technique) and len(helped) <= 3:
            said = f"better only {'against' if self.kind == 'technique' else 'with'} {listed(helped)}"
        else:
            said = f"better in {len(helped)} of {several(len(self.per_technique), groups)}"
        return f"{said}, in {better:,} of {several(self.pairs, 'matched pair')}, on {self._places()}"

    def _places(self) -> str:
        if not self.datasets:
            return "data that was not recorded"
        known = listed(list(self.datasets), 3)
        many = "one dataset" if len(self.datasets) == 1 else f"{len(self.datasets)} datasets"
        return f"{many} ({known})"

    def _is_gain(self, difference: float) -> bool:
        return difference < 0 if self.better == "lower" else difference > 0

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each technique."""
        first = "against" if self.kind == "technique" else "technique"
        return [
            {
                first: name,
                "pairs": part.pairs,
                "better": part.better,
                "worse": part.worse,
                "difference": part.estimate,
                "from": part.low,
                "to": part.high,
            }
            for name, part in self.per_technique.items()
        ]

    def to_frame(self) -> pandas.DataFrame:
        """Return a row for each matched pair."""
        return frame(list(self.matched), list(Pair._fields))

    def figure(self, axes: Axes) -> bool:
        """Draw the difference of each pair by technique, and the mean with its interval."""
        from arangopipe.analysis.pictures import strips

        if self.estimate is None:
            return False
        groups: dict[str, list[float]] = {name: [] for name in self.per_technique}
        for pair in self.matched:
            groups[pair.technique].append(pair.difference)
        label = f"{self.metric}: difference with {self.what} ({self.better} is better)"
        strips(axes, list(groups.items()), ("all", self.estimate, self.interval), label)
        return True


@dataclass(frozen=True)
class Matched:
    """The pairs of all contrasts, side by side."""

    differences: Floats
    families: list[str]
    units: list[tuple[Any, ...]]
    datasets: list[str]
    pairs: tuple[Pair, ...]


def effect(factor: Factor, material: Material, better: Better) -> Effect:
    """Return the effect of a factor on what was measured."""
    measured = material.measured
    contrasts = list(factor.contrasts(material))
    found = [pairs for contrast in contrasts if (pairs := _matched(contrast)) is not None]
    asked = Effect(
        kind=factor.kind,
        what=factor.label,
        metric=measured.metric,
        better=better,
        task=measured.task,
        verdict="",
        versus=tuple(dict.fromkeys(name for each in contrasts for name in each.without)),
        notes=measured.notes,
    )
    if not found:
        return replace(asked, verdict=f"not comparable ({obstacles(factor, contrasts)})")
    matched = _joined(found)
    families, names = coded(matched.families)
    clusters, _ = coded(matched.units)
    datasets, places = coded(matched.datasets)
    verdict = judged(matched.differences, better == "lower", families, clusters, datasets)
    parts = [(name, _part(matched.differences[families == code], better)) for code, name in enumerate(names)]
    parts.sort(key=lambda part: (part[1].estimate if better == "lower" else -part[1].estimate, part[0]))
    return replace(
        asked,
        verdict=verdict.text,
        pairs=len(matched.pairs),
        clusters=verdict.clusters,
        estimate=verdict.estimate,
        interval=verdict.interval,
        p_value=verdict.p_value,
        per_technique=dict(parts),
        datasets=tuple(sorted(place for place in places if place)),
        p_gain=verdict.p_gain,
        matched=matched.pairs,
    )


def _part(differences: Floats, better: Better) -> Part:
    less, more = int((differences < 0).sum()), int((differences > 0).sum())
    return Part(
        len(differences),
        *((less, more) if better == "lower" else (more, less)),
        float(differences.mean()),
        float(differences.min()),
        float(differences.max()),
    )


def _matched(contrast: Contrast) -> Matched | None:
    """Return the pairs of one contrast, None where there is none."""
    narrow = narrowed(contrast)
    if not len(narrow.arm):
        return None
    measured = narrow.material.measured
    found = pair_up(narrow.arm, measured.values, with_params(narrow))
    if not len(found):
        return None
    rows = found.with_rows.tolist()
    families = [narrow.families[row] for row in found.without_rows.tolist()]
    datasets = [narrow.material.datasets[row] for row in rows]
    units = [(int(narrow.units[row]), dataset) for row, dataset in zip(rows, datasets, strict=True)]
    pairs = tuple(_pairs(found, families, datasets, measured.runs.ids))
    return Matched(found.differences, families, units, datasets, pairs)


def _pairs(found: Pairs, families: Sequence[str], datasets: Sequence[str], ids: Any) -> Iterator[Pair]:
    columns = (
        found.with_means, found.without_means, found.differences,
        ids[found.with_rows], ids[found.without_rows], found.with_runs, found.without_runs,
    )  # fmt: skip
    return map(Pair, families, datasets, *(column.tolist() for column in columns))


def _joined(parts: Sequence[Matched]) -> Matched:
    return Matched(
        np.concatenate([part.differences for part in parts]),
        [family for part in parts for family in part.families],
        [unit for part in parts for unit in part.units],
        [dataset for part in parts for dataset in part.datasets],
        tuple(pair for part in parts for pair in part.pairs),
    )
