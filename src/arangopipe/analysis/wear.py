"""How often each evaluation set was chosen by, and what the best of so many runs is really worth."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from arangopipe.analysis.answers import Answer, number, several
from arangopipe.analysis.codes import Floats, Ints, combined
from arangopipe.analysis.material import Material
from arangopipe.analysis.runs import Runs
from arangopipe.analysis.techniques import period
from arangopipe.analysis.winners import Estimate, Noise, honest, repeats_noise, share_noise
from arangopipe.model.directions import Better
from arangopipe.model.entities import Dataset

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHARES = {"accuracy", "acc", "error_rate", "zero_one_loss", "misclassification_rate"}
"""Metrics that are the share of rows judged right or wrong."""


@dataclass(frozen=True)
class Worn:
    """One evaluation set: the runs scored on it, what was tried in them, and its best run.

    `raw_best` is what the best run scored; `honest`, with its 95 % interval, what its configuration is worth
    once the luck of being chosen is taken off; None where `why_not` says why that cannot be told.
    `if_all_equal` is the mean of all runs: what the best is worth if they differ by luck alone. `records`
    says after how many scored runs, in the order they started, the best score so far became which.
    """

    dataset: str
    choices: int
    validation: int
    configurations: int
    first: datetime | None
    last: datetime | None
    raw_best: float | None = None
    honest: float | None = None
    low: float | None = None
    high: float | None = None
    if_all_equal: float | None = None
    noise: str = ""
    why_not: str = ""
    records: tuple[tuple[int, float], ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class TestSetWear(Answer):
    """The evaluation sets, the most worn first."""

    __test__ = False  # no test class, whatever its name

    task: str
    metric: str
    better: Better
    items: tuple[Worn, ...]

    @property
    def sentence(self) -> str:
        """How often the most worn set was used, and how much of its best score is luck."""
        if not self.items:
            return "No run names a dataset that it was tested on."
        first = self.items[0]
        used = f"{first.dataset} was used for {several(first.choices, 'choice')}"
        if first.raw_best is None:
            return f"{used}."
        raw = f"{used}: the best run scored {self.metric} {number(first.raw_best)}"
        if first.honest is None:
            return f"{raw}; how much of that is luck cannot be told ({first.why_not})."
        span = f"95 % interval {number(first.low)} to {number(first.high)}"
        return f"{raw}, of which an honest estimate leaves {number(first.honest)} ({span})."

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each evaluation set."""
        return [
            {name: value for name, value in asdict(item).items() if name != "records"} for item in self.items
        ]

    def figure(self, axes: Axes) -> bool:
        """Draw how many choices were made on each."""
        from arangopipe.analysis.pictures import bars

        bars(axes, [(item.dataset, item.choices) for item in self.items], "choices")
        return bool(self.items)


def wear(runs: Runs, material: Material, better: Better, dataset: str | None) -> TestSetWear:
    """Return the wear of each evaluation set, or of one (its id)."""
    if dataset is None:
        material = replace(material, keys=material.seeds_and_params())
    tested = runs.links["test"]
    sets = sorted({id for code in np.unique(tested.codes) for id in tested.members[code]})
    items = [_worn(id, runs, material, better) for id in sets if dataset in (None, id)]
    items.sort(key=lambda item: (-item.choices, item.dataset))
    measured = material.measured
    return TestSetWear(
        task=measured.task, metric=measured.metric, better=better, items=tuple(items), notes=measured.notes
    )


def _scored(runs: Runs, role: str, dataset: str) -> Ints:
    linked = runs.links[role]
    having = np.array([dataset in members for members in linked.members])
    return np.flatnonzero(having[linked.codes]).astype(np.int64)


def _worn(dataset: str, runs: Runs, material: Material, better: Better) -> Worn:
    rows = _scored(runs, "test", dataset)
    mine = material.taken(_scored(material.measured.runs, "test", dataset))
    values = mine.measured.values
    about = Worn(
        runs.label(dataset),
        len(rows),
        len(_scored(runs, "validation", dataset)),
        0,
        *period(runs, rows),
    )
    if not len(values):
        return about
    about = replace(about, records=_records(mine.measured.runs, values, better))
    configurations = combined(*mine.circumstances().values(), mine.seeds_and_params()[1])
    raw = float(values.min() if better == "lower" else values.max())
    noise = _noise(mine, configurations, dataset)
    found = honest(values, configurations, better == "lower", noise) if isinstance(noise, Noise) else None
    return _with_best(about, int(configurations.max()) + 1, raw, float(values.mean()), noise, found)


def _records(runs: Runs, values: Floats, better: Better) -> tuple[tuple[int, float], ...]:
    """Return each best score so far, and after how many runs it came; runs of unknown start come last."""
    in_time = values[np.argsort(runs.starts, kind="stable")]
    best = np.minimum.accumulate(in_time) if better == "lower" else np.maximum.accumulate(in_time)
    places = np.flatnonzero(np.concatenate([[True], best[1:] != best[:-1]]))
    return tuple(zip((places + 1).tolist(), best[places].tolist(), strict=True))


def _with_best(
    about: Worn, configurations: int, raw: float, mean: float, noise: Noise | str, found: Estimate | None
) -> Worn:
    about = replace(about, configurations=configurations, raw_best=raw, if_all_equal=mean)
    if found is None or isinstance(noise, str):
        return replace(about, why_not=str(noise))
    return replace(about, honest=found.value, low=found.low, high=found.high, noise=noise.source)


def _noise(material: Material, configurations: Ints, dataset: str) -> Noise | str:
    """Return how noisy a run is: from repeats, else from the number of rows; or why that cannot be told."""
    measured = material.measured
    if len(measured.values) < 2:
        return "there is one run only"
    rows = (Dataset(measured.runs.nodes[dataset]).summary or {}).get("rows")
    name = measured.metric.lower().rpartition(".")[2]
    by_rows, values = 0.0, measured.values
    if name in SHARES and isinstance(rows, int) and rows > 0 and values.min() >= 0 and values.max() <= 1:
        by_rows = share_noise(float(np.median(values)), rows)
    repeats = repeats_noise(measured.values, configurations)
    if repeats is not None:
        return Noise(repeats.variance, repeats.freedom, repeats.source, by_rows)
    if by_rows:
        return Noise(by_rows, np.inf, "the number of rows", by_rows)
    return "no configuration was repeated with another seed, so that luck cannot be told from merit"
