"""The classes of 0.0.40, whose modules stood in the package itself.

The database is ``arangopipe`` unless the settings say otherwise, and an administrator has created it. A
taken name makes another version, what is not found is an `IndexError`, and `delete_arangomldb` does
delete.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from arangopipe.compat.administration import Administration
from arangopipe.compat.assets import Assets, insert
from arangopipe.compat.config import Configuration, FlatConfig
from arangopipe.compat.connected import ADMIN_LOGGER, PIPE_LOGGER
from arangopipe.compat.errors import NotCreated, NothingFound
from arangopipe.compat.runs import Runs
from arangopipe.compat.shapes import Document, receipt
from arangopipe.model.entities import Project
from arangopipe.register import Link

ArangoPipeConfig = FlatConfig
logger = PIPE_LOGGER


class ArangoPipe(Runs, Assets, Administration):
    """`ArangoPipe` of 0.0.40."""

    def __init__(self, config: Configuration | None = None, persist: bool = False) -> None:
        config = config or ArangoPipeConfig()
        if not config.database.exists():
            raise NotCreated(f"there is no {config.database}: make an ArangoPipeAdmin first")
        self._connect(config)
        if persist:
            config.dump_data()

    def get_config(self) -> dict[str, Any]:
        """Return the settings of the last connection."""
        return ArangoPipeConfig().read_data()

    def delete_arangomldb(self) -> None:
        """Delete the database with all that it holds."""
        self.db.delete()

    def _register(
        self,
        kind: str,
        document: Mapping[str, Any],
        *,
        project: Project | None = None,
        links: Sequence[Link] = (),
    ) -> Document:
        return receipt(insert(self.pipe, kind, document, project=project, links=links))

    def _missing(self, what: str) -> Any:
        raise NothingFound(f"{what} was not found")


class ArangoPipeAdmin(Administration):
    """`ArangoPipeAdmin` of 0.0.40; settings may also be its first argument."""

    _logger = ADMIN_LOGGER

    def __init__(
        self,
        user_name: str | Configuration = "authorized_user",
        config: Configuration | None = None,
        persist: bool = False,
    ) -> None:
        if isinstance(user_name, Configuration):
            config = user_name
        config = config or ArangoPipeConfig()
        self._connect(config)
        if persist:
            config.dump_data()

    def get_config(self) -> dict[str, Any]:
        """Return the settings."""
        return self.config.get_cfg()

    def delete_arangomldb(self) -> None:
        """Delete the database with all that it holds."""
        self.db.delete()
