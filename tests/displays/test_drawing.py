"""Both drawings hold the numbers of the chart, and nothing else."""

import io
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image

from cxr_core.displays import as_png, as_svg, on_paper, on_screen
from cxr_core.displays.marks import Axis, Bars, Cells, Chart, Dots, Line, Panel, Rule
from cxr_core.labels import NOTICE

X = np.array([0.0, 0.25, 1.0])
Y = np.array([0.1, 0.6, 0.9])
NAMES = ("Mass", "Nodule", "Edema")
DOTS = Dots((0.6, 0.7, 0.8), NAMES, "points", low=np.array([0.5, np.nan, 0.7]), high=np.array([0.7, np.nan, 0.95]),
            across="x")  # fmt: skip


def chart(*marks, **panel) -> Chart:
    return Chart("A title", (Panel(Axis("across", 0, 1), Axis("up", 0, 1), marks, **panel),), alt="What it shows")


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
def test_both_drawings_hold_the_same_points(mark):
    drawn = on_screen(chart(mark)).data[-1]
    assert list(drawn.x) == list(mark.x)
    assert list(drawn.y) == list(mark.y)
    axes = on_paper(chart(mark)).axes[0]
    if isinstance(mark, Bars):
        assert [patch.get_height() for patch in axes.patches] == list(mark.y)
    else:
        assert any(np.array_equal(line.get_ydata(), mark.y) for line in axes.lines)


def test_an_interval_reaches_from_low_to_high_and_a_missing_one_is_not_drawn():
    panel = Panel(Axis("AUC"), Axis(names=NAMES), (DOTS,))
    (drawn,) = on_screen(Chart("t", (panel,), alt="a")).data
    np.testing.assert_allclose(np.array(drawn.x) + drawn.error_x.array, [0.7, 0.7, 0.95])
    np.testing.assert_allclose(np.array(drawn.x) - drawn.error_x.arrayminus, [0.5, 0.7, 0.7])
    assert on_paper(Chart("t", (panel,), alt="a")).axes[0].lines


def test_a_band_is_drawn_between_its_limits():
    drawn = on_screen(chart(Line(X, Y, low=Y - 0.1, high=Y + 0.05))).data[0]
    assert list(drawn.y) == [*(Y + 0.05), *(Y - 0.1)[::-1]]


def test_cells_carry_their_words():
    cells = Cells(("a", "b"), ("one", "two"), np.array([[0.1, np.nan], [0.5, 1.0]]), (("10", ""), ("50", "100")))
    drawn = on_screen(chart(cells)).data[0]
    assert [list(row) for row in drawn.text] == [["10", ""], ["50", "100"]]
    words = {text.get_text() for text in on_paper(chart(cells)).axes[0].texts}
    assert {"10", "50", "100"} <= words


def test_where_there_is_nothing_the_words_stand_instead():
    empty = chart(words="too few cases: 3 positive, 90 negative patients")
    assert "too few cases" in on_screen(empty).layout.annotations[-1].text
    assert any("too few cases" in text.get_text() for text in on_paper(empty).axes[0].texts)


def test_several_panels_share_one_legend():
    panel = Panel(Axis(), Axis(), (Line(X, Y, "curve"), Rule("diagonal"), Rule("x", 0.5), Rule("y", 0.5)), "one")
    figure = on_screen(Chart("t", (panel,) * 5, alt="a", columns=3))
    assert [trace.showlegend for trace in figure.data if trace.name == "curve"] == [True, False, False, False, False]
    (legend,) = on_paper(Chart("t", (panel,) * 5, alt="a", columns=3)).legends
    assert [text.get_text() for text in legend.get_texts()] == ["curve"]


def test_svg_is_text_with_its_title_and_the_notice_and_the_same_bytes_twice():
    drawn = chart(Line(X, Y, "curve"))
    svg = as_svg(drawn)
    assert svg == as_svg(drawn)
    root = ElementTree.fromstring(svg)
    words = " ".join(root.itertext())
    assert "A title" in words
    assert "What it shows" in words
    assert NOTICE in words
    assert "across" in words
    assert b"http://" not in svg.replace(b"http://www.w3.org", b"").replace(b"http://purl.org", b"").replace(
        b"http://creativecommons.org", b""
    )


def test_png_says_what_it_shows():
    with Image.open(io.BytesIO(as_png(chart(Line(X, Y)), dpi=60))) as image:
        assert image.text["Warning"] == NOTICE
        assert image.text["Description"] == "What it shows"
