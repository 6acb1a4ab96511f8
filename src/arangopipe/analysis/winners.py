"""An honest estimate for the best of many: what its choice owes to luck is taken off.

Runs of one configuration (equal in everything but the seed) are repeats. Configurations are taken as drawn
from one normal distribution, repeats as scattered around their configuration; the best run's configuration
is then estimated by its posterior mean, which is drawn towards the mean of all configurations the more, the
noisier one of them is. A posterior does not care how the configuration was chosen (Senn, Am. Stat. 62,
2008), so neither does its interval. Estimates and intervals are those of Morris, "Parametric empirical
Bayes inference: theory and applications", J. Am. Stat. Assoc. 78, 1983, with Student's quantile for the
estimated noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from arangopipe.analysis.codes import Floats, Ints, group_means
from arangopipe.analysis.inference import CONFIDENCE

LEAST = 4
"""Fewer configurations cannot tell how much configurations differ."""

_ROUNDS = 100


@dataclass(frozen=True)
class Noise:
    """The variance of one run around its configuration, with its degrees of freedom, and where it is from.

    `shared` is the variance of the luck that all runs on one evaluation set share, 0 where it is not known.
    """

    variance: float
    freedom: float
    source: str
    shared: float = 0.0


@dataclass(frozen=True)
class Estimate:
    """What the configuration of the best run is worth, and its 95 % interval."""

    value: float
    low: float
    high: float


def repeats_noise(values: Floats, configurations: Ints) -> Noise | None:
    """Return the noise that repeats show, None where there are none."""
    count = int(configurations.max()) + 1
    freedom = len(values) - count
    if freedom < 1:
        return None
    residuals = values - group_means(values, configurations, count)[configurations]
    return Noise(float((residuals**2).sum() / freedom), freedom, "repeats")


def share_noise(value: float, rows: int) -> float:
    """Return the variance of a share of `rows` that were judged independently (binomial)."""
    return value * (1 - value) / rows


def honest(values: Floats, configurations: Ints, lower: bool, noise: Noise) -> Estimate:
    """Return the estimate for the configuration of the best run."""
    best = int(np.argmin(values) if lower else np.argmax(values))
    count = int(configurations.max()) + 1
    means = group_means(values, configurations, count)
    variances = noise.variance / np.bincount(configurations, minlength=count)
    own = int(configurations[best])
    mean, variance = _posterior(means, variances, own)
    margin = stats.t.ppf((1 + CONFIDENCE) / 2, noise.freedom) * np.sqrt(variance + noise.shared)
    return Estimate(float(mean), float(mean - margin), float(mean + margin))


def _posterior(means: Floats, variances: Floats, own: int) -> tuple[float, float]:
    """Return Morris's estimate of one mean among k, and its variance."""
    k = len(means)
    if k < LEAST or not variances.any():
        return float(means[own]), float(variances[own])
    between, centre = _between(means, variances)
    shrink = (k - 3) / (k - 1) * variances[own] / (variances[own] + between)
    away = means[own] - centre
    uncertain = 2 / (k - 3) * shrink**2 * (variances.mean() + between) / (variances[own] + between) * away**2
    return float(means[own] - shrink * away), float(variances[own] * (1 - (k - 1) / k * shrink) + uncertain)


def _between(means: Floats, variances: Floats) -> tuple[float, float]:
    """Return the variance between configurations, and their weighted mean, by Morris's iteration."""
    k, between, centre = len(means), float(means.var()), float(means.mean())
    for _ in range(_ROUNDS):
        weights = 1 / (variances + between)
        centre = float((weights * means).sum() / weights.sum())
        excess = weights * (k / (k - 1) * (means - centre) ** 2 - variances)
        fresh = max(0.0, float(excess.sum() / weights.sum()))
        if abs(fresh - between) <= 1e-9 * (between + float(variances.mean())):
            break
        between = fresh
    return between, centre
