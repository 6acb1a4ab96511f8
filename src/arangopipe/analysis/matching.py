"""Matched pairs: runs that differ in one thing only, each used once.

All runs of one context (equal in everything that must be equal) make one pair: the mean of those with the
thing against the mean of those without. So a run that was logged ten times counts no more than one,
and no run enters two pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from arangopipe.analysis.codes import Bools, Floats, Ints, combined, group_means

ROUNDING = 1e-9
"""Differences below this share of the values are rounding: the values are equal."""


@dataclass(frozen=True)
class Pairs:
    """For each pair: the first run of either side (rows), how many there are, and their means."""

    with_rows: Ints
    without_rows: Ints
    with_runs: Ints
    without_runs: Ints
    with_means: Floats
    without_means: Floats

    def __len__(self) -> int:
        return len(self.with_rows)

    @property
    def differences(self) -> Floats:
        """With minus without; exactly 0 where the two are equal but for rounding."""
        found = self.with_means - self.without_means
        scale = np.maximum(np.abs(self.with_means), np.abs(self.without_means))
        found[np.abs(found) <= ROUNDING * scale] = 0.0
        return found


def pair_up(arm: Bools, values: Floats, circumstances: Mapping[str, Ints]) -> Pairs:
    """Return the pairs among runs with (`arm`) and without a thing, equal in all circumstances."""
    contexts = combined(*circumstances.values()) if circumstances else np.zeros(len(arm), np.int64)
    length = int(contexts.max()) + 1 if len(contexts) else 0
    sides = []
    for side in (arm, ~arm):
        rows = np.flatnonzero(side)
        first = np.full(length, -1, np.int64)
        first[contexts[rows][::-1]] = rows[::-1]
        counts = np.bincount(contexts[rows], minlength=length)
        sides.append((first, counts, group_means(values[rows], contexts[rows], length)))
    (first, counts, means), (others, other_counts, other_means) = sides
    both = (first >= 0) & (others >= 0)
    return Pairs(first[both], others[both], counts[both], other_counts[both], means[both], other_means[both])


def candidates(arm: Bools, circumstances: Mapping[str, Ints]) -> Bools:
    """Return which runs may find a partner among those equal in these circumstances."""
    contexts = combined(*circumstances.values())
    length = int(contexts.max()) + 1 if len(contexts) else 0
    has = [np.bincount(contexts[side], minlength=length) > 0 for side in (arm, ~arm)]
    found: Bools = (has[0] & has[1])[contexts]
    return found
