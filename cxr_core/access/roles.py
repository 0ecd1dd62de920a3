"""Roles, and the role of a user: from a claim of the ID token, or from the lists of the settings."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from ..settings import Settings

__all__ = [
    "Grant",
    "Role",
    "role_of",
    "same_name",
]


class Role(IntEnum):
    """Role of a user; each role includes the rights of the lower ones.

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
    """A role; or None, and the reason to show to that user."""

    role: Role | None
    why: str = ""


def role_of(claims: Mapping[str, Any], settings: Settings) -> Grant:
    """Return the highest role that the claim or the lists give; None where neither gives one.

    The claim's value is ``reader``, ``reviewer`` or ``admin``, or a list that holds one of them. An entry of a
    list with an @ is an e-mail address, and counts only where the provider states that it is verified
    (``email_verified``): some providers accept any address that a user enters. Any other entry is a subject (``sub``),
    which is compared exactly (OpenID Connect Core 1.0, section 2: case-sensitive); so is the name of a role. Addresses
    are compared by :func:`same_name`.

    Args:
        claims: of an ID token whose signature was checked.
        settings: ``role_claim``, ``readers``, ``reviewers``, ``admins``.
    """
    roles = {role for role in Role if str(role) in _values(_claim(claims, settings.role_claim))}
    subject, address = claims.get("sub"), claims.get("email")
    listed_unverified = False
    for role, entries in zip(Role, (settings.readers, settings.reviewers, settings.admins), strict=True):
        if any(entry == subject for entry in entries if "@" not in entry):
            roles.add(role)
        if any(same_name(entry, address) for entry in entries if "@" in entry):
            # the text "true", as some providers send it, is not accepted
            if claims.get("email_verified") is True:
                roles.add(role)
            else:
                listed_unverified = True
    if roles:
        return Grant(max(roles))
    if listed_unverified:
        return Grant(None, "Your e-mail address has a role here, but the provider does not state that it is verified.")
    if not (settings.role_claim or settings.readers or settings.reviewers or settings.admins):
        return Grant(None, "No roles are configured on this server: set SECOND_READ_ROLE_CLAIM or a list of users.")
    return Grant(None, "Neither your account nor this server's lists give you a role.")


def _claim(claims: Mapping[str, Any], name: str | None) -> Any:
    """Return a claim by its name; dots lead into nested claims, unless a claim has the whole name."""
    if not name:
        return None
    if name in claims:
        return claims[name]
    for at, letter in enumerate(name):
        inner = claims.get(name[:at]) if letter == "." else None
        if isinstance(inner, Mapping) and (value := _claim(inner, name[at + 1 :])) is not None:
            return value
    return None


def _values(claim: Any) -> set[str]:
    if isinstance(claim, str):
        return {claim}
    return {value for value in claim if isinstance(value, str)} if isinstance(claim, list | tuple) else set()


def same_name(one: Any, other: Any) -> bool:
    """Return whether two identifiers are equal except for lower and upper case.

    They are compared after Unicode's normalisation form KC and case folding. Both map different characters to one:
    the Kelvin sign U+212A to a k, a full-width letter to the ordinary one, a sharp s to ss. So a pair must also be
    equal character by character: it is refused where an identifier is not its own form KC, where the lengths differ,
    or where two characters in the same place are not the lower and upper case of one letter.

    >>> same_name("Ann@Example.org", "ann@example.ORG")
    True
    >>> same_name("kim@example.org", "\u212aim@example.org")
    False

    Source: Unicode Standard Annex 15 (normalisation forms), and section 3.13 (default caseless matching).
    """
    if not (isinstance(one, str) and isinstance(other, str) and one and len(one) == len(other)):
        return False
    if any(unicodedata.normalize("NFKC", name) != name for name in (one, other)):
        return False
    return all(
        left == right or (left.lower() == right.lower() and left.upper() == right.upper() and len(left.lower()) == 1)
        for left, right in zip(one, other, strict=True)
    ) and _folded(one) == _folded(other)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()
