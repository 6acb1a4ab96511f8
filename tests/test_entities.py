"""Entities: what callers hold."""

from __future__ import annotations

import math
import pickle
from dataclasses import FrozenInstanceError
from datetime import datetime, timezone
from typing import Any

import pytest

from arangopipe.model.documents import dump
from arangopipe.model.entities import (
    Dataset,
    Deployment,
    DevPerf,
    Entity,
    Featureset,
    Model,
    ModelParams,
    Project,
    Run,
    ServingPerf,
    Thing,
    entity_of,
)
from arangopipe.model.graph import Node
from arangopipe.model.vocabulary import NODE_KINDS


def node(kind: str, document: dict[str, Any] | None = None, **fields: Any) -> Node:
    return Node(kind, "k", **{"name": "x", "revision": 3, "text": dump(document or {}), **fields})


def entity(kind: str, **document: Any) -> Any:
    return entity_of(node(kind, document))


def at(hour: int) -> datetime:
    return datetime(2026, 11, 23, hour, tzinfo=timezone.utc)


def test_each_kind_has_its_class() -> None:
    classes = {kind: type(entity_of(node(kind))) for kind in NODE_KINDS}
    assert {kind: NODE_KINDS[kind].title for kind in classes} == {
        kind: made.__name__ for kind, made in classes.items()
    }
    assert type(entity_of(node("notebook"))) is Thing


def test_an_entity_has_the_fields_of_its_node() -> None:
    found = entity_of(node("models", {"a": [1]}, version="2", project="p"))
    assert isinstance(found, Model)
    assert (found.kind, found.key, found.id, found.name) == ("models", "k", "models/k", "x")
    assert (found.version, found.project, found.revision) == ("2", "p", 3)
    assert found.document == {"a": [1]}


def test_equality_is_by_id_and_revision() -> None:
    one, same = entity("datasets", a=1), entity("datasets", a=2)
    other = entity_of(node("datasets", revision=4))
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert one != "datasets/k"
    assert len({one, same, other}) == 2


def test_nothing_it_hands_out_is_still_its_own() -> None:
    found = entity("datasets", columns={"a": [1]}, summary={"rows": 2})
    found.document["columns"]["a"].append(9)
    found["columns"]["a"].append(9)
    found.get("columns").clear()
    found.summary.clear()
    assert found.document == {"columns": {"a": [1]}, "summary": {"rows": 2}}
    assert found["columns"] == {"a": [1]}
    assert found.summary == {"rows": 2}


def test_it_is_frozen_and_survives_pickling() -> None:
    found = entity("datasets", a=1)
    with pytest.raises(FrozenInstanceError):
        found.node = node("models")
    assert found["a"] == 1
    copy = pickle.loads(pickle.dumps(found))
    assert copy == found
    assert copy.document == {"a": 1}


def test_attributes_are_read_by_name() -> None:
    found = entity("datasets", a=None)
    assert found["a"] is None
    assert found.get("b", 7) == 7
    assert "a" in found
    assert "b" not in found
    with pytest.raises(KeyError, match="b"):
        found["b"]


def test_repr_is_one_line_that_says_what_it_is() -> None:
    model = entity_of(node("models", {"technique": "ridge"}, version="2", project="p"))
    assert repr(model) == "<Model 'x@2' models/k technique='ridge' project='p'>"
    run = entity_of(node("run", {"status": "failed", "tag": "t"}, name=""))
    assert repr(run) == "<Run run/k status='failed' tag='t'>"
    assert repr(entity_of(node("notebook"))) == "<Thing 'x' notebook/k kind='notebook'>"


def test_html_escapes_and_shortens() -> None:
    found = entity_of(node("datasets", {"<b>": "<script>", "long": "y" * 10_000}, name="<i>&"))
    page = found._repr_html_()
    assert "<script>" not in page
    assert "<i>" not in page
    assert "&lt;script&gt;" in page
    assert "&lt;i&gt;&amp;" in page
    assert len(page) < 2_000


def test_to_dict_is_json_and_of_a_run_has_params_and_metrics() -> None:
    run = entity_of(
        node("run", {"status": "finished"}, name=""),
        dump({"alpha": 1, "fitted": {"b": 2}}),
        dump({"rmse": "NaN"}),
    )
    assert run.to_dict() == {
        "id": "run/k",
        "kind": "run",
        "key": "k",
        "name": None,
        "revision": 3,
        "document": {"status": "finished"},
        "params": {"alpha": 1, "fitted": {"b": 2}},
        "metrics": {"rmse": "NaN"},
    }


def test_model_reads_the_old_name_of_technique() -> None:
    assert entity("models", technique="ridge", type="old").technique == "ridge"
    assert entity("models", type="LASSO regression").technique == "LASSO regression"
    assert entity("models", type=3).technique is None
    assert entity("models", task="regression").task == "regression"


def test_featureset_columns() -> None:
    assert entity("featuresets", columns={"a": "float64"}, b="int64").columns == {"a": "float64"}
    old = entity(
        "featuresets",
        generated_by="Pipeline",
        tag="int64s",
        **{"fixed acidity": "float64", "n": "Int64", "r": "numeric", "t": "datetime64[ns, UTC]"},
    )
    assert old.columns == {
        "fixed acidity": "float64",
        "n": "Int64",
        "r": "numeric",
        "t": "datetime64[ns, UTC]",
    }
    assert entity("featuresets", transformation=["log"]).transformation == ["log"]


def test_dataset_properties() -> None:
    found = entity("datasets", source="s", location="/x", fingerprint={"digest": "d"})
    assert (found.source, found.location) == ("s", "/x")
    assert found.fingerprint == {"digest": "d"}
    assert found.summary is None


def test_run_properties() -> None:
    document = {
        "status": "failed",
        "start": "2026-11-23T09:00:00.000000Z",
        "end": "2026-11-23T10:00:00+01:00",
        "tag": "t",
        "deployment_tag": "d",
        "tags": {"a": 1},
        "seed": 7,
        "user": "me",
        "parent": "run/p",
        "error": {"message": "no"},
        "artifacts": [{"name": "a", "uri": "u"}],
    }
    params = {"alpha": 1, "fitted": {"b": 2}, "optimizer": {"lr": 3}}
    run = entity_of(node("run", document), dump(params), dump({"m": 1}))
    assert isinstance(run, Run)
    assert (run.status, run.tag, run.deployment_tag) == ("failed", "t", "d")
    assert (run.start, run.end) == (at(9), at(9))
    assert (run.tags, run.seed, run.user) == ({"a": 1}, 7, "me")
    assert (run.parent, run.error) == ("run/p", {"message": "no"})
    assert run.artifacts == [{"name": "a", "uri": "u"}]
    assert (run.params, run.fitted, run.optimizer) == ({"alpha": 1}, {"b": 2}, {"lr": 3})
    assert run.metrics == {"m": 1}


def test_run_of_an_old_or_odd_document() -> None:
    run = entity("run", start="yesterday-ish", timestamp=5, tags="x", artifacts="x")
    assert (run.start, run.end, run.status, run.error) == (None, None, None, None)
    assert (run.tags, run.artifacts, run.params, run.metrics) == ({}, [], {}, {})


def test_a_param_called_optimizer_is_a_param() -> None:
    params = entity("modelparams", optimizer="adam", fitted={"b": 1})
    assert (params.params, params.fitted, params.optimizer) == ({"optimizer": "adam"}, {"b": 1}, {})
    assert isinstance(params, ModelParams)


def test_metrics_that_are_not_finite_are_floats_again() -> None:
    found = entity("devperf", a="NaN", b="-Infinity", c="text", d=[1])
    assert isinstance(found, DevPerf)
    assert math.isnan(found.metrics.pop("a"))
    assert {name: found.metrics[name] for name in "bcd"} == {"b": -math.inf, "c": "text", "d": [1]}


def test_serving_performance_knows_its_period_and_numbers() -> None:
    found = entity("servingperf", rmse=1.5, n=3, r2="NaN", ok=True, note="x", start="2026-11-23T09:00:00Z")
    assert isinstance(found, ServingPerf)
    assert set(found.metrics) == {"rmse", "n", "r2"}
    assert (found.start, found.end) == (at(9), None)


@pytest.mark.parametrize(
    ("document", "hours"),
    [
        ({"status": "active", "active_from": at(2)}, {2, 3, 4, 5}),
        ({"status": "archived", "active_from": at(2), "active_to": at(4)}, {2, 3}),
        ({"status": "scheduled", "scheduled": at(2)}, set()),
        ({"status": "archived"}, set()),
        ({}, {0, 1, 2, 3, 4, 5}),
    ],
)
def test_deployment_is_live_while_it_is_active(document: dict[str, Any], hours: set[int]) -> None:
    times = {name: str(value) for name, value in document.items()}
    found = entity("deployment", **times)
    assert {hour for hour in range(6) if found.live_at(at(hour))} == hours


def test_deployment_tag_falls_back_to_its_name() -> None:
    assert entity("deployment").tag == "x"
    assert entity("deployment", tag="prod").tag == "prod"


def test_the_classes_are_entities() -> None:
    for made in (Project, Dataset, Featureset, Model, Deployment, Thing):
        assert issubclass(made, Entity)
