"""Which time is counted: time passed or, on a machine that is busy with other things, processor time."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable

_VARIABLE = "ARANGOPIPE_BENCH_CLOCK"


def count_processor_time() -> None:
    """From now on `clock` counts processor time, here and in processes that are started later."""
    os.environ[_VARIABLE] = "processor"


def counts_processor_time() -> bool:
    """Return whether processor time is counted."""
    return _VARIABLE in os.environ


def clock() -> float:
    """Return the time in seconds."""
    return time.process_time() if counts_processor_time() else time.perf_counter()


def timed(work: Callable[[], object]) -> float:
    """Return how long one call takes, in seconds, after clearing away what is not its own."""
    gc.collect()
    start = clock()
    work()
    return clock() - start
