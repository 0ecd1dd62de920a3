"""How often small changes of an image change a state: images read again under each, and the rates for the card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..archive import ImagePipeline, InputFile, Refusal, default_workers
from ..datasets.splits import Split
from ..datasets.table import ImageTable
from ..imaging import SMALL_CHANGES
from ..metrics import BootstrapOptions, Proportion, patient_mean, patient_proportions
from ..metrics.bootstrap import DEFAULTS
from ..model import ModelCard, ModelInput, Predictor
from ..model.findings import make_findings
from ..model.stability import ChangeRates, Stability

__all__ = ["ChangedLogits", "logits_under_changes", "measure_stability", "sample_images"]

INTERVAL = (
    "95 %, by patients: percentiles of resamples of patients where 200 have the event and 200 do not, else Wilson's, "
    "clustered by patient"
)

FEW = 100
"""Below this number of images no worker processes are started: they would take longer to start."""


@dataclass(frozen=True, eq=False)
class ChangedLogits:
    """Logits of n images, as they are and under k small changes.

    Attributes:
        rows: (n,) int, rows of the table; an image that cannot be read, or that the gate refuses, is left out.
        logits: (1 + k, n, labels) float32; first the image as it is, then :data:`cxr_core.imaging.SMALL_CHANGES`.
    """

    rows: NDArray[np.intp]
    logits: NDArray[np.float32]


def sample_images(images: ImageTable, count: int, seed: int = 0) -> ImageTable:
    """Return ``count`` images drawn at random without replacement, in the table's order; all where there are fewer."""
    if count >= len(images):
        return images
    return images.select(np.sort(np.random.default_rng(seed).choice(len(images), count, replace=False)))


def logits_under_changes(
    predictor: Predictor, images: ImageTable, report: Callable[[int], None] = lambda done: None
) -> ChangedLogits:
    """Read every image as it is and under each small change.

    Args:
        predictor: the model.
        images: with the files.
        report: called with the number of images that are done.
    """
    files = [(row, InputFile(path, path)) for row, path in enumerate(images.paths)]
    rows, logits = [], []
    workers = 0 if len(files) < FEW else default_workers()
    with ImagePipeline(predictor, workers=workers, other_windows=False, small_changes=True) as pipeline:
        for done, (row, answer) in enumerate(pipeline.run(files, _logits), start=1):
            if not isinstance(answer, Refusal) and answer is not None:
                rows.append(row)
                logits.append(answer)
            report(done)
    order = np.argsort(rows)
    empty = np.zeros((0, 1 + len(SMALL_CHANGES), len(predictor.card.labels)), dtype=np.float32)
    stacked = np.stack(logits)[order] if logits else empty
    return ChangedLogits(np.array(rows, dtype=np.intp)[order], np.moveaxis(stacked, 1, 0))


def _logits(image: ModelInput, predictor: Predictor) -> NDArray[np.float32] | None:
    """Return (1 + changes, labels); None for an image that the gate refuses."""
    if image.pixels is None:
        return None
    inputs = (image.pixels, *(changed.pixels for changed in image.small_changes))
    return np.stack([predictor.engine.infer(pixels[None]).logits[0] for pixels in inputs])


def measure_stability(
    card: ModelCard,
    images: ImageTable,
    scored: ChangedLogits,
    *,
    description: str,
    sampling: str,
    split: Split | None = None,
    operating_point: str = "default",
    options: BootstrapOptions = DEFAULTS,
) -> Stability:
    """Return the rates at which states change at an operating point.

    Args:
        card: of the model that scored; its thresholds and curves make the states.
        images: the table that was scored.
        scored: by :func:`logits_under_changes`; of at least one image.
        description: of the images, as the card states it.
        sampling: how they were sampled, likewise.
        split: of the patients; None where every image of a table was used.
        operating_point: name of one of the card's.
        options: of the intervals.
    """
    read = images.select(scored.rows)
    point = card.operating_point(operating_point)
    states = np.array(
        [[[f.state for f in make_findings(card, logits, point)] for logits in variant] for variant in scored.logits]
    )
    evaluated = [label for c, label in enumerate(card.labels) if (states[0, :, c] != "not_evaluated").any()]
    columns = [card.labels.index(label) for label in evaluated]
    changed: NDArray[np.bool_] = (states[1:] != states[0])[:, :, columns]
    changes = [change.name for change in SMALL_CHANGES]
    # together first, then each change; of each any label first, then each label
    events = [changed.any(axis=0), *changed]
    proportions = [Proportion(event) for by in events for event in (by.any(axis=1), *by.T)]
    estimates = iter(patient_proportions(proportions, read.patients, options))
    rates = [ChangeRates(next(estimates), {label: next(estimates) for label in evaluated}) for _ in events]
    differences = scored.logits[1:].astype(np.float64) - scored.logits[0]
    per_change = {
        name: ChangeRates(
            by.any_label,
            by.per_label,
            patient_mean(np.abs(difference).mean(axis=1), read.patients, options),
            patient_mean(difference.mean(axis=1), read.patients, options),
        )
        for name, by, difference in zip(changes, rates[1:], differences, strict=True)
    }
    thresholds = {label: point.thresholds[label].value for label in evaluated}
    return Stability(
        weights_sha256=card.weights_sha256,
        operating_point=operating_point,
        thresholds={label: value for label, value in thresholds.items() if value is not None},
        images=description,
        sampling=sampling,
        sources=tuple(sorted(set(read.sources.tolist()))),
        split=split.name if split else "",
        split_sha256=split.sha256 if split else "",
        number_of_images=len(read),
        number_of_patients=len(np.unique(read.patients)),
        left_out=len(images) - len(read),
        interval=INTERVAL,
        per_change=per_change,
        together=rates[0],
    )
