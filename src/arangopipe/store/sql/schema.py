"""The tables. Integers stand for ids inside; text ids live at the boundary only.

``term`` interns kinds (``run``), searchable paths (``run:params.alpha``; ``…[]`` for one of several
values in an array; ``run:`` marks nodes whose document must be read too) and names of metrics (``=loss``);
the integer of ``::`` tells when some were forgotten (see `terms`).
``node`` and ``edge`` hold what is current, ``…_past`` what was superseded or closed, with the change that
did so. ``value`` is one tree of (path, value, node), with booleans as one-byte blobs so that they sort
apart. A row's digest is sha256(salt + text) (`model.chain`); it is stored only once text and salt
have been erased. ``point`` holds the points of a metric that came with one change; ``series``
sums them up and, like ``value``, can be rebuilt. ``erased`` is the change that removed text and salt.
Each column with the number of a change has an index: the rows of one are found at any size.
``origin`` says where a change was first recorded, if in another store.

The measurements behind this shape: integer ids and one narrow value tree log at 0.85-0.98 of hand-written
SQL over the same rows; text ids or two value indexes at 0.6.
"""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Index, LargeBinary, MetaData, Table, text
from sqlalchemy import Integer as _Integer
from sqlalchemy import Text as _Text
from sqlalchemy.types import UserDefinedType


class Anything(UserDefinedType):  # type: ignore[type-arg]
    """A column without a type, which keeps numbers and texts as they come."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Return the (empty) type name."""
        return ""


metadata = MetaData()

Text = _Text().with_variant(_Text(collation="C"), "postgresql")
"""Texts are compared by code point."""

Integer = _Integer().with_variant(BigInteger(), "postgresql")
Term = _Integer()
AnyNumber = Anything().with_variant(JSON(), "postgresql")

term = Table(
    "term",
    metadata,
    Column("id", Term, primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False, unique=True),
)

change = Table(
    "change",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("batch", Text, nullable=False, unique=True),
    Column("time", Integer, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("chain", LargeBinary, nullable=False),
    Column("origin", Text),
)


def _node_columns() -> list[Column[object]]:
    return [
        Column("kind", Term, nullable=False),
        Column("key", Text, nullable=False),
        Column("name", Text),
        Column("version", Text),
        Column("project", Text, nullable=False),
        Column("revision", Integer, nullable=False),
        Column("document", Text),
        Column("salt", LargeBinary),
    ]


def _edge_columns(primary_key: bool) -> list[Column[object]]:
    return [
        Column("source", Integer, nullable=False, primary_key=primary_key),
        Column("kind", Term, nullable=False, primary_key=primary_key),
        Column("target", Integer, nullable=False, primary_key=primary_key),
        Column("revision", Integer, nullable=False),
        Column("document", Text),
        Column("salt", LargeBinary),
    ]


def _ended(nullable: bool = False) -> list[Column[object]]:
    return [
        Column("digest", LargeBinary),
        Column("erased", Integer),
        Column("closed", Integer, nullable=nullable),
    ]


def _index_of_few(table: Table, column: str) -> None:
    """Index a column that is mostly empty."""
    some = text(f"{column} IS NOT NULL")
    Index(f"{table.name}_{column}", table.c[column], sqlite_where=some, postgresql_where=some)


node = Table("node", metadata, Column("id", Integer, primary_key=True, autoincrement=False), *_node_columns())
Index("node_key", node.c.kind, node.c.key, unique=True)
Index(
    "node_name",
    node.c.kind,
    node.c.name,
    node.c.project,
    node.c.version,
    unique=True,
    sqlite_where=text("name IS NOT NULL"),
)
Index("node_project", node.c.kind, node.c.project, sqlite_where=text("project <> ''"))
Index("node_revision", node.c.revision)

node_past = Table("node_past", metadata, Column("id", Integer, nullable=False), *_node_columns(), *_ended())
Index("node_past_id", node_past.c.id, node_past.c.revision)
Index("node_past_key", node_past.c.kind, node_past.c.key)
Index("node_past_revision", node_past.c.revision)
Index("node_past_closed", node_past.c.closed)
_index_of_few(node_past, "erased")

edge = Table("edge", metadata, *_edge_columns(primary_key=True), sqlite_with_rowid=False)
# Covers what a walk reads, so that walking against the stored direction needs no second look-up.
Index("edge_target", edge.c.target, edge.c.kind, edge.c.source, edge.c.revision, edge.c.document)
Index("edge_revision", edge.c.revision)

edge_past = Table(
    "edge_past", metadata, *_edge_columns(primary_key=False), Column("closed", Integer, nullable=False)
)
Index("edge_past_source", edge_past.c.source, edge_past.c.kind)
Index("edge_past_target", edge_past.c.target, edge_past.c.kind)
Index("edge_past_revision", edge_past.c.revision)
Index("edge_past_closed", edge_past.c.closed)

value = Table(
    "value",
    metadata,
    Column("path", Term, primary_key=True),
    Column("value", Anything(), primary_key=True),
    Column("node", Integer, primary_key=True),
    sqlite_with_rowid=False,
)

point = Table(
    "point",
    metadata,
    Column("run", Integer, nullable=False),
    Column("name", Term, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("document", Text),
    Column("salt", LargeBinary),
    *_ended(nullable=True),
)
Index("point_run", point.c.run, point.c.name, point.c.revision)
Index("point_revision", point.c.revision)
_index_of_few(point, "closed")
_index_of_few(point, "erased")

series = Table(
    "series",
    metadata,
    Column("run", Integer, primary_key=True),
    Column("name", Term, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("step", Integer, nullable=False),
    Column("time", Integer, nullable=False),
    Column("last", AnyNumber, nullable=False),
    Column("low", AnyNumber),
    Column("high", AnyNumber),
    sqlite_with_rowid=False,
)
