"""Readers of a run beside the model, and its reference standards beside one another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..metrics import (
    Agreement,
    BootstrapOptions,
    LabelNoise,
    MultireaderAnalysis,
    ReaderDifferences,
    decisions_against_model,
    label_noise,
    majority_members,
    reader_agreement,
    reader_differences,
)
from ..store import Predictions
from .outcomes import ANY_FINDING, Outcome, outcomes, reader_outcomes

__all__ = ["ReaderNumbers", "has_readers", "label_noise_of", "reader_numbers", "readers_in_reference"]


@dataclass(frozen=True)
class ReaderNumbers:
    """Readers beside the model, for one label.

    Attributes:
        names: of the readers.
        differences: each reader minus the model at the reader's own point.
        analysis: of readers and model at its operating point; None without one.
        agreement: with the model at its operating point as one more reader.
    """

    names: tuple[str, ...]
    differences: ReaderDifferences
    analysis: MultireaderAnalysis | None
    agreement: Agreement


def reader_numbers(
    predictions: Predictions,
    by_label: Mapping[str, Outcome],
    decisions: Mapping[str, NDArray[np.bool_]],
    options: BootstrapOptions,
    map: Callable[[Callable[[str], ReaderNumbers], Iterable[str]], Iterator[ReaderNumbers]] = map,
) -> dict[str, ReaderNumbers]:
    """Return the numbers of every label; empty where fewer than three readers answered.

    Args:
        predictions: of the run.
        by_label: truth and scores of each label.
        decisions: whether the model is above at its operating point, on the images of the label's outcome; labels
            without an operating point are left out.
        options: of the intervals.
        map: as that of :class:`.run_data.RunData`.
    """
    answers, readers = reader_outcomes(predictions), predictions.readers
    if answers is None or readers is None or not has_readers(predictions):
        return {}
    columns = [*predictions.labels.tolist(), ANY_FINDING]
    names = tuple(readers.readers.tolist())

    def numbers(label: str) -> ReaderNumbers:
        outcome, model = by_label[label], decisions.get(label)
        own = answers[outcome.rows][:, :, columns.index(label)]
        return ReaderNumbers(
            names,
            reader_differences(own, outcome.scores, outcome.patients, options),
            None if model is None else decisions_against_model(own, model, outcome.patients, options),
            reader_agreement(own, outcome.patients, model, options),
        )

    return dict(zip(by_label, map(numbers, by_label), strict=True))


def has_readers(predictions: Predictions) -> bool:
    """Return whether so many readers answered that each can be held against the majority of the others."""
    return predictions.readers is not None and len(predictions.readers.readers) >= 3


def label_noise_of(
    predictions: Predictions, by_label: Mapping[str, Outcome], reference: str, options: BootstrapOptions
) -> dict[tuple[str, str], LabelNoise]:
    """Return every other reference standard held against one, on the images that both label.

    Args:
        predictions: of the run.
        by_label: truth and scores of each label by ``reference``.
        reference: name of the reference standard.
        options: of the intervals.

    Returns:
        By the other's name and the label; empty where the run has one reference standard.
    """
    noise = {}
    for name in predictions.references:
        if name == reference:
            continue
        labels, other, _, _ = outcomes(predictions, name)
        for label, outcome in by_label.items():
            column = other[outcome.rows, labels.index(label)]
            both = column >= 0
            if both.any():
                arrays = outcome.truth[both], column[both] == 1, outcome.scores[both], outcome.patients[both]
                noise[name, label] = label_noise(*arrays, options)
    return noise


def readers_in_reference(predictions: Predictions, reference: str) -> tuple[str, ...]:
    """Return the names of the readers whose majority a reference standard is; empty where there are none."""
    if predictions.readers is None:
        return ()
    members = majority_members(predictions.readers.answers, predictions.references[reference])
    return tuple(str(predictions.readers.readers[member]) for member in members)
