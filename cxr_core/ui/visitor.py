"""Who asks: what Streamlit knows of a session, made a visitor; and what that visitor may.

Streamlit checks the signature, issuer, audience and nonce of the ID token when somebody signs in, and of its
cookie that nobody changed it. It never asks again whether the token has ended: that is asked here, at every run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.requests import HTTPConnection
from streamlit.errors import StreamlitSecretNotFoundError
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME
from streamlit.web.server.starlette.starlette_websocket import (
    _get_signed_cookie_with_chunks,
    _parse_decoded_user_cookie,
)

from ..access import LOCAL, Role, Visitor, asked_from_here, closed, signed_out, visitor_of
from ..access.visitor import LOCAL_NAMES
from ..settings import settings

__all__ = [
    "address_of_sign_in",
    "may",
    "may_administer",
    "providers",
    "served_here_only",
    "sign_in_is_set_up",
    "visitor",
    "visitor_of_request",
]

_SECRET_LENGTH = 32
_NEEDED = ("client_id", "client_secret", "server_metadata_url")
_SEE = "see docs/security.md"

_SIGN_IN_SEEN = threading.Event()
"""Whether this process ever had sign-in: a secrets file that vanishes opens nothing."""


def visitor() -> Visitor:
    """Return who asks; callable in pages, callbacks and fragments."""
    return _visitor(st.user.to_dict, st.context.headers.to_dict)


def visitor_of_request(request: HTTPConnection) -> Visitor:
    """Return who asks by a request or a WebSocket, outside any page: the signed cookie says it."""
    return _visitor(lambda: _claims_of(request), lambda: dict(request.headers))


def sign_in_is_set_up() -> bool:
    """Return whether people sign in here, as far as the secrets say; also where they cannot be read, or have gone."""
    try:
        return _auth_section() is not None or _SIGN_IN_SEEN.is_set()
    except (OSError, UnicodeDecodeError, StreamlitSecretNotFoundError):
        return True


def address_of_sign_in() -> str:
    """Return the address to which people come back after signing in, and so that of the app; empty without sign-in."""
    try:
        auth = _auth_section()
    except (OSError, UnicodeDecodeError, StreamlitSecretNotFoundError):
        return ""
    return str(auth.get("redirect_uri", "")) if isinstance(auth, Mapping) else ""


def _visitor(claims_of: Callable[[], Mapping[str, Any]], headers_of: Callable[[], Mapping[str, str]]) -> Visitor:
    try:
        auth = _auth_section()
    except (OSError, UnicodeDecodeError, StreamlitSecretNotFoundError):
        return closed(f"The secrets file cannot be read, so nobody is let in. Mend .streamlit/secrets.toml; {_SEE}.")
    if auth is not None:
        _SIGN_IN_SEEN.set()
        problem = _auth_problem(auth)
        if problem:
            return closed(problem)
        claims = claims_of()
        # no other value is a sign-in, and Streamlit has none but this
        return visitor_of(claims, settings()) if claims.get("is_logged_in") is True else signed_out()
    if _SIGN_IN_SEEN.is_set():
        return closed(f"Sign-in was set up and its settings are gone, so nobody is let in. Restart the server; {_SEE}.")
    if not served_here_only():
        return closed(
            "Other machines can reach this server, and no sign-in is set up. Set [auth] in .streamlit/secrets.toml, "
            f'or server.address = "127.0.0.1" in .streamlit/config.toml; {_SEE}.'
        )
    if not asked_from_here(headers_of()):
        return closed(
            "This request came from another machine, and no sign-in is set up. Set [auth] in "
            f".streamlit/secrets.toml, or open the app on this machine, without a proxy; {_SEE}."
        )
    return LOCAL


def may(role: Role) -> bool:
    """Return whether whoever asks may do what the role may: for callbacks, fragments and parts of a page."""
    return visitor().may(role)


def may_administer() -> bool:
    """Return whether whoever asks may change what is served."""
    return may(Role.ADMIN)


def served_here_only() -> bool:
    """Return whether the server listens to this machine alone."""
    return st.get_option("server.address") in LOCAL_NAMES


def providers() -> dict[str | None, str]:
    """Return whom one may sign in with, and where its metadata are: None is the one without a name in the settings."""
    auth = _auth_section() or {}
    sections = {None: auth} if "client_id" in auth else {}
    sections |= {name: value for name, value in auth.items() if _is_provider(value)}
    return {name: str(section.get("server_metadata_url", "")) for name, section in sections.items()}


def _claims_of(request: HTTPConnection) -> Mapping[str, Any]:
    """Return the claims of the cookie that Streamlit signed at sign-in, as it reads them for a WebSocket."""
    cookie, origin = _get_signed_cookie_with_chunks(request.cookies, USER_COOKIE_NAME), request.headers.get("origin")
    return _parse_decoded_user_cookie(cookie, origin) if cookie and origin else {}


def _auth_section() -> Mapping[str, Any] | None:
    """Return ``[auth]`` of the secrets, or None; raises where there is a file that cannot be read."""
    try:
        return st.secrets.to_dict().get("auth")
    except StreamlitSecretNotFoundError:
        if any(Path(path).exists() for path in st.get_option("secrets.files")):
            raise
        return None


def _auth_problem(auth: Any) -> str:
    """Return what is wrong with ``[auth]``, one line for whoever set it; empty where nothing is."""
    if not isinstance(auth, Mapping):
        return f"Sign-in is not set up: [auth] must be a table of .streamlit/secrets.toml; {_SEE}."
    if not str(auth.get("redirect_uri", "")).endswith("/oauth2callback"):
        return f"Sign-in is not set up: auth.redirect_uri must be the app's address and /oauth2callback; {_SEE}."
    # whoever knows it may be anybody
    if len(str(auth.get("cookie_secret", ""))) < _SECRET_LENGTH:
        return f"Sign-in is not set up: auth.cookie_secret must be {_SECRET_LENGTH} random characters or more; {_SEE}."
    sections = {"auth": auth} if "client_id" in auth else {}
    sections |= {f"auth.{name}": value for name, value in auth.items() if _is_provider(value)}
    missing = [f"{name}.{key}" for name, section in sections.items() for key in _NEEDED if not section.get(key)]
    if missing or not sections:
        return f"Sign-in is not set up: {', '.join(missing) or 'auth.client_id'} must be set; {_SEE}."
    return ""


def _is_provider(value: Any) -> bool:
    return isinstance(value, Mapping) and "client_id" in value
