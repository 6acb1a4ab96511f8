"""A change says where it was first recorded, if that was another store."""

import sqlalchemy
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column; what is there was first recorded here."""
    op.add_column("change", sqlalchemy.Column("origin", sqlalchemy.Text))
