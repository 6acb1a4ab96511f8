"""Settings of a connection, exported to a file and used again: the same database."""

import tempfile
from pathlib import Path

from arangopipe.arangopipe_storage.arangopipe_admin_api import ArangoPipeAdmin
from arangopipe.arangopipe_storage.arangopipe_api import ArangoPipe
from arangopipe.arangopipe_storage.arangopipe_config import ArangoPipeConfig

conn_params = {
    "DB_service_host": "arangoml.arangodb.cloud",
    "DB_end_point": "createDB",
    "DB_service_name": "createDB",
    "DB_service_port": 8529,
    "conn_protocol": "https",
    "email": "someone@example.org",
}
with tempfile.TemporaryDirectory() as folder:
    fp = str(Path(folder) / "saved_arangopipe_config.yaml")
    mdb_config = ArangoPipeConfig()
    mdb_config = mdb_config.create_connection_config(conn_params)
    admin = ArangoPipeAdmin(reuse_connection=False, config=mdb_config, persist_conn=False)
    ArangoPipe(config=mdb_config).register_dataset({"name": "before the export"})
    mdb_config.export_cfg(fp)

    imported = ArangoPipeConfig()
    params = imported.create_config(fp)
    imported = imported.create_connection_config(params)
    admin = ArangoPipeAdmin(reuse_connection=True, config=imported)
    ap = ArangoPipe(config=admin.get_config())
    print("dataset", ap.lookup_dataset("before the export")["name"])
    print("same", params["dbName"] == mdb_config.cfg["arangodb"]["dbName"], params["email"])
    print("unreadable", ArangoPipeConfig().create_config(str(Path(folder) / "no such file.yaml")))
