"""Connections from a context manager; what it gave is used after its block, too."""

from arangopipe.arangopipe_storage.connection_manager import arango_pipe_connections
from arangopipe.arangopipe_storage.managed_service_conn_parameters import ManagedServiceConnParam

mscp = ManagedServiceConnParam()
conn_params = {
    mscp.DB_SERVICE_HOST: "arangoml.arangodb.cloud",
    mscp.DB_SERVICE_END_POINT: "createDB",
    mscp.DB_SERVICE_NAME: "createDB",
    mscp.DB_SERVICE_PORT: 8529,
    mscp.DB_CONN_PROTOCOL: "https",
}
with arango_pipe_connections(conn_params, False) as (ap_admin, ap):
    ap_admin.register_project({"name": "Context_Manager_Test"})

print("project", ap.lookup_entity("Context_Manager_Test", "project")["name"])
ds_reg = ap.register_dataset({"name": "registered after the block"})
print("dataset", ap.lookup_entity_by_id(ds_reg["_id"])["name"])
print("params kept", sorted(conn_params) == sorted([
    "DB_service_host", "DB_end_point", "DB_service_name", "DB_service_port", "conn_protocol",
]))  # fmt: skip
