"""The page "Failures": the worst false negatives and false positives of one label, as tables and as images."""

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

from ..displays import FailuresDisplay, Outcome
from ..errors import CxrError, InputRefused
from ..evaluation.images import SourceImage, find_source_images, stored_name
from ..explain import describe_strongest, heat_map, overlay
from ..formatting import format_probability
from ..imaging import PREPARATION_VERSION, read_radiograph, render8
from ..labels import NOTICE, display_name, name_in_sentence
from ..model import Predictor
from ..model.findings import usable_threshold
from ..settings import settings
from .chart import show_display
from .chrome import heading, html, refusal, small, table, time_left
from .open_runs import RunOnPage
from .reading_progress import read_to_end
from .run_page import select_label
from .serving_model import predictor_with_weights
from .visitor import may_administer
from .worklist import WorklistImage

__all__ = ["failures"]

_KINDS = (
    ("false negative", "False negatives", "positive images with the lowest scores"),
    ("false positive", "False positives", "negative images with the highest scores"),
)

SIDE = 512
"""Longer side of a displayed image, pixels."""

READ_ANYWAY = "an image of an evaluation run, which scores every image"


@dataclass(frozen=True)
class _Rendering:
    """JPEG bytes of an image, without and with its heat map; where the map is strongest; score of this reading."""

    plain: bytes
    overlay: bytes | None = None
    strongest: str = ""
    score: float | None = None


def failures(run: RunOnPage) -> None:
    """Draw the worst images of one label: their scores, tables, and the images if their files are available."""
    model = predictor_with_weights(run.record.model_sha256)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        outcome = select_label(run)
        threshold = _threshold(run, model, outcome)
        max_images = st.selectbox(
            "Images per group", [3, 6, 12], index=1, key="failures-most", persist_state="session", width=150
        )
        names_stored = run.record.image_names_kept
        names = st.toggle(
            "File names",
            key="failures-names",
            persist_state="session",
            disabled=not names_stored,
            help="File names may identify a patient."
            if names_stored
            else "This run stores no file names: it was evaluated without --keep-image-names.",
        )
    display = FailuresDisplay.of(
        outcome,
        run.predictions,
        max_images=max_images,
        threshold=threshold,
        names=names,
        notes=run.notes,
        names_stored=names_stored,
    )
    show_display(display, f"failures-{outcome.label}")
    if threshold is None:
        small(f"This run has no operating point for {name_in_sentence(outcome.label)}.")
    small(
        "False negatives and false positives are defined by the reference standard, which may itself be wrong. Review "
        "an image before you attribute its error to the model. Images are ordered by score, regardless of the "
        "operating point."
    )
    for column, (kind, title, order) in zip(st.columns(2, gap="large"), _KINDS, strict=True):
        with column:
            html('<div class="sr-small"><b>{title}</b>: {order}</div>', title=title, order=order)
            _table(display, kind)
    _images(run, display, model)


def _threshold(run: RunOnPage, model: Predictor | None, outcome: Outcome) -> float | None:
    """Draw the choice of an operating point and return its threshold; None if the label has none.

    If the model is not installed, only the operating point stored with the run is available.
    """
    points = {} if model is None else model.card.operating_points
    if model is None or not points:
        return run.thresholds.get(outcome.label)
    name = st.selectbox("Operating point", list(points), key="failures-point", persist_state="session", width=230)
    if outcome.label not in points[name].thresholds:
        return None
    return usable_threshold(model.card, points[name], outcome.label)


def _table(display: FailuresDisplay, kind: str) -> None:
    frame = display.table()
    frame = frame[frame["kind"] == kind]
    if frame.empty:
        small("No image is positive." if kind == "false negative" else "No image is negative.")
        return
    rows = []
    for image in frame.itertuples():
        side = f" ({image.state} {format_probability(image.operating_point)})" if image.state else ""
        name = image.file if display.names else image.image or "unknown"
        age = (
            "" if image.age is None or image.age != image.age else f"{image.age:.0f}" + ("+" if image.age == 90 else "")
        )
        cells = (
            str(image.rank),
            format_probability(image.score) + side,
            age,
            image.sex,
            image.view,
            image.other_labels,
            name,
        )
        rows.append(tuple(escape(cell) for cell in cells))
    table(("rank", "score (operating point)", "age", "sex", "view", "other findings", "image"), rows, numbers=2)


def _images(run: RunOnPage, display: FailuresDisplay, model: Predictor | None) -> None:
    """Draw the images of a display, each without and with its heat map, or state why they cannot be shown."""
    label = display.outcome.label
    heading("Images")
    folder = _folder()
    if folder is None:
        small(
            "The images are not available, because a run does not store them. If they are on this machine, start the "
            "app with SECOND_READ_IMAGES=FOLDER" + (" or enter their folder above." if may_administer() else ".")
        )
        return
    if model is None:
        small("The model of this run is not installed with the same weights, so there are no heat maps.")
    elif label not in model.card.labels:
        small(f"There is no heat map of {name_in_sentence(label)}.")
        model = None
    if model is not None:
        small(
            f"Full colour of the heat map of {name_in_sentence(label)}: a contribution to the score of "
            f"{model.card.map_anchors[label]:.2g} (logit), the same on every image."
        )
    rows, images = display.rows(), run.predictions
    digests = images.sha256[rows].tolist()
    try:
        files = find_source_images(images.images[rows].tolist(), digests, folder, stored_name(run.stored))
    except CxrError as error:
        refusal("The images cannot be shown", (str(error),))
        return
    renderings = iter(_render_all(files, digests, label, model))
    for column, (kind, scores) in zip(st.columns(2, gap="large"), display.scores().items(), strict=True):
        with column:
            for rank, score in enumerate(scores, 1):
                _pair(f"{kind.capitalize()} {rank}", score, next(renderings), label)


def _folder() -> Path | None:
    """Return the folder of images: that of the settings, or another that an administrator enters."""
    folder = settings().images
    if may_administer():
        text = st.text_input(
            "Folder with the images, on the server",
            value="" if folder is None else str(folder),
            key="failures-folder",
            persist_state="session",
            help="Images are found by their name in the run, also in subfolders, and shown only if their SHA-256 is "
            "that of the evaluated image.",
        )
        folder = Path(text.strip()).expanduser() if text.strip() else None
    return folder


def _render_all(
    files: list[SourceImage], digests: list[str], label: str, model: Predictor | None
) -> list[_Rendering | str]:
    """Return the rendering of each image, or why there is none; one forward pass for each that is not cached."""
    renderings: list[_Rendering | str] = []
    start, bar = time.monotonic(), st.empty()
    for number, (file, digest) in enumerate(zip(files, digests, strict=True)):
        text = f"Reading image {number + 1} of {len(files)}{time_left(start, number, len(files))}"
        bar.progress(number / len(files), text)
        if file.data is None:
            renderings.append(file.reason)
            continue
        identity: tuple[str, ...] = ()
        if model is not None:
            identity = (model.card.id, model.card.weights_sha256, model.engine.name, label)
        try:
            renderings.append(_render(digest, identity, PREPARATION_VERSION, file.data, label, model))
        except InputRefused as error:
            renderings.append(str(error))
    bar.empty()
    return renderings


@st.cache_data(scope="session", max_entries=96, show_spinner=False)
def _render(
    digest: str, identity: tuple[str, ...], preparation: int, _data: bytes, _label: str, _model: Predictor | None
) -> _Rendering:
    if _model is None:
        return _Rendering(_jpeg(_thumbnail(render8(read_radiograph(_data, sha256=digest)))))
    radiograph, reading = read_to_end(WorklistImage(digest, "", _data, read_anyway=READ_ANYWAY), _model)
    grey, heat = _thumbnail(render8(radiograph)), heat_map(reading, _label, _model.card)
    return _Rendering(_jpeg(grey), _jpeg(overlay(grey, heat)), describe_strongest(heat), reading.finding(_label).score)


def _thumbnail(grey: np.ndarray) -> np.ndarray:
    image = Image.fromarray(grey)
    image.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(image)


def _jpeg(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="JPEG", quality=88, comment=NOTICE)
    return stream.getvalue()


def _pair(title: str, score: float, rendering: _Rendering | str, label: str) -> None:
    caption = f"{title}: score {format_probability(score)}"
    if isinstance(rendering, str):
        small(f"{caption}. Not shown: {rendering}.")
        return
    # scores may differ from the run with another version of the card or of the model input
    if rendering.score is not None and abs(rendering.score - score) > 1e-3:
        caption += f", {format_probability(rendering.score)} when read again now"
    images = [(rendering.plain, f"{title}: radiograph")]
    if rendering.overlay is not None:
        alt = f"{title}: radiograph with the heat map of {display_name(label)}; {rendering.strongest}"
        images.append((rendering.overlay, alt))
    tags = "".join(
        f'<img alt="{escape(alt)}" src="data:image/jpeg;base64,{base64.b64encode(data).decode()}">'
        for data, alt in images
    )
    if rendering.strongest:
        caption += f"; {rendering.strongest}"
    st.html(f'<figure class="sr-pair"><div>{tags}</div><figcaption>{escape(caption)}</figcaption></figure>')
