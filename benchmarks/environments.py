"""The peers, each in a virtual environment of its own, made when it is first needed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PEERS = Path(__file__).resolve().parent.parent / ".bench" / "peers"


class Missing(Exception):
    """A peer cannot be installed here; says why."""


@dataclass(frozen=True)
class Peer:
    """A peer: its package, the script that speaks for it, and the Pythons its wheels are made for."""

    name: str
    package: str
    script: str
    arguments: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()

    def python(self) -> Path:
        """Return the Python of its environment, which is made if need be; raise `Missing` if it cannot be."""
        folder = PEERS / self.package
        python = folder / "bin" / "python"
        done = folder / ".installed"
        if done.exists():
            return python
        shutil.rmtree(folder, ignore_errors=True)
        _run([self._base(), "-m", "venv", folder])
        pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        _run([*pip, "--only-binary", self.package, self.package])
        done.touch()
        return python

    def _base(self) -> str:
        """Return a Python that this peer has wheels for."""
        own = f"{sys.version_info.major}.{sys.version_info.minor}"
        if not self.versions or own in self.versions:
            return sys.executable
        for version in self.versions:
            if found := shutil.which(f"python{version}"):
                return found
        raise Missing(f"needs Python {' or '.join(self.versions)}, this is {own}")


MLFLOW = Peer("MLflow", "mlflow", "peer_mlflow.py")
MLFLOW_SERVER = Peer("MLflow's server", "mlflow", "peer_mlflow_http.py")
_MLMD = ("3.11", "3.10", "3.9")
MLMD = Peer("ml-metadata", "ml-metadata", "peer_mlmd.py", ("wal",), _MLMD)
MLMD_AS_SHIPPED = Peer("ml-metadata as shipped", "ml-metadata", "peer_mlmd.py", ("delete",), _MLMD)


def _run(command: Sequence[str | Path]) -> None:
    try:
        subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True, timeout=900)
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout).strip().splitlines()
        raise Missing(said[-1] if said else str(error)) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(str(error)) from None
