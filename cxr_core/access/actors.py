"""Who acts: a person who is signed in, or the operating system's user; never a word of the environment."""

from __future__ import annotations

import hmac
import json
import os
import time
from functools import lru_cache

from ..errors import AuditUnwritable, CxrError, WrongArguments
from .audit_chain import seal, trail_key
from .roles import Role
from .visitor import LOCAL, Visitor

__all__ = ["OPERATING_SYSTEM", "asked_by", "on_behalf_of", "system_user"]

OPERATING_SYSTEM = "os"
"""Issuer, in the trail, of the names that the operating system gives its users."""

_SECONDS = 120
"""So long after the page has asked a command may start to act for the person at the page."""


@lru_cache(maxsize=1)
def system_user() -> str:
    """Return the name of the operating system's user that this process belongs to, or ``uid N`` where it has none.

    ``getpass.getuser`` is not asked: it believes ``LOGNAME`` and ``USER``, which anybody sets.
    """
    try:
        import pwd
    except ImportError:
        # on Windows, where the name is that of the process itself (GetUserName); elsewhere it is the terminal's
        return os.getlogin()
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def on_behalf_of(visitor: Visitor) -> str:
    """Return a line that a command of the app reads, so that it acts for this visitor; good for two minutes.

    It is sealed with the key of the audit trail: who cannot read the key cannot act for another.

    Raises AuditUnwritable where there is no key and none can be made.
    """
    told = json.dumps([visitor.subject, visitor.issuer, str(visitor.role or ""), int(time.time()) + _SECONDS])
    return json.dumps({"visitor": told, "seal": seal(_key(), "visitor", told.encode())})


def asked_by(line: str | None = None) -> Visitor:
    """Return for whom a command acts: the operating system's user, or whom a line of :func:`on_behalf_of` names.

    Raises WrongArguments for a line that the app did not seal, or too long ago.
    """
    if line is None:
        return LOCAL
    try:
        told = json.loads(line)
        text = str(told["visitor"])
        subject, issuer, role, until = json.loads(text)
        right = hmac.compare_digest(seal(_key(), "visitor", text.encode()), str(told["seal"])) and time.time() < until
        visitor = Visitor("signed_in", str(subject), str(issuer), role=Role[str(role).upper()])
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise WrongArguments(_NOT_SEALED) from error
    if not right:
        raise WrongArguments(_NOT_SEALED)
    return visitor


_NOT_SEALED = "The line that says who asks was not written by this app, or too long ago. Ask again on the page."


def _key() -> bytes:
    try:
        key = trail_key()
    except (OSError, CxrError) as error:
        raise AuditUnwritable("The key of the audit trail cannot be read or made. Check SECOND_READ_RUNS.") from error
    return key
