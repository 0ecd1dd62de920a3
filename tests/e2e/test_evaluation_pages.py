"""The pages of a run in Chromium: nothing overlaps at either width, figures and report open by themselves."""

import re

import pytest

from cxr_core.labels import NOTICE
from cxr_core.store import RunStore
from tests.browser import browsing, scrolls_sideways, serving, wait_until_drawn
from tests.runs import made_up, made_up_boxes, record_of

pytestmark = pytest.mark.e2e

PAGES = ("admin", "evaluation", "readers", "subgroups", "localisation", "training_data")

OVERLAPS = """() => [...document.querySelectorAll('.js-plotly-plot')].flatMap(plot =>
  ['.xtick text', '.ytick text', '.legendtext'].flatMap(kind => {
    // of slanted words the boxes overlap and the words do not
    const level = t => !/rotate\\((?!0[,)])/.test(t.getAttribute('transform') || '')
    const boxes = [...plot.querySelectorAll(kind)].filter(level).map(t => [t.textContent, t.getBoundingClientRect()])
      .filter(([, b]) => b.width > 0)
    return boxes.flatMap(([one, a], i) => boxes.slice(i + 1).filter(([, b]) =>
      a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 2 && b.top < a.bottom - 2)
      .map(([other]) => one + ' / ' + other))
  }))"""

# what is written in cells shrinks with them, until nobody can read it
TINY = """() => [...document.querySelectorAll('.js-plotly-plot text')].filter(t => t.getBoundingClientRect().width > 0)
  .filter(t => parseFloat(getComputedStyle(t).fontSize) < 9).map(t => t.textContent)"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    store = RunStore(folder=folder)
    predictions = made_up(400, readers=5)
    thresholds = dict.fromkeys(predictions.labels.tolist()[:10], 0.35)
    record = record_of(predictions, thresholds=thresholds, operating_point="default")
    store.add(record, predictions, made_up_boxes(predictions))
    # whose report is drawn in seconds
    few = made_up(60, labels=("Effusion", "Mass"))
    store.add(record_of(few, "few", created="2026-01-01T00:00:00+00:00"), few)
    store.close()
    with serving(SECOND_READ_RUNS=str(folder)) as served:
        yield served


def open_run(page, address, name, size="400 images of 200 patients"):
    page.goto(f"{address}/{name}")
    page.wait_for_selector(".js-plotly-plot .main-svg")
    # the newest of one's own runs stands first, before those that come with the project
    if name != "training_data":
        page.wait_for_selector(f"text={size}")
    wait_until_drawn(page)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_no_page_overflows_and_no_label_lies_on_another(chromium, address, size):
    with browsing(chromium, *size) as page:
        for name in PAGES:
            open_run(page, address, name)
            assert scrolls_sideways(page) == [], name
            assert page.evaluate(OVERLAPS) == [], name
            assert NOTICE in page.locator(".sr-notice").inner_text()
            for plot in page.locator("[data-testid=stPlotlyChart]").all():
                assert plot.evaluate("p => !!p.closest('[aria-label]') || !!p.querySelector('[aria-label]')"), name
            assert page.evaluate(TINY) == [], name


def test_a_figure_as_svg_and_the_report_open_without_a_network(chromium, address, tmp_path):
    with browsing(chromium) as page:
        open_run(page, address, "evaluation?run=few", size="60 images of 30 patients")
        page.locator("button", has_text=re.compile("Download")).first.click()  # not the icon "download"
        with page.expect_download() as waited:
            page.locator("button", has_text="Figure, SVG").first.click()
        waited.value.save_as(tmp_path / "auc.svg")
        page.keyboard.press("Escape")
        page.locator("button", has_text="Export run").click()
        with page.expect_download() as waited:
            page.locator("button", has_text="Report, HTML").click()
        waited.value.save_as(tmp_path / "report.html")
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"file://{tmp_path / 'auc.svg'}")
        assert page.evaluate("document.documentElement.nodeName") == "svg"
        assert "AUC per label" in page.evaluate("document.documentElement.textContent")
        page.goto(f"file://{tmp_path / 'report.html'}")
        assert page.locator("figure svg").count() >= 2
        assert NOTICE in page.locator("body").inner_text()
        assert all(url.startswith("file:") for url in asked), asked


def test_the_mouse_moves_the_operating_point_and_the_numbers_beside_it(chromium, address):
    with browsing(chromium) as page:
        open_run(page, address, "evaluation")
        row = page.locator("tr", has_text="sensitivity").filter(has_not_text="specificity").first
        before = row.inner_text()
        slider = page.locator("[data-testid=stSliderThumbValue]").locator("..")
        slider.scroll_into_view_if_needed()
        box = slider.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(box["x"] - 160, box["y"] + box["height"] / 2, steps=8)
        page.mouse.up()
        # of the same row; there is none while the page is drawn again
        now = """[...document.querySelectorAll('tr')].map((row) => row.innerText)
          .find((text) => /sensitivity/i.test(text) && !/specificity/i.test(text))"""
        page.wait_for_function(f"before => {{ const now = {now}; return now && now !== before; }}", arg=before)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_the_address_of_a_figure_opens_the_page_at_it(chromium, address, size):
    in_sight = """() => {
      const heading = document.activeElement
      const {top} = heading.getBoundingClientRect()
      return heading.tagName === 'H2' && top >= 0 && top < innerHeight ? heading.textContent : ''
    }"""
    with browsing(chromium, *size) as page:
        open_run(page, address, "evaluation?run=a-run&label=Hernia&reference=experts")
        page.locator("button", has_text=re.compile("Download")).last.click()
        link = page.locator("[data-testid=stCode]", has_text="figure=").last.inner_text().strip()
        title = page.locator("h2.sr-chart").last.inner_text()
    assert link.startswith(f"{address}/evaluation?")
    with browsing(chromium, *size) as page:
        page.goto(link)
        page.wait_for_function(f"title => ({in_sight})() === title", arg=title)
        # from then on the reader scrolls
        page.mouse.move(size[0] / 2, size[1] / 2)
        page.mouse.wheel(0, -3000)
        page.wait_for_function(f"() => ({in_sight})() === ''")
        page.wait_for_timeout(600)
        assert page.evaluate(in_sight) == ""


@pytest.mark.slow
def test_a_reload_and_the_back_button_give_the_view_of_their_address(chromium, address):
    label = "input[aria-label*='Label (positive images)']"
    shown = "label => [...document.querySelectorAll('h2')].some(h => h.textContent.includes(`, ${label}`))"
    with browsing(chromium) as page:
        open_run(page, address, "subgroups?run=a-run&label=Hernia&reference=experts")
        page.wait_for_function(shown, arg="Hernia")
        assert page.title() == "a run · Subgroups · Second Read"
        page.locator(label).fill("Mass")
        page.keyboard.press("Enter")
        page.wait_for_function(shown, arg="Mass")
        assert "label=Mass" in page.url
        page.reload()
        page.wait_for_function(shown, arg="Mass")
        page.go_back()
        page.wait_for_function(shown, arg="Hernia")
        assert "run=a-run" in page.url
        assert "reference=experts" in page.url
        assert "label=Hernia" in page.url
