"""Whether the provider that people sign in with answers, asked before anybody is sent there."""

from __future__ import annotations

import logging

__all__ = ["answers"]

_LOG = logging.getLogger(__name__)


def answers(metadata_url: str, seconds: float = 5.0) -> bool:
    """Return whether OpenID Connect's metadata can be had from their address.

    Says nothing of whether the sign-in itself will work: client, secret and redirect URI are looked at there alone.

    Args:
        metadata_url: of ``.well-known/openid-configuration``.
        seconds: that connecting, and each part of an answer, may take.

    Source: OpenID Connect Discovery 1.0, section 4.
    """
    # imported here, since whoever is alone on a machine has no provider; what Authlib asks the provider with, so that
    # proxies and certificates are the same
    import httpx

    try:
        answer = httpx.get(metadata_url, timeout=seconds, follow_redirects=True)
        answer.raise_for_status()
        said = answer.json()
        if not isinstance(said, dict) or not said.get("authorization_endpoint"):
            raise ValueError
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        _LOG.warning(
            "The sign-in provider's server_metadata_url gives no answer to go on with: %s", type(error).__name__
        )
        return False
    return True
