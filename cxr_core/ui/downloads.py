"""Downloads: each is recorded in the audit trail, and made only for the person to whom it was offered."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from typing import Any

import streamlit as st

from ..access import Role, audit
from ..errors import CxrError, InputRefused, PathUnusable
from ..explain import heat_map, overlay_png
from ..imaging import Radiograph, render8
from ..labels import display_name, file_name_of
from ..model import ModelCard, Reading
from ..reading import open_image
from ..report import ReportImage, reading_json, readings_csv, report_paragraph
from ..report.sheet import sheet_png
from ..settings import settings
from .chrome import small
from .visitor import visitor
from .worklist import Worklist, WorklistImage

__all__ = ["audited", "download_button", "image_downloads", "set_page_run"]

_PAGE_RUN = "page_run"


def set_page_run(run: str) -> None:
    """Set the evaluation run that the downloads of this page belong to; empty for none."""
    st.session_state[_PAGE_RUN] = run


def audited(
    make: Callable[[], Any],
    detail: str,
    *,
    images: Iterable[str] = (),
    model: str = "",
    run: str | None = None,
    role: Role = Role.READER,
    required: bool = False,
) -> Callable[[], Any]:
    """Wrap the function that makes a download, for ``st.download_button``.

    Streamlit makes a download in a separate thread, long after the page was drawn and without a session. The visitor is
    therefore determined now, and the role checked again when the button is pressed.

    Args:
        make: returns the content of the file.
        detail: kind of download for the audit trail, such as ``findings-csv``.
        images, model, run: digests, as in :class:`cxr_core.access.audit.Event`; by default the run of the page.
        role: lowest role that may download.
        required: refuse the download if the audit trail cannot be written. True for exports of a run, False for the
            findings of a reader's own images.

    Returns:
        A function that makes the download, or raises CxrError, which the page shows as a failed download.
    """
    person = visitor()
    images, run = tuple(images), st.session_state.get(_PAGE_RUN, "") if run is None else run

    def make_audited() -> Any:
        if not person.may(role):
            raise CxrError("Your sign-in has expired, so no file was made. Sign in again.")
        (audit.record if required else audit.note)(person, "export", detail, images=images, model=model, run=run)
        return make()

    return make_audited


def download_button(
    title: str, make: Callable[[], Any], detail: str, file_name: str, mime: str, **audit_details: Any
) -> None:
    """Draw a button for a file that is made when the button is pressed; see :func:`audited`."""
    st.download_button(
        title,
        audited(make, detail, **audit_details),
        file_name=file_name,
        mime=mime,
        on_click="ignore",
        width="stretch",
        key=f"download-{detail}",
    )


def image_downloads(image: WorklistImage, reading: Reading, card: ModelCard, images: Worklist) -> None:
    """Draw the downloads of a decoded image: reports, findings, overlay and sheet, and its paragraph to copy.

    Streamlit keeps what a button calls for as long as it keeps the tab, so the buttons refer to the image, which can be
    unloaded, and not to its pixels. Files are named by the digest of the image, because its file name may name a
    patient. The tables contain the file name, the reports the patient where :mod:`cxr_core.settings` allows it. What
    "Read first" still hides is in none of them.
    """
    label = image.label or reading.ranked()[0].label
    stem = f"second-read-{image.digest[:12]}"
    shown = [
        (entry, entry.reading)
        for entry in list(images.images.values())
        if entry.reading is not None and not (images.is_hidden(entry) and entry.reading.findings)
    ]
    readings = [(entry.name, its_reading) for entry, its_reading in shown]
    reported = [(entry, its_reading) for entry, its_reading in shown if its_reading.findings]
    scope = f" of {len(readings)} images" if len(readings) > 1 else ""
    of_all = {"images": [entry.sha256 for _, entry in readings], "model": card.weights_sha256}
    of_one = {"images": [image.digest], "model": card.weights_sha256}

    def json_lines() -> str:
        return "".join(reading_json(name, entry) + "\n" for name, entry in readings)

    def radiograph() -> Radiograph:
        if image.radiograph is None:
            raise CxrError("The image was unloaded, so no file was made. Choose it in the worklist again.")
        return image.radiograph

    def overlay() -> bytes:
        return overlay_png(render8(radiograph()), heat_map(reading, label, card))

    def report() -> bytes:
        return _report([(image, reading, radiograph)], images, card)

    def reports(entries: list[tuple[WorklistImage, Reading]]) -> bytes:
        return _report([(entry, its, partial(_decoded, entry, its)) for entry, its in entries], images, card)

    study = next((study for study in images.studies() if image.digest in {one.digest for one in study.images}), None)
    members = set() if study is None else {one.digest for one in study.images}
    of_study = [(entry, its) for entry, its in reported if entry.digest in members]

    with st.expander("Download"):
        download_button("Report (PDF)", report, "report-pdf", f"{stem}-report.pdf", "application/pdf", **of_one)
        if len(of_study) > 1:
            download_button(
                "Report of the study (PDF)",
                partial(reports, of_study),
                "study-pdf",
                f"{stem}-study.pdf",
                "application/pdf",
                images=[entry.digest for entry, _ in of_study],
                model=card.weights_sha256,
            )
        download_button(
            "Reports of all read images (PDF)",
            partial(reports, reported),
            "reports-pdf",
            "second-read-reports.pdf",
            "application/pdf",
            images=[entry.digest for entry, _ in reported],
            model=card.weights_sha256,
        )
        left, right = st.columns(2)
        with left:
            download_button(
                f"Findings{scope}, CSV",
                lambda: readings_csv(readings),
                "findings-csv",
                f"{stem}.csv",
                "text/csv",
                **of_all,
            )
            download_button(
                f"Overlay: {display_name(label)}, PNG",
                overlay,
                "overlay-png",
                f"{stem}-{file_name_of(label)}.png",
                "image/png",
                **of_one,
            )
        with right:
            download_button(
                f"Findings{scope}, JSON", json_lines, "findings-json", f"{stem}.jsonl", "application/jsonl", **of_all
            )
            download_button(
                "Sheet of four findings, PNG",
                lambda: sheet_png(radiograph(), reading, card),
                "sheet-png",
                f"{stem}.png",
                "image/png",
                **of_one,
            )
        small("Copy text: a paragraph for your report")
        st.code(report_paragraph(reading, card, image.opinions), language=None, wrap_lines=True)


def _report(
    entries: Iterable[tuple[WorklistImage, Reading, Callable[[], Radiograph | None]]], images: Worklist, card: ModelCard
) -> bytes:
    """Return the report of those entries that are still in the worklist, whose patients are found there."""
    # imports reportlab, which no page needs before a report is asked for
    from ..report.pdf import report_pdf

    studies = {member.digest: study for study in images.studies() for member in study.images}
    pages = [
        ReportImage(reading, radiograph, studies[entry.digest], entry.name, entry.label, entry.opinions)
        for entry, reading, radiograph in entries
        if images.images.get(entry.digest) is entry and entry.digest in studies
    ]
    if not pages:
        raise CxrError("The images were removed from the worklist, so no file was made.")
    return report_pdf(pages, card, datetime.now().astimezone(), identity=settings().identity != "off")


def _decoded(image: WorklistImage, reading: Reading) -> Radiograph | None:
    """Return the image of a reading, decoded again if need be; None where its file is gone or it is read again."""
    current = image.reading
    if image.status != "read" or current is None or current.class_maps is not reading.class_maps:
        return None
    if image.radiograph is not None or not image.has_file:
        return image.radiograph
    try:
        return open_image(
            image.file() or b"",
            read_anyway=image.read_anyway,
            quarter_turns=image.quarter_turns,
            mirrored=image.mirrored,
            voi_scale=image.voi_scale,
            sha256=image.digest,
        )
    except (InputRefused, PathUnusable):
        return None
