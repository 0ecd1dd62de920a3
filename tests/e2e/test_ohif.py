"""Results in a viewer that hospitals use: OHIF shows what Orthanc holds, and the pictures on its screen are ours."""

import base64
import io
import time

import numpy as np
import pytest
from PIL import Image

from cxr_core.imaging import phantom_dicom
from cxr_core.report.dicom.identification import SERIES
from tests.browser import browsing
from tests.dicom_results import objects, parsed, report_image

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PANE = "[data-cy=viewport-pane]"
ALIKE, UNLIKE = 0.9, 0.5
"""Correlations of the screen with the picture that it shows, and with others."""

_DOCUMENT = """async () => {
  const content = await (await fetch(document.querySelector("object[type='application/pdf']").data)).blob();
  return await new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.readAsDataURL(content);
  });
}"""


@pytest.fixture
def results(orthanc, predictor):
    """Results of a phantom, by name, as Orthanc returns them; beside the phantom it holds nothing else."""
    data = phantom_dicom(512, 448, SeriesDescription="PA", StudyDate="20261127")
    image = report_image(data, predictor, above=("Effusion", "Mass"))
    made = objects(image, predictor.card, data)
    for content in (data, *made.values()):
        orthanc.store(content)
    returned = {name: orthanc.file(parsed(content).SOPInstanceUID) for name, content in made.items()}
    assert returned == made
    return {name: parsed(content) for name, content in returned.items()}


def on_screen(page) -> np.ndarray:
    """The pane of the viewer, (rows, columns, 3) uint8."""
    with Image.open(io.BytesIO(page.locator(PANE).screenshot())) as image:
        return np.asarray(image.convert("RGB"))


def likeness(screen, picture) -> float:
    """The correlation of the screen with a picture that fills it, where the picture is."""
    rows, columns = screen.shape[:2]
    scale = min(rows / picture.shape[0], columns / picture.shape[1])
    height, width = (round(scale * side) for side in picture.shape[:2])
    expected = np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BOX))
    top, left = (rows - height) // 2, (columns - width) // 2
    shown = screen[top : top + height, left : left + width]
    return float(np.corrcoef(shown.ravel(), expected.ravel())[0, 1]) if shown.std() else 0.0


def wait_until(page, holds, seconds=120):
    """Wait until a condition of the screen holds, and return what it returned last."""
    end = time.monotonic() + seconds
    while not (last := holds(on_screen(page))) and time.monotonic() < end:
        page.wait_for_timeout(300)
    return last


def open_series(page, kind):
    page.locator(f"[data-series='{SERIES[kind].number}']").dblclick()


def test_the_pages_of_findings_and_the_report_are_on_the_screen(chromium, ohif, results, tmp_path):
    pages = {name: file.pixel_array for name, file in results.items() if name.startswith("sc")}
    # of findings, and of maps
    assert len(pages) >= 3
    with browsing(chromium) as page:
        page.goto(f"{ohif}/viewer?StudyInstanceUIDs={results['sr'].StudyInstanceUID}")
        page.locator("text=Skip all").click()
        for kind, series in SERIES.items():
            entry = page.locator(f"[data-series='{series.number}']")
            assert series.description in entry.inner_text(), kind

        def shows(name):
            found = wait_until(page, lambda screen: likeness(screen, pages[name]) > ALIKE)
            page.screenshot(path=tmp_path / f"{name}.png")
            assert found, name
            screen = on_screen(page)
            others = {other: likeness(screen, picture) for other, picture in pages.items() if other != name}
            assert max(others.values()) < likeness(screen, pages[name]), others
            assert others["sc-1" if name != "sc-1" else "sc-2"] < UNLIKE

        open_series(page, "sc")
        shows("sc-1")
        page.locator(PANE).hover()
        page.mouse.wheel(0, 100)
        shows("sc-2")

        open_series(page, "pdf")
        page.wait_for_selector("object[type='application/pdf']")
        document = base64.b64decode(page.evaluate(_DOCUMENT).partition(",")[2])
        assert document == results["pdf"].EncapsulatedDocument[: results["pdf"].EncapsulatedDocumentLength]
        # a white page with text
        assert wait_until(page, lambda screen: (screen > 250).mean() > 0.2 and 0.01 < (screen < 30).mean() < 0.2)
        page.screenshot(path=tmp_path / "pdf.png")

        # nothing is drawn of the structured report, and the viewer goes on
        open_series(page, "sr")
        page.wait_for_selector("object", state="detached")
        open_series(page, "sc")
        # at the page where it was left
        assert wait_until(page, lambda screen: max(likeness(screen, picture) for picture in pages.values()) > ALIKE)
