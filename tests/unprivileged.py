"""Does one thing to a store as a user for whom permissions count, and prints which error that raised.

``unprivileged.py <read|write> <url>``: root becomes nobody first. It prints ``ok`` or ``Class: message``.
"""

from __future__ import annotations

import os
import sys
import tempfile

from arangopipe import ArangopipeError, connect

NOBODY = 65534


def main(work: str, url: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        # Loads all modules while they can be read: nobody may not see what root installed.
        for once in ("write", "read"):
            do(once, f"sqlite:///{folder}/warm.db")
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
        else:
            pipe.search("dataset")


if __name__ == "__main__":
    main(*sys.argv[1:])
