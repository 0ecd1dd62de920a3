"""What may be taken along: findings as CSV and JSON, the overlay and the sheet as PNG."""

from __future__ import annotations

import streamlit as st

from ..explain import heat_map, overlay_png
from ..imaging import render8
from ..labels import display_name
from ..model import ModelCard, Reading
from ..report import reading_json, readings_csv
from ..report.sheet import sheet_png
from .audited import audited
from .worklist import Film, Worklist

__all__ = ["downloads"]


def downloads(film: Film, reading: Reading, card: ModelCard, films: Worklist) -> None:
    """Draw the buttons for a film that is decoded; a picture is made when it is asked for.

    Streamlit keeps what a button calls for as long as it keeps the tab, so that holds the film, which may be let go,
    and not its pixels.

    Files are named by the film's digest: the name it was dropped under may name a patient. The
    tables hold that name, as the reader needs it there.
    """
    label = film.label or reading.ranked()[0].label
    stem = f"second-read-{film.digest[:12]}"
    readings = [(f.name, f.reading) for f in films.films.values() if f.reading is not None]
    every = f" of {len(readings)} films" if len(readings) > 1 else ""
    model = card.weights_sha256
    digests = [r.sha256 for _, r in readings]
    with st.expander("Take along"):
        one, two = st.columns(2)
        _button(
            one,
            f"Findings{every}, CSV",
            audited(lambda: readings_csv(readings), "findings-csv", films=digests, model=model),
            f"{stem}.csv",
            "text/csv",
        )
        _button(
            two,
            f"Findings{every}, JSON",
            audited(
                lambda: "".join(reading_json(name, r) + "\n" for name, r in readings),
                "findings-json",
                films=digests,
                model=model,
            ),
            f"{stem}.jsonl",
            "application/jsonl",
        )
        _button(
            one,
            f"Overlay: {display_name(label)}, PNG",
            audited(
                lambda: overlay_png(render8(film.radiograph), heat_map(reading, label, card)),
                "overlay-png",
                films=[film.digest],
                model=model,
            ),
            f"{stem}-{label}.png",
            "image/png",
        )
        _button(
            two,
            "Sheet of four findings, PNG",
            audited(lambda: sheet_png(film.radiograph, reading, card), "sheet-png", films=[film.digest], model=model),
            f"{stem}.png",
            "image/png",
        )


def _button(place, words: str, make, name: str, mime: str) -> None:
    place.download_button(
        words, make, file_name=name, mime=mime, on_click="ignore", width="stretch", key=f"take-{words}"
    )
