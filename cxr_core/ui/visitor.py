"""The visitor behind a session or a request, and what that visitor may do.

At sign-in Streamlit checks signature, issuer, audience and nonce of the ID token, and it signs its own cookie. It never
checks again whether the token has expired; that is checked here, in every script run.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.requests import HTTPConnection
from streamlit import config
from streamlit.errors import StreamlitSecretNotFoundError
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME
from streamlit.web.server.starlette.starlette_websocket import (
    _get_signed_cookie_with_chunks,
    _parse_decoded_user_cookie,
)

from ..access import LOCAL, Role, Visitor, closed, is_local_request, signed_out, visitor_of
from ..access.visitor import LOCAL_NAMES
from ..settings import settings

__all__ = [
    "is_local_only",
    "may",
    "may_administer",
    "providers",
    "redirect_uri",
    "sign_in_is_set_up",
    "sign_in_problem",
    "use_secrets_of_the_server",
    "visitor",
    "visitor_of_request",
]

_SECRET_LENGTH = 32
_NEEDED = ("client_id", "client_secret", "server_metadata_url")
_SEE = "see docs/security.md"
_UNREADABLE = f"The secrets file cannot be read, so nobody can sign in. Correct it; {_SEE}."

_SIGN_IN_SEEN = threading.Event()
"""Set once this process had sign-in: if the secrets file is deleted, the app stays closed."""


def visitor() -> Visitor:
    """Return the visitor; callable in pages, callbacks and fragments."""
    return _visitor(st.user.to_dict, st.context.headers.to_dict)


def visitor_of_request(request: HTTPConnection, *, own_origin: bool = False) -> Visitor:
    """Return the visitor of an HTTP request or a WebSocket, from the signed cookie.

    The cookie is valid for one origin. A browser names none with a GET request to its own origin; ``own_origin`` takes
    the address that it asks instead, for requests that are known to come from no other site.
    """
    return _visitor(lambda: _claims_of(request, own_origin=own_origin), lambda: dict(request.headers))


def use_secrets_of_the_server() -> None:
    """Read the secrets that ``STREAMLIT_SECRETS_FILES`` names, as Streamlit itself does for ``streamlit run`` alone."""
    if files := os.environ.get("STREAMLIT_SECRETS_FILES", "").split():
        config.set_option("secrets.files", files)


def sign_in_is_set_up() -> bool:
    """Return whether sign-in is configured; True as well if the secrets cannot be read or were deleted."""
    try:
        return _auth_section() is not None or _SIGN_IN_SEEN.is_set()
    except (OSError, UnicodeDecodeError, StreamlitSecretNotFoundError):
        return True


def sign_in_problem() -> str:
    """Return what is wrong with the settings of sign-in, one line; empty if nothing is, or it is not set up."""
    try:
        auth = _auth_section()
    except (OSError, UnicodeDecodeError, StreamlitSecretNotFoundError):
        return _UNREADABLE
    return "" if auth is None else _auth_problem(auth)


def redirect_uri() -> str:
    """Return the address to which the provider redirects after sign-in; empty without sign-in."""
    try:
        auth = _auth_section()
    except (OSError, UnicodeDecodeError, StreamlitSecretNotFoundError):
        return ""
    return str(auth.get("redirect_uri", "")) if isinstance(auth, Mapping) else ""


def _visitor(claims_of: Callable[[], Mapping[str, Any]], headers_of: Callable[[], Mapping[str, str]]) -> Visitor:
    try:
        auth = _auth_section()
    except (OSError, UnicodeDecodeError, StreamlitSecretNotFoundError):
        return closed(_UNREADABLE)
    if auth is not None:
        _SIGN_IN_SEEN.set()
        problem = _auth_problem(auth)
        if problem:
            return closed(problem)
        claims = claims_of()
        # Streamlit uses no other value for a sign-in
        return visitor_of(claims, settings()) if claims.get("is_logged_in") is True else signed_out()
    if _SIGN_IN_SEEN.is_set():
        return closed(f"The sign-in settings were deleted, so nobody can sign in. Restart the server; {_SEE}.")
    if not is_local_only():
        return closed(
            "Other machines can reach this server, and sign-in is not set up. Set [auth] in .streamlit/secrets.toml, "
            f'or server.address = "127.0.0.1" in .streamlit/config.toml; {_SEE}.'
        )
    if not is_local_request(headers_of()):
        return closed(
            "This request came from another machine, and sign-in is not set up. Set [auth] in "
            f".streamlit/secrets.toml, or open the app on this machine without a proxy; {_SEE}."
        )
    return LOCAL


def may(role: Role) -> bool:
    """Return whether the visitor has at least this role; for callbacks, fragments and sections of a page."""
    return visitor().may(role)


def may_administer() -> bool:
    """Return whether the visitor may change the served models."""
    return may(Role.ADMIN)


def is_local_only() -> bool:
    """Return whether the server listens on the loopback address only."""
    return st.get_option("server.address") in LOCAL_NAMES


def providers() -> dict[str | None, str]:
    """Return the metadata address of each sign-in provider by name; None is the name of the default provider."""
    auth = _auth_section() or {}
    sections: dict[str | None, Mapping[str, Any]] = {None: auth} if "client_id" in auth else {}
    sections |= {name: value for name, value in auth.items() if _is_provider(value)}
    return {name: str(section.get("server_metadata_url", "")) for name, section in sections.items()}


def _claims_of(request: HTTPConnection, *, own_origin: bool) -> Mapping[str, Any]:
    """Return the claims in Streamlit's signed cookie, read as Streamlit does for a WebSocket."""
    cookie, origin = _get_signed_cookie_with_chunks(request.cookies, USER_COOKIE_NAME), request.headers.get("origin")
    if origin is None and own_origin:
        scheme = request.headers.get("x-forwarded-proto", request.url.scheme).partition(",")[0].strip()
        origin = f"{scheme}://{request.headers.get('host', '')}"
    return _parse_decoded_user_cookie(cookie, origin) if cookie and origin else {}


def _auth_section() -> Mapping[str, Any] | None:
    """Return ``[auth]`` of the secrets, or None; raises if there is a file that cannot be read."""
    try:
        return st.secrets.to_dict().get("auth")
    except StreamlitSecretNotFoundError:
        if any(Path(path).exists() for path in st.get_option("secrets.files")):
            raise
        return None


def _auth_problem(auth: Any) -> str:
    """Return what is wrong with ``[auth]``, one line for the administrator; empty if nothing is."""
    if not isinstance(auth, Mapping):
        return f"Sign-in is not set up: [auth] must be a table of .streamlit/secrets.toml; {_SEE}."
    if not str(auth.get("redirect_uri", "")).endswith("/oauth2callback"):
        return f"Sign-in is not set up: auth.redirect_uri must be the app's address with /oauth2callback; {_SEE}."
    # whoever knows the secret can sign in as anybody
    if len(str(auth.get("cookie_secret", ""))) < _SECRET_LENGTH:
        return f"Sign-in is not set up: auth.cookie_secret must be {_SECRET_LENGTH} or more random characters; {_SEE}."
    sections = {"auth": auth} if "client_id" in auth else {}
    sections |= {f"auth.{name}": value for name, value in auth.items() if _is_provider(value)}
    missing = [f"{name}.{key}" for name, section in sections.items() for key in _NEEDED if not section.get(key)]
    if missing or not sections:
        return f"Sign-in is not set up: {', '.join(missing) or 'auth.client_id'} must be set; {_SEE}."
    return ""


def _is_provider(value: Any) -> bool:
    return isinstance(value, Mapping) and "client_id" in value
