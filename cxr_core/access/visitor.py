"""Who asks at a page, and who acts in a command.

At a page: nobody yet, a person with a role until a time, or whoever sits at this machine. In a command: the person at
the page who asked for it, or the operating system's user; never a name from the environment.
"""

from __future__ import annotations

import hmac
import json
import logging
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import urlsplit

from ..errors import AuditUnwritable, CxrError, WrongArguments
from ..settings import Settings
from .audit_chain import seal, trail_key
from .roles import Role, role_of

__all__ = [
    "LOCAL",
    "LOCAL_NAMES",
    "OPERATING_SYSTEM",
    "SERVER",
    "Visitor",
    "acting_user",
    "closed",
    "is_forwarded",
    "is_local_request",
    "on_behalf_of",
    "provider_responds",
    "signed_out",
    "system_user",
    "visitor_of",
]


LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
"""Names under which a server is reached from its own machine alone."""

_YEAR_9999 = 253_370_764_800

_FORWARDING = frozenset(
    [
        "via",
        "forwarded",
        "x-real-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-remote-ip",
        "x-remote-addr",
        "true-client-ip",
        "client-ip",
        "fastly-client-ip",
        "fly-client-ip",
        "x-proxyuser-ip",
        "wl-proxy-client-ip",
        "proxy-client-ip",
        "x-original-for",
        "x-scheme",
        "x-http-via",
        "x-proxy-id",
        "x-nginx-proxy",
        "front-end-https",
        "x-client-port",
        "x-host",
    ]
)
_FORWARDING_FAMILIES = (
    "x-forwarded",
    "x-forward-",
    "x-original-",
    "x-envoy-",
    "x-proxy-",
    "x-azure-",
    "x-appengine-",
    "x-amzn-",
    "x-amz-cf-",
    "x-arr-",
    "x-rewrite-",
    "cf-",
    "cdn-",
    "cloudfront-",
    "fastly-",
    "fly-",
    "forwarded-",
    "remote-",
    "proxy-",
    "tailscale-",
)
_FORWARDING_ENDINGS = ("-via", "-client-ip")
"""Headers that proxies, tunnels and load balancers add, and that no browser sends: by name, prefix and suffix.

``Forwarded`` is RFC 7239, ``Via`` RFC 9110 section 7.6.3; the others are those of nginx, Apache, HAProxy, Envoy, IIS,
Akamai, Cloudflare, Fastly, Fly, CloudFront, Azure, App Engine, Vercel,
Blue Coat and Tailscale.
"""


Standing = Literal["local", "signed_in", "signed_out", "expired", "no_role", "closed"]


@dataclass(frozen=True)
class Visitor:
    """A visitor of the app, or the user of a command.

    Attributes:
        standing: ``local`` (single-user mode), ``signed_in``, ``signed_out``, ``expired`` (was signed in),
            ``no_role`` (is signed in without a role) or ``closed`` (the server must not show anything).
        subject: the provider's identifier of the user; ``local`` in single-user mode; empty where unknown.
        issuer: the provider; empty in single-user mode.
        name: shown to that user only.
        role: None for no access.
        until: end of the sign-in, in seconds since 1970 (UTC); None where it does not end.
        why: reason for the missing role, to show to that user.
    """

    standing: Standing
    subject: str = ""
    issuer: str = ""
    name: str = field(default="", repr=False)
    role: Role | None = None
    until: float | None = None
    why: str = ""

    def may(self, role: Role) -> bool:
        """Return whether this visitor has the rights of a role at this moment."""
        if self.until is not None and time.time() >= self.until:
            return False
        return self.role is not None and self.role >= role


LOCAL = Visitor("local", subject="local", name="local user", role=Role.ADMIN)
"""The user at this machine, and of every command."""

SERVER = Visitor("local", subject="server", name="the server")
"""The app itself, for events without a user; it has no role."""


def visitor_of(claims: Mapping[str, Any], settings: Settings) -> Visitor:
    """Return the visitor of the claims of a validated ID token; an expired token gives no role.

    A token without a usable ``exp`` or ``sub``, which OpenID Connect requires, counts as expired.
    """
    until, subject = claims.get("exp"), claims.get("sub")
    subject = subject if isinstance(subject, str) else ""
    until = until if isinstance(until, int | float) and not isinstance(until, bool) else 0
    # NaN and times beyond any date count as expired
    if not (subject and time.time() < until < _YEAR_9999):
        return Visitor("expired", subject, str(claims.get("iss", "")), why="Your sign-in has ended.")
    grant = role_of(claims, settings)
    name = next((str(claims[key]) for key in ("name", "email", "preferred_username") if claims.get(key)), subject)
    standing: Standing = "signed_in" if grant.role is not None else "no_role"
    return Visitor(standing, subject, str(claims.get("iss", "")), name, grant.role, float(until), grant.why)


def signed_out() -> Visitor:
    """Return a visitor who has not signed in."""
    return Visitor("signed_out")


def closed(why: str) -> Visitor:
    """Return a visitor to a server that must not show anything."""
    return Visitor("closed", why=why)


def is_local_request(headers: Mapping[str, str]) -> bool:
    """Return whether a request has no header that suggests another machine or a proxy.

    A browser sends the address that it opened (``Origin``), and most proxies name the client they forward: any such
    header counts, with any value. As some servers do, ``_`` in a header's name is taken for ``-``.
    """
    if is_forwarded(headers):
        return False
    headers = {name.lower().replace("_", "-"): value for name, value in headers.items()}
    named = [f"//{headers['host']}"] if "host" in headers else []
    named += [headers["origin"]] if "origin" in headers else []
    return all(_host(address) in LOCAL_NAMES for address in named)


def is_forwarded(headers: Iterable[str]) -> bool:
    """Return whether the names of a request's headers suggest that it has come by way of a proxy."""
    return any(_forwards(name.lower().replace("_", "-")) for name in headers)


def _forwards(name: str) -> bool:
    return (
        name in _FORWARDING
        or "forwarded" in name
        or name.startswith(_FORWARDING_FAMILIES)
        or name.endswith(_FORWARDING_ENDINGS)
    )


def _host(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


_LOG = logging.getLogger(__name__)


def provider_responds(metadata_url: str, seconds: float = 5.0) -> bool:
    """Return whether the provider returns its OpenID Connect metadata.

    It does not show that sign-in will work: client, secret and redirect URI are checked by the provider only then.

    Args:
        metadata_url: of ``.well-known/openid-configuration``.
        seconds: timeout of the connection, and of each read.

    Source: OpenID Connect Discovery 1.0, section 4.
    """
    # imported here, since single-user mode has no provider; Authlib uses it too, with the same proxies and certificates
    import httpx

    try:
        response = httpx.get(metadata_url, timeout=seconds, follow_redirects=True)
        response.raise_for_status()
        metadata = response.json()
        if not isinstance(metadata, dict) or not metadata.get("authorization_endpoint"):
            raise ValueError
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        _LOG.warning("The sign-in provider's server_metadata_url returns no usable metadata: %s", type(error).__name__)
        return False
    return True


OPERATING_SYSTEM = "os"
"""Issuer, in the trail, of the operating system's user names."""

_SECONDS = 120
"""Time within which a command must start to act for the visitor of a page."""


@lru_cache(maxsize=1)
def system_user() -> str:
    """Return the name of the operating system's user that this process belongs to, or ``uid N`` where it has none.

    ``getpass.getuser`` would trust ``LOGNAME`` and ``USER``, which anybody can set.
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
    """Return a line that makes a command of the app act for this visitor; valid for two minutes.

    It is sealed with the key of the audit trail, so only a process that can read the key can act for another user.

    Raises AuditUnwritable where there is no key and none can be made.
    """
    statement = json.dumps([visitor.subject, visitor.issuer, str(visitor.role or ""), int(time.time()) + _SECONDS])
    return json.dumps({"visitor": statement, "seal": seal(_key(), "visitor", statement.encode())})


def acting_user(line: str | None = None) -> Visitor:
    """Return the user of a command: the operating system's user, or the visitor of a line of :func:`on_behalf_of`.

    Raises WrongArguments for a line that the app did not seal, or that has expired.
    """
    if line is None:
        return LOCAL
    try:
        message = json.loads(line)
        text = str(message["visitor"])
        subject, issuer, role, until = json.loads(text)
        valid = (
            hmac.compare_digest(seal(_key(), "visitor", text.encode()), str(message["seal"])) and time.time() < until
        )
        visitor = Visitor("signed_in", str(subject), str(issuer), role=Role[str(role).upper()])
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise WrongArguments(_NOT_SEALED) from error
    if not valid:
        raise WrongArguments(_NOT_SEALED)
    return visitor


_NOT_SEALED = "The line that names the user was not written by this app, or has expired. Start again on the page."


def _key() -> bytes:
    try:
        return trail_key()
    except (OSError, CxrError) as error:
        raise AuditUnwritable("The key of the audit trail cannot be read or made. Check SECOND_READ_RUNS.") from error
