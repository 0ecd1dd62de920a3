"""Answers to the items of a reporting checklist that a model card and its runs hold: results, use and availability.

As :mod:`.reporting_answers`; :data:`ANSWERS` names the functions of both, as the checklists do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..estimate import Estimate
from ..evaluation.catalogue import entries
from ..formatting import format_estimate
from ..labels import display_name
from ..model.formatting import describe_calibration
from ..model.rate_formatting import describe_operating_point
from ..model.stability import describe_stability
from . import reporting_answers as data
from .reporting_answers import Answer, unique
from .reporting_evidence import Evidence, Measured

__all__ = ["ANSWERS"]


def sample_size(e: Evidence) -> Answer | None:
    if not any(auc.counts for m in e.measured for auc in m.auc.values()):
        return None
    text = "What intervals the counts allow, and what a half-width of 0.05 needs: table below, per label"
    return Answer(text, "card: metrics; runs", "a calculation before the data were collected")


def measures(e: Evidence) -> Answer | None:
    names = unique(table.metric for table in e.card.metrics)
    names += [entry.title for entry in entries("export")] if e.runs else []
    if not names:
        return None
    point = e.point
    names += ["sensitivity and specificity at operating points"] if point and _rates(e, "sensitivity") else []
    names += ["calibration slope and intercept, Brier score"] if e.card.calibration else []
    return Answer("; ".join(unique(names)), "card: metrics, calibration; runs; docs/evaluation.md")


def uncertainty(e: Evidence) -> Answer | None:
    with_interval = [m for m in e.measured if any(auc.low is not None for auc in m.auc.values())]
    if not with_interval:
        return None
    how = "; ".join(unique(m.interval for m in with_interval))
    return Answer(f"Intervals: {how}. Comparison of models: paired, Holm's correction", "card: metrics; runs")


def clusters(e: Evidence) -> Answer | None:
    if len({m.data for m in e.whole}) < 2:
        return None
    return Answer(_areas(e.whole), "card: metrics; runs", "hospitals as such: data sets stand in for them")


def groups(e: Evidence) -> Answer | None:
    by_group = _by_group(e)
    return Answer(by_group, "card: metrics; runs", "a method for fairness") if by_group else None


def robustness(e: Evidence) -> Answer | None:
    familiarity, groups = e.card.familiarity, sorted(_characteristics(e))
    texts = [f"Performance by {', '.join(groups)}: tables below"] if groups else []
    if familiarity is not None:
        texts.append(f"Images unlike the training images get a warning ({familiarity.rule})")
    if e.card.stability is not None:
        texts.append(f"Small changes of the image: {describe_stability(e.card.stability)}")
    missing = "" if e.card.stability is not None else "changes of the image"
    return Answer(". ".join(texts), "card: metrics, familiarity, stability; runs", missing) if texts else None


def comparison(e: Evidence) -> Answer | None:
    trained = e.card.training.datasets
    if not trained or not e.whole:
        return None
    text = f"Development on {'; '.join(trained)}; evaluation on " + "; ".join(f"{m.title}, {m.images}" for m in e.whole)
    return Answer(text, "card: training, metrics; runs", "setting and eligibility of each")


def internal_test(e: Evidence) -> Answer | None:
    inside = [m for m in e.whole if e.shares_source(m.data)]
    return Answer(_areas(inside), "card: metrics; runs") if inside else None


def external_test(e: Evidence) -> Answer | None:
    # without the names of the training data nothing is known to lie outside them
    outside = [m for m in e.whole if e.card.training.datasets and not e.shares_source(m.data)]
    return Answer(_areas(outside), "card: metrics; runs", "prospective data") if outside else None


def design(e: Evidence) -> Answer | None:
    return Answer("Retrospective: images that were stored before", "card: metrics; runs") if e.whole else None


def calibration(e: Evidence) -> Answer | None:
    return None if e.card.calibration is None else Answer(describe_calibration(e.card), "card: calibration")


def calibration_results(e: Evidence) -> Answer | None:
    if e.card.calibration is None:
        return None
    curves = e.card.calibration.per_label.items()
    slopes = {label: curve.held_out.slope for label, curve in curves if curve.held_out is not None}
    text = f"Calibration slope on held-out patients: {_per_label(slopes)}" if slopes else "No label has a curve"
    return Answer(text, "card: calibration.per_label", "by group and setting")


def performance(e: Evidence) -> Answer | None:
    if not e.whole:
        return None
    by_group = _by_group(e)
    text = f"{_areas(e.whole)}. {by_group or 'Not by group'}. With intervals per label: tables below"
    missing = [name for name in ("view", "sex", "age") if name not in _characteristics(e)]
    return Answer(text, "card: metrics; runs", f"by {', '.join(missing)}" if missing else "")


def accuracy(e: Evidence) -> Answer | None:
    sensitivity, specificity = _rates(e, "sensitivity"), _rates(e, "specificity")
    point = e.point
    if point is None or not sensitivity:
        return None
    text = (
        f"Operating point {point.name}, {point.images}: sensitivity {_per_label(sensitivity)}. "
        f"Specificity {_per_label(specificity)}. {describe_operating_point(point)}"
    )
    return Answer(text, f"card: operating_points.{point.name}", "" if point.held_out else "held-out patients")


def failures(e: Evidence) -> Answer | None:
    if not e.runs:
        return None
    text = "The page Failures lists a run's images with the largest errors, per label; Evaluation has the four counts"
    return Answer(text, f"runs: {', '.join(unique(run.record.id for run in e.runs))}", "their discussion")


def reader_variability(e: Evidence) -> Answer | None:
    if not e.card.readers:
        return None
    sensitivity = [p.sensitivity.value for points in e.card.readers.values() for p in points]
    specificity = [p.specificity.value for points in e.card.readers.values() for p in points]
    text = "Each reader against the majority of the others, "
    text += f"over readers and labels: sensitivity {_range(sensitivity)}, specificity {_range(specificity)}"
    return Answer(text, "card: readers", "agreement beyond chance, intra-reader variability")


def interpretation(e: Evidence) -> Answer | None:
    texts = []
    for m in e.whole:
        limits = [auc.low for auc in m.labels.values() if auc.low is not None]
        if limits:
            shown = sum(low > 0.5 for low in limits)
            texts.append(f"{m.title}: lower limit of the AUC above 0.5 for {shown} of {len(limits)} labels")
    return Answer("; ".join(texts), "card: metrics; runs", "comparison with earlier studies") if texts else None


def explainability(e: Evidence) -> Answer | None:
    if not e.card.map_anchors:
        return None
    hits = {
        f"{number.label}, {run.record.id}": number.estimate
        for run in e.runs
        for number in run.numbers
        if number.metric == "hit_rate_gain" and number.estimate.value is not None
    }
    text = f"Class activation maps, exact for this network; full colour: {e.card.map_anchor_rule}"
    text += f". Pointing game, hit rate less that of the image centre: {_per_label(hits)}" if hits else ""
    return Answer(
        text, "card: map_anchors; runs; docs/heat-maps.md", "" if hits else "comparison with boxes of enough patients"
    )


def limits(e: Evidence) -> Answer | None:
    return Answer(" ".join(e.card.limits), "card: limits") if e.card.limits else None


def poor_input(e: Evidence) -> Answer:
    text = "The gate refuses images that cannot be read and states warnings beside the findings"
    familiarity = e.card.familiarity
    text += "" if familiarity is None else f"; one for images unlike the training images ({familiarity.rule})"
    return Answer(text, "docs/conformance.md; card: familiarity", "" if familiarity else "unfamiliar images")


def users(e: Evidence) -> Answer:
    text = "A radiologist opens an image and reads it beside the findings; a refused image may be read with a reason"
    return Answer(text, "README; docs/how-it-is-built.md")


def calculation(e: Evidence) -> Answer:
    card = e.card
    text = f"The whole network: model.keras (SHA-256 {card.weights_sha256[:12]}) and an OpenVINO graph; "
    text += f"python -m cxr_core predict --model {card.id}. Licence: {card.licence}"
    return Answer(text, "model folder; docs/command-line.md")


def ensemble(e: Evidence) -> Answer:
    text = f"One network of {e.card.architecture.parameters:,} parameters; its outputs are not combined with others"
    return Answer(text, "model folder")


def software(e: Evidence) -> Answer:
    versions = unique(f"{name} {version}" for run in e.runs for name, version in run.record.versions.items())
    text = "Keras and TensorFlow train, OpenVINO serves; releases are pinned with hashes"
    text += f". Runs were made with {', '.join(versions)}" if versions else ""
    return Answer(text, "requirements.txt; runs", "hardware" if versions else "hardware, versions of each evaluation")


def data_sharing(e: Evidence) -> Answer | None:
    if not e.card.citations:
        return None
    return Answer("; ".join(e.card.citations), "card: citations", "terms of access of each data set")


def code(e: Evidence) -> Answer:
    return Answer("This program, Apache-2.0: training, evaluation and statistics", "LICENSE, docs/method.md")


def availability(e: Evidence) -> Answer:
    shared, origin = data_sharing(e), e.card.imported
    text = f"Software: Apache-2.0. Model: {e.card.licence.rstrip('.')}"
    text += f", from {origin.url or origin.source}" if origin else ""
    text += f". Data: {shared.text}" if shared else ""
    return Answer(text, "LICENSE; card: licence, citations", "" if shared else "data")


def _areas(sets: tuple[Measured, ...] | list[Measured]) -> str:
    texts = []
    for m in sets:
        values = [auc.value for auc in m.labels.values() if auc.value is not None]
        numbers = f"{_range(values)} over {len(values)} of {len(m.labels)} labels"
        texts.append(f"{m.title}, {m.images}: AUC {numbers}")
    return "; ".join(texts)


def _by_group(e: Evidence) -> str:
    parts = [m for m in e.measured if m.group]
    texts = [_areas(parts)] if parts else []
    for m in e.measured:
        areas: dict[str, list[float | None]] = {}
        for group, auc in m.groups.items():
            areas.setdefault(group.partition(":")[0], []).append(auc.value)
        if areas:
            ranges = ", ".join(f"{kind} {_range(values)}" for kind, values in areas.items())
            texts.append(f"{m.title}, AUC of any finding by {ranges}")
    return "; ".join(texts)


def _characteristics(e: Evidence) -> set[str]:
    """Return what the groups with an AUC are of: view, sex, age."""
    return {"view" for m in e.measured if m.group} | {group.split(":")[0] for m in e.measured for group in m.groups}


def _rates(e: Evidence, name: str) -> dict[str, Estimate]:
    if e.point is None:
        return {}
    rates = {label: getattr(threshold, name) for label, threshold in e.point.thresholds.items()}
    return {label: rate for label, rate in rates.items() if rate is not None}


def _per_label(estimates: Mapping[str, Estimate]) -> str:
    return "; ".join(f"{display_name(label)} {format_estimate(x, decimals=2)}" for label, x in estimates.items())


def _range(values: list[float] | list[float | None]) -> str:
    known = [value for value in values if value is not None]
    ends = dict.fromkeys(f"{end:.3f}" for end in ((min(known), max(known)) if known else ()))
    return " to ".join(ends) or "not estimated"


ANSWERS: dict[str, Callable[[Evidence], Answer | None]] = {
    function.__name__: function
    for function in (
        data.technique, data.title, data.goal, data.context, data.intended_use, data.objectives,
        data.data_sources, data.setting, data.eligibility, data.treatments, data.subsets,
        data.deidentification, data.acquisition, data.preparation, data.data_preparation, data.predictors,
        data.outcome, data.readers, data.missing_data, data.partition, data.disjointness, data.modelling,
        data.architecture, data.initialisation, data.training, data.selection, data.imbalance, data.output,
        data.characteristics, data.flow, data.counts, sample_size, measures, uncertainty, clusters, groups,
        robustness, comparison, internal_test, external_test, design, calibration, calibration_results,
        performance, accuracy, failures, reader_variability, interpretation, explainability, limits,
        poor_input, users, calculation, ensemble, software, data_sharing, code, availability,
    )
}  # fmt: skip
"""What fills an item, by the name in the column ``answer`` of ``reporting_checklists.csv``."""
