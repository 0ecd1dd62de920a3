"""Answers to the items of a reporting checklist that a model card and its runs hold: data, outcome, model.

Each function takes the :class:`.Evidence` and returns an :class:`Answer`, or None where nothing is recorded; the
checklist then gives the reason. :data:`ANSWERS` of :mod:`.reporting_results` names them all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from ..imaging import describe_exposure
from ..labels import display_name
from ..model.formatting import describe_calibration, describe_scale
from ..model.training_record import AGE_EDGES, WHOLE, PartSummary
from .reporting_evidence import Evidence

__all__ = ["Answer", "unique"]


@dataclass(frozen=True)
class Answer:
    """What is recorded for an item.

    Attributes:
        text: the answer.
        source: where it is recorded: a field of the card, a run, a document of the program.
        lacking: what the item asks besides and nothing records; empty where it is answered in full.
    """

    text: str
    source: str
    lacking: str = ""


def technique(e: Evidence) -> Answer:
    card = e.card
    kind = f"deep learning ({card.architecture.name}), {len(card.labels)} labels of a chest radiograph"
    return Answer(f"{card.title}, version {card.version}: {kind}", "card: title, architecture, labels")


def title(e: Evidence) -> Answer:
    return replace(technique(e), lacking="target population")


def context(e: Evidence) -> Answer:
    text = f"Diagnosis: findings on a chest radiograph. Works cited: {len(e.card.citations)}, see availability of data"
    return Answer(text, "card: citations", "the rationale")


def intended_use(e: Evidence) -> Answer:
    text = "A second look at frontal chest radiographs by a radiologist, for research; never a replacement of one. "
    text += f"Not looked for: {'; '.join(e.card.not_looked_for) or 'not stated'}"
    return Answer(text, "program: notice, README; card: not_looked_for")


def goal(e: Evidence) -> Answer:
    origin = e.card.imported
    made = "Development of a model" if origin is None else f"Use of weights imported from {origin.source}"
    evaluations = f"{len(e.whole)} evaluation{'s' * (len(e.whole) != 1)}, on {len({m.data for m in e.whole})} data sets"
    return Answer(f"{made}; {evaluations}", "card: training, metrics; runs")


def objectives(e: Evidence) -> Answer:
    return replace(goal(e), lacking="hypotheses")


def data_sources(e: Evidence) -> Answer | None:
    training, evaluation = e.card.training.datasets, unique(m.data for m in e.whole)
    if not training and not evaluation:
        return None
    text = f"Development: {'; '.join(training) or 'not stated'}. Evaluation: {'; '.join(evaluation) or 'none'}"
    return Answer(text, "card: training.datasets, metrics; runs", "how representative they are")


def setting(e: Evidence) -> Answer | None:
    return _stated(e, r"\b(hospital|institution|centre|center|country)s?\b", "place, number of centres where not named")


def eligibility(e: Evidence) -> Answer | None:
    return _stated(e, r"\b(only|adults?|child|lateral|frontal)\b", "how patients came to be imaged")


def treatments(e: Evidence) -> Answer | None:
    return _stated(e, r"\b(drains?|tubes?|treated|treatments?|surgery|surgical)\b", "treatments in general")


def subsets(e: Evidence) -> Answer | None:
    parts = _parts(e)
    if not parts:
        return None
    views = "; ".join(f"{name}: {_shares(part.views, part.images)}" for name, part in parts.items())
    return Answer(f"Whole images. By View Position: {views}", "card: training.summary", "how images were selected")


def deidentification(e: Evidence) -> Answer | None:
    if not e.runs:
        return None
    names = ["image names kept" if run.record.image_names_kept else "image names as keyed digests" for run in e.runs]
    text = f"Runs hold scores and no pixels; {', '.join(unique(names))}"
    return Answer(text, "runs; docs/security.md", "how the source data were de-identified")


def acquisition(e: Evidence) -> Answer | None:
    parts = {name: part for name, part in _parts(e).items() if set(part.views) - {""}}
    if not parts:
        return None
    views = "; ".join(f"{name}: {_shares(part.views, part.images)}" for name, part in parts.items())
    return Answer(f"View Position: {views}", "card: training.summary", "devices and technique")


def preparation(e: Evidence) -> Answer:
    i = e.card.input
    text = (
        f"One image of {i.size} x {i.size} pixels, {i.fit}, detail of {i.detail or i.size} pixels a side; "
        f"{i.resampling} resampling; {i.scaling}; {describe_exposure(i.exposure)}. The same for every patient. The "
        "gate refuses what is no upright frontal chest radiograph, and warns of poor images"
    )
    return Answer(text, "card: input; docs/pixels.md, docs/conformance.md")


def data_preparation(e: Evidence) -> Answer:
    return replace(preparation(e), lacking="quality control of the training data")


def predictors(e: Evidence) -> Answer:
    return Answer("The pixels of one image; no age, sex, history or prior enters the model", "card: input")


def outcome(e: Evidence) -> Answer:
    labels = ", ".join(map(display_name, e.card.labels))
    calibration = e.card.calibration
    references = unique([m.reference for m in e.whole] + ([calibration.reference] if calibration else []))
    text = f"{labels}; present on the image or not. Reference standard: {'; '.join(references) or 'not stated'}"
    return Answer(text, "card: labels, metrics; runs", "definition of each label, annotation tool")


def readers(e: Evidence) -> Answer | None:
    names = unique(point.reader for points in e.card.readers.values() for point in points)
    if not names:
        return None
    return Answer(f"{len(names)} readers: {', '.join(names)}", "card: readers", "qualifications, demographics")


def missing_data(e: Evidence) -> Answer | None:
    parts = _parts(e)
    if not parts:
        return None
    texts = (
        f"{name}: age unknown on {part.ages.unknown + part.ages.beyond:,}, sex on {part.sexes.get('', 0):,}, "
        f"view on {part.views.get('', 0):,} of {part.images:,} images"
        for name, part in parts.items()
    )
    text = f"{'; '.join(texts)}. Nothing is imputed: an image of unknown label does not enter that label's results"
    return Answer(text, "card: training.summary; docs/evaluation.md", "reasons for missing entries")


def partition(e: Evidence) -> Answer | None:
    training = e.card.training
    if training.split is None:
        return None
    text = f"By patient, {training.split} (SHA-256 {(training.split_sha256 or 'not stated')[:12]}): "
    text += _cases("training", training.images, training.patients)
    if training.validation_images is not None:
        text += "; " + _cases("validation", training.validation_images, training.validation_patients)
    return Answer(text, "card: training.split", "reason for the proportions")


def disjointness(e: Evidence) -> Answer | None:
    summary = e.card.training.summary
    if summary is None or not summary.shared:
        return None
    text = "By patient. Patients in both: "
    text += "; ".join(f"{pair.one} and {pair.other} {pair.patients:,}" for pair in summary.shared)
    duplicates = e.card.training.near_duplicates
    text += f". Near-duplicate images: {duplicates}" if duplicates else ""
    return Answer(text, "card: training.summary.shared", "" if duplicates else "near-duplicate images")


def modelling(e: Evidence) -> Answer | None:
    recipe = training(e)
    if recipe is None:
        return None
    text = f"{architecture(e).text}. Starting weights: {e.card.architecture.initialisation}. {recipe.text}"
    return Answer(text, "card: architecture, training", "" if selection(e) else "tuning, choice of the final model")


def architecture(e: Evidence) -> Answer:
    a = e.card.architecture
    text = f"{a.name}; {a.parameters:,} parameters; input {e.card.input.size} x {e.card.input.size}, one channel; "
    text += f"last feature map {a.features_layer}, head {a.head}, one logit a label"
    return Answer(text, "card: architecture, input; model.keras")


def initialisation(e: Evidence) -> Answer:
    a = e.card.architecture
    start = {True: ", transfer-learned", False: ", not transfer-learned", None: ""}[a.transfer_learned]
    return Answer(f"{a.initialisation}{start}", "card: architecture")


def training(e: Evidence) -> Answer | None:
    t = e.card.training
    if t.stages is None:
        return None
    flip = {True: "with flip", False: "without flip", None: "flip not stated"}[t.horizontal_flip]
    text = (
        f"Stages (pixels x epochs): {t.stages.replace(',', ', ')}. Augmentation: {t.augmentation or 'not stated'}; "
        f"{flip}. Loss: {t.loss or 'not stated'}. Seed: {'not stated' if t.seed is None else t.seed}. {t.precision}. "
        f"Moving average of weights: {t.average or 'none'}"
    )
    return Answer(text, "card: training", "" if t.history else "course of the loss")


def selection(e: Evidence) -> Answer | None:
    ends = e.card.training.stage_ends
    if not ends:
        return None
    kept = "; ".join(f"stage {s.stage}: step {s.kept_step} (mean AUC {s.validation_auc:.3f})" for s in ends)
    return Answer(f"Weights with the best mean validation AUC: {kept}", "card: training.stage_ends")


def imbalance(e: Evidence) -> Answer | None:
    if e.card.training.loss is None:
        return None
    text = f"Loss: {e.card.training.loss}. Afterwards: {describe_calibration(e.card)}"
    return Answer(text, "card: training.loss, training.balance, calibration")


def output(e: Evidence) -> Answer:
    text = describe_scale(e.card, None)
    points = "; ".join(f"{name}: {p.rule}, set on {p.images}" for name, p in e.card.operating_points.items())
    return Answer(f"{text} Operating points: {points or 'none'}", "card: calibration, operating_points")


def characteristics(e: Evidence) -> Answer | None:
    parts = _parts(e)
    if not parts:
        return None
    text = "; ".join(
        f"{_cases(name, part.images, part.patients)}, {_age(part)}, sex {_shares(part.sexes, part.images)}, view "
        f"{_shares(part.views, part.images)}, {part.without_findings:,} images without findings"
        for name, part in parts.items()
    )
    return Answer(text, "card: training.summary", "clinical data, dates")


def flow(e: Evidence) -> Answer | None:
    parts = _parts(e)
    if parts:
        text = "; ".join(
            f"{_cases(name, part.images, part.patients)}, {part.images - part.without_findings:,} images with a finding"
            for name, part in parts.items()
        )
    elif e.card.training.images is not None:
        text = _cases("training", e.card.training.images, e.card.training.patients)
    else:
        return None
    return Answer(text, "card: training", "numbers excluded")


def counts(e: Evidence) -> Answer | None:
    if not e.card.counts:
        return None
    texts = []
    for label in e.card.labels:
        numbers = (
            f"{part} {of[label].positive_images:,} / {of[label].positive_patients:,}"
            for part, of in e.card.counts.items()
            if label in of
        )
        texts.append(f"{display_name(label)}: {', '.join(numbers)}")
    return Answer(f"Positive images / patients. {'; '.join(texts)}", "card: counts")


def unique(texts: Iterable[str]) -> list[str]:
    """Return texts without repetitions, in order."""
    return list(dict.fromkeys(texts))


def _stated(e: Evidence, pattern: str, lacking: str) -> Answer | None:
    statements = e.statements(pattern)
    return Answer(" ".join(statements), "card: limits, caveats", lacking) if statements else None


def _parts(e: Evidence) -> dict[str, PartSummary]:
    summary = e.card.training.summary
    return {} if summary is None else {"all images" if n == WHOLE else n: p for n, p in summary.parts.items()}


def _cases(name: str, images: int | None, patients: int | None) -> str:
    numbers = ["number not stated" if n is None else f"{n:,}" for n in (images, patients)]
    return f"{name} {numbers[0]} images of {numbers[1]} patients"


def _shares(numbers: dict[str, int], images: int) -> str:
    if not images:
        return "no image"
    ordered = sorted(numbers.items(), key=lambda item: (item[0] == "", -item[1]))
    return ", ".join(f"{name or 'unknown'} {100 * number / images:.0f} %" for name, number in ordered)


def _age(part: PartSummary) -> str:
    """Return the age group that holds the median image, as ages are counted in groups."""
    total = np.cumsum(part.ages.images)
    if not len(total) or not total[-1]:
        return "age unknown"
    k = int(np.searchsorted(total, total[-1] / 2))
    return f"median age {AGE_EDGES[k]} to {AGE_EDGES[k + 1]} years"
