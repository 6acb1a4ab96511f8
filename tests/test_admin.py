"""The administrator's side."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from arangopipe import (
    AlreadyExists,
    ArangoPipe,
    ArangoPipeAdmin,
    Conflict,
    Deployment,
    InvalidInput,
    NotFound,
    Run,
    Unsupported,
    connect,
)
from arangopipe.model.graph import Batch, Edge
from arangopipe.model.ids import uuid7
from arangopipe.store.base import Store
from arangopipe.store.memory import MemoryStore
from places import ENGINES, empty_store


@pytest.fixture(params=ENGINES)
def pipe(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ArangoPipe]:
    with empty_store(request, request.param, tmp_path) as url, connect(url, capture=False) as opened:
        yield opened


@pytest.fixture
def admin(pipe: ArangoPipe) -> ArangoPipeAdmin:
    return pipe.admin


def day(number: int) -> datetime:
    return datetime(2026, 3, number, tzinfo=timezone.utc)


def changes(pipe: ArangoPipe) -> int:
    return len(list(pipe.store.changes()))


def live(admin: ArangoPipeAdmin, tag: str, number: int) -> list[str]:
    return [deployment.id for deployment in admin.deployments(tag, live_at=day(number))]


# --- projects ------------------------------------------------------------------------------------


def test_projects(admin: ArangoPipeAdmin) -> None:
    project = admin.register_project("p", description="x")
    assert (project.name, project.version, project["description"]) == ("p", "", "x")
    with pytest.raises(AlreadyExists, match=rf"'p' is taken by {project.id}: pass exist_ok=True"):
        admin.register_project("p", description="x")
    assert admin.register_project("p", description="x", exist_ok=True) == project
    with pytest.raises(Conflict, match="has other content: annotate it"):
        admin.register_project("p", description="y", exist_ok=True)
    assert admin.register_project({"name": "q", "team": "a"})["team"] == "a"
    assert admin.get("project:p") == project


# --- deployments ---------------------------------------------------------------------------------


def test_a_deployment_serves_what_one_run_made(pipe: ArangoPipe, admin: ArangoPipeAdmin) -> None:
    admin.register_project("p")
    features = pipe.register_featureset("f", dataset=pipe.register_dataset("d"))
    model = pipe.register_model("m", project="p")
    run = pipe.log_run(model=model, featureset=features, deployment_tag="prod")
    before, start = changes(pipe), datetime.now(timezone.utc)
    deployment = admin.register_deployment("prod", owner="ops")
    assert changes(pipe) == before + 1
    assert (deployment.tag, deployment.name, deployment.status) == ("prod", "prod", "active")
    assert (deployment.project, deployment["owner"]) == ("p", "ops")
    assert deployment.active_from is not None
    assert start <= deployment.active_from <= datetime.now(timezone.utc)
    assert {edge.kind: edge.target for edge in pipe.edges(deployment)} == {
        "deployment_model": model.id,
        "deployment_modelparams": f"modelparams/{run.key}",
        "deployment_featureset": features.id,
    }
    assert pipe.lookup_deployment("prod") == pipe.lookup_deployment(deployment.key) == deployment


def test_exactly_one_run_must_carry_the_tag(pipe: ArangoPipe, admin: ArangoPipeAdmin) -> None:
    with pytest.raises(NotFound, match=r"no run carries the tag 'prod': name the run"):
        admin.register_deployment("prod")
    first = pipe.log_run(tag="prod")
    assert admin.register_deployment("prod").tag == "prod"
    second = pipe.log_run(deployment_tag="prod", status="failed")
    with pytest.raises(Conflict, match="2 runs carry the tag 'prod'") as caught:
        admin.register_deployment("prod")
    assert f"{first.id} (finished)" in str(caught.value)
    assert f"{second.id} (failed)" in str(caught.value)
    for ref in (second, second.id, second.key):
        admin.register_deployment("prod", ref)
    assert len(admin.deployments("prod")) == 4


def test_one_deployment_of_a_tag_hands_over_to_the_next(pipe: ArangoPipe, admin: ArangoPipeAdmin) -> None:
    run = pipe.log_run()
    first = admin.register_deployment("prod", run, active_from=day(1))
    other = admin.register_deployment("other", run, active_from=day(1))
    second = admin.register_deployment("prod", run, active_from=day(5))
    ended = pipe.lookup_deployment(first)
    assert (ended.status, ended.active_to) == ("archived", day(5))
    assert pipe.lookup_deployment("prod") == second
    assert [live(admin, "prod", number) for number in (1, 4, 5, 9)] == [
        [first.id],
        [first.id],
        [second.id],
        [second.id],
    ]
    assert pipe.lookup_deployment(other) == other
    third = admin.register_deployment("prod", run, active_from=day(7), keep=True)
    assert live(admin, "prod", 8) == [third.id, second.id]
    assert {deployment.id for deployment in admin.deployments(live_at=day(2))} == {first.id, other.id}
    with pytest.raises(Conflict, match="2 Deployments are called 'prod'"):
        pipe.lookup_deployment("prod")


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ({"active_from": day(2)}, "was live from 2026-03-08.* on, which overlaps"),
        ({"active_from": day(2), "active_to": day(4)}, "overlaps: choose another time"),
        ({"active_from": day(9), "active_to": day(10)}, "overlaps"),
        ({"active_from": day(1), "active_to": day(12)}, "overlaps"),
    ],
)
def test_deployments_of_a_tag_do_not_overlap_unless_kept(
    pipe: ArangoPipe, admin: ArangoPipeAdmin, times: dict[str, Any], said: str
) -> None:
    run = pipe.log_run()
    admin.register_deployment("prod", run, active_from=day(3), active_to=day(6))
    admin.register_deployment("prod", run, active_from=day(8))
    before = changes(pipe)
    with pytest.raises(Conflict, match=said):
        admin.register_deployment("prod", run, **times)
    assert changes(pipe) == before
    assert admin.register_deployment("prod", run, keep=True, **times).tag == "prod"


def test_history_may_be_filled_in(pipe: ArangoPipe, admin: ArangoPipeAdmin) -> None:
    run = pipe.log_run()
    late = admin.register_deployment("prod", run, active_from=day(8))
    early = admin.register_deployment("prod", run, active_from=day(3), active_to=day(6))
    assert early.status == "archived"
    assert [live(admin, "prod", number) for number in (2, 3, 6, 8)] == [[], [early.id], [], [late.id]]


def test_a_scheduled_deployment_is_activated(pipe: ArangoPipe, admin: ArangoPipeAdmin) -> None:
    run = pipe.log_run()
    first = admin.register_deployment("prod", run, active_from=day(1))
    planned = admin.register_deployment("prod", run, schedule="2026-03-05")
    assert (planned.status, planned.active_from) == ("scheduled", None)
    assert planned.scheduled is not None
    assert live(admin, "prod", 9) == [first.id]
    active = admin.activate_deployment("prod", at=day(6), reason="approved")
    assert (active.id, active.status, active.active_from) == (planned.id, "active", day(6))
    assert live(admin, "prod", 5) == [first.id]
    assert live(admin, "prod", 9) == [planned.id]
    assert pipe.history(active)[-1].change.reason == "approved"
    with pytest.raises(Conflict, match="none of prod is scheduled"):
        admin.activate_deployment("prod")
    with pytest.raises(Conflict, match="is scheduled"):
        admin.activate_deployment(first)


def test_an_active_deployment_is_archived_and_a_scheduled_one_called_off(
    pipe: ArangoPipe, admin: ArangoPipeAdmin
) -> None:
    run = pipe.log_run()
    active = admin.register_deployment("prod", run, active_from=day(2))
    planned = admin.register_deployment("prod", run, status="scheduled")
    with pytest.raises(InvalidInput, match="became active"):
        admin.archive_deployment("prod", at=day(1))
    ended = admin.archive_deployment("prod", at=day(4), reason="drift")
    assert (ended.id, ended.status, ended.active_to) == (active.id, "archived", day(4))
    off = admin.archive_deployment("prod")
    assert (off.id, off.status, off.active_to) == (planned.id, "archived", None)
    assert live(admin, "prod", 3) == [active.id]
    assert live(admin, "prod", 9) == []
    with pytest.raises(Conflict, match="none of prod is active or scheduled"):
        admin.archive_deployment("prod")
    with pytest.raises(NotFound):
        admin.archive_deployment("nothing")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"status": "live"}, "no deployment status is called 'live'"),
        ({"schedule": day(1), "active_from": day(1)}, "scheduled has no active_from="),
        ({"status": "active", "schedule": day(1)}, "active has no schedule="),
        ({"status": "active", "active_to": day(1)}, "active has no active_to="),
        ({"active_to": day(1)}, "needs active_from="),
        ({"active_from": day(2), "active_to": day(1)}, "not before it"),
        ({"active_from": datetime.now(timezone.utc) + timedelta(days=1)}, "lies ahead.*schedule="),
        ({"active_from": "soon"}, "is not a time"),
        ({"_x": 1}, "_x"),
    ],
)
def test_deployments_that_make_no_sense_are_refused(
    pipe: ArangoPipe, admin: ArangoPipeAdmin, arguments: dict[str, Any], said: str
) -> None:
    run = pipe.log_run()
    with pytest.raises(InvalidInput, match=said):
        admin.register_deployment("prod", run, **arguments)
    with pytest.raises(InvalidInput, match="tag"):
        admin.register_deployment("", run)
    assert admin.deployments() == ()


def test_a_run_without_parameters_cannot_be_deployed(pipe: ArangoPipe, admin: ArangoPipeAdmin) -> None:
    with pipe.start_run() as run, pytest.raises(Conflict, match="end it before it is deployed"):
        admin.register_deployment("prod", run)
    assert admin.register_deployment("prod", run).tag == "prod"


def test_deployments_as_they_were_recorded(pipe: ArangoPipe, admin: ArangoPipeAdmin) -> None:
    run = pipe.log_run()
    first = admin.register_deployment("prod", run, active_from=day(1))
    admin.register_deployment("prod", run, active_from=day(5))
    then = first.revision
    assert [deployment.id for deployment in admin.deployments(live_at=day(9), as_of=then)] == [first.id]
    assert admin.deployments("prod", as_of=then) == (first,)
    assert admin.deployments(as_of=0) == ()


# --- own kinds -----------------------------------------------------------------------------------


def test_own_kinds_are_known_at_once_and_to_others(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with connect(url) as one, connect(url) as other:
        other.register_dataset("d")
        one.admin.register_node_kind("notebook", "an analysis")
        one.admin.register_edge_kind("notebook_data", "notebook", "dataset", "from", records="it read")
        book = other.register("notebook", "eda")
        edge = other.link(book, "dataset:d", "notebook_data")
        assert edge.target.startswith("datasets/")
        assert other.admin.register("notebook", "two").name == "two"
        assert other.count("notebook") == 2


def test_own_kinds_must_be_new_and_sensible(admin: ArangoPipeAdmin) -> None:
    kind = admin.register_node_kind("notebook")
    edge = admin.register_edge_kind("cites", "notebook", None)
    for taken in ("notebook", "cites", "models", "model", "run_models"):
        with pytest.raises(Conflict, match="is already the name of a kind"):
            admin.register_node_kind(taken)
        with pytest.raises(Conflict, match="is already the name of a kind"):
            admin.register_edge_kind(taken, None, None)
    assert admin.register_node_kind("notebook", exist_ok=True) == kind
    assert admin.register_edge_kind("cites", "notebook", None, exist_ok=True) == edge
    with pytest.raises(Conflict):
        admin.register_node_kind("notebook", "other words", exist_ok=True)
    with pytest.raises(Conflict):
        admin.register_node_kind("models", exist_ok=True)
    for arguments in (("a b", None, None), ("x", "nothing", None), ("x", None, None, "both")):
        with pytest.raises(InvalidInput):
            admin.register_edge_kind(*arguments)  # type: ignore[arg-type]
    assert {found.id for found in (admin.get("kind:notebook"), admin.get("kinds:cites"))} == {
        kind.id,
        edge.id,
    }


# --- deleting ------------------------------------------------------------------------------------


def test_what_is_deleted_is_gone_but_not_from_the_past(pipe: ArangoPipe, admin: ArangoPipeAdmin) -> None:
    data = pipe.register_dataset("d", a=1)
    run = pipe.log_run(dataset=data, params={"x": 1}, metrics={"m": 1})
    change = admin.delete(run, reason="by mistake")
    assert change.reason == "by mistake"
    assert pipe.count("run") == pipe.count("modelparams") == pipe.count("devperf") == 0
    assert pipe.edges(data) == ()
    before = pipe.lookup_run(run, as_of=change.number - 1)
    assert (before.params, before.metrics) == ({"x": 1}, {"m": 1})
    admin.delete("dataset:d")
    assert pipe.register_dataset("d", a=2)["a"] == 2
    with pytest.raises(NotFound, match="deleted it"):
        admin.delete(run)
    with pytest.raises(InvalidInput, match=r"belongs to run/.*delete that"):
        admin.delete(pipe.lookup_devperf(pipe.log_run()))


def test_what_a_live_deployment_depends_on_is_not_deleted(pipe: ArangoPipe, admin: ArangoPipeAdmin) -> None:
    data = pipe.register_dataset("d")
    features = pipe.register_featureset("f", dataset=data)
    model = pipe.register_model("m")
    run = pipe.log_run(model=model, dataset=data, featureset=features)
    first = admin.register_deployment("prod", run, active_from=day(1))
    second = admin.register_deployment("shadow", run, active_from=day(1))
    for ref in (data, features, model, run):
        with pytest.raises(Conflict, match="cannot be deleted") as caught:
            admin.delete(ref)
        for deployment in (first, second):
            said = f"{deployment.id} of {deployment.tag!r} depends on it and is live"
            assert said in str(caught.value)
    with pytest.raises(Conflict, match=rf"{first.id} of 'prod' is live"):
        admin.delete(first)
    with pytest.raises(InvalidInput, match="needs a reason="):
        admin.delete(data, force=True)
    admin.archive_deployment("shadow")
    with pytest.raises(Conflict, match="prod"):
        admin.delete(data)
    assert admin.delete(data, force=True, reason="erasure request 7").reason == "erasure request 7"
    admin.archive_deployment("prod")
    admin.delete(run)
    admin.delete(first)
    assert pipe.get(second) == admin.deployments("shadow")[0]


def meanwhile(admin: ArangoPipeAdmin, method: str, act: Callable[[], object]) -> None:
    """Let something happen just before the administrator's store is written for the first time."""
    original = getattr(admin.store, method)

    def first(*arguments: Any) -> Any:
        setattr(admin.store, method, original)
        act()
        return original(*arguments)

    setattr(admin.store, method, first)


@pytest.mark.parametrize("method", ["write", "erase"])
def test_what_is_deployed_during_a_delete_is_not_deleted(
    pipe: ArangoPipe, admin: ArangoPipeAdmin, method: str
) -> None:
    data = pipe.register_dataset("d")
    run = pipe.log_run(dataset=data)
    other = ArangoPipeAdmin(pipe.store)
    meanwhile(admin, method, lambda: other.register_deployment("prod", run=run))
    with pytest.raises(Conflict, match=r"cannot be .*'prod' depends on it and is live"):
        admin.delete(data) if method == "write" else admin.erase(data, reason="asked to")
    assert pipe.lookup_dataset("d") == data
    meanwhile(admin, "write", lambda: pipe.log_run(dataset=data))
    admin.archive_deployment("prod")
    admin.delete(data)
    assert pipe.search("dataset").items == ()


def test_what_is_linked_below_a_deployment_during_a_delete_is_not_deleted(
    pipe: ArangoPipe, admin: ArangoPipeAdmin
) -> None:
    data, made_from = pipe.register_dataset("d"), pipe.register_dataset("e")
    features = pipe.register_featureset("f", dataset=made_from)
    admin.register_deployment("prod", run=pipe.log_run(featureset=features))
    made = Edge("featureset_dataset", features.id, data.id)
    meanwhile(admin, "write", lambda: pipe.store.write(Batch(uuid7(), edges=(made,))))
    with pytest.raises(Conflict, match="depends on it and is live"):
        admin.delete(data)


def test_what_a_scheduled_deployment_depends_on_is_not_deleted(
    pipe: ArangoPipe, admin: ArangoPipeAdmin
) -> None:
    data = pipe.register_dataset("d")
    admin.register_deployment("next", run=pipe.log_run(dataset=data), schedule="2099-01-01T00:00Z")
    with pytest.raises(Conflict, match="'next' depends on it and is scheduled"):
        admin.delete(data)
    admin.archive_deployment("next")
    admin.delete(data)


@pytest.mark.parametrize("how", ["register", "activate"])
def test_two_administrators_do_not_both_activate_a_tag(
    pipe: ArangoPipe, admin: ArangoPipeAdmin, how: str
) -> None:
    first, second = pipe.log_run(), pipe.log_run()
    waiting = admin.register_deployment("prod", run=first, schedule="2026-01-01T00:00Z")
    other = ArangoPipeAdmin(pipe.store)
    meanwhile(admin, "write", lambda: other.register_deployment("prod", run=second))
    too_late = {
        "register": lambda: admin.register_deployment("prod", run=first),
        "activate": lambda: admin.activate_deployment(waiting),
    }[how]
    with pytest.raises(Conflict, match="overlaps: choose another time"):
        too_late()
    assert [d.status for d in admin.deployments("prod")] == ["active", "scheduled"]


@pytest.mark.parametrize("seed", range(6))
def test_the_guard_agrees_with_a_plain_search_of_the_graph(pipe: ArangoPipe, seed: int) -> None:
    pick = random.Random(seed)
    pipe.admin.register_project("p")
    needs: dict[str, set[str]] = {}
    data = [pipe.register_dataset(f"d{number}") for number in range(4)]
    models = [pipe.register_model(f"m{number}", project="p") for number in range(3)]
    features = []
    for number in range(4):
        made_from = pick.choice(data)
        features.append(pipe.register_featureset(f"f{number}", dataset=made_from))
        needs[features[-1].id] = {made_from.id}
    runs = []
    for _ in range(8):
        used = {
            "dataset": pick.choice(data),
            "featureset": pick.choice(features),
            "model": pick.choice(models),
        }
        runs.append(pipe.log_run(**{name: thing for name, thing in used.items() if pick.random() < 0.7}))
        edges = pipe.edges(runs[-1])
        needs[runs[-1].id] = {end for edge in edges for end in (edge.source, edge.target)} - {runs[-1].id}
    for number, run in enumerate(pick.sample(runs, 3)):
        deployment = pipe.admin.register_deployment(f"t{number}", run=run)
        needs[deployment.id] = {run.id}
        if number == 2:
            pipe.admin.archive_deployment(deployment)
    in_use: set[str] = set()
    queue = [one.id for one in pipe.admin.deployments() if one.status == "active"]
    for thing in queue:
        in_use.add(thing)
        queue += needs.get(thing, set()) - in_use
    for thing in (*data, *models, *features, *runs):
        try:
            pipe.admin.check_free(thing)
        except Conflict:
            assert thing.id in in_use
        else:
            assert thing.id not in in_use


def test_a_project_in_use_is_not_deleted(pipe: ArangoPipe, admin: ArangoPipeAdmin) -> None:
    project = admin.register_project("p")
    model = pipe.register_model("m", project="p")
    run = pipe.log_run(model=model)
    with pytest.raises(Conflict, match="1 model in it; 1 run in it"):
        admin.delete(project)
    admin.delete(run)
    admin.delete(model)
    admin.delete("project:p")
    with pytest.raises(NotFound):
        pipe.lookup_project("p")


def test_a_kind_in_use_is_not_deleted(pipe: ArangoPipe, admin: ArangoPipeAdmin) -> None:
    kind = admin.register_node_kind("notebook")
    edge_kind = admin.register_edge_kind("cites", "notebook", None)
    loose = admin.register_edge_kind("near", None, None)
    book = admin.register("notebook", "eda")
    data = pipe.register_dataset("d")
    pipe.link(book, data, "cites")
    pipe.link(data, book, "near")
    with pytest.raises(Conflict, match="1 things are of this kind; edges of kind 'cites' join"):
        admin.delete(kind, force=True, reason="x")
    for used in (edge_kind, loose):
        with pytest.raises(Conflict, match="there are edges of this kind"):
            admin.delete(used)
    admin.delete(book)
    admin.delete(edge_kind)
    admin.delete(loose)
    admin.delete(kind)
    with pytest.raises(InvalidInput, match="no kind of node is called 'notebook'"):
        pipe.register("notebook", "eda")


def test_erasing_removes_the_content_for_good(pipe: ArangoPipe, admin: ArangoPipeAdmin) -> None:
    data = pipe.register_dataset("d", person="Ann")
    pipe.annotate(data, person="Bob")
    gone = pipe.register_dataset("gone", person="Eve")
    admin.delete(gone)
    before = changes(pipe)
    with pytest.raises(InvalidInput, match="needs a reason="):
        admin.erase(data, reason=" ")
    change = admin.erase(data, gone.id, reason="request 7")
    assert change.reason == "request 7"
    with pytest.raises(NotFound):
        pipe.lookup_dataset("d")
    texts = [entry.text or "" for change in pipe.store.changes(entries=True) for entry in change.entries]
    assert not any(name in text for text in texts for name in ("Ann", "Bob", "Eve"))
    assert changes(pipe) == before + 1


def test_what_a_live_deployment_depends_on_is_not_erased(pipe: ArangoPipe, admin: ArangoPipeAdmin) -> None:
    data = pipe.register_dataset("d")
    run = pipe.log_run(dataset=data)
    admin.register_deployment("prod", run)
    with pytest.raises(Conflict, match="cannot be erased"):
        admin.erase(data, reason="request 7")
    admin.erase(data, reason="request 7", force=True)
    assert pipe.count("datasets") == 0


def test_a_store_that_cannot_erase_says_so() -> None:
    plain: type[Store] = type("Plain", (Store,), dict(vars(MemoryStore)))
    with plain() as store, pytest.raises(Unsupported, match="cannot erase"):
        ArangoPipeAdmin(store).erase("datasets/x", reason="r")


def test_the_administrators_side_stands_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with ArangoPipeAdmin(url, actor="root") as admin:
        assert admin.register_project("p").name == "p"
    with connect(url, capture=False) as pipe:
        run = pipe.log_run(project="p", deployment_tag="prod")
        assert isinstance(run, Run)
        assert isinstance(pipe.admin.register_deployment("prod"), Deployment)
        assert next(iter(pipe.store.changes())).actor == "root"
