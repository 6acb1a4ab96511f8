"""A store with an open and a secret project; histories of three projects; stores cut to what is visible."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from arangopipe.model.graph import Batch, Node, Put
from arangopipe.model.ids import uuid7
from arangopipe.roles import Principal
from arangopipe.store.base import Store
from arangopipe.store.memory import MemoryStore
from arangopipe.testing import strategies as some
from arangopipe.testing.build import edge, edge_kind, named, node_kind, owned, points, run, write

PROJECTS = ("red", "green", "blue")
KINDS = ("project", "datasets", "featuresets", "models", "run", "modelparams", "devperf", "deployment")
KINDS += ("servingperf", "reports")
EDGES = ("featureset_dataset", "run_models", "run_datasets", "run_featuresets", "run_modelparams")
EDGES += ("run_devperf", "deployment_model", "deployment_modelparams", "deployment_featureset")
EDGES += ("deployment_servingperf", "project_models", "run_parent", "related", "cites")

# --- one world -----------------------------------------------------------------------------------

OPEN, HIDDEN = named("project", "open", ""), named("project", "secret", "")
SHARED = named("datasets", "shared", rows=1)
OTHER = named("datasets", "other", rows=2)
MINE = named("datasets", "mine", project="open")
THEIRS = named("datasets", "secret-data", project="secret", note="secret")
MODEL = named("models", "m", project="open", technique="ridge")
THEIR_MODEL = named("models", "secret-model", project="secret", technique="secret")
RUN = run("01", "n", note="open")._replace(project="open")
THEIR_RUN = run("02", "secret-run", note="secret")._replace(project="secret")
MOVED = run("03", "moved", note="secret then")._replace(project="secret")
PARAMS, PERF = owned("modelparams", RUN, {"a": 1}), owned("devperf", RUN, {"f": 1})
THEIR_PARAMS = owned("modelparams", THEIR_RUN, {"secret": 1})
THEIR_PERF = owned("devperf", THEIR_RUN, {"secret": 0.5})
DEPLOYED = Node("deployment", "d1", "prod", project="secret", text='{"tag":"secret"}')
SERVED = Node("servingperf", "s1", text='{"secret":3}')
EVE = named("users", "eve", "", full_name="Eve")
BOB = named("users", "bob", "", email="secret@example.org")
TOKEN = Node("tokens", "t1", "laptop", text='{"purpose":"token","secret":{"sha256":"secret"},"user":"eve"}')
THEIR_TOKEN = Node("tokens", "t2", "secret", text='{"purpose":"token","secret":{"sha256":"x"},"user":"bob"}')
NODES = (OPEN, HIDDEN, MINE, THEIRS, MODEL, THEIR_MODEL, RUN, THEIR_RUN, MOVED, PARAMS, PERF)
NODES += (THEIR_PARAMS, THEIR_PERF, DEPLOYED, SERVED, EVE, BOB, TOKEN, THEIR_TOKEN)
LINKS = (
    edge("run_models", MODEL, RUN),
    edge("run_models", THEIR_MODEL, THEIR_RUN, note="secret"),
    edge("run_datasets", RUN, SHARED, roles=["training"]),
    edge("run_datasets", THEIR_RUN, SHARED, note="secret"),
    edge("run_datasets", THEIR_RUN, THEIRS),
    edge("deployment_model", DEPLOYED, THEIR_MODEL),
    edge("deployment_servingperf", DEPLOYED, SERVED),
    edge("user_project", EVE, OPEN, role="contributor"),
    edge("user_project", BOB, HIDDEN, role="admin"),
)
FIRST = 4
"""The number of the last change in which `MOVED` is hidden."""


def fill(store: Store) -> None:
    """Record an open project, a secret one, what they share, and users; in the end a run becomes open."""
    write(store, node_kind("reports"), actor="root")
    write(store, SHARED, OTHER, actor="eve", reason="open")
    write(store, *NODES, edges=LINKS, actor="root", action="both", reason="of both, and open")
    write(store, points=[points(THEIR_RUN, "secret", 1, 2)], actor="bob", action="secret", reason="secret")
    write(store, Put(MOVED._replace(project="open", text='{"note":"open"}'), "any"), actor="root")
    write(store, points=[points(RUN, "loss", 3, 2)], actor="eve")
    write(store, Put(THEIRS._replace(text='{"note":"secret again"}'), "any"), actor="bob", reason="secret")


def as_(role: str, user: str = "eve") -> Principal:
    """Return who has a role in the open project, and none in the secret one."""
    return Principal(user, roles={"open": role})  # type: ignore[dict-item]


# --- histories of three projects -----------------------------------------------------------------

texts = some.canonical_documents()
owning = st.sampled_from(["", *PROJECTS])


@st.composite
def histories(draw: st.DrawFn) -> list[Batch]:
    """Batches that record, link, revise, move and close things of three projects and of none."""
    nodes = [named("project", name) for name in PROJECTS]
    for kind, count in (("datasets", 3), ("featuresets", 2), ("models", 3), ("reports", 2)):
        for i in range(count):
            node = named(kind, f"{kind[0]}{i % 2}", version=str(i), project=draw(owning))
            nodes.append(node._replace(text=draw(texts)))
    for i in range(4):
        project, name = draw(owning), draw(st.sampled_from(["", "n"]))
        nodes.append(Node("run", f"r{i}", name, project=project, text=draw(texts)))
        nodes += [Node(kind, f"r{i}", text=draw(texts)) for kind in ("modelparams", "devperf")]
    for kind, i in (("deployment", 0), ("deployment", 1), ("servingperf", 0), ("servingperf", 1)):
        nodes.append(Node(kind, f"{kind[0]}{i}", "prod", project=draw(owning), text=draw(texts)))
    kinds = [Put(node_kind("reports")), Put(edge_kind("cites", "reports", "datasets", "from"))]
    batches = [Batch(uuid7(), tuple(kinds)), Batch(uuid7(), tuple(Put(node) for node in nodes))]
    series = draw(st.lists(some_points(), max_size=3))
    batches.append(Batch(uuid7(), edges=draw(links(batches[0], nodes)), points=tuple(series)))
    movable = [node for node in nodes if node.kind in ("run", "datasets", "models", "deployment")]
    moved = draw(st.lists(st.sampled_from(movable), max_size=2, unique=True))
    for node in moved:
        batches.append(Batch(uuid7(), (Put(node._replace(project=draw(owning), text=draw(texts)), "any"),)))
    gone = draw(st.lists(st.sampled_from([node for node in movable if node not in moved]), max_size=1))
    return [*batches, *(Batch(uuid7(), closes=(node.id,)) for node in gone)]


@st.composite
def links(draw: st.DrawFn, kinds: Batch, nodes: list[Node]) -> tuple[Any, ...]:
    """Edges of any kind between some nodes."""
    known = MemoryStore()
    known.write(kinds)
    found = {}
    for _ in range(draw(st.integers(4, 16))):
        kind = known.vocabulary().edges[draw(st.sampled_from(EDGES))]
        ids = [[n.id for n in nodes if end in (None, n.kind)] for end in (kind.source, kind.target)]
        ends = [draw(st.sampled_from(each)) for each in ids]
        if ends[0] != ends[1]:
            found[kind.name, ends[0], ends[1]] = edge(kind.name, *ends, x=draw(st.integers(0, 2)))
    return tuple(found.values())


def some_points() -> st.SearchStrategy[Any]:
    return some.series().map(lambda series: series._replace(run=f"run/r{int(series.run[-1]) - 1}"))


principals = st.builds(
    lambda roles: Principal("eve", roles=roles),
    st.dictionaries(st.sampled_from(PROJECTS), st.sampled_from(["viewer", "admin"]), max_size=2),
)


def cut(whole: MemoryStore, principal: Principal, at: int) -> MemoryStore:
    """Return a store that holds only what a principal may see of another, as it was at a change."""
    history, store = whole._history, MemoryStore()

    def shared(node: Node | None) -> bool:
        return node is not None and node.project in ("", *principal.roles)

    def visible(node: Node) -> bool:
        if node.kind == "project":
            return node.name in principal.roles
        if node.kind in ("modelparams", "devperf"):
            return shared(history.node(f"run/{node.key}", at))
        if node.kind == "servingperf":
            of = [e.source for e in history.edges(node.id, at) if e.kind == "deployment_servingperf"]
            seen = [shared(history.node(deployment, at)) for deployment in of]
            return shared(node) and all(seen) and bool(of or node.project)
        return shared(node)

    write(store, *(row.value for row in history.of_kind("kinds", at)))
    rows = {row.value.id: row for kind in KINDS for row in history.of_kind(kind, at) if visible(row.value)}
    nodes = [row.value for row in sorted(rows.values(), key=lambda row: row.sequence)]
    touching = dict.fromkeys(edge for node_id in rows for edge in history.edges(node_id, at))
    series = [
        points(node, name)._replace(points=tuple(found))
        for node in nodes
        if node.kind == "run"
        for name, found in history.points(node.id, at).items()
    ]
    edges = [edge for edge in touching if {edge.source, edge.target} <= rows.keys()]
    write(store, *nodes, edges=edges, points=series)
    return store
