"""The limit of reading: the same answers by hand-written SQL, each in the best forms that were found.

They come as text; nothing is parsed on either side.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import raw

FORWARD = ("run_modelparams", "run_devperf", "deployment_servingperf")
BACKWARD = (
    "featureset_dataset",
    "run_datasets",
    "run_featuresets",
    "run_models",
    "deployment_featureset",
    "deployment_modelparams",
)

NODE = "id, kind, key, name, version, project, revision, document"
DOCUMENTS = (
    f"SELECT {NODE} FROM node WHERE kind = ? AND key = ? "
    f"UNION ALL SELECT {NODE} FROM node WHERE kind = ? AND key = ? "
    f"UNION ALL SELECT {NODE} FROM node WHERE kind = ? AND key = ?"
)
OF_RUN = (
    "(SELECT document FROM node p WHERE p.kind = {params} AND p.key = n.key), "
    "(SELECT document FROM node m WHERE m.kind = {metrics} AND m.key = n.key)"
)


class Reader:
    """Reads by hand; each method is one answer, each in the best forms that were found."""

    def __init__(self, path: Path) -> None:
        self.connection = raw.connect(path)
        self.terms = raw.terms(self.connection)
        self.kinds = {
            word: self.terms[word]
            for word in ("run", "modelparams", "devperf", "datasets", "featuresets", "models")
        }

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def count(self, kind: str) -> int:
        """Return how many nodes of a kind there are."""
        found = self.connection.execute("SELECT count(*) FROM node WHERE kind = ?", (self.kinds[kind],))
        return int(found.fetchone()[0])

    def words(self) -> dict[int, str]:
        """Return the interned texts by their integers."""
        return {id: text for text, id in raw.terms(self.connection).items()}

    def by_id(self, id: str) -> Any:
        """Return a node by its id."""
        kind, _, key = id.partition("/")
        return self.connection.execute(
            f"SELECT {NODE} FROM node WHERE kind = ? AND key = ?", (self.kinds[kind], key)
        ).fetchone()

    def by_name(self, kind: str, name: str) -> Any:
        """Return the newest node of that name among what is shared."""
        return self.connection.execute(
            f"SELECT {NODE} FROM node WHERE kind = ? AND name = ? AND project = '' ORDER BY id DESC LIMIT 1",
            (self.kinds[kind], name),
        ).fetchone()

    def run_by_id(self, id: str) -> list[Any]:
        """Return a run, its parameters and its metrics."""
        return self._run(id.partition("/")[2])

    def _run(self, key: str) -> list[Any]:
        kinds = self.kinds
        return self.connection.execute(
            DOCUMENTS, (kinds["run"], key, kinds["modelparams"], key, kinds["devperf"], key)
        ).fetchall()

    def run_by_name(self, name: str) -> list[Any]:
        """Return the run of that name with its parameters and metrics."""
        (key,) = self.connection.execute(
            "SELECT key FROM node WHERE kind = ? AND name = ?", (self.kinds["run"], name)
        ).fetchone()
        return self._run(key)

    def id_of(self, kind: str, key: str) -> int:
        """Return the integer of a node."""
        return int(self.connection.execute(raw.ID, (self.kinds[kind], key)).fetchone()[0])

    def lineages(self) -> dict[str, str]:
        """Return the forms of "all that is downstream of a dataset", as SQL with the start as ``?``.

        The two kinds of edges that leave a model stand in neither list: a walk ends there.
        """
        known = raw.terms(self.connection)
        forward = [known.get(f"{name}") for name in FORWARD]
        backward = [known.get(f"{name}") for name in BACKWARD]
        forward_in, backward_in = (
            ", ".join(str(term) for term in found if term is not None) for found in (forward, backward)
        )
        cte = (
            "WITH RECURSIVE d(id) AS (SELECT ? "
            "UNION SELECT e.source FROM d CROSS JOIN edge e INDEXED BY edge_target "
            f"ON e.target = d.id AND e.kind IN ({backward_in}) "
            "UNION SELECT e.target FROM d CROSS JOIN edge e "
            f"ON e.source = d.id AND e.kind IN ({forward_in})) "
        )
        columns = "n.id, n.kind, n.key, n.name, n.document"
        return {
            "cross join": f"{cte} SELECT {columns} FROM d CROSS JOIN node n ON n.id = d.id",
            "in": f"{cte} SELECT {columns} FROM node n WHERE n.id IN (SELECT id FROM d)",
        }

    def lineage(self, sql: str, start: int) -> list[Any]:
        """Return the nodes of a lineage: id, kind, key, name, document."""
        return self.connection.execute(sql, (start,)).fetchall()

    def searches(self) -> dict[str, dict[str, tuple[str, tuple[Any, ...]]]]:
        """Return, by question, the forms of its first page: key and the three documents."""
        term = self.terms
        of_run = OF_RUN.format(params=term["modelparams"], metrics=term["devperf"])
        columns = f"SELECT n.key, n.document, {of_run}"
        depth, fold = term["run:params.depth"], term["run:params.fold"]
        acc = term["run:metrics.acc"]
        has = "EXISTS (SELECT 1 FROM value p WHERE p.path = ? AND p.value = ? AND p.node = m.node)"
        by_metric = (
            f"{columns} FROM (SELECT m.node, m.value FROM value m WHERE m.path = ? "
            f"AND m.value > ? AND m.value < '' AND {has} "
            "ORDER BY m.value DESC, m.node DESC LIMIT 51) f "
            "CROSS JOIN node n ON n.id = f.node ORDER BY f.value DESC, f.node DESC"
        )
        by_param = (
            f"{columns} FROM (SELECT m.node, m.value FROM value p CROSS JOIN value m "
            "ON m.path = ? AND m.value > ? AND m.value < '' AND +m.node = p.node "
            "WHERE p.path = ? AND p.value = ? ORDER BY m.value DESC, m.node DESC LIMIT 51) f "
            "CROSS JOIN node n ON n.id = f.node ORDER BY f.value DESC, f.node DESC"
        )
        by_document = (
            f"{columns} FROM (SELECT r.id AS node, json_extract(m.document, '$.acc') AS value "
            "FROM value p CROSS JOIN node r ON r.id = p.node "
            f"CROSS JOIN node m ON m.kind = {term['devperf']} AND m.key = r.key "
            "WHERE p.path = ? AND p.value = ? AND json_extract(m.document, '$.acc') > ? "
            "ORDER BY 2 DESC, 1 DESC LIMIT 51) f "
            "CROSS JOIN node n ON n.id = f.node ORDER BY f.value DESC, f.node DESC"
        )
        best_by_metric = (
            f"{columns} FROM (SELECT m.node, m.value FROM value m WHERE m.path = ? AND {has} "
            "ORDER BY m.value DESC, m.node DESC LIMIT 2) f "
            "CROSS JOIN node n ON n.id = f.node ORDER BY f.value DESC, f.node DESC"
        )
        newest_by_key = (
            f"{columns} FROM node n WHERE n.kind = {term['run']} AND EXISTS (SELECT 1 FROM value p "
            "WHERE p.path = ? AND p.value = ? AND p.node = n.id) ORDER BY n.key DESC LIMIT 51"
        )
        newest_by_param = (
            f"{columns} FROM value p CROSS JOIN node n ON n.id = p.node "
            "WHERE p.path = ? AND p.value = ? ORDER BY n.key DESC LIMIT 51"
        )
        return {
            "param = and metric >, by metric": {
                "metric first": (by_metric, (acc, 0.5, depth, 6)),
                "param first": (by_document, (depth, 6, 0.5)),
            },
            "rare param and metric >, by metric": {
                "metric first": (by_metric, (acc, 0.1, fold, 500)),
                "param first": (by_document, (fold, 500, 0.1)),
                "param, then metric": (by_param, (acc, 0.1, fold, 500)),
            },
            "param =, best by metric": {
                "metric first": (best_by_metric, (acc, depth, 6)),
            },
            "param =, newest first": {
                "key first": (newest_by_key, (depth, 6)),
                "param first": (newest_by_param, (depth, 6)),
            },
            "rare param =, newest first": {
                "key first": (newest_by_key, (fold, 500)),
                "param first": (newest_by_param, (fold, 500)),
            },
        }

    def search(self, form: tuple[str, tuple[Any, ...]]) -> list[Any]:
        """Return a page of a search."""
        return self.connection.execute(*form).fetchall()
