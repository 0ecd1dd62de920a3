"""Roles, and which one a person has: from a claim of the ID token, or from the lists of the settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from ..settings import Settings
from .names import same_name

__all__ = ["Grant", "Role", "role_of"]


class Role(IntEnum):
    """What a person may do; each role may what the ones below it may.

    >>> Role.READER < Role.REVIEWER < Role.ADMIN
    True
    """

    READER = 1
    REVIEWER = 2
    ADMIN = 3

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Grant:
    """A role; or None, and why there is none, in words for that person."""

    role: Role | None
    why: str = ""


def role_of(claims: Mapping[str, Any], settings: Settings) -> Grant:
    """Return the highest role that the claim or the lists give; who is in neither has none.

    The claim's value is ``reader``, ``reviewer`` or ``admin``, or a list that holds one of them. An entry of a
    list with an @ is an e-mail address, and counts only where the provider says that it is verified
    (``email_verified``): anybody may tell some providers any address. Any other entry is a subject (``sub``), which is
    compared as it is (OpenID Connect Core 1.0, section 2: case-sensitive); so is the name of a role. Addresses are
    compared by :func:`.names.same_name`.

    Args:
        claims: of an ID token whose signature was checked.
        settings: ``role_claim``, ``readers``, ``reviewers``, ``admins``.
    """
    found = {role for role in Role if str(role) in _values(_claim(claims, settings.role_claim))}
    subject, address = claims.get("sub"), claims.get("email")
    listed_unverified = False
    for role, entries in zip(Role, (settings.readers, settings.reviewers, settings.admins), strict=True):
        if any(entry == subject for entry in entries if "@" not in entry):
            found.add(role)
        if any(same_name(entry, address) for entry in entries if "@" in entry):
            # the word "true", as some providers write it, is no proof that somebody looked
            if claims.get("email_verified") is True:
                found.add(role)
            else:
                listed_unverified = True
    if found:
        return Grant(max(found))
    if listed_unverified:
        return Grant(None, "Your e-mail address has a role here, but the provider does not say that it is verified.")
    if not (settings.role_claim or settings.readers or settings.reviewers or settings.admins):
        return Grant(None, "This server gives nobody a role yet: SECOND_READ_ROLE_CLAIM or a list must be set.")
    return Grant(None, "Neither your sign-in nor this server's lists give you a role.")


def _claim(claims: Mapping[str, Any], name: str | None) -> Any:
    """Return a claim by its name; dots lead into nested ones, unless the name itself has them."""
    if not name:
        return None
    if name in claims:
        return claims[name]
    for at, letter in enumerate(name):
        inner = claims.get(name[:at]) if letter == "." else None
        if isinstance(inner, Mapping) and (found := _claim(inner, name[at + 1 :])) is not None:
            return found
    return None


def _values(claim: Any) -> set[str]:
    if isinstance(claim, str):
        return {claim}
    return {value for value in claim if isinstance(value, str)} if isinstance(claim, list | tuple) else set()
