"""Whether two data frames differ: how well a classifier tells their rows apart."""

from __future__ import annotations

from abc import ABC
from typing import TYPE_CHECKING, Any

from arangopipe.errors import InvalidInput, MissingExtra

if TYPE_CHECKING:
    from pandas import DataFrame

_LABEL = "DS"
"""The column in which old detectors marked the frame a row is from; it is no feature."""


class DatasetShiftDetector(ABC):  # noqa: B024 — old code makes objects of it
    """What a detector of shift may do."""

    def detect_dataset_shift(self, dataframe1: DataFrame, dataframe2: DataFrame) -> float:
        """Return how far two data frames differ."""
        raise NotImplementedError(f"{type(self).__name__} detects no dataset shift")

    def detect_covariate_shift(self, dataframe1: DataFrame, dataframe2: DataFrame) -> float:
        """Return how far the features of two data frames differ."""
        raise NotImplementedError(f"{type(self).__name__} detects no covariate shift")


class RF_DatasetShiftDetector(DatasetShiftDetector):  # noqa: N801 — its old name
    """Tells frames apart with a random forest."""

    def detect_dataset_shift(self, dataframe1: DataFrame, dataframe2: DataFrame) -> float:
        """Return the accuracy, on a third held out, of telling which frame a row is from.

        With frames of one size it is about 0.5 where they do not differ, and near 1.0 where they do.
        Columns must be numeric. The frames are not changed. Needs scikit-learn (`MissingExtra`).
        """
        try:
            from sklearn.ensemble import RandomForestClassifier
            from sklearn.model_selection import train_test_split
        except ImportError as error:
            raise MissingExtra("scikit-learn", "analysis") from error
        rows, labels = _rows(dataframe1, dataframe2)
        train, test, train_labels, test_labels = train_test_split(
            rows, labels, test_size=1 / 3, random_state=42
        )
        forest = RandomForestClassifier(n_estimators=100, max_depth=3, random_state=0)
        return float(forest.fit(train, train_labels).score(test, test_labels))


def _rows(one: DataFrame, other: DataFrame) -> tuple[Any, Any]:
    """Return the rows of both frames, and 0 or 1 for the frame each is from."""
    import numpy as np

    columns = [name for name in one.columns if name != _LABEL]
    if set(columns) != {name for name in other.columns if name != _LABEL}:
        raise InvalidInput("the frames have different columns: give those they share")
    numeric = one[columns].select_dtypes(["number", "bool"]).columns
    if text := [str(name) for name in columns if name not in numeric]:
        raise InvalidInput(f"columns {', '.join(text)} are not numeric: encode them or leave them out")
    if min(len(one), len(other)) == 0:
        raise InvalidInput("a frame without rows cannot be compared")
    rows = np.concatenate([frame[columns].to_numpy(dtype=float) for frame in (one, other)])
    return rows, np.repeat([0, 1], [len(one), len(other)])
