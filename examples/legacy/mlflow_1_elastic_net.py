"""The first of three scripts of one MLflow-style project: makes the connection and trains a first model."""

import datetime
import uuid

from arangopipe.arangopipe_storage.arangopipe_admin_api import ArangoPipeAdmin
from arangopipe.arangopipe_storage.arangopipe_api import ArangoPipe
from arangopipe.arangopipe_storage.arangopipe_config import ArangoPipeConfig
from sklearn.datasets import load_diabetes
from sklearn.linear_model import ElasticNet
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import train_test_split

conn_params = {
    "DB_service_host": "d874fc3f1fa5.arangodb.cloud",
    "DB_end_point": "apmdb",
    "DB_service_name": "createDB",
    "DB_service_port": 8529,
    "conn_protocol": "https",
}
config = ArangoPipeConfig().create_connection_config(conn_params)
admin = ArangoPipeAdmin(reuse_connection=False, config=config)
ap = ArangoPipe(config=admin.get_config())

admin.register_project({"name": "MLflow-Progression"})
ds_reg = ap.register_dataset({"name": "progression", "source": "scikit-learn"})
features = {"name": "progression_all", "bmi": "float64", "bp": "float64", "s5": "float64"}
fs_reg = ap.register_featureset(features, ds_reg["_key"])
model_reg = ap.register_model({"name": "elastic net", "type": "elastic net"}, project="MLflow-Progression")

frame = load_diabetes(as_frame=True).frame
train, test = train_test_split(frame, random_state=1)
columns = ["bmi", "bp", "s5"]
net = ElasticNet(alpha=0.01, l1_ratio=0.5).fit(train[columns], train["target"])
rmse = mean_squared_error(test["target"], net.predict(test[columns])) ** 0.5
run_id = uuid.uuid4().hex
ap.log_run(
    {
        "dataset": ds_reg["_key"],
        "featureset": fs_reg["_key"],
        "run_id": run_id,
        "model": model_reg["_key"],
        "model-params": {"run_id": run_id, "alpha": 0.01, "l1_ratio": 0.5},
        "model-perf": {"run_id": run_id, "rmse": rmse, "timestamp": str(datetime.datetime.now())},
        "tag": "mlflow_1",
        "project": "MLflow-Progression",
    }
)
print("rmse", round(rmse, 6))
