"""Probabilities on the page, in Chromium: assumed, explained, written into files."""

import json

import pytest

from cxr_core.imaging import phantom_png
from tests.browser import browsing, open_front_page, scrolls_sideways, serving, upload, wait_until_drawn

pytestmark = pytest.mark.e2e

IMAGE = phantom_png(256, 224)


@pytest.fixture(scope="module")
def address(calibrated_models):
    with serving(SECOND_READ_HOME=str(calibrated_models), SECOND_READ_MODEL="enriched") as address:
        yield address


def button(page, words):
    return page.locator("button:visible", has_text=words).first


def row(page, label):
    return page.locator(f'.findings .row[data-label="{label}"]')


@pytest.mark.parametrize(("width", "height"), [(1440, 900), pytest.param(390, 844, marks=pytest.mark.slow)])
def test_a_prevalence_is_assumed_and_every_number_says_so(address, chromium, width, height):
    with browsing(chromium, width, height) as page:
        open_front_page(page, address)
        upload(page, ("image.png", IMAGE))
        row(page, "Effusion").wait_for()
        assert "score" in row(page, "Effusion").inner_text()
        row(page, "Effusion").click()
        page.wait_for_selector(".details dd")
        assert page.locator(".details .interval").count() == 0
        button(page, "Local prevalence").click()
        page.get_by_label("Effusion, % of images").fill("20")
        # small changes of the image wait until the dialog is closed: their rerun would close it
        page.wait_for_timeout(3000)
        button(page, "Apply").click()
        page.wait_for_selector(".sr-assumed:has-text('Effusion 20%')")
        page.wait_for_selector(".details .interval")
        assert "probability" in row(page, "Effusion").inner_text()
        assert "score" in row(page, "Mass").inner_text()
        explanation = page.locator(".details .interval").get_attribute("title")
        assert "calibration curve" in explanation
        assert "not the uncertainty about this patient" in explanation
        # the interval is drawn on the bar, around the end of the value
        span = row(page, "Effusion").locator(".bar u").bounding_box()
        bar = row(page, "Effusion").locator(".bar").bounding_box()
        assert bar["x"] <= span["x"] < span["x"] + span["width"] <= bar["x"] + bar["width"] + 1
        assert scrolls_sideways(page) == []
        page.locator("text=Download").click()
        with page.expect_download() as download:
            button(page, "JSON").click()
        record = json.loads(download.value.path().read_text())
        assert record["assumed_prevalence"] == {"Effusion": pytest.approx(0.2)}
        assert record["flagged_without_findings"]["images"] > 0


def test_the_model_page_shows_calibration_on_a_narrow_screen(address, chromium):
    with browsing(chromium, 390, 844) as page:
        page.goto(f"{address}/model")
        page.wait_for_selector("text=Model facts")
        # slopes, reliability and curve, beside what was there before
        page.wait_for_function("() => document.querySelectorAll('.js-plotly-plot').length >= 6")
        wait_until_drawn(page)
        assert scrolls_sideways(page) == []
