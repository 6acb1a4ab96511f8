"""The snapshot that each run takes of its environment and code.

It must cost next to nothing: what cannot change within a process is found out once, and git is asked
again only after a while. No cache has a lock: each is replaced whole, so two threads at worst do the
same work twice, and a forked child never waits for a lock that nobody will release.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from arangopipe.capture.machine import environment
from arangopipe.capture.program import code
from arangopipe.capture.values import JSON


def snapshot(*, seed: JSON = None) -> dict[str, JSON]:
    """Return `{"environment": environment(), "code": code()}`, never raising or warning.

    What could not be found out is left out, and `capture_errors` says why, by part. With the
    variable ARANGOPIPE_CAPTURE set to 0, off, false or no the result is empty.
    """
    if os.environ.get("ARANGOPIPE_CAPTURE", "").lower() in {"0", "off", "false", "no"}:
        return {}
    parts: dict[str, Callable[[], dict[str, JSON]]] = {
        "environment": lambda: environment(seed=seed),
        "code": code,
    }
    found: dict[str, JSON] = {}
    errors: dict[str, JSON] = {}
    for name, part in parts.items():
        try:
            facts = part()
        except Exception as error:  # the one boundary: recording must never stop the training
            errors[name] = f"{type(error).__name__}: {error}"
            continue
        if "capture_error" in facts:
            errors[name] = facts.pop("capture_error")
        found[name] = facts
    if errors:
        found["capture_errors"] = errors
    return found
