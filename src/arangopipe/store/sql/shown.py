"""Which rows a scope shows: as conditions in SQL on what is current, and on rows of any state."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeVar

from arangopipe.model.graph import Node
from arangopipe.model.vocabulary import OWNED_BY_RUN
from arangopipe.store.scope import PERSONAL, SERVED, Scope
from arangopipe.store.sql.dialect import Dialect

_WORDS = "id, kind, key, coalesce(name, ''), '', project, revision, '{}'"
"""The columns of `reading.NODE` that say whether it is shown."""

Shows = tuple[str, list[Any]]
"""SQL that says whether a row is shown, and its parameters."""


Row = TypeVar("Row", bound=tuple[Any, ...])


class Reads(Protocol):
    """What is asked of a `reading.Reader`."""

    dialect: Dialect

    def term(self, text: str) -> int | None:
        """Return the integer of a text."""

    def nodes(self, rows: Sequence[Any]) -> list[Node]:
        """Return the nodes of rows."""

    def select(self, table: str, columns: str, where: str, *params: Any) -> list[Any]:
        """Return rows where a condition holds."""

    def of_ids(self, columns: str, ids: Iterable[int]) -> list[Any]:
        """Return columns of nodes by their integers."""


class Shown:
    """What a scope shows, in the state that a reader is set to."""

    def __init__(self, reader: Reads, scope: Scope) -> None:
        self._reader = reader
        self.scope = scope
        self._among = reader.dialect.among
        self._projects = reader.dialect.some(["", *sorted(scope.projects)])

    def condition(self, kind: str, node: str) -> Shows:
        """Return whether a current row of a kind, called `node`, is shown."""
        if kind == "kinds":
            return "true", []
        if kind in PERSONAL:
            return "false", []
        if kind == "project":
            return f"({node}.name <> '' AND {self._among(f'{node}.name')})", [self._projects]
        if kind in OWNED_BY_RUN:
            owner = f"SELECT 1 FROM node owner WHERE owner.kind = ? AND owner.key = {node}.key"
            return f"EXISTS ({owner} AND {self._own('owner')})", [self._reader.term("run"), self._projects]
        if kind != "servingperf":
            return self._own(node), [self._projects]
        served = f"SELECT 1 FROM edge served WHERE served.target = {node}.id AND served.kind = ?"
        hidden = (
            f"SELECT 1 FROM edge served {self._reader.dialect.join} node owner ON owner.id = served.source "
            f"WHERE served.target = {node}.id AND served.kind = ? AND NOT {self._own('owner')}"
        )
        sql = f"({self._own(node)} AND ({node}.project <> '' OR EXISTS ({served})) AND NOT EXISTS ({hidden}))"
        term = self._reader.term(SERVED)
        return sql, [self._projects, term, term, self._projects]

    def _own(self, node: str) -> str:
        # No index on projects: it would be taken for the order of names or keys, too.
        return self._among(f"({node}.project || '')")

    def far(self, kind: str, id: str) -> Shows:
        """Return whether the current node of a kind that has an integer id is shown."""
        sql, params = self.condition(kind, "far")
        return f"EXISTS (SELECT 1 FROM node far WHERE far.id = {id} AND {sql})", params

    def ids(self, ids: Sequence[int]) -> set[int]:
        """Return the integer ids of the nodes that are shown."""
        return {row[0] for row in self.rows(self._reader.of_ids(_WORDS, ids))}

    def rows(self, rows: Sequence[Row]) -> list[Row]:
        """Return the rows that are shown."""
        reader, scope = self._reader, self.scope
        nodes = list(zip(rows, reader.nodes(rows), strict=True))
        keys = {node.key for _, node in nodes if node.kind in OWNED_BY_RUN}
        runs = self._shown_runs(keys) if keys else set()
        served = self._served([row[0] for row, node in nodes if node.kind == "servingperf"])
        return [
            row
            for row, node in nodes
            if scope.admits(node)
            and (node.kind not in OWNED_BY_RUN or node.key in runs)
            and (node.kind != "servingperf" or served.get(row[0], bool(node.project)))
        ]

    def _shown_runs(self, keys: set[str]) -> set[str]:
        where = f"kind = ? AND {self._among('key')}"
        term, some = self._reader.term("run"), self._reader.dialect.some(sorted(keys))
        found = self._reader.select("node", "key, project", where, term, some)
        return {key for key, project in found if self.scope.owns(project)}

    def _served(self, ids: Sequence[int]) -> dict[int, bool]:
        """Return whether every deployment is shown that serving performance is of, where it is of any."""
        if not ids:
            return {}
        where = f"{self._among('target')} AND kind = ?"
        params = self._reader.dialect.some(ids), self._reader.term(SERVED)
        edges = self._reader.select("edge", "source, target", where, *params)
        some = self._reader.dialect.some(sorted({source for source, _ in edges}))
        projects = dict(self._reader.select("node", "id, project", self._among("id"), some))
        found: dict[int, bool] = {}
        for source, target in edges:
            found[target] = found.get(target, True) and self.scope.owns(projects[source])
        return found
