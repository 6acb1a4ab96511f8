"""The aggregate questions (target P6) against hand-written SQL over the same tables.

    python benchmarks/questions.py [--sizes 1000,10000,100000] [--folder DIR] [--only effect,techniques]

Makes a store of each size (kept in the folder, and used again), asks each question three times, and prints
the median time, that of SQL by hand for the same figures, and the ratio. The figures of both are compared.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import arangopipe
from arangopipe.pipe import ArangoPipe

TECHNIQUES = ("ridge", "lasso", "svr", "knn", "forest")
EXTRAS = ("", "s1", "s2", "s3", "s4", "s5", "s6")
DATASETS = 4
ROUNDS = 3


def runs(pipe: ArangoPipe, size: int) -> Iterator[dict[str, Any]]:
    """Yield a full factorial of techniques, featuresets and datasets, with as many seeds as it takes."""
    pipe.admin.register_project("p")
    models = [pipe.register_model(name, project="p", task="t", technique=name) for name in TECHNIQUES]
    data = [pipe.register_dataset(f"d{i}") for i in range(DATASETS)]
    sets = {
        (i, extra): pipe.register_featureset(
            f"f{i}+{extra}",
            dataset=dataset,
            columns={"a": "float", "b": "float", **({extra: "float"} if extra else {})},
        )
        for i, dataset in enumerate(data)
        for extra in EXTRAS
    }
    for number in range(size):
        seed, cell = divmod(number, len(TECHNIQUES) * len(EXTRAS) * DATASETS)
        cell, technique = divmod(cell, len(TECHNIQUES))
        i, extra = divmod(cell, len(EXTRAS))
        noise = ((number * 2654435761) % 1_000_003) / 1_000_003
        yield {
            "model": models[technique],
            "datasets": {"training": data[i], "test": data[i]},
            "featureset": sets[i, EXTRAS[extra]],
            "params": {f"p{k}": float(technique + k) for k in range(15)},
            "metrics": {"rmse": 50 + noise - extra / 3, "mae": 40 + noise, "r2": 0.5},
            "seed": seed,
            "start": f"2026-{1 + number % 12:02}-01T00:00:00Z",
            "end": f"2026-{1 + number % 12:02}-02T00:00:00Z",
        }


def store(folder: Path, size: int) -> Path:
    """Return the file of a store of that size, made if it is not there."""
    path = folder / f"questions-{size}.db"
    if not path.exists():
        making = path.with_suffix(".new")
        with arangopipe.connect(f"sqlite:///{making}?durability=relaxed", capture=False) as pipe:
            pipe.log_runs(runs(pipe, size), 5_000)
        making.rename(path)
    return path


TERM = "(SELECT id FROM term WHERE text = '{}')"
RMSE, TASK, TECHNIQUE, START, SEED = map(
    TERM.format, ("run:metrics.rmse", "models:task", "models:technique", "run:start", "run:seed")
)
MODELS, USED, FEATURES, RUN, PARAMS, SETS = map(
    TERM.format, ("run_models", "run_datasets", "run_featuresets", "run", "modelparams", "featuresets")
)

SQL = {
    "techniques": f"""
        SELECT t.value, count(*), min(v.value), avg(v.value) FROM value t
        JOIN edge e ON e.source = t.node AND e.kind = {MODELS}
        JOIN value v ON v.path = {RMSE} AND v.node = e.target
        WHERE t.path = {TECHNIQUE} GROUP BY 1 ORDER BY 1""",
    "datasets_used": f"""
        SELECT substr(s.value, 1, 7), count(DISTINCT e.target), count(*) FROM value s
        JOIN edge e ON e.source = s.node AND e.kind = {USED}
        WHERE s.path = {START} GROUP BY 1 ORDER BY 1""",
    "leaderboard": f"""
        SELECT n.key, v.value FROM value v JOIN node n ON n.id = v.node
        WHERE v.path = {RMSE} ORDER BY v.value LIMIT 10""",
    "effect": f"""
        WITH featureset AS MATERIALIZED (
            SELECT n.id, EXISTS (SELECT 1 FROM json_each(n.document, '$.columns') WHERE key = 's5') AS arm
            FROM node n WHERE n.kind = {SETS} AND 0 = (
              SELECT count(*) FROM json_each(n.document, '$.columns') WHERE key NOT IN ('a', 'b', 's5'))),
        technique AS MATERIALIZED (SELECT node, value FROM value WHERE path = {TECHNIQUE}),
        metric AS MATERIALIZED (SELECT node, value FROM value WHERE path = {RMSE}),
        seed AS MATERIALIZED (SELECT node, value FROM value WHERE path = {SEED}),
        arm AS MATERIALIZED (
            SELECT f.arm, d.target AS data, t.value AS technique, s.value AS seed, p.document AS params,
                   v.value AS metric
            FROM featureset f CROSS JOIN edge e ON e.target = f.id AND e.kind = {FEATURES}
            CROSS JOIN edge d ON d.source = e.source AND d.kind = {USED}
            CROSS JOIN edge m ON m.target = e.source AND m.kind = {MODELS}
            CROSS JOIN technique t ON t.node = m.source
            CROSS JOIN node n ON n.id = e.source
            CROSS JOIN node p ON p.kind = {PARAMS} AND p.key = n.key
            CROSS JOIN metric v ON v.node = e.source
            CROSS JOIN seed s ON s.node = e.source)
        SELECT technique, count(*), avg(d) FROM (
            SELECT technique, avg(CASE arm WHEN 1 THEN metric END) - avg(CASE arm WHEN 0 THEN metric END) AS d
            FROM arm GROUP BY data, technique, seed, params HAVING count(DISTINCT arm) = 2)
        GROUP BY 1 ORDER BY 1""",
    "test_set_wear": f"""
        WITH technique AS MATERIALIZED (SELECT node, value FROM value WHERE path = {TECHNIQUE}),
        metric AS MATERIALIZED (SELECT node, value FROM value WHERE path = {RMSE})
        SELECT d.target, count(*), min(v.value),
          count(DISTINCT t.value || ' ' || f.target || ' ' || p.document)
        FROM edge d
        CROSS JOIN metric v ON v.node = d.source
        CROSS JOIN edge f ON f.source = d.source AND f.kind = {FEATURES}
        CROSS JOIN edge m ON m.target = d.source AND m.kind = {MODELS}
        CROSS JOIN technique t ON t.node = m.source
        CROSS JOIN node n ON n.id = d.source
        CROSS JOIN node p ON p.kind = {PARAMS} AND p.key = n.key
        WHERE d.kind = {USED} AND d.document LIKE '%test%' GROUP BY 1 ORDER BY 1""",
}  # fmt: skip


def answers(pipe: ArangoPipe) -> dict[str, Callable[[], Any]]:
    """Return the questions, each with the figures that its SQL gives, where there is any."""
    ask = pipe.analysis
    return {
        "techniques": lambda: [
            (i.technique, i.counted, i.best)
            for i in sorted(ask.techniques("t", metric="rmse").items, key=str)
        ],
        "datasets_used": lambda: [
            (p.period, len(p.datasets), p.runs) for p in ask.datasets_used("t").periods
        ],
        "leaderboard": lambda: [i.value for i in ask.leaderboard("t", metric="rmse").items],
        "effect": lambda: [
            (name, part.pairs, round(part.estimate, 9))
            for name, part in sorted(
                ask.effect(attribute="s5", metric="rmse", task="t").per_technique.items()
            )
        ],
        "test_set_wear": lambda: sorted(
            (i.choices, i.raw_best, i.configurations)
            for i in ask.test_set_wear(metric="rmse", task="t").items
        ),
        "useful_features": lambda: ask.useful_features("t", metric="rmse"),
        "feature_techniques": lambda: ask.feature_techniques("t"),
        "importance": lambda: _refused(lambda: ask.importance("rmse", "t")),
    }


def _refused(question: Callable[[], Any]) -> Any:
    try:
        return question()
    except arangopipe.InvalidInput:  # these params vary within no technique
        return None


def figures(name: str, rows: list[Any]) -> Any:
    """Return the figures of an SQL answer in the form that ours have."""
    if name == "techniques":
        return [row[:3] for row in rows]
    if name == "leaderboard":
        return [row[1] for row in rows]
    if name == "effect":
        return [(row[0], row[1], round(row[2], 9)) for row in rows]
    return sorted(row[1:] for row in rows) if name == "test_set_wear" else rows


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the median time in milliseconds, and the answer."""
    times, answer = [], None
    for _ in range(ROUNDS):
        start = time.perf_counter()
        answer = work()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000, answer


def _rows(raw: sqlite3.Connection, sql: str) -> list[Any]:
    return raw.execute(sql).fetchall()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp())
    print(f"{'question':<20}{'runs':>9}{'ours ms':>11}{'SQL ms':>10}{'ratio':>8}")
    for size in map(int, given.sizes.split(",")):
        path = store(folder, size)
        raw = sqlite3.connect(path)
        raw.execute("PRAGMA cache_size = -65536")
        with arangopipe.connect(f"sqlite:///{path}", capture=False) as pipe:
            for name, question in answers(pipe).items():
                if given.only and name not in given.only.split(","):
                    continue
                ours, answer = timed(question)
                if name not in SQL:
                    print(f"{name:<20}{size:>9,}{ours:>11.1f}")
                    continue
                theirs, rows = timed(partial(_rows, raw, SQL[name]))
                if answer != figures(name, rows):
                    raise SystemExit(f"{name}: the answers differ\n{answer}\n{figures(name, rows)}")
                print(f"{name:<20}{size:>9,}{ours:>11.1f}{theirs:>10.1f}{ours / theirs:>8.2f}", flush=True)


if __name__ == "__main__":
    main()
