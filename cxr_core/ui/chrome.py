"""The frame of every page (style, notice, audit banner) and the HTML elements that pages share."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import NoReturn

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ..access import Role, Visitor, audit
from ..errors import CxrError
from ..formatting import duration
from ..labels import NOTICE
from ..model import ModelCard

__all__ = [
    "asset",
    "banner",
    "banners",
    "bullets",
    "describe_demonstration",
    "empty_state",
    "facts_table",
    "frame",
    "heading",
    "html",
    "page_heading",
    "page_top",
    "refusal",
    "small",
    "stop_with",
    "store_script",
    "table",
    "time_left",
]

_ASSETS = Path(__file__).parent / "assets"
_STORE = "connection.js", "radiographs.js", "store.js", "component.js"


def asset(name: str) -> str:
    """Return the text of a file in ``cxr_core/ui/assets``."""
    return (_ASSETS / name).read_text(encoding="utf-8")


def store_script(*names: str) -> str:
    """Return the script of a component of the reading page: the store that all share, then files of its own."""
    return "\n".join(asset(name) for name in (*_STORE, *names))


def html(template: str, **values: object) -> None:
    """Write HTML with escaped values."""
    st.html(template.format(**{name: escape(str(value)) for name, value in values.items()}))


def frame(person: Visitor) -> None:
    """Draw the parts that every page has: style, logo, and the notice."""
    st.logo(str(_ASSETS / "logo.svg"), size="large")
    st.html(f"<style>{asset('page.css')}</style>")
    html(
        '<div class="sr-notice" role="note"><b>{notice}</b><span>{mode}</span></div>',
        notice=NOTICE,
        mode=_mode(person),
    )
    if person.may(Role.ADMIN) and audit.problem() is not None:
        banner("The audit trail cannot be written.", "Images are still read; imports and exports are refused.")


def _mode(person: Visitor) -> str:
    if person.standing == "local":
        return f"Local single-user mode: no sign-in, this machine only, role {person.role}"
    if person.standing == "signed_in":
        return f"Signed in: {person.name}, role {person.role}"
    return f"Signed in: {person.name}, no role" if person.standing == "no_role" else "Not signed in"


def stop_with(error: CxrError) -> NoReturn:
    """Show an error in one line and stop the page."""
    refusal("This page cannot be shown", (str(error),))
    st.stop()


def refusal(title: str, reasons: tuple[str, ...]) -> None:
    """Show that something was refused or failed, and why."""
    lines = "".join(f"<div>{escape(reason)}</div>" for reason in reasons)
    st.html(f'<div class="sr-refusal" role="alert"><b>{escape(title)}</b>{lines}</div>')


def banner(title: str, text: str) -> None:
    """Show a prominent remark."""
    html('<div class="sr-banner"><b>{title}</b> {text}</div>', title=title, text=text)


def page_heading(title: str, facts: str) -> None:
    """Write the heading of a page, with facts of what it shows in small print beside it."""
    html('<div class="sr-head"><h1>{title}</h1><span>{facts}</span></div>', title=title, facts=facts)


def page_top(title: str) -> tuple[DeltaGenerator, DeltaGenerator]:
    """Write the heading of a page; return the row that it is in, and its place, for the facts that are known later."""
    top = st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", gap="small")
    head = top.empty()
    with head:
        page_heading(title, "")
    return top, head


def heading(text: str) -> None:
    """Write the heading of a section; a page has one level of them, below its own heading."""
    html('<h2 class="sr-chart">{text}</h2>', text=text)


def banners(remarks: Mapping[str, str]) -> None:
    """Show prominent remarks by title, beside each other where there is room; nothing without any."""
    boxes = "".join(
        f'<div class="sr-banner"><b>{escape(title)}</b> {escape(text)}</div>' for title, text in remarks.items()
    )
    if boxes:
        st.html(f'<div class="sr-banners">{boxes}</div>')


def empty_state(title: str, text: str, level: int = 1) -> None:
    """Show that a page, or at level 2 a section of one, has no content, and how to get some."""
    st.html(f'<div class="sr-lead"><h{level}>{escape(title)}</h{level}><p>{escape(text)}</p></div>')


def small(text: str, kind: str = "") -> None:
    """Write a small paragraph of plain text; ``kind`` is a further CSS class."""
    html('<div class="{kind}">{text}</div>', kind=f"sr-small {kind}".strip(), text=text)


def bullets(lines: tuple[str, ...], title: str = "") -> None:
    """Write a small list of plain text, with an optional title."""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    head = f"<b>{escape(title)}</b>" if title else ""
    st.html(f'<div class="sr-small">{head}<ul>{items}</ul></div>')


def table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]], numbers: int = 0) -> None:
    """Write a table; the caller escapes the cells.

    Args:
        headings: of the columns, plain text; if all are empty there is no heading row. They also name the table to a
            screen reader. A table that is wider than the screen is scrolled with the arrow keys, so it takes the focus.
        rows: cells, HTML.
        numbers: how many columns after the first hold numbers, which are right-aligned.
    """

    def cell(tag: str, column: int, text: str) -> str:
        kind = ' class="n"' if 0 < column <= numbers else ""
        return f"<{tag}{kind}>{text}</{tag}>"

    head = "".join(cell("th", i, escape(text)) for i, text in enumerate(headings))
    body = "".join("<tr>" + "".join(cell("td", i, text) for i, text in enumerate(row)) + "</tr>" for row in rows)
    wide = " wide" if len(headings) > 3 else ""
    top = f"<thead><tr>{head}</tr></thead>" if any(headings) else ""
    name = f' tabindex="0" role="group" aria-label="Table: {escape(", ".join(filter(None, headings)))}"' if top else ""
    st.html(f'<div class="sr-scroll"{name}><table class="sr-table{wide}">{top}<tbody>{body}</tbody></table></div>')


def facts_table(facts: Mapping[str, str]) -> None:
    """Write named facts or numbers as plain text, one per line."""
    table(("", ""), [(escape(name), escape(text)) for name, text in facts.items()])


def time_left(start: float, done: int, count: int) -> str:
    """Return the estimated time left, such as ``, 0:12 left``; empty before the first of ``count`` steps is done.

    ``start`` is in seconds of ``time.monotonic``.
    """
    return f", {duration((time.monotonic() - start) / done * (count - done))} left" if done else ""


def describe_demonstration(card: ModelCard) -> str:
    """Describe the training data of a demonstration model."""
    training = card.training
    text = "The number of training images is not stated"
    if training.images is not None and training.patients is not None:
        text = f"Trained on {training.images:,} images of {training.patients:,} patients"
    if card.architecture.transfer_learned is False:
        text += ", from random weights: not transfer-learned"
    return text + "."
