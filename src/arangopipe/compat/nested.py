"""The classes of 0.0.70, and of what followed it unreleased: `arangopipe.arangopipe_storage`.

A taken name is logged and nothing is registered; what is not found is None; a new connection without
a database's name has a database of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from arangopipe.compat.administration import Administration
from arangopipe.compat.assets import Assets, insert
from arangopipe.compat.config import Configuration, ManagedServiceConnParam, NestedConfig
from arangopipe.compat.connected import ADMIN_LOGGER, PIPE_LOGGER
from arangopipe.compat.finding import named
from arangopipe.compat.runs import Runs
from arangopipe.compat.shapes import Document, receipt
from arangopipe.errors import AlreadyExists, InvalidInput, StoreUnavailable
from arangopipe.model.entities import Project
from arangopipe.register import Link

ArangoPipeConfig = NestedConfig
logger = PIPE_LOGGER


class ArangoPipe(Runs, Assets, Administration):
    """`ArangoPipe` of 0.0.70: made of settings; or, as later, of a database and the name of a graph."""

    def __init__(
        self,
        config: Any = None,
        graph_name: str | None = None,
        replication_factor: int | None = None,
        *,
        db: Any = None,
    ) -> None:
        if config is None and db is None and graph_name is None:
            config = ArangoPipeConfig()
        elif not isinstance(config, Configuration):
            config = _config_of(db if config is None else config, graph_name)
        self._connect(config)
        self.graph_name = graph_name or self.emlg.name
        self.replication_factor = replication_factor

    def get_config(self) -> dict[str, Any]:
        """Return the settings of the last connection."""
        return ArangoPipeConfig().read_data()

    def _register(
        self,
        kind: str,
        document: Mapping[str, Any],
        *,
        project: Project | None = None,
        links: Sequence[Link] = (),
    ) -> Document | None:
        name = document["name"]
        try:
            if named(self.pipe.store, kind, name) is None:
                return receipt(insert(self.pipe, kind, document, project=project, links=links, again=False))
        except AlreadyExists:
            if named(self.pipe.store, kind, name) is None:
                raise
        self._logger.error("%s name %s is already taken, try another name", kind, name)
        return None


class ArangoPipeAdmin(Administration):
    """`ArangoPipeAdmin` of 0.0.70."""

    _logger = ADMIN_LOGGER

    def __init__(
        self,
        reuse_connection: bool | Configuration | str = True,
        config: Configuration | None = None,
        persist_conn: bool = True,
        client_url: str | None = None,
    ) -> None:
        if isinstance(reuse_connection, Configuration):
            config = reuse_connection
        self.reuse_connection = bool(reuse_connection)
        self.use_supp_config_to_reconnect = self.reuse_connection and config is not None
        self.client_url = client_url
        if config is None:
            if not self.reuse_connection:
                raise AssertionError("You must provide connection information for new connections")
            config = ArangoPipeConfig()
        config.get_cfg()
        if not self.reuse_connection and isinstance(config, NestedConfig):
            config.complete()
        self._connect(config)
        if persist_conn:
            self._persist()

    def get_config(self) -> Configuration:
        """Return the settings, as the object they were given in."""
        return self.config

    def create_config(self) -> NestedConfig:
        """Return settings to be filled."""
        return ArangoPipeConfig()

    def set_connection_params(self, config: Configuration) -> None:
        """Make these the settings of the last connection."""
        self.cfg = self.config = config
        config.dump_data()

    def check_repeated_creation(self, api_data: Mapping[str, Any]) -> bool:
        """Whether the last connection had all these parameters."""
        last = ArangoPipeConfig().read_data()["arangodb"]
        return all(last.get(name) == value for name, value in api_data.items())

    def _persist(self) -> None:
        try:
            self.config.dump_data()
        except StoreUnavailable as error:
            self._logger.warning("other processes cannot reuse this connection: %s", error)


def _config_of(handle: Any, graph_name: str | None) -> NestedConfig:
    """Return settings for the old database that a handle on one names; its server is not asked."""
    for value, what in ((handle, "db parameter"), (graph_name, "graph_name parameter")):
        if value is None:
            raise InvalidInput(f"{what} is null")
    name = getattr(handle, "name", None)
    if not isinstance(name, str):
        raise InvalidInput(f"{handle!r:.80} is neither settings nor a database")
    return ArangoPipeConfig().create_connection_config({ManagedServiceConnParam.DB_NAME: name})
