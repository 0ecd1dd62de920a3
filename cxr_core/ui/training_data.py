"""The screen "Training data": what a model was made from, beside the whole of ChestX-ray14."""

from __future__ import annotations

from html import escape

import streamlit as st

from ..displays import (
    AgesDisplay,
    BalanceDisplay,
    CountsDisplay,
    LogDisplay,
    PatientsDisplay,
    SexesAndViewsDisplay,
    TogetherDisplay,
)
from ..model import ModelCard
from ..model.data_summary import OLDEST, WHOLE, PartSummary, read_summary
from ..training.splits import EMBEDDED_SPLIT, read_split
from .chart import show
from .chrome import banner, demonstration_words, html
from .model_card import training_facts
from .tables import table

__all__ = ["training_data"]

NIH = "ChestX-ray14, whole"
SOURCE = (
    "NIH Clinical Center, https://nihcc.app.box.com/v/ChestXray-NIHCC; Wang et al., ChestX-ray8, CVPR 2017, "
    "doi 10.1109/CVPR.2017.369."
)
_LATER = (
    "This card does not hold {what}: it was written before cards did. The command describe completes it, with the "
    "tables that the model was trained on: python -m cxr_core describe --model {model} --images DIR --table CSV"
)


def training_data(card: ModelCard) -> None:
    """Draw everything that is known of the films behind a model."""
    whole = read_summary().parts[WHOLE]
    html(
        '<div class="sr-lead"><h1>Training data</h1><p>What {title} ({id}, version {version}) was made from.</p></div>',
        title=card.title,
        id=card.id,
        version=card.version,
    )
    if card.imported is not None:
        _imported(card)
    else:
        if card.demonstration:
            banner("Demonstration model.", demonstration_words(card))
        _trained_here(card, whole)
    _nih(whole, alone=card.imported is not None)


def _imported(card: ModelCard) -> None:
    banner(
        "Imported model.",
        "Its authors' training data are not known here: no counts, no balance of the loss, no split by patient can be "
        "shown, and none is assumed. What they state stands below.",
    )
    _facts(card)


def _facts(card: ModelCard) -> None:
    table(("", ""), [(escape(name), escape(words)) for name, words in training_facts(card).items()])


def _trained_here(card: ModelCard, whole: PartSummary) -> None:
    summary = card.training.summary
    left, right = st.columns([1.4, 1], gap="large")
    with left:
        st.subheader("Balance of the loss", anchor=False)
        _small(
            "The paper's figures 3.4.1.a and b. Where every film loses the same, the rare positives of a label hardly "
            "count; weighted with the share of the other kind, both kinds count the same."
        )
        show(BalanceDisplay.of(card), key="balance")
    with right:
        st.subheader("What it was made from", anchor=False)
        _facts(card)
        _patients(card)
    beside = st.toggle(f"Beside it: {NIH}", value=True, key="training-beside", persist_state="session")
    other = NIH if beside else ""
    st.subheader("Films and patients of each label", anchor=False)
    counts = dict(card.counts)
    if beside:
        counts[NIH] = whole.per_label
    show(CountsDisplay(counts, other), key="counts")
    _together(card, whole, beside=beside)
    st.subheader("Age, sex and view", anchor=False)
    if summary is None:
        _small(_LATER.format(what="ages, sexes and views", model=card.id))
    else:
        _people(dict(summary.parts) | ({NIH: whole} if beside else {}), other)
    st.subheader("How the training went", anchor=False)
    _small(
        "Stage by stage. Losses of two stages do not compare: they are of films of another size. The AUC has no "
        "interval; how good the model is stands on its page."
    )
    show(LogDisplay.of(card.training), key="log")


def _together(card: ModelCard, whole: PartSummary, *, beside: bool) -> None:
    st.subheader("Labels that go together", anchor=False)
    summary = card.training.summary
    if summary is None:
        _small(_LATER.format(what="which labels go together", model=card.id))
        return
    _small(
        "Of the films with the row's label, how many have the column's too; the fuller the colour, the larger their "
        "share. On the diagonal the films with that label alone, beside the name all films with it."
    )
    name = st.selectbox("Part", list(summary.parts), key="training-together", persist_state="session")
    places = st.columns(2, gap="medium") if beside else [st.container()]
    for place, (title, part) in zip(places, ((name, summary.parts[name]), (NIH, whole)), strict=False):
        with place:
            html('<div class="sr-small"><b>{title}</b>, {films:} films</div>', title=title, films=f"{part.films:,}")
            show(TogetherDisplay(title, part), key=f"together-{'nih' if title == NIH else 'own'}")


def _people(parts: dict[str, PartSummary], beside: str) -> None:
    ages, groups = AgesDisplay(parts, beside), SexesAndViewsDisplay(parts, beside)
    left, right = st.columns([1.2, 1], gap="medium")
    for place, display, key in ((left, ages, "ages"), (right, groups, "people")):
        with place:
            show(display, key=key)
            if display.left_out():
                _small("; ".join(display.left_out()) + ".")


def _patients(card: ModelCard) -> None:
    """Show that no patient is on both sides, by counts: the card's, or those of the split file it was made with."""
    st.subheader("No patient on both sides", anchor=False)
    summary, split = card.training.summary, None
    if card.training.split_sha256 is not None:
        embedded = read_split(EMBEDDED_SPLIT)
        split = embedded if embedded.sha256 == card.training.split_sha256 else None
    if summary is None and split is None:
        _small(_LATER.format(what="how many patients two parts share", model=card.id))
        return
    display = PatientsDisplay.of_split(split) if summary is None else PatientsDisplay.of_summary(summary)
    crossing = display.crossing()
    if crossing:
        words = "; ".join(f"{one} and {other}: {number:,}" for (one, other), number in crossing.items())
        banner("Patients are on both sides.", f"What is measured there flatters the model. {words}.")
    show(display, key="patients")
    learned = sum(bool({"train", "validation"} & set(pair)) for pair in display.shared)
    words = [
        f"On the diagonal the patients of a part, beside it those that two parts share; {display.source}.",
        f"{sum(crossing.values()):,} patients are shared in the {learned} pairs with a part that learns or chooses.",
    ]
    if summary is not None and split is not None:
        listed = PatientsDisplay.of_split(split)
        own = ", ".join(f"{part} {number:,}" for part, number in listed.patients.items())
        words.append(f"The split file lists {own}, and {sum(listed.shared.values()):,} in two parts.")
    _small(" ".join(words))


def _nih(whole: PartSummary, *, alone: bool) -> None:
    st.subheader("The whole of ChestX-ray14", anchor=False)
    beyond = f"{whole.ages.beyond:,}" if whole.ages.beyond else "none"
    _small(
        f"{whole.films:,} films of {whole.patients:,} patients, {whole.without_findings:,} of them without any of the "
        f"14 labels, as NIH's table Data_Entry_2017_v2020.csv has them. Films with an age beyond {OLDEST} years, which "
        f"would be an error: {beyond} in this table. {SOURCE} The numbers are made again by: python -m cxr_core "
        "describe --table Data_Entry_2017_v2020.csv --split none --out nih_table.json"
    )
    if alone:
        show(CountsDisplay({NIH: whole.per_label}, NIH), key="nih-counts")
        show(TogetherDisplay(NIH, whole), key="nih-together")
        _people({NIH: whole}, NIH)


def _small(words: str) -> None:
    html('<div class="sr-small">{words}</div>', words=words)
