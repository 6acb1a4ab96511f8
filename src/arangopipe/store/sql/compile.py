"""Filters into SQL: conditions on node rows ``n``, by way of the value index.

Every value is bound, never written into the SQL. A condition that the index cannot decide is given as a
wider one, marked not exact, and what it lets through is read again on documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from arangopipe.model import attributes
from arangopipe.model.expressions import (
    And,
    Compare,
    Expression,
    In,
    IsNull,
    Like,
    Not,
    Or,
    Path,
    comparable,
    path_text,
)
from arangopipe.model.vocabulary import EdgeKind, Vocabulary
from arangopipe.store.records import OWN_WORDS, hop_of
from arangopipe.store.sql.dialect import Test
from arangopipe.store.sql.reading import Reader

COLUMNS = {"key": "key", "name": "name", "version": "version", "project": "nullif(project, '')"}


@dataclass(frozen=True)
class Condition:
    """A condition on ``n``; `members`, where known, selects the ids that meet it.

    `span` says that trying it on one node is not one look-up; `once`, that `members` are of the kind, and
    each is selected once.
    """

    sql: str
    params: list[Any] = field(default_factory=list)
    exact: bool = True
    members: str | None = None
    member_params: list[Any] = field(default_factory=list)
    span: bool = False
    once: bool = False


MAX_ITEMS = 500
MAX_DEPTH = 15
"""Comparisons in one condition, and parts of parts: SQLite bounds its parser; beyond, documents are read."""

Leaf = Compare | In | Like | IsNull

ANY = Condition("true", exact=False)
NONE = Condition("false", members="SELECT node FROM value WHERE false")


class Compiler:
    """Compiles the filters of one search on nodes of one kind.

    With `singly` its conditions are for rows that are tried one after the other, until there are enough.
    """

    def __init__(self, reader: Reader, vocabulary: Vocabulary, kind: str, singly: bool = False) -> None:
        self._reader = reader
        self._dialect = reader.dialect
        self._vocabulary = vocabulary
        self._kind = kind
        self._hops = vocabulary.hops(kind)
        self._exists = self._dialect.exists if singly else "EXISTS ({})".format
        self._within = self._dialect.within if singly else "{} IN ({})".format

    def condition(self, expression: Expression, depth: int = 0) -> Condition:
        """Return the condition of a filter, or of a part of it at some depth."""
        if depth > MAX_DEPTH or (depth == 0 and size(expression) > MAX_ITEMS):
            return ANY
        if isinstance(expression, And):
            return self._joined(" AND ", expression.items, depth)
        if isinstance(expression, Or):
            return self._joined(" OR ", expression.items, depth)
        if isinstance(expression, Not):
            inner = self.condition(expression.item, depth + 1)
            return Condition(f"NOT ({inner.sql})", inner.params) if inner.exact else ANY
        return self._leaf(expression)

    def _joined(self, word: str, items: Sequence[Expression], depth: int) -> Condition:
        return joined(word, [self.condition(item, depth + 1) for item in items])

    def _leaf(self, leaf: Leaf) -> Condition:
        path = leaf.path
        if isinstance(leaf, In) and len(leaf.values) > MAX_ITEMS:
            return ANY
        if hop_of(self._vocabulary, self._kind, path):
            return self._hop(leaf, path.segments[1:], self._hops[path.segments[0]])
        if isinstance(leaf, IsNull):
            return self._null(path)
        if len(path.segments) == 1 and path.segments[0] in OWN_WORDS and not path.own:
            return self._column(path.segments[0], leaf)
        if not indexable(self._kind, path):
            return ANY
        return self._on_index(self._kind, path.segments, leaf)

    def _null(self, path: Path) -> Condition:
        if len(path.segments) == 1 and path.segments[0] in OWN_WORDS and not path.own:
            return Condition(f"{_own_column(path.segments[0])} IS NULL")
        if not indexable(self._kind, path):
            return ANY
        terms = self.terms(self._kind, path.segments)
        if not terms:
            return ANY
        marks = ", ".join("?" * len(terms))
        present = f"SELECT node FROM value WHERE path IN ({marks})"
        return Condition(self._dialect.lacks("n.id", present), terms, exact=False)

    def _column(self, word: str, leaf: Compare | In | Like) -> Condition:
        column = _own_column(word)
        sql, params, exact = self._column_test(column, leaf)
        return Condition(f"({column} IS NOT NULL AND {sql})", params, exact)

    def _on_index(self, kind: str, segments: Sequence[str], leaf: Compare | In | Like) -> Condition:
        test, values, exact = self._dialect.value_test(leaf)
        each, parts, params = [], [], []
        for term in self.terms(kind, segments):
            each.append(self._exists(f"SELECT 1 FROM value WHERE path = ? AND {test} AND node = n.id"))
            parts.append(f"SELECT node FROM value WHERE path = ? AND {test}")
            params += [term, *values]
        if not parts:
            return NONE
        members = " UNION ".join(parts)
        # Of an array several elements may do.
        once = len(parts) > 1 or self._reader.name(f"{kind}:{path_text(segments)}") is not None
        equal = isinstance(leaf, Compare) and leaf.op == "="
        sql = " OR ".join(each) if equal else self._within("n.id", members)
        return Condition(sql, params, exact, members, params, span=not equal, once=once)

    def terms(self, kind: str, segments: Sequence[str]) -> list[int]:
        """Return the interned paths (itself, and its array elements) that the store has seen."""
        found = map(self._reader.name, indexed_paths(kind, tuple(segments)))
        return [term for term in found if term is not None]

    def _hop(
        self, leaf: Leaf, rest: tuple[str, ...], steps: Sequence[tuple[EdgeKind, bool, str]]
    ) -> Condition:
        if isinstance(leaf, IsNull):
            return ANY
        parts: list[str] = []
        params: list[Any] = []
        exact = True
        for edge, forward, kind in steps:
            far = self._far(kind, rest, leaf)
            if far is None or self.marked(kind):
                return ANY
            near_end, far_end = ("source", "target") if forward else ("target", "source")
            sql, far_params, says_all = far
            if self._reader.shown is not None:
                shown, values = self._reader.shown.far(kind, "had.node")
                sql = f"SELECT had.node FROM ({sql}) AS had WHERE {shown}"
                far_params = [*far_params, *values]
            parts.append(f"SELECT {near_end} FROM edge WHERE {far_end} IN ({sql}) AND kind = ?")
            params += [*far_params, self._reader.term(edge.name)]
            exact = exact and says_all
        members = " UNION ".join(parts)
        return Condition(self._within("n.id", members), params, exact, members, params, span=True)

    def _far(self, kind: str, segments: tuple[str, ...], leaf: Compare | In | Like) -> Test | None:
        """Return SQL for the ids of neighbours that meet a test, None where the index cannot say."""
        if len(segments) == 1 and segments[0] in OWN_WORDS:
            column = COLUMNS[segments[0]]
            sql, params, exact = self._column_test(column, leaf)
            select = f"SELECT id AS node FROM node WHERE kind = ? AND {column} IS NOT NULL AND {sql}"
            return select, [self._reader.term(kind), *params], exact
        if not attributes.is_indexed(kind, segments) or segments[0] in ("params", "metrics"):
            return None
        found = self._on_index(kind, segments, leaf)
        return str(found.members), found.member_params, found.exact

    def _column_test(self, column: str, leaf: Compare | In | Like) -> Test:
        """Return a test on one of a node's own words, which are texts."""
        if isinstance(leaf, Like):
            return self._dialect.like(column, leaf)
        if isinstance(leaf, In):
            texts = [value for value in map(comparable, leaf.values) if isinstance(value, str)]
            return self._dialect.among(column), [self._dialect.some(texts)], True
        value = comparable(leaf.value)
        if not isinstance(value, str):
            return "false", [], True
        return f"{column} {'<>' if leaf.op == '!=' else leaf.op} ?", [value], True

    def marked(self, kind: str) -> list[int]:
        """Return the ids of nodes of a kind that the index does not hold completely."""
        term = self._reader.name(f"{kind}:")
        if term is None:
            return []
        rows = self._reader.cursor.execute("SELECT DISTINCT node FROM value WHERE path = ?", (term,))
        return [row[0] for row in rows]


@lru_cache(maxsize=1_024)
def indexed_paths(kind: str, segments: tuple[str, ...]) -> tuple[str, str]:
    """Return what the value index calls a path into nodes of a kind, and the elements of an array there."""
    text = f"{kind}:{path_text(segments)}"
    return text, f"{text}[]"


def size(expression: Expression) -> int:
    """Return how many comparisons an expression makes."""
    if isinstance(expression, (And, Or)):
        return sum(map(size, expression.items))
    return size(expression.item) if isinstance(expression, Not) else 1


def conjuncts(where: Expression | None) -> Sequence[Expression]:
    """Return the parts of a filter that must all hold; of one too large for SQL, the whole."""
    if isinstance(where, And) and size(where) <= MAX_ITEMS:
        return where.items
    return () if where is None else (where,)


def _own_column(word: str) -> str:
    return COLUMNS[word].replace(word, f"n.{word}")


def joined(word: str, parts: Sequence[Condition]) -> Condition:
    """Return several conditions as one."""
    return Condition(
        word.join(f"({part.sql})" for part in parts) or "true",
        [param for part in parts for param in part.params],
        all(part.exact for part in parts),
    )


def indexable(kind: str, path: Path) -> bool:
    """Whether the value index holds the scalars at a path of nodes of a kind."""
    if kind == "run" and path.segments[0] in ("params", "metrics") and path.own == (len(path.segments) > 1):
        return False
    return attributes.is_indexed(kind, path.segments)
