"""What frames every page: looks, notice, banners, and errors as one line."""

from __future__ import annotations

from html import escape
from pathlib import Path

import streamlit as st

from ..access import Role, Visitor, audit
from ..errors import CxrError
from ..labels import NOTICE
from ..model import ModelCard

__all__ = [
    "asset",
    "banner",
    "demonstration_words",
    "frame",
    "html",
    "imported_words",
    "refusal",
    "stop_with",
]

_ASSETS = Path(__file__).parent / "assets"


def asset(name: str) -> str:
    """Return the text of a file in ``cxr_core/ui/assets``."""
    return (_ASSETS / name).read_text(encoding="utf-8")


def html(template: str, **values: object) -> None:
    """Write HTML; every value is escaped, so that text from outside stays text."""
    st.html(template.format(**{name: escape(str(value)) for name, value in values.items()}))


def frame(someone: Visitor) -> None:
    """Draw what stands on every page: the looks, the name, and the notice, always in sight."""
    st.logo(str(_ASSETS / "logo.svg"), size="large")
    st.html(f"<style>{asset('page.css')}</style>")
    html(
        '<div class="sr-notice" role="note"><b>{notice}</b><span>{mode}</span></div>',
        notice=NOTICE,
        mode=_mode(someone),
    )
    if someone.may(Role.ADMIN) and audit.problem() is not None:
        banner("The audit trail cannot be written.", "Films are read all the same; imports and exports are refused.")


def _mode(someone: Visitor) -> str:
    if someone.standing == "local":
        return f"Local single-user mode: no sign-in, this machine only, role {someone.role}"
    if someone.standing == "signed_in":
        return f"Signed in: {someone.name}, role {someone.role}"
    return f"Signed in: {someone.name}, no role" if someone.standing == "no_role" else "Nobody is signed in"


def stop_with(error: CxrError) -> None:
    """Show an error as one line and end the page."""
    refusal("This page cannot be shown", (str(error),))
    st.stop()


def refusal(title: str, reasons: tuple[str, ...]) -> None:
    """Show why something was refused."""
    lines = "".join(f"<div>{escape(reason)}</div>" for reason in reasons)
    st.html(f'<div class="sr-refusal" role="alert"><b>{escape(title)}</b>{lines}</div>')


def banner(title: str, words: str) -> None:
    """Show something that a reader must know before anything else."""
    html('<div class="sr-banner"><b>{title}</b> {words}</div>', title=title, words=words)


def demonstration_words(card: ModelCard) -> str:
    """Say how little a demonstration model has seen."""
    training = card.training
    words = "How many films it was trained on is not known"
    if training.films is not None and training.patients is not None:
        words = f"Trained on {training.films:,} films of {training.patients:,} patients"
    if card.architecture.transfer_learned is False:
        words += ", from random weights: not transfer-learned"
    return words + "."


def imported_words(card: ModelCard) -> str:
    """Say who answers for the operating points of an imported model."""
    doubt = ""
    if card.unverified:
        doubt = " The file is not proved by its hash to be the published one: they may not belong to these weights."
    if any(threshold.source for point in card.operating_points.values() for threshold in point.thresholds.values()):
        return "Its operating points are its authors': the patients behind them are not stated." + doubt
    return "No operating points came with it: nothing is said to be above or below."
