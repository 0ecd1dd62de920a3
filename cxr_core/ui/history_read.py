"""One stored read as it was shown: image, heat maps, findings, opinions, and the model's card of then."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import streamlit as st

from ..errors import CxrError
from ..formatting import duration
from ..model import ModelCard, Reading
from ..model.folder import card_of
from ..model.formatting import describe_scale, format_prevalence
from ..model.rate_formatting import describe_operating_point
from ..report.report_text import card_lines
from ..report.stored_read import read_dicom, read_pdf
from ..settings import settings
from ..store.card_files import card_of_read
from ..store.image_files import image_path
from ..store.read_history import HistoryRow, history_rows, matching_reads
from ..store.read_record import Opinion, StoredRead
from ..studies import StudyHeader, read_study_header
from .chrome import banners, bullets, facts_table, html, page_heading, refusal
from .dicom_downloads import dicom_downloads
from .downloads import download_button
from .guard import page_file
from .history_findings import findings_content
from .history_scope import ReadScope, copy_address, format_time, go, read_store, reader_titles
from .history_session import open_read, stored_findings, stored_viewer
from .serving_model import serving_predictor
from .stored_worklist import StoredWorklist
from .study_header import study_message
from .worklists import restore_worklist, worklist

__all__ = ["describe_read", "describe_version", "show_read"]

_GONE = "The file of this read is gone from the store, so nothing of it is shown."


def show_read(scope: ReadScope, read: str) -> bool:
    """Draw a read; return False where the visitor may not see one with this id."""
    row = scope.row(read, identity=settings().identity == "store")
    if row is None:
        return False
    _heading(scope, row)
    if not image_path(row.study, row.image).is_file():
        refusal("The image is gone", (_GONE,))
        return True
    stored = read_store().read(row.id)
    card, hidden = card_of_read(stored), row.hidden
    header, name = _identity(scope, row)
    opened = open_read(stored, card, header, name, hidden=hidden)
    with st.container(key="history-remarks"):
        banners(_remarks(scope, row, stored, card, hidden=hidden))
    opinions = read_store().opinions(row.study, row.image)
    left, right = st.columns([1.55, 1], gap="small")
    with left.container(key="history-image"):
        _whose(study_message(opened.image, opened.images), name)
        stored_viewer()
    with right.container(key="history-panel"):
        stored_findings(opened, findings_content(stored.reading, card, opinions, hidden=hidden))
        _facts(scope, row, stored, card, hidden=hidden)
        _compare_with(scope, row)
        if not hidden:
            _downloads(scope, row, stored.reading, card)
    return True


def describe_version(row: HistoryRow) -> str:
    """Return model and version of a read."""
    return f"{row.model_id}{f' version {row.model_version}' if row.model_version else ''}"


def describe_read(row: HistoryRow) -> str:
    """Return in one line what a read was made with, and when."""
    prevalence = f", prevalence {format_prevalence(row.prevalence)}" if row.prevalence else ""
    return f"{describe_version(row)}, operating point {row.operating_point}{prevalence}, {format_time(row.created)}"


def _heading(scope: ReadScope, row: HistoryRow) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", gap="small"):
        page_heading("Read", f"of {format_time(row.created)}; {describe_version(row)}")
        with st.container(horizontal=True, width="content", vertical_alignment="center", gap="small"):
            if scope.is_own(row):
                st.button(
                    "Open in the worklist", icon=":material/radiology:", key="history-open", on_click=_choose,
                    args=(row.image,),
                )  # fmt: skip
                if st.session_state.pop("history_opened", False):
                    st.switch_page(page_file("second_opinion"))
            copy_address(read=row.id)
            study = {"read": "", "with": "", "study": row.study}
            st.button("Study", icon=":material/folder_open:", type="tertiary", on_click=go, kwargs=study)
            st.button("All reads", icon=":material/arrow_back:", type="tertiary", on_click=go, kwargs={"read": ""})


def _choose(digest: str) -> None:
    """Choose an image in the person's worklist, which the store restores, and open the reading page."""
    images = worklist()
    # the reading page says why there is no model
    with suppress(CxrError):
        restore_worklist(images, serving_predictor().card)
        if isinstance(images.keeper, StoredWorklist):
            images.keeper.list_study(digest)
    images.choose(digest)
    st.session_state["history_opened"] = True


def _identity(scope: ReadScope, row: HistoryRow) -> tuple[StudyHeader | None, str]:
    """Return study and patient as far as the visitor may see them, and what the image is called.

    The reader sees what the file says, unless identity is off; others see what is stored.
    """
    name = _name(row)
    if row.header is not None:
        return row.header, name
    data = read_store().load(row.study, row.image)
    return read_study_header(data, identity=_is_named(scope, row)), name


def _is_named(scope: ReadScope, row: HistoryRow) -> bool:
    """Return whether the visitor may see study and patient of a read, on the page and in what it offers."""
    return row.header is not None or (settings().identity != "off" and scope.is_own(row))


def _name(row: HistoryRow) -> str:
    return row.name or f"image {row.image[:8]}"


def _whose(study: dict[str, object] | None, name: str) -> None:
    """Write whose image it is, as the line above the image on the reading page."""
    parts = {part: "" if study is None else str(study[part]) for part in ("name", "patient", "visit", "view")}
    html(
        '<div class="sr-whose"><b>{title}</b> <span>{patient}</span> <span>{visit}</span> <span>{view}</span></div>',
        title=parts["name"] or name,
        **{part: parts[part] for part in ("patient", "visit", "view")},
    )
    alarms = study["alarms"] if study is not None else []
    if isinstance(alarms, list) and alarms:
        refusal("Check the patient", tuple(map(str, alarms)))


def _remarks(
    scope: ReadScope, row: HistoryRow, stored: StoredRead, card: ModelCard | None, *, hidden: bool
) -> dict[str, str]:
    remarks: dict[str, str] = {}
    if hidden:
        remarks["Findings not shown yet."] = (
            "This image waits for your own reading. Open it in the worklist to give an opinion or to show the findings."
        )
    elif row.revealed is None:
        remarks["Not shown to the reader."] = "The reader has not asked for these findings yet."
    if scope.sees_all and not scope.is_own(row):
        title = reader_titles(scope, [row.reader])[row.reader]
        remarks["Read of another reader."] = f"{title}. {'' if hidden else 'It cannot be opened in your worklist.'}"
    now = card_of(row.model_sha256)
    if now is None:
        known = "It is shown as it was stored." if card is not None else (
            "It is shown as it was stored, without heat maps: their scale is on the model's card, which is not stored."
        )  # fmt: skip
        remarks["Model no longer installed."] = (
            f"{describe_version(row)}, weights {row.model_sha256[:12]}, is not on this server any more. {known}"
        )
    elif row.model_sha256 != (serving := _serving()) and serving:
        remarks["Another model serves now."] = "This read is shown as it was made by the model named above."
    elif card is not None and now != card:
        remarks["The model's card was changed since."] = "Numbers and rates below are those of then."
    return remarks


def _serving() -> str:
    try:
        return serving_predictor().card.weights_sha256
    except CxrError:
        return ""


def _facts(scope: ReadScope, row: HistoryRow, stored: StoredRead, card: ModelCard | None, *, hidden: bool) -> None:
    reading = stored.reading
    facts = {
        "Read": format_time(row.created),
        "Findings shown": format_time(row.revealed) if row.revealed else "not yet",
        "Time on screen": duration(row.seconds),
    }
    if scope.sees_all:
        facts["Reader"] = reader_titles(scope, [row.reader])[row.reader]
    facts["Model"] = f"{describe_version(row)}, weights {row.model_sha256[:12]}, engine {reading.engine}"
    facts["Operating point"] = row.operating_point
    if card is not None and row.operating_point in card.operating_points and not hidden:
        point = card.operating_points[row.operating_point]
        facts["Operating point"] = f"{row.operating_point}: {point.rule}. {describe_operating_point(point)}"
        facts["Scale"] = describe_scale(card, reading.prevalence)
    if reading.prevalence:
        facts["Assumed prevalence"] = format_prevalence(reading.prevalence)
    facts["Program"] = f"version {stored.program_version}"
    with st.expander("How it was read", expanded=card is None):
        facts_table(facts)
    if card is not None:
        with st.expander("Model card of then"):
            facts_table(dict(card_lines(card, reading.engine)))
            bullets(card.not_looked_for, "It does not look for")
    with st.expander("Image processing"):
        bullets((*reading.image.transforms, f"SHA-256 of the file {row.image}"))


def _compare_with(scope: ReadScope, row: HistoryRow) -> None:
    """Offer the other reads of the image, those by another model or operating point first."""
    if row.hidden:
        return
    keys = matching_reads(read_store(), scope.choice(image=row.image))
    others = [
        other
        for other in history_rows(read_store(), [key.read for key in keys if key.read != row.id], identity=False)
        if other.states
    ]
    if not others or not row.states:
        return
    made_with = (row.model_sha256, row.operating_point)
    others.sort(key=lambda other: (other.model_sha256, other.operating_point) == made_with)
    titles = {other.id: describe_read(other) for other in others}

    def compare() -> None:
        if other := st.session_state["history-compare"]:
            go(**{"with": other})

    st.selectbox(
        f"Compare with another read of this image ({len(others)})", list(titles), index=None,
        format_func=titles.__getitem__, key="history-compare", on_change=compare, placeholder="Choose a read",
    )  # fmt: skip


def _downloads(scope: ReadScope, row: HistoryRow, reading: Reading, card: ModelCard | None) -> None:
    """Offer the report and the DICOM results of the read; they name the patient to whom the page does."""
    if card is None:
        return
    store, read, model = read_store(), row.id, card

    def found() -> tuple[HistoryRow, StoredRead, tuple[Opinion, ...], bytes]:
        # found again, so that nothing of a read that is deleted meanwhile is kept for its report
        try:
            row = scope.row(read, identity=settings().identity == "store")
            if row is None:
                raise CxrError(_GONE)
            return row, store.read(read), store.opinions(row.study, row.image), store.load(row.study, row.image)
        except CxrError:
            raise CxrError(_GONE) from None

    def report() -> bytes:
        row, stored, opinions, data = found()
        return read_pdf(stored, opinions, data, _name(row), model, identity=_is_named(scope, row))

    def results(kinds: Sequence[str]) -> dict[str, bytes]:
        row, stored, opinions, data = found()
        if not _is_named(scope, row):
            raise CxrError(_GONE)
        return read_dicom(stored, opinions, data, model, kinds)

    stem = f"second-read-{row.image[:12]}-{row.id[:8]}"
    with st.expander("Download"):
        download_button(
            "Report (PDF)", report, "report-pdf", f"{stem}.pdf", "application/pdf", images=[row.image],
            model=row.model_sha256,
        )  # fmt: skip
        if reading.findings:
            dicom_downloads(reading, results, stem, named=_is_named(scope, row))
