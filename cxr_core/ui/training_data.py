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
        '<div class="sr-head"><h2>Training data</h2><span>{title}; {id}, version {version}</span></div>',
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
        show(BalanceDisplay.of(card), "balance")
        _small(
            "The paper's figures 3.4.1.a and b. The rare positives of a label hardly count in a plain loss; weighted "
            "with the share of the other kind, both kinds count the same."
        )
        show(LogDisplay.of(card.training), "log")
        _small(
            "Losses of two stages do not compare: they are of films of another size. The AUC has no interval; how good "
            "the model is stands on its page."
        )
    with right:
        st.subheader("What it was made from", anchor=False)
        _facts(card)
        _patients(card)
    beside = st.toggle(f"Beside it: {NIH}", value=True, key="training-beside", persist_state="session")
    other = NIH if beside else ""
    counts = dict(card.counts)
    if beside:
        counts[NIH] = whole.per_label
    show(CountsDisplay(counts, other), "counts")
    if summary is None:
        _small(_LATER.format(what="which labels go together, ages, sexes and views", model=card.id))
        return
    _together(summary.parts, whole if beside else None)
    _people(dict(summary.parts) | ({NIH: whole} if beside else {}), other)


def _together(parts: dict[str, PartSummary], whole: PartSummary | None) -> None:
    places = st.columns(2, gap="large") if whole is not None else [st.container()]
    with places[0]:
        name = st.selectbox(
            "Labels that go together, in the part", list(parts), key="training-together", persist_state="session"
        )
        show(TogetherDisplay(name, parts[name]), "together")
    if whole is not None:
        with places[1]:
            # as high as the choice on the other side
            st.html('<div class="sr-wide" style="height: 4.2rem"></div>')
            show(TogetherDisplay(NIH, whole), "together-nih")


def _people(parts: dict[str, PartSummary], beside: str) -> None:
    left, right = st.columns([1.2, 1], gap="large")
    with left:
        show(AgesDisplay(parts, beside), "ages")
    with right:
        show(SexesAndViewsDisplay(parts, beside), "people")


def _patients(card: ModelCard) -> None:
    """Show that no patient is on both sides, by counts: the card's, or those of the split file it was made with."""
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
    show(display, "patients")
    learned = sum(bool({"train", "validation"} & set(pair)) for pair in display.shared)
    words = [
        "On the diagonal the patients of a part, beside it those that two parts share.",
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
        show(CountsDisplay({NIH: whole.per_label}, NIH), "nih-counts")
        show(TogetherDisplay(NIH, whole), "nih-together")
        _people({NIH: whole}, NIH)


def _small(words: str) -> None:
    html('<div class="sr-small">{words}</div>', words=words)
