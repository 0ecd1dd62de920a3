"""Who asks: what Streamlit knows of a session, made a visitor; and what that visitor may.

Streamlit checks the signature, issuer, audience and nonce of the ID token when somebody signs in, and of its
cookie that nobody changed it. It never asks again whether the token has ended: that is asked here, at every run.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError

from ..access import LOCAL, Role, Visitor, asked_from_here, closed, signed_out, visitor_of
from ..access.visitor import LOCAL_NAMES
from ..settings import settings

__all__ = ["may", "may_administer", "providers", "served_here_only", "visitor"]

_SECRET_LENGTH = 32
_NEEDED = ("client_id", "client_secret", "server_metadata_url")
_SEE = "see docs/security.md"

_SIGN_IN_SEEN = threading.Event()
"""Whether this process ever had sign-in: a secrets file that vanishes opens nothing."""


def visitor() -> Visitor:
    """Return who asks; callable in pages, callbacks and fragments."""
    try:
        auth = _auth_section()
    except (OSError, UnicodeDecodeError, StreamlitSecretNotFoundError):
        return closed(f"The secrets file cannot be read, so nobody is let in. Mend .streamlit/secrets.toml; {_SEE}.")
    if auth is not None:
        _SIGN_IN_SEEN.set()
        problem = _auth_problem(auth)
        if problem:
            return closed(problem)
        claims = st.user.to_dict()
        # no other value is a sign-in, and Streamlit has none but this
        return visitor_of(claims, settings()) if claims.get("is_logged_in") is True else signed_out()
    if _SIGN_IN_SEEN.is_set():
        return closed(f"Sign-in was set up and its settings are gone, so nobody is let in. Restart the server; {_SEE}.")
    if not served_here_only():
        return closed(
            "Other machines can reach this server, and no sign-in is set up. Set [auth] in .streamlit/secrets.toml, "
            f'or server.address = "127.0.0.1" in .streamlit/config.toml; {_SEE}.'
        )
    if not asked_from_here(st.context.headers.to_dict()):
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
