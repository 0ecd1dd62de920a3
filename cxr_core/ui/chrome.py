"""What frames every page: looks, notice, banners, and errors as one line."""

from __future__ import annotations

from html import escape
from pathlib import Path

import streamlit as st

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
    "served_here_only",
    "stop_with",
]

_ASSETS = Path(__file__).parent / "assets"


def asset(name: str) -> str:
    """Return the text of a file in ``cxr_core/ui/assets``."""
    return (_ASSETS / name).read_text(encoding="utf-8")


def html(template: str, **values: object) -> None:
    """Write HTML; every value is escaped, so that text from outside stays text."""
    st.html(template.format(**{name: escape(str(value)) for name, value in values.items()}))


def frame() -> None:
    """Draw what stands on every page: the looks, the name, and the notice, always in sight."""
    st.logo(str(_ASSETS / "logo.svg"), size="large")
    st.html(f"<style>{asset('page.css')}</style>")
    html(
        '<div class="sr-notice" role="note"><b>{notice}</b><span>{mode}</span></div>',
        notice=NOTICE,
        mode="Local single-user mode: no sign-in, this machine only"
        if served_here_only()
        else "No sign-in: whoever reaches this address sees this page",
    )


def served_here_only() -> bool:
    """Return whether the server listens to this machine alone."""
    return st.get_option("server.address") in ("127.0.0.1", "localhost", "::1")


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
    if any(threshold.source for point in card.operating_points.values() for threshold in point.thresholds.values()):
        return "Its operating points are its authors': the patients behind them are not stated."
    return "No operating points came with it: nothing is said to be above or below."
