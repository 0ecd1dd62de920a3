"""The prior study beside the current image: each under its own patient and date, with linked views."""

import hashlib
import re

import pytest

from cxr_core.imaging import phantom, phantom_dicom
from cxr_core.labels import NOTICE
from tests.browser import browsing, open_front_page, upload, viewer_state

pytestmark = pytest.mark.e2e

JANE = {"PatientName": "DOE^Jane", "PatientID": "QZ7"}
JOHN = {"PatientName": "ROE^John", "PatientID": "QZ8"}


def image(seed: int, uid: str, **elements) -> bytes:
    values = phantom(320 + seed, 280, seed=seed)
    return phantom_dicom(values=values, StudyInstanceUID=uid, SOPInstanceUID=f"{uid}.{seed}", **elements)


CURRENT = image(1, "1.2.1", StudyDate="20261120", **JANE)
PRIOR = image(2, "1.2.2", StudyDate="20240102", **JANE)
OTHER = image(3, "1.2.3", StudyDate="20261119", **JOHN)


def state_of_prior(page) -> dict[str, str]:
    return page.locator("canvas.prior").evaluate("canvas => ({...canvas.dataset})")


def wait_for_prior(page) -> None:
    page.wait_for_selector(f'canvas.prior[data-sha="{hashlib.sha256(PRIOR).hexdigest()}"]')


def show(page, data: bytes) -> None:
    digest = hashlib.sha256(data).hexdigest()
    page.evaluate("id => window.secondRead.show(id)", digest)
    page.wait_for_selector(f'canvas.radiograph[data-sha="{digest}"]')


def test_a_prior_stands_beside_under_its_own_date_and_follows_window_and_zoom(page):
    upload(page, ("new.dcm", CURRENT), ("old.dcm", PRIOR), ("other.dcm", OTHER))
    page.wait_for_function("() => window.secondRead.worklist?.studies.flatMap(s => s.images).length === 3")
    show(page, CURRENT)
    page.wait_for_selector('[data-do="compare"]:not([disabled])')
    assert page.locator("canvas.prior").count() == 0
    page.locator("canvas.radiograph").hover()
    page.keyboard.press("v")
    wait_for_prior(page)
    captions = page.locator(".pane .caption").all_inner_texts()
    for caption, role, date in zip(captions, ("CURRENT", "PRIOR"), ("2026-11-20", "2024-01-02"), strict=True):
        assert [part in caption for part in ("DOE, Jane", date)] == [True, True]
        assert caption.upper().startswith(role)
    # linked
    page.keyboard.press("i")
    page.wait_for_selector('canvas.prior[data-invert="on"]')
    page.keyboard.press("r")
    page.wait_for_selector('canvas.prior[data-turn="rotated 90°"]')
    before = state_of_prior(page)["zoom"]
    page.keyboard.press("+")
    page.wait_for_selector(f'canvas.prior:not([data-zoom="{before}"])')
    zooms = float(viewer_state(page)["zoom"]), float(state_of_prior(page)["zoom"])
    assert zooms[0] / zooms[1] == pytest.approx(322 / 321, rel=0.01)
    # not linked: the window of one is its own
    page.keyboard.press("k")
    page.keyboard.press("i")
    page.wait_for_selector('canvas.radiograph[data-invert="off"]')
    assert state_of_prior(page)["invert"] == "on"
    # in full screen, out of sight of the page, each image still has its patient, and the notice is there
    page.keyboard.press("x")
    page.wait_for_function("() => document.fullscreenElement !== null")
    assert page.locator(".viewer .notice").inner_text() == NOTICE
    assert page.locator(".caption .patient").all_inner_texts() == ["DOE, Jane · QZ7"] * 2
    page.keyboard.press("x")
    page.wait_for_function("() => document.fullscreenElement === null")
    # another patient without a prior: nothing of this one stays
    show(page, OTHER)
    page.wait_for_selector("canvas.prior", state="detached")
    assert page.locator('[data-do="compare"]').is_disabled()
    show(page, CURRENT)
    wait_for_prior(page)
    page.keyboard.press("v")
    page.wait_for_selector("canvas.prior", state="detached")


def test_on_a_wide_screen_the_prior_is_beside_unasked(address, chromium):
    with browsing(chromium, 1920, 1080) as page:
        open_front_page(page, address)
        upload(page, ("new.dcm", CURRENT), ("old.dcm", PRIOR))
        page.wait_for_function("() => window.secondRead.worklist?.studies.flatMap(s => s.images).length === 2")
        show(page, CURRENT)
        wait_for_prior(page)


def test_no_image_is_ever_drawn_while_another_patient_is_named(page):
    upload(page, ("new.dcm", CURRENT), ("other.dcm", OTHER))
    page.wait_for_function("() => window.secondRead.worklist?.studies.flatMap(s => s.images).length === 2")
    show(page, CURRENT)
    seen = page.locator("canvas.radiograph").evaluate(
        """async (canvas, id) => {
          const seen = [];
          window.secondRead.show(id);
          for (let i = 0; i < 20; i++) {
            seen.push(canvas.dataset.sha ?? "");
            await new Promise(requestAnimationFrame);
          }
          return seen;
        }""",
        hashlib.sha256(OTHER).hexdigest(),
    )
    assert hashlib.sha256(CURRENT).hexdigest() not in seen


def test_the_window_goes_with_the_study_on_request(page):
    lateral = image(4, "1.2.1", StudyDate="20261120", ViewPosition="LL", **JANE)
    upload(page, ("new.dcm", CURRENT), ("lateral.dcm", lateral), ("other.dcm", OTHER))
    page.wait_for_function("() => window.secondRead.worklist?.studies.flatMap(s => s.images).length === 3")
    show(page, CURRENT)
    page.locator("canvas.radiograph").hover()
    page.keyboard.press("b")
    box = page.locator("canvas.radiograph").bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 150)
    page.mouse.down()
    page.mouse.move(box["x"] + 240, box["y"] + 190)
    page.mouse.up()
    page.wait_for_selector('canvas.radiograph:not([data-window="2048/4096"])')
    window = viewer_state(page)["window"]
    show(page, lateral)
    page.wait_for_selector(f'canvas.radiograph[data-window="{window}"]')
    show(page, OTHER)
    assert viewer_state(page)["window"] == "2048/4096"


def test_the_wheel_goes_to_the_next_image_by_choice(page):
    upload(page, ("new.dcm", CURRENT), ("other.dcm", OTHER))
    page.wait_for_function("() => window.secondRead.worklist?.studies.flatMap(s => s.images).length === 2")
    show(page, CURRENT)
    page.locator("canvas.radiograph").hover()
    zoom = viewer_state(page)["zoom"]
    page.keyboard.press("?")
    page.locator("select.wheel").select_option("image")
    page.keyboard.press("Escape")
    page.mouse.wheel(0, 100)
    page.wait_for_selector(f'canvas.radiograph[data-sha="{hashlib.sha256(OTHER).hexdigest()}"]')
    page.wait_for_timeout(400)
    page.mouse.wheel(0, -100)
    page.wait_for_selector(f'canvas.radiograph[data-sha="{hashlib.sha256(CURRENT).hexdigest()}"]')
    assert float(viewer_state(page)["zoom"]) == pytest.approx(float(zoom))


def test_a_prior_is_fetched_again_where_the_connection_was_lost(page):
    upload(page, ("new.dcm", CURRENT), ("old.dcm", PRIOR))
    page.wait_for_function("() => window.secondRead.worklist?.studies.flatMap(s => s.images).length === 2")
    show(page, CURRENT)
    page.wait_for_selector('[data-do="compare"]:not([disabled])')
    digest = hashlib.sha256(PRIOR).hexdigest()
    page.evaluate("id => { secondRead.forget(id); }", digest)
    lost = []

    def lose(route) -> None:
        lost.append(route)
        route.abort("connectionreset")

    address = re.compile(f"/worklist/images/{digest}")
    page.route(address, lose)
    page.locator("canvas.radiograph").hover()
    page.keyboard.press("v")
    for _ in range(600):
        if len(lost) >= 2:
            break
        page.wait_for_timeout(100)
    assert len(lost) >= 2
    page.unroute(address)
    wait_for_prior(page)
