"""What goes over the wire about users and what proves who they are."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from arangopipe.credentials import LONGEST_PASSWORD
from arangopipe.roles import Role
from arangopipe.server.wire import Strict

_NAME = Field(min_length=1, max_length=1_000, examples=["ana"])
_PASSWORD = Field(max_length=LONGEST_PASSWORD, examples=["a long sentence is a good password"])
_PROJECTS = Field(
    None, description="What it is for; null: all projects of its user.", examples=[["diabetes"]]
)
_ROLE = Field(None, description="What it is for at most; null: whatever its user has.")


class Login(Strict):
    """A name and a password."""

    name: str = _NAME
    password: str = _PASSWORD


class Setup(Login):
    """The first administrator, and the token that the server said when it started."""

    token: str = Field(max_length=200, examples=["apt_…"])


class Passwords(Strict):
    """A new password, and the one it replaces."""

    old: str = _PASSWORD
    new: str = _PASSWORD


class NewPassword(Strict):
    """A new password."""

    password: str = _PASSWORD


class Me(Strict):
    """Who asks: the role in each project, as far as the token or session goes."""

    user: str = Field(description="The name; empty where the server has no users.", examples=["ana"])
    admin: bool
    roles: dict[str, Role] = Field(examples=[{"diabetes": "maintainer"}])
    limited: bool = Field(description="Whether the token is for less than its user may do.")
    csrf: str | None = Field(None, description="What a session must send as X-CSRF-Token to change anything.")


class UserOut(Strict):
    """A user."""

    name: str = _NAME
    admin: bool
    disabled: bool
    roles: dict[str, Role] = Field(examples=[{"diabetes": "maintainer"}])
    attributes: dict[str, Any] = Field(examples=[{"full_name": "Ana Lima"}])


class Users(Strict):
    """Users, by name."""

    items: list[UserOut]


class NewUser(Strict):
    """A user to register."""

    name: str = _NAME
    password: str | None = Field(None, max_length=LONGEST_PASSWORD)
    admin: bool = False
    roles: dict[str, Role] = Field(default_factory=dict, examples=[{"diabetes": "viewer"}])
    attributes: dict[str, Any] = Field(default_factory=dict, examples=[{"full_name": "Ana Lima"}])


class UserChange(Strict):
    """What is to be otherwise with a user."""

    admin: bool | None = None
    disabled: bool | None = None
    reason: str = Field("", max_length=10_000)


class Grant(Strict):
    """A role."""

    role: Role
    reason: str = Field("", max_length=10_000)


class TokenOut(Strict):
    """A token, without what proves it."""

    key: str = Field(examples=["96379b147334eaa191e3"])
    user: str = _NAME
    name: str | None
    projects: list[str] | None = _PROJECTS
    role: Role | None = _ROLE
    created: datetime | None
    expires: datetime | None = Field(description="When it ends; null: never.")
    used: datetime | None = Field(description="When it was last used, to the hour.")


class Tokens(Strict):
    """Tokens, the newest first."""

    items: list[TokenOut]


class NewToken(Strict):
    """A token to make; without a user, one's own."""

    user: str | None = None
    name: str = Field("", max_length=1_000, examples=["laptop"])
    projects: list[str] | None = _PROJECTS
    role: Role | None = _ROLE
    days: float | None = Field(90, description="How long it lasts; null: for ever.", gt=0, le=36_500)


class MadeToken(Strict):
    """A token just made. Its text is said this once."""

    text: str = Field(examples=["apt_96379b147334eaa191e3_…"])
    token: TokenOut
