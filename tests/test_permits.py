"""What a principal may write: roles, shared things, batches sent again, races, and what a refusal says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from arangopipe.errors import (
    AlreadyExists,
    ArangopipeError,
    Conflict,
    InvalidInput,
    NotFound,
    PermissionDenied,
)
from arangopipe.model import times
from arangopipe.model.graph import Batch, Change, Edge, Node, Origin, Put
from arangopipe.model.ids import uuid7
from arangopipe.pipe import ArangoPipe
from arangopipe.roles import Principal
from arangopipe.server.guard import GuardedStore
from arangopipe.store import open_store
from arangopipe.store.base import Store
from arangopipe.store.memory import MemoryStore
from arangopipe.testing.build import batch, edge, named, node_kind, one, owned, points, run, write
from secretive import (
    BOB,
    EVE,
    HIDDEN,
    LINKS,
    MINE,
    MODEL,
    MOVED,
    OPEN,
    OTHER,
    PARAMS,
    RUN,
    SHARED,
    THEIR_PARAMS,
    THEIR_RUN,
    THEIR_TOKEN,
    THEIRS,
    TOKEN,
    as_,
    fill,
)

VIEWER, CONTRIBUTOR, MAINTAINER, ADMIN = (as_(r) for r in ("viewer", "contributor", "maintainer", "admin"))
STRANGER = as_("admin", "joe")
NOBODY = Principal("joe")
LIMITED = Principal("eve", roles={"open": "admin"}, token="t1", limited=True)


@pytest.fixture(params=["memory", "sqlite"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/w.db?durability=relaxed"
    with open_store(url) as store:
        fill(store)
        yield store


def put(node: Node, **changed: Any) -> Batch:
    return batch(Put(node._replace(**changed), "any"))


def token(key: str, **document: Any) -> Node:
    given = {"user": "eve", "purpose": "token", "secret": {"sha256": "x"}, **document}
    return named("models", key, **given)._replace(kind="tokens", key=key, version="")


OWN_RUN = run("09")._replace(project="open")
NEW_DEPLOYMENT = Node("deployment", "d9", "prod", project="open")
NEW_SERVING = Node("servingperf", "s9", project="open")
GRANT = Edge("user_project", BOB.id, OPEN.id, text='{"role":"viewer"}')
ORIGIN = Origin("0123456789abcdef", 1, times.now(), "bob")

# What is written, by whom it may be, and the error of who may not.
TABLE: dict[
    str, tuple[Callable[[], Batch], list[Principal], list[tuple[Principal, type[Exception], str]]]
] = {
    "a thing of a project": (
        lambda: batch(named("models", "new", project="open")),
        [CONTRIBUTOR, STRANGER],
        [
            (VIEWER, PermissionDenied, "is viewer of project 'open': contributor or more may register"),
            (NOBODY, PermissionDenied, "has no role in project 'open'"),
        ],
    ),
    "a whole run": (
        lambda: batch(
            OWN_RUN,
            owned("modelparams", OWN_RUN, {"a": 1}),
            owned("devperf", OWN_RUN, {"a": 1}),
            edges=[
                edge("run_models", MODEL, OWN_RUN),
                edge("run_datasets", OWN_RUN, SHARED),
                edge("run_modelparams", OWN_RUN, "modelparams/09"),
                edge("run_devperf", OWN_RUN, "devperf/09"),
            ],
            points=[points(OWN_RUN, "loss", 1, 2)],
        ),
        [CONTRIBUTOR],
        [(VIEWER, PermissionDenied, "contributor or more may log")],
    ),
    "the params of a run": (
        lambda: put(PARAMS, text='{"a":2}'),
        [CONTRIBUTOR],
        [(VIEWER, PermissionDenied, "modelparams/01: 'eve' is viewer of project 'open'")],
    ),
    "points": (
        lambda: batch(points=[points(RUN, "loss", 9, step=9)]),
        [CONTRIBUTOR],
        [(VIEWER, PermissionDenied, "run/01: 'eve' is viewer")],
    ),
    "a new shared thing": (
        lambda: batch(named("datasets", "new")),
        [CONTRIBUTOR],
        [
            (VIEWER, PermissionDenied, "contributor or more of no project"),
            (NOBODY, PermissionDenied, "contributor or more of no project"),
        ],
    ),
    "a shared thing of one's own": (
        lambda: put(SHARED, text='{"rows":3}'),
        [CONTRIBUTOR],
        [(STRANGER, PermissionDenied, "'joe' may not register what 'eve' shares")],
    ),
    "a move into a project": (
        lambda: put(OTHER, project="open"),
        [CONTRIBUTOR],
        [(STRANGER, PermissionDenied, "what 'eve' shares")],
    ),
    "a move out of sight of others": (
        lambda: put(SHARED, project="open"),
        [],
        [(CONTRIBUTOR, PermissionDenied, "things of projects that you do not see depend on datasets/")],
    ),
    "a move into another's project": (
        lambda: put(MINE, project="secret"),
        [Principal("eve", roles={"open": "contributor", "secret": "contributor"})],
        [
            (ADMIN, PermissionDenied, "has no role in project 'secret'"),
            (Principal("eve", roles={"open": "contributor", "secret": "viewer"}), PermissionDenied, "viewer"),
            (Principal("eve", roles={"open": "viewer", "secret": "admin"}), PermissionDenied, "'open'"),
        ],
    ),
    "a deployment": (
        lambda: batch(NEW_DEPLOYMENT, edges=[edge("deployment_model", NEW_DEPLOYMENT, MODEL)]),
        [MAINTAINER, ADMIN],
        [(CONTRIBUTOR, PermissionDenied, "maintainer or more may deploy")],
    ),
    "serving performance of nothing": (
        lambda: batch(NEW_SERVING._replace(project="")),
        [],
        [(ADMIN, NotFound, "belongs to no deployment")],
    ),
    "an edge from one's own": (
        lambda: batch(edges=[edge("run_datasets", RUN, OTHER)]),
        [CONTRIBUTOR],
        [(VIEWER, PermissionDenied, "may log")],
    ),
    "an edge that lineage is silent about": (
        lambda: batch(edges=[edge("related", OTHER, MODEL)]),
        [CONTRIBUTOR, STRANGER],
        [(VIEWER, PermissionDenied, "may register")],
    ),
    "an edge between things of others": (
        lambda: batch(edges=[edge("featureset_dataset", named("featuresets", "f"), OTHER)]),
        [],
        [(CONTRIBUTOR, NotFound, "is not there: edge 'featureset_dataset' cannot be recorded")],
    ),
    "an edge to what is hidden": (
        lambda: batch(edges=[edge("run_datasets", RUN, THEIRS)]),
        [],
        [(ADMIN, NotFound, f"{THEIRS.id} is not there: edge 'run_datasets' cannot be recorded")],
    ),
    "points of a hidden run": (
        lambda: batch(points=[points(THEIR_RUN, "loss", 1)]),
        [],
        [(ADMIN, NotFound, "run/02 is not there: points of 'loss' cannot be recorded")],
    ),
    "params of a hidden run": (
        lambda: put(THEIR_PARAMS, text="{}"),
        [],
        [(ADMIN, NotFound, "run/02 is not there: modelparams/02 cannot be recorded")],
    ),
    "a taken key": (
        lambda: batch(run("02")._replace(project="open")),
        [],
        [(ADMIN, AlreadyExists, "run/02 is taken: use another key")],
    ),
    "a hidden thing again, as it is": (
        lambda: batch(THEIR_RUN),
        [],
        [(ADMIN, PermissionDenied, "has no role in project 'secret'")],
    ),
    "a revision of what is hidden": (
        lambda: batch(Put(run("02")._replace(project="open"), 3)),
        [],
        [(ADMIN, NotFound, "run/02 is not there (any more): it cannot be revised")],
    ),
    "deleting": (
        lambda: batch(closes=[RUN]),
        [MAINTAINER],
        [(CONTRIBUTOR, PermissionDenied, "maintainer or more may delete")],
    ),
    "deleting what others rest on": (
        lambda: batch(closes=[SHARED]),
        [],
        [(MAINTAINER, PermissionDenied, "depend on datasets/")],
    ),
    "deleting one's shared thing": (
        lambda: batch(closes=[OTHER]),
        [MAINTAINER],
        [(STRANGER, PermissionDenied, "what 'eve' shares")],
    ),
    "deleting what is hidden": (
        lambda: batch(closes=[THEIR_RUN]),
        [],
        [(ADMIN, NotFound, "run/02 is not there (any more): it cannot be closed")],
    ),
    "deleting an edge": (
        lambda: batch(closes=[LINKS[2]]),
        [CONTRIBUTOR],
        [(VIEWER, PermissionDenied, "may log")],
    ),
    "deleting a hidden edge": (
        lambda: batch(closes=[LINKS[3]]),
        [],
        [(ADMIN, NotFound, "is not there (any more): it cannot be closed")],
    ),
    "a new project": (
        lambda: batch(named("project", "new", "")),
        [],
        [(ADMIN, PermissionDenied, "may not register projects: an administrator of the store may")],
    ),
    "a project by another name": (
        lambda: put(OPEN, name="renamed"),
        [],
        [(ADMIN, PermissionDenied, "administrator of the store")],
    ),
    "the document of a project": (
        lambda: put(OPEN, text='{"about":1}'),
        [ADMIN],
        [(MAINTAINER, PermissionDenied, "admin or more may grant")],
    ),
    "the document of a hidden project": (
        lambda: put(HIDDEN, text='{"about":1}'),
        [],
        [(ADMIN, PermissionDenied, "administrator of the store")],
    ),
    "closing a project": (lambda: batch(closes=[OPEN]), [], [(ADMIN, PermissionDenied, "administrator")]),
    "a kind": (lambda: batch(node_kind("x")), [], [(ADMIN, PermissionDenied, "may not register own kinds")]),
    "a user": (lambda: put(BOB, text="{}"), [], [(ADMIN, PermissionDenied, "administrator of the store")]),
    "being an administrator": (
        lambda: put(EVE, text='{"admin":true}'),
        [],
        [(ADMIN, PermissionDenied, "administrator of the store")],
    ),
    "a role": (
        lambda: batch(edges=[GRANT]),
        [ADMIN],
        [(MAINTAINER, PermissionDenied, "admin or more may grant")],
    ),
    "a role in a hidden project": (
        lambda: batch(edges=[GRANT._replace(target=HIDDEN.id)]),
        [],
        [(ADMIN, NotFound, f"{HIDDEN.id} is not there")],
    ),
    "no role": (
        lambda: batch(edges=[GRANT._replace(text='{"role":"king"}')]),
        [],
        [(ADMIN, InvalidInput, "no role is called 'king'")],
    ),
    "taking a role": (
        lambda: batch(closes=[LINKS[7]]),
        [ADMIN],
        [(CONTRIBUTOR, PermissionDenied, "admin or more may grant")],
    ),
    "a token of one's own": (
        lambda: batch(token("t9")),
        [VIEWER],
        [
            (LIMITED, PermissionDenied, "this token is for some projects or roles only"),
            (as_("admin", "joe"), PermissionDenied, "administrator of the store"),
        ],
    ),
    "a password": (
        lambda: batch(token("t9", purpose="password")),
        [],
        [(ADMIN, PermissionDenied, "administrator of the store")],
    ),
    "another token under its key": (
        lambda: put(TOKEN, text=token("t1", role="admin").text),
        [],
        [(ADMIN, PermissionDenied, "administrator of the store")],
    ),
    "ending a token": (lambda: batch(closes=[TOKEN]), [VIEWER], [(STRANGER, NotFound, "is not there")]),
    "ending another's token": (
        lambda: batch(closes=[THEIR_TOKEN]),
        [],
        [(ADMIN, NotFound, "tokens/t2 is not there (any more): it cannot be closed")],
    ),
    "a change of another store": (
        lambda: Batch(uuid7(), (Put(OWN_RUN),), origin=ORIGIN),
        [],
        [(ADMIN, PermissionDenied, "may not import bundles")],
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_a_batch_takes_its_role(world: Store, name: str) -> None:
    make, allowed, refused = TABLE[name]
    before = list(world.changes(entries=True))
    for principal, kind, words in refused:
        with pytest.raises(ArangopipeError) as error:
            GuardedStore(world, principal).write(make())
        assert (error.type, words in str(error.value)) == (kind, True), str(error.value)
        assert list(world.changes(entries=True)) == before
    for principal in allowed[:1]:
        change = GuardedStore(world, principal).write(make())
        assert (change.actor, change.number) == (principal.user, before[-1].number + 1)


@pytest.mark.parametrize("name", [name for name, (_, allowed, _) in TABLE.items() if len(allowed) > 1])
def test_others_may_as_well(world: Store, name: str) -> None:
    make, allowed, _ = TABLE[name]
    for principal in allowed[1:]:
        GuardedStore(world, principal).write(make())


def test_no_refusal_names_what_is_hidden(world: Store) -> None:
    for make, _, refused in TABLE.values():
        for principal, _, _ in refused:
            sent = repr(make())
            with pytest.raises(ArangopipeError) as error:
                GuardedStore(world, principal).write(make())
            if "secret" not in sent:
                assert "secret" not in str(error.value)


def test_a_guess_at_hidden_content_learns_nothing(world: Store) -> None:
    view = GuardedStore(world, ADMIN)
    told = set()
    for guess in (THEIR_RUN, THEIR_RUN._replace(text="{}"), THEIR_RUN._replace(name="x")):
        for expect in ("absent", "any"):
            with pytest.raises(ArangopipeError) as error:
                view.write(batch(Put(guess._replace(project="open"), expect)))  # type: ignore[arg-type]
            told.add(str(error.value))
    assert told == {"run/02 is taken: use another key"}


def test_the_actor_is_who_writes(world: Store) -> None:
    view = GuardedStore(world, CONTRIBUTOR)
    change = write(view, named("datasets", "new"), actor="bob")
    assert (change.actor, one_change(world, change.number).actor) == ("eve", "eve")


def one_change(store: Store, number: int) -> Change:
    return next(iter(store.changes(number - 1, 1)))


def test_what_is_shared_is_its_last_makers(world: Store) -> None:
    write(world, closes=[OTHER], actor="root")
    write(world, OTHER, actor="joe")
    write(world, Put(OTHER._replace(text="{}"), "any"), actor="eve")
    with pytest.raises(PermissionDenied, match="what 'joe' shares"):
        GuardedStore(world, CONTRIBUTOR).write(put(OTHER, text='{"a":1}'))
    GuardedStore(world, STRANGER).write(put(OTHER, text='{"a":1}'))
    write(world, named("datasets", "old"), actor="")
    with pytest.raises(PermissionDenied, match="nobody's"):
        GuardedStore(world, Principal("", roles={"open": "admin"})).write(
            put(named("datasets", "old"), text='{"a":1}')
        )


# --- sent again, and meanwhile -------------------------------------------------------------------


def test_a_batch_sent_again_returns_its_first_result(world: Store) -> None:
    view = GuardedStore(world, MAINTAINER)
    closing = batch(closes=[RUN])
    first = view.write(closing)
    assert view.write(closing) == first
    logged = batch(OWN_RUN)
    first = view.write(logged)
    write(world, Put(OWN_RUN._replace(text='{"x":1}', project="secret"), "any"), actor="root")
    assert view.write(logged) == first


def test_of_anothers_batch_only_the_number_shows(world: Store) -> None:
    theirs = one_change(world, 4)
    for again in (batch(id=theirs.batch), batch(closes=[THEIR_RUN], id=theirs.batch)):
        found = GuardedStore(world, CONTRIBUTOR).write(again)
        assert (found.number, found.actor, found.reason, found.batch) == (4, "", "", "")


def test_a_batch_that_changes_nothing_tells_of_nothing(world: Store) -> None:
    found = GuardedStore(world, CONTRIBUTOR).write(batch(Put(SHARED, "any")))
    assert (found.number, found.actor, found.reason) == (7, "", "")


def test_resting_on_what_is_hidden_tells_nothing(world: Store) -> None:
    view = GuardedStore(world, CONTRIBUTOR)
    view.write(batch(named("datasets", "a"), unchanged=[THEIRS.id, THEIR_RUN.id], since=4))
    with pytest.raises(Conflict, match=MOVED.id):
        view.write(batch(named("datasets", "b"), unchanged=[MOVED.id], since=4))
    GuardedStore(world, MAINTAINER).write(batch(closes=[RUN]))
    with pytest.raises(Conflict, match=RUN.id):
        view.write(batch(named("datasets", "b"), unchanged=[RUN.id], since=4))


class Interrupted(MemoryStore):
    """A store in which something is written just before a batch is."""

    before: Callable[[], object] | None = None

    def write(self, batch: Batch, patience: float | None = None) -> Change:
        first, self.before = self.before, None
        if first is not None:
            first()
        return super().write(batch, patience)


def test_what_moves_while_it_is_judged_is_judged_again() -> None:
    with Interrupted() as store:
        fill(store)
        view = GuardedStore(store, MAINTAINER)
        secretly = RUN._replace(project="secret", text='{"note":"moved"}')
        for sent in (put(RUN, text='{"note":"over"}'), batch(closes=[RUN])):
            store.before = lambda: MemoryStore.write(store, put(secretly))
            with pytest.raises((AlreadyExists, NotFound)):
                view.write(sent)
            assert one(store, RUN) is not None
            MemoryStore.write(store, put(RUN))
        store.before = lambda: MemoryStore.write(store, put(RUN, text='{"note":"meanwhile"}'))
        view.write(put(RUN, text='{"note":"last"}'))
        (node,) = store.get([RUN.id])
        assert node is not None
        assert node.text == '{"note":"last"}'


def test_users_work_with_it_as_with_any_store(world: Store) -> None:
    pipe = ArangoPipe(GuardedStore(world, MAINTAINER), project="open", actor="eve")
    dataset = pipe.register_dataset("d", rows=3)
    model = pipe.register_model("new", task="t", technique="lasso")
    with pipe.start_run(dataset=dataset, model=model, tag="prod", capture=False) as active:
        active.log_params({"alpha": 1})
        active.log_metric("loss", 0.5, step=1)
    deployment = pipe.admin.register_deployment("prod", active_from="2026-01-01")
    pipe.log_serving_perf("prod", {"rmse": 1.0}, period=("2026-02-01", "2026-03-01"))
    assert deployment.project == "open"
    assert pipe.search("run", "metrics.loss < 1 and model.technique = 'lasso'").items
    assert pipe.impact(dataset).live
    pipe.admin.archive_deployment("prod")
    pipe.admin.delete(active.run if hasattr(active, "run") else active, reason="over")
    with pytest.raises(PermissionDenied, match="may not register projects"):
        pipe.admin.register_project("mine")
    with pytest.raises(PermissionDenied, match="administrator"):
        pipe.admin.erase(dataset, reason="asked to")
