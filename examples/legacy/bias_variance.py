"""Bias and variance by bootstrap: results with integers as keys and numpy's floats as values."""

import datetime
import uuid

import numpy as np
from arangopipe.arangopipe_storage.connection_manager import arango_pipe_connections
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Lasso
from sklearn.model_selection import train_test_split

conn_params = {
    "DB_service_host": "localhost",
    "DB_end_point": "createDB",
    "DB_service_name": "createDB",
    "DB_service_port": 8529,
    "conn_protocol": "http",
}
frame = load_diabetes(as_frame=True).frame
train, test = train_test_split(frame, random_state=5)
random = np.random.default_rng(5)
errors = []
for _ in range(25):
    sample = train.iloc[random.integers(len(train), size=len(train))]
    lasso = Lasso(alpha=0.1).fit(sample.drop(columns="target"), sample["target"])
    errors.append(lasso.predict(test.drop(columns="target")) - test["target"].to_numpy())
bias, variance = np.mean(errors, axis=0), np.var(errors, axis=0)
model_bias = {row: bias[row] for row in range(5)}
model_variance = {np.int64(row): np.float32(variance[row]) for row in range(5)}

with arango_pipe_connections(conn_params, False) as (admin, ap):
    admin.register_project({"name": "Bias and variance"})
    ds_reg = ap.register_dataset({"name": "diabetes", "columns": frame.describe().loc[["mean", "std"]]})
    fs_reg = ap.register_featureset({"name": "all", "bmi": "float64"}, ds_reg["_key"])
    model_reg = ap.register_model(
        {"name": "bootstrap", "task": "bias and variance"}, project="Bias and variance"
    )
    run_id = str(uuid.uuid4().int)
    model_perf = {
        "run_id": run_id,
        "timestamp": str(datetime.datetime.now()),
        "model_bias": model_bias,
        "model_variance": model_variance,
        "mean_bias": np.mean(bias),
        "bootstraps": np.int64(len(errors)),
    }
    ap.log_run(
        {
            "dataset": ds_reg["_key"],
            "featureset": fs_reg["_key"],
            "run_id": run_id,
            "model": model_reg["_key"],
            "model-params": {"run_id": run_id, "alpha": 0.1, "coefficients": lasso.coef_},
            "model-perf": model_perf,
            "tag": "bias_variance",
        }
    )

assert list(model_perf) == ["run_id", "timestamp", "model_bias", "model_variance", "mean_bias", "bootstraps"]
found = ap.lookup_modelperf("bias_variance")
print(
    "keys",
    sorted(found["model_bias"]) == ["0", "1", "2", "3", "4"],
    all(key in range(5) for key in model_bias),
)
print("values", found["model_bias"]["0"] == float(bias[0]), found["mean_bias"] == float(np.mean(bias)))
print("bootstraps", found["bootstraps"], len(ap.lookup_modelparams("bias_variance")["coefficients"]))
