"""The verdict on matched differences: consistent gain, consistent loss, mixed, or no evidence.

*Unit of evidence.* Repeats of one technique on one dataset are not independent: they form a cluster, and each
cluster counts once, by its mean. All versions of a dataset are one dataset.

*Consistent.* Gain and loss are each tested at 5 %, one-sided, over clusters, with the exact sign test.
It asks what *consistent* means, whether clusters agree in direction, and unlike a permutation test of
the mean it needs neither symmetric nor equally wide differences, so one technique with a huge gain cannot
carry it. A cluster without any difference counts against both. Where nothing has an effect and clusters
are independent, a gain is found in at most 5 % of cases, whatever it is that repeats share.
By chance alone all others may side with the only technique that gains. So a gain, which people act on, must
also stand without the technique, and without the dataset, that gains most: the mean of the clusters
left must show it too (Student's t, one-sided, 5 %). That makes the test stricter, never laxer.

*Mixed.* Neither, and clusters differ by more than their own repeats explain (one-way analysis of
variance, 5 %).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arangopipe.analysis.answers import several
from arangopipe.analysis.codes import Floats, Ints, group_means, grouped
from arangopipe.analysis.inference import (
    LEAST_CLUSTERS,
    LEVEL,
    groups_differ,
    mean_is_positive,
    sign_test,
    t_interval,
)


@dataclass(frozen=True)
class Verdict:
    """What matched differences say: the words, and the figures over clusters."""

    text: str
    clusters: int
    estimate: float
    interval: tuple[float, float] | None
    p_value: float
    p_gain: float


def judged(differences: Floats, lower: bool, families: Ints, clusters: Ints, datasets: Ints) -> Verdict:
    """Return the verdict on pairs: their differences, and codes (dense from 0) of what each belongs to."""
    count = int(clusters.max()) + 1
    means = group_means(differences, clusters, count)
    gains = -means if lower else means
    gain, loss = sign_test(int((gains > 0).sum()), count), sign_test(int((gains < 0).sum()), count)
    figures = (count, float(means.mean()), t_interval(means), min(gain, loss), gain)
    if count < LEAST_CLUSTERS:
        return Verdict(f"no evidence ({several(count, 'cluster')}, {LEAST_CLUSTERS} needed)", *figures)
    where = " on this dataset" if not datasets.any() else ""
    first = np.unique(clusters, return_index=True)[1]
    stands = all(_stands(gains, codes[first]) for codes in (families, datasets))
    if gain <= LEVEL and stands:
        return Verdict(f"consistent gain{where}", *figures)
    if loss <= LEVEL:
        return Verdict(f"consistent loss{where}", *figures)
    parts = [differences[rows] for rows in grouped(clusters, count)]
    return Verdict("mixed" if groups_differ(parts) <= LEVEL else "no evidence", *figures)


def _stands(gains: Floats, groups: Ints) -> bool:
    """Whether clusters show a gain also without the group of them that gains most."""
    count = int(groups.max()) + 1
    if count < 2:
        return True
    rest = gains[groups != int(np.argmax(group_means(gains, groups, count)))]
    return mean_is_positive(rest) <= LEVEL
