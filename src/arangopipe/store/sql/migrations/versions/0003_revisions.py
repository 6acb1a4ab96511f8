"""The rows that a change wrote, closed or erased are found by its number."""

import sqlalchemy
from alembic import op

revision = "0003"
down_revision = "0002"

INDEXES = {
    "node": ["revision"],
    "node_past": ["revision", "closed", "erased"],
    "edge": ["revision"],
    "edge_past": ["revision", "closed"],
    "point": ["revision", "closed", "erased"],
}
MOSTLY_EMPTY = ["node_past_erased", "point_closed", "point_erased"]


def upgrade() -> None:
    """Create the indexes; no row changes."""
    for table, columns in INDEXES.items():
        for column in columns:
            name = f"{table}_{column}"
            where = sqlalchemy.text(f"{column} IS NOT NULL") if name in MOSTLY_EMPTY else None
            op.create_index(name, table, [column], sqlite_where=where, postgresql_where=where)
