"""Isolation: what a principal may see of a store, and that nothing else shows in any way of asking."""

from __future__ import annotations

import base64
import inspect
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from arangopipe import audit
from arangopipe.analysis.answers import Answer
from arangopipe.bundle import export
from arangopipe.errors import ArangopipeError, NotFound, PermissionDenied
from arangopipe.model import times
from arangopipe.model.expressions import Expression, OrderKey
from arangopipe.model.filters import parse_order
from arangopipe.model.graph import Batch, Change, EdgeRef, Graph, Node, Origin, Put
from arangopipe.pipe import ArangoPipe
from arangopipe.roles import Principal
from arangopipe.server.guard import GuardedStore, guarded
from arangopipe.server.redacting import Ledger
from arangopipe.server.visible import Sight
from arangopipe.store import open_store
from arangopipe.store.abilities import Adoption, Backup, Inspection, Maintenance, NativeQuery, Replica
from arangopipe.store.base import AsOf, Store, pages_of
from arangopipe.store.memory import MemoryStore
from arangopipe.store.scope import REDACTED
from arangopipe.testing import StoreContract, build
from arangopipe.testing import strategies as some
from arangopipe.testing.build import edge, every, keys, named, names, search
from secretive import (
    DEPLOYED,
    EVE,
    FIRST,
    HIDDEN,
    KINDS,
    MODEL,
    MOVED,
    OPEN,
    RUN,
    SERVED,
    SHARED,
    THEIR_MODEL,
    THEIR_PARAMS,
    THEIR_RUN,
    THEIR_TOKEN,
    THEIRS,
    TOKEN,
    as_,
    cut,
    fill,
    histories,
    principals,
    st,
)
from servers import emptying

SHORT = settings(
    settings.default,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
NAMES = ("d0", "f1", "m1", "n", "prod", "red")
ENGINES = ["memory", "sqlite"]

# --- the contract --------------------------------------------------------------------------------


class AsAnyone(GuardedStore):
    """One who may write everything under any name, and reads with a role in every project of the suite."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, Principal("root", admin=True))
        self._writer = self._sight
        roles: Any = dict.fromkeys([*ascii_lowercase, "mine", "other"], "admin")
        self._sight = Sight(store, Principal("ann", roles=roles))
        self._part = store.within(self._sight.scope)  # type: ignore[attr-defined]

    def close(self) -> None:
        super().close()
        self._writer.store = self._store

    def _granted(self, batch: Batch) -> Batch | Change:
        reader, self._sight = self._sight, self._writer
        try:
            found = super()._granted(batch)
        finally:
            self._sight = reader
        return found if isinstance(found, Change) else replace(found, actor=batch.actor)

    def erase(self, ids: Sequence[str], actor: str, *rest: Any, **more: Any) -> Change:
        return self._store.erase(ids, actor, *rest, **more)  # type: ignore[attr-defined,no-any-return]


class TestGuarded(StoreContract):
    @pytest.fixture
    def store(self) -> Iterator[Store]:
        with open_store("memory://") as store:
            yield AsAnyone(store)

    @pytest.mark.parametrize("kind", ["run", "deployment"])
    def test_names_of_events_may_repeat(self, store: Store, kind: str) -> None:
        super().test_names_of_events_may_repeat(store, kind)


# --- the same as a store that holds only what is visible -----------------------------------------


def plain(value: Any) -> Any:
    """Return nodes and edges without the number of their revision."""
    if hasattr(value, "revision"):
        return value._replace(revision=0)
    if isinstance(value, (list, tuple)):
        return type(value)(map(plain, value))
    return value


def pages(
    store: Store, kind: str, where: Expression | None, order: Sequence[OrderKey], size: int, at: AsOf
) -> list[Any]:
    return [plain(list(page.items)) for page in pages_of(store, kind, where, order, size, at)]


def rows(store: Store, kind: str, paths: Sequence[str], where: Expression | None, at: AsOf) -> Any:
    links = list(store.vocabulary().edges)
    found = {}
    for chunk in store.columns(kind, paths, where, at, links, documents=True):
        found.update({row[0]: row[1:] for row in zip(*chunk.values(), strict=True)})
    return found


def outcome(ask: Callable[[Store, AsOf], Any], store: Store, at: AsOf) -> Any:
    try:
        return ask(store, at)
    except ArangopipeError as error:
        return type(error), str(error)


def walk_from(start: str, direction: Any, depth: int | None, limit: int, store: Store, at: AsOf) -> Graph:
    return store.traverse([start], direction, depth, limit, at)


def walked(graph: Graph) -> Any:
    """Return what is not redacted of a walk."""
    hidden = {node.id for node in graph if node.text == REDACTED}
    nodes = {i: (plain(node), graph.depths[i]) for i, node in graph.nodes.items() if i not in hidden}
    return graph.start, nodes, {plain(e) for e in graph.edges if not {e.source, e.target} & hidden}


def check_walk(found: Any, expected: Any, limit: int) -> None:
    if not isinstance(expected, Graph):
        assert found == expected
        return
    assert walked(found) == walked(expected)
    # Redacted things that find no room are cut, too.
    assert found.truncated == expected.truncated or (found.truncated and len(found) == limit)
    assert len(found) <= limit
    hidden = {node.id for node in found if node.text == REDACTED}
    assert [node for node in found if node.id in hidden] == [
        Node(*i.split("/"), text=REDACTED) for i in found.nodes if i in hidden
    ]
    for joining in found.edges:
        ends = {joining.source, joining.target} & hidden
        assert not ends or (len(ends), joining.text, joining.revision) == (1, "{}", 0)


def asked_for(part: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a test histories, who asks, and what is asked; as many as the profile has, through `part`."""
    given_ = given(
        history=histories(),
        principal=principals,
        kind=st.sampled_from(KINDS),
        where=st.none() | some.filters(),
        order=some.orders(),
        paths=st.lists(some.paths(), max_size=2),
        size=st.integers(1, 3),
        past=st.none() | st.integers(2, 4),
        depth=st.none() | st.integers(0, 3),
        limit=st.sampled_from([2, 3, 1_000]),
    )
    bounds = settings(SHORT, max_examples=settings.default.max_examples // part)
    return lambda test: bounds(given_(test))


@pytest.mark.parametrize("engine", ENGINES)
@asked_for(part=5)
def test_every_read_is_that_of_a_store_without_what_is_hidden(
    engine: str, tmp_path_factory: pytest.TempPathFactory, history: list[Batch], **asked: Any
) -> None:
    whole = MemoryStore()
    store: Store = whole
    if engine == "sqlite":
        store = open_store(f"sqlite:///{tmp_path_factory.mktemp('guard')}/s.db?durability=relaxed")
    check_reads(whole, store, history, **asked)


@pytest.mark.slow
@pytest.mark.xdist_group("postgres 18")
def test_every_read_on_postgresql_is_that_of_a_store_without_what_is_hidden(postgres18: str) -> None:
    open_store(postgres18).close()
    with emptying(postgres18) as empty:

        @asked_for(part=10)
        def check(history: list[Batch], **asked: Any) -> None:
            empty()
            check_reads(MemoryStore(), open_store(postgres18), history, **asked)

        check()


def check_reads(
    whole: MemoryStore,
    store: Store,
    history: list[Batch],
    principal: Principal,
    kind: str,
    where: Expression | None,
    order: tuple[OrderKey, ...],
    paths: list[Any],
    size: int,
    past: int | None,
    depth: int | None,
    limit: int,
) -> None:
    """Ask a store as a principal what another answers that was cut to what they may see."""
    for batch, each in itertools.product(history, dict.fromkeys([whole, store])):
        last = each.write(batch).number
    at = last if past is None else past
    ids = [row.value.id for name in KINDS for row in whole._history.of_kind(name, last)]
    named = list(itertools.product(KINDS, NAMES))
    texts = [path.text for path in paths]
    asked: list[Callable[[Store, AsOf], Any]] = [
        lambda store, at: plain(store.get(ids, at)),
        lambda store, at: [plain(store.find(kind, name, None, at)) for kind, name in named],
        lambda store, at: [plain(store.called(kind, name, at)) for kind, name in named],
        lambda store, at: store.owned(["r0", "r1", "r2", "r3", "none"], at),
        lambda store, at: sorted(store.last_written(["r0", "r1", "r2", "r3", "none"], at)),
        lambda store, at: [store.points(f"run/r{i}", None, at) for i in range(4)],
        lambda store, at: pages(store, kind, where, order, size, at),
        lambda store, at: pages(store, kind, where, order, 1_000, at),
        lambda store, at: store.count(kind, where, None, at),
        lambda store, at: [store.count(kind, where, text, at) for text in texts],
        lambda store, at: rows(store, kind, texts, where, at),
        lambda store, at: set(plain(store.edges(ids, (), 10_000, at))),
        lambda store, at: len(store.edges(ids, (), limit, at)),
    ]
    with store, cut(whole, principal, at) as expected:
        view = GuardedStore(store, principal)
        for number, ask in enumerate(asked):
            assert outcome(ask, view, past) == outcome(ask, expected, None), number
        for start, direction in itertools.product(ids, ("upstream", "downstream")):
            walk: Any = partial(walk_from, start, direction, depth, limit)
            check_walk(outcome(walk, view, past), outcome(walk, expected, None), limit)


# --- every method, in one world ------------------------------------------------------------------


@pytest.fixture(params=ENGINES)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/w.db?durability=relaxed"
    with open_store(url) as store:
        fill(store)
        yield store


THINGS = [*KINDS, "kinds", "users", "tokens"]
IDS = [OPEN.id, HIDDEN.id, SHARED.id, THEIRS.id, MODEL.id, THEIR_MODEL.id, RUN.id, THEIR_RUN.id, SERVED.id]
IDS += [MOVED.id, THEIR_PARAMS.id, DEPLOYED.id, EVE.id, TOKEN.id, THEIR_TOKEN.id]
PATHS = ["name", "project", "note", "secret", "secret.sha256", "user", "email", "run.note", "run.name"]
PATHS += ["model.technique", "dataset.name", "deployment.tag", "params.secret", "metrics.secret"]
ORDERS = [parse_order(text) for path in PATHS for text in (path, f"{path} desc")]


def walks(store: Store) -> Iterator[Any]:
    for start, direction in itertools.product(IDS, ("upstream", "downstream")):
        yield outcome(partial(walk_from, start, direction, None, 1_000), store, None)


READS: dict[str, Callable[[Store], Any]] = {
    "head": lambda store: [store.head(at) for at in (None, 3, 4, 7)],
    "get": lambda store: [store.get(IDS, at) for at in (None, 3, 4)],
    "owned": lambda store: [store.owned(["01", "02", "03"], at) for at in (None, 4)],
    "last_written": lambda store: [store.last_written(["01", "02", "03"], at) for at in (None, 4)],
    "find": lambda store: [
        store.find(k, n, p)
        for k in THINGS
        for n in ("secret", "secret-data", "eve", "bob")
        for p in (None, "secret")
    ],
    "called": lambda store: [
        store.called(k, n) for k in THINGS for n in ("secret", "secret-data", "eve", "bob", "01", "02", "t2")
    ],
    "search": lambda store: [
        pages(store, k, None, o, 1, at) for k in THINGS for o in ORDERS for at in (None,)
    ],
    "columns": lambda store: [
        list(store.columns(k, PATHS, None, at, list(store.vocabulary().edges), True))
        for k in THINGS
        for at in (None, 4)
    ],
    "count": lambda store: [store.count(k, None, path) for k in THINGS for path in PATHS],
    "edges": lambda store: [store.edges(IDS, (), 10_000, at) for at in (None, 4)],
    "degree": lambda store: [
        store.degree(i, kind, away)
        for i in IDS
        for kind in store.vocabulary().edges
        for away in (True, False)
    ],
    "traverse": lambda store: [
        (g, getattr(g, "nodes", 0), list(getattr(g, "edges", ()))) for g in walks(store)
    ],
    "points": lambda store: [store.points(i) for i in IDS],
    "revisions": lambda store: [
        store.revisions(i) for i in IDS if i != OPEN.id and i != RUN.id and i != MODEL.id
    ],
    "changes": lambda store: [c for c in store.changes(entries=True) if "open" not in c.reason],
    "vocabulary": lambda store: store.vocabulary(reload=True),
}
ELSEWHERE = {"write", "close", "one_moment"}
ABILITIES: dict[str, Callable[[Any], Any]] = {
    "check": lambda store: store.check(),
    "erase": lambda store: store.erase([RUN.id], "eve", "x"),
    "append": lambda store: store.append([]),
    "adopt": lambda store: store.adopt([]),
    "numbers": lambda store: store.numbers(["x"]),
    "edge_revisions": lambda store: store.edge_revisions(EdgeRef("run_datasets", RUN.id, SHARED.id)),
    "ever_linked": lambda store: store.ever_linked(SHARED.id),
    "backup": lambda store: store.backup(Path("x")),
    "schema": lambda store: store.schema(),
    "size": lambda store: store.size(),
    "backups": lambda store: store.backups(),
    "conditions": lambda store: store.conditions(),
    "query": lambda store: store.query("SELECT 1"),
    "explain": lambda store: store.explain("SELECT 1"),
}


def public(kind: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(kind, callable) if not name.startswith("_")}


def test_every_method_of_a_store_is_in_a_table_of_these_tests() -> None:
    kinds = (Maintenance, Replica, Backup, Inspection, NativeQuery)
    abilities = {name for kind in kinds for name in public(kind)}
    assert public(Store) == READS.keys() | ELSEWHERE
    assert abilities == ABILITIES.keys()
    for name in (*READS, *ABILITIES, *ELSEWHERE):
        assert name in vars(GuardedStore), f"{name} is inherited: it reads what nobody has judged"


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("principal", [as_("contributor"), as_("viewer", "joe"), Principal("joe")], ids=str)
def test_no_read_shows_a_word_of_what_is_hidden(world: Store, name: str, principal: Principal) -> None:
    assert "secret" in repr(READS[name](world)) or name in ("vocabulary", "degree", "last_written")
    shown = repr(READS[name](GuardedStore(world, principal)))
    # The path that was asked for is no leak; nor is that a token has a place for what proves it.
    for harmless in [*(repr(path) for path in PATHS), '"secret":null', "secret=None"]:
        shown = shown.replace(harmless, "")
    assert "secret" not in shown


@pytest.mark.parametrize("principal", [as_("contributor"), as_("viewer", "joe"), Principal("joe")], ids=str)
def test_no_count_of_edges_counts_what_is_hidden(world: Store, principal: Principal) -> None:
    view = GuardedStore(world, principal)
    shown = [edge for edge in view.edges(IDS, (), 10_000) if {edge.source, edge.target} & {*IDS}]
    expected = [
        sum(edge.kind == kind and i == (edge.source if away else edge.target) for edge in shown)
        for i in IDS
        for kind in view.vocabulary().edges
        for away in (True, False)
    ]
    assert READS["degree"](view) == expected != READS["degree"](world)


@pytest.mark.parametrize("name", ABILITIES)
def test_abilities_are_for_administrators(world: Store, name: str) -> None:
    view = GuardedStore(world, as_("admin"))
    with pytest.raises(PermissionDenied, match="administrator of the store"):
        ABILITIES[name](view)


def test_an_administrator_has_the_store_itself(world: Store) -> None:
    assert guarded(world, Principal("root", admin=True)) is world
    assert isinstance(guarded(world, as_("admin")), GuardedStore)


# --- ways round ----------------------------------------------------------------------------------


def test_hidden_neighbours_answer_no_filter_order_or_count(world: Store) -> None:
    view = GuardedStore(world, as_("viewer"))
    for text in (
        "run.note = 'secret'",
        "run.note like 's%'",
        "run.name = 'secret-run'",
        "run.project = 'secret'",
    ):
        assert names(search(world, "datasets", text).items)
        assert not search(view, "datasets", text).items
        assert view.count("datasets", search_text(text)) == {None: 0}
        assert len(search(view, "datasets", f"not ({text}) or name = 'x'").items) == 3
    assert names(search(view, "datasets", "run.note = 'open'").items) == ["shared"]
    assert names(search(view, "datasets", "run.note is null").items) == ["mine", "other"]
    # Of two values none counts, of one that one: the hidden one must not make two.
    assert view.count("datasets", by="run.note") == {"open": 1, None: 2}
    assert names(search(view, "datasets", order="run.note desc").items) == ["shared", "mine", "other"]


def test_cursors_hold_nothing_hidden_and_are_no_one_elses(world: Store) -> None:
    view = GuardedStore(world, as_("viewer"))
    for kind, order in itertools.product(
        ("datasets", "run", "modelparams", "devperf", "tokens", "users"), ORDERS
    ):
        page = view.search(kind, None, order, 1)
        while page.cursor is not None:
            state = base64.urlsafe_b64decode(page.cursor + "==")
            assert b"secret" not in state
            page = view.search(kind, None, order, 1, page.cursor)
    page = GuardedStore(world, Principal("root", roles={"secret": "viewer"})).search("datasets", limit=1)
    with pytest.raises(ArangopipeError, match="another search"):
        view.search("datasets", limit=1, cursor=page.cursor)


def search_text(text: str) -> Expression | None:
    from arangopipe.model.filters import parse

    return parse(text)


def test_errors_name_nothing_near_that_is_hidden(world: Store) -> None:
    pipe = ArangoPipe(GuardedStore(world, as_("contributor")))
    for call in (
        lambda: pipe.lookup_dataset("secret-dat"),
        lambda: pipe.lookup_model("secret-mode", project="open"),
        lambda: pipe.lookup_run("run/02"),
        lambda: pipe.lookup_run("secret-ru"),
        lambda: pipe.get("project:secre"),
        lambda: pipe.lineage(f"datasets/{THEIRS.key}"),
    ):
        with pytest.raises(ArangopipeError) as error:
            call()
        assert "secret-data" not in str(error.value)
        assert "secret-model" not in str(error.value)
        assert "secret-run" not in str(error.value)
        assert "'secret'" not in str(error.value)


def test_what_moved_is_judged_by_the_state_asked_for(world: Store) -> None:
    view, late = (
        GuardedStore(world, as_("viewer")),
        GuardedStore(world, Principal("bob", roles={"secret": "viewer"})),
    )
    assert view.get([MOVED.id], FIRST) == (None,)
    assert keys(every(view, "run")) == ["03", "01"]
    assert keys(every(view, "run", FIRST)) == ["01"]
    assert [state.node.project for state in view.revisions(MOVED.id)] == ["open"]
    (state,) = late.revisions(MOVED.id)
    assert (state.node.project, state.closed_by and state.closed_by.number) == ("secret", FIRST + 1)
    assert keys(every(late, "run")) == ["02"]
    assert keys(every(late, "run", FIRST)) == ["03", "02"]


def test_a_walk_shows_what_is_hidden_by_kind_and_key_and_ends_there(world: Store) -> None:
    view = GuardedStore(world, as_("viewer"))
    graph = view.traverse([SHARED.id], "downstream")
    assert set(graph.nodes) == {SHARED.id, RUN.id, MODEL.id, THEIR_RUN.id}
    assert graph.nodes[THEIR_RUN.id] == Node("run", "02", text='{"redacted":true}')
    joining = [edge for edge in graph.edges if edge.source == THEIR_RUN.id]
    assert [(edge.text, edge.revision) for edge in joining] == [("{}", 0)]
    with pytest.raises(NotFound, match=rf"{THEIR_RUN.id} is not there: nothing to walk from"):
        view.traverse([THEIR_RUN.id], "upstream")


def test_changes_are_numbered_alike_and_tell_only_of_what_is_visible(world: Store) -> None:
    view = GuardedStore(world, as_("viewer"))
    links = [(c.number, c.time, c.digest, c.chain) for c in world.changes()]
    assert [(c.number, c.time, c.digest, c.chain) for c in view.changes()] == links
    assert [c.number for c in view.changes(2, 3)] == [3, 4, 5]
    words = {change.number: (change.actor, change.reason) for change in view.changes()}
    assert words[4] == words[7] == ("", "")
    assert words[3] == ("root", "of both, and open")
    told = view.head()
    assert told is not None
    assert (told.number, told.chain, told.actor, told.batch) == (*links[-1][::3], "", "")
    assert view.head(6) == world.head(6)


@pytest.mark.parametrize("engine", ENGINES)
@settings(SHORT, max_examples=settings.default.max_examples // 10)
@given(history=histories(), principal=principals)
def test_a_change_is_told_where_rows_of_it_are_visible(
    engine: str, tmp_path_factory: pytest.TempPathFactory, history: list[Batch], principal: Principal
) -> None:
    url = "memory://" if engine == "memory" else f"sqlite:///{tmp_path_factory.mktemp('told')}/s.db"
    with open_store(url) as store:
        for batch in history:
            store.write(batch)
        gone = [node.id for kind in ("run", "models") for node in every(store, kind)][:2]
        store.erase(gone, "root", "asked for")  # type: ignore[attr-defined]
        whole, view = list(store.changes(entries=True)), GuardedStore(store, principal)
        ledger = Ledger(Sight(store, principal))
        rows = {c.number: ledger._with_entries(c._replace(entries=())).entries[1:] for c in whole}
        told = {c.number for c in view.changes() if c.batch}
        assert told == {number for number, visible in rows.items() if visible}
        assert {c.number: c.entries[1:] for c in view.changes(entries=True)} == rows


def test_what_merging_noted_is_told_of_what_is_visible(world: Store) -> None:
    assert isinstance(world, Replica)
    mine, theirs = (
        named("datasets", "mine too", project="open"),
        named("datasets", "theirs", project="secret"),
    )
    link = edge("related", mine, theirs)
    noted = {"new": [mine.id, theirs.id], "stale": [" ".join(link.ref), "run/nowhere"]}
    first = Origin("0123456789abcdef", 7, times.now(), "eva", build.text(noted))
    puts = tuple(Put(node) for node in (mine, theirs))
    world.adopt([Adoption(Batch("merged", puts, (link,), origin=first))])
    view = GuardedStore(world, as_("viewer"))
    *_, told = view.changes()
    *_, whole = view.changes(entries=True)
    (state,) = view.revisions(mine.id)
    for change in (told, whole, state.change):
        assert change.origin == first._replace(merged=build.text({"new": [mine.id]}))
    assert theirs.id not in str(whole.entries)


def test_the_chain_and_the_whole_are_for_administrators(world: Store, tmp_path: Path) -> None:
    view = GuardedStore(world, as_("admin"))
    with pytest.raises(PermissionDenied, match="administrator"):
        audit.verify(view)
    with pytest.raises(PermissionDenied, match="administrator"):
        export(view, tmp_path / "all.bundle")
    export(view, tmp_path / "open.bundle", project="open")
    for hidden in ("secret", "nowhere"):
        with pytest.raises(PermissionDenied, match=f"to export project '{hidden}' takes a maintainer"):
            export(view, tmp_path / "their.bundle", project=hidden)
    from arangopipe.bundle import import_bundle

    with open_store("memory://") as target:
        import_bundle(target, tmp_path / "open.bundle", actor="root")
        assert {node.project for kind in KINDS for node in every(target, kind)} == {"", "open"}


def test_users_see_themselves_and_their_tokens_without_what_proves_them(world: Store) -> None:
    view, boss = GuardedStore(world, as_("viewer")), GuardedStore(world, as_("admin", "joe"))
    assert names(every(view, "users")) == ["eve"]
    (token,) = every(view, "tokens")
    assert (token.key, token.document["secret"]) == ("t1", None)
    assert [e.target for e in view.edges([EVE.id])] == [OPEN.id]
    # Who gives roles sees to whom, and no more of them.
    assert [(node.name, node.text) for node in every(boss, "users")] == [("bob", "{}"), ("eve", "{}")]
    assert not search(boss, "users", "email like 's%'").items
    assert not every(boss, "tokens")
    assert [e.target for e in boss.edges([EVE.id, HIDDEN.id])] == [OPEN.id]


# --- questions -----------------------------------------------------------------------------------


def log(pipe: ArangoPipe, project: str, number: int, dataset: str, metric: float) -> None:
    model = f"{project}-{number % 3}"
    features = ["a", "a+x"][number % 2]
    columns = dict.fromkeys(features.split("+"), "float")
    pipe.log_run(
        project=project,
        model=pipe.register_model(
            model, project=project, task="t", technique=f"technique-{number % 3}", exist_ok=True
        ),
        dataset=pipe.register_dataset(dataset, exist_ok=True),
        featureset=pipe.register_featureset(features, dataset=dataset, columns=columns, exist_ok=True),
        params={"alpha": number % 4},
        metrics={"rmse": metric},
        key=f"{project}-{number:02}",
        start="2026-01-15T12:00:00Z",
        end="2026-02-01T00:00:00Z",
    )


QUESTIONS: dict[str, Callable[[ArangoPipe], Answer]] = {
    "techniques": lambda pipe: pipe.analysis.techniques(metric="rmse"),
    "feature_techniques": lambda pipe: pipe.analysis.feature_techniques(),
    "useful_features": lambda pipe: pipe.analysis.useful_features(metric="rmse"),
    "effect": lambda pipe: pipe.analysis.effect(metric="rmse", attribute="x"),
    "datasets_used": lambda pipe: pipe.analysis.datasets_used(),
    "leaderboard": lambda pipe: pipe.analysis.leaderboard(metric="rmse"),
    "compare": lambda pipe: pipe.analysis.compare(["red-00", "red-01", "red-02"]),
    "explain_difference": lambda pipe: pipe.analysis.explain_difference("red-00", "red-01"),
    "importance": lambda pipe: pipe.analysis.importance(metric="rmse"),
    "test_set_wear": lambda pipe: pipe.analysis.test_set_wear(metric="rmse"),
}


@pytest.fixture(scope="module")
def asked() -> tuple[ArangoPipe, ArangoPipe]:
    """Return a pipe on a restricted store, and one on a store that holds only what it shows."""
    stores = [MemoryStore(), MemoryStore()]
    for store, projects in zip(stores, (("red", "blue"), ("red",)), strict=True):
        pipe = ArangoPipe(store)
        for project in projects:
            pipe.admin.register_project(project)
        for number, project in itertools.product(range(24), projects):
            extra = 5.0 if project == "blue" else 0.0
            log(pipe, project, number, "d", 10 + number % 3 - number % 2 + 0.01 * (number * 7 % 11) - extra)
    view = GuardedStore(stores[0], Principal("eve", roles={"red": "viewer"}))
    return ArangoPipe(view), ArangoPipe(stores[1])


@pytest.mark.parametrize("name", QUESTIONS)
def test_questions_answer_as_on_a_store_without_what_is_hidden(
    asked: tuple[ArangoPipe, ArangoPipe], name: str
) -> None:
    found, expected = (QUESTIONS[name](pipe).to_dict() for pipe in asked)
    assert found == expected
