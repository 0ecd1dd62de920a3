"""What a bound says to whoever met it, and who they are to a bound: their address."""

from __future__ import annotations

import ipaddress

from starlette.responses import PlainTextResponse
from starlette.types import Scope

__all__ = ["Refused", "address_of", "refusal"]


class Refused(Exception):
    """A request that is not served; ``status`` is that of HTTP, the message one line."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def refusal(refused: Refused) -> PlainTextResponse:
    """Return the answer; the connection ends with it, so that nobody goes on sending what nobody reads."""
    headers = {"Connection": "close", "Cache-Control": "no-store"}
    if refused.status == 503:
        headers["Retry-After"] = "10"
    return PlainTextResponse(str(refused), refused.status, headers)


def address_of(scope: Scope) -> str:
    """Return whose bound a request counts for: its address, of IPv6 the network of 64 bits that one customer has.

    Behind a proxy on this machine that says whom it forwards (``X-Forwarded-For``) it is that address: uvicorn takes
    it over from 127.0.0.1 and ::1, and from nobody else.
    """
    host = (scope.get("client") or ("",))[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 6 and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return host if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))
