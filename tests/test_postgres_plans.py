"""The plans of PostgreSQL at 50,000 runs: what users wait for is found by its index."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from arangopipe import connect
from arangopipe.model.filters import parse, parse_order
from arangopipe.model.graph import Batch, Point, Points
from arangopipe.store import open_store
from arangopipe.store.base import Store
from arangopipe.store.sql.session import Session, numbered
from servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("postgres 18")]

RUNS, NEW_RUNS = 50_000, 2_000
FIRST = 1_000_000
"""The integer of the first node that is copied; those of one run follow each other."""

PATTERN = """
WITH pattern AS (SELECT n.*, row_number() OVER (ORDER BY n.id) AS place FROM node n WHERE n.key = '{key}')
"""

COPIES = f"""
{PATTERN}
INSERT INTO node SELECT {FIRST} + 3 * i + place, kind, 'k' || lpad(i::text, 8, '0'), NULL, NULL, '', revision,
    document, salt FROM pattern, generate_series(1, {{runs}}) AS i;
{PATTERN}
INSERT INTO edge SELECT
    coalesce((SELECT {FIRST} + 3 * i + place FROM pattern WHERE id = e.source), e.source), e.kind,
    coalesce((SELECT {FIRST} + 3 * i + place FROM pattern WHERE id = e.target), e.target),
    e.revision, NULL, e.salt
    FROM edge e, generate_series(1, {{runs}}) AS i
    WHERE e.source IN (SELECT id FROM pattern) OR e.target IN (SELECT id FROM pattern);
{PATTERN}
INSERT INTO value SELECT v.path, CASE WHEN v.number IS NOT NULL THEN (i * 7919) % 10007 END, v.text,
    v.boolean, v.whole, {FIRST} + 3 * i + p.place
    FROM value v JOIN pattern p ON p.id = v.node, generate_series(1, {{runs}}) AS i;
INSERT INTO point SELECT {FIRST} + 3 * i + 1, p.name, p.revision, p.document, p.salt, NULL, NULL, NULL
    FROM point p, generate_series(1, {{runs}}) AS i;
INSERT INTO series SELECT {FIRST} + 3 * i + 1, s.name, s.count, s.step, s.time, s.last, s.low, s.high
    FROM series s, generate_series(1, {{runs}}) AS i;
INSERT INTO node_past SELECT id, kind, key, name, version, project, 1, document, salt, NULL, NULL, 2
    FROM node WHERE id > {FIRST};
INSERT INTO edge_past SELECT source, kind, target, 1, document, salt, 2 FROM edge WHERE source > {FIRST};
INSERT INTO change SELECT {FIRST} + i, 'b' || i, time, actor, action, reason, salt, digest, chain, NULL
    FROM change, generate_series(1, {{runs}}) AS i WHERE number = 1;
"""


@contextmanager
def filled(server: Server, runs: int) -> Iterator[tuple[str, psycopg.Connection[Any]]]:
    """Give the address of a store of many runs, each a copy of one that was logged, and a connection."""
    with server.database(server.template) as name:
        with connect(server.url(name), capture=False) as pipe:
            pipe.admin.register_project("p")
            dataset = pipe.register_dataset("d")
            features = pipe.register_featureset("f", dataset=dataset)
            model = pipe.register_model("m", project="p", technique="ridge")
            key = pipe.log_run(
                project="p",
                dataset=dataset,
                featureset=features,
                model=model,
                params={"alpha": 1, "solver": "lbfgs"},
                metrics={"rmse": 0.5},
            ).key
            points = Points(f"run/{key}", "loss", (Point(1, 1, 0.5),))
            pipe.store.write(Batch("points", points=(points,)))
        options = "-csearch_path=arangopipe"
        with psycopg.connect(server.url(name, options=options), autocommit=True) as connection:
            for statement in COPIES.format(key=key, runs=runs).split(";\n"):
                connection.execute(statement.encode())
            yield server.url(name), connection


@pytest.fixture(scope="module")
def large(server18: Server) -> Iterator[str]:
    with filled(server18, RUNS) as (url, connection):
        connection.execute("VACUUM ANALYZE")
        yield url


@pytest.fixture(scope="module")
def new(server18: Server) -> Iterator[str]:
    """A store of which the server has no statistics yet."""
    with filled(server18, NEW_RUNS) as (url, _):
        yield url


RUN = f"run/k{42:08}"
HOT: dict[str, Callable[[Store], Any]] = {
    "get": lambda store: store.get([RUN]),
    "get many": lambda store: store.get([f"run/k{i:08}" for i in range(20)]),
    "find": lambda store: store.find("datasets", "d"),
    "head": lambda store: store.head(),
    "newest runs": lambda store: store.search("run", limit=20),
    "runs by name": lambda store: store.search("run", parse("name = 'x'"), limit=20),
    "param =": lambda store: store.search("run", parse("params.alpha = 7"), limit=20),
    "metric <": lambda store: store.search("run", parse("metrics.rmse < 3"), limit=20),
    "metric order": lambda store: store.search("run", order=parse_order("metrics.rmse desc"), limit=20),
    "param = by metric": lambda store: store.search(
        "run", parse("params.alpha = 7"), parse_order("metrics.rmse"), limit=20
    ),
    "runs of a model": lambda store: store.search("run", parse("model.technique = 'none'"), limit=20),
    "edges": lambda store: store.edges([RUN]),
    "upstream": lambda store: store.traverse([RUN], "upstream"),
    "downstream": lambda store: store.traverse([RUN], "downstream"),
    "points": lambda store: store.points(RUN),
    "revisions": lambda store: store.revisions(RUN),
    "entries of a change": lambda store: list(store.changes(after=FIRST + 9, limit=1, entries=True)),
    "upstream then": lambda store: store.traverse([RUN], "upstream", as_of=1_000),
}


@pytest.mark.parametrize("question", HOT)
def test_what_users_wait_for_is_found_by_its_index(question: str, large: str) -> None:
    for plan, asked in plans(large, HOT[question]):
        # Of terms there are few.
        assert not re.search(r"Seq Scan on (?!term)", plan), f"{asked}\n{plan}"


@pytest.mark.parametrize("question", ["param = by metric", "metric order", "upstream", "downstream"])
def test_plans_need_no_statistics(question: str, new: str) -> None:
    for plan, asked in plans(new, HOT[question]):
        assert not re.search(r"Seq Scan on (?!term)|Hash Join|Merge Join|Semi Join", plan), f"{asked}\n{plan}"


@pytest.mark.parametrize("order", ["metrics.rmse", "metrics.rmse desc"])
def test_the_first_of_all_are_not_sorted(order: str, new: str) -> None:
    for plan, asked in plans(new, lambda store: store.search("run", order=parse_order(order), limit=20)):
        assert "Sort" not in plan, f"{asked}\n{plan}"


def plans(url: str, ask: Callable[[Store], Any]) -> Iterator[tuple[str, tuple[str, Sequence[Any]]]]:
    """Yield the plan of each statement that a question sends, and the statement."""
    asked: list[tuple[str, Sequence[Any]]] = []
    execute, stream = Session.execute, Session.stream

    def noted(self: Session, sql: str, parameters: Sequence[Any] = ()) -> Any:
        asked.append((numbered(sql)[0], parameters))
        return execute(self, sql, parameters)

    def streamed(self: Session, sql: str, parameters: Sequence[Any], few: int) -> Iterator[Any]:
        if not few:
            asked.append((f"DECLARE it NO SCROLL CURSOR FOR {numbered(sql)[0]}", parameters))
        return stream(self, sql, parameters, few)

    with open_store(url) as store:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Session, "execute", noted)
            patch.setattr(Session, "stream", streamed)
            ask(store)
        assert asked
        with store._database.read() as session:  # type: ignore[attr-defined]
            for sql, parameters in asked:
                lines = session.execute(f"EXPLAIN {sql}", parameters)
                yield "\n".join(line for (line,) in lines), (sql, parameters)
