"""What the viewer says of the pixel under the pointer, and its scale bar, against pixels and header of the file."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from cxr_core.imaging import phantom, phantom_dicom, phantom_png, read_radiograph
from tests.browser import browsing, map_switched, open_front_page, upload, viewer_state

pytestmark = pytest.mark.e2e

VALUES = phantom(700, 600)
TWO_FRAMES = "() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
CALIBRATED = {"PixelSpacing": [0.25, 0.25], "ImagerPixelSpacing": None}


def shown(page, data: bytes, name: str = "image.dcm") -> None:
    """Add an image, and return when all its pixels are on the canvas, without a map."""
    upload(page, (name, data))
    map_switched(page, on=False)
    page.wait_for_selector('canvas.radiograph[data-pixels="full"]')


def pointed(page, x: float, y: float) -> str:
    """Move the pointer to a place of the canvas, from 0 to 1 in both directions; return what is said of the pixel."""
    box = page.locator("canvas.radiograph").bounding_box()
    page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.evaluate(TWO_FRAMES)
    return page.locator(".pane.current .pixel").text_content()


def pixel_at(page, x: float, y: float, columns: int, rows: int) -> tuple[int, int]:
    """Return row and column of the pixel at a place of the canvas, of a view that is neither rotated nor flipped."""
    state = viewer_state(page)
    left, top = (int(part) for part in state["at"].split(","))
    box = page.locator("canvas.radiograph").bounding_box()
    # from the middle of the device pixel
    across, down = (np.floor(part) + 0.5 for part in (x * box["width"], y * box["height"]))
    column, row = (int((across - left) / float(state["zoom"])), int((down - top) / float(state["zoom"])))
    assert 0 <= column < columns
    assert 0 <= row < rows
    return row, column


def test_the_pixel_under_the_pointer_has_its_own_value_in_the_units_of_the_header_at_any_zoom(page):
    elements = {
        "RescaleSlope": 0.5,
        "RescaleIntercept": -1024,
        "RescaleType": "HU",
        "WindowCenter": 0,
        "WindowWidth": 2048,
    }
    shown(page, phantom_dicom(values=VALUES, **elements))
    for action in ("fit", "one", "in"):
        page.locator(f'[data-do="{action}"]').click()
        for place in ((0.5, 0.5), (0.45, 0.31), (0.52, 0.7)):
            text = pointed(page, *place)
            row, column = pixel_at(page, *place, 600, 700)
            value = VALUES[row, column] * 0.5 - 1024
            assert text == f"row {row}, column {column}: {value:g} HU", action
    # no live region: a screen reader says nothing of it
    live = "node => node.closest('[aria-live], [role=status], [role=alert], [role=log]') === null"
    assert page.locator(".pane.current .pixel").evaluate(live)
    assert page.locator(".pane.current .pixel").get_attribute("aria-hidden") == "true"
    # beside the image, and beside the canvas
    page.locator('[data-do="fit"]').click()
    assert pointed(page, 0.02, 0.5) == ""
    assert pointed(page, 0.5, 0.5) != ""
    page.locator("select.presets").hover()
    page.wait_for_selector(".pane.current .pixel:empty", state="attached")


def test_a_value_has_no_digits_that_come_of_the_32_bits_in_which_it_is_computed(page):
    stored = (16 * VALUES + np.random.default_rng(4).integers(0, 16, VALUES.shape)).astype(np.uint16)
    rescale = {"RescaleSlope": 0.3, "RescaleIntercept": 7.7, "WindowCenter": 9600, "WindowWidth": 19200}
    shown(page, phantom_dicom(values=stored, BitsStored=16, HighBit=15, **rescale))
    for place in ((0.5, 0.5), (0.45, 0.31), (0.52, 0.7), (0.55, 0.4)):
        text = pointed(page, *place)
        row, column = pixel_at(page, *place, 600, 700)
        assert text == f"row {row}, column {column}: {round(stored[row, column] * 0.3 + 7.7, 1):g} US"


def test_a_value_has_no_digits_but_those_of_the_header(page):
    elements = {"RescaleSlope": "0.1", "RescaleIntercept": "0.05", "WindowCenter": 205, "WindowWidth": 410}
    shown(page, phantom_dicom(values=VALUES, **elements))
    page.locator('[data-do="one"]').click()
    for place in ((0.5, 0.5), (0.45, 0.31), (0.52, 0.7)):
        text = pointed(page, *place)
        row, column = pixel_at(page, *place, 600, 700)
        value = (10 * int(VALUES[row, column]) + 5) / 100
        assert text == f"row {row}, column {column}: {value:g} US"


def test_a_turned_view_and_another_window_say_the_same_of_a_pixel(page):
    shown(page, phantom_dicom(values=VALUES))
    page.locator('[data-do="one"]').click()
    page.wait_for_selector('canvas.radiograph[data-zoom="1"]')
    seen = set()
    for key in ("i", "r", "h", "r", "r"):
        pointed(page, 0.5, 0.5)
        page.keyboard.press(key)
        text = pointed(page, 0.47, 0.4)
        match = re.fullmatch(r"row (\d+), column (\d+): (\d+) US", text)
        row, column, value = (int(part) for part in match.groups())
        assert value == VALUES[row, column]
        seen.add((row, column))
    # the same place of the screen has another pixel after each turn
    assert len(seen) == 5


def test_while_reduced_pixels_alone_are_there_no_value_is_shown(page):
    values = phantom(1800, 1700)
    held, released = [], []
    page.route(lambda url: url.endswith("/pixels"), lambda route: route.continue_() if released else held.append(route))
    upload(page, ("large.dcm", phantom_dicom(values=values)))
    map_switched(page, on=False)
    page.wait_for_selector('canvas.radiograph[data-pixels="reduced"]')
    assert re.fullmatch(r"row \d+, column \d+: loading all pixels", pointed(page, 0.5, 0.5))
    released.append(True)
    for route in held:
        route.continue_()
    page.wait_for_selector('canvas.radiograph[data-pixels="full"]')
    # without another movement of the pointer
    expect(page.locator(".pane.current .pixel")).not_to_contain_text("loading")
    row, column = pixel_at(page, 0.5, 0.5, 1700, 1800)
    text = page.locator(".pane.current .pixel").text_content()
    assert text == f"row {row}, column {column}: {values[row, column]} US"


def test_a_value_without_a_unit_stands_alone_and_that_of_colours_is_named(page):
    colours = np.random.default_rng(9).integers(0, 256, (300, 260, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(colours).save(file, "PNG")
    for name, data, after in (("grey.png", phantom_png(300, 260), ""), ("colour.png", file.getvalue(), " (luma)")):
        upload(page, (name, data))
        image = read_radiograph(data)
        page.wait_for_selector(f'canvas.radiograph[data-sha="{image.sha256}"]')
        text = pointed(page, 0.5, 0.45)
        row, column = pixel_at(page, 0.5, 0.45, 260, 300)
        assert text == f"row {row}, column {column}: {image.values[row, column]:g}{after}"


# --- scale bar ---------------------------------------------------------------------------------------


def bar(page, pane: str = "current", text: str | None = None) -> tuple[float, float]:
    """Return the length that the scale bar of a pane states in mm, and its width on the screen in CSS pixels."""
    node = page.locator(f".pane.{pane} .scale-bar")
    node.wait_for()
    match = re.fullmatch(r"([\d.]+) mm(.*)", node.locator("span").text_content())
    if text is not None:
        assert match[2] == f" {text}"
    return float(match[1]), node.locator("i").bounding_box()["width"]


def zoom(page, canvas: str = "radiograph") -> float:
    return float(page.locator(f"canvas.{canvas}").get_attribute("data-zoom"))


@pytest.mark.parametrize("ratio", [1, 1.5])
def test_the_scale_bar_is_as_long_as_it_says_whatever_is_done_to_the_view(address, chromium, ratio):
    with browsing(chromium, 1440, 900, device_scale_factor=ratio) as page:
        open_front_page(page, address)
        shown(page, phantom_dicom(values=VALUES, **CALIBRATED))
        lengths = set()
        for action in ("fit", "one", "in", "in", "in", "rotate", "flip", "out", "out", "out", "out", "out", "out"):
            renders = viewer_state(page)["renders"]
            page.locator(f'[data-do="{action}"]').click()
            if action != "fit":
                page.wait_for_selector(f'canvas.radiograph:not([data-renders="{renders}"])')
            length, width = bar(page, text="calibrated")
            # 0.25 mm per pixel of the image, `zoom` pixels of the screen each
            assert width == pytest.approx(length / 0.25 * zoom(page) / ratio, abs=0.1), action
            assert width <= 0.25 * page.locator("canvas.radiograph").bounding_box()["width"] + 0.1
            assert f"{length:g}".strip("0.") in ("1", "2", "5")
            lengths.add(length)
        assert len(lengths) > 1


def test_there_is_no_scale_bar_without_a_spacing_and_it_says_what_it_is_measured_by(page):
    shown(page, phantom_dicom(640, 560, ImagerPixelSpacing=[0.5, 0.5]))
    length, width = bar(page, text="at the detector")
    assert width == pytest.approx(length / 0.5 * zoom(page), abs=0.1)
    without = phantom_dicom(640, 560, ImagerPixelSpacing=None)
    upload(page, ("without.dcm", without))
    page.wait_for_selector(f'canvas.radiograph[data-sha="{read_radiograph(without).sha256}"]')
    page.locator(".pane.current .scale-bar").wait_for(state="hidden")


def test_a_scale_bar_of_pixels_that_are_not_square_is_right_along_both_sides(page):
    # made square: 350 of the 700 rows of the stored image would be 0.5 mm apart
    shown(page, phantom_dicom(values=VALUES[::2], PixelSpacing=[0.5, 0.25], ImagerPixelSpacing=None))
    for _ in range(2):
        length, width = bar(page, text="calibrated")
        assert width == pytest.approx(length / 0.25 * zoom(page), abs=0.1)
        renders = viewer_state(page)["renders"]
        page.locator('[data-do="rotate"]').click()
        page.wait_for_selector(f'canvas.radiograph:not([data-renders="{renders}"])')


def test_the_prior_has_a_scale_bar_of_its_own_spacing(page):
    person = {"PatientName": "DOE^Jane", "PatientID": "QZ7"}
    new = phantom_dicom(
        values=VALUES, StudyInstanceUID="1.2.1", StudyDate="20261120", ImagerPixelSpacing=[0.2, 0.2], **person
    )
    old = phantom_dicom(values=VALUES[:600], StudyInstanceUID="1.2.2", StudyDate="20240102", **CALIBRATED, **person)
    upload(page, ("new.dcm", new), ("old.dcm", old))
    page.wait_for_function("() => window.secondRead.worklist?.studies.flatMap(s => s.images).length === 2")
    digest = read_radiograph(new).sha256
    page.evaluate("id => secondRead.show(id)", digest)
    page.wait_for_selector(f'canvas.radiograph[data-sha="{digest}"]')
    page.locator('[data-do="compare"]:not([disabled])').click()
    page.wait_for_selector(f'canvas.prior[data-sha="{read_radiograph(old).sha256}"]')
    for pane, canvas, spacing, text in (
        ("current", "radiograph", 0.2, "at the detector"),
        ("prior", "prior", 0.25, "calibrated"),
    ):
        length, width = bar(page, pane, text)
        assert width == pytest.approx(length / spacing * zoom(page, canvas), abs=0.1)
    # and the pixel under the pointer is that of the image under it
    box = page.locator("canvas.prior").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.evaluate(TWO_FRAMES)
    text = page.locator(".pane.prior .pixel").text_content()
    row, column, value = (int(part) for part in re.findall(r"\d+", text))
    assert value == VALUES[row, column]
    page.wait_for_selector(".pane.current .pixel:empty", state="attached")


def test_the_scale_bar_is_switched_by_a_key_and_a_setting_which_a_reload_keeps(page):
    shown(page, phantom_dicom(640, 560))
    page.locator(".pane.current .scale-bar").wait_for()
    page.locator("canvas.radiograph").hover()
    page.keyboard.press("Shift+L")
    page.locator(".pane.current .scale-bar").wait_for(state="hidden")
    # the key of the ruler alone is another one
    assert viewer_state(page)["tool"] == "window"
    page.reload()
    page.wait_for_selector("canvas.radiograph[data-sha]")
    assert page.locator(".pane.current .scale-bar").is_hidden()
    page.locator("canvas.radiograph").hover()
    page.keyboard.press("?")
    panel = page.locator("dialog.keys")
    panel.wait_for()
    assert "Scale bar in mm" in panel.inner_text()
    panel.get_by_label("Scale bar").check()
    page.keyboard.press("Escape")
    page.locator(".pane.current .scale-bar").wait_for()
