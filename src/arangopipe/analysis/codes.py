"""Columns of things as columns of small integers, which numpy can sort and group."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]


def coded(items: Iterable[Hashable]) -> tuple[Ints, list[Any]]:
    """Return a code for each item, and what each code stands for, in the order of appearance."""
    rows = list(items)
    known = {item: code for code, item in enumerate(dict.fromkeys(rows))}
    return np.fromiter(map(known.__getitem__, rows), np.int64, len(rows)), list(known)


def combined(*columns: Ints) -> Ints:
    """Return one code per row that is equal where all columns are, dense from 0."""
    found = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        if len(column):
            found = found * (int(column.max()) + 1) + column
            found = np.unique(found, return_inverse=True)[1].astype(np.int64)
    return found


def group_means(values: Floats, groups: Ints, length: int) -> Floats:
    """Return the mean of the values of each group; nan for an empty one."""
    counts = np.bincount(groups, minlength=length)
    sums = np.bincount(groups, weights=values, minlength=length)
    with np.errstate(invalid="ignore"):
        found: Floats = sums / counts
    return found


def grouped(groups: Ints, length: int) -> list[Ints]:
    """Return the rows of each group."""
    if not length:
        return []
    order = np.argsort(groups, kind="stable")
    borders = np.cumsum(np.bincount(groups, minlength=length))[:-1]
    return [part.astype(np.int64) for part in np.split(order, borders)]


def labels(names: Sequence[Any], codes: Ints) -> list[Any]:
    """Return what each row's code stands for."""
    return [names[code] for code in codes.tolist()]
