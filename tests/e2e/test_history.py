"""The page History in Chromium: a read that was made is listed, opened as it was shown, and sent as an address."""

import hashlib

import pytest

from cxr_core.imaging import phantom_dicom
from tests.browser import browsing, open_front_page, serving, upload, viewer_state, wait_until_drawn
from tests.e2e.test_accessibility import barriers

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

DATA = phantom_dicom(256, 224, PatientName="Quendelzahn^Xaver", PatientID="QZ-4711")
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """The app with a store, patients included."""
    home = tmp_path_factory.mktemp("history")
    folders = {"SECOND_READ_HOME": str(home), "SECOND_READ_RUNS": str(home / "runs")}
    with serving(**folders, SECOND_READ_KEEP="store", SECOND_READ_IDENTITY="store") as address:
        yield address


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_a_read_is_listed_opened_and_sent(chromium, stored, axe, size):
    asked = []
    with browsing(chromium, *size, storage_state=None) as page:
        page.on("request", lambda request: asked.append(request.url))
        open_front_page(page, stored)
        upload(page, ("a.dcm", DATA))
        page.wait_for_selector(f'canvas.radiograph[data-sha="{DIGEST}"]')
        page.wait_for_selector(".findings .row")
        shown = page.locator(".findings .list .row .name").all_inner_texts()
        page.goto(f"{stored}/history")
        page.locator(".reads tbody tr").first.click()
        page.wait_for_selector(f'canvas.radiograph[data-sha="{DIGEST}"]')
        findings = page.locator(".stored tbody button").all_inner_texts()
        assert findings[: len(shown)] == shown
        # the pixels are those of the reading, and not fetched again and again
        before = len(asked)
        page.wait_for_timeout(2000)
        assert not [url for url in asked[before:] if "/pixels" in url]
        page.locator(".stored tbody button").first.click()
        page.wait_for_selector('canvas.radiograph:not([data-label=""])')
        assert viewer_state(page)["label"]
        assert page.locator(".sr-whose").inner_text().startswith("Quendelzahn, Xaver")
        wait_until_drawn(page)
        assert barriers(page, axe) == []
        page.get_by_role("button", name="Copy address").click()
        address = page.locator("code", has_text="/history?read=").inner_text()
        assert address == page.url
        page.keyboard.press("Escape")
        page.get_by_role("button", name="All reads").click()
        page.wait_for_selector(".reads tbody tr")
        wait_until_drawn(page)
        assert barriers(page, axe) == []
        page.go_back()
        page.wait_for_selector(".stored tbody button")
        page.get_by_role("button", name="Open in the worklist").click()
        page.wait_for_selector(".worklist .entry")
        page.wait_for_selector(f'canvas.radiograph[data-sha="{DIGEST}"]')
    # another browser of this machine
    with browsing(chromium, *size, locale="en-GB") as page:
        page.goto(address)
        page.wait_for_selector("text=Read of another reader.")
        page.wait_for_selector(f'canvas.radiograph[data-sha="{DIGEST}"]')
        assert page.get_by_role("button", name="Open in the worklist").count() == 0
    assert not [url for url in asked if "Quendelzahn" in url or "4711" in url]
