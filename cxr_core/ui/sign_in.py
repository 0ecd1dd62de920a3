"""Sign-in, refusal of a page, and the account menu with "Sign out"."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import streamlit as st

from ..access import Role, Visitor, audit, provider_responds
from .chrome import empty_state, html, refusal
from .server.page_sessions import close_page_session
from .visitor import providers, visitor
from .worklists import release_worklist

__all__ = ["show_account", "show_refusal"]

_RECORDED = "recorded_events"
_STATUS_SECONDS = 30


def show_refusal(person: Visitor, title: str, stem: str, role: Role) -> None:
    """Show why this visitor does not see the requested page, and what to do."""
    if person.standing in ("signed_out", "expired"):
        with st.container(key="sign-in"):
            _sign_in(person)
    elif person.standing == "closed":
        refusal("This server shows no pages", (person.why,))
        return
    elif person.standing == "no_role":
        empty_state("No access", f"You are signed in as {person.name}. You have no role on this server.")
        refusal("You do not have access", (person.why, "Ask the administrator of this server for a role."))
        st.button("Sign out", icon=":material/logout:", type="primary", on_click=_sign_out, key="sign-out-here")
    else:
        refusal(
            f"You do not have access to {title}",
            (
                f"This page needs the role {role}; your role is {person.role}. "
                "Ask the administrator of this server for access.",
            ),
        )
    if person.subject:
        _record_once(person, "refusal", "expired" if person.standing == "expired" else stem)


def show_account(person: Visitor) -> None:
    """Draw the account menu: name, role, end of the sign-in, and "Sign out"; audited once per session."""
    if person.standing != "signed_in":
        return
    _record_once(person, "sign-in", "")
    title = f"{_menu_name(person.name)} · {person.role}"
    with st.container(key="account"), st.popover(title, icon=":material/person:"):
        html(
            '<div class="sr-small"><b>{name}</b><br>Role: {role}<br>{validity}</div>',
            name=person.name,
            role=person.role,
            validity=_describe_validity(person.until),
        )
        st.button("Sign out", icon=":material/logout:", on_click=_sign_out, width="stretch", key="sign-out")


def _describe_validity(until: float | None) -> str:
    if until is None:
        return "Signed in without a time limit"
    end = datetime.fromtimestamp(until, UTC)
    pattern = "%H:%M" if end.date() == datetime.now(UTC).date() else "%Y-%m-%d %H:%M"
    return f"Signed in until {end:{pattern}} UTC"


def _sign_in(person: Visitor) -> None:
    if person.standing == "expired":
        empty_state("Sign in again", "Your sign-in has expired. The sign-in provider limits how long it is valid.")
    else:
        empty_state("Sign in", "Second Read gives a second opinion on a chest X-ray. Sign in to continue.")
    configured = providers()
    reachable = dict(zip(configured, _reachable(tuple(configured.values())), strict=True))
    for provider in configured:
        if not reachable[provider]:
            continue
        st.button(
            "Sign in" if provider is None else f"Sign in with {provider}",
            icon=":material/login:",
            type="primary",
            on_click=st.login,
            args=() if provider is None else (provider,),
            width="stretch",
            key=f"sign-in-{provider or ''}",
        )

    unreachable = [provider for provider in configured if not reachable[provider]]
    if unreachable:
        names = ", ".join(provider or "default" for provider in unreachable)
        every = len(unreachable) == len(configured)
        refusal(
            "Sign-in is unavailable" if every else "A sign-in provider is unavailable",
            (
                f"The sign-in provider ({names}) does not respond. Try again in a minute. If this continues, "
                "contact the administrator of this server.",
            ),
        )
        st.button("Retry", icon=":material/refresh:", on_click=_reachable.clear, width="stretch", key="retry")


@st.cache_data(ttl=_STATUS_SECONDS, show_spinner="Contacting the sign-in provider")
def _reachable(addresses: tuple[str, ...]) -> list[bool]:
    """Contact all providers at once; the result serves all visitors, and is not renewed at every rerun."""
    with ThreadPoolExecutor(max_workers=len(addresses) or 1) as threads:
        return list(threads.map(provider_responds, addresses))


def _sign_out() -> None:
    audit.note(visitor(), "sign-out")
    # images and readings are released from memory, in all tabs
    release_worklist()
    close_page_session()
    st.session_state.clear()
    st.logout()


def _record_once(person: Visitor, event: audit.What, detail: str) -> None:
    """Record an audit event once per session."""
    recorded = st.session_state.setdefault(_RECORDED, set())
    if (person.subject, event, detail) not in recorded:
        recorded.add((person.subject, event, detail))
        audit.note(person, event, detail)


def _menu_name(name: str, max_length: int = 28) -> str:
    # labels are Markdown
    name = "".join(letter if letter.isalnum() or letter in " .,-@+'" else " " for letter in name)
    return name if len(name) <= max_length else f"{name[: max_length - 1]}…"
