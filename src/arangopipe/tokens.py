"""Tokens, sessions of the page and passwords, as nodes of kind ``tokens`` that hold nothing but a hash.

So nothing that a store, its history or a bundle holds lets anyone in. A new password stands beside the old
one, so that the old hash can be erased.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias, get_args

from arangopipe.errors import InvalidInput
from arangopipe.model import documents, times
from arangopipe.model.expressions import Compare, Path
from arangopipe.model.graph import Node, Put
from arangopipe.roles import Role
from arangopipe.store.base import Store, nodes_of

TOKEN_DAYS = 90
SESSION_HOURS = 12

Purpose: TypeAlias = Literal["token", "session", "password"]
Expires: TypeAlias = datetime | timedelta | str | None


@dataclass(frozen=True)
class Token:
    """One token, or one session of the page, without what proves it.

    It is for some projects (None: all of its user's) and for at most a role (None: whatever its user has).
    `used` is when it was last seen, to the hour.
    """

    key: str
    user: str
    name: str = ""
    purpose: Purpose = "token"
    projects: tuple[str, ...] | None = None
    role: Role | None = None
    created: datetime | None = None
    expires: datetime | None = None
    used: datetime | None = None

    @property
    def id(self) -> str:
        """The reference ``tokens/key``."""
        return f"tokens/{self.key}"

    def expired(self, moment: datetime) -> bool:
        """Whether it is too old at a time."""
        return self.expires is not None and self.expires <= moment

    def to_dict(self) -> dict[str, Any]:
        """Return the token as JSON-able values."""
        moments = {"created": self.created, "expires": self.expires, "used": self.used}
        return {
            "key": self.key,
            "user": self.user,
            "name": self.name or None,
            "projects": None if self.projects is None else list(self.projects),
            "role": self.role,
            **{name: None if moment is None else times.to_text(moment) for name, moment in moments.items()},
        }


@dataclass(frozen=True)
class NewToken:
    """A token just made: `text` is what its user must keep, for it is shown this once."""

    text: str = field(repr=False)
    token: Token


def end_of(expires: Expires) -> datetime | None:
    """Return when a token ends, which lies ahead; None: never."""
    if expires is None:
        return None
    now = times.now()
    try:
        end = now + expires if isinstance(expires, timedelta) else times.parse(expires, "expires")
    except OverflowError as error:
        raise InvalidInput(f"expires={expires!r} is out of range: None means never") from error
    if end <= now:
        raise InvalidInput(f"expires={end} does not lie ahead")
    return end


def tokens_of(store: Store, user: str | None, *purposes: Purpose) -> list[Node]:
    """Return the nodes of a user (None: of all) that are for some purposes (none: for any)."""
    where = None if user is None else Compare(Path(("user",)), "=", user)
    wanted = purposes or get_args(Purpose)
    # A store older than users may have things of an own kind of that name.
    return [node for node in nodes_of(store, "tokens", where) if node.document.get("purpose") in wanted]


def used(token: Node, moment: datetime) -> Put:
    """Return the put that records when a token was last used."""
    document = {**token.document, "used": times.to_text(moment)}
    return Put(token._replace(text=documents.dump(document)), token.revision)


def token_of(node: Node) -> Token:
    """Return the token that a node holds."""
    document = node.document
    moments = {name: document.get(name) for name in ("created", "expires", "used")}
    projects = document.get("projects")
    return Token(
        node.key,
        document["user"],
        node.name,
        document["purpose"],
        None if projects is None else tuple(projects),
        document.get("role"),
        **{name: None if text is None else times.parse(text) for name, text in moments.items()},
    )


def token_node(token: Token, digest: str) -> Node:
    """Return the node of a token; the hash stands where it is not indexed."""
    moments = {"created": token.created, "expires": token.expires}
    document = {
        "user": token.user,
        "purpose": token.purpose,
        "projects": None if token.projects is None else list(token.projects),
        "role": token.role,
        "secret": {"sha256": digest},
        **{name: None if moment is None else times.to_text(moment) for name, moment in moments.items()},
    }
    return Node("tokens", token.key, token.name, text=documents.dump(document))


def password_ids(user: str) -> tuple[str, str]:
    """Return under which ids, one or the other, the password of a user (an id) stands."""
    key = user.partition("/")[2]
    return f"tokens/{key}", f"tokens/{key}-"


def password_node(user: Node, kept: str, place: str) -> Node:
    """Return the node of a user's password, under one of its ids; the hash stands where it is not indexed."""
    document = {"user": user.name, "purpose": "password", "secret": {"argon2": kept}}
    return Node("tokens", place.partition("/")[2], text=documents.dump(document))
