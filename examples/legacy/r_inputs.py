"""What R sends through reticulate: text for the port, numbers for everything, dotted names.

In R this is ``source_python('r_inputs.py')`` and ``conn <- conn_arangopipe(conn_params)``, and then
``conn$ap_admin$register_project(list(name = "Iris in R"))``.
"""

from arangopipe.arangopipe_storage.connection_manager import arango_pipe_connections

NEEDED = ("DB_service_host", "DB_end_point", "DB_service_name", "DB_service_port", "conn_protocol")


def conn_arangopipe(conn_params):
    if any(name not in conn_params for name in NEEDED):
        print("Needed:", ", ".join(NEEDED))
        raise ValueError("Incorrect connection info: parameters are missing")
    with arango_pipe_connections(conn_params, False) as (ap_admin, ap):
        return {"ap_admin": ap_admin, "ap": ap}


if __name__ == "__main__":
    conn = conn_arangopipe(
        {
            "DB_service_host": "arangoml.arangodb.cloud",
            "DB_end_point": "createDB",
            "DB_service_name": "createDB",
            "DB_service_port": "8529",
            "conn_protocol": "https",
        }
    )
    conn["ap_admin"].register_project({"name": "Iris in R"})
    ds_reg = conn["ap"].register_dataset({"name": "iris", "rows": 150.0})
    fs_reg = conn["ap"].register_featureset(
        {"name": "iris features", "Sepal.Length": "numeric", "Species": "factor"}, ds_reg["_key"]
    )
    model_reg = conn["ap"].register_model({"name": "lm", "type": "lm"}, project="Iris in R")
    conn["ap"].log_run(
        {
            "run_id": "1702",
            "dataset": ds_reg["_key"],
            "featureset": fs_reg["_key"],
            "model": model_reg["_key"],
            "model-params": {"run_id": "1702", "formula": "Petal.Length ~ ."},
            "model-perf": {"run_id": "1702", "timestamp": 1577836800.25, "r.squared": 0.968, "sigma": 0.319},
            "tag": "lm in R",
        }
    )
    print("plain", type(ds_reg) is dict, all(type(value) is str for value in ds_reg.values()))
    print("r.squared", conn["ap"].lookup_modelperf("lm in R")["r.squared"])
    print("timestamp", conn["ap"].lookup_entity_by_id("run/1702")["timestamp"])
    try:
        conn_arangopipe({"DB_service_host": "localhost"})
    except ValueError as error:
        print("refused", error)
