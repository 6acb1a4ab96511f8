"""What the machine knows: the environment and code of a run, the fingerprint and summary of data."""

from __future__ import annotations

from arangopipe.capture.fingerprints import fingerprint
from arangopipe.capture.machine import environment
from arangopipe.capture.program import code
from arangopipe.capture.snapshots import snapshot
from arangopipe.capture.summaries import summarize

__all__ = ["code", "environment", "fingerprint", "snapshot", "summarize"]
