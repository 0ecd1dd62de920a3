"""The parts of the screen "Second opinion": the chute, the film, the opinion."""

from __future__ import annotations

from html import escape

import streamlit as st

from ..access import audit
from ..errors import InputRefused
from ..imaging import exposure_words, is_archive, is_directory, phantom_dicom, unpacked
from ..model import ModelCard, Predictor, Reading
from ..settings import settings
from .chrome import banner, demonstration_words, html, imported_words, refusal
from .downloads import downloads
from .findings import findings_list
from .strip import film_strip
from .terms import terms
from .uploads import taken_over
from .viewer import film_viewer
from .visitor import served_here_only, visitor
from .worklist import LOOKED_AT, Film, Worklist

__all__ = ["chute", "opinion", "picture"]

PHANTOM_NAME = "Synthetic phantom (no patient)"


def chute(films: Worklist, model: Predictor) -> None:
    """Draw where films are dropped, and those that were."""
    if not films.films:
        _welcome(model.card)
        with st.container(key="welcome"):
            _uploaders(films)
            st.button(
                "Try an example: a synthetic phantom",
                icon=":material/science:",
                on_click=lambda: _drop(films, [(PHANTOM_NAME, _phantom())]),
            )
        return
    top, add = st.columns([5, 1], vertical_alignment="center")
    with top:
        film_strip(films, film_first=st.session_state.get("film_first", False))
    with add.popover("Add films", icon=":material/add:", width="stretch"):
        _uploaders(films)
        st.button("Empty the list", icon=":material/delete:", on_click=films.clear, width="stretch")
    dropped = st.session_state.pop("dropped", None)
    if dropped is not None and (dropped.known or dropped.left_out):
        known = f"{dropped.known} already in the list. " if dropped.known else ""
        left = f"{dropped.left_out} left out: {dropped.why}." if dropped.left_out else ""
        st.toast(known + left)


def _welcome(card: ModelCard) -> None:
    html(
        '<div class="sr-lead"><h1>A second opinion on a chest X-ray</h1>'
        "<p>Drop a frontal chest radiograph of an adult: DICOM, PNG, JPEG or TIFF. For each of {count} "
        "pathologies you see a score beside its operating point, where the model looked, and the reasons to "
        "distrust it. Films are sent to {where} and nowhere else.</p></div>",
        where="this machine" if served_here_only() else "this server",
        count=len(card.labels),
    )


@st.cache_data(show_spinner=False)
def _phantom() -> bytes:
    return phantom_dicom()


def _uploaders(films: Worklist) -> None:
    # a new key empties the widget: its files have moved to the worklist
    turn = st.session_state.setdefault("chute", 0)
    most = settings().max_file_mb

    def taken(key: str) -> None:
        files = taken_over(st.session_state.get(key) or [])
        if files:
            _drop(films, files)

    kinds = (("files", "Films", True), ("folder", "A whole folder", "directory"))
    for place, (name, words, many) in zip(st.columns([2, 1]), kinds, strict=True):
        key = f"chute-{name}-{turn}"
        place.file_uploader(
            words,
            accept_multiple_files=many,
            key=key,
            on_change=taken,
            args=(key,),
            help=f"DICOM (CR, DX), PNG, JPEG or TIFF, told apart by content; up to {most} MB a file.",
        )


def _drop(films: Worklist, files: list[tuple[str, bytes]]) -> None:
    # a directory of a medium lists the films that are dropped with it
    films_only = [file for file in files if not is_directory(file[1][:1024])] or files
    opened = [member for name, data in films_only for member in _members(name, data)]
    st.session_state["dropped"] = films.drop(opened, most=settings().max_files)
    st.session_state["chute"] = st.session_state.get("chute", 0) + 1


def _members(name: str, data: bytes) -> list[tuple[str, bytes]]:
    """Return the files of a zip of a study; of a broken one the archive itself, which is then refused."""
    if not is_archive(data):
        return [(name, data)]
    try:
        return unpacked(data) or [(name, data)]
    except InputRefused:
        return [(name, data)]


def picture(film: Film, films: Worklist, model: Predictor) -> None:
    """Draw the film in the viewer, and what was done to its pixels."""
    html(
        '<div class="sr-head"><h2>{name}</h2><span>film {digest}</span></div>', name=film.name, digest=film.digest[:12]
    )
    if film.status == "unreadable":
        refusal("This file is not read", (film.reason,))
        st.button("Take it off the list", on_click=films.remove, args=(film.digest,))
        return
    radiograph = film.radiograph
    if radiograph is None:
        banner(
            "The picture was let go, the findings stay.",
            f"Of films that were looked at the list holds the last {LOOKED_AT}. Drop the file again to see it.",
        )
        return
    film_viewer(radiograph)
    with st.expander("What was done to the pixels"):
        _list(
            (
                *radiograph.transforms,
                f"model input: {model.card.input.size} × {model.card.input.size}, "
                + ("whole film, padded with black" if model.card.input.fit == "pad" else "centre square"),
                exposure_words(model.card.input.exposure),
                "The window you choose changes the picture, never the reading.",
            )
        )
        if radiograph.header:
            _list(tuple(f"{keyword}: {value}" for keyword, value in radiograph.header.items()), "From the header")


def opinion(film: Film, films: Worklist, model: Predictor) -> None:
    """Draw the findings, the reasons to distrust them, what is not looked for, and the downloads."""
    if film.status == "unreadable":
        return
    reading, card = film.reading, model.card
    if card.demonstration:
        banner("Demonstration model.", demonstration_words(card))
    elif card.imported is not None:
        banner("Imported model.", imported_words(card))
    if not reading.findings:
        refusal("The gate refuses this film", reading.quality.reasons)
        if film.data is not None:
            if reading.quality.turned:
                _turn(film, reading.quality.turned)
            _override(film, card)
        return
    _distrust(reading)
    terms(card, films)
    first = st.toggle(
        "Film first", key="film_first", persist_state="session", help="Keep the findings hidden until you ask for them."
    )
    if first and not film.shown:
        st.button("Show the findings", type="primary", shortcut="S", on_click=_show, args=(film,), width="stretch")
        return

    def choose(digest: str, label: str) -> None:
        if digest in films.films:
            films.films[digest].label = label

    findings_list(reading, card, film.label, choose)
    if film.radiograph is not None:
        downloads(film, reading, card, films)
    with st.expander("What the model does not look for"):
        _list(card.not_looked_for)
        st.page_link("pages/model.py", label="The model's card")


def _show(film: Film) -> None:
    film.shown = True


def _distrust(reading: Reading) -> None:
    if reading.quality.override:
        banner("Read all the same.", f"Reason given: {reading.quality.override}")
    reasons = reading.quality.reasons or ("none was found, which promises nothing",)
    _list(reasons, "Reasons to distrust this reading")


def _turn(film: Film, degrees: int) -> None:
    """Offer to undo a turn; a mirror image is never offered."""
    st.button(
        f"Turn it by {degrees} degrees clockwise and read",
        icon=":material/rotate_right:",
        type="primary",
        on_click=_turned,
        args=(film, degrees // 90),
        width="stretch",
    )


def _turned(film: Film, quarters: int) -> None:
    film.quarter_turns = (film.quarter_turns + quarters) % 4
    film.wait()


def _override(film: Film, card: ModelCard) -> None:
    with st.form(f"override-{film.digest[:12]}"):
        reason = st.text_input("Why shall it be read all the same? The reason is kept in the reading.", max_chars=200)
        if st.form_submit_button("Read anyway"):
            if reason.strip():
                film.read_anyway = reason.strip()
                film.wait()
                audit.note(visitor(), "override", films=[film.digest], model=card.weights_sha256)
                st.rerun()
            st.warning("A reason is needed.")


def _list(lines: tuple[str, ...], title: str = "") -> None:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    head = f"<b>{escape(title)}</b>" if title else ""
    st.html(f'<div class="sr-small">{head}<ul>{items}</ul></div>')
