"""A model card in Markdown: what a model is for, what it was made from, and how good it was on a run's films.

Source of the headings: Mitchell et al., *Model Cards for Model Reporting*, FAT* 2019, doi 10.1145/3287560.3287596.
"""

from __future__ import annotations

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
    yield f"# {card.title if card else record.model_id}"
    yield f"\n> {NOTICE}\n"
    yield "## Model details\n"
    yield f"- Id: {record.model_id}; weights SHA-256 {record.model_sha256 or 'not known'}"
    if card is None:
        yield "- The model is not here: nothing is known of its training, its calibration or its limits."
        return
    training, architecture = card.training, card.architecture
    yield f"- Version {card.version}; {architecture.name}, {architecture.parameters:,} parameters"
    yield f"- Started from: {architecture.initialisation}"
    yield f"- Input: {card.input.size} x {card.input.size}, one channel; {card.input.scaling}; " + exposure_words(
        card.input.exposure
    )
    yield f"- Licence: {card.licence}"
    yield "\n## Intended use\n"
    yield "A second look at frontal chest radiographs by a radiologist, for research. Never a replacement of one."
    yield f"It does not look for: {'; '.join(card.not_looked_for)}."
    yield "\n## Training data\n"
    films = "films not stated" if training.films is None else f"{training.films:,} films"
    patients = "" if training.patients is None else f" of {training.patients:,} patients"
    yield f"{films}{patients}: {'; '.join(training.datasets) or 'data sets not stated'}."
    if training.split is not None:
        yield f"Split by patient, {training.split} (SHA-256 {(training.split_sha256 or '')[:12]})."
    yield f"\nCalibration: {calibration_words(card)}."
    for name, point in card.operating_points.items():
        yield f"- Operating point {name}: {point.rule}. {flagged_words(point)}"


def _evaluation(summary: RunSummary) -> Iterator[str]:
    record = summary.record
    yield "\n## Evaluation data\n"
    yield f"{record.films:,} films of {record.patients:,} patients ({', '.join(record.data)}, {record.part}); "
    yield f"reference: {summary.reference}; run {record.id} of {record.created[:10]}."
    for note in summary.notes:
        yield f"- Note: {note}."
    yield "\n## Quantitative analyses\n"
    yield "Intervals: 95 %, by patients.\n"
    yield "| label | AUC | sensitivity | specificity | positive patients | negative patients |"
    yield "|---|---|---|---|---|---|"
    for label, numbers in summary.labels.items():
        point = numbers.operating
        shares = (
            ("not evaluated",) * 2
            if point is None
            else (estimate_words(point.sensitivity), estimate_words(point.specificity))
        )
        auc = numbers.auc
        cells = (
            display_name(label),
            estimate_words(auc),
            *shares,
            f"{auc.positive_patients:,}",
            f"{auc.negative_patients:,}",
        )
        yield f"| {' | '.join(cells)} |"
    yield f"\nMean AUC of {len(summary.mean_auc.labels)} labels: {estimate_words(summary.mean_auc.macro)}."
    for group in summary.groups:
        yield f"- AUC of any finding, {group.characteristic} {group.group}: {estimate_words(group.auc)}"


def _limits(card: ModelCard | None) -> Iterator[str]:
    if card is None:
        return
    yield "\n## Caveats and limits\n"
    for limit in card.limits:
        yield f"- {limit}"
    for label, words in card.caveats.items():
        yield f"- {display_name(label)}: {words}"
    yield "\n## Sources\n"
    for citation in card.citations:
        yield f"- {citation}"
