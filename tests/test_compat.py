"""Code written for Arangopipe 0.0.x: what it relied on, rule by rule.

Each rule names the part of the old behaviour it is from, and is checked for the flat modules of 0.0.40,
the nested ones of 0.0.70, or both. No rule opens a connection: that would fail the test.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

import arangopipe
import oldcode
from arangopipe.compat import nested
from arangopipe.errors import AlreadyExists, InvalidInput, NotFound
from servers import Server

RECEIPT = {"_id", "_key", "_rev"}


@dataclass
class Old:
    """The objects of one generation on a fresh database, and what reads them today."""

    generation: str
    config: Any
    admin: Any
    ap: Any
    log: pytest.LogCaptureFixture

    @property
    def pipe(self) -> arangopipe.ArangoPipe:
        pipe: arangopipe.ArangoPipe = self.ap.pipe
        return pipe

    @property
    def errors(self) -> list[str]:
        return [record.getMessage() for record in self.log.records if record.levelno == logging.ERROR]

    def project(self) -> dict[str, str]:
        return self.admin.register_project({"name": "P"})

    def used(self) -> dict[str, Any]:
        """Register what a run uses and return its keys."""
        self.project()
        dataset = self.ap.register_dataset({"name": "d", "source": "clinic"})
        featureset = self.ap.register_featureset({"name": "f", "bmi": "float64"}, dataset["_key"])
        model = self.ap.register_model({"name": "m", "type": "ridge"}, project="P")
        receipts = {"dataset": dataset, "featureset": featureset, "model": model}
        return {kind: receipt["_key"] for kind, receipt in receipts.items()}

    def run(self, run_id: str = "17", used: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """Return the dict of a run, as `log_run` takes it."""
        return {
            **(used or self.used()),
            "run_id": run_id,
            "model-params": {"run_id": run_id, "alpha": 0.5},
            "model-perf": {"run_id": run_id, "timestamp": "2020-03-01 12:00:00.250000", "rmse": 54.2},
            **more,
        }


Check = Callable[[Old], None]
RULES: list[Any] = []
BOTH = ("flat", "nested")


def rule(section: str, text: str, *generations: str) -> Callable[[Check], Check]:
    """Add a check to the rules, for these generations or for both."""

    def add(check: Check) -> Check:
        for generation in generations or BOTH:
            RULES.append(pytest.param(generation, check, id=f"{section}: {text} ({generation})"))
        return check

    return add


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    oldcode.block_network(monkeypatch)


@pytest.mark.parametrize(("generation", "check"), RULES)
def test_rule(generation: str, check: Check, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        check(Old(generation, *oldcode.connect(generation), caplog))


@pytest.mark.slow
@pytest.mark.parametrize(("generation", "check"), RULES)
def test_rule_on_postgresql(
    generation: str,
    check: Check,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    server18: Server,
) -> None:
    with server18.database(server18.template) as name, caplog.at_level(logging.INFO):
        monkeypatch.setenv("ARANGOPIPE_LEGACY_URL", server18.url(name, socket=True))
        check(Old(generation, *oldcode.connect(generation), caplog))


# --- registering and looking up ----------------------------------------------------------------


@rule("register", "returns text ids with keys of digits")
def _(old: Old) -> None:
    for receipt in (old.project(), old.ap.register_dataset({"name": "d"})):
        assert set(receipt) == RECEIPT
        assert all(type(value) is str for value in receipt.values())
        assert receipt["_key"].isdecimal()
    assert receipt["_id"] == f"datasets/{receipt['_key']}"


@rule("register", "documents come back flat and whole")
def _(old: Old) -> None:
    given = {
        "name": "d",
        "fixed acidity": 7.4,
        "r.squared": 0.9,
        "version": 3,
        "project": "free text",
        "key": None,
        "source": None,
        "data": [1, {"a": True}],
        "_hidden": {"x": 1},
    }
    receipt = old.ap.register_dataset(given)
    assert old.ap.lookup_dataset("d") == {**given, **receipt}
    old.project()
    for model in (
        {"name": "m", "type": "ridge"},
        {"name": "n", "type": ["a"]},
        {"name": "o", "technique": "b", "type": "c"},
    ):
        receipt = old.ap.register_model(model, project="P")
        assert old.ap.lookup_model(model["name"]) == {**model, **receipt}


@rule("register", "the caller's dict is not changed and can be used again")
def _(old: Old) -> None:
    info = {"name": "d", "nested": {1: [2]}}
    before = copy.deepcopy(info)
    first = old.ap.register_dataset(info)
    info["name"] = "e"
    second = old.ap.register_dataset(info)
    assert first["_id"] != second["_id"]
    assert info == {**before, "name": "e"}


@rule("register", "a key that is given is kept, and taken only once")
def _(old: Old) -> None:
    assert old.ap.register_dataset({"name": "d", "_key": "my-key"})["_id"] == "datasets/my-key"
    with pytest.raises(AlreadyExists):
        old.ap.register_dataset({"name": "e", "_key": "my-key"})
    assert old.pipe.count("datasets") == 1


@rule("register", "integer keys become text, numpy numbers and frames are taken")
def _(old: Old) -> None:
    frame = pd.DataFrame({"a": [1, 2]})
    old.ap.register_dataset(
        {"name": "d", "bias": {0: np.float64(0.5)}, "n": np.int64(3), "f": np.float32(0.5), "frame": frame}
    )
    found = old.ap.lookup_dataset("d")
    assert (found["bias"], found["n"], found["f"], found["frame"]) == ({"0": 0.5}, 3, 0.5, {"a": [1, 2]})
    assert list(frame.columns) == ["a"]


@rule("register", "the user is accepted and ignored")
def _(old: Old) -> None:
    used = old.used()
    assert old.ap.register_dataset({"name": "x"}, "somebody")
    assert old.ap.register_featureset({"name": "x"}, used["dataset"], user_id="somebody")
    assert old.ap.register_model({"name": "x"}, "somebody", project="P")


@rule("register", "a featureset is linked to its dataset")
def _(old: Old) -> None:
    used = old.used()
    edges = old.ap.find_entity("_to", f"datasets/{used['dataset']}", "featureset_dataset")
    assert [edge["_key"] for edge in edges] == [f"{used['featureset']}-{used['dataset']}"]


@rule("register", "a featureset of no dataset raises and writes nothing")
def _(old: Old) -> None:
    with pytest.raises(NotFound):
        old.ap.register_featureset({"name": "f"}, "12345")
    assert old.pipe.count("featuresets") == 0


@rule("register", "a model of no project is an IndexError and writes nothing")
def _(old: Old) -> None:
    with pytest.raises(IndexError, match="no project is called 'Q'"):
        old.ap.register_model({"name": "m"}, project="Q")
    with pytest.raises(IndexError, match="Wine-Quality-Regression-Modelling"):
        old.ap.register_model({"name": "m"})
    assert old.pipe.count("models") == 0


@rule("register", "a project that is there is returned")
def _(old: Old) -> None:
    first = old.admin.register_project({"name": "P", "owner": "a"})
    assert old.admin.register_project({"name": "P", "owner": "b"}) == first
    assert old.ap.lookup_entity("P", "project")["owner"] == "a"


@rule("duplicates", "a taken name is logged and None", "nested")
def _(old: Old) -> None:
    used = old.used()
    again = [
        old.ap.register_dataset({"name": "d"}),
        old.ap.register_featureset({"name": "f"}, used["dataset"]),
        old.ap.register_model({"name": "m"}, project="P"),
    ]
    assert again == [None] * 3
    assert [error for error in old.errors if "is already taken, try another name" in error] == old.errors
    assert len(old.errors) == 3


@rule("duplicates", "names are taken over the whole database", "nested")
def _(old: Old) -> None:
    old.used()
    old.admin.register_project({"name": "other"})
    assert old.ap.register_model({"name": "m"}, project="other") is None


@rule("duplicates", "of many who register a name at once, one gets it", "nested")
def _(old: Old) -> None:
    pipes = [nested.ArangoPipe(old.config) for _ in range(6)]
    with ThreadPoolExecutor(len(pipes)) as pool:
        for name in "abcdef":
            found = list(pool.map(lambda pipe, name=name: pipe.register_dataset({"name": name}), pipes))
            assert len([receipt for receipt in found if receipt is not None]) == 1
    assert old.pipe.count("datasets") == 6


@rule("duplicates", "a taken name makes the next version; old lookups find the oldest", "flat")
def _(old: Old) -> None:
    used = old.used()
    for _ in range(2):
        assert old.ap.register_dataset({"name": "d", "source": "clinic"})["_key"] != used["dataset"]
        old.ap.register_featureset({"name": "f"}, used["dataset"])
        old.ap.register_model({"name": "m"}, project="P")
    assert old.ap.lookup_dataset("d")["_key"] == used["dataset"]
    assert old.ap.lookup_model("m")["_key"] == used["model"]
    assert [old.pipe.count(kind) for kind in ("datasets", "featuresets", "models")] == [3, 3, 3]
    assert old.pipe.lookup_dataset("d").version == "3"
    assert old.pipe.lookup_featureset("f").version == "3"


@rule("missing name", "is a KeyError before anything is written", "nested")
def _(old: Old) -> None:
    used = old.used()
    for register in (
        lambda: old.ap.register_dataset({"x": 1}),
        lambda: old.ap.register_featureset({"x": 1}, used["dataset"]),
        lambda: old.ap.register_model({"x": 1}, project="P"),
    ):
        with pytest.raises(KeyError, match="name"):
            register()
    assert [old.pipe.count(kind) for kind in ("datasets", "featuresets", "models")] == [1, 1, 1]


@rule("missing name", "is accepted", "flat")
def _(old: Old) -> None:
    receipt = old.ap.register_dataset({"x": 1})
    assert old.ap.lookup_entity_by_id(receipt["_id"]) == {"x": 1, **receipt}


LOOKUPS = ("lookup_dataset", "lookup_featureset", "lookup_model", "lookup_modelparams", "lookup_modelperf")


@rule("missing", "what is not found is None, with a remark in the log", "nested")
def _(old: Old) -> None:
    assert [getattr(old.ap, lookup)("nothing") for lookup in LOOKUPS] == [None] * len(LOOKUPS)
    assert old.ap.lookup_entity("nothing", "project") is None
    assert old.ap.lookup_entity_by_id("datasets/1") is None
    assert old.ap.lookup_entity_by_id("nowhere/1") is None
    assert old.ap.lookup_entity_by_id("no id") is None
    assert old.ap.find_entity("name", "nothing", "datasets") is None
    assert sum("was not found" in record.getMessage() for record in old.log.records) == len(LOOKUPS) + 5
    assert not old.errors


@rule("missing", "what is not found is an IndexError", "flat")
def _(old: Old) -> None:
    for lookup in LOOKUPS:
        with pytest.raises(IndexError):
            getattr(old.ap, lookup)("nothing")


@rule("lookup_entity", "finds by name in any collection, and refuses an unknown one")
def _(old: Old) -> None:
    project = old.project()
    assert old.ap.lookup_entity("P", "project") == {"name": "P", **project}
    with pytest.raises(InvalidInput, match="did you mean 'project'"):
        old.ap.lookup_entity("P", "projekt")


@rule("lookup_entity_by_id", "finds nodes and edges")
def _(old: Old) -> None:
    run = old.run(run_id="4b9c-1-2")
    old.ap.log_run(run)
    assert old.ap.lookup_entity_by_id("modelparams/4b9c-1-2")["alpha"] == 0.5
    edge = old.ap.lookup_entity_by_id(f"run_models/4b9c-1-2-{run['model']}")
    assert (edge["_from"], edge["_to"]) == (f"models/{run['model']}", "run/4b9c-1-2")


@rule("find_entity", "returns all matches, oldest first, with equality of JSON")
def _(old: Old) -> None:
    values = [1, True, 1.0, "1", [1], {"a": [True]}, None, "x" * 2_000, 2**60]
    for index, value in enumerate(values):
        old.ap.register_dataset({"name": f"d{9 - index}", "value": value})

    def found(value: Any) -> list[str]:
        return [document["name"] for document in old.ap.find_entity("value", value, "datasets")]

    assert found(1) == found(np.int64(1)) == ["d9", "d7"]
    assert [found(value) for value in values[3:]] == [["d6"], ["d5"], ["d4"], ["d3"], ["d2"], ["d1"]]
    assert found(True) == ["d8"]
    assert old.ap.find_entity("name", "d4", "datasets")[0]["value"] == {"a": [True]}


@rule("find_entity", "finds attributes whose names mean something today")
def _(old: Old) -> None:
    old.used()
    document = {"name": "x", "version": "old", "model": "lm", "_own": 1, "params.alpha": 2}
    old.ap.register_dataset(document)
    for name, value in document.items():
        assert [found["name"] for found in old.ap.find_entity(name, value, "datasets")] == ["x"]
    assert old.ap.find_entity("type", "ridge", "models")[0]["name"] == "m"
    key = old.ap.lookup_dataset("x")["_key"]
    assert old.ap.find_entity("_key", key, "datasets")[0]["name"] == "x"


@rule("find_entity", "finds edges by their ends and by what they hold")
def _(old: Old) -> None:
    used = old.used()
    old.admin.add_edges_to_arangopipe("like", ["datasets", "models"], ["datasets"])
    things = [old.ap.register_dataset({"name": name}) for name in "abc"]
    model = old.ap.lookup_entity_by_id(f"models/{used['model']}")
    for source, target, weight in ((0, 1, 1), (1, 2, 2), (2, 0, 2)):
        old.ap.insert_into_edge_type("like", things[source], things[target], {"weight": weight})
    old.ap.insert_into_edge_type("like", model, things[0], {"weight": 2})

    def found(name: str, value: Any) -> list[tuple[str, str]]:
        edges = old.ap.find_entity(name, value, "like")
        return sorted((edge["_from"], edge["_to"]) for edge in edges)

    a, b, c = (thing["_id"] for thing in things)
    assert found("weight", 2) == sorted([(b, c), (c, a), (model["_id"], a)])
    assert found("_to", a) == sorted([(c, a), (model["_id"], a)])
    assert found("_from", a) == [(a, b)]


@rule("find_entity", "finds what belongs to runs and deployments by any attribute")
def _(old: Old) -> None:
    run = old.run(deployment_tag="prod")
    run["model-params"]["name"] = "grid"
    old.ap.log_run(run)
    old.admin.register_deployment("prod")
    old.ap.log_serving_perf({"rmse": 60, "name": "first"}, "prod", "ops")
    for name, value, kind in (
        ("alpha", 0.5, "modelparams"),
        ("name", "grid", "modelparams"),
        ("rmse", 54.2, "devperf"),
        ("timestamp", run["model-perf"]["timestamp"], "devperf"),
        ("timestamp", run["model-perf"]["timestamp"], "run"),
        ("run_id", "17", "run"),
        ("tag", "prod", "deployment"),
        ("rmse", 60.0, "servingperf"),
        ("name", "first", "servingperf"),
    ):
        (found,) = old.ap.find_entity(name, value, kind)
        assert found[name] == value
    assert old.ap.lookup_entity("grid", "modelparams")["alpha"] == 0.5


@rule("ids", "are taken apart")
def _(old: Old) -> None:
    assert old.ap.get_collection_from_id("models/1") == "models"
    answers = [old.ap.is_valid_id_str(text) for text in ("models/1", "models", "a/b/c", "")]
    assert answers == [True, False, False, False]


# --- log_run -----------------------------------------------------------------------------------


@rule("log_run", "stores run, params, performance and five edges")
def _(old: Old) -> None:
    run = old.run(tag="t", deployment_tag="prod", pipeline="p", tag_for_deployment=True, project="nowhere")
    assert old.ap.log_run(run) is None
    document = old.ap.lookup_entity_by_id("run/17")
    expected = {
        "_key": "17",
        "run_id": "17",
        "timestamp": "2020-03-01 12:00:00.250000",
        "tag": "t",
        "deployment_tag": "prod",
        "pipeline": "p",
        "tag_for_deployment": True,
    }
    assert {name: document.get(name) for name in expected} == expected
    assert document.keys().isdisjoint(
        {"dataset", "featureset", "model", "model-params", "model-perf", "project"}
    )
    assert old.ap.lookup_modelparams("t") == {
        "_id": "modelparams/17", "_key": "17", "_rev": document["_rev"], "run_id": "17", "alpha": 0.5,
    }  # fmt: skip
    assert old.ap.lookup_modelperf(tag_value="t")["rmse"] == 54.2
    keys = {kind: run[kind] for kind in ("model", "dataset", "featureset")}
    for kind, key in {
        "run_models": f"17-{keys['model']}",
        "run_datasets": f"17-{keys['dataset']}",
        "run_featuresets": f"17-{keys['featureset']}",
        "run_modelparams": "17-17",
        "run_devperf": "17-17",
    }.items():
        assert old.ap.lookup_entity_by_id(f"{kind}/{key}"), kind


@rule("log_run", "the caller's dicts are not changed")
def _(old: Old) -> None:
    run = old.run(tag="t")
    before = copy.deepcopy(run)
    old.ap.log_run(run)
    assert run == before


@rule("log_run", "the first of several runs of a tag is found")
def _(old: Old) -> None:
    used = old.used()
    for number in (3, 1, 2):
        old.ap.log_run(old.run(str(number), used, tag="t"))
    assert old.ap.lookup_modelparams("t")["run_id"] == "3"


NEEDED = ("run_id", "model-params", "model-perf", "model", "featureset", "dataset")


@rule("log_run", "a missing entry is a KeyError and nothing is written")
def _(old: Old) -> None:
    run = old.run()
    for name in NEEDED:
        with pytest.raises(KeyError, match=name):
            old.ap.log_run({entry: value for entry, value in run.items() if entry != name})
    for part, name in (("model-params", "run_id"), ("model-perf", "run_id"), ("model-perf", "timestamp")):
        short = {entry: value for entry, value in run[part].items() if entry != name}
        with pytest.raises(KeyError, match=name):
            old.ap.log_run({**run, part: short})
    assert [old.pipe.count(kind) for kind in ("run", "modelparams", "devperf")] == [0, 0, 0]


@rule("log_run", "a key of nothing raises and nothing is written")
def _(old: Old) -> None:
    run = old.run()
    for kind in ("model", "featureset", "dataset"):
        with pytest.raises(NotFound):
            old.ap.log_run({**run, kind: "12345"})
    assert [old.pipe.count(kind) for kind in ("run", "modelparams", "devperf")] == [0, 0, 0]


@rule("log_run", "a run_id is taken once, even with equal content")
def _(old: Old) -> None:
    run = old.run(tag="t")
    old.ap.log_run(run)
    with pytest.raises(AlreadyExists, match="run/17"):
        old.ap.log_run(run)
    assert old.pipe.count("run") == 1


@rule("log_run", "timestamps are text or seconds, and whatever else was written")
def _(old: Old) -> None:
    used = old.used()
    ends = {}
    for key, timestamp in {"1": 1577836800.25, "2": "2020-01-01T00:00:00.25Z", "3": "last Tuesday"}.items():
        run = old.run(key, used)
        run["model-perf"]["timestamp"] = timestamp
        old.ap.log_run(run)
        assert old.ap.lookup_entity_by_id(f"run/{key}")["timestamp"] == timestamp
        ends[key] = old.pipe.lookup_run(key).end
    assert ends["1"] == ends["2"]
    assert str(ends["1"]) == "2020-01-01 00:00:00.250000+00:00"
    assert ends["3"] > ends["1"], "a time that cannot be read is not the run's end"


@rule("log_run", "attributes may have names that mean something today")
def _(old: Old) -> None:
    own = {"name": 5, "status": "fine", "start": "soon", "tags": "a,b", "seed": 1, "parent": "x", "error": 0}
    own |= {"artifacts": "none", "params": 1, "capture": "yes", "_own": 1}
    old.ap.log_run(old.run(**own))
    document = old.ap.lookup_entity_by_id("run/17")
    assert {name: document[name] for name in own} == own
    assert [found["_key"] for found in old.ap.find_entity("status", "fine", "run")] == ["17"]


@rule("log_run", "ids are taken where keys are meant, and infinite metrics are kept")
def _(old: Old) -> None:
    used = {kind: f"{kind}s/{key}" for kind, key in old.used().items()}
    run = old.run(used=used, tag="t")
    run["model-perf"]["loss"] = float("inf")
    old.ap.log_run(run)
    assert old.pipe.lookup_run("17").metrics["loss"] == float("inf")


@rule("errors", "are python-arango's, too, where a program has imported that")
def _(old: Old) -> None:
    from arango.exceptions import AQLQueryExecuteError, ArangoServerError, DocumentInsertError

    run = old.run()
    old.ap.log_run(run)
    for write, ours in (
        (lambda: old.ap.log_run(run), AlreadyExists),
        (lambda: old.ap.log_run({**run, "run_id": "18", "model": "12345"}), NotFound),
        (lambda: old.ap.register_featureset({"name": "g"}, "12345"), NotFound),
        (lambda: old.ap.register_dataset({"name": "e", "_key": run["dataset"]}), AlreadyExists),
    ):
        with pytest.raises(DocumentInsertError) as raised:
            write()
        assert isinstance(raised.value, ours)
        assert str(raised.value) == str(raised.value.__cause__) != ""
    with pytest.raises(AQLQueryExecuteError, match="no kind of node is called 'nothing'"):
        old.ap.find_entity("name", "d", "nothing")
    with pytest.raises(IndexError) as unknown:
        old.ap.register_model({"name": "m"}, project="Q")
    assert not isinstance(unknown.value, ArangoServerError)


# --- deployments, links ------------------------------------------------------------------------


@rule("deployment", "serves the first run of its tag; the receipt is that of its edge to the model")
def _(old: Old) -> None:
    used = old.used()
    for key in ("1", "2"):
        old.ap.log_run(old.run(key, used, deployment_tag="prod"))
    receipt = old.admin.register_deployment("prod")
    assert set(receipt) == RECEIPT
    edge = old.ap.lookup_entity_by_id(receipt["_id"])
    assert edge["_to"] == f"models/{used['model']}"
    (deployment,) = old.ap.find_entity("tag", "prod", "deployment")
    assert edge["_from"] == deployment["_id"]
    for kind, other in (("deployment_modelparams", "1"), ("deployment_featureset", used["featureset"])):
        assert old.ap.lookup_entity_by_id(f"{kind}/{deployment['_key']}-{other}"), kind


@rule("deployment", "of an unknown tag is an IndexError and nothing is written")
def _(old: Old) -> None:
    with pytest.raises(IndexError, match="no run has the deployment_tag 'prod'"):
        old.admin.register_deployment("prod")
    with pytest.raises(IndexError, match="nothing is deployed as 'prod'"):
        old.ap.log_serving_perf({"rmse": 1.0}, "prod", "ops")
    assert (old.pipe.count("deployment"), old.pipe.count("servingperf")) == (0, 0)


@rule("deployment", "repeated, it is another one; serving performance is the first one's")
def _(old: Old) -> None:
    old.ap.log_run(old.run(deployment_tag="prod"))
    receipts = [old.admin.register_deployment("prod") for _ in range(2)]
    first, second = (old.ap.lookup_entity_by_id(receipt["_id"])["_from"] for receipt in receipts)
    assert first != second
    serving = {"rmse": 2.0, "period": "2020-03-01 to 2020-02-01"}
    edge = old.ap.lookup_entity_by_id(old.ap.log_serving_perf(serving, "prod", "ops")["_id"])
    assert edge["_from"] == first
    assert serving == {"rmse": 2.0, "period": "2020-03-01 to 2020-02-01"}
    assert [found.status for found in old.pipe.admin.deployments("prod")] == ["active", "archived"]


@rule("serving performance", "has the period that its attributes say")
def _(old: Old) -> None:
    old.ap.log_run(old.run(deployment_tag="prod"))
    old.admin.register_deployment("prod")
    for serving in (
        {"from_date": "2020-01-01", "to_date": "2020-02-01"},
        {"period": "2020-02-01 to 2020-01-01"},
        {"period": "spring"},
    ):
        receipt = old.ap.log_serving_perf(serving, "prod", "ops")
        perf = old.pipe.lookup_servingperf(old.ap.lookup_entity_by_id(receipt["_id"])["_to"])
        known = serving != {"period": "spring"}
        assert (perf.start is not None, perf.end is not None) == (known, known)
        assert not known or (perf.end - perf.start).days == 31
        assert old.ap.lookup_entity_by_id(perf.id).items() >= serving.items()


@rule("link_entities", "appends to the related_… attribute of the first thing alone")
def _(old: Old) -> None:
    source, *others = (old.ap.register_dataset({"name": name})["_id"] for name in ("a", "b", "c"))
    for other in others:
        assert old.ap.link_entities(source, other) is None
    assert old.ap.lookup_dataset("a")["related_datasets"].split(",") == others
    assert "related_datasets" not in old.ap.lookup_dataset("b")
    old.ap.link_entities(source, "models/gone")
    assert old.ap.lookup_dataset("a")["related_models"] == "models/gone"
    assert old.pipe.edges(source) == ()


@rule("link_entities", "logs what is no id, and says nothing of an unknown source")
def _(old: Old) -> None:
    old.ap.link_entities("models", "models/1")
    old.ap.link_entities("models/1", "models/1/2")
    assert len(old.errors) == 2
    assert old.ap.link_entities("models/1", "models/2") is None
    assert len(old.errors) == 2


# --- own types ---------------------------------------------------------------------------------


@rule("own types", "vertices are made once")
def _(old: Old) -> None:
    assert not old.admin.has_vertex("notebook")
    assert old.admin.add_vertex_to_arangopipe("notebook") is None
    assert old.admin.has_vertex("notebook")
    assert not old.errors
    assert old.admin.add_vertex_to_arangopipe("notebook") is None
    assert len(old.errors) == 1
    assert [old.admin.has_vertex(name) for name in ("datasets", "dataset", "kinds")] == [True, False, False]


@rule("own types", "one dict fills two types, named or not, again and again")
def _(old: Old) -> None:
    for name in ("notebook", "report"):
        old.admin.add_vertex_to_arangopipe(name)
    document = {"name": "n", "cells": 3}
    receipts = [old.ap.insert_into_vertex_type(name, document) for name in ("notebook", "report", "report")]
    receipts.append(old.ap.insert_into_vertex_type("report", {"cells": 4}))
    assert len({receipt["_id"] for receipt in receipts}) == 4
    assert document == {"name": "n", "cells": 3}
    assert [found["cells"] for found in old.ap.find_entity("name", "n", "report")] == [3, 3]
    assert old.ap.insert_into_vertex_type("nothing", document) is None
    assert len(old.errors) == 1


@rule("own types", "edges are defined with four names or with three")
def _(old: Old) -> None:
    old.admin.add_vertex_to_arangopipe("notebook")
    old.admin.add_edge_definition_to_arangopipe("project_notebook", "project", "notebook")
    old.admin.add_edge_definition_to_arangopipe("cites", "a notebook cites", "notebook", "datasets")
    old.admin.add_edge_definition_to_arangopipe(
        edge_name="keyword_form", from_vertex_name="project", to_vertex_name="notebook"
    )
    made = ("project_notebook", "cites", "keyword_form")
    assert [old.admin.has_edge(name) for name in (*made, "a notebook cites")] == [True, True, True, False]
    assert not old.errors
    old.admin.add_edge_definition_to_arangopipe("cites", "again", "notebook", "models")
    old.admin.add_edge_definition_to_arangopipe("other", "cites", "notebook", "models")
    old.admin.add_edge_definition_to_arangopipe("to_nothing", "notebook", "nothing")
    assert len(old.errors) == 3
    assert not old.admin.has_edge("to_nothing")
    with pytest.raises(TypeError, match="an edge definition needs"):
        old.admin.add_edge_definition_to_arangopipe("alone")


@rule("own types", "an edge type may have several ends, and no others")
def _(old: Old) -> None:
    used = old.used()
    old.admin.add_edges_to_arangopipe("touches", ["project", "models"], ["datasets", "featuresets"])
    documents = {kind: old.ap.lookup_entity_by_id(f"{kind}s/{key}") for kind, key in used.items()}
    assert old.ap.insert_into_edge_type("touches", documents["model"], documents["dataset"])
    assert old.ap.insert_into_edge_type("touches", documents["model"], documents["featureset"])
    assert old.ap.insert_into_edge_type("touches", documents["dataset"], documents["featureset"]) is None
    assert old.ap.insert_into_edge_type("touches", documents["model"], documents["model"]) is None
    assert len(old.errors) == 2


@rule("own types", "an edge has the keys of both ends, a document, and is inserted once or not at all")
def _(old: Old) -> None:
    old.admin.add_vertex_to_arangopipe("notebook")
    old.admin.add_edge_definition_to_arangopipe("project_notebook", "project", "notebook")
    project, notebook = old.project(), old.ap.insert_into_vertex_type("notebook", {"name": "n"})
    document = {"a": 1, "kind": "b", "_own": 2}
    receipt = old.ap.insert_into_edge_type("project_notebook", project, notebook, document)
    assert receipt["_key"] == f"{project['_key']}-{notebook['_key']}"
    ends = {"_from": project["_id"], "_to": notebook["_id"]}
    assert old.ap.lookup_entity_by_id(receipt["_id"]) == {**document, **receipt, **ends}
    assert document == {"a": 1, "kind": "b", "_own": 2}
    assert not old.errors
    for ends_and_document in (
        (project, notebook, {"a": 2}),
        (notebook, project),
        (project, {"_id": "notebook/9"}),
    ):
        assert old.ap.insert_into_edge_type("project_notebook", *ends_and_document) is None
    assert old.ap.insert_into_edge_type("project_notebook", project, None) is None
    assert old.ap.insert_into_edge_type("nothing", project, notebook) is None
    assert len(old.errors) == 5
    assert old.ap.lookup_entity_by_id(receipt["_id"])["a"] == 1


@rule("own types", "edges of built-in types are inserted too, and never the other way round")
def _(old: Old) -> None:
    used = old.used()
    dataset = old.ap.register_dataset({"name": "second"})
    featureset = old.ap.lookup_entity_by_id(f"featuresets/{used['featureset']}")
    assert old.ap.insert_into_edge_type("featureset_dataset", dataset, featureset) is None
    assert len(old.errors) == 1
    assert old.ap.insert_into_edge_type("featureset_dataset", featureset, dataset)
    assert len(old.pipe.edges(featureset["_id"])) == 2


@rule("own types", "removed with what they hold, and made again")
def _(old: Old) -> None:
    old.admin.add_vertex_to_arangopipe("notebook")
    old.admin.add_edge_definition_to_arangopipe("project_notebook", "project", "notebook")
    old.ap.insert_into_edge_type(
        "project_notebook", old.project(), old.ap.insert_into_vertex_type("notebook", {"name": "n"})
    )
    old.admin.remove_vertex_from_arangopipe("notebook", purge=False)
    assert len(old.errors) == 1
    assert old.admin.has_vertex("notebook")
    old.admin.remove_edge_definition_from_arangopipe("project_notebook")
    old.admin.remove_vertex_from_arangopipe("notebook")
    assert not old.admin.has_edge("project_notebook")
    assert not old.admin.has_vertex("notebook")
    for name in ("notebook", "datasets"):
        old.admin.remove_vertex_from_arangopipe(name)
    for name in ("project_notebook", "run_models"):
        old.admin.remove_edge_definition_from_arangopipe(name)
    assert len(old.errors) == 5
    assert old.admin.has_vertex("datasets")
    old.admin.add_vertex_to_arangopipe("notebook")
    assert old.pipe.count("notebook") == 0


@rule("own types", "a vertex type that an edge type joins is not removed")
def _(old: Old) -> None:
    old.admin.add_vertex_to_arangopipe("notebook")
    old.admin.add_edge_definition_to_arangopipe("project_notebook", "project", "notebook")
    old.admin.remove_vertex_from_arangopipe("notebook")
    assert old.errors == ["type 'notebook' is not removed: remove project_notebook first"]
    assert old.admin.has_vertex("notebook")


@rule("later versions", "administrators' methods are on ArangoPipe, too")
def _(old: Old) -> None:
    assert old.ap.register_project({"name": "P"})
    old.ap.add_vertex_to_arangopipe("notebook")
    assert old.admin.has_vertex("notebook")
    old.ap.create_enterprise_ml_graph(3)
    old.ap.log_run(old.run(deployment_tag="prod"))
    assert old.ap.register_deployment("prod")


# --- old and new -------------------------------------------------------------------------------


@rule("old and new", "what old code wrote reads like anything else")
def _(old: Old) -> None:
    run = old.run(tag="t", deployment_tag="prod")
    old.ap.log_run(run)
    old.admin.register_deployment("prod")
    old.ap.log_serving_perf({"rmse": 60.0, "period": "2020-03-01 to 2020-02-01"}, "prod", "ops")
    pipe = old.pipe
    (found,) = pipe.search("run", "metrics.rmse < 55 and params.alpha = 0.5 and model.technique = 'ridge'")
    assert (found.id, found.tag, found.status, found.project) == ("run/17", "t", "finished", "P")
    assert pipe.lookup_model("m", project="P").technique == "ridge"
    assert pipe.lookup_featureset("f").columns == {"bmi": "float64"}
    assert [node.name for node in pipe.upstream(f"models/{run['model']}").of_kind("datasets")] == ["d"]
    impact = pipe.impact(f"datasets/{run['dataset']}")
    assert [deployment.tag for deployment in impact.live] == ["prod"]
    assert [perf.metrics["rmse"] for perf in impact.last_serving.values()] == [60.0]
    assert list(pipe.store.check()) == []


@rule("old and new", "what new code wrote reads like anything else")
def _(old: Old) -> None:
    pipe = old.pipe
    pipe.admin.register_project("N")
    data = pipe.register_dataset("d", source="clinic")
    features = pipe.register_featureset("f", dataset=data, columns={"bmi": "float64"})
    model = pipe.register_model("m", project="N", technique="lasso")
    run = pipe.log_run(
        model=model, dataset=data, featureset=features, tag="t", params={"alpha": 1}, metrics={"rmse": 2.0},
        deployment_tag="prod",
    )  # fmt: skip
    assert old.ap.lookup_dataset("d") == {
        "name": "d", "source": "clinic", "_id": data.id, "_key": data.key, "_rev": str(data.revision),
    }  # fmt: skip
    assert old.ap.lookup_model("m")["type"] == "lasso"
    assert old.ap.lookup_modelparams("t")["run_id"] == run.key
    assert old.ap.lookup_entity_by_id(run.id)["timestamp"] == run["end"]
    assert old.admin.register_deployment("prod")
    assert old.ap.log_serving_perf({"rmse": 3.0}, "prod", "ops")
    assert old.ap.register_model({"name": "second"}, project="N")


@rule("old and new", "objects live as long as the process")
def _(old: Old) -> None:
    assert old.ap.heart_beat() is None
    assert old.ap.init_graph() is None
    assert old.admin.create_db(*range(8)) is None
    assert old.admin.create_db() is None
    assert old.admin.create_enterprise_ml_graph() is None
    assert old.ap.db.name in repr(old.ap)
    assert (old.admin.emlg.name, old.ap.emlg.name) == ("enterprise_ml_graph",) * 2
    assert old.ap.mscp.DB_NAME == old.admin.mscp.DB_NAME == "dbName"
