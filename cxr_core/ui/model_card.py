"""The page "Model": the model card."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import streamlit as st

from ..access import Role
from ..displays import LabelCountsDisplay, MetricDisplay
from ..displays.card_metrics import format_metric
from ..errors import CxrError
from ..estimate import Estimate
from ..formatting import format_estimate
from ..imaging import describe_exposure
from ..labels import display_name
from ..model import ModelCard, list_models, open_model
from ..model.card import MetricTable
from ..model.formatting import describe_calibration, describe_import
from ..report.reporting_checklists import reporting_sheet, sheet_markdown
from ..report.reporting_evidence import Evidence, runs_of_model
from ..store import RunStore
from .addresses import addressed, say_if_unknown, write_address
from .card_calibration import calibration_section
from .card_localisation import localisation_section
from .card_operating_points import operating_point_section
from .chart import show_display
from .chrome import (
    banner,
    bullets,
    describe_demonstration,
    empty_state,
    facts_table,
    heading,
    html,
    small,
    stop_with,
    table,
)
from .downloads import download_button
from .serving_model import serving_predictor
from .stability import stability_section
from .visitor import may

__all__ = ["select_card", "show_card", "training_facts"]

_SHOWN = "model-shown"


def select_card() -> ModelCard:
    """Draw the choice of an installed model, the serving one first; return its card, or stop if it cannot be used."""
    try:
        serving = serving_predictor().card
        others = [path.name for path in list_models() if path.name != serving.id]
        names, wanted = [serving.id, *others], addressed("model")
        name = _model_box(names, wanted) if others else serving.id
        say_if_unknown("model that is not installed here", wanted, names, name)
        write_address(model=name)
        return serving if name == serving.id else open_model(name).card
    except CxrError as error:
        stop_with(error)


def _model_box(names: list[str], wanted: str | None) -> str:
    """Draw the choice of a model, the serving one first; it is kept across pages."""
    if wanted in names:
        st.session_state[_SHOWN] = wanted
    elif st.session_state.get(_SHOWN) not in names:
        # none was chosen, or its folder was deleted
        st.session_state[_SHOWN] = names[0]
    return st.selectbox(
        "Model",
        names,
        format_func=lambda name: name + (" (serving)" if name == names[0] else ""),
        key=_SHOWN,
        persist_state="session",
    )


def show_card(card: ModelCard) -> None:
    """Draw the whole card."""
    empty_state(card.title, f"{card.id}, version {card.version}")
    if card.demonstration:
        banner("Demonstration model.", describe_demonstration(card))
    if card.unverified:
        banner("Not verified.", describe_import(card))
    sections: dict[str, Callable[[ModelCard], None]] = {"Overview": _overview, "Performance": _performance}
    if card.operating_points:
        sections["Operating points"] = operating_point_section
    sections |= {
        "Calibration": calibration_section,
        "Stability": stability_section,
        "Heat maps": localisation_section,
        "Data and files": _training,
    }
    for tab, draw in zip(st.tabs(list(sections)), sections.values(), strict=True):
        with tab:
            draw(card)


def _overview(card: ModelCard) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        _facts(card)
    with right:
        heading("Limits")
        bullets(card.limits)
        heading("What the model does not look for")
        bullets(card.not_looked_for)
        heading("Caveats per label")
        bullets(tuple(f"{display_name(label)}: {text}" for label, text in card.caveats.items()))
        _reporting_checklist(card)


def _performance(card: ModelCard) -> None:
    if not card.metrics:
        small("This model comes without performance results.")
    columns = st.columns(2, gap="large")
    for number, measured in enumerate(card.metrics):
        with columns[number % 2]:
            _metrics(measured, number)
    if card.readers:
        _readers(card)


def _training(card: ModelCard) -> None:
    if card.counts:
        show_display(LabelCountsDisplay(card.counts), "card-counts")
        _counts(card)
    heading("Files and sources")
    table(("file", "SHA-256"), [(name, f"<code>{digest}</code>") for name, digest in card.files.items()])
    bullets((*card.citations, card.licence))


def _facts(card: ModelCard) -> None:
    architecture = card.architecture
    start = {True: " (transfer-learned)", False: " (not transfer-learned)", None: ""}[architecture.transfer_learned]
    heading("Model facts")
    facts = {
        **_origin(card),
        "Network": f"{architecture.name}; {architecture.parameters:,} parameters",
        "Starting weights": f"{architecture.initialisation}{start}",
        "Input": f"{card.input.size} × {card.input.size}, one channel; {card.input.scaling}; "
        f"detail of {card.input.detail or card.input.size} pixels a side; {card.input.fit}; "
        f"resampling: {card.input.resampling}; {describe_exposure(card.input.exposure)}",
        **training_facts(card),
        "Calibration": describe_calibration(card),
        "Familiarity": _familiarity(card),
        "Full colour of heat maps": card.map_anchor_rule,
    }
    facts_table(facts)


def _reporting_checklist(card: ModelCard) -> None:
    """Draw the download of the reporting sheet; runs fill it in too for those who may see them."""
    with_runs = may(Role.REVIEWER)
    download_button(
        "Download reporting checklist, Markdown",
        lambda: _sheet(card, with_runs),
        "reporting-sheet",
        f"second-read-{card.id}-reporting-checklist.md",
        "text/markdown",
        model=card.weights_sha256,
        required=True,
    )
    small("TRIPOD+AI and CLAIM 2024 item by item, and the intervals that the counts of each evaluation allow.")


def _sheet(card: ModelCard, with_runs: bool) -> str:
    if not with_runs:
        return sheet_markdown(reporting_sheet(Evidence(card)))
    store = RunStore()
    try:
        return sheet_markdown(reporting_sheet(Evidence.of_runs(card, runs_of_model(store, card))))
    finally:
        store.close()


def _origin(card: ModelCard) -> dict[str, str]:
    origin = card.imported
    if origin is None:
        return {}
    return {
        "Imported from": origin.source + (f", {origin.url}" if origin.url else ""),
        "File": f"{origin.file}; SHA-256 {origin.sha256}, verified against {origin.checked}",
        **({"Self-check at import": origin.self_check} if origin.self_check else {}),
    }


def training_facts(card: ModelCard) -> dict[str, str]:
    """Return the facts of the training that the card states, by name."""
    training = card.training
    datasets = "; ".join(training.datasets) or "not stated"
    facts = {"Training data sets": datasets, "Training images": "number not published"}
    if training.images is not None:
        facts = {"Training images": f"{training.images:,} of {training.patients:,} patients ({datasets})"}
    if training.validation_images is not None:
        facts["Validation images"] = f"{training.validation_images:,} of {training.validation_patients:,} patients"
    if training.split is not None:
        facts["Split"] = f"by patient, {training.split}, SHA-256 {(training.split_sha256 or '')[:12]}"
    if training.stages is not None:
        facts["Stages"] = training.stages.replace("x", " px × ").replace(",", ", ") + " epochs"
    if training.augmentation is not None:
        flip = {True: ", with horizontal flip", False: ", without horizontal flip", None: ""}[training.horizontal_flip]
        facts["Augmentation"] = f"{training.augmentation}{flip}"
    if training.loss is not None:
        facts["Loss"] = training.loss
    if training.seed is not None:
        facts["Seed"] = str(training.seed)
    return facts


def _familiarity(card: ModelCard) -> str:
    reference = card.familiarity
    if reference is None:
        return "not measured"
    return (
        f"distance in feature space from {reference.reference_images:,} training images; an image beyond "
        f"{reference.threshold:.2f} gets a warning ({reference.rule}, {reference.validation_images:,} images of "
        f"{reference.validation_patients:,} patients)"
    )


def _metrics(measured: MetricTable, number: int) -> None:
    images = measured.images[:1].upper() + measured.images[1:]
    if measured.number_of_images is not None and measured.number_of_patients is not None:
        images = f"{measured.number_of_images:,} {measured.images} ({measured.number_of_patients:,} patients)"
    display = MetricDisplay(measured)
    show_display(display, f"card-metric-{number}")
    html(
        '<div class="sr-small">{images}. Reference standard: {reference}. Interval: {interval}. Dotted line: '
        "{line}.</div>",
        images=images,
        reference=measured.reference,
        interval=measured.interval,
        line="chance (AUC 0.5)" if measured.metric == "AUC" else "no difference",
    )
    missing = [display_name(label) for label in display.missing()]
    if missing:
        small(f"Too few cases to estimate: {', '.join(missing)}.")
    with st.expander("Table"):
        rows = [(display_name(label), *_metric_cells(metric)) for label, metric in measured.per_label.items()]
        table(("label", f"{measured.metric} (95 % CI)", "positive patients", "negative patients"), rows, numbers=3)


def _readers(card: ModelCard) -> None:
    heading("Individual readers on the same images")
    small(
        "Each reader is compared with the majority of the other readers"
        + ("; the page Readers shows them beside the model's ROC curve." if may(Role.REVIEWER) else ".")
    )
    with st.expander("Table"):
        rows = [
            (
                display_name(label),
                point.reader,
                format_estimate(point.sensitivity, percent=True),
                format_estimate(point.specificity, percent=True),
            )
            for label, points in card.readers.items()
            for point in points
        ]
        table(("label", "reader", "sensitivity (95 % CI)", "specificity (95 % CI)"), rows)


def _metric_cells(metric: Estimate) -> tuple[str, str, str]:
    if metric.counts is None:
        return escape(format_metric(metric)), "", ""
    return (
        escape(format_metric(metric)),
        f"{metric.counts.positive_patients:,}",
        f"{metric.counts.negative_patients:,}",
    )


def _counts(card: ModelCard) -> None:
    with st.expander("Counts table"):
        subsets = list(card.counts)
        rows = []
        for label in card.labels:
            counts = [card.counts[subset][label] for subset in subsets]
            cells = [f"{c.positive_images:,} / {c.positive_patients:,}" for c in counts]
            rows.append((display_name(label), *cells))
        headings = tuple(f"{subset}: positive images / patients" for subset in subsets)
        table(("label", *headings), rows, numbers=len(subsets))
