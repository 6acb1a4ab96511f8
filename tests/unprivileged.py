"""Does one thing to a store as a user for whom permissions count, and prints which error that raised.

``unprivileged.py <read|write|fill> <url> [<folder>]``: root becomes nobody first. It prints ``ok`` or
``Class: message``. A folder of migrations makes it the next version of Arangopipe.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from arangopipe import ArangopipeError, connect
from arangopipe.store.sql import migrate

NOBODY = 65534
NEXT = "9999"


def as_nobody(work: str, path: Path, migrations: Path | None = None, quota: int = 0) -> str:
    """Do something in a process without privileges; return ``ok`` or the error.

    With a quota, no file may grow beyond so many bytes.
    """
    program = [sys.executable, "-W", "error", __file__, work, f"sqlite:///{path}"]
    program += [str(migrations)] if migrations else []

    def limited() -> None:
        if quota:
            resource.setrlimit(resource.RLIMIT_FSIZE, (quota, quota))

    done = subprocess.run(program, capture_output=True, text=True, timeout=60, preexec_fn=limited)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def main(work: str, url: str, migrations: str | None = None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        # Loads all modules while they can be read: nobody may not see what root installed.
        for once in ("write", "read"):
            do(once, f"sqlite:///{folder}/warm.db")
        if migrations:
            migrate.MIGRATIONS, migrate.SCHEMA = Path(migrations), NEXT
            do("read", f"sqlite:///{folder}/warm.db")
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    try:
        do(work, url)
    except ArangopipeError as error:
        print(f"{type(error).__name__}: {error}")
    else:
        print("ok")


def do(work: str, url: str) -> None:
    with connect(url, actor="nobody", capture=False) as pipe:
        if work == "write":
            pipe.register_dataset("of nobody")
        elif work == "fill":
            pipe.register_dataset("of much", text="x" * 1_000_000)
        else:
            pipe.search("dataset")


if __name__ == "__main__":
    main(*sys.argv[1:])
