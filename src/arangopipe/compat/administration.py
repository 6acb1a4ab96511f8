"""What administrators of old did: projects, deployments and whole databases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from arangopipe.compat import databases
from arangopipe.compat.assets import insert
from arangopipe.compat.errors import NothingFound
from arangopipe.compat.finding import matching, named
from arangopipe.compat.kinds import Kinds
from arangopipe.compat.shapes import Document, edge_receipt, new_key, receipt
from arangopipe.errors import InvalidInput

_PRESERVED = ("arangopipe", "facebook_db", "fb_node2vec_db", "node2vecdb", "_system")


class Administration(Kinds):
    """The methods of the old administrator; later versions have them on `ArangoPipe`, too."""

    def register_project(self, p: Mapping[str, Any]) -> Document:
        """Record a project and return its ids; those of the one that has the name already."""
        known = named(self.pipe.store, "project", p.get("name"))
        if known is not None:
            self._logger.info("project %r is already there: %s", known.name, known.id)
        return receipt(known or insert(self.pipe, "project", p))

    def register_deployment(self, dep_tag: str) -> Document:
        """Deploy the first run of a deployment tag; return the ids of the deployment's edge to the model.

        The deployment of that tag that was active is archived. An unknown tag is an `IndexError`.
        """
        run = next(matching(self.pipe, "run", "deployment_tag", dep_tag), None)
        if run is None:
            raise NothingFound(f"no run has the deployment_tag {dep_tag!r}: log one with it")
        deployment = self.admin.register_deployment(dep_tag, run["_id"], key=new_key())
        edges = {edge.kind: edge for edge in self.pipe.edges(deployment)}
        return edge_receipt(edges.get("deployment_model") or edges["deployment_modelparams"])

    def create_db(self, *connection: Any) -> None:
        """Make the database, if it is not there; parameters of a connection mean nothing here."""
        self.init_graph()

    def create_enterprise_ml_graph(self, db_replication_factor: int | None = None) -> None:
        """Make the graph: it is there as soon as the database is."""
        self.init_graph()

    def delete_arangomldb(self) -> None:
        """Do nothing, as in 0.0.70; flat classes delete the database."""

    def delete_database(self, db_to_delete: str) -> None:
        """Delete an old database, if the settings hold the root user's name and password."""
        if not self._has_root():
            return
        database = databases.database(db_to_delete)
        if database.exists():
            database.delete()
        else:
            self._logger.error("database %r is not deleted: it is not there", db_to_delete)

    def delete_all_databases(self, preserve: Sequence[str] = _PRESERVED) -> None:
        """Delete the old databases but those to preserve, under the rule of `delete_database`."""
        if not self._has_root():
            return
        found = databases.every()
        print(f"There were {len(found)} databases!")  # noqa: T201 — as it always did
        for database in found:
            if database.name not in (*preserve, "_system"):
                database.delete()

    def _has_root(self) -> bool:
        """Whether root's name and password are given, which deleting has always asked for."""
        parameters, needed = self.config.parameters, (self.mscp.DB_ROOT_USER, self.mscp.DB_ROOT_USER_PASSWORD)
        for name in needed:
            if name not in parameters:
                raise InvalidInput(f"Key error associated with missing {name}")
        return any(parameters[name] for name in needed)
