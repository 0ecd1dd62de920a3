"""A reading as a structured report for machines: each finding with its numbers, its state and the model.

Source: PS3.3 A.35.13 (Comprehensive 3D SR); PS3.16 TID 1500 (Measurement Report), 1501 (measurement group), 4019
(algorithm identification).
"""

from __future__ import annotations

from collections.abc import Iterator

from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    Comprehensive3DSR,
    DeviceObserverIdentifyingAttributes,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom.sr.codedict import codes

from ...labels import NOTICE, display_name
from ...model import Finding
from ...model.formatting import describe_scale, describe_states, format_prevalence
from ...model.stability import UNSTABLE, describe_changes
from ..report_text import describe_opinions
from .codes import (
    COMMENT,
    INTERVAL_HIGH,
    INTERVAL_LOW,
    MODEL_STATE,
    NO_UNITS,
    NOT_EVALUATED_BECAUSE,
    OPINIONS,
    PROBABILITY,
    PROCEDURE,
    READER_OPINION,
    SCORE,
    STATES,
    THRESHOLD,
    finding_code,
)
from .identification import MANUFACTURER, ResultSource

__all__ = ["structured_report"]

_LISTED = (
    "Every finding that the model evaluates or could evaluate is listed. A listed finding is not stated to be present: "
    "its state says whether it is at or above the operating point."
)


def structured_report(source: ResultSource) -> Comprehensive3DSR:
    """Return a reading as Comprehensive 3D SR, TID 1500, with one measurement group for each finding.

    The report is complete and preliminary: nobody has verified it.
    """
    reading = source.image.reading
    report = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=_observer(source)),
        procedure_reported=PROCEDURE,
        imaging_measurements=[_group(source, finding) for finding in reading.findings],
    )
    root, items = report[0], report[0].ContentSequence
    items.extend(_text(COMMENT, comment) for comment in _comments(source))
    # highdicom would copy all items twice, to offer them as objects and to look for images in them: half of the time
    root.ContentSequence = []
    result = Comprehensive3DSR(
        evidence=[source.original], content=root, is_complete=True, is_final=False, **source.attributes("sr")
    )
    result.ContentSequence = items
    return result


def _observer(source: ResultSource) -> ObserverContext:
    card = source.card
    device = DeviceObserverIdentifyingAttributes(
        uid=source.uid("device"),
        name=MANUFACTURER,
        manufacturer_name=MANUFACTURER,
        model_name=card.id,
        serial_number=card.weights_sha256,
    )
    return ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=device)


def _group(source: ResultSource, finding: Finding) -> MeasurementsAndQualitativeEvaluations:
    original, name = source.original, display_name(finding.label)
    state = [QualitativeEvaluation(MODEL_STATE, STATES[finding.state])]
    opinions = [one for one in source.image.opinions if one.label == finding.label]
    if opinions:
        state.append(QualitativeEvaluation(READER_OPINION, OPINIONS[opinions[-1].opinion]))
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(source.uid("finding", finding.label), identifier=name),
        finding_type=finding_code(finding.label),
        algorithm_id=_algorithm(source),
        measurements=[Measurement(name, value, NO_UNITS) for name, value in _numbers(finding)],
        qualitative_evaluations=state,
        source_images=[SourceImageForMeasurementGroup(original.SOPClassUID, original.SOPInstanceUID)],
    )
    texts = [_text(NOT_EVALUATED_BECAUSE, finding.reason)] if finding.reason else []
    if opinions:
        texts.append(_text(READER_OPINION, describe_opinions(opinions, finding.label)))
        if comment := opinions[-1].comment:
            texts.append(_text(COMMENT, f"Comment of the reader: {comment}"))
    if changes := source.image.reading.changes_of_state(finding.label):
        texts.append(_text(COMMENT, f"The state {UNSTABLE}: {describe_changes(changes)}"))
    group[0].ContentSequence.extend(texts)
    return group


def _numbers(finding: Finding) -> Iterator[tuple[CodedConcept, float]]:
    """Yield the score, and what there is of probability, interval and threshold, which are on one scale."""
    yield SCORE, finding.score
    if finding.probability is not None:
        yield PROBABILITY, finding.probability
    if finding.interval is not None:
        yield INTERVAL_LOW, finding.interval[0]
        yield INTERVAL_HIGH, finding.interval[1]
    if finding.threshold is not None:
        yield THRESHOLD, finding.threshold


def _algorithm(source: ResultSource) -> AlgorithmIdentification:
    card, reading = source.card, source.image.reading
    parameters = [
        f"weights SHA-256: {reading.model_sha256}",
        f"operating point: {reading.operating_point}",
        f"engine: {reading.engine}",
    ]
    if reading.prevalence:
        parameters.append(f"assumed prevalence: {format_prevalence(reading.prevalence)}")
    return AlgorithmIdentification(
        card.id,
        card.version,
        parameters=parameters,
        family=codes.cid7162.ArtificialIntelligence,
        manufacturer=MANUFACTURER,
    )


def _comments(source: ResultSource) -> Iterator[str]:
    card, reading = source.card, source.image.reading
    yield NOTICE
    yield describe_states(reading.ranked())
    yield _LISTED
    if card.demonstration:
        yield "Demonstration model: it shows that every part works and is no clinical model."
    yield describe_scale(card, reading.prevalence)
    yield f"Operating point {reading.operating_point}: {card.operating_point(reading.operating_point).rule}."
    if reading.quality.override:
        yield f"The image had been refused and was read on request: {reading.quality.override}"
    for reason in reading.quality.reasons:
        yield f"Warning: {reason}"
    if card.not_looked_for:
        yield f"Not looked for: {', '.join(card.not_looked_for)}."


def _text(name: CodedConcept, value: str) -> TextContentItem:
    return TextContentItem(name, value, relationship_type=RelationshipTypeValues.CONTAINS)
