"""Promises about walks: what lineage means."""

from __future__ import annotations

from typing import Any

import pytest

from arangopipe.errors import InvalidInput, NotFound
from arangopipe.model.graph import Edge, Graph, Node
from arangopipe.model.vocabulary import EDGE_KINDS, Direction
from arangopipe.store.base import Store
from arangopipe.testing.build import edge, edge_kind, named, node_kind, owned, run, write


class World:
    """Two models, three runs on two datasets, a deployment of one run, and what hangs on them."""

    def __init__(self, store: Store) -> None:
        self.project = named("project", "p")
        self.d1, self.d2 = named("datasets", "d1"), named("datasets", "d2")
        self.f1 = named("featuresets", "f1")
        self.m1, self.m2 = named("models", "m1"), named("models", "m2")
        self.r1, self.r2, self.r3 = (run(f"0{i}", f"r{i}") for i in (1, 2, 3))
        self.p1, self.p2, self.p3 = (owned("modelparams", r, {"a": 1}) for r in (self.r1, self.r2, self.r3))
        self.q1 = owned("devperf", self.r1, {"rmse": 1})
        self.deployed = Node("deployment", "x1", "prod")
        self.served = Node("servingperf", "s1")
        links = [
            edge("project_models", self.project, self.m1),
            edge("featureset_dataset", self.f1, self.d1),
            edge("run_models", self.m1, self.r1),
            edge("run_models", self.m1, self.r2),
            edge("run_models", self.m2, self.r3),
            edge("run_datasets", self.r1, self.d1, roles=["training"]),
            edge("run_featuresets", self.r1, self.f1),
            edge("run_datasets", self.r2, self.d2),
            edge("run_datasets", self.r3, self.d1),
            edge("run_modelparams", self.r1, self.p1),
            edge("run_modelparams", self.r2, self.p2),
            edge("run_modelparams", self.r3, self.p3),
            edge("run_devperf", self.r1, self.q1),
            edge("run_parent", self.r2, self.r1),
            edge("related", self.d1, self.d2),
            edge("deployment_model", self.deployed, self.m1),
            edge("deployment_modelparams", self.deployed, self.p1),
            edge("deployment_featureset", self.deployed, self.f1),
            edge("deployment_servingperf", self.deployed, self.served),
        ]
        nodes = [node for node in vars(self).values() if isinstance(node, Node)]
        write(store, *nodes, edges=links)
        self.names = {node.id: name for name, node in vars(self).items() if isinstance(node, Node)}

    def depths(self, graph: Graph) -> dict[str, int]:
        """Return the depths of a graph by the names above."""
        return {self.names[node_id]: depth for node_id, depth in graph.depths.items()}


class Walking:
    """Where a walk goes, and where it ends."""

    def test_upstream_of_a_model_are_its_runs_and_their_inputs(self, store: Store) -> None:
        """Expand a model where the walk starts there."""
        world = World(store)
        found = store.traverse([world.m1.id], "upstream")
        assert world.depths(found) == {"m1": 0, "r1": -1, "r2": -1, "d1": -2, "f1": -2, "d2": -2}

    def test_downstream_of_a_dataset_are_the_models_trained_on_it(self, store: Store) -> None:
        """Reach models through runs, but not what else came from these models."""
        world = World(store)
        found = store.traverse([world.d2.id], "downstream")
        assert world.depths(found) == {"d2": 0, "r2": 1, "m1": 2, "p2": 2}
        found = store.traverse([world.d1.id], "downstream")
        assert world.depths(found) == {
            "d1": 0, "f1": 1, "r1": 1, "r3": 1, "deployed": 2, "m1": 2, "m2": 2, "p1": 2, "p3": 2, "q1": 2,
            "served": 3,
        }  # fmt: skip

    def test_a_deployment_comes_from_one_run_of_its_model(self, store: Store) -> None:
        """Reach the run through the params that are deployed, and none of the model's other runs."""
        world = World(store)
        found = store.traverse([world.deployed.id], "upstream")
        assert world.depths(found) == {"deployed": 0, "f1": -1, "m1": -1, "p1": -1, "d1": -2, "r1": -2}

    def test_a_run_and_its_model_are_both_up_and_downstream(self, store: Store) -> None:
        """Follow ``run_models`` from either end in both walks; the model is a leaf there."""
        world = World(store)
        up, down = (world.depths(store.traverse([world.r3.id], way)) for way in _WAYS)
        assert up == {"r3": 0, "d1": -1, "m2": -1}
        assert down == {"r3": 0, "m2": 1, "p3": 1}
        up, down = (world.depths(store.traverse([world.m2.id], way)) for way in _WAYS)
        assert up == {"m2": 0, "r3": -1, "d1": -2}
        assert down == {"m2": 0, "r3": 1, "p3": 2}

    def test_downstream_of_a_model_are_its_deployments(self, store: Store) -> None:
        """Follow everything that depends on the model, its runs included."""
        world = World(store)
        assert world.depths(store.traverse([world.m1.id], "downstream")) == {
            "m1": 0, "deployed": 1, "r1": 1, "r2": 1, "p1": 2, "p2": 2, "q1": 2, "served": 2,
        }  # fmt: skip

    def test_what_was_measured_comes_from_what_was_run(self, store: Store) -> None:
        """Go from performance to run, and from serving performance to deployment."""
        world = World(store)
        found = world.depths(store.traverse([world.q1.id], "upstream"))
        assert found == {"q1": 0, "r1": -1, "d1": -2, "f1": -2, "m1": -2}
        found = world.depths(store.traverse([world.served.id], "upstream", depth=2))
        assert found == {"served": 0, "deployed": -1, "f1": -2, "m1": -2, "p1": -2}
        assert world.depths(store.traverse([world.served.id], "downstream")) == {"served": 0}

    def test_membership_and_links_are_not_lineage(self, store: Store) -> None:
        """Follow neither ``project_models`` nor ``run_parent`` nor ``related``."""
        world = World(store)
        for way in _WAYS:
            assert world.depths(store.traverse([world.project.id], way)) == {"project": 0}
        assert "r2" not in world.depths(store.traverse([world.r1.id], "downstream"))
        assert "r1" not in world.depths(store.traverse([world.r2.id], "upstream"))

    def test_a_graph_holds_the_nodes_and_edges_of_the_walk(self, store: Store) -> None:
        """Give nodes and edges as recorded, and the dependent end of each kind of edge."""
        world = World(store)
        found = store.traverse([world.deployed.id], "upstream")
        assert found.start == (world.deployed.id,)
        assert found.nodes[world.r1.id] == world.r1._replace(revision=1)
        assert found.nodes.keys() == found.depths.keys()
        expected = {
            edge("deployment_model", world.deployed, world.m1),
            edge("deployment_modelparams", world.deployed, world.p1),
            edge("deployment_featureset", world.deployed, world.f1),
            edge("featureset_dataset", world.f1, world.d1),
            edge("run_modelparams", world.r1, world.p1),
            edge("run_datasets", world.r1, world.d1, roles=["training"]),
            edge("run_featuresets", world.r1, world.f1),
            edge("run_models", world.m1, world.r1),
        }
        assert {link._replace(revision=0) for link in found.edges} == expected
        assert len(found.edges) == len(expected)
        assert all(found.depends[link.kind] == EDGE_KINDS[link.kind].depends for link in found.edges)
        assert not found.truncated
        assert set(found.ancestors(world.deployed.id)) == found.nodes.keys() - {world.deployed.id}

    def test_a_walk_may_start_at_several_nodes(self, store: Store) -> None:
        """Take the least distance from any of them, and each start once."""
        world = World(store)
        start = [world.r3.id, world.d2.id, world.r3.id]
        found = store.traverse(start, "downstream")
        assert found.start == (world.r3.id, world.d2.id)
        assert world.depths(found) == {"r3": 0, "d2": 0, "m2": 1, "p3": 1, "r2": 1, "m1": 2, "p2": 2}
        found = store.traverse([world.deployed.id, world.m1.id], "upstream")
        assert world.depths(found)["r2"] == -1
        assert len(store.traverse([], "upstream")) == 0

    def test_a_walk_starts_at_what_is_there(self, store: Store) -> None:
        """Raise `NotFound` naming a start that is not there."""
        world = World(store)
        for start in (["run/09"], [world.r1.id, "planets/mars"]):
            with pytest.raises(NotFound, match=start[-1]):
                store.traverse(start, "upstream")
        write(store, closes=[world.d1])
        with pytest.raises(NotFound):
            store.traverse([world.d1.id], "downstream")

    def test_each_node_is_given_once_at_its_least_depth(self, store: Store) -> None:
        """Reach the foot of a diamond, and of a ladder of short cuts, by the shortest way."""
        nodes = _chain_of_parts(store, 6, shortcuts=[(0, 2), (1, 4), (0, 3), (2, 5)])
        found = store.traverse([nodes[0].id], "upstream")
        assert [found.depths[node.id] for node in nodes] == [0, -1, -1, -1, -2, -2]
        found = store.traverse([nodes[5].id], "downstream")
        assert [found.depths[node.id] for node in nodes] == [2, 2, 1, 2, 1, 0]
        assert len(found.edges) == 9

    def test_a_walk_around_a_circle_ends(self, store: Store) -> None:
        """Stop where everything has been seen; the start stays at depth 0."""
        nodes = _chain_of_parts(store, 4, shortcuts=[(3, 0)])
        for way, sign in (("upstream", -1), ("downstream", 1)):
            found = store.traverse([nodes[0].id], _way(way))
            order = nodes if sign < 0 else [nodes[0], *nodes[:0:-1]]
            assert [found.depths[node.id] for node in order] == [0, sign, 2 * sign, 3 * sign]
            assert len(found.edges) == 4
            assert not found.truncated

    def test_depth_bounds_a_walk(self, store: Store) -> None:
        """Go as many edges as asked, and say whether anything lies beyond."""
        nodes = _chain_of_parts(store, 5)
        for depth in range(5):
            found = store.traverse([nodes[0].id], "upstream", depth=depth)
            assert len(found) == depth + 1
            assert len(found.edges) == depth
            assert found.truncated == (depth < 4)
        assert not store.traverse([nodes[0].id], "upstream", depth=99).truncated

    def test_a_bound_that_cuts_nothing_is_not_told(self, store: Store) -> None:
        """Call a graph whole where only known nodes and leaves lie beyond the bound."""
        world = World(store)
        assert store.traverse([world.r3.id], "upstream", depth=1).truncated is False
        assert store.traverse([world.d2.id], "downstream", depth=2).truncated is False
        assert store.traverse([world.d2.id], "downstream", depth=1).truncated is True
        nodes = _chain_of_parts(store, 3, shortcuts=[(2, 0)])
        assert store.traverse([nodes[0].id], "upstream", depth=2).truncated is False

    def test_limit_bounds_a_walk(self, store: Store) -> None:
        """Give as many nodes as asked, the nearest, and say whether there are more."""
        nodes = _chain_of_parts(store, 9, shortcuts=[(0, i) for i in range(2, 6)])
        for limit in range(1, 12):
            found = store.traverse([nodes[0].id], "upstream", limit=limit)
            assert len(found) == min(limit, 9)
            assert found.truncated == (limit < 9)
            whole = store.traverse([nodes[0].id], "upstream").depths
            assert all(whole[node_id] == depth for node_id, depth in found.depths.items())
            assert sorted(map(abs, found.depths.values())) == sorted(map(abs, whole.values()))[:limit]
            assert all({link.source, link.target} <= found.nodes.keys() for link in found.edges)

    def test_limit_bounds_the_start_too(self, store: Store) -> None:
        """Give no more nodes than the limit, however many the walk starts at."""
        nodes = _chain_of_parts(store, 4)
        found = store.traverse([node.id for node in nodes], "upstream", limit=2)
        assert len(found) == 2
        assert found.truncated
        start = [nodes[0].id, nodes[0].id, nodes[2].id]
        found = store.traverse(start, "upstream", limit=2)
        assert set(found.nodes) == {nodes[0].id, nodes[2].id}
        assert found.truncated

    @pytest.mark.parametrize(
        "bound", [{"depth": -1}, {"depth": True}, {"limit": 0}, {"limit": -5}, {"depth": "1"}]
    )
    def test_a_bound_is_a_whole_number(self, store: Store, bound: dict[str, Any]) -> None:
        """Raise `InvalidInput` for a negative depth, a limit below 1, and what is no number."""
        write(store, run("01"))
        with pytest.raises(InvalidInput):
            store.traverse(["run/01"], "upstream", **bound)

    def test_a_walk_may_be_long_or_wide(self, store: Store) -> None:
        """Walk hundreds of edges deep, and thousands of nodes wide."""
        nodes = _chain_of_parts(store, 300, shortcuts=[(0, i) for i in range(2, 100)])
        assert store.traverse([nodes[0].id], "upstream").depths[nodes[299].id] == -201
        data, runs = named("datasets", "d"), [run(f"{i:05}") for i in range(2_500)]
        write(store, data, *runs, edges=[edge("run_datasets", node, data) for node in runs])
        assert len(store.traverse([data.id], "downstream")) == 2_501

    def test_a_walk_shows_the_graph_as_it_was(self, store: Store) -> None:
        """Walk the edges and nodes recorded at a moment."""
        world = World(store)
        changed = edge("run_datasets", world.r1, world.d1, roles=["test"])
        write(store, edges=[changed, edge("run_datasets", world.r3, world.d2)])
        write(store, closes=[world.r2])
        now = world.depths(store.traverse([world.d2.id], "downstream"))
        assert now == {"d2": 0, "r3": 1, "m2": 2, "p3": 2}
        second = world.depths(store.traverse([world.d2.id], "downstream", as_of=2))
        assert second == {"d2": 0, "r2": 1, "r3": 1, "m1": 2, "m2": 2, "p2": 2, "p3": 2}
        first = world.depths(store.traverse([world.d2.id], "downstream", as_of=1))
        assert first == {"d2": 0, "r2": 1, "m1": 2, "p2": 2}
        roles = [_roles(store.traverse([world.r1.id], "upstream", as_of=at)) for at in (1, 2, None)]
        assert roles == [["training"], ["test"], ["test"]]


_WAYS: tuple[Direction, Direction] = ("upstream", "downstream")


def _way(text: str) -> Direction:
    return "upstream" if text == "upstream" else "downstream"


def _roles(graph: Graph) -> list[str]:
    return [role for link in graph.edges for role in link.document.get("roles", ())]


def _chain_of_parts(
    store: Store, count: int, shortcuts: list[tuple[int, int]] | tuple[()] = ()
) -> list[Node]:
    """Record parts of an own kind, each made from the next, and short cuts between them."""
    if "parts" not in store.vocabulary(reload=True).nodes:
        write(store, node_kind("parts"), edge_kind("made_from", "parts", "parts", "from"))
    nodes = [named("parts", f"part {i}") for i in range(count)]
    pairs = [(i, i + 1) for i in range(count - 1)] + list(shortcuts)
    links: list[Edge] = [edge("made_from", nodes[i], nodes[j]) for i, j in pairs]
    write(store, *nodes, edges=links)
    return nodes
