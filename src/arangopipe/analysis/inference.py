"""The few tests and intervals that all questions share, each with its source."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from arangopipe.analysis.codes import Floats

LEVEL = 0.05
"""The level of every test, one-sided for gains and for losses."""

CONFIDENCE = 0.95
LEAST_CLUSTERS = 5
"""With fewer, not even complete agreement reaches the level: 1/2 to the power of 4 is over 5 %."""


def sign_test(successes: int, trials: int) -> float:
    """Return the chance of so many successes or more among trials that succeed half the time.

    The exact one-sided sign test (Arbuthnott 1710; Dixon and Mood, JASA 41, 1946). A difference of zero is
    counted as a trial without success, so the test stays valid, and conservative, whatever the ties.
    """
    return float(stats.binom.sf(successes - 1, trials, 0.5)) if trials else 1.0


def t_interval(values: Floats, confidence: float = CONFIDENCE) -> tuple[float, float] | None:
    """Return Student's interval for the mean of independent values; None for fewer than two.

    Of cluster means it covers at least as stated even if their variances differ, if each is
    near normal (Bakirov and Székely 2005; Ibragimov and Müller, J. Bus. Econ. Stat. 28, 2010).
    """
    if len(values) < 2:
        return None
    margin = stats.t.ppf((1 + confidence) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - margin), float(values.mean() + margin)


def mean_is_positive(values: Floats) -> float:
    """Return the one-sided p-value of Student's t test that the mean is above 0.

    Of values that are all equal, or of one alone, the sign decides.
    """
    if len(values) < 2 or np.ptp(values) == 0:
        return 0.0 if values[0] > 0 else 1.0
    return float(stats.ttest_1samp(values, 0.0, alternative="greater").pvalue)


def groups_differ(groups: Sequence[Floats]) -> float:
    """Return the p-value of one-way analysis of variance that groups have one mean (Fisher 1925).

    1 where no group has repeats, from which the noise is known; 0 where repeats never vary and groups do.
    """
    repeated = sum(len(group) > 1 for group in groups)
    if len(groups) < 2 or not repeated:
        return 1.0
    means = [group.mean() for group in groups]
    if all(np.ptp(group) == 0 for group in groups):
        return 0.0 if np.ptp(means) > 0 else 1.0
    return float(stats.f_oneway(*groups).pvalue)


def adjusted(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for being many, in the same order.

    Among those at or below a level, the expected share of false ones is at most that level (Benjamini and
    Hochberg, J. R. Stat. Soc. B 57, 1995), also where the tests depend positively on each other, as
    comparisons with the same base runs do (Benjamini and Yekutieli, Ann. Stat. 29, 2001).
    """
    return stats.false_discovery_control(p_values).tolist() if len(p_values) else []
