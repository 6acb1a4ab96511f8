"""Connections of old code: where they lead, what they remember, and that none leaves the machine."""

from __future__ import annotations

import json
import logging
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

import arangopipe
import oldcode
from arangopipe.cli import main
from arangopipe.compat import databases, flat, nested
from arangopipe.compat.config import ManagedServiceConnParam
from arangopipe.compat.connections import CustomHTTPClient, arango_pipe_connections
from arangopipe.errors import InvalidInput, NotFound, StoreError, StoreUnavailable, Unsupported
from oldcode import CONN_PARAMS, connect

HOSTS = ("localhost", "arangoml.arangodb.cloud", "d874fc3f1fa5.arangodb.cloud", "no such host")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    oldcode.block_network(monkeypatch)


def new_config(**more: Any) -> nested.NestedConfig:
    return nested.ArangoPipeConfig().create_connection_config({**CONN_PARAMS, **more})


# --- where the databases are -------------------------------------------------------------------


def test_a_database_is_a_file_in_the_home_folder(home: Path) -> None:
    config, _, ap = connect("nested")
    name = config.cfg["arangodb"]["dbName"]
    ap.register_dataset({"name": "d"})
    pipe = arangopipe.connect(f"sqlite:///{home}/databases/{name}.db")
    assert pipe.lookup_dataset("d").name == "d"
    pipe.close()
    flat.ArangoPipeAdmin()
    assert (home / "databases" / "arangopipe.db").exists()


def test_connecting_says_the_address_once(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    config, _, _ = connect("nested")
    nested.ArangoPipe(config=config)
    name = config.cfg["arangodb"]["dbName"]
    assert capsys.readouterr().out == f"Arangopipe database {name!r}: sqlite:///{home}/databases/{name}.db\n"


@pytest.mark.parametrize("generation", ["flat", "nested"])
def test_nothing_is_littered_in_the_working_directory(
    generation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    _, _, ap = connect(generation)
    ap.register_dataset({"name": "d"})
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("end_point", ["createDB", "apmdb"])
@pytest.mark.parametrize(("port", "protocol"), [(8529, "http"), ("8529", "https"), (6529.0, "https")])
def test_no_host_of_an_old_configuration_is_asked(
    host: str, end_point: str, port: Any, protocol: str
) -> None:
    config = new_config(
        DB_service_host=host,
        DB_end_point=end_point,
        DB_service_port=port,
        conn_protocol=protocol,
        email="someone@example.org",
    )
    nested.ArangoPipeAdmin(reuse_connection=False, config=config)
    assert nested.ArangoPipe(config).register_dataset({"name": "d"})
    assert config.cfg["arangodb"].items() >= {"DB_service_host": host, "DB_service_port": port}.items()


def test_the_setting_names_another_store_for_each_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "ARANGOPIPE_LEGACY_URL", f"sqlite:///{tmp_path}/team-{{database}}.db?durability=relaxed"
    )
    one, two = connect("nested"), connect("nested")
    one[2].register_dataset({"name": "d"})
    assert two[2].lookup_dataset("d") is None
    name = one[0].cfg["arangodb"]["dbName"]
    assert (tmp_path / f"team-{name}.db").exists()
    assert databases.last().url == two[2].db.url
    with pytest.raises(Unsupported, match="delete it there"):
        one[2].db.delete()


def test_without_a_placeholder_all_databases_share_one_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARANGOPIPE_LEGACY_URL", f"sqlite:///{tmp_path}/team.db")
    one, two = connect("nested"), connect("nested")
    receipt = one[2].register_dataset({"name": "d"})
    assert two[2].lookup_dataset("d")["_id"] == receipt["_id"]


def test_switched_off_nothing_is_written(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARANGOPIPE_DISABLED", "1")
    for generation in ("flat", "nested"):
        _, admin, ap = connect(generation)
        admin.register_project({"name": "P"})
        assert ap.register_model({"name": "m"}, project="P")
    assert not home.exists()


@pytest.mark.parametrize("name", ["../elsewhere", "a/b", "", "-x", "a.db", "x" * 65, "a\n", None, 5])
def test_a_name_that_is_no_file_name_is_refused(name: Any) -> None:
    with pytest.raises(InvalidInput, match="database name"):
        databases.database(name)


@pytest.mark.skipif(os.name == "nt", reason="needs the permissions of POSIX")
def test_a_home_that_cannot_be_made_is_an_error_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ARANGOPIPE_HOME", str(tmp_path / "file"))
    with pytest.raises(StoreUnavailable, match="set ARANGOPIPE_HOME"):
        flat.ArangoPipeAdmin()


def test_a_store_elsewhere_needs_no_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ARANGOPIPE_HOME", str(tmp_path / "file"))
    monkeypatch.setenv("ARANGOPIPE_LEGACY_URL", f"sqlite:///{tmp_path}/team.db")
    _, _, ap = connect("nested")
    assert ap.register_dataset({"name": "d"})
    assert ["legacy" in caplog.text, "other processes cannot reuse this connection" in caplog.text] == [
        True,
        True,
    ]


def test_a_program_may_connect_to_any_number_of_databases(home: Path) -> None:
    held = [connect("nested")[2].pipe.store for _ in range(3)]
    for store in held:
        with pytest.raises(StoreUnavailable, match="closed"):
            store.head()
    config, admin, ap = connect("nested")
    del admin
    assert ap.register_dataset({"name": "d"}), "one of its objects is enough to keep a store open"
    del ap
    assert nested.ArangoPipe(config).lookup_dataset("d")


def test_a_database_that_was_removed_from_outside_is_made_again(home: Path) -> None:
    _, _, ap = connect("nested")
    ap.register_dataset({"name": "d"})
    for path in (home / "databases").iterdir():
        path.unlink()
    assert ap.register_dataset({"name": "d"})
    assert ap.db.path.exists()


def test_threads_share_one_store() -> None:
    config = new_config(dbName="shared")
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(nested.ArangoPipe(config).pipe)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len({id(pipe.store) for pipe in found}) == 1


# --- nested connections ------------------------------------------------------------------------


def test_new_connections_have_databases_of_their_own() -> None:
    names = set()
    for _ in range(3):
        config, admin, ap = connect("nested")
        admin.add_vertex_to_arangopipe("test_vertex_1")
        assert ap.register_dataset({"name": "d"})
        names.add(config.cfg["arangodb"]["dbName"])
    assert len(names) == 3
    assert all(name.startswith("ML") for name in names)


def test_a_new_connection_fills_in_the_object_it_was_given() -> None:
    config = new_config(unknown="kept")
    admin = nested.ArangoPipeAdmin(reuse_connection=False, config=config)
    assert admin.get_config() is config
    filled = config.get_cfg()["arangodb"]
    assert filled is config.cfg["arangodb"]
    assert filled.items() >= {**CONN_PARAMS, "unknown": "kept"}.items()
    assert all(filled[name] for name in ("dbName", "username", "password"))
    assert filled["arangodb_replication_factor"] is None
    assert config.cfg["mlgraph"] == {"graphname": "enterprise_ml_graph"}
    assert "dbName" not in CONN_PARAMS


def test_what_is_given_is_used_and_an_existing_database_is_opened() -> None:
    given = {"dbName": "mine", "username": "me", "password": "secret", "arangodb_replication_factor": 3}
    for _ in range(2):
        config = new_config(**given)
        nested.ArangoPipeAdmin(reuse_connection=False, config=config)
        assert config.cfg["arangodb"].items() >= given.items()
        nested.ArangoPipe(config).register_dataset({"name": "d"})
    assert nested.ArangoPipe(config).pipe.count("datasets") == 1


def test_the_last_connection_is_taken_up() -> None:
    config, _, ap = connect("nested")
    ap.register_dataset({"name": "d"})
    for admin in (nested.ArangoPipeAdmin(), nested.ArangoPipeAdmin(reuse_connection=True)):
        assert admin.get_config().get_cfg() == config.cfg
        assert nested.ArangoPipe(admin.get_config()).lookup_dataset("d")
    assert nested.ArangoPipe().lookup_dataset("d")
    assert ap.get_config() == config.cfg


def test_a_connection_that_is_not_to_be_kept_is_not_the_last_one() -> None:
    _, _, first = connect("nested")
    first.register_dataset({"name": "d"})
    nested.ArangoPipeAdmin(reuse_connection=False, config=new_config(), persist_conn=False)
    assert nested.ArangoPipe(nested.ArangoPipeAdmin().get_config()).lookup_dataset("d")


def test_the_last_connection_is_there_without_any_and_after_its_database_is_gone() -> None:
    admin = nested.ArangoPipeAdmin()
    assert admin.get_config().get_cfg()["arangodb"]["dbName"] == "arangopipe"
    config, _, ap = connect("nested")
    ap.register_dataset({"name": "d"})
    config.database.delete()
    again = nested.ArangoPipeAdmin()
    assert nested.ArangoPipe(again.get_config()).lookup_dataset("d") is None
    assert ap.lookup_dataset("d") is None, "objects made before go on in the new one"


def test_another_process_takes_up_the_last_connection(home: Path, tmp_path: Path) -> None:
    code = (
        "from arangopipe.arangopipe_storage.arangopipe_admin_api import ArangoPipeAdmin;"
        "from arangopipe.arangopipe_storage.arangopipe_api import ArangoPipe;"
        "print(ArangoPipe(ArangoPipeAdmin().get_config()).lookup_dataset('d')['_id'])"
    )
    _, _, ap = connect("nested")
    receipt = ap.register_dataset({"name": "d"})
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        timeout=60,
    )
    assert done.stdout.splitlines()[-1] == receipt["_id"]


def test_settings_go_before_the_last_connection() -> None:
    nested.ArangoPipeAdmin(reuse_connection=False, config=new_config())
    mine = new_config(dbName="mine")
    admin = nested.ArangoPipeAdmin(reuse_connection=True, config=mine)
    assert (admin.db.name, admin.use_supp_config_to_reconnect) == ("mine", True)
    assert nested.ArangoPipeAdmin(mine).db.name == "mine"
    with pytest.raises(KeyError, match="dbName"):
        nested.ArangoPipeAdmin(reuse_connection=True, config=new_config())
    with pytest.raises(KeyError, match="dbName"):
        nested.ArangoPipe(new_config())


def test_a_new_connection_needs_settings() -> None:
    with pytest.raises(AssertionError, match="You must provide connection information for new connections"):
        nested.ArangoPipeAdmin(reuse_connection=False)


def test_what_an_administrator_knows_of_its_connection() -> None:
    config, admin, ap = connect("nested")
    assert (admin.reuse_connection, admin.use_supp_config_to_reconnect, admin.client_url) == (
        False,
        False,
        None,
    )
    assert admin.config is config
    assert admin.cfg is config.cfg is ap.cfg
    assert admin.check_repeated_creation({"dbName": admin.db.name, "DB_service_port": 8529})
    assert not admin.check_repeated_creation({"dbName": "another"})
    assert admin.create_config().cfg is None
    other = new_config(dbName="other")
    admin.set_connection_params(other)
    assert admin.cfg is other
    assert nested.ArangoPipeAdmin().db.name == "other"


def test_a_database_and_the_name_of_a_graph_connect_too() -> None:
    _, admin, ap = connect("nested")
    ap.register_dataset({"name": "d"})
    later = nested.ArangoPipe(admin.db, "enterprise_ml_graph", 3)
    assert (later.graph_name, later.replication_factor) == ("enterprise_ml_graph", 3)
    assert later.lookup_dataset("d")
    assert nested.ArangoPipe(db=admin.db, graph_name="g").lookup_dataset("d")

    from arango import ArangoClient

    handle = ArangoClient(hosts="http://localhost:8529").db(admin.db.name, username="root", password="x")
    assert nested.ArangoPipe(handle, "g").lookup_dataset("d"), "the server of a handle is not asked"
    for arguments, message in {
        (None, "g"): "db parameter is null",
        (admin.db,): "graph_name parameter is null",
        (5, "g"): "neither settings nor a database",
    }.items():
        with pytest.raises(ValueError, match=message):
            nested.ArangoPipe(*arguments)


def test_the_context_manager_gives_objects_that_outlive_it() -> None:
    params = dict(CONN_PARAMS)
    with arango_pipe_connections(params, False) as (admin, ap):
        admin.register_project({"name": "P"})
    assert ap.lookup_entity("P", "project")
    assert params == CONN_PARAMS
    with pytest.raises(ZeroDivisionError), arango_pipe_connections(params, False):
        raise ZeroDivisionError
    with arango_pipe_connections({**params, "dbName": ap.db.name}) as (_, again):
        assert again.lookup_entity("P", "project")


def test_a_stale_connection_says_so(caplog: pytest.LogCaptureFixture) -> None:
    _, _, ap = connect("nested")
    assert ap.db.path is not None
    with ap.pipe:
        pass
    ap.heart_beat()
    ap.pipe.store.close()
    with pytest.raises(Exception, match="Your connection is stale, try a new connection!"):
        ap.heart_beat()
    assert [record.levelname for record in caplog.records] == ["WARNING"]


# --- flat connections --------------------------------------------------------------------------


def test_flat_objects_share_one_database_by_default() -> None:
    _, admin, ap = connect("flat")
    ap.register_dataset({"name": "d"})
    assert (admin.db.name, flat.ArangoPipe().lookup_dataset("d")["name"]) == ("arangopipe", "d")
    assert admin.get_config() is admin.config.cfg
    assert flat.ArangoPipe().get_config()["arangodb"]["arangopipe_dbname"] == "arangopipe"


def test_a_flat_database_must_have_been_created() -> None:
    with pytest.raises(AttributeError, match="make an ArangoPipeAdmin first"):
        flat.ArangoPipe()


def test_flat_settings_may_stand_first_or_be_kept() -> None:
    config = flat.ArangoPipeConfig()
    assert config.cfg["arangodb"]["host"] == "localhost"
    config.set_dbconnection("elsewhere", "8529", root_user_password="p")
    assert (
        config.cfg["arangodb"].items() >= {"host": "elsewhere", "port": "8529", "root_user": "root"}.items()
    )
    config.cfg["arangodb"]["arangopipe_dbname"] = "mine"
    assert flat.ArangoPipeAdmin(config).db.name == "mine"
    assert flat.ArangoPipeAdmin("authorized_user", config, True).db.name == "mine"
    assert flat.ArangoPipe().db.name == "mine"
    flat.ArangoPipe(config=config, persist=True)
    assert flat.ArangoPipeConfig().cfg["arangodb"]["root_user_password"] == "p"


def test_flat_databases_are_really_deleted_and_made_again(home: Path) -> None:
    _, admin, ap = connect("flat")
    for user in (admin, ap):
        ap.register_dataset({"name": "d"})
        user.delete_arangomldb()
        assert list((home / "databases").iterdir()) == []
        admin.create_db()
        admin.create_enterprise_ml_graph()
        assert ap.pipe.count("datasets") == 0


def test_nested_databases_are_not_deleted_by_that_name() -> None:
    _, admin, ap = connect("nested")
    ap.register_dataset({"name": "d"})
    assert admin.delete_arangomldb() is None
    assert ap.lookup_dataset("d")


# --- deleting databases ------------------------------------------------------------------------


def administrator(**more: Any) -> nested.ArangoPipeAdmin:
    config = new_config(dbName="arangopipe", root_user="root", root_user_password="open sesame", **more)
    return nested.ArangoPipeAdmin(reuse_connection=False, config=config)


def test_a_database_is_deleted_by_name(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    admin = administrator()
    _, _, ap = connect("nested")
    ap.register_dataset({"name": "d"})
    admin.delete_database(ap.db.name)
    assert {path.stem for path in (home / "databases").iterdir()} == {"arangopipe"}
    admin.delete_database("never_there")
    assert "is not deleted" in caplog.text


def test_all_databases_but_some_are_deleted(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    admin = administrator()
    for name in ("kept", "_system", "gone", "facebook_db"):
        nested.ArangoPipe(new_config(dbName=name))
    preserve = ["arangopipe", "kept"]
    admin.delete_all_databases(preserve)
    assert preserve == ["arangopipe", "kept"]
    assert "There were 5 databases!" in capsys.readouterr().out
    assert {path.stem for path in (home / "databases").iterdir()} == {"arangopipe", "kept", "_system"}
    admin.delete_all_databases()
    assert [database.name for database in databases.every()] == ["_system", "arangopipe"]


def test_deleting_needs_the_root_user() -> None:
    _, admin, ap = connect("nested")
    for delete in (lambda: admin.delete_database(ap.db.name), admin.delete_all_databases):
        with pytest.raises(Exception, match="Key error associated with missing root_user"):
            delete()
    admin.config.parameters.update(root_user="", root_user_password="")
    admin.delete_database(ap.db.name)
    assert ap.db.exists()


# --- settings ----------------------------------------------------------------------------------


def test_names_of_parameters() -> None:
    expected = {
        "DB_SERVICE_HOST": "DB_service_host",
        "DB_SERVICE_END_POINT": "DB_end_point",
        "DB_SERVICE_NAME": "DB_service_name",
        "DB_SERVICE_PORT": "DB_service_port",
        "DB_NAME": "dbName",
        "DB_REPLICATION_FACTOR": "arangodb_replication_factor",
        "DB_USER_NAME": "username",
        "DB_PASSWORD": "password",
        "DB_ROOT_USER": "root_user",
        "DB_ROOT_USER_PASSWORD": "root_user_password",
        "DB_CONN_PROTOCOL": "conn_protocol",
        "DB_NOTIFICATION_EMAIL": "email",
    }
    names = ManagedServiceConnParam()
    for name, value in expected.items():
        assert getattr(names, name) == getattr(ManagedServiceConnParam, name) == value
        with pytest.raises(AttributeError):
            setattr(names, name, "other")


def test_settings_are_the_dict_itself() -> None:
    config = nested.ArangoPipeConfig()
    assert config.cfg is None
    assert config.get_cfg() is config.cfg
    assert config.create_connection_config({"a": 1}) is config
    mine = {"arangodb": {"dbName": "mine"}, "mlgraph": {}}
    assert config.set_cfg(mine) is None
    assert config.get_cfg() is mine
    assert config.mscp.DB_NAME == "dbName"


def test_settings_are_kept_for_their_owner_alone(home: Path) -> None:
    config = new_config(dbName="mine", password="secret")
    assert config.dump_data() is None
    assert config.read_data() == nested.ArangoPipeConfig().get_cfg() == config.cfg
    path = home / "connection.yaml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in home.iterdir()] == ["connection.yaml"]


def test_damaged_settings_are_an_error_in_words(home: Path) -> None:
    home.mkdir()
    for damage in ("a: [", "just text", "arangodb: 5", "\x00"):
        (home / "connection.yaml").write_text(damage)
        with pytest.raises(StoreError, match=r"connection\.yaml"):
            nested.ArangoPipeAdmin()


def test_settings_are_exported_and_read_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, _, _ = connect("nested")
    path = str(tmp_path / "exported.yaml")
    assert config.export_cfg(path) is None
    assert yaml.safe_load(Path(path).read_text("utf-8")) == config.cfg
    params = nested.ArangoPipeConfig().create_config(path)
    assert params == config.cfg["arangodb"]
    assert nested.ArangoPipeConfig().create_connection_config(params).database.name == config.database.name
    with pytest.raises(OSError, match="no such folder"):
        config.export_cfg(str(tmp_path / "no such folder" / "x.yaml"))
    for wrong in ("missing.yaml", "damaged.yaml"):
        (tmp_path / "damaged.yaml").write_text("a: [")
        assert nested.ArangoPipeConfig().create_config(str(tmp_path / wrong)) == {}
        assert wrong in capsys.readouterr().out


def test_the_http_client_is_a_name_only() -> None:
    assert (CustomHTTPClient().username, CustomHTTPClient("u", "p").username) == (None, "u")


# --- the command line --------------------------------------------------------------------------


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["--store", "legacy", *arguments])
        code = ended.value.code
        out, err = capsys.readouterr()
        return code if isinstance(code, int) else 0, out + err

    return run


def test_the_command_line_opens_the_last_database(command: Any) -> None:
    code, said = command("datasets", "--json")
    assert (code, "no old database has been connected to yet" in said) == (3, True)
    connect("nested")
    _, _, ap = connect("nested")
    ap.register_dataset({"name": "d"})
    code, said = command("datasets", "--json")
    assert [item["name"] for item in json.loads(said)["items"]] == ["d"]


def test_the_command_line_lists_old_databases(command: Any) -> None:
    _, _, one = connect("nested")
    _, _, two = connect("flat")
    _, said = command("stores", "--json")
    listed = {item["store"]: item["used"] for item in json.loads(said)["items"]}
    assert listed == {str(one.db.path): False, str(two.db.path): True}


def test_last_database_is_not_found_before_there_is_one() -> None:
    with pytest.raises(NotFound, match="run code written for Arangopipe"):
        databases.last()


def test_old_loggers_keep_their_names() -> None:
    assert flat.logger is nested.logger is logging.getLogger("arangopipe_logger")
    assert nested.ArangoPipeAdmin._logger is logging.getLogger("arangopipe_admin_logger")
    assert not nested.logger.handlers
