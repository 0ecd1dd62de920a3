"""The report of a run holds its numbers and figures and asks for nothing from elsewhere; so does the model card."""

import dataclasses
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from cxr_core.displays import as_png, as_svg, run_report
from cxr_core.displays.display import estimate_words
from cxr_core.displays.marks import Axis, Chart, Dots, Panel
from cxr_core.labels import LABELS, NOTICE, display_name
from cxr_core.model import open_model
from cxr_core.report.model_card import model_card_markdown


class Page(HTMLParser):
    """Collects the text, the tags, and whatever an element would fetch."""

    def __init__(self, text):
        super().__init__()
        self.words, self.tags, self.fetched = [], [], []
        self.feed(text)

    def handle_data(self, data):
        self.words.append(data)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.fetched += [
            value
            for name, value in attrs
            if name in ("src", "href", "xlink:href", "data", "srcset") and not (value or "").startswith("#")
        ]


@pytest.fixture(scope="module")
def page(predictions, summary):
    return Page(run_report(predictions, summary))


def test_the_report_holds_every_area_and_the_notice(page, summary):
    words = " ".join(page.words)
    assert NOTICE in words
    for label, auc in summary.auc.items():
        assert display_name(label) in words
        assert estimate_words(auc) in words
    assert "Single readers" in words
    assert page.tags.count("svg") >= 2


def test_the_report_fetches_nothing_and_runs_nothing(page, predictions, summary):
    assert page.fetched == []
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert not re.search(r"@import|url\(\s*['\"]?http", run_report(predictions, summary))


def test_a_name_from_outside_stays_text(predictions, summary):
    record = dataclasses.replace(summary.record, name="<img src=x onerror=alert(1)>")
    page = Page(run_report(predictions, dataclasses.replace(summary, record=record)))
    assert "img" not in page.tags


HOSTILE = ("<script>alert(1)</script>", "[a](http://b)", "![a](http://b)", "a | b\n# c", "1. $\\frac{$", "a&lt;b \x01")


@pytest.mark.filterwarnings("ignore:Glyph 1 ")  # no font has it
@pytest.mark.parametrize("words", HOSTILE)
def test_words_from_outside_are_nothing_but_words_in_any_export(predictions, summary, words):
    names = dict.fromkeys(("name", "model_id", "part", "split"), words)
    record = dataclasses.replace(summary.record, data=(words,), **names)
    renamed = dataclasses.replace(summary, record=record, notes=(words,))
    text = model_card_markdown(None, dataclasses.replace(renamed, reference=words))
    signs = re.findall(r"(?<!\\)(?:\\\\)*([<\[|$&!]|^\d+[.])", re.sub(r"(?m)^\|.*|^> .*", "", text))
    assert signs == []
    assert len(re.findall("(?m)^# ", text)) == 1
    html = run_report(predictions, renamed)
    assert Page(html).fetched == []
    assert not {"script", "img", "a"} & {*Page(html).tags}


@pytest.mark.filterwarnings("ignore:Glyph 1 ")  # no font has it
@pytest.mark.parametrize("words", HOSTILE)
def test_words_from_outside_are_nothing_but_words_in_a_figure(words):
    dots = Dots((0.5,), (0.5,), name=words, words=(words,))
    chart = Chart(words, (Panel(Axis(words), Axis(words), (dots,), words),), words, notes=(words,))
    svg = as_svg(chart)
    shown = "".join(ElementTree.fromstring(svg).itertext())
    assert words.replace("\x01", "").split("\n")[0] in shown
    assert b"<script" not in svg
    assert as_png(chart).startswith(b"\x89PNG")


def test_the_model_card_holds_the_runs_numbers_and_the_cards_limits(summary):
    card = open_model("second-read-mini").card
    # as it is shown: a sign after a backslash is that sign
    text = re.sub(r"\\(.)", r"\1", model_card_markdown(card, summary))
    assert NOTICE in text
    for limit in card.limits:
        assert limit in text
    for label in LABELS:
        auc = summary.auc[label]
        assert f"| {display_name(label)} | {auc.value:.3f} ({auc.low:.3f} to {auc.high:.3f}) |" in text
    assert "one channel" in text
    assert f"resampling: {card.input.resampling}" in text
    assert f"{summary.record.films:,} images of {summary.record.patients:,} patients" in text
    three = dataclasses.replace(card.input, scaling="displayed grey in [0, 1], on three channels, as ImageNet")
    assert "three equal channels" in model_card_markdown(dataclasses.replace(card, input=three), summary)
    assert "The model is not here" in model_card_markdown(None, summary)
