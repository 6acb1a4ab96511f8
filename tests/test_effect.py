"""The effect of adding something: what is matched with what, and that the verdict keeps its promises.

Stores are simulated, so that the truth is known: how often a verdict is wrong is counted, not believed.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

import arangopipe
from arangopipe.analysis.effect import Effect
from arangopipe.analysis.inference import adjusted, groups_differ, mean_is_positive, sign_test, t_interval
from arangopipe.analysis.verdicts import judged
from arangopipe.errors import InvalidInput, NotFound
from arangopipe.pipe import ArangoPipe
from simulated import TECHNIQUES, Simulated, Truth

STORES = 1_000 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 200
SURE = 1e-4
"""A test of a promised share fails wrongly once in so many times, were the seed not fixed."""


def none(technique: str, dataset: str) -> float:
    return 0.0


def uniform(technique: str, dataset: str) -> float:
    return -2.0


def one_only(technique: str, dataset: str) -> float:
    return -4.0 if technique == "forest" else 0.0


def effect_in(pipe: ArangoPipe, **more: Any) -> Effect:
    return pipe.analysis.effect(**{"attribute": "extra", "metric": "rmse", **more})


def verdicts(truth: Truth, seed: int, datasets: int = 1, **more: Any) -> tuple[Counter[str], int]:
    """Return how often each verdict came out, and how often the interval held the true mean effect."""
    rng = np.random.default_rng(seed)
    found: Counter[str] = Counter()
    covered = 0
    for _ in range(STORES):
        simulated = Simulated(rng, datasets)
        effect = effect_in(simulated.filled(truth, **more))
        found[effect.verdict] += 1
        names = [data.name for data in simulated.datasets]
        mean = np.mean([truth(technique, name) for technique in TECHNIQUES for name in names])
        assert effect.interval is not None
        covered += effect.interval[0] <= mean <= effect.interval[1]
    return found, covered


def at_most(count: int, share: float) -> bool:
    """Whether so many of the stores agree with a true share of at most this."""
    return bool(stats.binom.sf(count - 1, STORES, share) > SURE)


def starting(found: Counter[str], start: str) -> int:
    return sum(count for verdict, count in found.items() if verdict.startswith(start))


# --- promises ----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("shared", [0.0, 0.5, 2.0], ids=["independent", "clustered", "clustered-strongly"])
def test_without_an_effect_a_gain_is_as_rare_as_promised(shared: float) -> None:
    found, covered = verdicts(none, seed=1, shared=shared)
    assert at_most(starting(found, "consistent gain"), 0.05), found
    assert at_most(starting(found, "consistent loss"), 0.05), found
    assert at_most(STORES - covered, 0.05)
    assert at_most(covered, 0.95)


@pytest.mark.slow
def test_without_an_effect_on_several_datasets_a_gain_is_rare_too() -> None:
    found, covered = verdicts(none, seed=2, datasets=3, seeds=range(2))
    assert at_most(starting(found, "consistent gain"), 0.05), found
    assert not any("on this dataset" in verdict for verdict in found)
    assert at_most(STORES - covered, 0.05)


@pytest.mark.slow
def test_an_effect_everywhere_is_found() -> None:
    found, covered = verdicts(uniform, seed=3)
    assert found["consistent gain on this dataset"] > 0.9 * STORES, found
    assert at_most(STORES - covered, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("shared", [0.0, 0.5])
def test_an_effect_in_one_technique_only_is_mixed(shared: float) -> None:
    found, _ = verdicts(one_only, seed=4, shared=shared)
    assert at_most(starting(found, "consistent gain"), 0.05), found
    assert found["mixed"] > 0.8 * STORES, found


@pytest.mark.slow
def test_an_effect_on_one_dataset_only_is_no_consistent_gain() -> None:
    found, _ = verdicts(lambda _, name: -4.0 if name == "d0" else 0.0, seed=5, datasets=2)
    assert at_most(starting(found, "consistent gain"), 0.05), found


@pytest.mark.slow
def test_a_confounded_effect_is_never_called_a_gain() -> None:
    """The attribute is used mostly, or only, with the better technique: means say gain, pairs do not."""
    rng = np.random.default_rng(6)
    gains = 0
    for number in range(STORES):
        simulated = Simulated(rng)
        runs = [
            {**run, "metrics": {"rmse": run["metrics"]["rmse"] - (20 if good else 0)}}
            for technique in TECHNIQUES
            for good in [technique in ("forest", "svr")]
            for run in simulated.runs(none, techniques=[technique])
            if (run["featureset"].name == "f0+extra") == good or (number % 2 and run["seed"] == 0)
        ]
        simulated.pipe.log_runs(runs)
        added = [run["metrics"]["rmse"] for run in runs if run["featureset"].name == "f0+extra"]
        others = [run["metrics"]["rmse"] for run in runs if run["featureset"].name == "f0"]
        assert np.mean(added) < np.mean(others) - 3, "group means must be misleading"
        effect = effect_in(simulated.pipe)
        if number % 2:
            gains += effect.verdict.startswith("consistent gain")
        else:
            assert effect.verdict.startswith("not comparable"), effect.verdict
            assert "technique" in effect.verdict
    assert stats.binom.sf(gains - 1, STORES // 2, 0.05) > SURE


# --- matching ----------------------------------------------------------------------------------


@pytest.fixture
def simulated() -> Simulated:
    return Simulated(np.random.default_rng(7))


def changed(simulated: Simulated, change: Callable[[dict[str, Any]], dict[str, Any]]) -> ArangoPipe:
    """Record runs of which those with the attribute are changed in something else too."""
    runs = list(simulated.runs(uniform))
    added = [run for run in runs if run["featureset"].name.endswith("+extra")]
    simulated.pipe.log_runs([run for run in runs if run not in added])
    simulated.pipe.log_runs({**run, **change(run)} for run in added)
    return simulated.pipe


def test_pairs_are_counted_by_technique(simulated: Simulated) -> None:
    effect = effect_in(simulated.filled(uniform))
    assert (effect.pairs, effect.clusters, effect.datasets) == (20, 5, ("d0",))
    assert {name: part.pairs for name, part in effect.per_technique.items()} == dict.fromkeys(TECHNIQUES, 4)
    means = [part.estimate for part in effect.per_technique.values()]
    assert effect.estimate == pytest.approx(np.mean(means))
    assert effect.interval == pytest.approx(stats.t.interval(0.95, 4, np.mean(means), stats.sem(means)))
    assert effect.p_value == 1 / 32
    assert effect.better == "lower"


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("seed", lambda run: {"seed": run["seed"] + 100}),
        ("param alpha", lambda run: {"params": {"alpha": 2.0}}),
        ("param alpha", lambda run: {"params": {"alpha": [1.0]}}),
        ("param beta", lambda run: {"params": {"alpha": 1.0, "beta": None}}),
    ],
)
def test_what_else_differs_is_named(
    simulated: Simulated, name: str, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    pipe = changed(simulated, change)
    effect = effect_in(pipe)
    assert effect.verdict.startswith("not comparable")
    assert name in effect.verdict
    assert (effect.pairs, effect.estimate, effect.per_technique) == (0, None, {})
    ignored = effect_in(pipe, ignore=name.removeprefix("param "))
    assert ignored.verdict == "consistent gain on this dataset"


@pytest.mark.parametrize("role", ["training", "test"])
def test_data_of_another_version_is_no_match(simulated: Simulated, role: str) -> None:
    newer = simulated.pipe.register_dataset("d0", version=2, source="x")

    def change(run: dict[str, Any]) -> dict[str, Any]:
        return {"datasets": {**run["datasets"], role: newer}}

    effect = effect_in(changed(simulated, change))
    assert effect.verdict.startswith("not comparable")
    assert f"{role} data" in effect.verdict


def test_numbers_are_equal_whatever_their_type(simulated: Simulated) -> None:
    pipe = changed(simulated, lambda run: {"params": {"alpha": 1}, "seed": float(run["seed"])})
    assert effect_in(pipe).pairs == 20


def test_what_was_fitted_is_no_param(simulated: Simulated) -> None:
    pipe = changed(simulated, lambda run: {"fitted": {"coefficients": [1, 2]}, "optimizer": {"steps": 9}})
    assert effect_in(pipe).pairs == 20


@pytest.mark.parametrize("name", ["seed", "random_state"])
def test_the_seed_may_be_a_param(simulated: Simulated, name: str) -> None:
    pipe = changed(simulated, lambda run: {"seed": None, "params": {**run["params"], name: run["seed"]}})
    assert effect_in(pipe).pairs == 20


def test_a_run_logged_again_and_again_counts_once(simulated: Simulated) -> None:
    pipe = simulated.filled(uniform)
    before = effect_in(pipe)
    for run in simulated.runs(uniform, seeds=[0], techniques=["ridge"], noise=0.0):
        pipe.log_runs([run] * 10)
    after = effect_in(pipe)
    assert (after.pairs, after.clusters) == (before.pairs, before.clusters)
    (pair,) = [pair for pair in after.matched if pair.runs_with > 1]
    assert (pair.runs_with, pair.runs_without) == (11, 11)


def test_featuresets_must_differ_by_exactly_the_attribute(simulated: Simulated) -> None:
    wide = simulated.pipe.register_featureset(
        "wide", dataset="d0", columns={"a": "float", "extra": "float", "more": "float"}
    )
    pipe = changed(simulated, lambda run: {"featureset": wide})
    effect = effect_in(pipe)
    assert effect.verdict.startswith("not comparable")
    assert "columns" in effect.verdict


def test_another_dtype_of_the_rest_is_another_featureset(simulated: Simulated) -> None:
    other = simulated.pipe.register_featureset("o", dataset="d0", columns={"a": "int", "extra": "float"})
    assert effect_in(changed(simulated, lambda run: {"featureset": other})).pairs == 0


def test_several_featuresets_of_a_run_are_one(simulated: Simulated) -> None:
    alone = simulated.pipe.register_featureset("alone", dataset="d0", columns={"extra": "float"})
    base = simulated.featuresets[0, False]
    assert effect_in(changed(simulated, lambda run: {"featureset": [base, alone]})).pairs == 20


def test_repeats_without_a_seed_are_one_pair(simulated: Simulated) -> None:
    effect = effect_in(simulated.filled(uniform, seed=None))
    assert (effect.pairs, effect.clusters) == (5, 5)
    assert effect.verdict == "consistent gain on this dataset"


def test_under_five_clusters_there_is_no_evidence(simulated: Simulated) -> None:
    effect = effect_in(simulated.filled(uniform, techniques=TECHNIQUES[:4]))
    assert effect.verdict == "no evidence (4 clusters, 5 needed)"
    assert effect.estimate is not None
    single = effect_in(Simulated(np.random.default_rng(0)).filled(uniform, techniques=["svr"]))
    assert single.verdict == "no evidence (1 cluster, 5 needed)"
    assert single.interval is None


def test_on_several_datasets_the_words_are_wider() -> None:
    effect = effect_in(Simulated(np.random.default_rng(8), datasets=2).filled(uniform))
    assert effect.verdict == "consistent gain"
    assert (effect.clusters, effect.datasets) == (10, ("d0", "d1"))
    assert "2 datasets (d0 and d1)" in effect.sentence


def test_versions_of_a_dataset_are_one_dataset(simulated: Simulated) -> None:
    pipe = simulated.filled(uniform)
    newer = pipe.register_dataset("d0", version=2, source="x")
    pipe.log_runs({**run, "datasets": {"training": newer}} for run in simulated.runs(uniform))
    effect = effect_in(pipe)
    assert (effect.pairs, effect.clusters, effect.datasets) == (40, 5, ("d0",))


def test_higher_may_be_better(simulated: Simulated) -> None:
    pipe = simulated.pipe
    pipe.log_runs(
        {**run, "metrics": {"auc": 1 - run["metrics"]["rmse"] / 100, "odd": 0.0}}
        for run in simulated.runs(uniform)
    )
    assert effect_in(pipe, metric="auc").verdict == "consistent gain on this dataset"
    assert effect_in(pipe, metric="auc", better="lower").verdict == "consistent loss on this dataset"
    with pytest.raises(InvalidInput, match="is a lower or a higher 'odd' better"):
        effect_in(pipe, metric="odd")
    constant = effect_in(pipe, metric="odd", better="lower")
    assert (constant.verdict, constant.estimate) == ("no evidence", 0.0)


# --- other things than attributes ----------------------------------------------------------------


def test_the_effect_of_a_transformation(simulated: Simulated) -> None:
    log = simulated.pipe.register_featureset(
        "log", dataset="d0", columns={"a": "float"}, transformation="log"
    )
    pipe = changed(simulated, lambda run: {"featureset": log})
    effect = effect_in(pipe, attribute=None, transformation="log")
    assert (effect.pairs, effect.verdict) == (20, "consistent gain on this dataset")
    with pytest.raises(NotFound, match="did you mean 'log'"):
        effect_in(pipe, attribute=None, transformation="logs")


def test_a_transformation_may_replace_another(simulated: Simulated) -> None:
    sets = {
        name: simulated.pipe.register_featureset(
            name, dataset="d0", columns={"a": "float"}, transformation=["scale", name]
        )
        for name in ("log", "root", "square")
    }
    for name, size in (("log", -2.0), ("root", 0.0), ("square", 5.0)):
        runs = simulated.runs(lambda *_, size=size: size, seeds=[0])
        simulated.pipe.log_runs(
            {**run, "featureset": sets[name]} for run in runs if run["featureset"].name == "f0+extra"
        )
    pipe = simulated.pipe
    effect = effect_in(pipe, attribute=None, transformation="log", versus="root")
    assert effect.versus == ("root",)
    assert effect.estimate == pytest.approx(-2.0, abs=1.5)
    both = effect_in(pipe, attribute=None, transformation="log")
    assert both.versus == ("root", "square")
    assert both.pairs == 5


def test_the_effect_of_a_technique(simulated: Simulated) -> None:
    pipe = simulated.pipe
    for run in simulated.runs(none, noise=0.01, shared=0.01):
        better = run["model"].name == "forest"
        rmse = run["metrics"]["rmse"] - (5.0 if better else 0.0)
        params = {"trees": 9, "folds": 5} if better else {"alpha": 1.0, "folds": 5}
        pipe.log_run(**{**run, "metrics": {"rmse": rmse}, "params": params})
    effect = effect_in(pipe, attribute=None, technique="forest")
    assert effect.pairs == 4 * 2 * 4
    assert set(effect.per_technique) == set(TECHNIQUES) - {"forest"}
    assert effect.estimate == pytest.approx(-5, abs=0.1)
    assert effect.verdict == "no evidence (2 clusters, 5 needed)", "one for each featureset"
    against = effect_in(pipe, attribute=None, technique="forest", versus="knn")
    assert (list(against.per_technique), against.pairs) == (["knn"], 8)


def test_the_effect_of_a_param(simulated: Simulated) -> None:
    pipe = simulated.pipe
    for alpha, size in ((1.0, 0.0), (10.0, -3.0)):
        runs = simulated.runs(none, seeds=[0], noise=0.01, shared=0.01)
        pipe.log_runs(
            {**run, "params": {"alpha": alpha, "k": 1}, "metrics": {"rmse": run["metrics"]["rmse"] + size}}
            for run in runs
        )
    for param in ("alpha=10", {"alpha": 10}, "alpha"):
        effect = effect_in(pipe, attribute=None, param=param)
        assert (effect.pairs, effect.clusters, effect.verdict) == (10, 5, "consistent gain on this dataset")
        assert effect.versus == ("1",)
    with pytest.raises(NotFound, match="alpha is 3 in no run"):
        effect_in(pipe, attribute=None, param="alpha=3")
    with pytest.raises(NotFound, match="did you mean 'alpha'"):
        effect_in(pipe, attribute=None, param="alhpa=3")
    with pytest.raises(InvalidInput, match="k has 1 values"):
        effect_in(pipe, attribute=None, param="k")


# --- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({"attribute": "extr"}, NotFound, "did you mean 'extra'"),
        ({"metric": "rsme"}, NotFound, "no run has a metric 'rsme'; did you mean 'rmse'"),
        ({"metric": ""}, InvalidInput, "name of a metric"),
        ({"task": "tt"}, NotFound, "is of task 'tt'"),
        ({"project": "pp"}, NotFound, "no project is called 'pp'"),
        ({"better": "more"}, InvalidInput, "better is 'lower' or 'higher', not 'more'"),
        ({"technique": "svr"}, InvalidInput, "effect of what"),
        ({"attribute": None}, InvalidInput, "effect of what"),
        ({"versus": "x"}, InvalidInput, "leave versus= out"),
        ({"since": "2100-01-01"}, NotFound, "there are no runs since 2100-01-01"),
        ({"since": "2026-02-01", "until": "2026-01-01"}, InvalidInput, "is not after since"),
        ({"metric": "note"}, InvalidInput, "'note' is no number"),
        ({"metric": "curve"}, InvalidInput, "'curve' is a number in no run"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_bad_questions_are_refused_in_words(
    simulated: Simulated, asked: dict[str, Any], error: type[Exception], message: str
) -> None:
    pipe = simulated.filled(uniform)
    pipe.log_run(model=simulated.models["ridge"], metrics={"note": "good", "curve": [1, 2]})
    with pytest.raises(error, match=message):
        effect_in(pipe, **asked)


def test_runs_without_a_finite_metric_are_counted(simulated: Simulated) -> None:
    pipe = simulated.filled(uniform)
    for metrics in ({}, {"rmse": float("nan")}, {"rmse": "low"}):
        pipe.log_run(model=simulated.models["ridge"], metrics=metrics)
    pipe.log_run(model=simulated.models["ridge"], metrics={"rmse": 1.0}, status="failed")
    effect = effect_in(pipe)
    assert effect.notes == (
        "1 run left out: not finished (1 failed).",
        "3 of 43 finished runs left out: no finite rmse (1 have text there).",
    )
    assert effect.pairs == 20


def test_one_name_in_two_tasks_must_be_told_apart(simulated: Simulated) -> None:
    pipe = simulated.filled(uniform)
    other = pipe.register_model("other", project="p", task="u", technique="ridge")
    pipe.log_run(model=other, metrics={"mae": 1.0})
    assert effect_in(pipe).task == "t"
    pipe.log_run(model=other, metrics={"rmse": 1.0})
    with pytest.raises(InvalidInput, match=r"runs of 2 tasks have that metric.*\(t and u\): pass task="):
        effect_in(pipe)
    assert effect_in(pipe, task="t").pairs == 20
    with pytest.raises(NotFound, match="no featureset that these runs used"):
        effect_in(pipe, task="u")


def test_one_run_alone_is_not_comparable(simulated: Simulated) -> None:
    simulated.pipe.log_run(**next(simulated.runs(none)))
    with pytest.raises(NotFound, match="no featureset that these runs used has a column 'extra'"):
        effect_in(simulated.pipe)
    effect = effect_in(simulated.pipe, attribute="a")
    assert effect.verdict == "not comparable (every run that could be compared has a)"
    assert effect.sentence == "Adding a: not comparable (every run that could be compared has a)."


# --- the tests themselves ------------------------------------------------------------------------


def test_the_sign_test_is_exact() -> None:
    for successes, trials in ((5, 5), (4, 5), (0, 5), (9, 10), (60, 100)):
        expected = stats.binomtest(successes, trials, 0.5, alternative="greater").pvalue
        assert sign_test(successes, trials) == pytest.approx(expected)
    assert sign_test(0, 0) == 1.0


def test_intervals_and_groups_without_variation() -> None:
    assert t_interval(np.array([1.0])) is None
    assert t_interval(np.array([1.0, 1.0])) == (1.0, 1.0)
    assert groups_differ([np.array([1.0, 1.0]), np.array([2.0, 2.0])]) == 0.0
    assert groups_differ([np.array([1.0, 1.0]), np.array([1.0, 1.0])]) == 1.0
    assert groups_differ([np.array([1.0]), np.array([2.0])]) == 1.0
    assert mean_is_positive(np.array([1.0, 1.0])) == 0.0
    assert mean_is_positive(np.array([-1.0])) == 1.0
    assert adjusted([]) == []
    assert adjusted([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.04, 0.04])


def verdict_of(*clusters: list[float]) -> str:
    """Return the verdict on clusters of differences, each of its own technique, on one dataset."""
    codes = np.repeat(np.arange(len(clusters)), [len(cluster) for cluster in clusters])
    differences = np.array([value for cluster in clusters for value in cluster])
    return judged(differences, True, codes, codes, np.zeros_like(codes)).text


def test_clusters_without_any_difference_count_against_a_gain() -> None:
    gain = [-1.0, -1.1]
    assert verdict_of(*[gain] * 5).startswith("consistent gain")
    assert verdict_of(*[gain] * 5, [0.0, 0.0], [0.0, 0.0]) == "mixed"
    assert verdict_of([0.0], [0.0], [0.0], [0.0], [0.0]) == "no evidence"


def test_a_gain_must_stand_without_its_strongest_technique() -> None:
    assert (
        verdict_of([-9.0, -9.1], *[[-0.01, -0.02], [-0.6, -0.5], [-0.02, -0.01], [-0.01, -0.02]]) == "mixed"
    )
    assert verdict_of([-9.0], [-0.01], [-0.6], [-0.02], [-0.01]) == "no evidence", "no repeats tell"
    assert verdict_of([-9.0, -9.1], *[[-1.0, -1.1]] * 4).startswith("consistent gain")


def test_pairs_are_those_that_a_plain_loop_finds() -> None:
    """On random stores: contexts by a dictionary of all that was recorded, as slowly as it is plain."""
    rng = np.random.default_rng(9)
    for _ in range(10):
        simulated = Simulated(rng, datasets=2)
        pipe, expected = simulated.pipe, {}
        for number in range(120):
            data, test = rng.choice(simulated.datasets, 2)  # type: ignore[arg-type]
            extra, alpha, seed = bool(rng.integers(2)), int(rng.integers(2)), int(rng.integers(2))
            technique = str(rng.choice(TECHNIQUES[:2]))
            made_of = int(rng.integers(2))
            pipe.log_run(
                model=simulated.models[technique],
                datasets={"training": data, "test": test},
                featureset=simulated.featuresets[made_of, extra],
                params={"alpha": alpha},
                seed=seed,
                metrics={"rmse": float(number)},
            )
            context = (technique, data.id, test.id, made_of, alpha, seed)
            expected.setdefault(context, ([], []))[extra].append(float(number))
        means = {
            context: np.mean(having) - np.mean(lacking)
            for context, (lacking, having) in expected.items()
            if having and lacking
        }
        effect = effect_in(pipe)
        assert effect.pairs == len(means)
        assert sorted(pair.difference for pair in effect.matched) == pytest.approx(sorted(means.values()))
        for technique, part in effect.per_technique.items():
            own = [size for context, size in means.items() if context[0] == technique]
            assert (part.pairs, part.estimate) == (len(own), pytest.approx(np.mean(own)))
        assert effect.clusters == len({context[:2] for context in means})


def test_rounding_is_no_difference(simulated: Simulated) -> None:
    pipe = simulated.pipe
    pipe.log_runs(
        {**run, "metrics": {"rmse": 0.1 + 0.2 if "extra" in run["featureset"].name else 0.3}}
        for run in simulated.runs(none)
    )
    effect = effect_in(pipe)
    assert effect.estimate == 0.0
    assert all((part.better, part.worse) == (0, 0) for part in effect.per_technique.values())


def test_numpy_and_the_rest_are_loaded_when_asked_for() -> None:
    pipe = arangopipe.connect("memory://")
    assert type(pipe.analysis).__name__ == "Analysis"
