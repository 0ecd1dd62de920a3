"""The sheet: the film beside its four highest-ranked findings with their maps.

The picture of the paper's figures 4.1 and 4.2, from the same numbers as the page.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Collection

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from PIL import Image

from ..explain import CONTOUR_SHARE, MAP_ALPHA, MAP_COLOUR, HeatMap, heat_map, overlay, strongest_place
from ..imaging import Radiograph, render8
from ..labels import LABELS, NOTICE, display_name
from ..model import Finding, ModelCard, Reading
from ..model.words import flagged_words, probability_words, value_words

__all__ = ["SHOWN", "sheet", "sheet_png"]

SHOWN = 4
PANEL_SIDE = 720  # pixels of the longer side of a panel's film; a page at 150 dpi shows no more

INK, QUIET, PAPER = "#e8eaed", "#9aa3ad", "#101418"

STATE_WORDS = {
    "above": "at or over its operating point",
    "below": "below its operating point",
    "unsure": "unsure: the interval contains the threshold",
    "not_evaluated": "not evaluated",
}


def sheet(
    radiograph: Radiograph,
    reading: Reading,
    card: ModelCard,
    *,
    reference: Collection[str] | None = None,
    title: str = "",
) -> Figure:
    """Return the sheet as a figure.

    Args:
        radiograph: the film.
        reading: its reading, of the same model as ``card``; a refused film shows its reasons.
        card: gives the scale of the maps.
        reference: labels that a reference standard gives this film, where it is known; empty means
            that it gives none.
        title: how the user knows the film.
    """
    figure = Figure(figsize=(15, 5.6), dpi=150, facecolor=PAPER)
    panels = figure.subplots(1, 1 + SHOWN, gridspec_kw={"wspace": 0.06})
    figure.subplots_adjust(left=0.012, right=0.988, top=0.765, bottom=0.235)
    grey = _reduced(render8(radiograph))
    for panel in panels:
        panel.set_axis_off()
    panels[0].imshow(grey, cmap="gray", vmin=0, vmax=255)
    _caption(panels[0], "As displayed", _reference_words(reference), INK)
    for panel, finding in zip(panels[1:], reading.ranked()[:SHOWN], strict=False):
        heat = heat_map(reading, finding.label, card)
        panel.imshow(overlay(grey, heat))
        words = _score_words(finding)
        if reference is not None:
            words += "\n" + _in_reference(finding.label, reference)
        _caption(panel, display_name(finding.label), words, _ink(finding))
        panel.text(0, -0.035, _map_words(heat), transform=panel.transAxes, color=QUIET, size=7.5, va="top")
    quality = reading.quality
    if not reading.findings:
        figure.text(0.25, 0.5, "\n".join(quality.reasons), color=INK, size=13)
    else:
        read = f"read all the same: {quality.override} · " if quality.override else ""
        reasons = "; ".join(quality.reasons) or "none found"
        figure.text(0.012, 0.915, f"{read}reasons to distrust: {reasons}", color=QUIET, size=8, va="center")
    figure.text(0.012, 0.955, f"Second Read  {title}", color=INK, size=12, weight="bold", va="center")
    figure.text(
        0.988,
        0.955,
        f"model {reading.model_id} {reading.model_sha256[:12]} · operating point {reading.operating_point!r} · "
        f"film {reading.sha256[:12]}" + (" · demonstration model" if card.demonstration else ""),
        color=QUIET,
        size=8,
        ha="right",
        va="center",
    )
    _legend(figure)
    told = (flagged_words(card.operating_point(reading.operating_point)), probability_words(card, reading.prevalence))
    lines = [line for words in told for line in textwrap.wrap(words, 150)]
    figure.text(0.012, 0.052, "\n".join(lines), color=QUIET, size=7, va="bottom", linespacing=1.3)
    figure.text(0.012, 0.028, NOTICE, color=INK, size=8, va="center")
    return figure


def sheet_png(
    radiograph: Radiograph,
    reading: Reading,
    card: ModelCard,
    *,
    reference: Collection[str] | None = None,
    title: str = "",
) -> bytes:
    """Return :func:`sheet` as PNG, the notice in its text."""
    stream = io.BytesIO()
    # a reason with two dollars is no formula
    with rc_context({"text.parse_math": False}):
        figure = sheet(radiograph, reading, card, reference=reference, title=title)
        FigureCanvasAgg(figure).print_png(stream, metadata={"Title": "Second Read: sheet", "Disclaimer": NOTICE})
    return stream.getvalue()


def _reduced(grey: np.ndarray) -> np.ndarray:
    image = Image.fromarray(grey)
    image.thumbnail((PANEL_SIDE, PANEL_SIDE), Image.Resampling.BOX)
    return np.asarray(image)


def _caption(panel, heading: str, words: str, ink: str) -> None:
    panel.text(0, 1.17, heading, transform=panel.transAxes, color=ink, size=11, weight="bold", va="bottom")
    panel.text(0, 1.025, words, transform=panel.transAxes, color=ink, size=7.5, va="bottom")


def _ink(finding: Finding) -> str:
    return INK if finding.state in ("above", "unsure") else QUIET


def _score_words(finding: Finding) -> str:
    return f"{value_words(finding)}\n{STATE_WORDS[finding.state]}"


def _map_words(heat: HeatMap) -> str:
    cell = "" if heat.cell_mm is None else f"\ncell {heat.cell_mm[0]:.0f} x {heat.cell_mm[1]:.0f} mm at the detector"
    return f"{strongest_place(heat)}\nfull colour: {heat.anchor:.2g} logit units{cell}"


def _reference_words(reference: Collection[str] | None) -> str:
    if reference is None:
        return "no reference labels given"
    return "reference: " + (", ".join(display_name(label) for label in reference) or "none of the labels")


def _in_reference(label: str, reference: Collection[str]) -> str:
    if label not in LABELS:
        return "the reference does not say"
    return "in the reference" if label in reference else "not in the reference"


def _legend(figure: Figure) -> None:
    """A bar from nothing to full colour, as opaque as on the film; the contour's level beside it."""
    bar = figure.add_axes((0.62, 0.05, 0.12, 0.02))
    colour = np.array(MAP_COLOUR) / 255
    ramp = LinearSegmentedColormap.from_list("map", [(*colour, 0.0), (*colour, MAP_ALPHA)])
    bar.imshow(np.linspace(0, 1, 256)[None], aspect="auto", cmap=ramp, extent=(0, 1, 0, 1))
    bar.axvline(CONTOUR_SHARE, color="#56b4e9", linewidth=1.5)
    bar.set_facecolor("#5a6068")
    bar.set_yticks([])
    bar.set_xticks([0, CONTOUR_SHARE, 1], ["0", f"contour {CONTOUR_SHARE:g}", "full colour"])
    bar.tick_params(colors=QUIET, labelsize=7, length=0)
    for spine in bar.spines.values():
        spine.set_visible(False)
    figure.text(0.755, 0.055, "Scale is fixed per label on the model's card, never per film.", color=QUIET, size=7)
