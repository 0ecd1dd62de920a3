"""What stands at the door: sign-in, refusal, and who is signed in, with the way out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import streamlit as st

from ..access import Role, Visitor, answers, audit
from .chrome import html, refusal
from .visitor import providers, visitor
from .worklist import worklist

__all__ = ["refuse", "welcome"]

_NOTED = "noted"
_SECONDS_KEPT = 30


def refuse(someone: Visitor, title: str, stem: str, role: Role) -> None:
    """Show why this visitor does not see the page that was asked for, and what to do."""
    if someone.standing in ("signed_out", "expired"):
        with st.container(key="door"):
            _sign_in(someone)
    elif someone.standing == "closed":
        refusal("Nothing is shown", (someone.why,))
        return
    elif someone.standing == "no_role":
        _lead("No access", f"You are signed in as {someone.name}. You have no role on this server.")
        refusal("Nothing is shown to you", (someone.why, "Ask whoever administers this server for a role."))
        st.button("Sign out", icon=":material/logout:", type="primary", on_click=_sign_out, key="sign-out-here")
    else:
        refusal(
            f"{title} is not for your role",
            (f"It needs the role {role}; you are signed in as {someone.role}. Ask whoever administers this server.",),
        )
    if someone.subject:
        _once(someone, "refusal", "expired" if someone.standing == "expired" else stem)


def welcome(someone: Visitor) -> None:
    """Draw who is signed in, with which role and until when, and the way out; in the trail once a session."""
    if someone.standing != "signed_in":
        return
    _once(someone, "sign-in", "")
    with st.container(key="who"), st.popover(f"{_short(someone.name)} · {someone.role}", icon=":material/person:"):
        until = datetime.fromtimestamp(someone.until, UTC)
        html(
            '<div class="sr-small"><b>{name}</b><br>Role: {role}<br>Signed in until {until} UTC</div>',
            name=someone.name,
            role=someone.role,
            until=f"{until:%H:%M}" if until.date() == datetime.now(UTC).date() else f"{until:%Y-%m-%d %H:%M}",
        )
        st.button("Sign out", icon=":material/logout:", on_click=_sign_out, width="stretch", key="sign-out")


def _sign_in(someone: Visitor) -> None:
    if someone.standing == "expired":
        _lead("Sign in again", "Your sign-in has ended, as it does after the time that the provider sets.")
    else:
        _lead("Sign in", "Second Read gives a second opinion on a chest X-ray. Sign in to go on.")
    found = providers()
    silent = [
        provider for provider, answering in zip(found, _answering(tuple(found.values())), strict=True) if not answering
    ]
    for provider in found:
        if provider in silent:
            continue
        words = "Sign in" if provider is None else f"Sign in with {provider}"
        st.button(
            words,
            icon=":material/login:",
            type="primary",
            on_click=st.login,
            args=() if provider is None else (provider,),
            width="stretch",
            key=f"sign-in-{provider or ''}",
        )

    if silent:
        named = ", ".join(provider or "of this server" for provider in silent)
        refusal(
            "Signing in does not work at the moment" if len(silent) == len(found) else "Not every way in works now",
            (
                f"The sign-in provider ({named}) does not answer. Try again in a minute; if it stays so, tell whoever "
                "administers this server.",
            ),
        )
        st.button("Try again", icon=":material/refresh:", on_click=_answering.clear, width="stretch", key="try-again")


@st.cache_data(ttl=_SECONDS_KEPT, show_spinner="Asking the sign-in provider")
def _answering(addresses: tuple[str, ...]) -> list[bool]:
    """Ask all providers at once, whoever looks at the door, and not at every rerun."""
    with ThreadPoolExecutor(max_workers=len(addresses) or 1) as threads:
        return list(threads.map(answers, addresses))


def _sign_out() -> None:
    audit.note(visitor(), "sign-out")
    # films and readings of this tab are forgotten with it
    worklist().clear()
    st.session_state.clear()
    st.logout()


def _once(someone: Visitor, what: str, detail: str) -> None:
    noted = st.session_state.setdefault(_NOTED, set())
    if (someone.subject, what, detail) not in noted:
        noted.add((someone.subject, what, detail))
        audit.note(someone, what, detail)


def _lead(title: str, words: str) -> None:
    html('<div class="sr-lead"><h1>{title}</h1><p>{words}</p></div>', title=title, words=words)


def _short(name: str, most: int = 28) -> str:
    # a label is Markdown
    name = "".join(letter if letter.isalnum() or letter in " .,-@+'" else " " for letter in name)
    return name if len(name) <= most else f"{name[: most - 1]}…"
