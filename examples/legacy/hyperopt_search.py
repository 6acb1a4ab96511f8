"""A hyper-parameter search with hyperopt, stored and read back by its tag."""

import datetime
import json
import uuid

import numpy as np
from arangopipe.arangopipe_storage.arangopipe_admin_api import ArangoPipeAdmin
from arangopipe.arangopipe_storage.arangopipe_api import ArangoPipe
from arangopipe.arangopipe_storage.arangopipe_config import ArangoPipeConfig
from hyperopt import STATUS_OK, Trials, fmin, hp, space_eval, tpe
from sklearn.datasets import load_iris
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier

conn_params = {
    "DB_service_host": "localhost",
    "DB_end_point": "createDB",
    "DB_service_name": "createDB",
    "DB_service_port": 8529,
    "conn_protocol": "http",
}
config = ArangoPipeConfig().create_connection_config(conn_params)
admin = ArangoPipeAdmin(reuse_connection=False, config=config)
ap = ArangoPipe(config)

admin.register_project({"name": "Iris"})
admin.add_vertex_to_arangopipe("notebook")
admin.add_edge_definition_to_arangopipe("project_notebook", "project", "notebook")
ds_reg = ap.register_dataset({"name": "iris", "source": "scikit-learn"})
fs_reg = ap.register_featureset({"name": "iris_all", "sepal length (cm)": "float64"}, ds_reg["_key"])
model_reg = ap.register_model({"name": "iris knn search", "type": "hyper-parameter search"}, project="Iris")

flowers = load_iris()
space = {"n_neighbors": hp.choice("n_neighbors", [1, 5, 15, 45]), "p": hp.uniform("p", 1.0, 3.0)}


def objective(chosen):
    knn = KNeighborsClassifier(n_neighbors=chosen["n_neighbors"], p=chosen["p"])
    accuracy = cross_val_score(knn, flowers.data, flowers.target, cv=3).mean()
    return {"loss": 1 - accuracy, "status": STATUS_OK}


trials = Trials()
best = fmin(
    objective,
    space,
    algo=tpe.suggest,
    max_evals=12,
    trials=trials,
    rstate=np.random.default_rng(3),
    show_progressbar=False,
)
chosen = space_eval(space, best)

run_id = str(uuid.uuid4().int)
ap.log_run(
    {
        "dataset": ds_reg["_key"],
        "featureset": fs_reg["_key"],
        "run_id": run_id,
        "model": model_reg["_key"],
        "model-params": {
            "run_id": run_id,
            "hyperopt-space": json.dumps(sorted(space)),
            "best": chosen,
            "losses": trials.losses(),
        },
        "model-perf": {
            "run_id": run_id,
            "best": 1 - min(trials.losses()),
            "timestamp": str(datetime.datetime.now()),
        },
        "tag": "iris_hyperopt_2020",
        "project": "Iris",
    }
)
project = ap.lookup_entity("Iris", "project")
notebook = ap.insert_into_vertex_type("notebook", {"name": "hyperopt_search.py"})
ap.insert_into_edge_type("project_notebook", project, notebook)

mp = ap.lookup_modelparams(tag_value="iris_hyperopt_2020")
print("trials", len(mp["losses"]))
print("best", json.dumps(mp["best"], sort_keys=True))
print("accuracy", ap.lookup_modelperf(tag_value="iris_hyperopt_2020")["best"])
assert mp["best"] == chosen
assert ap.lookup_modelparams("another tag") is None
