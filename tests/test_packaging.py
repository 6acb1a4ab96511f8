"""What is installed: light to import, whole without extras, and the same from source and wheel."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

import arangopipe
from arangopipe.errors import MissingExtra

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "arangopipe"

# The modules that only extras bring.
EXTRA_MODULES = [
    "IPython",
    "ipywidgets",
    "matplotlib",
    "networkx",
    "numpy",
    "pandas",
    "scipy",
    "sklearn",
]

BARE = f"""
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {EXTRA_MODULES!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
        return None

sys.meta_path.insert(0, Blocked())
"""

LOG_ONE_RUN = """
import arangopipe

pipe = arangopipe.connect("sqlite:///runs.db")
pipe.admin.register_project("p")
dataset = pipe.register_dataset("d")
featureset = pipe.register_featureset("f", dataset=dataset)
model = pipe.register_model("m", project="p")
pipe.log_run(
    project="p", dataset=dataset, featureset=featureset, model=model,
    params={"alpha": 1.0}, metrics={"rmse": 0.5},
)
pipe.close()
again = arangopipe.connect("sqlite:///runs.db")
print(len(again.search("run", "metrics.rmse < 1 and params.alpha = 1").items), arangopipe.__file__)
again.close()
"""


def run(code: str, folder: Path, *arguments: str, **environment: str) -> str:
    """Return what a fresh interpreter prints that runs `code`, with warnings as errors."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, **environment},
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def project() -> str:
    return (ROOT / "pyproject.toml").read_text("utf-8")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution."""
    out = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(out)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture(scope="module")
def unpacked(built: Path) -> Path:
    """The wheel's content: what an installation without extras holds of this package."""
    out = built / "site"
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        wheel.extractall(out)
    return out


# --- importing ---------------------------------------------------------------------------------


def test_importing_loads_no_other_package(tmp_path: Path) -> None:
    code = (
        "import json, sys; before = set(sys.modules); import arangopipe; dir(arangopipe);"
        "print(json.dumps(sorted({name.partition('.')[0] for name in set(sys.modules) - before})))"
    )
    loaded = set(json.loads(run(code, tmp_path)))
    assert loaded - sys.stdlib_module_names == {"arangopipe"}


def test_importing_leaves_the_world_as_it_was(tmp_path: Path, home: Path) -> None:
    code = (
        "import logging, signal, sys, warnings;"
        "state = lambda: (list(logging.root.handlers), logging.root.level, sys.excepthook,"
        " list(warnings.filters), signal.getsignal(signal.SIGTERM), list(sys.path));"
        "before = state(); import arangopipe; assert state() == before"
    )
    run(code, tmp_path, HOME=str(tmp_path), PYTHONDONTWRITEBYTECODE="1")
    assert not list(tmp_path.iterdir())
    assert not home.exists()


def test_public_names() -> None:
    names = arangopipe.__all__
    assert names == sorted(set(names))
    assert not [name for name in names if getattr(arangopipe, name, None) is None]
    assert [name for name in dir(arangopipe) if not name.startswith("_")] == [
        name for name in names if not name.startswith("_")
    ]
    with pytest.raises(AttributeError, match="no_such_name"):
        arangopipe.no_such_name  # noqa: B018


def test_star_import_gives_the_public_names(tmp_path: Path) -> None:
    code = (
        "import json; from arangopipe import *;"
        "print(json.dumps([n for n in dir() if n[0] != '_' and n != 'json']))"
    )
    assert json.loads(run(code, tmp_path)) == [n for n in arangopipe.__all__ if n[0] != "_"]


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_what_a_module_exports_is_there_and_sorted(path: Path) -> None:
    if "migrations" in path.parts:
        return  # loaded by Alembic, inside a migration only
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    if parts[-1] == "__main__":
        return
    module = importlib.import_module(".".join(parts).removesuffix(".__init__"))
    names = getattr(module, "__all__", [])
    assert list(names) == sorted(set(names))
    assert not [name for name in names if not hasattr(module, name)]


# --- version -----------------------------------------------------------------------------------


def test_version_is_the_same_everywhere() -> None:
    declared = re.search(r'^version = "(.+)"$', project(), re.MULTILINE)
    assert declared
    assert arangopipe.__version__ == declared[1] == metadata.version("arangopipe")


def test_base_dependencies_are_the_chosen_ones() -> None:
    requires = metadata.requires("arangopipe") or []
    base = {re.split(r"[^\w-]", line)[0].lower() for line in requires if "extra ==" not in line}
    assert base == {"alembic", "click", "lark", "pyyaml", "rich", "sqlalchemy"}


# --- extras ------------------------------------------------------------------------------------


def test_a_missing_extra_says_the_pip_line() -> None:
    error = MissingExtra("pandas", "analysis")
    assert str(error) == "pandas is needed for this: pip install 'arangopipe[analysis]'"
    assert isinstance(error, ImportError)
    assert (error.need, error.extra) == ("pandas", "analysis")


def test_extras_named_in_the_code_exist() -> None:
    extras = set(metadata.metadata("arangopipe").get_all("Provides-Extra") or ())
    named = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "MissingExtra":
                named.update(arg.value for arg in node.args[1:] if isinstance(arg, ast.Constant))
    assert "analysis" in named
    assert named <= extras


# --- distributions -----------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.xdist_group("built")
def test_wheel_holds_every_file_of_the_package(unpacked: Path) -> None:
    def files(root: Path) -> set[str]:
        return {
            str(path.relative_to(root))
            for path in root.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }

    packed = files(unpacked / "arangopipe")
    assert packed == files(SOURCE)
    assert {"py.typed", "model/filters.lark"} <= packed
    assert [name for name in packed if name.startswith("store/sql/migrations/versions/")]
    assert {path.name for path in unpacked.iterdir()} == {
        "arangopipe",
        f"arangopipe-{arangopipe.__version__}.dist-info",
    }
    assert list(unpacked.rglob("licenses/LICENSE"))


@pytest.mark.slow
@pytest.mark.xdist_group("built")
def test_source_distribution_is_enough_to_build_and_test(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "LICENSE",
        "Makefile",
        "README.md",
        "docs/conf.py",
        "pyproject.toml",
        "src/arangopipe/model/filters.lark",
        "src/arangopipe/py.typed",
        "tests/conftest.py",
    } <= names
    assert not [name for name in names if name.startswith((".venv", "docs/_build"))]


@pytest.mark.slow
@pytest.mark.xdist_group("built")
def test_a_bare_installation_records_a_run(unpacked: Path, tmp_path: Path) -> None:
    """The files of the wheel, without any extra: import, help, and the main job."""
    path = str(unpacked)
    printed = run(BARE + LOG_ONE_RUN, tmp_path, PYTHONPATH=path)
    found, origin = printed.split(maxsplit=1)
    assert (found, Path(origin.strip()).parent) == ("1", unpacked / "arangopipe")

    help_text = run(BARE + "from arangopipe.cli import main; main()", tmp_path, "--help", PYTHONPATH=path)
    assert "search" in help_text


def test_the_command_is_declared() -> None:
    (script,) = metadata.entry_points(group="console_scripts", name="arangopipe")
    assert script.value == "arangopipe.cli:main"
    assert callable(script.load())
