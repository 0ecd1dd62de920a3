"""Studies from the DICOM network in the browser: they appear by themselves, are opened, and say where results went."""

from contextlib import closing

import pytest
from playwright.sync_api import expect

from cxr_core.imaging import phantom_dicom
from cxr_core.settings import settings
from cxr_core.store.pacs_store import PacsStore
from tests.browser import browsing, open_front_page, scrolls_sideways, serving
from tests.received import built, order

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PEOPLE = (("Doe^Jane", "7", "20251120"), ("Doe^Jane", "7", "20261126"), ("Roe^Richard", "8", "20261127"))


def receive(store, number):
    """Receive an image of a study of its own, and plan its job."""
    name, patient, date = PEOPLE[number]
    data = phantom_dicom(
        256, 224, PatientName=name, PatientID=patient, StudyDate=date, StudyInstanceUID=f"1.2.3.{number}",
        SeriesInstanceUID=f"1.2.3.{number}.1", SOPInstanceUID=f"1.2.3.{number}.1.1",
    )  # fmt: skip
    instance = store.add_instance(data, "AE CT1").instance
    store.plan(instance.sop_instance_uid, [order()])


def finish(store):
    job = store.lease("worker-1", 60)
    for state in ("read", "built", "sent", "verified"):
        job = store.advance(job, state, results=[built()] if state == "built" else ())
        if state == "built":
            for result in store.results(job.id):
                store.mark_result(job, result, "sent")
                store.mark_result(job, result, "verified")


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_a_received_study_appears_and_is_opened_with_its_prior(chromium, own_folders, size):
    # nobody listens to port 9
    own_folders.setenv("SECOND_READ_PACS", "ARCHIVE@127.0.0.1:9")
    settings.cache_clear()
    with serving() as address, browsing(chromium, *size) as page, closing(PacsStore()) as store:
        open_front_page(page, address)
        page.wait_for_selector(".worklist", state="attached")
        for number in range(3):
            receive(store, number)
        # without a reload
        page.wait_for_selector(".received .entry >> nth=2")
        page.locator(".received .entry", has_text="Doe, Jane").first.click()
        page.wait_for_selector("canvas.radiograph[data-label]")
        page.wait_for_selector("text=Show prior of 2025-11-20")
        page.wait_for_selector(".study-header .origin:has-text('from CT1; results in work')")
        for _ in range(3):
            finish(store)
        page.wait_for_selector(".study-header .origin:has-text('results at archive: sr verified')")
        if size[0] < 900:
            page.locator(".worklist .toggle").click()
        left = page.locator(".received .entry")
        expect(left).to_have_count(1, timeout=60_000)
        page.locator(".worklist .search").fill("nobody")
        page.wait_for_selector(".worklist .none")
        page.locator(".worklist .search").fill("roe")
        left.focus()
        page.keyboard.press("Enter")
        page.wait_for_selector(".study-header .name:has-text('Roe, Richard')")
        page.wait_for_selector(".received", state="detached")
        assert scrolls_sideways(page) == []
