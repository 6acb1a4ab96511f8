"""Why is this run different? A planted cause is found among distractors."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

import arangopipe
from arangopipe.analysis.explanation import Explanation
from arangopipe.errors import InvalidInput, NotFound
from arangopipe.pipe import ArangoPipe

PAIRS = 500 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 60
EACH = 10
"""Pairs that are asked about in one generated store."""

FACTS = ("alpha", "depth", "column x", "column y", "training", "test", "technique", "numpy", "commit")


class World:
    """A store in which one of many things moves the metric, and runs that vary in all of them."""

    def __init__(self, rng: np.random.Generator, cause: str) -> None:
        self.rng, self.cause = rng, cause
        self.pipe = arangopipe.connect("memory://", capture=False)
        self.pipe.admin.register_project("p")
        self.models = [
            self.pipe.register_model(name, project="p", task="t", technique=name) for name in ("a", "b")
        ]
        self.data = [self.pipe.register_dataset("d", version=v, source=str(v)) for v in (1, 2)]
        self.tests = [self.pipe.register_dataset("e", version=v, source=str(v)) for v in (1, 2)]
        self.sets = {
            (x, y): self.pipe.register_featureset(
                f"f{x}{y}",
                dataset=self.data[0],
                columns={"z": "int", **({"x": "int"} if x else {}), **({"y": "int"} if y else {})},
            )
            for x in (0, 1)
            for y in (0, 1)
        }
        base = self.drawn()
        for _ in range(40):
            self.log(base)
            # People change one or two things at a time, and run again with other seeds.
            for name in rng.choice(FACTS, rng.integers(1, 3), replace=False):
                base = {**base, name: 1 - base[name]}
            for name in FACTS:
                self.log({**base, name: 1 - base[name]} if rng.random() < 0.3 else base)

    def drawn(self) -> dict[str, int]:
        return {name: int(self.rng.integers(2)) for name in FACTS}

    def log(self, at: dict[str, int], **more: Any) -> Any:
        return self.pipe.log_run(
            model=self.models[at["technique"]],
            datasets={"training": self.data[at["training"]], "test": self.tests[at["test"]]},
            featureset=self.sets[at["column x"], at["column y"]],
            params={"alpha": 0.1 + at["alpha"], "depth": 3 + at["depth"]},
            metrics={"rmse": 50 + 3 * at[self.cause] + self.rng.normal(0, 0.5)},
            seed=int(self.rng.integers(1_000)),
            code={"commit": f"c{at['commit']}"},
            environment={"packages": {"numpy": f"{at['numpy']}.0"}, "host": str(self.rng.integers(9))},
            **more,
        )


@pytest.mark.slow
def test_a_planted_cause_is_ranked_first() -> None:
    rng = np.random.default_rng(1)
    first = 0
    for number in range(PAIRS // EACH):
        world = World(rng, FACTS[number % len(FACTS)])
        for _ in range(EACH):
            before = world.drawn()
            others = rng.choice([name for name in FACTS if name != world.cause], 3, replace=False)
            after = {**before, **{name: 1 - before[name] for name in (world.cause, *others)}}
            answer = world.pipe.analysis.explain_difference(
                world.log(before), world.log(after), metric="rmse"
            )
            assert len(answer.causes) == 5, "the four, and the seed"
            first += answer.causes[0].name == world.cause
    assert first >= 0.95 * PAIRS, first


@pytest.fixture
def world() -> World:
    return World(np.random.default_rng(2), "column x")


def explained(pipe: ArangoPipe, a: Any, b: Any, **more: Any) -> Explanation:
    return pipe.analysis.explain_difference(a, b, **{"metric": "rmse", **more})


def test_equal_ancestry_leaves_nothing_to_explain(world: World) -> None:
    at = world.drawn()
    world.rng = np.random.default_rng(3)
    a = world.log(at)
    world.rng = np.random.default_rng(3)
    b = world.log(at)
    answer = explained(world.pipe, a, b)
    assert answer.causes == ()
    assert answer.sentence.endswith("do not differ in anything that is recorded.")
    assert answer.rows() == []


def test_models_and_deployments_stand_for_runs(world: World) -> None:
    run = world.log({**world.drawn(), "technique": 0}, start="2099-01-01", end="2099-01-02", name="latest")
    world.log({**world.drawn(), "technique": 0}, start="2099-02-01", status="running", name="later")
    other = world.log(world.drawn(), name="other")
    deployment = world.pipe.admin.register_deployment("prod", run=other)
    answer = world.pipe.analysis.explain_difference("model:a", deployment, metric="rmse", project="p")
    assert (answer.first, answer.second) == ("latest", "other")
    assert answer.notes[0] == "a stands for latest, its latest finished run."
    assert answer.before == run.metrics["rmse"]
    with pytest.raises(NotFound, match="no finished run stands behind"):
        world.pipe.analysis.explain_difference(world.data[0], other)
    with pytest.raises(NotFound):
        world.pipe.analysis.explain_difference("run/none", other)


def test_runs_of_two_tasks_are_not_compared(world: World) -> None:
    model = world.pipe.register_model("c", project="p", task="u")
    other = world.pipe.log_run(model=model, metrics={"rmse": 1.0})
    with pytest.raises(InvalidInput, match="their metrics mean different things"):
        explained(world.pipe, world.log(world.drawn()), other)


def test_columns_of_changed_data_are_named() -> None:
    import pandas

    pipe = arangopipe.connect("memory://", capture=False)
    pipe.admin.register_project("p")
    model = pipe.register_model("m", project="p", task="t")
    frame = pandas.DataFrame({"a": [1, 2, 3], "b": [4.0, 5.0, 6.0]})
    old = pipe.register_dataset("d", data=frame)
    frame.loc[0, "b"] = 9.0
    new = pipe.register_dataset("d", version=2, data=frame)
    a, b = (pipe.log_run(model=model, dataset=data, metrics={"rmse": 1.0}) for data in (old, new))
    (cause,) = explained(pipe, a, b).causes
    assert (cause.section, cause.name, cause.before, cause.after) == (
        "data", "training (column b)", "d", "d@2",
    )  # fmt: skip


def test_what_lies_further_up_is_compared_too() -> None:
    pipe = arangopipe.connect("memory://", capture=False)
    pipe.admin.register_project("p")
    pipe.admin.register_node_kind("sensor")
    pipe.admin.register_edge_kind("read_by", "datasets", "sensor", "from")
    model = pipe.register_model("m", project="p", task="t")
    runs = []
    for version in (1, 2):
        data = pipe.register_dataset("d", version=version, source=str(version))
        sensor = pipe.admin.register("sensor", "s", version=version, firmware=version)
        pipe.link(data, sensor, "read_by")
        features = pipe.register_featureset("f", version=version, dataset=data, columns={"x": "int"})
        runs.append(pipe.log_run(model=model, featureset=features, metrics={"rmse": float(version)}))
    causes = explained(pipe, *runs).causes
    assert {(cause.section, cause.name) for cause in causes} == {
        ("ancestry", "sensor s"),
        ("ancestry", "datasets d"),
    }
