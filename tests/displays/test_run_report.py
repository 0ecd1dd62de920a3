"""The report and the model card of a run contain its numbers and load no external resources."""

import dataclasses
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from cxr_core.displays import as_png, as_svg, run_report
from cxr_core.displays.marks import Axis, Chart, Dots, Panel
from cxr_core.evaluation import summarise
from cxr_core.evaluation.catalogue import entries
from cxr_core.formatting import format_estimate
from cxr_core.labels import LABELS, NOTICE, display_name
from cxr_core.metrics import BootstrapOptions
from cxr_core.model import open_model
from cxr_core.report.model_card import model_card_markdown
from tests.runs import made_up, record_of


class Page(HTMLParser):
    """Collects the text, the tags, and the addresses that elements would load."""

    def __init__(self, text):
        super().__init__()
        self.texts, self.tags, self.loaded = [], [], []
        self.feed(text)

    def handle_data(self, data):
        self.texts.append(data)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loaded += [
            value
            for name, value in attrs
            if name in ("src", "href", "xlink:href", "data", "srcset") and not (value or "").startswith("#")
        ]


@pytest.fixture(scope="module")
def drawn():
    """A run of a few labels, whose panels are drawn, and its summary."""
    predictions = made_up(400, labels=LABELS[:3], readers=5)
    return predictions, summarise(record_of(predictions), predictions, options=BootstrapOptions(100))


@pytest.fixture(scope="module")
def report(drawn):
    return run_report(*drawn)


@pytest.fixture(scope="module")
def page(report):
    return Page(report)


@pytest.fixture(scope="module")
def small():
    """A run of one label, whose report is fast to make, and its summary."""
    predictions = made_up(60, labels=("Effusion",))
    return predictions, summarise(record_of(predictions), predictions, options=BootstrapOptions(10))


def test_the_report_contains_every_auc_and_the_notice(page, drawn):
    summary = drawn[1]
    text = " ".join(page.texts)
    assert NOTICE in text
    for label, auc in summary.auc.items():
        assert display_name(label) in text
        assert format_estimate(auc) in text
    for entry in entries("report"):
        # the run has neither boxes nor probabilities of all images nor operating points
        absent = (
            entry.page == "localisation"
            or entry.cross_validated
            or entry.name in ("net_benefit", "reader_analysis", "confusion_matrix", "flagged", "calibration_groups")
        )
        assert (summary.title(entry) in text) == (not absent)
    assert "reader 5" in text
    assert page.tags.count("svg") == 5


def test_the_report_loads_no_resources_and_runs_no_scripts(page, report):
    assert page.loaded == []
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert not re.search(r"@import|url\(\s*['\"]?http", report)


def test_a_run_name_is_escaped(small, figures_as_text):
    predictions, summary = small
    record = dataclasses.replace(summary.record, name="<img src=x onerror=alert(1)>")
    page = Page(run_report(predictions, dataclasses.replace(summary, record=record)))
    assert "img" not in page.tags


HOSTILE = ("<script>alert(1)</script>", "[a](http://b)", "![a](http://b)", "a | b\n# c", "1. $\\frac{$", "a&lt;b \x01")


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_is_escaped_in_every_export(small, hostile, figures_as_text):
    predictions, summary = small
    names = dict.fromkeys(("name", "model_id", "part", "split"), hostile)
    record = dataclasses.replace(summary.record, data=(hostile,), **names)
    renamed = dataclasses.replace(summary, record=record, notes=(hostile,))
    text = model_card_markdown(None, dataclasses.replace(renamed, reference=hostile))
    special = re.findall(r"(?<!\\)(?:\\\\)*([<\[|$&!]|^\d+[.])", re.sub(r"(?m)^\|.*|^> .*", "", text))
    assert special == []
    assert len(re.findall("(?m)^# ", text)) == 1
    html = run_report(predictions, renamed)
    assert Page(html).loaded == []
    assert not {"script", "img", "a"} & {*Page(html).tags}


@pytest.mark.filterwarnings("ignore:Glyph 1 ")  # no font has it
@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_is_escaped_in_a_figure(hostile):
    dots = Dots((0.5,), (0.5,), name=hostile, text=(hostile,))
    chart = Chart(hostile, (Panel(Axis(hostile), Axis(hostile), (dots,), hostile),), hostile, notes=(hostile,))
    svg = as_svg(chart)
    shown = "".join(ElementTree.fromstring(svg).itertext())
    assert hostile.replace("\x01", "").split("\n")[0] in shown
    assert b"<script" not in svg
    assert as_png(chart).startswith(b"\x89PNG")


def test_the_model_card_contains_the_numbers_of_the_run_and_the_limits_of_the_card(summary):
    card = open_model("second-read-mini").card
    # as displayed: without the backslashes of Markdown
    text = re.sub(r"\\(.)", r"\1", model_card_markdown(card, summary))
    assert NOTICE in text
    for limit in card.limits:
        assert limit in text
    for label in LABELS:
        auc = summary.auc[label]
        assert f"| {display_name(label)} | {auc.value:.3f} ({auc.low:.3f} to {auc.high:.3f}) |" in text
    assert "one channel" in text
    assert f"resampling: {card.input.resampling}" in text
    assert f"{summary.record.images:,} images of {summary.record.patients:,} patients" in text
    three = dataclasses.replace(card.input, scaling="displayed grey in [0, 1], on three channels, as ImageNet")
    assert "three equal channels" in model_card_markdown(dataclasses.replace(card, input=three), summary)
    assert "The model is not installed" in model_card_markdown(None, summary)
