"""Does one thing to a store as a user for whom permissions count, and prints which error that raised.

``unprivileged.py <read|write> <url>``: root becomes nobody first. It prints ``ok`` or ``Class: message``.
"""

from __future__ import annotations

import os
import sys

import arangopipe
import arangopipe.store.sql.store  # nobody may not be able to read what root installed

NOBODY = 65534


def main(work: str, url: str) -> None:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    try:
        with arangopipe.connect(url, actor="nobody", capture=False) as pipe:
            if work == "write":
                pipe.register_dataset("by nobody")
            else:
                pipe.lookup_dataset("diabetes")
    except arangopipe.ArangopipeError as error:
        print(f"{type(error).__name__}: {error}")
    else:
        print("ok")


if __name__ == "__main__":
    main(*sys.argv[1:])
