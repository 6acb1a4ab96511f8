"""The tables in PostgreSQL: those of `schema`, but for what a server does otherwise.

* ``value`` has a column for each type (see `dialect`) and, beside a number, whether it is an integer. One
  index over all serves every search; it is not unique, for the writer keeps it so.
* A row of an index holds at most 2,700 bytes. So names are looked up by their first 200 characters and are
  unique by digest, terms are looked up by hash, and the documents of edges are not in their index.
* ``head`` has no rows: writers queue at a lock on it.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Double, Index, MetaData, Table, UniqueConstraint, func, text

from arangopipe.store.sql import schema
from arangopipe.store.sql.schema import Integer, Term, Text

metadata = MetaData()

for _table in (schema.change, schema.node, schema.node_past, schema.edge_past, schema.point, schema.series):
    _table.to_metadata(metadata)

head = Table("head", metadata, Column("number", Integer))

term = schema.term.to_metadata(metadata)
for _constraint in [found for found in term.constraints if isinstance(found, UniqueConstraint)]:
    term.constraints.discard(_constraint)
Index("term_text", term.c.text, postgresql_using="hash")

node = metadata.tables["node"]
for _index in [index for index in node.indexes if index.name in ("node_name", "node_project")]:
    node.indexes.discard(_index)
_NAMED = text("name IS NOT NULL")
Index(
    "node_name",
    node.c.kind,
    text("md5(md5(name) || md5(project) || md5(version))"),
    unique=True,
    postgresql_where=_NAMED,
)
Index("node_by_name", node.c.kind, func.left(node.c.name, 200), node.c.id, postgresql_where=_NAMED)

edge = schema.edge.to_metadata(metadata)
edge.indexes.clear()
Index("edge_target", edge.c.target, edge.c.kind, edge.c.source, postgresql_include=["revision"])
Index("edge_revision", edge.c.revision)

value = Table(
    "value",
    metadata,
    Column("path", Term, nullable=False),
    Column("number", Double),
    Column("text", Text),
    Column("boolean", Boolean),
    Column("whole", Boolean),
    Column("node", Integer, nullable=False),
)
Index(
    "value_path",
    value.c.path,
    value.c.number,
    value.c.text,
    value.c.boolean,
    value.c.node,
    postgresql_include=["whole"],
)
