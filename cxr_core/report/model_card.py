"""A model card in Markdown: intended use, training data, and the results of an evaluation run.

Source of the headings: Mitchell et al., *Model Cards for Model Reporting*, FAT* 2019, doi 10.1145/3287560.3287596.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..evaluation import RunSummary
from ..evaluation.catalogue import CATALOGUE, Column
from ..imaging import describe_exposure
from ..labels import NOTICE, display_name
from ..model import ModelCard
from ..model.formatting import describe_calibration
from ..model.localisation import describe_maps
from ..model.rate_formatting import (
    describe_group_rates,
    describe_measured_images,
    describe_measured_rates,
    describe_operating_point,
)
from ..model.stability import describe_stability

__all__ = ["model_card_markdown", "plain"]


def model_card_markdown(card: ModelCard | None, summary: RunSummary) -> str:
    """Return the card.

    Args:
        card: of the run's model; None where it is not installed, which the text then states.
        summary: metrics of the run.
    """
    return "\n".join([*_model(card, summary), *_evaluation(summary), *_limits(card), ""])


def _model(card: ModelCard | None, summary: RunSummary) -> Iterator[str]:
    record = summary.record
    yield f"# {plain(card.title if card else record.model)}"
    yield f"\n> {NOTICE}\n"
    yield "## Model details\n"
    yield f"- Id: {plain(record.model_id)}; weights SHA-256 {plain(record.model_sha256 or 'not known')}"
    if card is None:
        if record.model_version:
            yield f"- Version {plain(record.model_version)}"
        yield "- The model is not installed: its training, calibration and limits are unknown."
        return
    training, architecture = card.training, card.architecture
    yield f"- Version {plain(card.version)}; {plain(architecture.name)}, {architecture.parameters:,} parameters"
    yield f"- Started from: {plain(architecture.initialisation)}"
    channels = "three equal channels" if "three channels" in card.input.scaling else "one channel"
    yield (
        f"- Input: {card.input.size} x {card.input.size}, {channels}; {plain(card.input.scaling)}; "
        f"resampling: {plain(card.input.resampling)}; " + describe_exposure(card.input.exposure)
    )
    yield f"- Licence: {plain(card.licence)}"
    yield "\n## Intended use\n"
    yield "A second opinion on frontal chest radiographs, for research. It never replaces a radiologist."
    yield f"It does not look for: {plain('; '.join(card.not_looked_for))}."
    yield "\n## Training data\n"
    images = "images not stated" if training.images is None else f"{training.images:,} images"
    patients = "" if training.patients is None else f" of {training.patients:,} patients"
    yield f"{images}{patients}: {plain('; '.join(training.datasets) or 'data sets not stated')}."
    if training.split is not None:
        yield f"Split by patient, {plain(training.split)} (SHA-256 {(training.split_sha256 or '')[:12]})."
    yield f"\nCalibration: {plain(describe_calibration(card))}."
    for name, point in card.operating_points.items():
        yield f"- Operating point {plain(name)}: {plain(point.rule)}. {plain(describe_operating_point(point))}"
        for line in describe_group_rates(point):
            yield f"  {plain(line)}."
    for rates in card.flag_rates:
        yield f"- {plain(describe_measured_images(rates))}: {plain('; '.join(describe_measured_rates(rates)))}."
    yield f"\nStability: {plain(describe_stability(card.stability))}"
    if maps := describe_maps(card.localisation, card.labels):
        yield f"\nHeat maps: {plain(maps)}"


def _evaluation(summary: RunSummary) -> Iterator[str]:
    record = summary.record
    yield "\n## Evaluation data\n"
    data = plain(", ".join((*record.data, record.part)))
    yield f"{record.images:,} images of {record.patients:,} patients ({data}); "
    yield f"reference standard: {plain(summary.reference)}; run {plain(record.id)} of {plain(record.created[:10])}."
    for note in summary.notes:
        yield f"- Note: {plain(note)}."
    yield "\n## Quantitative analyses\n"
    yield "Intervals: 95 % CI (patient bootstrap, or clustered by patient where cases are few).\n"
    per_label = [entry for entry in CATALOGUE if entry.per_label]
    values = {metric: summary.by_label(metric) for entry in per_label for metric in entry.columns}
    columns: dict[str, Column] = {}
    names: list[str] = []
    for entry in per_label:
        # a run that is not in-sample has no cross-validated numbers
        shown = {metric: column for metric, column in entry.columns.items() if column.card}
        if shown and (not entry.cross_validated or any(values[metric] for metric in shown)):
            columns |= shown
            names += [", ".join(filter(None, (column.heading, summary.basis(entry)))) for column in shown.values()]
    headings = ["label", *names, "positive patients", "negative patients"]
    yield f"| {' | '.join(headings)} |"
    yield "|---" * len(headings) + "|"
    for label, auc in summary.auc.items():
        numbers = (
            plain(column.format(values[metric][label])) if label in values[metric] else "not evaluated"
            for metric, column in columns.items()
        )
        patients = f"{auc.positive_patients:,} | {auc.negative_patients:,}"
        yield f"| {' | '.join([plain(display_name(label)), *numbers, patients])} |"
    for entry in CATALOGUE:
        for number in summary.of(entry):
            column = entry.columns[number.metric]
            if column.card and (number.group or not number.label):
                name = number.group or column.heading
                yield f"- {plain(summary.title(entry))}, {plain(name)}: {plain(column.format(number.estimate))}"


def _limits(card: ModelCard | None) -> Iterator[str]:
    if card is None:
        return
    yield "\n## Caveats and limits\n"
    for limit in card.limits:
        yield f"- {plain(limit)}"
    for label, caveat in card.caveats.items():
        yield f"- {plain(display_name(label))}: {plain(caveat)}"
    yield "\n## Sources\n"
    for citation in card.citations:
        yield f"- {plain(citation)}"


def plain(text: str) -> str:
    """Return a text that Markdown shows unchanged, in one line: escape links, images, cells, formulas, lists, HTML."""
    text = re.sub(r"([\\`*_\[\]<>|~$&!]|^[#+-])", r"\\\1", " ".join(text.split()))
    return re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", text)
