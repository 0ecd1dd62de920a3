"""The screen "Model": the card, readable."""

from __future__ import annotations

from html import escape

import streamlit as st

from ..access import Role
from ..displays import CountsDisplay, MetricDisplay
from ..displays.card_metrics import metric_words
from ..imaging import exposure_words
from ..labels import display_name
from ..model import ModelCard, list_models, open_model
from ..model.card import Metric, MetricTable
from ..model.words import calibration_words
from .card_calibration import calibration_section, operating_point_section
from .chart import show as show_display
from .chrome import banner, demonstration_words, html, imported_words
from .tables import table
from .visitor import may

__all__ = ["chosen_card", "show", "training_facts"]


def chosen_card(served: ModelCard) -> ModelCard:
    """Return the card of the model that serves, or of another that the reader picks; raises ModelUnusable."""
    others = [path.name for path in list_models() if path.name != served.id]
    if not others:
        return served
    name = st.selectbox(
        "Card of", [served.id, *others], format_func=lambda n: n + (" (serves)" if n == served.id else "")
    )
    return served if name == served.id else open_model(name).card


def show(card: ModelCard) -> None:
    """Draw everything that the card says."""
    html(
        '<div class="sr-lead"><h1>{title}</h1><p>{id}, version {version}</p></div>',
        title=card.title,
        id=card.id,
        version=card.version,
    )
    if card.demonstration:
        banner("Demonstration model.", demonstration_words(card))
    if card.unverified:
        banner("Not verified.", imported_words(card))
    left, right = st.columns([1.4, 1], gap="large")
    with left:
        for number, measured in enumerate(card.metrics):
            _metrics(measured, number)
        if card.readers:
            _readers(card)
        if not card.metrics:
            html('<div class="sr-small">{words}</div>', words="No measure of how good it is came with this model.")
        if card.operating_points:
            operating_point_section(card)
        calibration_section(card)
    with right:
        _facts(card)
        st.subheader("Limits", anchor=False)
        _list(card.limits)
        st.subheader("What it does not look for", anchor=False)
        _list(card.not_looked_for)
        st.subheader("Of single labels", anchor=False)
        _list(tuple(f"{display_name(label)}: {words}" for label, words in card.caveats.items()))
    if card.counts:
        show_display(CountsDisplay(card.counts), "card-counts")
        _counts(card)
    st.subheader("Files and sources", anchor=False)
    table(("file", "SHA-256"), [(name, f"<code>{digest}</code>") for name, digest in card.files.items()])
    _list((*card.citations, card.licence))


def _facts(card: ModelCard) -> None:
    architecture = card.architecture
    start = {True: " (transfer-learned)", False: " (not transfer-learned)", None: ""}[architecture.transfer_learned]
    st.subheader("What it is", anchor=False)
    facts = {
        **_origin(card),
        "Network": f"{architecture.name}; {architecture.parameters:,} parameters",
        "Starting weights": f"{architecture.initialisation}{start}",
        "Input": f"{card.input.size} × {card.input.size}, one channel; {card.input.scaling}; "
        f"detail of {card.input.detail or card.input.size} pixels a side; {card.input.fit}; "
        f"resampling: {card.input.resampling}; {exposure_words(card.input.exposure)}",
        **training_facts(card),
        "Calibration": calibration_words(card),
        "Familiarity": _familiarity(card),
        "Full colour of maps": card.map_anchor_rule,
    }
    table(("", ""), [(escape(name), escape(words)) for name, words in facts.items()])


def _origin(card: ModelCard) -> dict[str, str]:
    origin = card.imported
    if origin is None:
        return {}
    return {
        "Imported from": origin.source + (f", {origin.url}" if origin.url else ""),
        "File": f"{origin.file}; SHA-256 {origin.sha256}, compared with {origin.checked}",
        **({"Check at the import": origin.self_check} if origin.self_check else {}),
    }


def training_facts(card: ModelCard) -> dict[str, str]:
    """Return what is known of the training; what was not published is left out, and the films' number said to be."""
    training = card.training
    datasets = "; ".join(training.datasets) or "not stated"
    known = {"Training data sets": datasets, "Training films": "number not published"}
    if training.films is not None:
        known = {"Training films": f"{training.films:,} of {training.patients:,} patients ({datasets})"}
    if training.validation_films is not None:
        known["Validation films"] = f"{training.validation_films:,} of {training.validation_patients:,} patients"
    if training.split is not None:
        known["Split"] = f"by patient, {training.split}, SHA-256 {(training.split_sha256 or '')[:12]}"
    if training.stages is not None:
        known["Stages"] = training.stages.replace("x", " px × ").replace(",", ", ") + " epochs"
    if training.augmentation is not None:
        flip = {True: ", with horizontal flip", False: ", without horizontal flip", None: ""}[training.horizontal_flip]
        known["Augmentation"] = f"{training.augmentation}{flip}"
    if training.loss is not None:
        known["Loss"] = training.loss
    if training.seed is not None:
        known["Seed"] = str(training.seed)
    return known


def _familiarity(card: ModelCard) -> str:
    known = card.familiarity
    if known is None:
        return "not measured"
    return (
        f"distance in feature space from {known.reference_films:,} training films; a film beyond "
        f"{known.threshold:.2f} is called unlike them ({known.rule}, {known.validation_films:,} films of "
        f"{known.validation_patients:,} patients)"
    )


def _metrics(measured: MetricTable, number: int) -> None:
    films = measured.films[:1].upper() + measured.films[1:]
    if measured.number_of_films is not None and measured.number_of_patients is not None:
        films = f"{measured.number_of_films:,} {measured.films} ({measured.number_of_patients:,} patients)"
    display = MetricDisplay(measured)
    show_display(display, f"card-metric-{number}")
    html(
        '<div class="sr-small">{films}. Reference: {reference}. Interval: {interval}. Dotted: {rule}.</div>',
        films=films,
        reference=measured.reference,
        interval=measured.interval,
        rule="chance" if measured.metric == "AUC" else "no difference",
    )
    few = [display_name(label) for label in display.missing()]
    if few:
        html('<div class="sr-small">Too few cases to say: {few}.</div>', few=", ".join(few))
    with st.expander("As a table"):
        rows = [(display_name(label), *_metric_cells(metric)) for label, metric in measured.per_label.items()]
        table(("label", measured.metric, "95 % interval", "patients +", "patients −"), rows, numbers=4)


def _readers(card: ModelCard) -> None:
    st.subheader("Single readers of the same films", anchor=False)
    html(
        '<div class="sr-small">{words}</div>',
        words="Each against the majority of the others"
        + ("; the page Readers draws them beside the model's curve." if may(Role.REVIEWER) else "."),
    )
    with st.expander("As a table"):
        rows = [
            (display_name(label), point.reader, metric_words(point.sensitivity), metric_words(point.specificity))
            for label, points in card.readers.items()
            for point in points
        ]
        table(("label", "reader", "sensitivity (95 %)", "specificity (95 %)"), rows)


def _metric_cells(metric: Metric) -> tuple[str, str, str, str]:
    if metric.counts is None:
        return ("not known" if metric.value is None else f"{metric.value:.2f}"), "", "", ""
    counts = (f"{metric.counts.positive_patients:,}", f"{metric.counts.negative_patients:,}")
    if metric.value is None:
        return "too few cases", "", *counts
    interval = "" if metric.low is None or metric.high is None else f"{metric.low:.3f} to {metric.high:.3f}"
    return f"{metric.value:.3f}", interval, *counts


def _counts(card: ModelCard) -> None:
    with st.expander("Counts as a table"):
        parts = list(card.counts)
        rows = []
        for label in card.labels:
            counts = [card.counts[part][label] for part in parts]
            cells = [f"{c.positive_films:,} / {c.positive_patients:,}" for c in counts]
            rows.append((display_name(label), *cells))
        heads = tuple(f"{part}: positive films / patients" for part in parts)
        table(("label", *heads), rows, numbers=len(parts))


def _list(lines: tuple[str, ...]) -> None:
    st.html('<div class="sr-small"><ul>' + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul></div>")
