"""Promises about what hangs on nodes: edges between them, and the points of runs."""

from __future__ import annotations

import pytest

from arangopipe.errors import InvalidInput, NotFound
from arangopipe.model.graph import Point, Points
from arangopipe.store.base import Store
from arangopipe.testing.build import (
    edge,
    named,
    points,
    run,
    search,
    write,
)


class Linking:
    """What edges and points promise."""

    def test_an_edge_needs_both_ends(self, store: Store) -> None:
        """Find the ends in the store or in the batch, else raise `NotFound` naming the missing one."""
        data, execution = named("datasets", "d"), run("01")
        write(store, data)
        with pytest.raises(NotFound, match="run/01"):
            write(store, edges=[edge("run_datasets", execution, data)])
        gone = named("datasets", "gone")
        with pytest.raises(NotFound, match=gone.key):
            write(store, execution, edges=[edge("run_datasets", execution, gone)])
        write(store, execution, edges=[edge("run_datasets", execution, data)])
        assert len(store.edges([data.id])) == 1

    def test_an_edge_to_what_was_closed_is_not_found(self, store: Store) -> None:
        """Treat a closed node as not there."""
        data, execution = named("datasets", "d"), run("01")
        write(store, data, execution)
        write(store, closes=[data])
        with pytest.raises(NotFound):
            write(store, edges=[edge("run_datasets", execution, data)])

    @pytest.mark.parametrize("ends", [("models", "datasets"), ("datasets", "run"), ("run", "models")])
    def test_an_edge_goes_where_the_vocabulary_says(self, store: Store, ends: tuple[str, str]) -> None:
        """Raise `InvalidInput` for an edge between kinds that it does not link."""
        nodes = {"run": run("01"), "datasets": named("datasets", "d"), "models": named("models", "m")}
        write(store, *nodes.values())
        with pytest.raises(InvalidInput):
            write(store, edges=[edge("run_datasets", nodes[ends[0]], nodes[ends[1]])])

    @pytest.mark.parametrize("end", ["run/", "run"])
    def test_every_edge_of_a_batch_goes_from_id_to_id(self, store: Store, end: str) -> None:
        """Raise `InvalidInput` naming the end that is none, also where others of the kind are right."""
        data, execution = named("datasets", "d"), run("01")
        write(store, data, execution)
        with pytest.raises(InvalidInput, match=f"'{end}' is not an id"):
            write(store, edges=[edge("run_datasets", one, data) for one in (execution, end)])

    def test_an_edge_of_an_unknown_kind_is_refused(self, store: Store) -> None:
        """Raise `InvalidInput`."""
        write(store, run("01"), run("02"))
        with pytest.raises(InvalidInput, match="orbits"):
            write(store, edges=[edge("orbits", "run/01", "run/02")])

    @pytest.mark.parametrize("kind", ["related", "run_parent"])
    def test_nothing_is_linked_to_itself(self, store: Store, kind: str) -> None:
        """Raise `InvalidInput` for an edge whose ends are one."""
        write(store, run("01"))
        with pytest.raises(InvalidInput):
            write(store, edges=[edge(kind, "run/01", "run/01")])

    def test_edges_are_unique_by_kind_and_ends(self, store: Store) -> None:
        """Take an equal edge without a change, and one of another kind or direction as another."""
        write(store, run("01"), run("02"))
        first = edge("related", "run/01", "run/02", why="x")
        assert write(store, edges=[first]).number == 2
        assert write(store, edges=[first]).number == 2
        others = [edge("related", "run/02", "run/01"), edge("run_parent", "run/01", "run/02")]
        assert write(store, edges=[first, *others]).number == 3
        found = {found._replace(revision=0): found.revision for found in store.edges(["run/01"])}
        assert found == {first: 2, others[0]: 3, others[1]: 3}

    def test_an_edge_with_another_document_is_revised(self, store: Store) -> None:
        """Replace the document of an edge that is there; the old one stays in the past."""
        write(store, run("01"), run("02"))
        write(store, edges=[edge("related", "run/01", "run/02", why="x")])
        write(store, edges=[edge("related", "run/01", "run/02", why="y")])
        write(store, edges=[edge("related", "run/01", "run/02")])
        assert [found.document for found in store.edges(["run/01"])] == [{}]
        assert store.edges(["run/01"], as_of=2) == (
            edge("related", "run/01", "run/02", why="x")._replace(revision=2),
        )
        assert store.edges(["run/02"], as_of=3)[0].document == {"why": "y"}

    def test_an_edge_may_be_given_twice_but_not_differently(self, store: Store) -> None:
        """Take equal edges of a batch as one, and raise `InvalidInput` where they differ."""
        write(store, run("01"), run("02"))
        link = edge("related", "run/01", "run/02", why="x")
        with pytest.raises(InvalidInput):
            write(store, edges=[link, edge("related", "run/01", "run/02", why="y")])
        write(store, edges=[link, link._replace(revision=5)])
        assert store.edges(["run/01"]) == (link._replace(revision=2),)

    # Points

    def test_points_are_appended_and_come_in_order(self, store: Store) -> None:
        """Return points by step, then time, then as they arrived."""
        execution = run("01")
        first = (Point(2, 20, 0.5), Point(1, 30, 0.25), Point(1, 10, 2))
        write(store, execution, points=[Points("run/01", "loss", first)])
        second = (Point(1, 10, 3.5), Point(-1, 99, 1e300))
        write(store, points=[Points("run/01", "loss", second), points("run/01", "acc", 0.9)])
        assert store.points("run/01") == {
            "loss": [second[1], first[2], second[0], first[1], first[0]],
            "acc": [Point(0, 0, 0.9)],
        }
        assert store.points("run/01", "acc") == {"acc": [Point(0, 0, 0.9)]}
        assert store.points("run/01", "none") == {}
        assert store.points("run/02") == {}

    def test_points_of_one_metric_may_come_in_parts(self, store: Store) -> None:
        """Take several `Points` of one metric in a batch, in their order."""
        parts = [points("run/01", "loss", 1.0), points("run/01", "loss", 2.0)]
        write(store, run("01"), points=parts)
        assert [point.value for point in store.points("run/01")["loss"]] == [1.0, 2.0]

    def test_equal_points_are_kept_twice(self, store: Store) -> None:
        """Append points even if they are there already: only the batch id says what is a retry."""
        write(store, run("01"), points=[points("run/01", "loss", 1.0)])
        assert write(store, points=[points("run/01", "loss", 1.0)]).number == 2
        assert len(store.points("run/01")["loss"]) == 2

    def test_points_that_are_not_finite_are_texts(self, store: Store) -> None:
        """Keep NaN and the infinities as the texts that they are given as."""
        values = ("NaN", 1.5, "Infinity", "-Infinity")
        write(store, run("01"), points=[points("run/01", "loss", *values)])
        assert tuple(point.value for point in store.points("run/01")["loss"]) == values

    @pytest.mark.parametrize(
        "point",
        [
            Point(0, 0, "nan"),
            Point(0, 0, "1.0"),
            Point(0, 0, float("nan")),
            Point(0, 0, float("inf")),
            Point(0, 0, True),
            Point(0, 0, None),  # type: ignore[arg-type]
            Point(0.5, 0, 1.0),  # type: ignore[arg-type]
            Point(0, None, 1.0),  # type: ignore[arg-type]
            Point(2**63, 0, 1.0),
        ],
    )
    def test_a_point_that_is_no_number_is_refused(self, store: Store, point: Point) -> None:
        """Raise `InvalidInput` for a value, step or time that is not what a point holds."""
        write(store, run("01"))
        with pytest.raises(InvalidInput):
            write(store, points=[Points("run/01", "loss", (point,))])

    def test_points_belong_to_a_run(self, store: Store) -> None:
        """Raise `NotFound` without the run, `InvalidInput` for another kind or without a name."""
        write(store, run("01"), data := named("datasets", "d"))
        with pytest.raises(NotFound, match="run/02"):
            write(store, points=[points("run/02", "loss", 1.0)])
        for wrong in (points(data, "loss", 1.0), points("run/01", "", 1.0)):
            with pytest.raises(InvalidInput):
                write(store, points=[wrong])
        assert search(store, "run", "metrics.loss is not null").items == ()
