"""The sheet: the image beside its four highest-ranked findings with heat maps (the paper's figures 4.1 and 4.2)."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from PIL import Image

from ..explain import CONTOUR_LEVEL, MAP_ALPHA, MAP_COLOUR, HeatMap, describe_strongest, heat_map, overlay
from ..imaging import Radiograph, render8
from ..labels import NOTICE, display_name
from ..model import Finding, ModelCard, Reading
from ..model.formatting import STATE_TEXTS, describe_scale, format_finding
from ..model.int8_formatting import describe_precision
from ..model.localisation import describe_maps
from ..model.rate_formatting import describe_operating_point
from ..model.stability import UNSTABLE

__all__ = ["SHOWN", "sheet", "sheet_png"]

SHOWN = 4
PANEL_SIDE = 720  # pixels of the longer side of a panel's image; a page at 150 dpi shows no more

INK, QUIET, PAPER = "#e8eaed", "#9aa3ad", "#101418"


def sheet(
    radiograph: Radiograph,
    reading: Reading,
    card: ModelCard,
    *,
    reference: Mapping[str, bool] | None = None,
    title: str = "",
) -> Figure:
    """Return the sheet as a figure.

    Args:
        radiograph: the image.
        reading: of the image, by the model of ``card``; a refused image shows its reasons.
        card: states the scale of the maps.
        reference: the labels that a reference standard states for this image, positive or not; None without one.
        title: name of the image for the user.
    """
    figure = Figure(figsize=(15, 5.6), dpi=150, facecolor=PAPER)
    panels = figure.subplots(1, 1 + SHOWN, gridspec_kw={"wspace": 0.06})
    figure.subplots_adjust(left=0.012, right=0.988, top=0.765, bottom=0.235)
    grey = _reduced(render8(radiograph))
    for panel in panels:
        panel.set_axis_off()
    panels[0].imshow(grey, cmap="gray", vmin=0, vmax=255)
    _caption(panels[0], "As displayed", _describe_reference(reference), INK)
    for panel, finding in zip(panels[1:], reading.ranked()[:SHOWN], strict=False):
        heat = heat_map(reading, finding.label, card)
        panel.imshow(overlay(grey, heat))
        text = f"{format_finding(finding)}\n{STATE_TEXTS[finding.state]}"
        if reference is not None:
            text += "\n" + _in_reference(finding.label, reference)
        _caption(panel, display_name(finding.label), text, _ink(finding))
        below = _describe_map(heat)
        if changes := reading.changes_of_state(finding.label):
            below += f"\n{UNSTABLE} ({len(changes)} of {len(reading.under_changes)})"
        panel.text(0, -0.035, below, transform=panel.transAxes, color=QUIET, size=7.5, va="top")
    quality = reading.quality
    if not reading.findings:
        figure.text(0.25, 0.5, "\n".join(quality.reasons), color=INK, size=13)
    else:
        override = f"read anyway: {quality.override} · " if quality.override else ""
        reasons = "; ".join(quality.reasons) or "none"
        figure.text(0.012, 0.915, f"{override}warnings: {reasons}", color=QUIET, size=8, va="center")
        if quality.notes:
            figure.text(0.012, 0.892, f"notes: {'; '.join(quality.notes)}", color=QUIET, size=7, va="center")
    figure.text(0.012, 0.955, f"Second Read  {title}", color=INK, size=12, weight="bold", va="center")
    figure.text(
        0.988,
        0.955,
        f"model {reading.model_id} {reading.model_sha256[:12]}{describe_precision(card)} · "
        f"operating point {reading.operating_point!r} · image {reading.sha256[:12]}"
        + (" · demonstration model" if card.demonstration else ""),
        color=QUIET,
        size=8,
        ha="right",
        va="center",
    )
    _legend(figure)
    labels = [finding.label for finding in reading.ranked()[:SHOWN]]
    lines_of_footer = (
        describe_operating_point(card.operating_point(reading.operating_point)),
        f"{describe_scale(card, reading.prevalence)} {describe_maps(card.localisation, labels)}".strip(),
    )
    lines = [line for text in lines_of_footer for line in textwrap.wrap(text, 150)]
    figure.text(0.012, 0.052, "\n".join(lines), color=QUIET, size=7, va="bottom", linespacing=1.3)
    figure.text(0.012, 0.028, NOTICE, color=INK, size=8, va="center")
    return figure


def sheet_png(
    radiograph: Radiograph,
    reading: Reading,
    card: ModelCard,
    *,
    reference: Mapping[str, bool] | None = None,
    title: str = "",
) -> bytes:
    """Return :func:`sheet` as PNG, the notice in its text."""
    stream = io.BytesIO()
    # a reason with two dollar signs is not a formula
    with rc_context({"text.parse_math": False}):
        figure = sheet(radiograph, reading, card, reference=reference, title=title)
        FigureCanvasAgg(figure).print_png(stream, metadata={"Title": "Second Read: sheet", "Disclaimer": NOTICE})
    return stream.getvalue()


def _reduced(grey: np.ndarray) -> np.ndarray:
    image = Image.fromarray(grey)
    image.thumbnail((PANEL_SIDE, PANEL_SIDE), Image.Resampling.BOX)
    return np.asarray(image)


def _caption(panel: Axes, heading: str, text: str, ink: str) -> None:
    panel.text(0, 1.17, heading, transform=panel.transAxes, color=ink, size=11, weight="bold", va="bottom")
    panel.text(0, 1.025, text, transform=panel.transAxes, color=ink, size=7.5, va="bottom")


def _ink(finding: Finding) -> str:
    return INK if finding.state == "above" else QUIET


def _describe_map(heat: HeatMap) -> str:
    cell = f"\ncell {heat.cell_size()}" if heat.cell_mm else ""
    return f"{describe_strongest(heat)}\nfull colour: a contribution of {heat.anchor:.2g} to the score (logit){cell}"


def _describe_reference(reference: Mapping[str, bool] | None) -> str:
    if reference is None:
        return "no reference labels given"
    positive = [display_name(label) for label, present in reference.items() if present]
    return "reference: " + (", ".join(positive) or "none of the labels")


def _in_reference(label: str, reference: Mapping[str, bool]) -> str:
    if label not in reference:
        return "not stated by the reference"
    return "positive in the reference" if reference[label] else "negative in the reference"


def _legend(figure: Figure) -> None:
    """Draw a bar from no colour to full colour, as opaque as on the image, with the level of the contour."""
    bar = figure.add_axes((0.62, 0.05, 0.12, 0.02))
    colour = np.array(MAP_COLOUR) / 255
    ramp = LinearSegmentedColormap.from_list("map", [(*colour, 0.0), (*colour, MAP_ALPHA)])
    bar.imshow(np.linspace(0, 1, 256)[None], aspect="auto", cmap=ramp, extent=(0, 1, 0, 1))
    bar.axvline(CONTOUR_LEVEL, color="#56b4e9", linewidth=1.5)
    bar.set_facecolor("#5a6068")
    bar.set_yticks([])
    bar.set_xticks([0, CONTOUR_LEVEL, 1], ["0", f"contour {CONTOUR_LEVEL:g}", "full colour"])
    bar.tick_params(colors=QUIET, labelsize=7, length=0)
    for spine in bar.spines.values():
        spine.set_visible(False)
    figure.text(0.755, 0.055, "Scale is fixed per label on the model's card, never per image.", color=QUIET, size=7)
