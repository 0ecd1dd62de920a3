"""Charts drawn with plotly and with matplotlib contain the same numbers."""

import io
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image

from cxr_core.displays import as_png, as_svg, matplotlib_figure, plotly_figure
from cxr_core.displays.marks import Axis, Bars, Cells, Chart, Dots, Line, Panel, Rule
from cxr_core.labels import NOTICE

X = np.array([0.0, 0.25, 1.0])
Y = np.array([0.1, 0.6, 0.9])
NAMES = ("Mass", "Nodule", "Edema")
DOTS = Dots((0.6, 0.7, 0.8), NAMES, "points", low=np.array([0.5, np.nan, 0.7]), high=np.array([0.7, np.nan, 0.95]),
            interval_axis="x")  # fmt: skip


def chart(*marks, **panel) -> Chart:
    return Chart("A title", (Panel(Axis("x axis", 0, 1), Axis("y axis", 0, 1), marks, **panel),), alt="What it shows")


@pytest.mark.parametrize(
    "mark",
    [
        Line(X, Y, "curve", low=Y - 0.1, high=Y + 0.1),
        Line(X, Y, steps=True),
        Dots(X, Y, "points", low=Y - 0.1, high=Y + 0.1),
        Bars(NAMES, Y, "bars"),
        Bars(X, Y, "bars", width=0.05),
    ],
)
def test_both_drawings_have_the_same_points(mark):
    drawn = plotly_figure(chart(mark)).data[-1]
    assert list(drawn.x) == list(mark.x)
    assert list(drawn.y) == list(mark.y)
    axes = matplotlib_figure(chart(mark)).axes[0]
    if isinstance(mark, Bars):
        assert [patch.get_height() for patch in axes.patches] == list(mark.y)
    else:
        assert any(np.array_equal(line.get_ydata(), mark.y) for line in axes.lines)


def test_a_figure_has_nothing_of_an_earlier_one_with_as_many_panels():
    ours = chart(Line(X, Y, "curve"))
    drawn = plotly_figure(ours).to_json()
    panel = Panel(Axis("other", 0.1, 1, log=True), Axis(names=NAMES), (DOTS, Rule("x", 0.5)), "Other", "A message")
    other = plotly_figure(Chart("Another", (panel,), alt="another", small=True))
    assert (other.layout.xaxis.type, len(other.layout.shapes), len(other.layout.annotations)) == ("log", 1, 1)
    assert plotly_figure(ours).to_json() == drawn


def test_intervals_are_drawn_from_low_to_high_and_missing_ones_are_not():
    panel = Panel(Axis("AUC"), Axis(names=NAMES), (DOTS,))
    (drawn,) = plotly_figure(Chart("t", (panel,), alt="a")).data
    np.testing.assert_allclose(np.array(drawn.x) + drawn.error_x.array, [0.7, 0.7, 0.95])
    np.testing.assert_allclose(np.array(drawn.x) - drawn.error_x.arrayminus, [0.5, 0.7, 0.7])
    assert matplotlib_figure(Chart("t", (panel,), alt="a")).axes[0].lines


def test_a_band_is_drawn_between_its_limits():
    drawn = plotly_figure(chart(Line(X, Y, low=Y - 0.1, high=Y + 0.05))).data[0]
    assert list(drawn.y) == [*(Y + 0.05), *(Y - 0.1)[::-1]]


def test_cells_show_their_text():
    cells = Cells(("a", "b"), ("one", "two"), np.array([[0.1, np.nan], [0.5, 1.0]]), (("10", ""), ("50", "100")))
    drawn = plotly_figure(chart(cells)).data[0]
    assert [list(row) for row in drawn.text] == [["10", ""], ["50", "100"]]
    texts = {text.get_text() for text in matplotlib_figure(chart(cells)).axes[0].texts}
    assert {"10", "50", "100"} <= texts


def test_an_empty_panel_shows_its_message():
    empty = chart(message="too few cases (3 positive, 90 negative patients)")
    assert "too few cases" in plotly_figure(empty).layout.annotations[-1].text
    assert any("too few cases" in text.get_text() for text in matplotlib_figure(empty).axes[0].texts)


def test_a_chart_without_marks_shows_its_message_once():
    empty = Panel(Axis(), Axis(), message="no data")
    figure = plotly_figure(Chart("t", (empty, empty), alt="a"))
    assert [annotation.text for annotation in figure.layout.annotations] == ["no data"]


def test_several_panels_share_one_legend():
    panel = Panel(Axis(), Axis(), (Line(X, Y, "curve"), Rule("diagonal"), Rule("x", 0.5), Rule("y", 0.5)), "one")
    figure = plotly_figure(Chart("t", (panel,) * 5, alt="a", columns=3))
    assert [trace.showlegend for trace in figure.data if trace.name == "curve"] == [True, False, False, False, False]
    (legend,) = matplotlib_figure(Chart("t", (panel,) * 5, alt="a", columns=3)).legends
    assert [text.get_text() for text in legend.get_texts()] == ["curve"]


def test_svg_is_reproducible_and_contains_title_text_alternative_and_notice():
    drawn = chart(Line(X, Y, "curve"))
    svg = as_svg(drawn)
    assert svg == as_svg(drawn)
    root = ElementTree.fromstring(svg)
    text = " ".join(root.itertext())
    for expected in ("A title", "What it shows", NOTICE, "x axis"):
        assert expected in text
    assert b"http://" not in svg.replace(b"http://www.w3.org", b"").replace(b"http://purl.org", b"").replace(
        b"http://creativecommons.org", b""
    )


def test_png_contains_text_alternative_and_notice():
    with Image.open(io.BytesIO(as_png(chart(Line(X, Y)), dpi=60))) as image:
        assert image.text["Warning"] == NOTICE
        assert image.text["Description"] == "What it shows"


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.2."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_text_of_a_figure_has_the_contrast_of_wcag_aa():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    cells = Cells(("a",), ("b",), np.array([[1.0]]), (("1",),))
    figure = plotly_figure(Chart("t", (Panel(Axis(), Axis(), (cells,)),), alt="a"))
    text = figure.data[0].textfont.color
    assert min(contrast(text, colour) for _, colour in figure.data[0].colorscale) >= 4.5
    # a chart lies on the page, whose colour is in .streamlit/config.toml
    empty = plotly_figure(Chart("t", (Panel(Axis(), Axis(), message="too few cases"),), alt="a"))
    for colour in (figure.layout.font.color, empty.layout.annotations[-1].font.color):
        assert contrast(colour, "#0B0D10") >= 4.5
