"""The page "Training data": the images that a model was trained on, compared with the whole of ChestX-ray14."""

from __future__ import annotations

import streamlit as st

from ..datasets.splits import EMBEDDED_SPLIT, read_split
from ..displays import (
    AgeDisplay,
    LabelCooccurrenceDisplay,
    LabelCountsDisplay,
    LossContributionDisplay,
    PatientOverlapDisplay,
    SexAndViewDisplay,
    TrainingLogDisplay,
)
from ..labels import MAX_AGE
from ..model import ModelCard
from ..model.training_record import WHOLE, PartSummary, read_summary
from .chart import show_display
from .chrome import banner, describe_demonstration, facts_table, heading, page_heading, small
from .model_card import training_facts

__all__ = ["training_data"]

NIH = "ChestX-ray14, whole"
SOURCE = (
    "NIH Clinical Center, https://nihcc.app.box.com/v/ChestXray-NIHCC; Wang et al., ChestX-ray8, CVPR 2017, "
    "doi 10.1109/CVPR.2017.369."
)
_INCOMPLETE = (
    "This model card does not contain {what}, because it was written by an earlier version. Add it from the tables "
    "that the model was trained on: python -m cxr_core describe --model {model} --images DIR --table CSV"
)


def training_data(card: ModelCard) -> None:
    """Draw the training data of a model."""
    nih = read_summary().parts[WHOLE]
    page_heading("Training data", f"{card.title}; {card.id}, version {card.version}")
    if card.imported is not None:
        banner(
            "Imported model.",
            "Its training data are not available here, so label counts, loss contributions and the patient split "
            "cannot be shown. Below are the facts that its authors state.",
        )
        facts_table(training_facts(card))
    else:
        if card.demonstration:
            banner("Demonstration model.", describe_demonstration(card))
        _trained_here(card, nih)
    _nih(nih, alone=card.imported is not None)


def _trained_here(card: ModelCard, nih: PartSummary) -> None:
    summary = card.training.summary
    left, right = st.columns([1.4, 1], gap="large")
    with left:
        show_display(LossContributionDisplay.of(card), "balance")
        small(
            "Figures 3.4.1.a and b of the paper. In a plain loss the few positive images of a rare label hardly count. "
            "With class weights, positives and negatives contribute equally."
        )
        show_display(TrainingLogDisplay.of(card.training), "log")
        small(
            "Losses of different stages cannot be compared, because the stages use different image sizes. The AUC is "
            "shown without a confidence interval; the page Model gives the results with intervals."
        )
    with right:
        heading("Training facts")
        facts_table(training_facts(card))
        _patient_overlap(card)
    compare = st.toggle(f"Show {NIH}, for comparison", value=True, key="training-compare", persist_state="session")
    comparison = NIH if compare else ""
    counts = {**card.counts, **({NIH: nih.per_label} if compare else {})}
    show_display(LabelCountsDisplay(counts, comparison), "counts")
    if summary is None:
        what = "label co-occurrence, ages, sexes and view positions"
        small(_INCOMPLETE.format(what=what, model=card.id))
        return
    _cooccurrence(summary.parts, nih if compare else None)
    _ages_sexes_views(dict(summary.parts) | ({NIH: nih} if compare else {}), comparison)


def _cooccurrence(splits: dict[str, PartSummary], nih: PartSummary | None) -> None:
    columns = st.columns(2, gap="large") if nih is not None else [st.container()]
    with columns[0]:
        name = st.selectbox(
            "Split for label co-occurrence", list(splits), key="training-cooccurrence", persist_state="session"
        )
        show_display(LabelCooccurrenceDisplay(name, splits[name]), "cooccurrence")
    if nih is not None:
        with columns[1]:
            # as high as the select box on the left
            st.html('<div class="sr-wide" style="height: 4.2rem"></div>')
            show_display(LabelCooccurrenceDisplay(NIH, nih), "cooccurrence-nih")


def _ages_sexes_views(splits: dict[str, PartSummary], comparison: str) -> None:
    left, right = st.columns([1.2, 1], gap="large")
    with left:
        show_display(AgeDisplay(splits, comparison), "ages")
    with right:
        show_display(SexAndViewDisplay(splits, comparison), "sexes-and-views")


def _patient_overlap(card: ModelCard) -> None:
    """Draw the patient overlap between splits, from the card or from the split file that the model was made with."""
    summary, split = card.training.summary, None
    if card.training.split_sha256 is not None:
        embedded = read_split(EMBEDDED_SPLIT)
        split = embedded if embedded.sha256 == card.training.split_sha256 else None
    if summary is not None:
        display = PatientOverlapDisplay.of_summary(summary)
    elif split is not None:
        display = PatientOverlapDisplay.of_split(split)
    else:
        small(_INCOMPLETE.format(what="the patient overlap between splits", model=card.id))
        return
    leakage = display.leakage()
    if leakage:
        overlaps = "; ".join(f"{first} and {second}: {number:,}" for (first, second), number in leakage.items())
        banner(
            "Patients are in more than one split.", f"Results on these splits are too optimistic. {overlaps} patients."
        )
    show_display(display, "patients")
    pairs = sum(bool({"train", "validation"} & set(pair)) for pair in display.shared)
    lines = [
        "On the diagonal: patients of each split. Off the diagonal: patients that two splits share.",
        f"{sum(leakage.values()):,} patients are shared in the {pairs} pairs that include training or validation.",
    ]
    if summary is not None and split is not None:
        listed = PatientOverlapDisplay.of_split(split)
        counts = ", ".join(f"{subset} {number:,}" for subset, number in listed.patients.items())
        lines.append(f"The split file lists {counts}, and {sum(listed.shared.values()):,} in two splits.")
    small(" ".join(lines))


def _nih(nih: PartSummary, *, alone: bool) -> None:
    heading("ChestX-ray14, whole data set")
    beyond = f"{nih.ages.beyond:,}" if nih.ages.beyond else "none"
    small(
        f"{nih.images:,} images of {nih.patients:,} patients, {nih.without_findings:,} of them without any of "
        f"its {len(nih.per_label)} labels, as in NIH's table Data_Entry_2017_v2020.csv. Images with an age "
        f"above {MAX_AGE} years, which would be an error: {beyond} in this table. {SOURCE} "
        "To compute these numbers again: python -m cxr_core describe "
        "--table Data_Entry_2017_v2020.csv --split none --out nih_table.json"
    )
    if alone:
        show_display(LabelCountsDisplay({NIH: nih.per_label}, NIH), "nih-counts")
        show_display(LabelCooccurrenceDisplay(NIH, nih), "nih-cooccurrence")
        _ages_sexes_views({NIH: nih}, NIH)
