"""The first schema. New databases are made whole from `schema.metadata`; migrations start here."""

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Do nothing: no database is older than this."""
