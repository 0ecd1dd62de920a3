"""A model card in Markdown: what a model is for, what it was made from, and how good it was on a run's images.

Source of the headings: Mitchell et al., *Model Cards for Model Reporting*, FAT* 2019, doi 10.1145/3287560.3287596.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..evaluation import RunSummary
from ..evaluation.words import estimate_words
from ..imaging import exposure_words
from ..labels import NOTICE, display_name
from ..model import ModelCard
from ..model.words import calibration_words, flagged_words

__all__ = ["model_card_markdown"]


def model_card_markdown(card: ModelCard | None, summary: RunSummary) -> str:
    """Return the card.

    Args:
        card: of the model that made the run; None where it is not here, which the text then says.
        summary: numbers of the run.
    """
    return "\n".join([*_model(card, summary), *_evaluation(summary), *_limits(card), ""])


def _model(card: ModelCard | None, summary: RunSummary) -> Iterator[str]:
    record = summary.record
    yield f"# {_plain(card.title if card else record.model_id)}"
    yield f"\n> {NOTICE}\n"
    yield "## Model details\n"
    yield f"- Id: {_plain(record.model_id)}; weights SHA-256 {_plain(record.model_sha256 or 'not known')}"
    if card is None:
        yield "- The model is not here: nothing is known of its training, its calibration or its limits."
        return
    training, architecture = card.training, card.architecture
    yield f"- Version {_plain(card.version)}; {_plain(architecture.name)}, {architecture.parameters:,} parameters"
    yield f"- Started from: {_plain(architecture.initialisation)}"
    channels = "three equal channels" if "three channels" in card.input.scaling else "one channel"
    yield (
        f"- Input: {card.input.size} x {card.input.size}, {channels}; {_plain(card.input.scaling)}; "
        f"resampling: {_plain(card.input.resampling)}; " + exposure_words(card.input.exposure)
    )
    yield f"- Licence: {_plain(card.licence)}"
    yield "\n## Intended use\n"
    yield "A second look at frontal chest radiographs by a radiologist, for research. Never a replacement of one."
    yield f"It does not look for: {_plain('; '.join(card.not_looked_for))}."
    yield "\n## Training data\n"
    films = "images not stated" if training.films is None else f"{training.films:,} images"
    patients = "" if training.patients is None else f" of {training.patients:,} patients"
    yield f"{films}{patients}: {_plain('; '.join(training.datasets) or 'data sets not stated')}."
    if training.split is not None:
        yield f"Split by patient, {_plain(training.split)} (SHA-256 {(training.split_sha256 or '')[:12]})."
    yield f"\nCalibration: {_plain(calibration_words(card))}."
    for name, point in card.operating_points.items():
        yield f"- Operating point {_plain(name)}: {_plain(point.rule)}. {_plain(flagged_words(point))}"


def _evaluation(summary: RunSummary) -> Iterator[str]:
    record = summary.record
    yield "\n## Evaluation data\n"
    data = _plain(", ".join((*record.data, record.part)))
    yield f"{record.films:,} images of {record.patients:,} patients ({data}); "
    yield f"reference: {_plain(summary.reference)}; run {_plain(record.id)} of {_plain(record.created[:10])}."
    for note in summary.notes:
        yield f"- Note: {_plain(note)}."
    yield "\n## Quantitative analyses\n"
    yield "Intervals: 95 %, by patients.\n"
    yield "| label | AUC | sensitivity | specificity | positive patients | negative patients |"
    yield "|---|---|---|---|---|---|"
    for label, numbers in summary.labels.items():
        point = numbers.operating
        shares = (
            ("not evaluated",) * 2
            if point is None
            else (_plain(estimate_words(point.sensitivity)), _plain(estimate_words(point.specificity)))
        )
        auc = numbers.auc
        cells = (
            _plain(display_name(label)),
            _plain(estimate_words(auc)),
            *shares,
            f"{auc.positive_patients:,}",
            f"{auc.negative_patients:,}",
        )
        yield f"| {' | '.join(cells)} |"
    yield f"\nMean AUC of {len(summary.mean_auc.labels)} labels: {_plain(estimate_words(summary.mean_auc.macro))}."
    for group in summary.groups:
        characteristic = _plain(f"{group.characteristic} {group.group}")
        yield f"- AUC of any finding, {characteristic}: {_plain(estimate_words(group.auc))}"


def _limits(card: ModelCard | None) -> Iterator[str]:
    if card is None:
        return
    yield "\n## Caveats and limits\n"
    for limit in card.limits:
        yield f"- {_plain(limit)}"
    for label, words in card.caveats.items():
        yield f"- {_plain(display_name(label))}: {_plain(words)}"
    yield "\n## Sources\n"
    for citation in card.citations:
        yield f"- {_plain(citation)}"


def _plain(text: str) -> str:
    """Return a text that Markdown shows as it is, in one line: no link, picture, cell, formula, list, HTML."""
    text = re.sub(r"([\\`*_\[\]<>|~$&!]|^[#+-])", r"\\\1", " ".join(text.split()))
    return re.sub(r"^(\d+)([.)])", r"\1\\\2", text)
