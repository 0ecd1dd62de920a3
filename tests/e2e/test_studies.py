"""Studies in the browser: grouped by patient and visit, with the patient's identity on the screen and nowhere else."""

import pytest

from cxr_core.imaging import phantom_dicom, phantom_png
from tests.browser import upload, wait_until_drawn

pytestmark = pytest.mark.e2e


def radiograph(number: int, name: str, patient: str, uid: str, **elements) -> bytes:
    return phantom_dicom(
        128 + number,
        112,
        **{"PatientName": name, "PatientID": patient, "StudyInstanceUID": uid, "SOPInstanceUID": f"{uid}.{number}"},
        **elements,
    )


def test_eight_images_of_three_patients_are_listed_by_study_and_named_on_the_screen_only(page):
    upload(
        page,
        ("j2.dcm", radiograph(1, "DOE^Jane", "QZ7", "1.2.1", ViewPosition="LL", StudyDate="20261120")),
        ("j1.dcm", radiograph(2, "DOE^Jane", "QZ7", "1.2.1", StudyDate="20261120")),
        ("old.dcm", radiograph(3, "DOE^Jane", "QZ7", "1.2.2", StudyDate="20240102")),
        ("r1.dcm", radiograph(4, "ROE^John", "QZ8", "1.2.3", StudyDate="20261119")),
        ("r2.dcm", radiograph(5, "ROE^John", "QZ8", "1.2.3", ViewPosition="LL")),
        ("s.dcm", radiograph(6, "POE^Sam", "QZ9", "1.2.4")),
        ("plain.png", phantom_png(128, 112)),
        ("words.txt", b"some words"),
    )
    # three are sent at a time, and the last may be answered first
    page.wait_for_selector('.worklist .counts >> text="8 images"')
    page.wait_for_selector(".worklist .entry.unreadable")
    assert page.locator(".worklist .study .name").all_inner_texts() == [
        "DOE, Jane",
        "DOE, Jane",
        "ROE, John",
        "POE, Sam",
        "No patient data",
        "Refused or cannot be read (1)",
    ]
    details = page.locator(".worklist .details").all_inner_texts()
    assert details == ["QZ7 · 2026-11-20", "QZ7 · 2024-01-02", "QZ8 · 2026-11-19", "QZ9"]
    first = page.locator(".worklist .study").first
    assert first.locator(".view").all_inner_texts() == ["PA", "lateral"]
    assert first.locator(".file").all_inner_texts() == ["j1.dcm", "j2.dcm"]
    page.wait_for_function("() => !document.querySelector('[data-testid=stProgress]')")
    # across the border of two studies by the keyboard
    page.locator(".worklist .entry").nth(1).click()
    page.wait_for_selector('.worklist .entry[aria-current="true"] >> text=j2.dcm')
    page.wait_for_selector(".study-header >> text=DOE, Jane")
    # the script run that follows the choice may mount the strip anew, between the focus and the key
    page.wait_for_function("() => window.secondRead.announced === null")
    wait_until_drawn(page)
    page.locator(".worklist .entry").nth(1).press("ArrowDown")
    page.wait_for_selector('.worklist .entry[aria-current="true"] >> text=old.dcm')
    page.locator(".worklist .entry").nth(0).click()
    page.get_by_role("button", name="Show prior of 2024-01-02").click()
    page.wait_for_selector('.worklist .entry[aria-current="true"] >> text=old.dcm')
    page.locator(".worklist .entry").nth(3).click()
    page.wait_for_selector(".study-header >> text=ROE, John")
    assert "DOE" not in page.locator(".study-header").inner_text()
    stored = page.evaluate(
        "() => JSON.stringify([location.href, document.title, {...localStorage}, {...sessionStorage}, document.cookie])"
    )
    for part in ("DOE", "Jane", "QZ7", "ROE", "QZ8"):
        assert part not in stored
