"""The aggregate questions: right figures, the same on every store, in every form, about every time."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

import arangopipe
from arangopipe.analysis.answers import Answer
from arangopipe.errors import InvalidInput, NotFound
from arangopipe.model.directions import HIGHER, LOWER, direction, known_direction
from arangopipe.pipe import ArangoPipe
from places import empty_store

TECHNIQUES = ("ridge", "lasso", "svr", "knn", "forest")
MONTHS = {"2": "2026-01-15T12:00:00Z", "1": "2026-03-02T00:00:00Z"}


def fill(pipe: ArangoPipe) -> None:
    """Five techniques with and without x, two alphas, two seeds; a log of x; another task; loose ends."""
    for name in ("p", "q"):
        pipe.admin.register_project(name)
    old = pipe.register_dataset("d", version=1, source="a", summary={"rows": 100})
    new = pipe.register_dataset("d", version=2, source="b", summary={"rows": 100})
    sets = {
        "a": pipe.register_featureset("a", dataset=new, columns={"a": "float"}, transformation="raw"),
        "a+x": pipe.register_featureset(
            "a+x", dataset=new, columns={"a": "float", "x": "float"}, transformation="raw"
        ),
        "log": pipe.register_featureset("log", dataset=old, columns={"a": "float"}, transformation=["log"]),
    }
    models = [pipe.register_model(name, project="p", task="t", technique=name) for name in TECHNIQUES]
    places = product(range(5), sets, (0.1, 1.0), (0, 1))
    for number, (technique, features, alpha, seed) in enumerate(places):
        error = 10 + technique + 2 * alpha + 0.01 * (number * 7 % 11) - (features == "a+x")
        pipe.log_run(
            model=models[technique],
            datasets={"training": new, "test": [old] if features == "log" else [new]},
            featureset=sets[features],
            params={"alpha": alpha, "k": technique, "layers": [8, 4]},
            metrics={"rmse": error, "accuracy": 1 - error / 30, "curve": [1, 2]},
            seed=seed,
            name=f"run-{number}",
            key=f"key-{number:03}",
            start=MONTHS["1" if alpha == 1 else "2"],
            end="2026-04-01T00:00:00Z",
        )
    other = pipe.register_model("cluster", project="q", task="u")
    pipe.log_run(model=other, metrics={"rmse": 1.0, "silhouette": 0.5}, name="other", project="q")
    late = {"model": models[0], "start": "2026-05-01", "end": "2026-05-02"}
    pipe.log_run(**late, metrics={"rmse": 0.1}, status="failed", name="broken", key="broken")
    pipe.log_run(**late, name="empty", key="empty")


@pytest.fixture(scope="module", params=["memory", "sqlite"])
def pipe(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArangoPipe]:
    folder = tmp_path_factory.mktemp("analysis")
    with (
        empty_store(request, request.param, folder) as url,
        arangopipe.connect(url, capture=False) as pipe,
    ):
        fill(pipe)
        yield pipe


Ask = Callable[[ArangoPipe], Answer]

QUESTIONS: dict[str, Ask] = {
    "techniques": lambda p: p.analysis.techniques("t", metric="rmse"),
    "feature_techniques": lambda p: p.analysis.feature_techniques("t"),
    "useful_features": lambda p: p.analysis.useful_features("t", metric="rmse"),
    "effect": lambda p: p.analysis.effect(attribute="x", metric="rmse", task="t"),
    "datasets_used": lambda p: p.analysis.datasets_used("t"),
    "leaderboard": lambda p: p.analysis.leaderboard("t", metric="rmse", limit=3),
    "compare": lambda p: p.analysis.compare(["run-0", "run-4"]),
    "explain_difference": lambda p: p.analysis.explain_difference("run-0", "run-4"),
    "importance": lambda p: p.analysis.importance("rmse", "t"),
    "test_set_wear": lambda p: p.analysis.test_set_wear(metric="rmse", task="t"),
}


# --- every answer --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", QUESTIONS)
def test_an_answer_can_be_had_in_every_form(pipe: ArangoPipe, name: str) -> None:
    answer = QUESTIONS[name](pipe)
    assert answer.sentence.endswith(".")
    assert "\n" not in answer.sentence
    assert str(answer).startswith(answer.sentence)
    given = json.loads(json.dumps(answer.to_dict()))
    assert given["sentence"] == answer.sentence
    assert len(answer.to_frame()) == (20 if name == "effect" else len(answer.rows()))
    page = answer._repr_html_()
    assert page.count("<table>") == 1
    assert (name == "compare") == ("<svg" not in page)
    if name != "compare":
        ET.fromstring(answer.to_svg())
        assert "<script" not in page
        assert answer.to_svg() == QUESTIONS[name](pipe).to_svg()
    with pytest.raises(dataclasses.FrozenInstanceError):
        answer.notes = ()  # type: ignore[misc]


def test_every_store_gives_the_same_answers(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    found = {}
    for engine in ("memory", "sqlite", "postgres"):
        with (
            empty_store(request, engine, tmp_path) as url,
            arangopipe.connect(url, capture=False) as pipe,
        ):
            fill(pipe)
            found[engine] = {name: ask(pipe).to_dict() for name, ask in QUESTIONS.items()}
    for name in QUESTIONS:
        assert found["memory"][name] == found["sqlite"][name] == found["postgres"][name], name


def test_names_from_users_are_only_text() -> None:
    pipe = arangopipe.connect("memory://", capture=False)
    pipe.admin.register_project("p")
    for name in ("<b>&$x^2$\\frac", "漢字\u202e🧪", "a\nb\x1b[31m"):
        model = pipe.register_model(name, project="p", task="t", technique=name)
        pipe.log_run(model=model, metrics={"rmse": 1.0})
    answer = pipe.analysis.techniques("t")
    page = answer._repr_html_()
    assert "<b>" not in page
    assert "&lt;b&gt;&amp;$x^2$" in page
    ET.fromstring(answer.to_svg())
    assert len(str(answer).splitlines()) == 6


# --- figures -------------------------------------------------------------------------------------


def test_techniques(pipe: ArangoPipe) -> None:
    answer = pipe.analysis.techniques("t", metric="rmse")
    ridge = answer.items[0]
    assert [item.technique for item in answer.items] == list(TECHNIQUES)
    assert (ridge.runs, ridge.counted) == (14, 12)
    runs = [run for run in pipe.search("run", "model.name = 'ridge' and status = 'finished'") if run.metrics]  # type: ignore[attr-defined]
    errors = sorted(run.metrics["rmse"] for run in runs)  # type: ignore[attr-defined]
    assert (ridge.best, ridge.worst) == (errors[0], errors[-1])
    assert ridge.median == pytest.approx((errors[5] + errors[6]) / 2)
    assert ridge.first is not None
    assert ridge.first.isoformat() == "2026-01-15T12:00:00+00:00"
    assert answer.notes == (
        "1 run left out: not finished (1 failed).",
        "1 of 61 finished runs left out: no finite rmse.",
    )
    assert pipe.analysis.techniques("t").metric == "rmse", "the commonest, and the first in the table"
    assert pipe.analysis.techniques("t", metric="accuracy").items[0].technique == "ridge"


def test_techniques_without_any_metric() -> None:
    pipe = arangopipe.connect("memory://", capture=False)
    model = pipe.register_model("m", project=pipe.admin.register_project("p"), task="t", technique="x")
    pipe.log_run(model=model)
    pipe.log_run(model=model, status="running")
    answer = pipe.analysis.techniques()
    assert [(item.technique, item.runs, item.counted, item.best) for item in answer.items] == [
        ("x", 2, 0, None)
    ]
    assert answer.sentence == "1 technique in 2 runs of t."
    assert "<svg" not in answer._repr_html_()


def test_feature_techniques(pipe: ArangoPipe) -> None:
    answer = pipe.analysis.feature_techniques("t")
    assert [(i.transformation, i.featuresets, i.datasets, i.runs) for i in answer.items] == [
        ("raw", ("a", "a+x"), ("d@2",), 40),
        ("log", ("log",), ("d",), 20),
    ]
    assert answer.items[0].techniques == tuple(sorted(TECHNIQUES))


def test_transformations_on_edges_count() -> None:
    pipe = arangopipe.connect("memory://", capture=False)
    pipe.admin.register_project("p")
    data = pipe.register_dataset("d")
    features = pipe.register_featureset("f", dataset=data, columns={"a": "float"})
    pipe.link(features, data, "featureset_dataset", transformation="scaled")
    model = pipe.register_model("m", project="p", task="t")
    pipe.log_run(model=model, featureset=features, metrics={"rmse": 1})
    pipe.log_run(model=model, featureset=pipe.register_featureset("g", dataset=data, columns={"b": "int"}))
    found = {i.transformation: (i.featuresets, i.datasets) for i in pipe.analysis.feature_techniques().items}
    assert found == {"scaled": (("f",), ("d",)), "(none recorded)": (("g",), ("d",))}


def test_useful_features(pipe: ArangoPipe) -> None:
    answer = pipe.analysis.useful_features("t", metric="rmse")
    assert [(item.name, item.kind, item.helped) for item in answer.items] == [("x", "attribute", True)]
    assert answer.items[0].estimate == pytest.approx(-1, abs=0.1)
    assert answer.helped == ("x",)
    assert set(answer.not_comparable) == {"log", "raw"}
    assert "2 more have no matched pair" in answer.notes[-1]
    effect = pipe.analysis.effect(attribute="x", metric="rmse", task="t")
    assert (answer.items[0].p_value, answer.items[0].adjusted) == (effect.p_value, effect.p_value)


def test_datasets_used(pipe: ArangoPipe) -> None:
    answer = pipe.analysis.datasets_used("t")
    assert answer.datasets == ("d", "d@2")
    assert [(i.period, i.runs, i.datasets, i.training, i.test) for i in answer.periods[:2]] == [
        ("2026-01", 30, ("d", "d@2"), 1, 2),
        ("2026-03", 30, ("d", "d@2"), 1, 2),
    ]
    periods = {
        per: [i.period for i in pipe.analysis.datasets_used("t", until="2026-04-01", per=per).periods]
        for per in ("day", "week", "quarter", "year")
    }
    assert periods == {
        "day": ["2026-01-15", "2026-03-02"],
        "week": ["2026-01-12", "2026-03-02"],
        "quarter": ["2026-Q1"],
        "year": ["2026"],
    }
    assert pipe.analysis.datasets_used("t", "2026-02-01", "2026-03-01").datasets == ()
    assert pipe.analysis.datasets_used().datasets == ("d", "d@2")
    with pytest.raises(InvalidInput, match="did you mean 'month'"):
        pipe.analysis.datasets_used("t", per="months")


def test_leaderboard(pipe: ArangoPipe) -> None:
    answer = pipe.analysis.leaderboard("t", metric="rmse", limit=3)
    best = pipe.search("run", "name != 'other' and name != 'broken'", order_by="metrics.rmse")
    assert [item.run for item in answer.items] == [run.name for run in best[:3]]
    assert (answer.items[0].technique, answer.items[0].featureset) == ("ridge", "a+x")
    assert answer.items[0].dataset == "d@2"
    assert answer.runs is None, "two tasks have the metric"
    alone = pipe.analysis.leaderboard(metric="accuracy", better="higher", task="t", limit=100)
    assert len(alone.items) == 60
    assert [item.value for item in alone.items] == sorted((i.value for i in alone.items), reverse=True)
    with pytest.raises(InvalidInput, match="limit is 0"):
        pipe.analysis.leaderboard("t", metric="rmse", limit=0)
    with pytest.raises(NotFound, match="did you mean 'rmse'"):
        pipe.analysis.leaderboard("t", metric="rmsee", better="lower")
    with pytest.raises(InvalidInput, match="pass task="):
        pipe.analysis.leaderboard(metric="rmse")


def test_a_leaderboard_counts_and_shares_ranks() -> None:
    pipe = arangopipe.connect("memory://", capture=False)
    pipe.admin.register_project("p")
    model = pipe.register_model("m", project="p", task="t")
    for value in (3.0, 1.0, 1.0, float("nan"), "low", True):
        pipe.log_run(model=model, metrics={"rmse": value})
    answer = pipe.analysis.leaderboard(metric="rmse")
    assert [(item.rank, item.value) for item in answer.items] == [(1, 1.0), (1, 1.0), (3, 3.0)]
    assert answer.runs == 3
    assert answer.notes == ("3 runs left out: not finished, or without a finite rmse.",)


def test_compare(pipe: ArangoPipe) -> None:
    answer = pipe.analysis.compare(["run-0", "run-4", "run-2"])
    found = {(d.section, d.name): d.values for d in answer.differences}
    assert found["features", "column x"] == (None, "float", None)
    assert found["params", "alpha"] == (0.1, 0.1, 1)
    assert ("params", "k") not in found
    assert ("data", "training") not in found
    assert answer.same["data"] == 4
    for refs in (["run-0"], ["run-0", "run-0"]):
        with pytest.raises(InvalidInput, match="two different runs or more"):
            pipe.analysis.compare(refs)
    with pytest.raises(InvalidInput, match="a list of runs"):
        pipe.analysis.compare("run-0")
    with pytest.raises(NotFound):
        pipe.analysis.compare(["run-0", "run-99"])


def test_importance(pipe: ArangoPipe) -> None:
    answer = pipe.analysis.importance("rmse", "t")
    assert [(item.name, item.matters) for item in answer.items] == [("alpha", True)], "k tells the technique"
    assert answer.explained > 0.5
    assert (answer.items[0].lowest, answer.items[0].highest) == (0.1, 1)


def test_importance_says_when_nothing_can_be_said() -> None:
    pipe = arangopipe.connect("memory://", capture=False)
    pipe.admin.register_project("p")
    model = pipe.register_model("m", project="p", task="t")
    for number in range(30):
        noise = number * 7919 % 31
        params = {"a": number % 5, "b": "xy"[number % 2], "seed": number, "c": None if number % 3 else True}
        pipe.log_run(model=model, params=params, metrics={"rmse": noise, "mae": 1.0})
    answer = pipe.analysis.importance("rmse")
    assert answer.explained <= 0
    assert answer.sentence.startswith("Nothing can be said")
    assert {item.name for item in answer.items} == {"a", "b", "c"}
    with pytest.raises(InvalidInput, match="mae is 1 in all 30 runs"):
        pipe.analysis.importance("mae")
    with pytest.raises(InvalidInput, match="no param varies"):
        pipe.analysis.importance("rmse", ignore=["a", "b", "c"])
    with pytest.raises(NotFound, match="no run has a param 'sed' to ignore; did you mean 'seed'"):
        pipe.analysis.importance("rmse", ignore="sed")
    with pytest.raises(InvalidInput, match="importance needs 10 finished runs"):
        pipe.analysis.importance("rmse", where="params.a = 1")


# --- which runs ----------------------------------------------------------------------------------


def test_questions_can_be_narrowed(pipe: ArangoPipe) -> None:
    def runs(**narrow: Any) -> int:
        return sum(item.runs for item in pipe.analysis.techniques("t", metric="rmse", **narrow).items)

    assert runs() == runs(project="p") == 62
    assert runs(until="2026-02-01") == 30
    assert runs(since="2026-02-01", until="2026-04-01") == 30
    assert runs(since="2026-01-15T12:00:00Z", until="2026-03-02T00:00:00Z") == 30
    assert runs(where="params.alpha = 1 and seed = 0") == 15
    with pytest.raises(NotFound, match="no run in project q is of task 't'"):
        runs(project="q")
    with pytest.raises(NotFound, match="there are no runs that match the filter"):
        runs(where="seed = 9")
    with pytest.raises(InvalidInput, match="of 2 tasks"):
        pipe.analysis.feature_techniques()
    assert pipe.analysis.feature_techniques(project="p").task == "t"


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_question_can_be_asked_about_the_past(tmp_path: Path, name: str) -> None:
    with arangopipe.connect(f"sqlite:///{tmp_path}/a.db", capture=False) as pipe:
        fill(pipe)
        head = pipe.store.head()
        assert head is not None
        before = QUESTIONS[name](pipe).to_dict()
        model = pipe.lookup_model("ridge", project="p")
        for seed in range(9):
            pipe.log_run(model=model, metrics={"rmse": 0.5}, params={"alpha": 9, "k": 9}, seed=seed)
        pipe.annotate("run/key-000", note="changed")
        pipe.admin.delete("run/key-001", reason="by mistake")
        pipe.annotate(pipe.lookup_featureset("a+x"), columns={"z": "float"})
        asked = {"as_of": head.number}
        past = getattr(pipe.analysis, name)(*ARGUMENTS[name][0], **ARGUMENTS[name][1], **asked)
        assert past.to_dict() == before


ARGUMENTS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "techniques": (("t",), {"metric": "rmse"}),
    "feature_techniques": (("t",), {}),
    "useful_features": (("t",), {"metric": "rmse"}),
    "effect": ((), {"attribute": "x", "metric": "rmse", "task": "t"}),
    "datasets_used": (("t",), {}),
    "leaderboard": (("t",), {"metric": "rmse", "limit": 3}),
    "compare": ((["run-0", "run-4"],), {}),
    "explain_difference": (("run-0", "run-4"), {}),
    "importance": (("rmse", "t"), {}),
    "test_set_wear": ((), {"metric": "rmse", "task": "t"}),
}


# --- metrics -------------------------------------------------------------------------------------


def test_the_table_of_metrics_says_what_is_better() -> None:
    assert not set(LOWER) & set(HIGHER)
    for names, better in ((LOWER, "lower"), (HIGHER, "higher")):
        for name in names:
            assert direction(name) == better, name
    for name, better in {
        "val_loss": "lower",
        "test/accuracy": "higher",
        "valAccuracy": "higher",
        "rmse.min": "lower",
        "mean_f1": "higher",
        "neg_mean_squared_error": "higher",
        "RMSE": "lower",
        "eval.best-auc": "higher",
    }.items():
        assert direction(name) == better, name
    for name in ("time", "accuracy_loss", "score", "x", "_", "loss_ratio"):
        assert known_direction(name) is None, name
    assert direction("time", "lower") == "lower"


def test_a_metric_is_named_as_in_a_search() -> None:
    pipe = arangopipe.connect("memory://", capture=False)
    pipe.admin.register_project("p")
    model = pipe.register_model("m", project="p", task="t")
    pipe.log_run(model=model, metrics={"r.squared": 0.5, "with blank": 1.0})
    with pipe.start_run(model=model) as run:
        for step, loss in enumerate((3.0, 1.0, 2.0)):
            run.log_metric("loss", loss, step=step)
    best = {
        name: pipe.analysis.leaderboard(metric=name, better="lower").items[0].value
        for name in ("loss", "loss.min", '"r.squared"', "with blank")
    }
    assert best == {"loss": 2.0, "loss.min": 1.0, '"r.squared"': 0.5, "with blank": 1.0}


# --- without the extra ---------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["numpy", "scipy", "pandas", "matplotlib"])
def test_what_is_missing_is_named_with_the_line_that_installs_it(missing: str) -> None:
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "import arangopipe\n"
        "pipe = arangopipe.connect('memory://', capture=False)\n"
        "model = pipe.register_model('m', project=pipe.admin.register_project('p'), task='t')\n"
        "pipe.log_run(model=model, metrics={'rmse': 1})\n"
        "try:\n"
        "    answer = pipe.analysis.techniques()\n"
        "    answer.to_frame(); answer.to_svg()\n"
        "except arangopipe.MissingExtra as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{missing} is needed for this: pip install 'arangopipe[analysis]'\n", done.stderr


def test_importance_names_scikit_learn_where_it_is_missing() -> None:
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "import arangopipe\n"
        "pipe = arangopipe.connect('memory://', capture=False)\n"
        "model = pipe.register_model('m', project=pipe.admin.register_project('p'), task='t')\n"
        "for n in range(20): pipe.log_run(model=model, metrics={'rmse': n}, params={'a': n % 3})\n"
        "try: pipe.analysis.importance('rmse')\n"
        "except arangopipe.MissingExtra as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "scikit-learn is needed for this: pip install 'arangopipe[analysis]'\n"


def test_the_package_loads_nothing_for_questions_that_are_not_asked() -> None:
    code = (
        "import sys, arangopipe; arangopipe.connect('memory://')\n"
        "assert not {'numpy', 'scipy', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
