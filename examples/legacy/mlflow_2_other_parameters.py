"""The second script: another process, no settings; it goes on where the first one left off."""

import datetime
import uuid

from arangopipe.arangopipe.arangopipe_storage.arangopipe_api import ArangoPipe
from arangopipe.arangopipe_storage.arangopipe_admin_api import ArangoPipeAdmin
from sklearn.datasets import load_diabetes
from sklearn.linear_model import ElasticNet
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import train_test_split

admin = ArangoPipeAdmin()
ap = ArangoPipe(config=admin.get_config())

dataset = ap.lookup_dataset("progression")
featureset = ap.lookup_featureset("progression_all")
model = ap.lookup_model("elastic net")
columns = sorted(name for name, dtype in featureset.items() if dtype == "float64")

frame = load_diabetes(as_frame=True).frame
train, test = train_test_split(frame, random_state=1)
net = ElasticNet(alpha=0.001, l1_ratio=0.9).fit(train[columns], train["target"])
rmse = mean_squared_error(test["target"], net.predict(test[columns])) ** 0.5
run_id = uuid.uuid4().hex
ap.log_run(
    {
        "dataset": dataset["_key"],
        "featureset": featureset["_key"],
        "run_id": run_id,
        "model": model["_key"],
        "model-params": {"run_id": run_id, "alpha": 0.001, "l1_ratio": 0.9},
        "model-perf": {"run_id": run_id, "rmse": rmse, "timestamp": str(datetime.datetime.now())},
        "tag": "mlflow_2",
        "project": "MLflow-Progression",
    }
)
print("rmse", round(rmse, 6))
