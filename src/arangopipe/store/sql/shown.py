"""Which rows a scope shows: as conditions in SQL on what is current, and on rows of any state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from arangopipe.model.vocabulary import OWNED_BY_RUN
from arangopipe.store.scope import PERSONAL, SERVED, Scope
from arangopipe.store.sql.dialect import Dialect

WORDS = "id, kind, key, coalesce(name, ''), '', project, revision, '{}'"
"""What of `reading.NODE` says whether it is shown."""

JUDGED = ("project", "kinds", *OWNED_BY_RUN, "servingperf", *PERSONAL)
"""Kinds of which not just their own project says what is shown."""

Shows = tuple[str, list[Any]]
"""SQL that says whether a row is shown, and its parameters."""


Row = TypeVar("Row", bound=tuple[Any, ...])


class Reads(Protocol):
    """What is asked of a `reading.Reader`."""

    dialect: Dialect

    def term(self, text: str) -> int | None:
        """Return the integer of a text."""

    def texts(self, rows: Iterable[Any]) -> Mapping[int, str]:
        """Return at least the kinds of rows, by their integers."""

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

    def whole(self, kind: str, id: str) -> Shows:
        """Return what `far` does, for a look at all nodes of a kind: an index says which are hidden."""
        if kind in JUDGED:
            return self.far(kind, id)
        reader = self._reader
        hidden = f"SELECT id FROM node WHERE kind = ? AND project <> '' AND NOT {self._among('project')}"
        return reader.dialect.lacks(id, hidden), [reader.term(kind), self._projects]

    def far(self, kind: str, id: str) -> Shows:
        """Return whether the current node of a kind that has an integer id is shown."""
        sql, params = self.condition(kind, "far")
        return f"EXISTS (SELECT 1 FROM node far WHERE far.id = {id} AND {sql})", params

    def names(self, ids: Iterable[int]) -> dict[int, str]:
        """Return the ids of those nodes that are shown, by their integers."""
        rows = self.rows(self._reader.of_ids(WORDS, ids))
        texts = self._reader.texts(rows)
        return {row[0]: f"{texts[row[1]]}/{row[2]}" for row in rows}

    def rows(self, rows: Sequence[Row]) -> list[Row]:
        """Return the rows (that begin as `WORDS` do) that are shown."""
        texts, admits = self._reader.texts(rows), self.scope.admits
        found = [row for row in rows if admits(texts[row[1]], row[3], row[5])]
        following = {term for term, kind in texts.items() if kind in OWNED_BY_RUN or kind == "servingperf"}
        if following.isdisjoint({row[1] for row in found}):
            return found
        keys = {row[2] for row in found if texts[row[1]] in OWNED_BY_RUN}
        runs = self._shown_runs(keys) if keys else set()
        served = self._served([row[0] for row in found if texts[row[1]] == "servingperf"])
        return [
            row
            for row in found
            if row[1] not in following
            or (row[2] in runs if texts[row[1]] in OWNED_BY_RUN else served.get(row[0], bool(row[5])))
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
