"""Of the screen "Failures": the films themselves, without and with the map, where their files are at hand."""

from __future__ import annotations

import base64
import io
import time
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
import streamlit as st
from PIL import Image

from ..displays import FailuresDisplay
from ..duration import duration
from ..errors import CxrError, InputRefused
from ..evaluation.image_names import named_by
from ..evaluation.originals import Original, find_originals
from ..explain import heat_map, overlay, strongest_place
from ..imaging import PREPARATION_VERSION, decoder_apart, read_radiograph, render8
from ..labels import NOTICE, display_name
from ..model import Predictor
from ..model.words import small_words
from ..settings import settings
from .chrome import html, refusal
from .guard import may_administer
from .loaders import radiograph_and_reading
from .run_page import RunOnPage
from .worklist import Film

__all__ = ["failed_films"]

SIDE = 512
"""Pixels of the longer side of a picture."""

READ_ANYWAY = "a film of an evaluation run, which scores every film"


@dataclass(frozen=True)
class _Pictures:
    """JPEG bytes of a film as displayed and, where there is a map, with it; and what is said of the map."""

    plain: bytes
    mapped: bytes | None = None
    words: str = ""
    score: float | None = None


def failed_films(run: RunOnPage, display: FailuresDisplay, model: Predictor | None) -> None:
    """Draw the films of a display side by side without and with the map, or say why they cannot be shown."""
    label = display.outcome.label
    st.subheader("The films", anchor=False)
    folder = _folder()
    if folder is None:
        _small(
            "The images are not at hand: a run keeps none. Where they lie on this machine, start the app with "
            "SECOND_READ_IMAGES=FOLDER" + (", or name their folder above." if may_administer() else ".")
        )
        return
    if model is None:
        _small("The model of this run is not here with the same weights, so there are no maps.")
    elif label not in model.card.labels:
        _small(f"{display_name(label)} has no map of its own.")
        model = None
    if model is not None:
        _small(
            f"Full colour of the map of {display_name(label).lower()}: {model.card.map_anchors[label]:.2g} logit units "
            "on every film."
        )
    every, films = display.rows(), run.predictions
    try:
        named = named_by(run.stored)
        found = find_originals(films.images[every].tolist(), films.sha256[every].tolist(), folder, named)
    except CxrError as error:
        refusal("The films cannot be shown", (str(error),))
        return
    pictures = _read(found, films.sha256[every].tolist(), label, model)
    columns = st.columns(2, gap="large")
    done = 0
    for place, (kind, scores) in zip(columns, display.scores().items(), strict=True):
        with place:
            for rank, score in enumerate(scores, 1):
                _pair(f"{kind.capitalize()} {rank}", score, pictures[done], label)
                done += 1


def _folder() -> Path | None:
    """Return the folder of images: that of the settings, or another that an administrator names."""
    folder = settings().images
    if may_administer():
        text = st.text_input(
            "Folder of the images, on the server",
            value="" if folder is None else str(folder),
            key="failures-folder",
            persist_state="session",
            help="A film is found by its name in the run, in folders below too, and shown where its SHA-256 is that "
            "of the film that was scored.",
        )
        folder = Path(text.strip()).expanduser() if text.strip() else None
    return folder


def _read(found: list[Original], digests: list[str], label: str, model: Predictor | None) -> list[_Pictures | str]:
    """Return the pictures of each film, or why there are none; one forward pass for each that is new."""
    pictures: list[_Pictures | str] = []
    start, bar = time.monotonic(), st.empty()
    for number, (original, digest) in enumerate(zip(found, digests, strict=True)):
        left = (time.monotonic() - start) / number * (len(found) - number) if number else None
        words = f"Reading film {number + 1} of {len(found)}" + (f", {duration(left)} left" if left else "")
        bar.progress(number / len(found), words)
        if original.data is None:
            pictures.append(original.reason)
            continue
        card = None if model is None else model.card
        identity = () if card is None else (card.id, card.weights_sha256, model.engine.name, label)
        try:
            pictures.append(_pictures(digest, identity, PREPARATION_VERSION, original.data, label, model))
        except InputRefused as error:
            pictures.append(str(error))
    bar.empty()
    return pictures


@st.cache_data(scope="session", max_entries=96, show_spinner=False)
def _pictures(
    digest: str, identity: tuple[str, ...], preparation: int, _data: bytes, _label: str, _model: Predictor | None
) -> _Pictures:
    if _model is None:
        return _Pictures(_jpeg(_small_copy(render8(read_radiograph(_data, sha256=digest, decoder=decoder_apart())))))
    radiograph, reading = radiograph_and_reading(Film(digest, "", _data, read_anyway=READ_ANYWAY), _model)
    grey, heat = _small_copy(render8(radiograph)), heat_map(reading, _label, _model.card)
    return _Pictures(_jpeg(grey), _jpeg(overlay(grey, heat)), strongest_place(heat), reading.finding(_label).score)


def _small_copy(grey: np.ndarray) -> np.ndarray:
    image = Image.fromarray(grey)
    image.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(image)


def _jpeg(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="JPEG", quality=88, comment=NOTICE)
    return stream.getvalue()


def _pair(title: str, score: float, pictures: _Pictures | str, label: str) -> None:
    caption = f"{title}: score {small_words(score)}"
    if isinstance(pictures, str):
        _small(f"{caption}. Not shown: {pictures}.")
        return
    # a card or a preparation of another version scores otherwise than the run did
    if pictures.score is not None and abs(pictures.score - score) > 1e-3:
        caption += f", read again now {small_words(pictures.score)}"
    images = [(pictures.plain, f"{title}: the film as displayed")]
    if pictures.mapped is not None:
        images.append((pictures.mapped, f"{title}: the film with the map of {display_name(label)}; {pictures.words}"))
    drawn = "".join(
        f'<img alt="{escape(alt)}" src="data:image/jpeg;base64,{base64.b64encode(data).decode()}">'
        for data, alt in images
    )
    words = f"{caption}; {pictures.words}" if pictures.words else caption
    st.html(f'<figure class="sr-pair"><div>{drawn}</div><figcaption>{escape(words)}</figcaption></figure>')


def _small(words: str) -> None:
    html('<div class="sr-small">{words}</div>', words=words)
