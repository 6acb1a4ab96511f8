"""The API: registering, looking up, logging, asking."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import arangopipe
from arangopipe import (
    AlreadyExists,
    ArangoPipe,
    ArangoPipeAdmin,
    Conflict,
    Dataset,
    FilterSyntaxError,
    InvalidInput,
    NotFound,
    Run,
    StoreUnavailable,
    Thing,
    connect,
)
from arangopipe.store import open_store
from places import ENGINES, empty_store


@pytest.fixture(params=ENGINES)
def pipe(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ArangoPipe]:
    with (
        empty_store(request, request.param, tmp_path) as url,
        connect(url, capture=False, actor="ann") as opened,
    ):
        yield opened


@pytest.fixture
def project(pipe: ArangoPipe) -> arangopipe.Project:
    return pipe.admin.register_project("diabetes")


def last_change(pipe: ArangoPipe) -> arangopipe.model.graph.Change:
    *_, last = pipe.store.changes()
    return last


def changes(pipe: ArangoPipe) -> int:
    return len(list(pipe.store.changes()))


# --- connecting ----------------------------------------------------------------------------------


def test_without_a_url_it_is_the_setting_or_a_file_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with connect() as pipe:
        pipe.register_dataset("d")
    assert (tmp_path / "arangopipe.db").exists()
    monkeypatch.setenv("ARANGOPIPE_URL", "memory://")
    with connect() as pipe:
        assert pipe.store.url == "memory://"


def test_a_path_is_the_file_of_a_store(tmp_path: Path) -> None:
    file = tmp_path / "räns #1?.db"
    with connect(file, capture=False) as pipe:
        assert (pipe.store.head(), file.exists()) == (None, True)


def test_disabled_is_a_store_that_forgets_whatever_the_url(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARANGOPIPE_DISABLED", "1")
    with connect("sqlite:///x.db", token="t") as pipe:
        pipe.register_dataset("d")
    assert list(tmp_path.iterdir()) == []
    assert not home.exists()


@pytest.mark.parametrize("url", ["memory://", "sqlite:///x.db"])
def test_a_token_is_refused_where_it_means_nothing(url: str) -> None:
    with pytest.raises(InvalidInput, match="token= is for a server"):
        connect(url, token="secret")


def test_an_open_store_is_used_and_left_open() -> None:
    with open_store("memory://") as store:
        with ArangoPipe(store) as pipe, ArangoPipeAdmin(store) as admin:
            admin.register_project("p")
            assert pipe.lookup_project("p").name == "p"
        assert store.find("project", "p")
        with pytest.raises(InvalidInput, match="takes none"):
            ArangoPipe(store, token="x")


def test_a_closed_pipe_says_so() -> None:
    pipe = connect("memory://")
    pipe.close()
    pipe.close()
    with pytest.raises(StoreUnavailable):
        pipe.lookup_dataset("d")


def test_the_actor_stands_in_the_record(pipe: ArangoPipe) -> None:
    pipe.register_dataset("d")
    assert last_change(pipe).actor == "ann"
    pipe.admin.register_project("p")
    assert last_change(pipe).actor == "ann"
    assert pipe.log_run().user == "ann"
    with connect("memory://") as own:
        assert own.actor


def test_importing_it_loads_no_third_party_module() -> None:
    script = (
        "import sys, arangopipe; arangopipe.connect, arangopipe.Dataset, dir(arangopipe)\n"
        "third = {'sqlalchemy', 'alembic', 'lark', 'click', 'rich', 'numpy', 'pandas', 'httpx', 'yaml'}\n"
        "print(third & {name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_public_names_are_sorted_and_all_there() -> None:
    assert list(arangopipe.__all__) == sorted(set(arangopipe.__all__))
    for name in arangopipe.__all__:
        assert getattr(arangopipe, name) is not None
    assert set(arangopipe.__all__) <= set(dir(arangopipe))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = arangopipe.nonsense


# --- registering and looking up ------------------------------------------------------------------


def test_what_is_registered_is_looked_up(pipe: ArangoPipe, project: arangopipe.Project) -> None:
    data = pipe.register_dataset("d", source="s", location="/x", rows=3)
    features = pipe.register_featureset("f", dataset=data, columns={"a": "float64"}, transformation="t")
    model = pipe.register_model("m", project=project, task="t", technique="ridge")
    assert pipe.lookup_dataset("d") == data
    assert data.document == {"source": "s", "location": "/x", "rows": 3}
    assert (data.version, data.project) == ("1", "")
    assert pipe.lookup_featureset("f") == features
    assert features.columns == {"a": "float64"}
    assert pipe.lookup_model("m", project="diabetes") == model
    assert pipe.lookup_project("diabetes") == project
    [edge] = pipe.edges(features)
    assert (edge.kind, edge.document) == ("featureset_dataset", {"transformation": "t"})
    assert {edge.kind for edge in pipe.edges(model)} == {"project_models"}


@pytest.mark.parametrize(
    "ref",
    ["d", "d@1", "dataset:d", "datasets:d@1", "{id}", "dataset/{key}"],
)
def test_every_form_of_reference_finds_the_same(pipe: ArangoPipe, ref: str) -> None:
    data = pipe.register_dataset("d")
    assert pipe.lookup_dataset(ref.format(id=data.id, key=data.key)) == data
    assert pipe.lookup_dataset(data) == data
    assert pipe.lookup_dataset("d", version=1) == data
    assert pipe.lookup("dataset", "d") == pipe.lookup("datasets", "d") == data


def test_names_may_look_like_anything(pipe: ArangoPipe) -> None:
    names = ["a@1", "a@b", "s3://bucket/x.csv", "dataset:x", "models/x", "ünïcødé 🐍", "x" * 1_000, "a\nb"]
    made = {name: pipe.register_dataset(name) for name in names}
    assert {name: pipe.lookup_dataset(name).id for name in names} == {
        name: data.id for name, data in made.items()
    }
    run = pipe.log_run(dataset="s3://bucket/x.csv")
    assert pipe.upstream(run).of_kind("datasets")[0].name == "s3://bucket/x.csv"


def test_a_reference_of_another_kind_is_refused(pipe: ArangoPipe) -> None:
    data = pipe.register_dataset("d")
    for ref in (data, data.id):
        with pytest.raises((InvalidInput, NotFound), match="model"):
            pipe.lookup_model(ref)
    with pytest.raises(InvalidInput, match="is a dataset; a model is wanted"):
        pipe.log_run(model=data)
    with pytest.raises(InvalidInput, match="does not name a dataset"):
        pipe.log_run(dataset=7)  # type: ignore[arg-type]
    assert pipe.count("run") == 0


def test_get_takes_whatever_says_its_kind(pipe: ArangoPipe) -> None:
    data = pipe.register_dataset("d")
    for ref in (data, data.id, "dataset:d", "datasets:d@1"):
        assert pipe.get(ref) == data
    for ref in ("d", "nothing:d", "", "/", "datasets/"):
        with pytest.raises(InvalidInput, match="does not say what kind of thing it is"):
            pipe.get(ref)


def test_not_found_helps(pipe: ArangoPipe, project: arangopipe.Project) -> None:
    pipe.register_dataset("diabetes")
    pipe.register_model("ridge", project=project)
    with pytest.raises(NotFound, match="no dataset is called 'diabets'; did you mean 'diabetes'"):
        pipe.lookup_dataset("diabets")
    with pytest.raises(NotFound, match="'diabetes' has version '1'"):
        pipe.lookup_dataset("diabetes", version=2)
    with pytest.raises(NotFound, match="'diabetes' has version '1'"):
        pipe.lookup_dataset("diabetes@7")
    with pytest.raises(NotFound, match="there is one in 'diabetes'; pass project='diabetes'"):
        pipe.lookup_model("ridge")
    with pytest.raises(NotFound, match=r"there is no 'datasets/nothing'"):
        pipe.lookup_dataset("datasets/nothing")
    with pytest.raises(NotFound, match=r"did you mean 'diabetes'.*register_project"):
        pipe.register_model("m", project="diabete")
    with pytest.raises(NotFound, match=r"no run is called 'x'; "):
        pipe.lookup_run("x")
    with pytest.raises(InvalidInput, match="no kind of node is called 'datset'; did you mean"):
        pipe.lookup("datset", "x")


def test_a_graph_reads_as_a_tree(pipe: ArangoPipe, project: arangopipe.Project) -> None:
    data = pipe.register_dataset("patients <1>")
    features = pipe.register_featureset("base", dataset=data)
    pipe.log_runs([{"name": f"r{number}", "featureset": features} for number in range(60)])
    graph = pipe.lineage(features)
    lines = str(graph).splitlines()
    assert lines[:3] == ["featureset base", "  ← dataset patients <1>", "  → run r0"]
    assert (len(lines), lines[-1]) == (101, "… and 82 more")
    assert repr(graph) == f"<Graph of 182 nodes and {len(graph.edges)} edges from {features.id}>"
    assert "patients &lt;1&gt;" in graph._repr_html_()


def test_names_are_sought_in_the_project_first_then_among_the_shared(pipe: ArangoPipe) -> None:
    for name in ("a", "b"):
        pipe.admin.register_project(name)
    shared = pipe.register_dataset("d")
    ours = pipe.register_dataset("d", project="a")
    theirs = pipe.register_dataset("e", project="b")
    in_a = ArangoPipe(pipe.store, project="a")
    assert pipe.lookup_dataset("d") == shared
    assert in_a.lookup_dataset("d") == ours
    assert in_a.lookup_dataset("d", project="") == shared
    assert in_a.lookup_dataset("d", project="b") == shared
    assert in_a.lookup_dataset("e", project="b") == theirs
    assert pipe.lookup_dataset("e", project=pipe.lookup_project("b")) == theirs
    with pytest.raises(NotFound, match="in project 'a' or shared: there is one in 'b'"):
        in_a.lookup_dataset("e")


def test_a_pipe_of_a_project_registers_models_there_and_data_for_all(pipe: ArangoPipe) -> None:
    project = pipe.admin.register_project("a")
    in_a = ArangoPipe(pipe.store, project=project, capture=False)
    assert in_a.register_model("m").project == "a"
    assert in_a.register_dataset("d").project == ""
    assert in_a.log_run().project == "a"
    assert in_a.admin.project == "a"
    with pytest.raises(NotFound, match="no project is called 'b'"):
        ArangoPipe(pipe.store, project="b").log_run()


def test_a_taken_name_says_what_to_do(pipe: ArangoPipe) -> None:
    data = pipe.register_dataset("d", a=1)
    with pytest.raises(AlreadyExists, match=rf"{data.id} \(version '1'\).*exist_ok=True.*version='2'"):
        pipe.register_dataset("d", a=1)
    assert pipe.register_dataset("d", version="2", a=1).version == "2"
    with pytest.raises(AlreadyExists, match="version='3'"):
        pipe.register_dataset("d")


def test_exist_ok_returns_what_is_equal_and_else_makes_the_next_version(pipe: ArangoPipe) -> None:
    one = pipe.register_dataset("d", a=1)
    before = changes(pipe)
    assert pipe.register_dataset("d", a=1, exist_ok=True) == one
    assert changes(pipe) == before
    two = pipe.register_dataset("d", a=2, exist_ok=True)
    assert (two.version, two.key) != (one.version, one.key)
    assert two.version == "2"
    assert pipe.lookup_dataset("d") == two
    pipe.annotate(one, seen=True)
    assert pipe.lookup_dataset("d") == two
    one = pipe.lookup_dataset("d@1")
    assert pipe.register_dataset("d", a=1, exist_ok=True) == one
    with pytest.raises(Conflict, match="has other content"):
        pipe.register_dataset("d", a=3, version="2", exist_ok=True)
    assert pipe.register_dataset("d", a=2, version=2, exist_ok=True) == two


def test_what_was_annotated_is_still_what_was_registered(pipe: ArangoPipe) -> None:
    data = pipe.register_dataset("d", a=1)
    noted = pipe.annotate(data, reviewed=True)
    assert pipe.register_dataset("d", a=1, exist_ok=True) == noted
    pipe.admin.delete(data)
    again = pipe.register_dataset("d", a=2)
    assert again.key == data.key
    assert pipe.register_dataset("d", a=1, exist_ok=True).version == "2"


def test_a_featureset_of_other_datasets_is_another_version(pipe: ArangoPipe) -> None:
    one, two = pipe.register_dataset("d1"), pipe.register_dataset("d2")
    first = pipe.register_featureset("f", dataset=one, x=1)
    assert pipe.register_featureset("f", dataset="d1", x=1, exist_ok=True) == first
    both = pipe.register_featureset("f", dataset=[one, "d2"], x=1, exist_ok=True)
    assert both.version == "2"
    assert pipe.register_featureset("f", dataset=[two, one], x=1, exist_ok=True) == both
    assert {node.name for node in pipe.upstream(both).of_kind("datasets")} == {"d1", "d2"}
    with pytest.raises(InvalidInput, match="needs the dataset"):
        pipe.register_featureset("g", dataset=[])
    with pytest.raises(NotFound):
        pipe.register_featureset("g", dataset="datasets/none")
    assert pipe.search("featureset", "name = 'g'").items == ()


def test_versions_go_on_from_the_greatest_number(pipe: ArangoPipe) -> None:
    pipe.register_dataset("d", version="2026-11")
    assert pipe.register_dataset("d", exist_ok=True, a=1).version == "2"
    pipe.register_dataset("d", version="9", a=2)
    assert pipe.register_dataset("d", exist_ok=True, a=3).version == "10"
    assert pipe.lookup_dataset("d").version == "10"


def test_a_key_of_the_users_own_is_kept(pipe: ArangoPipe) -> None:
    data = pipe.register_dataset("d", key="17")
    assert data.id == "datasets/17"
    assert pipe.lookup_dataset("datasets/17") == data
    with pytest.raises(AlreadyExists):
        pipe.register_dataset("e", key="17")
    with pytest.raises(InvalidInput, match="cannot be used"):
        pipe.register_dataset("e", key="a/b")
    with pytest.raises(AlreadyExists):
        pipe.register_dataset("e", key="17", exist_ok=True)


def test_a_whole_dict_is_taken_and_left_as_it_is(pipe: ArangoPipe, project: arangopipe.Project) -> None:
    info = {"name": "d", "version": "3", "source": "s", 0: "int64", "fixed acidity": "float64"}
    before = dict(info)
    data = pipe.register_dataset(info, more=1)
    assert info == before
    assert (data.name, data.version) == ("d", "3")
    assert data.document == {"source": "s", "0": "int64", "fixed acidity": "float64", "more": 1}
    model = pipe.register_model({"name": "m", "project": "diabetes", "task": "t"})
    assert (model.project, model.task) == ("diabetes", "t")
    with pytest.raises(InvalidInput, match="has no 'name'"):
        pipe.register_dataset({"source": "s"})
    with pytest.raises(InvalidInput, match="source given twice"):
        pipe.register_dataset({"name": "x", "source": "s"}, source="t")
    with pytest.raises(InvalidInput, match="version given twice"):
        pipe.register_dataset({"name": "x", "version": "1"}, version="2")


@pytest.mark.parametrize("name", ["", "  ", None, 7, "a\x00b", "\ud800", "x" * 1_001])
def test_names_that_no_engine_can_hold_are_refused(pipe: ArangoPipe, name: Any) -> None:
    with pytest.raises(InvalidInput, match="name"):
        pipe.register_dataset(name)


def test_attributes_that_cannot_be_recorded_are_refused(pipe: ArangoPipe) -> None:
    for attributes in ({"_x": 1}, {"x": math.nan}, {"x": b""}):
        with pytest.raises(InvalidInput):
            pipe.register_dataset("d", **attributes)
    assert pipe.count("datasets") == 0


def test_data_leaves_its_fingerprint_and_summary(pipe: ArangoPipe, tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})
    data = pipe.register_dataset("frame", data=frame)
    assert data.fingerprint is not None
    assert data.summary is not None
    assert set(data.fingerprint) >= {"algorithm", "digest"}
    assert data.summary["rows"] == 2
    assert pipe.register_dataset("frame", data=frame.copy(), exist_ok=True) == data
    assert pipe.register_dataset("frame", data=frame * 2, exist_ok=True).version == "2"
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n")
    of_file = pipe.register_dataset("file", data=path)
    assert of_file.location == str(path)
    assert pipe.register_dataset("other", data=path, location="s3://x").location == "s3://x"


def test_columns_may_be_a_frame(pipe: ArangoPipe) -> None:
    frame = pd.DataFrame({"a": [1.0], "b": [1]})
    features = pipe.register_featureset("f", dataset=pipe.register_dataset("d"), columns=frame)
    assert features.columns == {"a": "float64", "b": "int64"}
    typed = pipe.register_featureset("g", dataset="d", columns={"a": np.dtype("float32")})
    assert typed.columns == {"a": "float32"}
    with pytest.raises(InvalidInput, match="columns="):
        pipe.register_featureset("h", dataset="d", columns=["a"])


def test_writers_that_race_for_a_version_all_get_one(pipe: ArangoPipe) -> None:
    pipe.register_dataset("d")
    found: list[Dataset] = []

    def register(number: int) -> None:
        found.append(pipe.register_dataset("d", number=number % 4, exist_ok=True))

    threads = [threading.Thread(target=register, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted({data.version for data in found}) == ["2", "3", "4", "5"]
    assert len({(data.version, data["number"]) for data in found}) == 4


def test_own_kinds_behave_as_the_built_in_ones(pipe: ArangoPipe) -> None:
    pipe.admin.register_node_kind("notebook", "an analysis")
    pipe.admin.register_edge_kind("notebook_data", "notebook", "dataset", "from")
    other = ArangoPipe(pipe.store)
    book = other.register("notebook", "eda", cells=3)
    assert isinstance(book, Thing)
    assert (book.version, book["cells"]) == ("", 3)
    data = pipe.register_dataset("d")
    pipe.link(data, book, "notebook_data")
    assert pipe.lookup("notebook", "eda") == pipe.get("notebook:eda") == book
    assert [node.id for node in pipe.downstream(data) if node.kind == "notebook"] == [book.id]
    assert [found.id for found in pipe.search("notebook", "dataset.name = 'd'")] == [book.id]
    with pytest.raises(AlreadyExists, match="exist_ok"):
        pipe.register("notebook", "eda")
    with pytest.raises(Conflict, match="other content"):
        pipe.register("notebook", "eda", cells=4, exist_ok=True)
    assert pipe.register("notebook", "eda", version="2", cells=4).version == "2"
    with pytest.raises(InvalidInput, match="built-in kind"):
        pipe.register("models", "x")


# --- runs ----------------------------------------------------------------------------------------


def test_a_run_is_one_batch_with_all_its_parts(pipe: ArangoPipe, project: arangopipe.Project) -> None:
    data, test = pipe.register_dataset("d"), pipe.register_dataset("t")
    features = pipe.register_featureset("f", dataset=data)
    model = pipe.register_model("m", project=project, technique="ridge")
    parent = pipe.log_run(name="sweep")
    before = changes(pipe)
    start = datetime(2026, 11, 23, 9, tzinfo=timezone.utc)
    run = pipe.log_run(
        model=model,
        dataset="d",
        datasets={"test": test, "validation": [data, "t"]},
        featureset=[features],
        params={"alpha": np.float64(1.0), "layers": (1, 2)},
        fitted={"coef": np.array([1.5])},
        optimizer={"lr": Decimal("0.1")},
        metrics={"rmse": 54.2, "bias": {0: math.nan}, "worst": math.inf, "r.squared": np.float32(0.5)},
        tag="t1",
        deployment_tag="prod",
        name="best",
        seed=np.int64(7),
        start=start,
        end="2026-11-23T10:00:00Z",
        artifacts=[{"uri": "s3://b/model.pkl"}],
        tags={"team": "a"},
        parent=parent,
        pipeline="P",
        actor="someone",
        session="morning",
        references=["paper"],
    )
    assert changes(pipe) == before + 1
    found = pipe.lookup_run(run)
    for one in (run, found):
        assert (one.status, one.tag, one.deployment_tag) == ("finished", "t1", "prod")
        assert (one.name, one.project, one.seed, one.parent) == ("best", "diabetes", 7, parent.id)
        assert (one.start, one.end) == (start, start + timedelta(hours=1))
        assert (one.tags, one["pipeline"]) == ({"team": "a"}, "P")
        assert (one["actor"], one["session"], one["references"]) == ("someone", "morning", ["paper"])
        assert one.artifacts == [{"name": "model.pkl", "uri": "s3://b/model.pkl"}]
        assert one.params == {"alpha": 1.0, "layers": [1, 2]}
        assert (one.fitted, one.optimizer) == ({"coef": [1.5]}, {"lr": 0.1})
        assert one.metrics["worst"] == math.inf
        assert one.metrics["bias"] == {"0": "NaN"}
        assert one.metrics["r.squared"] == 0.5
    assert found == run
    assert pipe.lookup_modelparams(run).params == run.params
    assert pipe.lookup_devperf(run.key).metrics == run.metrics
    assert pipe.lookup_devperf(f"devperf/{run.key}").key == run.key
    roles = {edge.target: edge.document["roles"] for edge in pipe.edges(run, ["run_datasets"])}
    assert roles == {data.id: ["training", "validation"], test.id: ["validation", "test"]}
    assert Counter(edge.kind for edge in pipe.edges(run)) == {
        "run_models": 1,
        "run_datasets": 2,
        "run_featuresets": 1,
        "run_modelparams": 1,
        "run_devperf": 1,
        "run_parent": 1,
    }


def test_a_bare_run_has_params_and_metrics_too(pipe: ArangoPipe) -> None:
    run = pipe.log_run()
    assert (run.params, run.metrics, run.project, run.name) == ({}, {}, "", "")
    assert run.start == run.end is not None
    assert {edge.kind for edge in pipe.edges(run)} == {"run_modelparams", "run_devperf"}
    assert pipe.lookup_run(run.key) == run


@pytest.mark.parametrize("odd", [pd.NA, pd.DataFrame(), [], 0, {"a": 1}], ids=repr)
def test_what_is_no_project_or_metric_is_refused(pipe: ArangoPipe, odd: Any) -> None:
    with pytest.raises(InvalidInput):
        pipe.register_model("m", project=odd)
    with pytest.raises(InvalidInput):
        pipe.start_run(project=odd)
    run = pipe.log_run()
    with pytest.raises(InvalidInput, match="the name of a metric must be a text"):
        pipe.metric_points(run, odd)


def test_the_project_of_a_run_is_given_or_its_models_or_the_pipes(pipe: ArangoPipe) -> None:
    for name in ("a", "b"):
        pipe.admin.register_project(name)
    model = pipe.register_model("m", project="a")
    shared = pipe.register_model("s")
    in_b = ArangoPipe(pipe.store, project="b", capture=False)
    assert in_b.log_run(model=model).project == "a"
    assert in_b.log_run(model=model.id).project == "a"
    assert in_b.log_run(model=shared).project == "b"
    assert in_b.log_run(model="s", project="a").project == "a"
    assert pipe.log_run(model="m", project="a").project == "a"
    assert pipe.log_run(project=pipe.lookup_project("b")).project == "b"
    with pytest.raises(NotFound, match="no project is called 'c'"):
        pipe.log_run(project="c")


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        ({"dataset": "nothing"}, NotFound, "no dataset is called 'nothing'"),
        ({"model": "models/nothing"}, NotFound, "models/nothing"),
        ({"dataset": "datasets/nothing"}, NotFound, "datasets/nothing"),
        ({"datasets": {"train": "d"}}, InvalidInput, "no role is called 'train'.*training"),
        ({"datasets": ["d"]}, InvalidInput, "maps roles"),
        ({"params": {"x": math.nan}}, InvalidInput, r"params\.x: NaN"),
        ({"params": {"fitted": 1}, "fitted": {}}, InvalidInput, "a param is called 'fitted'"),
        ({"params": [1]}, InvalidInput, "params must be a mapping"),
        ({"metrics": {"x": b""}}, InvalidInput, r"metrics\.x: bytes"),
        ({"metrics": 5}, InvalidInput, "metrics must be a mapping"),
        ({"status": "done"}, InvalidInput, "no run status is called 'done'"),
        ({"status": "running", "end": 5}, InvalidInput, "has no end yet"),
        ({"start": "2026-01-02", "end": "2026-01-01"}, InvalidInput, "before it starts"),
        ({"start": "soon"}, InvalidInput, "is not a time"),
        ({"artifacts": [{"name": "x"}]}, InvalidInput, "has no 'uri'"),
        ({"artifacts": ["/no/such/file"]}, InvalidInput, "cannot be read"),
        ({"key": "a/b"}, InvalidInput, "cannot be used"),
        ({"name": ""}, InvalidInput, "name of a run"),
        ({"parent": "run/none"}, NotFound, "run/none"),
        ({"_id": 1}, InvalidInput, "_id"),
    ],
)
def test_a_run_that_is_wrong_writes_nothing(
    pipe: ArangoPipe, wrong: dict[str, Any], error: type[Exception], said: str
) -> None:
    pipe.register_dataset("d")
    before = changes(pipe)
    with pytest.raises(error, match=said):
        pipe.log_run(**{"metrics": {"m": 1}, **wrong})
    assert changes(pipe) == before
    assert pipe.count("run") == pipe.count("devperf") == pipe.count("modelparams") == 0


def test_a_key_that_is_taken_is_refused_and_a_repeat_is_harmless(pipe: ArangoPipe) -> None:
    fields: dict[str, Any] = {"key": "r1", "params": {"a": 1}, "start": 0, "end": 1}
    run = pipe.log_run(**fields)
    assert run.id == "run/r1"
    before = changes(pipe)
    again = pipe.log_run(**fields)
    assert again == run
    assert changes(pipe) == before
    with pytest.raises(AlreadyExists, match="run/r1"):
        pipe.log_run(**{**fields, "end": 2})


def test_an_error_is_recorded_in_text(pipe: ArangoPipe) -> None:
    try:
        raise ValueError("bad \ud800 value")
    except ValueError as error:
        run = pipe.log_run(status="failed", error=error)
    assert run.error is not None
    assert (run.error["type"], run.error["message"]) == ("ValueError", "bad \\ud800 value")
    assert "test_an_error_is_recorded_in_text" in run.error["traceback"]
    assert pipe.log_run(status="killed", error="out of memory").error == {"message": "out of memory"}


def test_code_and_environment_are_captured_unless_switched_off(tmp_path: Path) -> None:
    with connect("memory://") as pipe:
        run = pipe.log_run(seed=7)
        assert run["environment"]["python"]["version"]
        assert "code" in run
        assert "environment" not in pipe.log_run(capture=False)
    with connect("memory://", capture=False) as pipe:
        assert "environment" not in pipe.log_run()
        assert "environment" in pipe.log_run(capture=True)


def test_runs_are_looked_up_by_name_if_only_one_has_it(pipe: ArangoPipe) -> None:
    run = pipe.log_run(name="one")
    assert pipe.lookup_run("one") == pipe.lookup_run("run:one") == run
    pipe.log_run(name="two")
    pipe.log_run(name="two")
    with pytest.raises(Conflict, match=r"2 Runs are called 'two': name one by id \(run/"):
        pipe.lookup_run("two")


def test_the_callers_dicts_stay_as_they_are(pipe: ArangoPipe) -> None:
    params: dict[str, Any] = {"a": [1, {"b": 2}], 0: np.array([1])}
    metrics = {"x": math.nan}
    run = pipe.log_run(params=params, metrics=metrics, tags=params)
    params["a"].append(9)
    assert run.params["a"] == pipe.lookup_run(run).params["a"] == [1, {"b": 2}]
    assert list(params) == ["a", 0]
    assert math.isnan(metrics["x"])


def test_many_runs_are_written_in_few_batches(pipe: ArangoPipe) -> None:
    pipe.register_dataset("d")
    before = changes(pipe)
    rows = ({"dataset": "d", "params": {"i": i}, "name": f"r{i}"} for i in range(25))
    assert pipe.log_runs(rows, batch_size=10) == 25
    assert changes(pipe) == before + 3
    assert pipe.count("run", "params.i >= 5 and dataset.name = 'd'") == 20
    assert "environment" not in pipe.lookup_run("r3")
    with pytest.raises(InvalidInput, match=r"run number 12, whose batch was not written: params\.x"):
        pipe.log_runs(
            ({"params": {"x": math.nan if i == 11 else i}, "tag": "again"} for i in range(20)), batch_size=10
        )
    assert pipe.count("run", "tag = 'again'") == 10
    assert pipe.log_runs([]) == 0


# --- serving -------------------------------------------------------------------------------------


def day(number: int) -> datetime:
    return datetime(2026, 3, number, tzinfo=timezone.utc)


def test_serving_performance_belongs_to_whoever_was_live(pipe: ArangoPipe) -> None:
    run = pipe.log_run(deployment_tag="prod")
    first = pipe.admin.register_deployment("prod", active_from=day(1))
    second = pipe.admin.register_deployment("prod", run, active_from=day(5))
    early = pipe.log_serving_perf("prod", {"rmse": 1.0, "bad": math.nan}, period=(day(2), day(6)))
    late = pipe.log_serving_perf("prod", {"rmse": 2.0}, period=(day(5), day(6)), note="x")
    by_id = pipe.log_serving_perf(first, {"rmse": 3.0}, period=(day(2), day(3)))
    by_text = pipe.log_serving_perf(second.id, {"rmse": 3.0}, period=(day(6), day(7)))
    owners = {
        perf.id: pipe.edges(perf, ["deployment_servingperf"])[0].source
        for perf in (early, late, by_id, by_text)
    }
    assert list(owners.values()) == [first.id, second.id, first.id, second.id]
    assert (early.start, early.end) == (day(2), day(6))
    assert math.isnan(early.metrics["bad"])
    assert pipe.lookup_servingperf(late.key)["note"] == "x"


def test_serving_performance_without_a_live_deployment_says_who_was(pipe: ArangoPipe) -> None:
    run = pipe.log_run(deployment_tag="prod")
    with pytest.raises(NotFound, match="no deployment is called 'prod'"):
        pipe.log_serving_perf("prod", {"rmse": 1.0}, period=(day(1), day(2)))
    first = pipe.admin.register_deployment("prod", active_from=day(5))
    with pytest.raises(NotFound, match=rf"live at 2026-03-01.*{first.id} was live from 2026-03-05"):
        pipe.log_serving_perf("prod", {"rmse": 1.0}, period=(day(1), day(2)))
    pipe.admin.register_deployment("prod", run, active_from=day(5), keep=True)
    with pytest.raises(Conflict, match="2 deployments of 'prod' were live"):
        pipe.log_serving_perf("prod", {"rmse": 1.0}, period=(day(6), day(7)))
    for period in ((day(2), day(1)), day(1), ("x", "y")):
        with pytest.raises(InvalidInput, match=r"period|is not a time"):
            pipe.log_serving_perf("prod", {"rmse": 1.0}, period=period)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="metrics cannot be called start"):
        pipe.log_serving_perf(first, {"start": 1.0}, period=(day(6), day(7)))
    assert pipe.count("servingperf") == 0


# --- asking --------------------------------------------------------------------------------------


def test_lineage_goes_both_ways_with_signed_depths(pipe: ArangoPipe, project: arangopipe.Project) -> None:
    data, other = pipe.register_dataset("d"), pipe.register_dataset("other")
    features = pipe.register_featureset("f", dataset=data)
    model = pipe.register_model("m", project=project)
    run = pipe.log_run(model=model, dataset=data, featureset=features)
    elsewhere = pipe.log_run(model=model, dataset=other)
    deployment = pipe.admin.register_deployment("prod", run)
    graph = pipe.lineage(model)
    assert graph.depths[model.id] == 0
    assert graph.depths[deployment.id] > 0 > graph.depths[data.id]
    assert {node.id for node in pipe.upstream(model).of_kind("run")} == {run.id, elsewhere.id}
    ancestry = pipe.upstream(deployment)
    assert data.id in ancestry
    assert other.id not in ancestry
    assert elsewhere.id not in ancestry
    assert model.id in pipe.downstream(data)
    near = pipe.upstream(model, 1)
    assert set(near.depths.values()) == {0, -1}
    assert near.truncated
    assert len(pipe.downstream(data, limit=2)) == 2


def test_impact_names_what_serves_because_of_a_thing(pipe: ArangoPipe) -> None:
    data = pipe.register_dataset("d")
    assert "nothing downstream" in str(pipe.impact(data))
    run = pipe.log_run(dataset=data, deployment_tag="prod")
    assert "nothing live or scheduled" in str(pipe.impact(data))
    live = pipe.admin.register_deployment("prod", active_from=day(1))
    before = last_change(pipe).number
    planned = pipe.admin.register_deployment("next", run, schedule="2030-01-01T00:00:00Z")
    for number in (3, 2):
        last = pipe.log_serving_perf("prod", {"rmse": number}, period=(day(number), day(number + 1)))
    impact = pipe.impact(data)
    assert impact.live == (live,)
    assert impact.scheduled == (planned,)
    assert impact.last_serving[live.id].metrics == {"rmse": 3}
    assert last.id in impact.graph
    assert f"live: prod ({live.id}) from 2026-03-01 00:00, last served rmse 3" in str(impact)
    assert f"scheduled: next ({planned.id}) from 2030-01-01" in str(impact)
    assert set(impact.to_dict()) == {"graph", "live", "scheduled", "last_serving"}
    earlier = pipe.impact(data, as_of=before)
    assert (earlier.live, earlier.scheduled, earlier.last_serving) == ((live,), (), {})
    pipe.admin.archive_deployment("prod")
    assert pipe.impact(data).live == ()
    assert pipe.impact(live).graph.start == (live.id,)


def test_search_gives_pages_of_entities(pipe: ArangoPipe) -> None:
    for number in range(5):
        pipe.log_run(params={"i": number}, metrics={"rmse": 5.0 - number}, tag="t")
    page = pipe.search("run", "metrics.rmse > 1", order_by="metrics.rmse", limit=3)
    assert [run.metrics["rmse"] for run in page if isinstance(run, Run)] == [2.0, 3.0, 4.0]
    assert len(page) == 3
    assert page[0].document["tag"] == "t"
    assert len(page[1:]) == 2
    rest = page.next()
    assert rest is not None
    assert [run.params["i"] for run in rest if isinstance(run, Run)] == [0]
    assert rest.next() is None
    again = pipe.search("run", "metrics.rmse > 1", order_by="metrics.rmse", cursor=page.cursor)
    assert list(again) == list(rest)
    assert [run["tag"] for run in pipe.iterate("run", order_by=["-metrics.rmse"])] == ["t"] * 5
    assert page.to_dict()["items"][0]["metrics"] == {"rmse": 2.0}
    frame = page.to_frame()
    assert list(frame["metrics.rmse"]) == [2.0, 3.0, 4.0]
    assert list(frame["params.i"]) == [3, 2, 1]
    assert "<td>run/" in page._repr_html_()
    assert "more" in repr(page)
    with pytest.raises(FilterSyntaxError, match=r"\^"):
        pipe.search("run", "metrics.rmse >")
    with pytest.raises(InvalidInput, match="limit"):
        pipe.search("run", limit=0)


def test_counting(pipe: ArangoPipe) -> None:
    for tag in ("a", "a", "b"):
        pipe.log_run(tag=tag)
    assert pipe.count("run") == pipe.count("run", "") == 3
    assert pipe.count("run", "tag = 'a'") == 2
    assert pipe.count("run", by="tag") == {"a": 2, "b": 1}
    assert pipe.count("datasets") == 0


def test_everything_can_be_asked_as_of_before(pipe: ArangoPipe) -> None:
    data = pipe.register_dataset("d", a=1)
    run = pipe.log_run(dataset=data, metrics={"m": 1})
    number = last_change(pipe).number
    moment = last_change(pipe).time
    pipe.annotate(data, a=2)
    pipe.log_run(dataset=data)
    pipe.link(run, data)
    pipe.admin.delete(run)
    for as_of in (number, moment, moment.isoformat()):
        assert pipe.lookup_dataset("d", as_of=as_of)["a"] == 1
        assert pipe.get(data, as_of=as_of)["a"] == 1
        assert pipe.lookup_run(run, as_of=as_of).metrics == {"m": 1}
        assert pipe.count("run", as_of=as_of) == 1
        assert [found.id for found in pipe.search("run", as_of=as_of)] == [run.id]
        assert run.id in pipe.downstream(data, as_of=as_of)
        assert len(pipe.edges(run, as_of=as_of)) == 3
    assert pipe.get(data)["a"] == 2
    with pytest.raises(NotFound, match="deleted it"):
        pipe.lookup_run(run)
    with pytest.raises(NotFound, match="as of 0"):
        pipe.lookup_dataset("d", as_of=0)
    with pytest.raises(InvalidInput, match="as_of"):
        pipe.lookup_dataset("d", as_of=True)


def test_what_a_walk_found_is_a_reference(pipe: ArangoPipe) -> None:
    data = pipe.register_dataset("d")
    features = pipe.register_featureset("f", dataset=data)
    [node] = pipe.upstream(features).of_kind("datasets")
    run = pipe.log_run(dataset=node, datasets={"test": [node]}, featureset=features.node)
    assert node in pipe.upstream(run)
    assert pipe.get(node) == pipe.lookup_dataset(node) == data
    assert pipe.register_featureset("g", dataset=node).name == "g"


# --- changing ------------------------------------------------------------------------------------


def test_annotating_makes_a_revision(pipe: ArangoPipe) -> None:
    data = pipe.register_dataset("d", a=1, b=2)
    noted = pipe.annotate(data, {"r.squared": 3}, reason="review", a=5, remove=["b", "gone"])
    assert noted.document == {"a": 5, "r.squared": 3}
    assert noted.revision > data.revision
    assert pipe.lookup_dataset("d") == noted
    states = pipe.history("dataset:d")
    assert [state.node.document.get("a") for state in states] == [1, 5]
    assert [state.change.reason for state in states] == ["", "review"]
    assert states[0].closed_by == states[1].change
    before = changes(pipe)
    assert pipe.annotate("dataset:d", a=5) == noted
    assert changes(pipe) == before
    with pytest.raises(Conflict, match=f"at revision {noted.revision}, not {data.revision}"):
        pipe.annotate(data, expect=data.revision, a=6)
    assert pipe.annotate(data, expect=noted.revision, a=6)["a"] == 6
    with pytest.raises(NotFound):
        pipe.annotate("datasets/none", a=1)
    with pytest.raises(InvalidInput):
        pipe.annotate(data, a=math.nan)


def test_what_has_rules_of_its_own_cannot_be_annotated(pipe: ArangoPipe) -> None:
    deployment = pipe.admin.register_deployment("prod", pipe.log_run())
    assert pipe.annotate(deployment, owner="ops")["owner"] == "ops"
    with pytest.raises(InvalidInput, match=r"active_from, status of deployment/.*administrator"):
        pipe.annotate(deployment, status="archived", remove=["active_from"])
    kind = pipe.admin.register_edge_kind("cites", None, None)
    with pytest.raises(InvalidInput, match="depends of kinds/"):
        pipe.annotate(kind, depends="from")


def test_annotating_a_run_keeps_its_params_and_metrics(pipe: ArangoPipe) -> None:
    run = pipe.log_run(params={"a": 1}, metrics={"m": 2})
    noted = pipe.annotate(run, note="x")
    assert isinstance(noted, Run)
    assert (noted.params, noted.metrics, noted["note"]) == ({"a": 1}, {"m": 2}, "x")
    assert pipe.annotate(pipe.lookup_devperf(run), late=math.nan)["late"] == "NaN"


def test_concurrent_annotations_are_all_kept(pipe: ArangoPipe) -> None:
    data = pipe.register_dataset("d")
    threads = [threading.Thread(target=lambda i=i: pipe.annotate(data, {f"a{i}": i})) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pipe.get(data).document == {f"a{i}": i for i in range(8)}
    assert len(pipe.history(data)) == 9


def test_links_are_edges_with_documents(pipe: ArangoPipe) -> None:
    data, model = pipe.register_dataset("d"), pipe.register_model("m")
    edge = pipe.link(data, model, why="seen")
    assert (edge.kind, edge.source, edge.target) == ("related", data.id, model.id)
    assert edge.revision == last_change(pipe).number
    assert pipe.link(data, model, why="seen") == edge
    changed = pipe.link("dataset:d", model.id, why="other")
    assert changed.revision > edge.revision
    assert pipe.edges(data) == (changed,)
    assert [node.id for node in pipe.lineage(data)] == [data.id]
    run = pipe.log_run()
    assert pipe.link(run, model, "run_models").source == model.id
    for a, b, kind in ((data, data, "related"), (data, model, "run_models"), (data, model, "nothing")):
        with pytest.raises(InvalidInput):
            pipe.link(a, b, kind)
    pipe.unlink(data, model, reason="wrong")
    assert pipe.edges(data) == ()
    with pytest.raises(NotFound):
        pipe.unlink(data, model)


def test_history_of_what_was_deleted_is_known_by_id(pipe: ArangoPipe) -> None:
    data = pipe.register_dataset("d")
    pipe.admin.delete(data)
    [state] = pipe.history(data.id)
    assert state.closed_by is not None
    with pytest.raises(NotFound):
        pipe.history("datasets/none")


def test_a_document_of_ten_megabytes_comes_back(pipe: ArangoPipe) -> None:
    notebook = "x" * 10_000_000
    pipe.register_model("m", notebook=notebook)
    assert pipe.lookup_model("m")["notebook"] == notebook
