"""Downloads of an image on the reading page, and of its study and all that were read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cache, partial

import streamlit as st

from ..errors import CxrError, InputRefused, PathUnusable
from ..explain import heat_map, overlay_png
from ..imaging import Radiograph, render8
from ..labels import display_name, file_name_of
from ..model import ModelCard, Reading
from ..reading import open_image
from ..report import ReportImage, reading_json, readings_csv, report_paragraph
from ..report.sheet import sheet_png
from ..report.stored_read import dicom_results, read_dicom
from ..settings import settings
from ..store.card_files import card_of_read
from ..studies import StudyImage, group_studies
from .chrome import small
from .dicom_downloads import dicom_downloads
from .downloads import download_button
from .read_store import read_store
from .stored_worklist import StoredWorklist
from .worklist import Worklist, WorklistImage

__all__ = ["image_downloads"]


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
        of_dicom = [entry for entry, its in of_study if its.image.kind == "dicom"]
        of_study_too = partial(_study_results, images, card, of_dicom), [entry.digest for entry in of_dicom]
        dicom_downloads(
            reading, partial(_results, images, card, image), stem, of_study=of_study_too if len(of_dicom) > 1 else None
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
        return _opened(image)
    except (InputRefused, PathUnusable):
        return None


def _opened(image: WorklistImage) -> Radiograph:
    return open_image(
        image.file() or b"",
        read_anyway=image.read_anyway,
        quarter_turns=image.quarter_turns,
        mirrored=image.mirrored,
        voi_scale=image.voi_scale,
        sha256=image.digest,
    )


def _study_results(
    images: Worklist, card: ModelCard, entries: Sequence[WorklistImage], kinds: Sequence[str]
) -> dict[str, bytes]:
    """Return the DICOM results of some images, those of each in a folder named by its digest; raises CxrError."""
    return {
        f"{image.digest[:12]}/{name}": content
        for image in entries
        for name, content in _results(images, card, image, kinds).items()
    }


def _results(images: Worklist, card: ModelCard, image: WorklistImage, kinds: Sequence[str]) -> dict[str, bytes]:
    """Return the DICOM results of an image of the worklist as it is now.

    Of a stored image they are those of its read, with its time, as History and ``reads export`` give them.

    Raises CxrError where the image has left the worklist or memory, is read again, or gives no result.
    """
    if images.images.get(image.digest) is not image:
        raise CxrError("The image was removed from the worklist, so no file was made.")
    reading = image.reading
    if reading is None or image.status != "read" or images.is_hidden(image):
        raise CxrError("The findings of the image are not shown at the moment, so no file was made.")
    data = image.file()
    if data is None:
        raise CxrError("The image was unloaded, so no file was made. Add it again.")
    if isinstance(images.keeper, StoredWorklist):
        stored = images.keeper.saved_read(image)
        opinions = read_store().opinions(stored.summary.study, stored.summary.image)
        return read_dicom(stored, opinions, data, card_of_read(stored) or card, kinds)
    study = None if image.header is None else group_studies([StudyImage(image.digest, image.header)])[0]
    # decoded once, however many results show it
    displayed = cache(partial(_opened, image))
    return dicom_results(
        ReportImage(reading, displayed, study, opinions=image.opinions, read_at=image.read_at), card, data, kinds
    )
