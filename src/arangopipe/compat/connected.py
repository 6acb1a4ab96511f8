"""An old object: the database it is connected to, its settings, and how it says what it cannot do."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, ClassVar

from arangopipe.admin import ArangoPipeAdmin
from arangopipe.compat.config import GRAPH_NAME, Configuration, ManagedServiceConnParam
from arangopipe.compat.databases import Database
from arangopipe.errors import StoreError, StoreUnavailable
from arangopipe.pipe import ArangoPipe

PIPE_LOGGER = logging.getLogger("arangopipe_logger")
ADMIN_LOGGER = logging.getLogger("arangopipe_admin_logger")


@dataclass(frozen=True)
class GraphHandle:
    """What old objects hold as `emlg`; `ArangoPipe.lineage` and its like walk the graph itself."""

    name: str
    database: Database


class Connected:
    """What all four old classes share; `pipe` and `admin` are today's API to the same store.

    They stay usable as long as the process lives, whatever block they were made in.
    """

    _logger: ClassVar[logging.Logger] = PIPE_LOGGER
    config: Configuration
    cfg: Any
    db: Database
    emlg: GraphHandle

    def _connect(self, config: Configuration) -> None:
        self.config = config
        self.cfg = config.get_cfg()
        self.mscp = ManagedServiceConnParam()
        self.db = config.database
        self.emlg = GraphHandle(GRAPH_NAME, self.db)
        self.init_graph()

    @property
    def pipe(self) -> ArangoPipe:
        """Today's API to the same store."""
        self._held = self.db.pipe  # or it would be closed between two calls
        return self._held

    @property
    def admin(self) -> ArangoPipeAdmin:
        """The administrator's side of it."""
        return self.pipe.admin

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__name__} {self.db.name}: {self.db.url}>"

    def init_graph(self) -> None:
        """Open the store, whose graph needs no making; an error says why it cannot be opened."""
        _ = self.pipe
        self.heart_beat()

    def heart_beat(self) -> None:
        """Look something up; raises `StoreUnavailable` where the connection has died."""
        try:
            self.pipe.store.find("datasets", "heart beat check")
        except StoreError as error:
            self._logger.warning("the connection is stale: %s", error)
            raise StoreUnavailable("Your connection is stale, try a new connection!") from error

    def _missing(self, what: str) -> Any:
        """Answer a lookup that finds nothing; flat classes raise instead."""
        self._logger.info("%s was not found", what)
