"""Who asks: nobody yet, a person with a role until a time, or whoever sits at this machine."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from ..settings import Settings
from .roles import Role, role_of

__all__ = ["LOCAL", "LOCAL_NAMES", "SERVER", "Visitor", "asked_from_here", "closed", "signed_out", "visitor_of"]

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
"""Headers that proxies, tunnels and load balancers add, and that no browser sends; by name, by beginning and by end.

``Forwarded`` is RFC 7239, ``Via`` RFC 9110 section 7.6.3; the others are those of nginx, Apache, HAProxy, Envoy, IIS,
Akamai, Cloudflare, Fastly, Fly, CloudFront, Azure, App Engine, Vercel,
Blue Coat and Tailscale.
"""


@dataclass(frozen=True)
class Visitor:
    """Somebody, as far as is known.

    Attributes:
        standing: ``local`` (single-user mode), ``signed_in``, ``signed_out``, ``expired`` (was signed in),
            ``no_role`` (is signed in, and nobody here) or ``closed`` (the server must not show anything).
        subject: the provider's identifier of the person; ``local`` in single-user mode; empty where unknown.
        issuer: whose identifier that is; empty in single-user mode.
        name: for the screen, to that person alone.
        role: what they may, or None.
        until: when the sign-in ends, in seconds since 1970 (UTC); None where it does not.
        why: why there is no role, in words for that person.
    """

    standing: Literal["local", "signed_in", "signed_out", "expired", "no_role", "closed"]
    subject: str = ""
    issuer: str = ""
    name: str = field(default="", repr=False)
    role: Role | None = None
    until: float | None = None
    why: str = ""

    def may(self, role: Role) -> bool:
        """Return whether this visitor may, at this moment, what the role may."""
        if self.until is not None and time.time() >= self.until:
            return False
        return self.role is not None and self.role >= role


LOCAL = Visitor("local", subject="local", name="local user", role=Role.ADMIN)
"""Whoever sits at this machine, and every command."""

SERVER = Visitor("local", subject="server", name="the server")
"""The app itself, for what it does of its own accord; it has no role."""


def visitor_of(claims: Mapping[str, Any], settings: Settings) -> Visitor:
    """Return who the claims of a checked ID token say somebody is; an expired token gives no role.

    A token without a usable ``exp`` or ``sub``, which OpenID Connect requires, counts as expired.
    """
    until, subject = claims.get("exp"), claims.get("sub")
    subject = subject if isinstance(subject, str) else ""
    number = isinstance(until, int | float) and not isinstance(until, bool)
    # written so that what is not a number, and no date, is over
    if not (subject and number and time.time() < until < _YEAR_9999):
        return Visitor("expired", subject, str(claims.get("iss", "")), why="Your sign-in has ended.")
    found = role_of(claims, settings)
    name = next((str(claims[key]) for key in ("name", "email", "preferred_username") if claims.get(key)), subject)
    standing = "signed_in" if found.role is not None else "no_role"
    return Visitor(standing, subject, str(claims.get("iss", "")), name, found.role, float(until), found.why)


def signed_out() -> Visitor:
    """Return a visitor who has not signed in."""
    return Visitor("signed_out")


def closed(why: str) -> Visitor:
    """Return a visitor to a server that must not show anything."""
    return Visitor("closed", why=why)


def asked_from_here(headers: Mapping[str, str]) -> bool:
    """Return whether a request shows no sign of having come from another machine, through a proxy.

    A browser names the address that it opened (``Origin``), and most proxies name whom they forward: any header by
    which one does so, with any value, is such a sign. Some servers take ``_`` for ``-`` in a header's name; so do we.
    """
    headers = {name.lower().replace("_", "-"): value for name, value in headers.items()}
    if any(map(_forwards, headers)):
        return False
    named = [f"//{headers['host']}"] if "host" in headers else []
    named += [headers["origin"]] if "origin" in headers else []
    return all(_host(address) in LOCAL_NAMES for address in named)


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
