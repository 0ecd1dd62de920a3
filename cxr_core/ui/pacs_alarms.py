"""Alarms on the page "PACS": images that were kept out, and studies of two patients; what each says and what to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

import streamlit as st

from ..store.pacs_records import Alarm, AlarmKind
from .chrome import heading
from .history_scope import format_time
from .pacs_rows import ROWS, and_more, line, uid_text

__all__ = ["draw_alarms"]

_KINDS: dict[AlarmKind, str] = {
    "study": "A study has images of two patients. Nothing more of it is read or sent; results sent before stay in the "
    "PACS. Delete the images of the wrong one (<code>pacs delete</code>), or replace the study by that of "
    "the PACS (<code>pacs fetch --replace</code>); then retry its jobs.",
    "patient": "An image of another patient came under the SOP Instance UID of one that is here, and was kept out. "
    "Nothing more of its study is read or sent; results sent before stay in the PACS. If the one here is right, "
    "acknowledge the alarm and retry its jobs; if not, replace the study by that of the PACS "
    "(<code>pacs fetch --replace</code>).",
    "image": "Another image came under the SOP Instance UID of one that is here. It was kept out: the image, its "
    "reading and its results are of the first one. Ask the sender which of the two is right.",
}
"""What alarms of a kind say, and what to do, as HTML; the most urgent kind first."""


def draw_alarms(alarms: Sequence[Alarm], acknowledge: Callable[[Alarm], None]) -> None:
    """Draw alarms by their kind; what was kept out has a button.

    Args:
        alarms: the last one first.
        acknowledge: is called with the alarm that is acknowledged.
    """
    if not alarms:
        return
    heading(f"Alarms ({len(alarms):,})")
    for kind, sentences in _KINDS.items():
        of_kind = [alarm for alarm in alarms if alarm.kind == kind]
        if of_kind:
            line(sentences)
        for alarm in of_kind[:ROWS]:
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                line(_described(alarm))
                if kind != "study":
                    st.button("Acknowledge", key=f"pacs-alarm-{alarm.id}", on_click=acknowledge, args=(alarm,))
        and_more(len(of_kind), "alarms")


def _described(alarm: Alarm) -> str:
    """Return an alarm as HTML: where it came from last, when, how often, and what it is of."""
    source = f"<b>{escape(alarm.source)}</b>, {escape(format_time(alarm.last))}"
    if alarm.kind == "study":
        images = f"{alarm.count:,} image{'s' * (alarm.count != 1)} of a further patient"
        return f"{source}, {images}<br>{uid_text('Study', alarm.study_uid)}"
    times = f"{alarm.count:,} times" if alarm.count > 1 else "once"
    return f"{source}, {times}, {alarm.bytes / 1e3:,.0f} kB<br>{uid_text('Instance', alarm.sop_instance_uid)}"
