"""How many datasets were used for a task, and which, period by period."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from arangopipe.analysis.answers import Answer, listed, several
from arangopipe.analysis.codes import Ints, grouped
from arangopipe.analysis.runs import Runs
from arangopipe.errors import InvalidInput
from arangopipe.model.vocabulary import ROLES, near

if TYPE_CHECKING:
    from matplotlib.axes import Axes

UNITS = {"day": "D", "week": "W", "month": "M", "quarter": "M", "year": "Y"}
UNKNOWN = "(start unknown)"


@dataclass(frozen=True)
class Period:
    """The datasets that runs used which started in a period (UTC), and how many in each role."""

    period: str
    runs: int
    datasets: tuple[str, ...]
    training: int
    validation: int
    test: int


@dataclass(frozen=True)
class DatasetsUsed(Answer):
    """The datasets (each version counts as one) that were used, in all and per period."""

    task: str
    per: str
    datasets: tuple[str, ...]
    periods: tuple[Period, ...]
    where: str = ""

    @property
    def sentence(self) -> str:
        """How many datasets were used, and over how long."""
        about = f"for {self.task}" if self.task else "in all tasks"
        used = f"{several(len(self.datasets), 'dataset was', 'datasets were')} used {about}{self.where}"
        named = f" ({listed(list(self.datasets))})" if self.datasets else ""
        known = [period.period for period in self.periods if period.period != UNKNOWN]
        span = (
            f", from {known[0]} to {known[-1]}" if len(known) > 1 else f", all in {known[0]}" if known else ""
        )
        return f"{used}{named}{span}."

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each period."""
        return [
            {
                "period": period.period,
                "datasets": len(period.datasets),
                "runs": period.runs,
                **{role: getattr(period, role) for role in ROLES},
                "which": list(period.datasets),
            }
            for period in self.periods
        ]

    def figure(self, axes: Axes) -> bool:
        """Draw the number of datasets of each period."""
        from arangopipe.analysis.pictures import bars

        bars(axes, [(period.period, len(period.datasets)) for period in self.periods], "datasets")
        return bool(self.periods)


def datasets_used(runs: Runs, task: str, per: str) -> DatasetsUsed:
    """Return the datasets of runs by the period in which these started."""
    if per not in UNITS:
        raise InvalidInput(f"per is one of {listed(list(UNITS))}, not {per!r}{near(str(per), UNITS)}")
    codes, names = _periods(runs.starts, per)
    periods = [
        _period(name, runs, rows) for name, rows in zip(names, grouped(codes, len(names)), strict=True)
    ]
    periods.sort(key=lambda period: (period.period == UNKNOWN, period.period))
    known = sorted({name for period in periods for name in period.datasets})
    return DatasetsUsed(
        task=task, per=per, datasets=tuple(known), periods=tuple(periods), where=runs.scope.words
    )


def _periods(starts: NDArray[np.datetime64], per: str) -> tuple[Ints, list[str]]:
    """Return a code of the period of each start, and the names of the periods."""
    began = starts.astype(f"datetime64[{UNITS[per]}]")
    if per == "week":
        # numpy's weeks start on Thursdays, as 1970 did.
        days = starts.astype("datetime64[D]")
        began = days - (days.astype(np.int64) + 3) % 7
    elif per == "quarter":
        began = began - began.astype(np.int64) % 3
    distinct, codes = np.unique(began, return_inverse=True)
    return codes.astype(np.int64), [_name(text, per) for text in distinct.astype(str).tolist()]


def _name(text: str, per: str) -> str:
    if text == "NaT":
        return UNKNOWN
    return f"{text[:4]}-Q{int(text[5:7]) // 3 + 1}" if per == "quarter" else text


def _period(name: str, runs: Runs, rows: Ints) -> Period:
    used = {
        role: {
            member
            for code in np.unique(runs.links[role].codes[rows])
            for member in runs.links[role].members[code]
        }
        for role in ROLES
    }
    every = tuple(sorted(runs.label(id) for id in set().union(*used.values())))
    return Period(name, len(rows), every, *(len(used[role]) for role in ROLES))
