"""Connection settings as old code writes them, and the last ones, which all processes share."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from arangopipe.compat import databases
from arangopipe.compat.databases import DEFAULT_NAME, Database, database
from arangopipe.errors import StoreError
from arangopipe.model import documents
from arangopipe.store.settings import disabled, home

if TYPE_CHECKING:
    from typing_extensions import Self

GRAPH_NAME = "enterprise_ml_graph"


class ManagedServiceConnParam:
    """Names of the connection parameters of 0.0.70."""

    __slots__ = ()

    DB_SERVICE_HOST = "DB_service_host"
    DB_SERVICE_END_POINT = "DB_end_point"
    DB_SERVICE_NAME = "DB_service_name"
    DB_SERVICE_PORT = "DB_service_port"
    DB_NAME = "dbName"
    DB_REPLICATION_FACTOR = "arangodb_replication_factor"
    DB_USER_NAME = "username"
    DB_PASSWORD = "password"
    DB_ROOT_USER = "root_user"
    DB_ROOT_USER_PASSWORD = "root_user_password"
    DB_CONN_PROTOCOL = "conn_protocol"
    DB_NOTIFICATION_EMAIL = "email"


class Configuration:
    """What both generations of `ArangoPipeConfig` do; `cfg` is the dict itself, not a copy."""

    cfg: dict[str, Any] | None
    file_name: ClassVar[str]
    name_parameter: ClassVar[str]
    defaults: ClassVar[Mapping[str, Any]]

    def __init__(self) -> None:
        self.cfg = None
        self.mscp = ManagedServiceConnParam()

    def get_cfg(self) -> dict[str, Any]:
        """Return the settings; those of the last connection where none were set."""
        if self.cfg is None:
            self.cfg = self.read_data()
        return self.cfg

    def set_cfg(self, new_cfg: dict[str, Any]) -> None:
        """Replace the settings."""
        self.cfg = new_cfg

    def read_data(self) -> dict[str, Any]:
        """Return the settings of the last connection, or the default ones."""
        try:
            return _read(home() / self.file_name)
        except (FileNotFoundError, NotADirectoryError):
            return {"arangodb": dict(self.defaults), "mlgraph": {"graphname": GRAPH_NAME}}

    def dump_data(self) -> None:
        """Make these the settings of the last connection."""
        if not disabled():
            databases.write_private(home() / self.file_name, _yaml(self.get_cfg()))

    @property
    def parameters(self) -> dict[str, Any]:
        """The connection parameters among the settings."""
        parameters: dict[str, Any] = self.get_cfg()["arangodb"]
        return parameters

    @property
    def database(self) -> Database:
        """The database that the settings name; `KeyError` where they name none."""
        return database(self.parameters[self.name_parameter])


class FlatConfig(Configuration):
    """`ArangoPipeConfig` of 0.0.40: read at once, one database by default."""

    file_name = "connection-0.0.40.yaml"
    name_parameter = "arangopipe_dbname"
    defaults: ClassVar[Mapping[str, Any]] = {
        "host": "localhost",
        "port": 8529,
        "root_user": "root",
        "root_user_password": "open sesame",
        "arangopipe_admin_username": "arangopipe",
        "arangopipe_admin_password": "arangopipe",
        "arangopipe_dbname": DEFAULT_NAME,
    }

    def __init__(self) -> None:
        super().__init__()
        self.get_cfg()

    def set_dbconnection(
        self,
        hostname: str = "localhost",
        port: int | str = 8529,
        root_user: str = "root",
        root_user_password: str = "open sesame",
    ) -> None:
        """Set where ArangoDB was; kept, and never connected to."""
        self.parameters.update(
            host=hostname, port=port, root_user=root_user, root_user_password=root_user_password
        )


class NestedConfig(Configuration):
    """`ArangoPipeConfig` of 0.0.70: parameters of a managed service."""

    file_name = "connection.yaml"
    name_parameter = ManagedServiceConnParam.DB_NAME
    defaults: ClassVar[Mapping[str, Any]] = {
        "DB_service_host": "localhost",
        "DB_end_point": "createDB",
        "DB_service_name": "createDB",
        "DB_service_port": 8529,
        "conn_protocol": "http",
        "dbName": DEFAULT_NAME,
        "username": "arangopipe",
        "password": "arangopipe",
        "arangodb_replication_factor": None,
    }

    def create_connection_config(self, conn_params: Mapping[str, Any]) -> Self:
        """Replace the settings by these parameters, all of them, and return this object."""
        self.cfg = {"arangodb": dict(conn_params), "mlgraph": {"graphname": GRAPH_NAME}}
        return self

    def export_cfg(self, file_path: str) -> None:
        """Write the settings to a file, passwords included."""
        Path(file_path).write_text(_yaml(self.get_cfg()), encoding="utf-8")

    def create_config(self, file_path: str) -> dict[str, Any]:
        """Return the connection parameters of an exported file; {} where it cannot be read."""
        try:
            return dict(_read(Path(file_path))["arangodb"])
        except (OSError, StoreError, KeyError) as error:
            print(f"{file_path} cannot be read as exported connection settings: {error}")  # noqa: T201
            return {}

    def complete(self) -> None:
        """Fill in what a new connection lacks: a database of its own, with user and password."""
        fresh = databases.new_name()
        filled = {
            ManagedServiceConnParam.DB_NAME: fresh,
            ManagedServiceConnParam.DB_USER_NAME: fresh.replace("ML", "MU"),
            ManagedServiceConnParam.DB_PASSWORD: f"MP{secrets.token_hex(12)}",
        }
        parameters = self.parameters
        for name, value in filled.items():
            if not parameters.get(name):
                parameters[name] = value
        parameters.setdefault(ManagedServiceConnParam.DB_REPLICATION_FACTOR, None)


def _yaml(cfg: Mapping[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(documents.normalise(cfg, "connection settings"), allow_unicode=True)


def _read(path: Path) -> dict[str, Any]:
    import yaml

    try:
        cfg = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise StoreError(f"{path} is damaged ({error}): delete it or write it anew") from error
    if not isinstance(cfg, dict) or not isinstance(cfg.get("arangodb"), dict):
        raise StoreError(f"{path} holds no connection settings: delete it or write it anew")
    return cfg
