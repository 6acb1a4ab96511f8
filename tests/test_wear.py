"""What the best of many is worth: the honest estimate keeps its word where the truth is known."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from scipy import stats

import arangopipe
from arangopipe.analysis.winners import Noise, honest, repeats_noise, share_noise
from arangopipe.pipe import ArangoPipe

TIMES = 5_000 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 1_000
SURE = 1e-4


def covers(count: int) -> bool:
    """Whether so many of the intervals held the truth that 95 % may be true."""
    return bool(stats.binom.cdf(count, TIMES, 0.95) > SURE)


@pytest.mark.parametrize("between", [0.0, 0.5, 3.0], ids=["all-equal", "alike", "different"])
@pytest.mark.parametrize(("configurations", "repeats"), [(6, 3), (30, 3), (30, 8)])
def test_with_repeats_the_interval_covers_as_stated(
    between: float, configurations: int, repeats: int
) -> None:
    rng = np.random.default_rng(1)
    codes = np.repeat(np.arange(configurations), repeats)
    covered, raw_bias, bias = 0, 0.0, 0.0
    for _ in range(TIMES):
        truth = rng.normal(50, between, configurations)
        values = truth[codes] + rng.normal(0, 1, len(codes))
        noise = repeats_noise(values, codes)
        assert noise is not None
        found = honest(values, codes, True, noise)
        best = truth[codes[np.argmin(values)]]
        covered += found.low <= best <= found.high
        raw_bias += (values.min() - best) / TIMES
        bias += (found.value - best) / TIMES
    assert covers(covered)
    assert raw_bias < -0.9, "the raw best flatters"
    assert abs(bias) < 0.25 * abs(raw_bias)


@pytest.mark.parametrize("spread", [0.0, 0.02])
def test_a_share_needs_no_repeats(spread: float) -> None:
    """k models, judged on the same number of rows each; equal ones as field tests have them, and others."""
    rng = np.random.default_rng(2)
    rows, k = 400, 40
    covered, raw_bias, bias = 0, 0.0, 0.0
    for _ in range(TIMES):
        truth = np.clip(rng.normal(0.8, spread, k), 0, 1)
        values = rng.binomial(rows, truth) / rows
        variance = share_noise(float(np.median(values)), rows)
        found = honest(values, np.arange(k), False, Noise(variance, np.inf, "rows", variance))
        best = truth[np.argmax(values)]
        covered += found.low <= best <= found.high
        raw_bias += (values.max() - best) / TIMES
        bias += (found.value - best) / TIMES
    assert covers(covered)
    assert raw_bias > 0.01
    assert abs(bias) < 0.25 * raw_bias


@pytest.mark.slow
def test_on_real_data_the_honest_estimate_is_nearer_to_untouched_rows() -> None:
    """Digits: many models are chosen among on a small set; what the best is worth, untouched rows say."""
    from sklearn.datasets import load_digits
    from sklearn.linear_model import RidgeClassifier

    images, labels = load_digits(return_X_y=True)
    rng = np.random.default_rng(3)
    inside, errors, raw_errors = 0, [], []
    for _ in range(20):
        order = rng.permutation(len(labels))
        train, chosen_on, untouched = order[:300], order[300:450], order[450:]
        scores, real = [], []
        for _ in range(40):
            pixels = rng.choice(64, 12, replace=False)
            model = RidgeClassifier().fit(images[train][:, pixels], labels[train])
            scores.append(model.score(images[chosen_on][:, pixels], labels[chosen_on]))
            real.append(model.score(images[untouched][:, pixels], labels[untouched]))
        values = np.array(scores)
        variance = share_noise(float(np.median(values)), len(chosen_on))
        found = honest(values, np.arange(40), False, Noise(variance, np.inf, "rows", variance))
        best = real[int(np.argmax(values))]
        inside += found.low <= best <= found.high
        errors.append(found.value - best)
        raw_errors.append(values.max() - best)
    assert inside >= 18
    assert abs(np.mean(errors)) < abs(np.mean(raw_errors))


def test_few_configurations_are_not_shrunk() -> None:
    values = np.array([1.0, 1.2, 5.0, 5.2])
    codes = np.array([0, 0, 1, 1])
    noise = repeats_noise(values, codes)
    assert noise is not None
    assert honest(values, codes, True, noise).value == pytest.approx(1.1)
    assert repeats_noise(np.array([1.0, 2.0]), np.array([0, 1])) is None


def test_equal_repeats_leave_nothing_to_take_off() -> None:
    values = np.repeat([1.0, 2.0, 3.0, 4.0, 5.0], 2)
    codes = np.repeat(np.arange(5), 2)
    noise = repeats_noise(values, codes)
    assert noise is not None
    found = honest(values, codes, False, noise)
    assert (found.value, found.low, found.high) == (5.0, 5.0, 5.0)


# --- the question --------------------------------------------------------------------------------


@pytest.fixture
def pipe() -> ArangoPipe:
    pipe = arangopipe.connect("memory://", capture=False)
    pipe.admin.register_project("p")
    return pipe


def log(pipe: ArangoPipe, test: Any, number: int, **more: Any) -> None:
    model = pipe.register_model("m", project="p", task="t", technique="ridge", exist_ok=True)
    fields = {"metrics": {"rmse": 50 + number % 7, "accuracy": 0.5 + number % 7 / 100}, "seed": number}
    pipe.log_run(**{"model": model, "datasets": {"training": "train", "test": test}, **fields, **more})


def test_choices_are_counted_by_evaluation_set(pipe: ArangoPipe) -> None:
    train, one, other = (pipe.register_dataset(name, summary={"rows": 100}) for name in ("train", "a", "b"))
    for number in range(12):
        log(pipe, one, number, params={"alpha": number // 2})
    log(pipe, [one, other], 12)
    log(pipe, one, 13, status="failed")
    pipe.log_run(model="m", project="p", datasets={"training": train, "validation": one})
    answer = pipe.analysis.test_set_wear(metric="rmse")
    assert [(item.dataset, item.choices, item.validation) for item in answer.items] == [
        ("a", 14, 1),
        ("b", 1, 0),
    ]
    first, second = answer.items
    assert (first.configurations, first.raw_best, first.noise) == (7, 50, "repeats")
    assert first.honest is not None
    assert first.honest > 50
    assert first.if_all_equal == pytest.approx(np.mean([50 + number % 7 for number in range(13)]))
    assert (second.honest, second.why_not) == (None, "there is one run only")
    (alone,) = pipe.analysis.test_set_wear("b", metric="rmse").items
    assert alone == second
    assert "used for 14 choices" in answer.sentence


def test_without_repeats_luck_cannot_be_told_from_merit(pipe: ArangoPipe) -> None:
    pipe.register_dataset("train")
    rows = pipe.register_dataset("a", summary={"rows": 100})
    for number in range(9):
        log(pipe, rows, number, params={"alpha": number}, seed=None)
    (worn,) = pipe.analysis.test_set_wear(metric="rmse").items
    assert worn.honest is None
    assert worn.why_not.startswith("no configuration was repeated")
    assert "cannot be told" in pipe.analysis.test_set_wear(metric="rmse").sentence
    (worn,) = pipe.analysis.test_set_wear(metric="accuracy").items
    assert worn.noise == "the number of rows"
    assert worn.honest is not None
    assert worn.raw_best is not None
    assert worn.honest < worn.raw_best
    assert pipe.analysis.test_set_wear("train", metric="rmse").sentence.startswith("No run names")
