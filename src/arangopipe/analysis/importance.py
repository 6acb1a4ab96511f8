"""Which hyper-parameters mattered for a metric."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from arangopipe.analysis.answers import Answer, listed, several
from arangopipe.analysis.codes import Floats, Ints
from arangopipe.analysis.facts import flat
from arangopipe.analysis.material import SEEDS, Material
from arangopipe.errors import InvalidInput, MissingExtra

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEAST_RUNS = 10
MOST_RUNS = 5_000
MOST_PARAMS = 200
_TREES, _FOLDS, _REPEATS = 60, 3, 5
LEAST_LOSS = 0.01
"""What a param that matters must lose of the variance, in each fold."""


@dataclass(frozen=True)
class Weight:
    """One param: how much of the explained variance is lost without it, and how that varies."""

    name: str
    importance: float
    deviation: float
    matters: bool
    values: int
    lowest: Any
    highest: Any


@dataclass(frozen=True)
class Importance(Answer):
    """The params by importance. `explained` is the share of variance (R²) that the model explains of unseen
    runs.

    Where `explained` is not above 0, nothing can be said of any param. `context` holds the importance of what
    is no param: technique, data and features.
    """

    task: str
    metric: str
    runs: int
    explained: float
    items: tuple[Weight, ...]

    @property
    def sentence(self) -> str:
        """Which params matter, and how far the answer goes."""
        if self.explained <= 0:
            return (
                f"Nothing can be said: params, technique, data and features do not tell the {self.metric} "
                "of unseen runs."
            )
        sure = [item.name for item in self.items if item.matters]
        said = f"{listed(sure)} mattered" if sure else "no param mattered measurably"
        return (
            f"For {self.metric}, {said} ({several(self.runs, 'run')}; params, technique, data and features "
            f"together tell {100 * self.explained:.0f} % of its variance in unseen runs)."
        )

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each param."""
        return [asdict(item) for item in self.items]

    def figure(self, axes: Axes) -> bool:
        """Draw the importance of each param."""
        from arangopipe.analysis.pictures import bars

        bars(axes, [(item.name, item.importance) for item in self.items], "share of variance lost without it")
        return bool(self.items)


def importance(material: Material) -> Importance:
    """Return permutation importances of a random forest, on runs that it was not trained on.

    The forest predicts the metric from params, technique, data and features; a param's importance is what
    R² loses on held-out runs when the param is shuffled (Breiman, Mach. Learn. 45, 2001; Fisher, Rudin and
    Dominici, J. Mach. Learn. Res. 20, 2019; scikit-learn's RandomForestRegressor and
    permutation_importance). Limits: it speaks of the settings that were tried, as often as they were; of
    two params that always changed together either may take the credit; it shows association, not cause. At
    most 5,000 runs are used.
    """
    rows = _sample(len(material))
    if len(rows) < LEAST_RUNS:
        raise InvalidInput(
            f"importance needs {LEAST_RUNS} finished runs with {material.measured.metric}, "
            f"there are {len(rows)}"
        )
    taken = material.taken(rows)
    values = taken.measured.values
    if np.ptp(values) == 0:
        raise InvalidInput(
            f"{material.measured.metric} is {values[0]:g} in all {len(rows)} runs: nothing mattered"
        )
    techniques = taken.measured.runs.techniques[0]
    params = _params(taken, techniques)
    context = _context(taken)
    matrix = np.column_stack([_encoded(column) for column in (*params.values(), *context.values())])
    losses, explained = _losses(matrix, values, techniques)
    weights = [_weight(name, losses[at], column) for at, (name, column) in enumerate(params.items())]
    items = sorted(weights, key=lambda item: (-item.importance, item.name))
    notes = list(material.measured.notes)
    if len(rows) < len(material):
        notes.append(f"{len(rows):,} of {len(material):,} runs were used, evenly spread.")
    return Importance(
        task=material.measured.task,
        metric=material.measured.metric,
        runs=len(rows),
        explained=explained,
        items=tuple(items),
        notes=tuple(notes),
    )


def _sample(length: int) -> NDArray[np.int64]:
    return (
        np.unique(np.linspace(0, length - 1, min(length, MOST_RUNS)).astype(np.int64))
        if length
        else np.empty(0, np.int64)
    )


def _params(material: Material, techniques: Ints) -> dict[str, list[Any]]:
    """Return the params that vary within some technique, as columns; nested ones by dotted names."""
    columns: dict[str, list[Any]] = {}
    for row, params in enumerate(material.params()):
        for name, value in flat(params):
            columns.setdefault(name, [None] * len(material))[row] = value
    varying = {
        name: column
        for name, column in columns.items()
        if name not in (*SEEDS, *material.ignore) and _varies(column, techniques)
    }
    if not varying:
        raise InvalidInput(
            f"no param varies in these {several(len(material), 'run')}: none can have mattered"
        )
    if len(varying) > MOST_PARAMS:
        raise InvalidInput(
            f"{len(varying):,} params vary, {MOST_PARAMS} can be weighed: pass ignore= with names"
        )
    return varying


def _varies(column: list[Any], techniques: Ints) -> bool:
    return len(set(zip(techniques.tolist(), column, strict=True))) > len(np.unique(techniques))


def _context(material: Material) -> dict[str, list[Any]]:
    found = {name: codes.tolist() for name, codes in material.circumstances().items()}
    return {name: [str(code) for code in codes] for name, codes in found.items() if len(set(codes)) > 1}


def _encoded(column: list[Any]) -> Floats:
    """Return numbers as they are, with missing ones below all others; anything else as codes."""
    known = [value for value in column if value is not None]
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in known):
        numbers = np.array([np.nan if value is None else float(value) for value in column])
        low, high = np.nanmin(numbers), np.nanmax(numbers)
        return np.where(np.isnan(numbers), low - (high - low) - 1, numbers)
    ordered = {value: place for place, value in enumerate(sorted(set(map(str, column))))}
    return np.array([ordered[str(value)] for value in column], dtype=float)


def _losses(matrix: Floats, values: Floats, techniques: Ints) -> tuple[Floats, float]:
    """Return what R² on held-out runs loses, by column and by repetition, and that R².

    Params are shuffled within each technique: whether a run has a param at all tells its technique only.
    """
    try:
        from sklearn.ensemble import RandomForestRegressor
        from sklearn.inspection import permutation_importance
        from sklearn.model_selection import KFold
    except ImportError as error:
        raise MissingExtra("scikit-learn", "analysis") from error

    losses, scores = [], []
    for train, test in KFold(_FOLDS, shuffle=True, random_state=0).split(matrix):
        forest = RandomForestRegressor(_TREES, min_samples_leaf=2, random_state=0)
        forest.fit(matrix[train], values[train])
        scores.append(forest.score(matrix[test], values[test]))
        lost = np.zeros((matrix.shape[1], _REPEATS))
        for technique in np.unique(techniques[test]):
            part = test[techniques[test] == technique]
            found = permutation_importance(
                forest,
                matrix[part],
                values[part],
                scoring="neg_mean_squared_error",
                n_repeats=_REPEATS,
                random_state=0,
            )
            lost += found.importances * len(part)
        losses.append(lost / (len(test) * max(values[test].var(), np.finfo(float).tiny)))
    return np.concatenate(losses, axis=1), float(np.mean(scores))


def _weight(name: str, losses: Floats, column: list[Any]) -> Weight:
    mean, deviation = float(losses.mean()), float(losses.std(ddof=1))
    known = {value for value in column if value is not None}
    comparable = all(isinstance(value, (int, float)) for value in known)
    ends = (min(known), max(known)) if comparable and known else (None, None)
    matters = bool((losses.reshape(_FOLDS, _REPEATS).mean(axis=1) > LEAST_LOSS).all())
    return Weight(name, mean, deviation, matters, len(set(column)), *ends)
