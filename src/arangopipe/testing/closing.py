"""Promises about closing, and about own kinds."""

from __future__ import annotations

import pytest

from arangopipe.errors import ArangopipeError, InvalidInput, NotFound
from arangopipe.model.graph import Node, Put
from arangopipe.store.base import Store
from arangopipe.testing.build import (
    edge,
    edge_kind,
    every,
    keys,
    named,
    names,
    node_kind,
    one,
    owned,
    points,
    run,
    search,
    write,
)


class Closing:
    """What `Store.write` promises about what a batch closes."""

    def test_a_closed_node_is_gone(self, store: Store) -> None:
        """Show a closed node in no read, and in every one as of before."""
        data = named("datasets", "d", rows=1)
        write(store, data, run("01"))
        assert write(store, closes=[data]).number == 2
        assert one(store, data) is None
        assert store.find("datasets", "d") == ()
        assert store.count("datasets") == {None: 0}
        assert search(store, "datasets", "rows = 1").items == ()
        assert one(store, data, as_of=1) == data._replace(revision=1)

    def test_closing_takes_the_edges_along(self, store: Store) -> None:
        """Close the edges of a node in either direction, and no others."""
        data, other = named("datasets", "d"), named("datasets", "e")
        features = named("featuresets", "f")
        used, kept = edge("run_datasets", "run/01", data), edge("run_datasets", "run/01", other)
        made, near = edge("featureset_dataset", features, data), edge("related", data, other)
        write(store, data, other, features, run("01"), edges=[used, kept, made, near])
        write(store, closes=[data])
        assert store.edges(["run/01", other.id, features.id, data.id]) == (kept._replace(revision=1),)
        assert len(store.edges([data.id], as_of=1)) == 3

    def test_closing_a_run_takes_what_it_owns(self, store: Store) -> None:
        """Close modelparams, devperf and points along with their run, and all their edges."""
        execution, other = run("01"), run("02")
        params, perf = owned("modelparams", execution, {"a": 1}), owned("devperf", execution, {"m": 1})
        deployment = Node("deployment", "d1", "prod")
        links = [
            edge("run_modelparams", execution, params),
            edge("run_devperf", execution, perf),
            edge("deployment_modelparams", deployment, params),
        ]
        write(store, execution, other, params, perf, deployment, edges=links)
        write(store, points=[points(execution, "loss", 1.0), points(other, "loss", 2.0)])
        write(store, closes=[execution])
        assert store.get(["run/01", "modelparams/01", "devperf/01"]) == (None, None, None)
        assert store.edges(["deployment/d1", "run/01", "modelparams/01"]) == ()
        assert store.points("run/01") == {}
        assert keys(search(store, "run", "metrics.loss > 0").items) == ["02"]
        assert len(store.points("run/01", as_of=2)["loss"]) == 1
        assert len(store.edges(["modelparams/01"], as_of=2)) == 2

    def test_params_can_be_closed_alone(self, store: Store) -> None:
        """Leave the run in place, and let it have others."""
        execution = run("01")
        params = owned("modelparams", execution, {"a": 1})
        write(store, execution, params, edges=[edge("run_modelparams", execution, params)])
        write(store, closes=[params])
        assert keys(every(store, "run")) == ["01"]
        assert search(store, "run", "params.a = 1").items == ()
        write(store, owned("modelparams", execution, {"a": 2}))
        assert keys(search(store, "run", "params.a = 2").items) == ["01"]

    def test_metrics_can_be_closed_alone(self, store: Store) -> None:
        """Keep the points of a run whose devperf is closed, and count them still."""
        execution = run("01")
        perf = owned("devperf", execution, {"loss": 9, "f1": 1})
        write(store, execution, perf, points=[points(execution, "loss", 3.0)])
        write(store, closes=[perf])
        assert keys(search(store, "run", "metrics.loss = 3").items) == ["01"]
        assert search(store, "run", "metrics.f1 = 1").items == ()

    def test_an_edge_can_be_closed_alone_and_made_again(self, store: Store) -> None:
        """Close an edge by its kind and ends."""
        link = edge("related", "run/01", "run/02", why="x")
        write(store, run("01"), run("02"), edges=[link])
        write(store, closes=[link])
        assert store.edges(["run/01"]) == ()
        assert keys(every(store, "run")) == ["02", "01"]
        write(store, edges=[link])
        assert store.edges(["run/01"]) == (link._replace(revision=3),)
        assert store.edges(["run/01"], as_of=1) == (link._replace(revision=1),)
        assert store.edges(["run/01"], as_of=2) == ()

    def test_what_is_not_there_cannot_be_closed(self, store: Store) -> None:
        """Raise `NotFound` for nodes and edges that never were, or are closed already."""
        link = edge("related", "run/01", "run/02")
        write(store, run("01"), run("02"), run("03"), edges=[link])
        for gone in ("run/09", edge("related", "run/02", "run/01"), edge("related", "run/01", "run/09")):
            with pytest.raises(NotFound):
                write(store, closes=[gone])
        write(store, closes=[link, "run/03"])
        for gone in (link, "run/03"):
            with pytest.raises(NotFound):
                write(store, closes=[gone])

    def test_closing_twice_in_a_batch_is_closing(self, store: Store) -> None:
        """Close once what a batch names twice, or closes along with something else."""
        execution = run("01")
        params = owned("modelparams", execution, {"a": 1})
        link = edge("run_modelparams", execution, params)
        write(store, execution, params, edges=[link])
        assert write(store, closes=[link, params, execution, execution]).number == 2
        assert store.get(["run/01", "modelparams/01"]) == (None, None)

    def test_a_batch_may_not_close_what_it_writes(self, store: Store) -> None:
        """Raise `InvalidInput` for a node or edge that is both put and closed."""
        link = edge("related", "run/01", "run/02")
        write(store, run("01"), run("02"), edges=[link])
        with pytest.raises(InvalidInput):
            write(store, Put(run("01"), "any"), closes=["run/01"])
        with pytest.raises(InvalidInput):
            write(store, edges=[link], closes=[link])
        assert len(store.edges(["run/01"])) == 1

    def test_a_batch_may_not_close_what_it_writes_along_with_something_else(self, store: Store) -> None:
        """Raise `InvalidInput` for an edge, params or points of what the same batch closes."""
        execution, other = run("01"), run("02")
        write(store, execution, other)
        for parts in (
            {"edges": [edge("related", execution, other)]},
            {"points": [points(execution, "loss", 1.0)]},
        ):
            with pytest.raises(InvalidInput):
                write(store, closes=[execution], **parts)
        with pytest.raises(InvalidInput):
            write(store, owned("modelparams", execution, {"a": 1}), closes=[execution])
        assert store.head() == list(store.changes())[0]

    def test_a_closed_name_is_free(self, store: Store) -> None:
        """Let another node have the name of one that is closed."""
        write(store, Node("datasets", "k1", "d", "1"))
        write(store, closes=["datasets/k1"])
        write(store, Node("datasets", "k2", "d", "1"))
        assert keys(store.find("datasets", "d")) == ["k2"]
        assert keys(store.find("datasets", "d", as_of=1)) == ["k1"]
        assert keys(store.find("datasets", "d", as_of=2)) == []

    def test_a_closed_node_can_be_made_again(self, store: Store) -> None:
        """Take the same id as a new node, without the edges, params and points it had."""
        execution, data = run("01", "n", x=1), named("datasets", "d")
        link = edge("run_datasets", execution, data)
        params = owned("modelparams", execution, {"a": 1})
        write(store, execution, params, data, edges=[link], points=[points(execution, "loss", 1.0)])
        write(store, closes=[execution])
        write(store, execution)
        assert one(store, execution) == execution._replace(revision=3)
        assert store.edges(["run/01"]) == ()
        assert store.points("run/01") == {}
        assert one(store, params) is None
        assert search(store, "run", "params.a = 1 or metrics.loss = 1 or dataset.name = 'd'").items == ()
        write(store, edges=[link], points=[points(execution, "loss", 2.0)])
        assert [point.value for point in store.points("run/01")["loss"]] == [2.0]
        assert keys(search(store, "run", "metrics.loss = 2 and dataset.name = 'd'").items) == ["01"]
        found = search(store, "run", "params.a = 1 and metrics.loss = 1 and dataset.name = 'd'", as_of=1)
        assert keys(found.items) == ["01"]
        assert search(store, "run", as_of=2).items == ()
        assert store.edges([data.id], as_of=3) == ()
        assert [state.node.revision for state in store.revisions("run/01")] == [1, 3]

    def test_a_node_made_again_counts_as_the_newest(self, store: Store) -> None:
        """Order nodes by when they were created, and a closed one that comes back by when it came back."""
        first, second = named("datasets", "d", version="1"), named("datasets", "d", version="2")
        write(store, first, second)
        write(store, closes=[first])
        write(store, first)
        assert [node.version for node in store.find("datasets", "d")] == ["1", "2"]
        assert [node.version for node in every(store, "datasets")] == ["1", "2"]
        assert [node.version for node in store.find("datasets", "d", as_of=1)] == ["2", "1"]


class Kinds:
    """What a store promises about kinds that users add."""

    def test_an_own_kind_of_node_behaves_as_a_built_in_one(self, store: Store) -> None:
        """Take, find and search nodes of a kind as soon as it is defined."""
        report = named("reports", "r", pages=3)
        with pytest.raises(InvalidInput):
            write(store, report)
        with pytest.raises(InvalidInput):
            search(store, "reports")
        write(store, node_kind("reports"))
        write(store, report)
        assert names(search(store, "reports", "pages > 2").items) == ["r"]
        assert store.find("reports", "r") == (report._replace(revision=2),)
        assert "reports" in store.vocabulary().nodes

    def test_an_own_kind_of_edge_behaves_as_a_built_in_one(self, store: Store) -> None:
        """Take edges between the ends that the definition names, and search across them."""
        report, data = named("reports", "r"), named("datasets", "d", rows=3)
        write(store, node_kind("reports"), edge_kind("cites", "reports", "datasets", "from"))
        link = edge("cites", report, data, page=7)
        write(store, report, data, edges=[link])
        assert store.edges([data.id]) == (link._replace(revision=2),)
        assert names(search(store, "reports", "dataset.rows = 3").items) == ["r"]
        assert names(search(store, "datasets", "reports.name = 'r'").items) == ["d"]
        with pytest.raises(InvalidInput):
            write(store, edges=[edge("cites", data, report)])

    @pytest.mark.parametrize("depends", ["from", "to", None])
    def test_an_own_kind_of_edge_is_walked_as_it_says(self, store: Store, depends: str | None) -> None:
        """Follow an own edge to what its dependent end depends on, and not at all without one."""
        write(store, node_kind("reports"), edge_kind("cites", "reports", "datasets", depends))
        report, data = named("reports", "r"), named("datasets", "d")
        write(store, report, data, edges=[edge("cites", report, data)])
        up = {"from": {report.id: 0, data.id: -1}, "to": {report.id: 0}}.get(depends or "", {report.id: 0})
        down = {report.id: 0, data.id: 1} if depends == "to" else {report.id: 0}
        assert store.traverse([report.id], "upstream").depths == up
        assert store.traverse([report.id], "downstream").depths == down
        assert len(store.edges([report.id])) == 1

    def test_an_own_kind_of_edge_may_link_any_kinds(self, store: Store) -> None:
        """Take any end where the definition names none."""
        write(store, edge_kind("blames", None, None, "to"))
        data, model = named("datasets", "d"), named("models", "m")
        write(store, data, model, edges=[edge("blames", data, model), edge("blames", model, data)])
        assert store.traverse([data.id], "downstream").depths == {data.id: 0, model.id: 1}

    def test_closing_a_definition_takes_the_kind_away(self, store: Store) -> None:
        """Refuse further nodes of a kind whose definition is closed."""
        definition = node_kind("reports")
        write(store, definition)
        write(store, named("reports", "r"))
        write(store, closes=[definition])
        assert "reports" not in store.vocabulary(reload=True).nodes
        with pytest.raises(InvalidInput):
            write(store, named("reports", "s"))

    @pytest.mark.parametrize(
        "definition",
        [
            node_kind("run"),
            node_kind("dataset"),
            node_kind("related"),
            node_kind("two words"),
            edge_kind("cites", "planets", None),
            edge_kind("cites", None, None, "both"),
            edge_kind("run_parent", "run", "run"),
        ],
        ids=lambda node: f"{node.name}-{node.document.get('from')}",
    )
    def test_a_definition_that_makes_no_vocabulary_is_refused(self, store: Store, definition: Node) -> None:
        """Raise when it is written: recorded, it would spoil every later read."""
        write(store, run("01"))
        with pytest.raises(ArangopipeError):
            write(store, definition)
        assert store.vocabulary(reload=True).nodes.keys() >= {"run", "kinds"}
        assert keys(every(store, "run")) == ["01"]
