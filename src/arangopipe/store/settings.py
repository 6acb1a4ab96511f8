"""The settings: environment variables, listed here and documented."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, unquote

from arangopipe.errors import InvalidInput

DEFAULT_URL = "sqlite:///arangopipe.db"

SETTINGS: Mapping[str, str] = {
    "ARANGOPIPE_URL": f"the store that `connect()` and the command line open; default `{DEFAULT_URL}`",
    "ARANGOPIPE_TOKEN": "the token for the server that ARANGOPIPE_URL names; `token=` comes before it",
    "ARANGOPIPE_HOME": "the folder of what belongs to this user and to no one store; default `~/.arangopipe`",
    "ARANGOPIPE_LEGACY_URL": "where code written for Arangopipe 0.0.x keeps its database `{database}`; "
    "default: the file `databases/{database}.db` in ARANGOPIPE_HOME",
    "ARANGOPIPE_DISABLED": "when set to `1`, an empty in-memory store that forgets at exit; no file",
    "ARANGOPIPE_OFFLINE": "when set to `1`, what is recorded goes to the spool, and no store is contacted",
    "ARANGOPIPE_SPOOL_MB": "how large the spool may grow, in millions of bytes; default `1000`",
    "ARANGOPIPE_ADMIN_PASSWORD": "the password that `arangopipe init --admin NAME` gives the first "
    "administrator; without it, it asks",
    "ARANGOPIPE_CAPTURE": "`0` switches off the capture of code and environment",
}


SECRETS = ("password", "sslpassword")
PLACES = ("host", "hostaddr", "port", "dbname", "service", "schema")
"""Options of an address that say where a store in PostgreSQL is."""


def default_url() -> str:
    """Return the address of the store to open when none is given."""
    if disabled():
        return "memory://"
    return os.environ.get("ARANGOPIPE_URL") or DEFAULT_URL


def url_of(path: str | os.PathLike[str]) -> str:
    """Return the address of the store in a file."""
    return f"sqlite:///{quote(os.fspath(path))}"


def absolute(url: str) -> str:
    """Return the address of a store as it holds from any working directory, without user and password."""
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        name, mark, options = rest.removeprefix("/").partition("?")
        return f"sqlite:///{quote(str(Path(unquote(name)).expanduser().absolute()))}{mark}{options}"
    address, _, options = rest.partition("?")
    parts = options.split("&")
    if any("@" in part.partition("=")[0] for part in parts):
        address, _, options = rest.rpartition("@")[2].partition("?")
        parts = options.split("&")
    kept = "&".join(part for part in parts if part.partition("=")[0] not in SECRETS)
    return f"{scheme}://{address.rpartition('@')[2]}{'?' if kept else ''}{kept}"


def place(url: str) -> str:
    """Return what tells a store from others: its address without user, password and most options."""
    address, _, options = absolute(url).partition("?")
    scheme, _, rest = address.rstrip("/").partition("://")
    if scheme.partition("+")[0] not in ("postgres", "postgresql"):
        return address.rstrip("/")
    kept = sorted(part for part in options.split("&") if part.partition("=")[0] in PLACES)
    return f"postgresql://{rest}{'?' if kept else ''}{'&'.join(kept)}"


def home() -> Path:
    """Return the user's own folder; whoever writes there makes it."""
    return Path(os.environ.get("ARANGOPIPE_HOME") or "~/.arangopipe").expanduser().absolute()


def disabled() -> bool:
    """Whether recording is switched off by the setting ARANGOPIPE_DISABLED."""
    return switched_on("ARANGOPIPE_DISABLED")


def offline() -> bool:
    """Whether the setting ARANGOPIPE_OFFLINE keeps this process from its store."""
    return switched_on("ARANGOPIPE_OFFLINE")


def spool_limit() -> int:
    """Return how many bytes the spool may take before points of metrics are dropped."""
    text = os.environ.get("ARANGOPIPE_SPOOL_MB") or "1000"
    try:
        return int(float(text) * 1_000_000)
    except (ValueError, OverflowError):
        raise InvalidInput(f"ARANGOPIPE_SPOOL_MB is {text!r}: write a number of megabytes") from None


def switched_on(setting: str) -> bool:
    """Whether a setting says yes."""
    return os.environ.get(setting, "").lower() in ("1", "true", "yes", "on")
