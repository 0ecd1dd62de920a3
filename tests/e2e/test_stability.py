"""Small changes of the image in Chromium: the findings are there first, then the mark."""

import pytest

from cxr_core.imaging import phantom_dicom
from tests.browser import browsing, open_front_page, serving, upload

pytestmark = pytest.mark.e2e


@pytest.mark.slow
def test_the_mark_comes_after_the_findings_and_names_the_change(chromium, edge_model):
    with (
        serving(SECOND_READ_HOME=str(edge_model.parent), SECOND_READ_MODEL=edge_model.name) as address,
        browsing(chromium) as page,
    ):
        open_front_page(page, address)
        # the number of marks in the list, from its first row on
        page.evaluate(
            """() => {
              const rows = (root) => [...root.querySelectorAll('*')].flatMap((node) => [
                ...(node.matches('.findings .row') ? [node] : []),
                ...(node.shadowRoot ? rows(node.shadowRoot) : []),
              ]);
              window.marks = [];
              setInterval(() => {
                const now = rows(document);
                if (now.length) window.marks.push(now.filter((row) => row.querySelector('.unstable')).length);
              }, 30);
            }"""
        )
        upload(page, ("image.dcm", phantom_dicom(256, 224)))
        page.locator("text=Download").click()
        mark = page.locator('.findings .row[data-label="Effusion"] .unstable')
        mark.wait_for()
        assert mark.get_attribute("aria-label") == "changes under small changes of the image"
        assert "crop of 4 % at each edge" in mark.get_attribute("title")
        assert page.locator(".findings .unstable").count() == 1
        # what was opened before the mark came stays open
        page.wait_for_timeout(1000)
        assert page.locator("button", has_text="JSON").last.is_visible()
        note = page.locator("summary", has_text="Small changes of the image: the state of 1 of 14 evaluated findings")
        # by the time the mark is there, the list without it was
        marks = page.evaluate("window.marks")
        assert marks[0] == 0
        assert marks[-1] == 1
        note.click()
        page.get_by_text("The image was read again as another export might give it").wait_for()
