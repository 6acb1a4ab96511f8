"""Programs that are asked for facts: how long they may take, and why one failed."""

from __future__ import annotations

import subprocess

TIMEOUT = 2.0


def why(error: Exception) -> str:
    """Return in one line why a program did not answer."""
    if isinstance(error, subprocess.TimeoutExpired):
        return f"timed out after {TIMEOUT:g} s"
    if isinstance(error, subprocess.CalledProcessError) and error.stderr.strip():
        return str(error.stderr.strip().decode("utf-8", "replace").splitlines()[0])
    if isinstance(error, FileNotFoundError):
        return "not installed"
    return f"{type(error).__name__}: {error}"
