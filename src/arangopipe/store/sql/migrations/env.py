"""Runs migrations on the engine that the store hands over, in one transaction."""

from __future__ import annotations

from alembic import context

from arangopipe.store.sql.schema import metadata

with context.config.attributes["engine"].connect() as connection:
    # The driver is in autocommit mode; DDL is transactional once a transaction is open.
    if (hold := context.config.attributes.get("hold")) is None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql("BEGIN")
        for statement in hold:
            connection.exec_driver_sql(*statement)
    context.configure(connection=connection, target_metadata=metadata, transactional_ddl=False)
    context.run_migrations()
    connection.exec_driver_sql("COMMIT")
