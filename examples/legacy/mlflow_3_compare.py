"""The third script: a third process compares what both others logged and links model and data."""

from arangopipe.arangopipe.arangopipe_storage.arangopipe_api import ArangoPipe
from arangopipe.arangopipe_storage.arangopipe_admin_api import ArangoPipeAdmin

admin = ArangoPipeAdmin(reuse_connection=True)
ap = ArangoPipe(admin.get_config())

rmse = {tag: ap.lookup_modelperf(tag)["rmse"] for tag in ("mlflow_1", "mlflow_2")}
best = min(rmse, key=rmse.get)
params = ap.lookup_modelparams(best)
runs = ap.find_entity("run_id", params["run_id"], "run")
for tag, value in rmse.items():
    print(tag, round(value, 6))
print("best", best, params["alpha"], params["l1_ratio"], len(runs))
ap.link_entities(ap.lookup_model("elastic net")["_id"], ap.lookup_dataset("progression")["_id"])
print("linked", ap.lookup_model("elastic net")["related_datasets"] == ap.lookup_dataset("progression")["_id"])
