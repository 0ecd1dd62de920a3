"""Pages of findings and maps: what is on them, and that nothing is cut off."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import ImageFont

from cxr_core.explain import heat_map, overlay
from cxr_core.imaging import phantom_dicom, render8
from cxr_core.labels import NOTICE, display_name
from cxr_core.report.dicom import page_painter
from cxr_core.report.dicom.page_painter import BODY, MARGIN, PAPER, PagePainter
from cxr_core.report.dicom.secondary_capture import SIDE
from tests.dicom_results import PATIENT, objects, opinions, parsed, pixels, report_image


@pytest.fixture
def painted(monkeypatch):
    """Lines of text of every page that is painted from now on."""
    lines = []
    row = PagePainter.row

    def noted(self, cells, *args, **options):
        lines.extend(text for text, *_ in cells)
        return row(self, cells, *args, **options)

    monkeypatch.setattr(PagePainter, "row", noted)
    return lines


def test_one_page_of_findings_and_one_for_each_that_is_above(predictor, painted):
    # a lateral view is refused, and read on request
    data = phantom_dicom(1024, 896, ViewPosition="LL")
    image = report_image(data, predictor, above=("Mass", "Edema"), given=opinions("Mass", "present"), stability=True)
    above = [finding for finding in image.reading.ranked() if finding.state == "above"]
    made = objects(image, predictor.card, data, ["sc"])
    assert list(made) == [f"sc-{n}" for n in range(1, len(above) + 2)]
    assert painted.count(NOTICE) == len(made)
    for finding in image.reading.findings:
        assert painted.count(display_name(finding.label)) >= len(made)
    assert any("Reader: present" in text for text in painted)
    assert any("Read anyway: a test" in text for text in painted)
    for name, finding in zip(list(made)[1:], above, strict=True):
        heat = heat_map(image.reading, finding.label, predictor.card)
        shown = pixels(made[name])[MARGIN : MARGIN + 1024, MARGIN : MARGIN + 896]
        np.testing.assert_array_equal(shown, overlay(render8(image.radiograph()), heat))


@pytest.mark.parametrize(("rows", "columns"), [(169, 211), (2048, 300), (256, 224)])
def test_an_image_of_any_size_is_shown_whole(predictor, rows, columns):
    data = phantom_dicom(rows, columns)
    image = report_image(data, predictor, above=("Mass",))
    page = pixels(objects(image, predictor.card, data, ["sc"])["sc-2"])
    longer = max(rows, columns)
    height, width = round(rows * SIDE / longer), round(columns * SIDE / longer)
    assert page.shape[0] >= height + 2 * MARGIN
    shown = page[MARGIN : MARGIN + height, MARGIN : MARGIN + width]
    assert shown.std() > 5
    # the margin around it is empty
    assert (page[: MARGIN // 2] == PAPER).all()
    assert (page[:, : MARGIN // 2] == PAPER).all()
    assert (page[:, -MARGIN // 2 :] == PAPER).all()
    assert (page[-MARGIN // 2 :] == PAPER).all()


def test_no_page_shows_the_patient(predictor):
    """The same pixels of another patient give the same pages."""
    made = []
    for patient in ({}, PATIENT):
        data = phantom_dicom(256, 224, **patient)
        image = report_image(data, predictor, above=("Mass",))
        # the digest of the file is on the page
        image = replace(image, reading=replace(image.reading, sha256="0" * 64))
        made.append(objects(image, predictor.card, data, ["sc"]))
    for name in made[0]:
        np.testing.assert_array_equal(pixels(made[0][name]), pixels(made[1][name]))
        assert parsed(made[1][name]).BurnedInAnnotation == "NO"


def test_an_original_with_burned_in_text_stays_one(predictor):
    data = phantom_dicom(256, 224, BurnedInAnnotation="YES")
    made = objects(report_image(data, predictor), predictor.card, data, ["sc"])
    assert {parsed(content).BurnedInAnnotation for content in made.values()} == {"YES"}


@pytest.mark.parametrize("text", ["word " * 400, "W" * 500, "", " ", "ä" * 70 + " " + "short"])
def test_text_is_wrapped_within_its_column_and_none_is_lost(text):
    font = page_painter._font(BODY, True)
    assert isinstance(font, ImageFont.FreeTypeFont)
    lines = page_painter._wrap(text, font, 300)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(font.getlength(line) <= 300 for line in lines)
    painter = PagePainter(MARGIN, 300)
    painter.text(text, bold=True)
    page = painter.image(300 + 2 * MARGIN)
    assert (page[:, :MARGIN] == PAPER).all()
    assert (page[:, MARGIN + 302 :] == PAPER).all()
    assert (page[-MARGIN // 2 :] == PAPER).all()
