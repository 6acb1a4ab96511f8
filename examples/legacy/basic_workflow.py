"""The basic workflow of Arangopipe 0.0.70: project, dataset, featureset, model, run, and looking them up."""

import datetime
import uuid

from arangopipe.arangopipe_storage.arangopipe_admin_api import ArangoPipeAdmin
from arangopipe.arangopipe_storage.arangopipe_api import ArangoPipe
from arangopipe.arangopipe_storage.arangopipe_config import ArangoPipeConfig
from arangopipe.arangopipe_storage.managed_service_conn_parameters import ManagedServiceConnParam
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score
from sklearn.model_selection import train_test_split

mscp = ManagedServiceConnParam()
conn_params = {
    mscp.DB_SERVICE_HOST: "arangoml.arangodb.cloud",
    mscp.DB_SERVICE_END_POINT: "createDB",
    mscp.DB_SERVICE_NAME: "createDB",
    mscp.DB_SERVICE_PORT: 8529,
    mscp.DB_CONN_PROTOCOL: "https",
}
mdb_config = ArangoPipeConfig()
mdb_config = mdb_config.create_connection_config(conn_params)
admin = ArangoPipeAdmin(reuse_connection=False, config=mdb_config)
ap = ArangoPipe(config=mdb_config)
print("database", mdb_config.get_cfg()["arangodb"]["dbName"])

admin.register_project({"name": "Diabetes_Progression"})

frame = load_diabetes(as_frame=True).frame
ds_info = {
    "name": "diabetes",
    "description": "442 patients, progression after a year",
    "source": "scikit-learn",
}
ds_reg = ap.register_dataset(ds_info)

featureset = {column: str(dtype) for column, dtype in frame.drop(columns="target").dtypes.items()}
featureset["name"] = "diabetes_all_features"
fs_reg = ap.register_featureset(featureset, ds_reg["_key"])

model_reg = ap.register_model(
    {"name": "ridge progression", "type": "ridge regression"}, project="Diabetes_Progression"
)

train, test = train_test_split(frame, test_size=0.3, random_state=7)
ridge = Ridge(alpha=0.5).fit(train.drop(columns="target"), train["target"])
predicted = ridge.predict(test.drop(columns="target"))
ruuid = uuid.uuid4()
run_info = {
    "dataset": ds_reg["_key"],
    "featureset": fs_reg["_key"],
    "run_id": str(ruuid.int),
    "model": model_reg["_key"],
    "model-params": {"run_id": str(ruuid.int), "alpha": 0.5},
    "model-perf": {
        "run_id": str(ruuid.int),
        "rmse": mean_squared_error(test["target"], predicted) ** 0.5,
        "r2": r2_score(test["target"], predicted),
        "mae": mean_absolute_error(test["target"], predicted),
        "timestamp": str(datetime.datetime.now()),
    },
    "pipeline": "Progression_Pipeline",
    "project": "Diabetes_Progression",
    "tag": "first_ridge",
    "deployment_tag": "Progression_Deployment",
}
ap.log_run(run_info)
admin.register_deployment("Progression_Deployment")

assert ap.register_dataset(ds_info) is None, "the name is taken"
assert ap.lookup_model("no such model") is None
found = ap.lookup_dataset("diabetes")
print("dataset", found["_id"] == ds_reg["_id"], found["source"])
print("featureset", ap.lookup_featureset("diabetes_all_features")["bmi"])
print("model", ap.lookup_model("ridge progression")["type"])
print("params", ap.lookup_modelparams("first_ridge")["alpha"])
print("rmse", round(ap.lookup_modelperf("first_ridge")["rmse"], 6))
