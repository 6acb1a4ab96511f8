"""The environment of a run: Python and its packages, the machine and its GPUs, the user."""

from __future__ import annotations

import getpass
import os
import platform
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from arangopipe.capture import packages, tools
from arangopipe.capture.values import JSON, plain


def environment(*, seed: JSON = None) -> dict[str, JSON]:
    """Return Python, platform, host, user, CPU, GPUs, imported packages and, if given, the seed.

    `gpu` lists name and memory in MiB. `packages` gives the versions of the distributions whose
    modules are imported right now. `capture_error` says why the GPUs could not be listed.
    """
    gpus, error = _gpus()
    found: dict[str, JSON] = {
        "python": {
            "version": platform.python_version(),
            "implementation": platform.python_implementation(),
        },
        "platform": platform.platform(),
        "host": platform.node(),
        "user": _user(),
        "cpu": {"count": _cpu_count(), "name": _cpu_name()},
        "gpu": [dict(gpu) for gpu in gpus],
        "packages": {**packages.versions()},
    }
    if seed is not None:
        found["seed"] = plain(seed)
    if error:
        found["capture_error"] = error
    return found


@cache
def _user() -> str | None:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # the user id of a container often has no name
        return None


# It reads a file, for what cannot change.
_cpu_count = cache(os.cpu_count)


@cache
def _cpu_name() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    named = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return named[1].strip() if named else platform.processor() or platform.machine()


def _gpus() -> tuple[list[dict[str, JSON]], str | None]:
    cuda: Any = getattr(sys.modules.get("torch"), "cuda", None)
    # Asking torch any earlier would initialise CUDA, and no forked worker could use it after that.
    if cuda is None or not cuda.is_initialized():
        return _nvidia_smi()
    cards = [cuda.get_device_properties(number) for number in range(cuda.device_count())]
    return [{"name": card.name, "memory_mib": card.total_memory >> 20} for card in cards], None


@cache
def _nvidia_smi() -> tuple[list[dict[str, JSON]], str | None]:
    query = "--query-gpu=name,driver_version,memory.total"
    try:
        done = subprocess.run(
            ["nvidia-smi", query, "--format=csv,noheader,nounits"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=tools.TIMEOUT,
            check=True,
        )
    except FileNotFoundError:
        return [], None
    except (OSError, subprocess.SubprocessError) as error:
        return [], f"nvidia-smi: {tools.why(error)}"
    gpus: list[dict[str, JSON]] = []
    text = done.stdout.decode("utf-8", "replace")
    for name, driver, memory in re.findall(r"(.+), (.+), (.+)", text):
        mib = int(memory) if memory.isdigit() else None
        gpus.append({"name": name, "driver": driver, "memory_mib": mib})
    return gpus, None
