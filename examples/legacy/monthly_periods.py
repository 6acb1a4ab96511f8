"""22 periods of data, features, model, run, deployment and serving performance, with modules of 0.0.40.

Walks back from today in steps of 30 days. Each period has a random split of the same patients, a Lasso
regression, its performance in validation, and its performance in serving on the test part.
"""

import datetime
import uuid

import numpy as np
from arangopipe.arangopipe_admin_api import ArangoPipeAdmin
from arangopipe.arangopipe_api import ArangoPipe
from arangopipe.arangopipe_config import ArangoPipeConfig
from sklearn import linear_model
from sklearn.datasets import load_diabetes
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score
from sklearn.model_selection import train_test_split

NUM_PERIODS = 22


def metrics(model, rows):
    predicted = model.predict(rows.drop(columns="target"))
    return {
        "rmse": mean_squared_error(rows["target"], predicted) ** 0.5,
        "r2": r2_score(rows["target"], predicted),
        "mae": mean_absolute_error(rows["target"], predicted),
    }


def connect(clean):
    config = ArangoPipeConfig()
    config.set_dbconnection(
        hostname="localhost", port=6529, root_user="root", root_user_password="open sesame"
    )
    admin = ArangoPipeAdmin(config=config)
    if clean:
        admin.delete_arangomldb()
        admin.create_db()
        admin.create_enterprise_ml_graph()
    return admin, ArangoPipe(config=config)


def generate_runs(clean=False):
    admin, ap = connect(clean)
    admin.register_project({"name": "Progression_Assessor"})
    frame = load_diabetes(as_frame=True).frame
    frame["target"] = np.log(frame["target"])
    random = np.random.default_rng(11)
    ds_info = {"description": "Patients of one clinic", "source": "scikit-learn"}
    featureset = {name: str(dtype) for name, dtype in frame.dtypes.items()}
    begin = datetime.datetime.now()
    for period in range(NUM_PERIODS):
        end = begin - datetime.timedelta(days=30)
        label = f"{begin:%Y-%m-%d} to {end:%Y-%m-%d}"
        train, test = train_test_split(frame, test_size=0.2, random_state=period)
        fit, validation = train_test_split(train, test_size=0.2, random_state=period)
        alpha = random.uniform(0.0005, 0.001)
        lasso = linear_model.Lasso(alpha=alpha).fit(fit.drop(columns="target"), fit["target"])

        ds_info["name"] = "Patients_" + label
        ds_info["tag"] = "Patients_" + label
        ds_reg = ap.register_dataset(ds_info)
        featureset["name"] = "log_progression"
        featureset["generated_by"] = f"Feature Pipeline {period}"
        featureset["tag"] = ds_info["tag"]
        fs_reg = ap.register_featureset(featureset, ds_reg["_key"])
        model_info = {"name": "Progression Model", "type": "LASSO regression", "tag": "model_period:" + label}
        model_reg = ap.register_model(model_info, project="Progression_Assessor")

        run_id = str(uuid.uuid4())
        ap.log_run(
            {
                "dataset": ds_reg["_key"],
                "featureset": fs_reg["_key"],
                "run_id": run_id,
                "model": model_reg["_key"],
                "model-params": {"run_id": run_id, "alpha": alpha},
                "model-perf": {**metrics(lasso, validation), "run_id": run_id, "timestamp": str(end)},
                "pipeline": f"Pipeline_{period}",
                "project": "A name that matches no project",
                "deployment_tag": "Deployment_" + label,
                "tag_for_deployment": True,
                "tag": "Pipeline_" + label,
            }
        )
        admin.register_deployment("Deployment_" + label)
        serving = {**metrics(lasso, test), "period": label}
        ap.log_serving_perf(serving, "Deployment_" + label, "ops user")
        begin = end - datetime.timedelta(days=1)
    assert set(ds_info) == {"name", "description", "source", "tag"}, "it was used for every period as it is"


if __name__ == "__main__":
    generate_runs()
    generate_runs(clean=True)
    print("periods", NUM_PERIODS)
