"""Which attributes and transformations helped: the effect of each, ranked and corrected for being many."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from arangopipe.analysis.answers import Answer, cell, listed, several, signed
from arangopipe.analysis.effect import Effect, effect
from arangopipe.analysis.factors import Attribute, Factor, Transformation
from arangopipe.analysis.inference import LEVEL, adjusted
from arangopipe.analysis.material import Material
from arangopipe.model.directions import Better

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Feature:
    """One attribute or transformation; `p_value` is that of a gain, `adjusted` corrected for their number."""

    name: str
    kind: str
    helped: bool
    estimate: float
    interval: tuple[float, float] | None
    p_value: float
    adjusted: float
    verdict: str
    pairs: int
    clusters: int


@dataclass(frozen=True)
class UsefulFeatures(Answer):
    """What could be compared, ranked: the surest gains first, among equally sure ones the largest."""

    task: str
    metric: str
    better: Better
    items: tuple[Feature, ...]
    not_comparable: tuple[str, ...] = ()

    @property
    def helped(self) -> tuple[str, ...]:
        """The names of what gave consistent gains also after the correction."""
        return tuple(item.name for item in self.items if item.helped)

    @property
    def sentence(self) -> str:
        """What helped, of how many."""
        if not self.items:
            return "Nothing could be compared: no attribute or transformation has a matched pair."
        among = f"{several(len(self.items), 'thing')} that could be compared"
        if not self.helped:
            return f"None of {among} gave consistent gains in {self.metric}."
        first, helped = self.items[0], listed([cell(name) for name in self.helped])
        most = f"{cell(first.name)} the most ({signed(first.estimate)})"
        return f"{helped} gave consistent gains in {self.metric}, of {among}; {most}."

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each attribute and transformation."""
        return [
            {
                "name": item.name,
                "difference": item.estimate,
                "low": None if item.interval is None else item.interval[0],
                "high": None if item.interval is None else item.interval[1],
                "adjusted p": item.adjusted,
                "verdict": item.verdict,
                "kind": item.kind,
                "helped": item.helped,
                "p": item.p_value,
                "pairs": item.pairs,
                "clusters": item.clusters,
            }
            for item in self.items
        ]

    def figure(self, axes: Axes) -> bool:
        """Draw each estimate with its interval."""
        from arangopipe.analysis.pictures import ranges

        rows = [
            (cell(item.name), *(item.interval or (item.estimate, item.estimate)), item.estimate)
            for item in self.items
        ]
        ranges(
            axes,
            [(name, low, middle, high) for name, low, high, middle in rows],
            f"{self.metric}: difference with it ({self.better} is better)",
        )
        return bool(rows)


def useful_features(material: Material, better: Better) -> UsefulFeatures:
    """Return the effect of every attribute and transformation that some runs have and others have not."""
    material = replace(material, keys=material.seeds_and_params())
    found = [effect(factor, material, better) for factor in _factors(material)]
    comparable = [each for each in found if each.estimate is not None]
    corrected = adjusted([each.p_gain for each in comparable])
    items = [_feature(each, p) for each, p in zip(comparable, corrected, strict=True)]
    sign = 1 if better == "lower" else -1
    items.sort(key=lambda item: (not item.helped, item.adjusted, sign * item.estimate, item.name))
    measured = material.measured
    missing = tuple(each.what for each in found if each.estimate is None)
    notes = [*measured.notes]
    if missing:
        notes.append(
            f"{several(len(missing), 'more has', 'more have')} no matched pair: {listed([*missing], 8)}."
        )
    return UsefulFeatures(
        task=measured.task,
        metric=measured.metric,
        better=better,
        items=tuple(items),
        not_comparable=missing,
        notes=tuple(notes),
    )


def _factors(material: Material) -> list[Factor]:
    """Return what some of the featuresets that were used have, and others have not."""
    used = [content for content in material.used if content.columns or content.transformations]
    factors: list[Factor] = []
    for make, parts in (
        (Attribute, [content.names for content in used]),
        (Transformation, [content.transformations for content in used]),
    ):
        every, common = frozenset().union(*parts), frozenset.intersection(*parts) if parts else frozenset()
        factors += [make(name) for name in sorted(every - common)]
    return factors


def _feature(found: Effect, corrected: float) -> Feature:
    return Feature(
        found.what,
        found.kind,
        found.verdict.startswith("consistent gain") and corrected <= LEVEL,
        found.estimate or 0.0,
        found.interval,
        found.p_gain,
        corrected,
        found.verdict,
        found.pairs,
        found.clusters,
    )
