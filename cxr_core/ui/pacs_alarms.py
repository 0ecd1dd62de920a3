"""Alarms on the page "PACS": images that were kept out, and studies of two patients; what each says and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from html import escape

import streamlit as st

from ..errors import CxrError
from ..pacs.alarm_texts import ALARM_TEXTS, describe_patient, describe_sent
from ..store.pacs_records import Alarm, StudyPatient
from ..store.pacs_store import PacsStore
from .chrome import heading, small
from .history_scope import format_time
from .pacs_rows import ROWS, and_more, line, uid_text

__all__ = ["draw_alarms"]


def draw_alarms(store: PacsStore, alarms: Sequence[Alarm], acknowledge: Callable[[Alarm], None]) -> None:
    """Draw alarms by their kind; what was kept out has a button, and a study of two patients its images by patient.

    Args:
        store: which has the alarms.
        alarms: the last one first.
        acknowledge: is called with the alarm that is acknowledged.
    """
    if not alarms:
        return
    heading(f"Alarms ({len(alarms):,})")
    for kind, texts in ALARM_TEXTS.items():
        of_kind = [alarm for alarm in alarms if alarm.kind == kind]
        if of_kind:
            line(re.sub("`(.+?)`", r"<code>\1</code>", escape(f"{texts.what} {texts.remedy}")))
        for alarm in of_kind[:ROWS]:
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                line(_described(alarm) + _sent(store, alarm))
                if kind != "study":
                    st.button("Acknowledge", key=f"pacs-alarm-{alarm.id}", on_click=acknowledge, args=(alarm,))
            if kind == "study":
                _images_by_patient(store, alarm)
        and_more(len(of_kind), "alarms")


def _described(alarm: Alarm) -> str:
    """Return an alarm as HTML: where it came from last, when, how often, and what it is of."""
    source = f"<b>{escape(alarm.source)}</b>, {escape(format_time(alarm.last))}"
    if alarm.kind == "study":
        images = f"{alarm.count:,} image{'s' * (alarm.count != 1)} of a further patient"
        return f"{source}, {images}<br>{uid_text('Study', alarm.study_uid)}"
    times = f"{alarm.count:,} times" if alarm.count > 1 else "once"
    return f"{source}, {times}, {alarm.bytes / 1e3:,.0f} kB<br>{uid_text('Instance', alarm.sop_instance_uid)}"


def _sent(store: PacsStore, alarm: Alarm) -> str:
    """Return as HTML what was sent of the image or of the study."""
    image, name = (alarm.sop_instance_uid, "image") if alarm.kind == "image" else ("", "study")
    try:
        return f"; of the {name}: {escape(describe_sent(store.sent_results(alarm.study_uid, image)))}"
    except CxrError:
        # the next look, in seconds, says so
        return ""


def _images_by_patient(store: PacsStore, alarm: Alarm) -> None:
    try:
        patients = store.study_patients(alarm.study_uid)
    except CxrError:
        return
    with st.expander("Its images, by patient"):
        small("The study, for pacs fetch --replace:")
        _to_copy([alarm.study_uid])
        for patient in patients:
            _images_of(patient)


def _images_of(patient: StudyPatient) -> None:
    uids = patient.sop_instance_uids
    described = describe_patient(patient)
    small(f"{described[0].upper()}{described[1:]}. The first came {format_time(patient.received)}.")
    _to_copy(uids[:ROWS])
    and_more(len(uids), "images; pacs status has all")


def _to_copy(uids: Sequence[str]) -> None:
    """Draw UIDs that a command is called with, in full, with a button that copies them."""
    st.code("\n".join(uids), language=None, wrap_lines=True)
