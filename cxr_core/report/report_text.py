"""What a report is of, and its text: the paragraph for the clipboard, patient and study, the card in five lines.

:mod:`.pdf` prints it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from ..estimate import Estimate
from ..formatting import format_probability
from ..imaging import Radiograph
from ..labels import display_name
from ..model import Finding, ModelCard, Reading
from ..model.formatting import describe_calibration, describe_import, format_prevalence
from ..model.stability import UNSTABLE
from ..studies import NO_PATIENT, Patient, Study

if TYPE_CHECKING:
    # SQLAlchemy, which a report of no stored read does without
    from ..store.read_record import Opinion

__all__ = [
    "ReportImage",
    "Rows",
    "card_lines",
    "describe_model_kind",
    "describe_opinions",
    "patient_line",
    "patient_rows",
    "report_paragraph",
    "study_rows",
]

Rows = tuple[tuple[str, str], ...]
"""Names of attributes with their values."""


@dataclass(frozen=True)
class ReportImage:
    """One image of a report.

    Attributes:
        reading: of the image; one without findings gives a page with the reasons.
        radiograph: returns the image when its page is drawn, or None where it is no longer in memory.
        study: its study; None where the file is no DICOM.
        name: of the file, for the user.
        label: label whose map is printed; None for the highest-ranked finding that is above, if any.
        opinions: of the reader, in the order of time.
        read_at: when the model had read the image, with a time zone; None where the report is made with the reading.
    """

    reading: Reading
    radiograph: Callable[[], Radiograph | None] = field(repr=False)
    study: Study | None = field(default=None, repr=False)
    name: str = field(default="", repr=False)
    label: str | None = None
    opinions: tuple[Opinion, ...] = field(default=(), repr=False)
    read_at: datetime | None = None

    def mapped(self) -> Finding | None:
        """Return the finding whose map is printed, or None."""
        findings = self.reading.ranked()
        wanted = (f for f in findings if (f.label == self.label if self.label else f.state == "above"))
        return next(wanted, None)


def report_paragraph(reading: Reading, card: ModelCard, opinions: Sequence[Opinion] = ()) -> str:
    """Return a reading as one paragraph of a radiology report.

    It says what is above its operating point, what is not, what the reader stated, and that this excludes nothing. It
    never calls an image normal, and holds no patient data and no comment.

    Args:
        reading: a reading with findings; ValueError for one of a refused image.
        card: of its model.
        opinions: of the reader, in the order of time.
    """
    if not reading.findings:
        raise ValueError("the image was refused: there are no findings to report")
    ranked = reading.ranked()
    above = [finding for finding in ranked if finding.state == "above"]
    below = [display_name(finding.label) for finding in ranked if finding.state == "below"]
    unevaluated = [display_name(finding.label) for finding in ranked if finding.state == "not_evaluated"]
    unstable = [display_name(finding.label) for finding in ranked if reading.changes_of_state(finding.label)]
    sentences = [f"Automated second reading (research software): {_above(above)}"]
    if below:
        sentences.append(f"Below {'its' if len(below) == 1 else 'their'} operating point: {_listed(below)}.")
    if unevaluated:
        sentences.append(f"Not evaluated: {_listed(unevaluated)}.")
    if unstable:
        sentences.append(f"State {UNSTABLE}: {_listed(unstable)}.")
    stated = [(finding, describe_opinions(opinions, finding.label)) for finding in ranked]
    if lines := [f"{display_name(finding.label)}: {text}" for finding, text in stated if text]:
        sentences.append(f"Reader's opinion. {'; '.join(lines)}.")
    if reading.prevalence:
        sentences.append(f"Assumed prevalence: {format_prevalence(reading.prevalence)}.")
    if reading.quality.override:
        sentences.append("The image had been refused and was read on request.")
    if reading.quality.reasons:
        sentences.append(f"Warnings: {'; '.join(reason.rstrip('.') for reason in reading.quality.reasons)}.")
    sentences.append(
        f"Model {card.id} version {card.version}{', a demonstration model' if card.demonstration else ''}; operating "
        f"point {reading.operating_point}. This does not exclude other findings."
    )
    return " ".join(sentences)


def _above(findings: Sequence[Finding]) -> str:
    if not findings:
        return "no evaluated finding is above its operating point."
    verb = "are above their" if len(findings) > 1 else "is above its"
    return f"{_listed([_with_numbers(finding) for finding in findings])} {verb} operating point."


def _with_numbers(finding: Finding) -> str:
    kind, value = ("score", finding.score) if finding.probability is None else ("probability", finding.probability)
    threshold = "" if finding.threshold is None else f", threshold {format_probability(finding.threshold)}"
    return f"{display_name(finding.label)} ({kind} {format_probability(value)}{threshold})"


def describe_opinions(opinions: Sequence[Opinion], label: str) -> str:
    """Return the first opinion of a finding and the current one, each with its time (UTC); empty for none.

    The first one is as in :func:`.read_record.first_opinion`; where the findings were shown from the beginning, the
    earliest stands in its place, and the text says so.
    """
    given = [opinion for opinion in opinions if opinion.label == label]
    if not given:
        return ""
    # imports SQLAlchemy, which a report without opinions does without
    from ..store.read_record import first_and_current

    parts = []
    for opinion in first_and_current(given):
        when = "with the findings shown" if opinion.revealed else "before the findings were shown"
        parts.append(f"{opinion.opinion} ({opinion.created[:16].replace('T', ' ')} UTC, {when})")
    return ", now ".join(parts)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def patient_line(study: Study | None) -> str:
    """Return name and ID of the patient in one line, or that the file names none."""
    patient = None if study is None else study.patient
    return " · ".join(filter(None, (patient.name, patient.patient_id))) if patient else NO_PATIENT


def patient_rows(study: Study | None) -> Rows:
    """Return the patient as (name of the attribute, value); what the file does not state is left out."""
    patient = Patient() if study is None else study.patient
    rows = [("Patient", patient.name or ("no name in this file" if patient else NO_PATIENT))]
    if patient.birth_date:
        age = patient.age_text(None if study is None else study.study_date)
        birth = f"{patient.birth_date}" + (f" ({age} old at the study)" if age else "")
    else:
        birth = ""
    rows += [("Patient ID", patient.id_text), ("Date of birth", birth), ("Sex", patient.sex_text)]
    return tuple((name, value) for name, value in rows if value)


def study_rows(study: Study | None, name: str) -> Rows:
    """Return study and file as (name of the attribute, value); what is not stated is left out."""
    stated = Study(()) if study is None else study
    rows = (
        ("Study date", stated.when_text),
        ("Description", stated.description),
        ("Accession", stated.accession_number),
        ("File", name),
    )
    return tuple((name, value) for name, value in rows if value)


def describe_model_kind(card: ModelCard) -> str:
    """Return what the reader must know of a model before its findings; empty for one that was trained for reading."""
    if card.demonstration:
        return "Demonstration model: it shows that every part works and is no clinical model."
    if card.imported is None:
        return ""
    return f"Imported model{', not verified' if card.unverified else ''}. {describe_import(card)}"


def card_lines(card: ModelCard, engine: str) -> Rows:
    """Return a model's card in five lines, (heading, text) of each: what it is, training, numbers and limits."""
    training, source = card.training, "; ".join(card.training.datasets) or "data set not stated"
    images = "number of images not published"
    if training.images is not None and training.patients is not None:
        images = f"{training.images:,} images of {training.patients:,} patients"
    return (
        (
            "Model",
            f"{card.title}: {card.id}, version {card.version}; weights SHA-256 {card.weights_sha256[:16]}; "
            f"engine {engine}",
        ),
        ("Training", f"{images} ({source}); {card.architecture.name}, input {card.input.size} × {card.input.size}"),
        ("Calibration", describe_calibration(card)),
        ("Discrimination", _discrimination(card)),
        ("Limits", " ".join(card.limits) or "not stated"),
    )


def _discrimination(card: ModelCard) -> str:
    """Return the lowest and highest AUC of the first table of AUCs on the card."""
    for table in card.metrics:
        known: dict[str, Estimate] = {label: e for label, e in table.per_label.items() if e.value is not None}
        if table.metric != "AUC" or not known:
            continue
        ends = dict.fromkeys(choose(known, key=lambda label: known[label].value or 0.0) for choose in (min, max))
        stated = " to ".join(f"{known[label].value:.2f} ({display_name(label)})" for label in ends)
        number = "" if table.number_of_images is None else f"{table.number_of_images:,} "
        return f"AUC by label {stated}, on {number}{table.images} ({table.name}; {table.reference})"
    return "no AUC on the card"
