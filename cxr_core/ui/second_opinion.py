"""The parts of the screen "Second opinion": the chute, the film, the opinion."""

from __future__ import annotations

from html import escape

import streamlit as st

from ..access import audit
from ..errors import InputRefused
from ..imaging import Pose, Unpacked, decoder_apart, exposure_words, is_archive, is_directory, phantom_dicom
from ..model import ModelCard, Predictor, Reading
from ..settings import settings
from .chrome import banner, demonstration_words, html, imported_words, refusal
from .downloads import downloads
from .findings import findings_list
from .guard import page_file
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
        "<p>Drop a frontal chest radiograph of an adult: DICOM, PNG, JPEG, TIFF or WEBP. For each of {count} "
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
            help=f"DICOM (CR, DX), PNG, JPEG, TIFF or WEBP, told apart by content; up to {most} MB a file.",
        )


def _drop(films: Worklist, files: list[tuple[str, bytes]]) -> None:
    # a directory of a medium lists the films that are dropped with it
    films_only = [file for file in files if not is_directory(file[1][:1024])] or files
    opened, left_out, room = [], 0, films.room()
    for name, data in films_only:
        members = _members(name, data, room)
        opened += members.files
        left_out += members.left_out
        room -= sum(len(content) for _, content in members.files)
    st.session_state["dropped"] = films.drop(opened, most=settings().max_files, left_out=left_out)
    st.session_state["chute"] = st.session_state.get("chute", 0) + 1


def _members(name: str, data: bytes, room: int) -> Unpacked:
    """Return the files of a zip of a study that fit into ``room`` bytes; of a broken one itself, which is refused."""
    alone = Unpacked([(name, data)], left_out=0)
    if not is_archive(data):
        return alone
    try:
        members = decoder_apart().unpacked(data, max(0, room))
    except InputRefused:
        return alone
    return members if members.files or members.left_out else alone


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
        banner("Imported model, not verified." if card.unverified else "Imported model.", imported_words(card))
    if not reading.findings:
        refusal("The gate refuses this film", reading.quality.reasons)
        if film.data is not None:
            _offers(film, reading)
            _override(film, card)
        return
    _distrust(reading)
    if film.data is not None:
        _offers(film, reading)
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
        st.page_link(page_file("model"), label="The model's card")


def _show(film: Film) -> None:
    film.shown = True


def _distrust(reading: Reading) -> None:
    if reading.quality.override:
        banner("Read all the same.", f"Reason given: {reading.quality.override}")
    reasons = reading.quality.reasons or ("none was found, which promises nothing",)
    _list(reasons, "Reasons to distrust this reading")
    if reading.quality.notes:
        html('<div class="sr-small">Notes: {notes}</div>', notes="; ".join(reading.quality.notes))


def _offers(film: Film, reading: Reading) -> None:
    """Offer what would bring the picture right, where that is a guess about it: nothing of it is done unasked."""
    quality = reading.quality
    if quality.pose:
        _pose(film, quality.pose)
    elif quality.turned and not reading.findings:
        _turn(film, quality.turned)
    if quality.scalable:
        st.button(
            "Show and read it by the table's own maximum",
            icon=":material/exposure:",
            on_click=_scaled,
            args=(film,),
            width="stretch",
        )


def _scaled(film: Film) -> None:
    film.voi_scale = "data"
    film.wait()


def _pose(film: Film, pose: Pose) -> None:
    """Offer to bring a film the right way round, as its header says."""
    turn = f"turn by {90 * pose.quarter_turns} degrees" if pose.quarter_turns else ""
    what = " and ".join(filter(None, ("mirror" if pose.mirrored else "", turn)))
    st.button(
        f"Show and read it the right way round: {what}",
        icon=":material/flip:",
        on_click=_posed,
        args=(film, pose),
        width="stretch",
    )


def _posed(film: Film, pose: Pose) -> None:
    film.mirrored ^= pose.mirrored
    if pose.mirrored:
        # a mirror before a turn turns the other way
        film.quarter_turns = -film.quarter_turns % 4
    _turned(film, pose.quarter_turns)


def _turn(film: Film, degrees: int) -> None:
    """Offer to undo a turn."""
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
