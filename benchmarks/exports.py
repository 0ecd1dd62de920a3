"""Scores of the same images under another export: how far logits move, and on how many images a state changes.

Each image of a sample is read as it is and as another program might have written it: another window, another grey
curve, paler, darker below a bright side marker, lighter. Every model is read with its own input; one whose input has a
stretched exposure is read without it as well, which says what the stretch is for. States are those of a reading at
the default operating point; the gate is not asked. The table of docs/stability.md is made by::

    python -m benchmarks.exports --images nih_128/images --table nih_128/table.csv --model MODEL [--model MODEL ...]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxr_core.datasets.splits import read_split
from cxr_core.datasets.table import ImageTable, read_table
from cxr_core.estimate import Estimate
from cxr_core.evaluation.stability import sample_images
from cxr_core.formatting import format_estimate
from cxr_core.imaging import Preparation, prepare, read_radiograph
from cxr_core.imaging.small_changes import SmallChange, gamma_curve, percentile_window
from cxr_core.metrics import patient_mean, patient_proportion
from cxr_core.model import ModelCard, open_model
from cxr_core.model.engines import Engine
from cxr_core.model.findings import make_findings
from cxr_core.model.folder import ModelFolder
from cxr_core.model.predictor import open_engine

MARKER = (0.02, 0.07)
"""Where the side marker of the dark export begins and ends, from the upper left corner, of each side of the image."""


def grey_range(display: np.ndarray, black: float, white: float) -> np.ndarray:
    """Return an image whose grey from 0 to 1 runs from ``black`` to ``white``: flat, dark or light.

    Args:
        display: (rows, columns) float32 in [0, 1].
        black, white: of the result, 0 <= black < white <= 1.
    """
    return np.asarray(black + (white - black) * display, dtype=np.float32)


def dark_below_marker(display: np.ndarray, white: float = 0.45) -> np.ndarray:
    """Return an image stored dark, because a side marker in a corner is its brightest part.

    Args:
        display: (rows, columns) float32 in [0, 1].
        white: grey of what was white; the marker is 1.
    """
    dark = grey_range(display, 0.0, white)
    rows, columns = (slice(*(round(side * part) for part in MARKER)) for side in display.shape)
    dark[rows, columns] = 1.0
    return dark


EXPORTS: tuple[SmallChange, ...] = (
    SmallChange("window-2-98", "window, 2nd to 98th percentile", partial(percentile_window, low=2.0, high=98.0)),
    SmallChange("window-10-90", "narrow window, 10th to 90th", partial(percentile_window, low=10.0, high=90.0)),
    SmallChange("gamma-0.7", "gamma 0.7 (brighter)", partial(gamma_curve, gamma=0.7)),
    SmallChange("gamma-1.4", "gamma 1.4 (darker)", partial(gamma_curve, gamma=1.4)),
    SmallChange("flat", "flat: grey from 0.25 to 0.75", partial(grey_range, black=0.25, white=0.75)),
    SmallChange("dark", "dark: grey to 0.45, a bright marker", dark_below_marker),
    SmallChange("light", "light: grey from 0.4", partial(grey_range, black=0.4, white=1.0)),
)


@dataclass(frozen=True)
class ExportRates:
    """What one export does to the scores of a model.

    Attributes:
        states: proportion of images on which the state of any evaluated label changes.
        difference: mean absolute change of the logits of all labels.
        shift: the same with the sign.
    """

    states: Estimate
    difference: Estimate
    shift: Estimate


def logits_under_exports(
    images: ImageTable, engine: Engine, preparation: Preparation, report: Callable[[int], None] = lambda done: None
) -> NDArray[np.float32]:
    """Return (1 + exports, n, labels) logits, first of each image as it is, then in the order of :data:`EXPORTS`.

    Args:
        images: with the files.
        engine: of the model.
        preparation: of its input.
        report: called with the number of images that are done.
    """
    logits = []
    for done, path in enumerate(images.paths, start=1):
        display = read_radiograph(Path(path).read_bytes()).display
        variants = [display, *(export.apply(display) for export in EXPORTS)]
        logits.append(engine.infer(np.stack([prepare(v, preparation)[0] for v in variants])).logits)
        report(done)
    return np.asarray(np.moveaxis(np.stack(logits), 1, 0), dtype=np.float32)


def export_rates(card: ModelCard, logits: NDArray[np.float32], patients: np.ndarray) -> dict[str, ExportRates]:
    """Return the rates of each export by its name, with intervals by patients.

    Args:
        card: of the model; its default operating point makes the states.
        logits: of :func:`logits_under_exports`.
        patients: (n,) of the images.
    """
    point = card.operating_point()
    states = np.array([[[f.state for f in make_findings(card, row, point)] for row in variant] for variant in logits])
    rates = {}
    for export, changed, after in zip(EXPORTS, states[1:], logits[1:], strict=True):
        difference = after.astype(np.float64) - logits[0]
        rates[export.name] = ExportRates(
            patient_proportion((changed != states[0]).any(axis=1), patients),
            patient_mean(np.abs(difference).mean(axis=1), patients),
            patient_mean(difference.mean(axis=1), patients),
        )
    return rates


def flagged(card: ModelCard, logits: NDArray[np.float32]) -> list[float]:
    """Return the proportion of images with any label above, as they are and then under each export."""
    point = card.operating_point()
    return [
        float(np.mean([any(f.state == "above" for f in make_findings(card, row, point)) for row in variant]))
        for variant in logits
    ]


def markdown(rates: dict[str, dict[str, ExportRates]]) -> str:
    """Return the table: a row per export, two columns per model, by name."""
    headings = ["export", *(f"{name}: {what}" for name in rates for what in ("logits", "a state changes"))]
    lines = [f"| {' | '.join(headings)} |", "|---" * len(headings) + "|"]
    for export in EXPORTS:
        cells = [export.description]
        for of_model in rates.values():
            rate = of_model[export.name]
            cells += [format_estimate(rate.difference, decimals=2), format_estimate(rate.states, percent=True)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table for the models that are named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.exports", description=__doc__)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--model", action="append", required=True, help="id of a model or a path; may be repeated")
    parser.add_argument("--sample", type=int, default=200, help="images of validation patients, drawn at random")
    parser.add_argument("--logits", type=Path, help="folder to write the logits to; those that lie there are used")
    options = parser.parse_args(arguments)
    rows = read_table(options.table, options.images)
    rows = rows.select(read_split().subset_of(rows.patients) == "validation")
    drawn = sample_images(rows, options.sample)
    rates, above = {}, {}
    for model in options.model:
        folder = open_model(model)
        preparation, name = folder.card.input.preparation(), f"version {folder.card.version}"
        variants = {name: preparation}
        if preparation.exposure != "none":
            variants = {f"{name}, exposure as displayed": preparation.without_exposure(), name: preparation}
        for variant, prepared in variants.items():
            logits = _stored_logits(options.logits, variant, lambda m=folder, p=prepared: _read(drawn, m, p))
            rates[variant] = export_rates(folder.card, logits, drawn.patients)
            above[variant] = flagged(folder.card, logits)
    patients = len(np.unique(drawn.patients))
    print(f"{len(drawn)} images of {patients} validation patients, drawn at random from {len(rows):,}\n")
    print(markdown(rates))
    print("\nImages with any evaluated label above, as they are and under each export:")
    for variant, (as_it_is, *changed) in above.items():
        print(f"{variant}: {as_it_is:.1%}; {', '.join(f'{rate:.1%}' for rate in changed)}")
    return 0


def _read(images: ImageTable, folder: ModelFolder, preparation: Preparation) -> NDArray[np.float32]:
    def report(done: int) -> None:
        print(f"\r{folder.card.id}: {done} of {len(images)} images", end="", file=sys.stderr, flush=True)

    return logits_under_exports(images, open_engine(folder, "openvino"), preparation, report)


def _stored_logits(folder: Path | None, name: str, read: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
    path = None if folder is None else folder / f"{name.replace(', ', '-').replace(' ', '-')}.npy"
    if path is not None and path.exists():
        return np.asarray(np.load(path))
    logits = read()
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, logits)
    return logits


if __name__ == "__main__":
    sys.exit(main())
