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
    known: dict[Hashable, int] = {}
    codes = np.fromiter((known.setdefault(item, len(known)) for item in items), np.int64)
    return codes, list(known)


def combined(*columns: Ints) -> Ints:
    """Return one code per row that is equal where all columns are, dense from 0."""
    found = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        if len(column):
            found = found * (int(column.max()) + 1) + column
            found = np.unique(found, return_inverse=True)[1].astype(np.int64)
    return found


def sets(rows: Ints, ends: Ints, length: int) -> tuple[Ints, list[tuple[int, ...]]]:
    """Return, for each of `length` rows, a code of the set of ends it is linked to, and the sets.

    Each pair of row and end comes once. Code 0 is the empty set. Most rows have one end, which numpy deals
    with alone.
    """
    counts = np.bincount(rows, minlength=length)
    if counts.max(initial=0) > 1:
        order = np.lexsort((ends, rows))
        rows, ends = rows[order], ends[order]
    codes = np.zeros(length, np.int64)
    single = counts[rows] == 1
    values, inverse = np.unique(ends[single], return_inverse=True)
    codes[rows[single]] = inverse + 1
    known: dict[tuple[int, ...], int] = {(): 0}
    known.update({(int(value),): place for place, value in enumerate(values, 1)})
    several = np.flatnonzero(~single)
    borders = np.flatnonzero(np.diff(rows[several])) + 1
    for part in np.split(several, borders) if len(several) else ():
        members = tuple(ends[part].tolist())
        codes[rows[part[0]]] = known.setdefault(members, len(known))
    return codes, list(known)


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
