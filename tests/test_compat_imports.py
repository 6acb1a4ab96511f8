"""Import paths and signatures of Arangopipe 0.0.40 to 0.0.70, and that nothing else got in with them."""

from __future__ import annotations

import importlib
import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import arangopipe

STORAGE = "arangopipe.arangopipe_storage"
ANALYTICS = "arangopipe.arangopipe_analytics"

PATHS = {
    "arangopipe.arangopipe_api": ["ArangoPipe", "logger"],
    "arangopipe.arangopipe_admin_api": ["ArangoPipeAdmin", "logger"],
    "arangopipe.arangopipe_config": ["ArangoPipeConfig"],
    "arangopipe.dataset_shift_detector": ["DatasetShiftDetector"],
    "arangopipe.rf_dataset_shift_detector": ["RF_DatasetShiftDetector"],
    f"{STORAGE}.arangopipe_api": ["ArangoPipe", "logger"],
    f"{STORAGE}.arangopipe_admin_api": ["ArangoPipeAdmin", "logger"],
    f"{STORAGE}.arangopipe_config": ["ArangoPipeConfig"],
    f"{STORAGE}.managed_service_conn_parameters": ["ManagedServiceConnParam"],
    f"{STORAGE}.connection_manager": ["arango_pipe_connections"],
    f"{STORAGE}.custom_http_client": ["CustomHTTPClient"],
    f"{ANALYTICS}.dataset_shift_detector": ["DatasetShiftDetector"],
    f"{ANALYTICS}.rf_dataset_shift_detector": ["RF_DatasetShiftDetector"],
}
NESTED = sorted(path for path in PATHS if path.startswith((STORAGE, ANALYTICS)))


@pytest.mark.parametrize("path", sorted(PATHS))
def test_a_path_has_its_names(path: str) -> None:
    module = importlib.import_module(path)
    assert [name for name in PATHS[path] if not hasattr(module, name)] == []


@pytest.mark.parametrize("path", [*NESTED, STORAGE, ANALYTICS])
def test_a_doubled_path_is_the_same_module(path: str) -> None:
    assert importlib.import_module(f"arangopipe.{path}") is importlib.import_module(path)


@pytest.mark.parametrize("first", ["arangopipe.arangopipe", "arangopipe"])
def test_one_file_may_mix_both_paths_in_any_order(first: str, tmp_path: Path) -> None:
    second = "arangopipe" if first != "arangopipe" else "arangopipe.arangopipe"
    code = f"""
from {first}.arangopipe_storage.arangopipe_api import ArangoPipe as one
from {second}.arangopipe_storage.arangopipe_api import ArangoPipe as two
import {first}.arangopipe_storage.arangopipe_config as a
import {second}.arangopipe_storage.arangopipe_config as b
assert one is two and a is b
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, cwd=tmp_path, timeout=60)


def test_generations_are_not_aliases_and_the_package_keeps_todays_classes() -> None:
    for name in ("ArangoPipe", "ArangoPipeAdmin"):
        module = "arangopipe_api" if name == "ArangoPipe" else "arangopipe_admin_api"
        classes = {
            getattr(importlib.import_module(path), name)
            for path in (f"arangopipe.{module}", f"{STORAGE}.{module}")
        }
        assert len(classes) == 2
        assert getattr(arangopipe, name) not in classes
        assert getattr(arangopipe, name).__module__ in ("arangopipe.pipe", "arangopipe.admin")


@pytest.mark.parametrize(
    "path",
    [
        "arangopipe.arangopipe.pipe",
        "arangopipe.arangopipe.arangopipe",
        "arangopipe.arangopipe.arangopipe_api",
        "arangopipe.arangopipe_stora",
        f"{STORAGE}.arangopipe",
        f"{STORAGE}.arangopipe_ap",
        f"{STORAGE}.rf_dataset_shift_detector",
        f"{ANALYTICS}.arangopipe_api",
        "arangopipe.legacy_paths",
        "arangopipe.flat",
    ],
)
def test_a_wrong_path_is_not_found(path: str) -> None:
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(path)


@pytest.mark.parametrize(
    ("path", "name"), [(f"{STORAGE}.arangopipe_api", "ArangoPipeAdmin"), (STORAGE, "ArangoPipe")]
)
def test_a_wrong_name_is_not_found(path: str, name: str) -> None:
    assert not hasattr(importlib.import_module(path), name)


def test_old_paths_load_no_third_party_module_before_a_store_is_opened(tmp_path: Path, home: Path) -> None:
    imports = "; ".join(f"import {path}" for path in [*PATHS, *(f"arangopipe.{path}" for path in NESTED)])
    code = (
        "import json, sys; before = set(sys.modules);"
        f"{imports}; print(json.dumps(sorted({{m.partition('.')[0] for m in set(sys.modules) - before}})))"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, check=True, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    loaded = set(json.loads(done.stdout))
    assert loaded - set(sys.stdlib_module_names) <= {"arangopipe", "typing_extensions"}
    assert list(tmp_path.iterdir()) == [], "old packages wrote logs where they were imported"
    assert not home.exists()


def test_python_arango_is_not_imported_for_its_errors(tmp_path: Path) -> None:
    code = """
import sys
from arangopipe.arangopipe_storage.arangopipe_admin_api import ArangoPipeAdmin
from arangopipe.arangopipe_storage.arangopipe_api import ArangoPipe
ap = ArangoPipe(ArangoPipeAdmin().get_config())
try:
    ap.register_featureset({"name": "f"}, "12345")
except LookupError as error:
    print(type(error).__name__, "arango" in sys.modules)
"""
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path, timeout=60)
    assert done.stdout.splitlines()[-1] == "NotFound False"


# --- signatures --------------------------------------------------------------------------------

USER = ("user_id", "authorized_user")
REGISTER = {
    "register_dataset": ["ds_info", USER],
    "register_featureset": ["fs_info", "dataset_id", USER],
    "register_model": ["mi", USER, ("project", "Wine-Quality-Regression-Modelling")],
    "lookup_dataset": ["dataset_name"],
    "lookup_featureset": ["feature_set_name"],
    "lookup_model": ["model_name"],
    "lookup_modelparams": ["tag_value"],
    "lookup_modelperf": ["tag_value"],
    "lookup_entity": ["asset_name", "asset_type"],
    "lookup_entity_by_id": ["entity_id"],
    "find_entity": ["attrib_name", "attrib_value", "asset_type"],
    "get_collection_from_id": ["id_str"],
    "is_valid_id_str": ["id_str"],
    "link_entities": ["src_id", "dest_id"],
    "log_run": ["ri"],
    "log_serving_perf": ["sp", "dep_tag", ("userid", "authorized user")],
    "get_config": [],
}
ADMINISTER = {
    "register_project": ["p"],
    "register_deployment": ["dep_tag"],
    "add_vertex_to_arangopipe": ["vertex_to_create"],
    "remove_vertex_from_arangopipe": ["vertex_to_remove", ("purge", True)],
    "has_vertex": ["vertex_name"],
    "has_edge": ["edge_name"],
    "add_edge_definition_to_arangopipe": [
        ("edge_col_name", None), ("edge_name", None), ("from_vertex_name", None), ("to_vertex_name", None),
    ],
    "add_edges_to_arangopipe": ["edge_col_name", "from_vertex_list", "to_vertex_list"],
    "remove_edge_definition_from_arangopipe": ["edge_name", ("purge", True)],
    "insert_into_vertex_type": ["vertex_type_name", "document"],
    "insert_into_edge_type": ["edge_name", "from_vdoc", "to_vdoc", ("document", None)],
    "create_enterprise_ml_graph": [("db_replication_factor", None)],
    "delete_arangomldb": [],
    "heart_beat": [],
    "init_graph": [],
}  # fmt: skip
SIGNATURES: dict[tuple[str, str], dict[str, list[Any]]] = {
    ("arangopipe.arangopipe_api", "ArangoPipe"): {
        "__init__": [("config", None), ("persist", False)],
        **REGISTER,
        **ADMINISTER,
    },
    (f"{STORAGE}.arangopipe_api", "ArangoPipe"): {
        "__init__": [("config", None), ("graph_name", None), ("replication_factor", None), ("db", None)],
        **REGISTER,
        **ADMINISTER,
    },
    ("arangopipe.arangopipe_admin_api", "ArangoPipeAdmin"): {
        "__init__": [("user_name", "authorized_user"), ("config", None), ("persist", False)],
        "get_config": [],
        **ADMINISTER,
    },
    (f"{STORAGE}.arangopipe_admin_api", "ArangoPipeAdmin"): {
        "__init__": [
            ("reuse_connection", True),
            ("config", None),
            ("persist_conn", True),
            ("client_url", None),
        ],
        "get_config": [],
        "create_config": [],
        "set_connection_params": ["config"],
        "check_repeated_creation": ["api_data"],
        "delete_database": ["db_to_delete"],
        "delete_all_databases": [
            ("preserve", ("arangopipe", "facebook_db", "fb_node2vec_db", "node2vecdb", "_system"))
        ],
        **ADMINISTER,
    },
    ("arangopipe.arangopipe_config", "ArangoPipeConfig"): {
        "__init__": [],
        "get_cfg": [],
        "set_cfg": ["new_cfg"],
        "read_data": [],
        "dump_data": [],
        "set_dbconnection": [
            ("hostname", "localhost"),
            ("port", 8529),
            ("root_user", "root"),
            ("root_user_password", "open sesame"),
        ],
    },
    (f"{STORAGE}.arangopipe_config", "ArangoPipeConfig"): {
        "__init__": [],
        "get_cfg": [],
        "set_cfg": ["new_cfg"],
        "read_data": [],
        "dump_data": [],
        "create_connection_config": ["conn_params"],
        "export_cfg": ["file_path"],
        "create_config": ["file_path"],
    },
    (f"{ANALYTICS}.rf_dataset_shift_detector", "RF_DatasetShiftDetector"): {
        "__init__": [],
        "detect_dataset_shift": ["dataframe1", "dataframe2"],
        "detect_covariate_shift": ["dataframe1", "dataframe2"],
    },
}


@pytest.mark.parametrize(
    ("path", "name", "method"),
    [(path, name, method) for (path, name), methods in SIGNATURES.items() for method in methods],
)
def test_parameters_and_defaults(path: str, name: str, method: str) -> None:
    cls = getattr(importlib.import_module(path), name)
    own = cls if method == "__init__" else getattr(cls, method)
    parameters = [
        p for p in inspect.signature(own).parameters.values() if p.name not in ("self", "args", "kwargs")
    ]
    found = [p.name if p.default is p.empty else (p.name, p.default) for p in parameters]
    assert found == SIGNATURES[path, name][method]


def test_the_context_managers_parameters() -> None:
    connections = importlib.import_module(f"{STORAGE}.connection_manager").arango_pipe_connections
    parameters = inspect.signature(connections).parameters.values()
    assert [(p.name, p.default) for p in parameters] == [
        ("conn_params", inspect.Parameter.empty),
        ("reuse_prev_connection", True),
    ]


# --- documentation -----------------------------------------------------------------------------


def test_every_old_method_and_setting_is_explained() -> None:
    page = (Path(__file__).parent.parent / "docs" / "legacy.md").read_text("utf-8")
    methods = {method for methods in SIGNATURES.values() for method in methods} - {"__init__"}
    classes = {name for _, name in SIGNATURES}
    inherited = {"detect_covariate_shift"}
    missing = sorted(name for name in methods | classes if name not in page)
    assert missing == sorted(inherited)
