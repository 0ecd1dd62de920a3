"""The viewer's tools with mouse and keyboard, as on a workstation."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from cxr_core.imaging import phantom, phantom_dicom, phantom_png, read_radiograph, render8
from tests.browser import browsing, canvas_pixels, image_pixels, map_switched, open_front_page, upload, viewer_state

pytestmark = pytest.mark.e2e

DICOM = phantom_dicom(640, 560, ImagerPixelSpacing=[0.5, 0.5])


@pytest.fixture
def viewer(page):
    """The viewer at 1:1 without a map; gives the page and a function from pixels of the image to points of the page."""
    upload(page, ("image.dcm", DICOM))
    map_switched(page, on=False)
    page.locator('[data-do="one"]').click()
    page.wait_for_selector('canvas.radiograph[data-zoom="1"]')

    def point(x: float, y: float) -> tuple[float, float]:
        box = page.locator("canvas.radiograph").bounding_box()
        left, top = (int(part) for part in viewer_state(page)["at"].split(","))
        return box["x"] + left + x + 0.5, box["y"] + top + y + 0.5

    return page, point


def drag(page, start, end, button="left"):
    page.mouse.move(*start)
    page.mouse.down(button=button)
    page.mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    page.mouse.move(*end)
    page.mouse.up(button=button)


def state(page, name: str, pattern: str) -> str:
    """Wait until what the viewer says of its canvas matches, and return it."""
    for _ in range(600):
        text = viewer_state(page)[name]
        if re.search(pattern, text):
            return text
        page.wait_for_timeout(100)
    raise AssertionError(f"{name} is {text}")


TWO_FRAMES = "() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))"


def test_the_image_is_painted_again_only_where_something_of_it_has_changed(viewer):
    page, _ = viewer
    page.evaluate(TWO_FRAMES)
    before = viewer_state(page)
    page.evaluate("() => secondRead.notify()")
    page.evaluate(TWO_FRAMES)
    assert viewer_state(page) == before
    page.locator("canvas.radiograph").hover()
    page.keyboard.press("i")
    state(page, "invert", "^on$")
    assert int(viewer_state(page)["renders"]) == int(before["renders"]) + 1


# small changes of the image are being read meanwhile, and each would bring its message again
NO_OTHER_MESSAGE = """async () => {
  secondRead.load = () => Promise.resolve(null);
  await secondRead.loading.get(secondRead.current);
}"""

READ_AGAIN = """() => {
  const image = secondRead.images.get(secondRead.current);
  secondRead.take({ ...image, findings: { ...image.findings, version: `${image.findings.version} again` } });
}"""


def test_findings_paint_the_image_again_only_where_a_map_of_them_is_drawn(viewer):
    page, _ = viewer
    page.evaluate(NO_OTHER_MESSAGE)
    page.evaluate(TWO_FRAMES)
    for shown, painted in (("off", 0), ("on", 1)):
        if viewer_state(page)["map"] != shown:
            page.locator("canvas.radiograph").hover()
            page.keyboard.press("m")
            state(page, "map", f"^{shown}$")
        before = int(viewer_state(page)["renders"])
        page.evaluate(READ_AGAIN)
        page.evaluate(TWO_FRAMES)
        assert int(viewer_state(page)["renders"]) == before + painted, shown


def test_two_rulers_give_millimetres_and_their_quotient(viewer):
    page, point = viewer
    page.locator("canvas.radiograph").hover()
    page.keyboard.press("l")
    state(page, "tool", "^measure$")
    before = viewer_state(page)["window"]
    drag(page, point(200, 300), point(300, 300))
    state(page, "rulers", r"1: 50\.0 mm at the detector")
    drag(page, point(150, 340), point(390, 520))
    assert state(page, "rulers", r"2: 150\.0 mm").splitlines()[1] == "1 / 2 = 0.33"
    assert "1 / 2 = 0.33" in page.locator(".corner.left.bottom").inner_text()
    # measuring changes neither window nor zoom, and a third line begins anew
    assert (viewer_state(page)["window"], viewer_state(page)["zoom"]) == (before, "1")
    drag(page, point(200, 300), point(200, 340))
    assert state(page, "rulers", r"^1: 20\.0 mm") == "1: 20.0 mm at the detector"
    page.keyboard.press("Delete")
    state(page, "rulers", "^$")


def test_two_lines_give_the_angle_between_them(viewer):
    page, point = viewer
    page.locator("canvas.radiograph").hover()
    page.keyboard.press("a")
    state(page, "tool", "^angle$")
    before = viewer_state(page)["window"]
    drag(page, point(150, 300), point(350, 300))
    state(page, "angle", "second line")
    # down by 100 over 200, and drawn from right to left: a line has no direction
    drag(page, point(350, 450), point(150, 350))
    assert state(page, "angle", "°") == f"angle {np.degrees(np.arctan(0.5)):.1f}°"
    assert "angle 26.6°" in page.locator(".corner.left.bottom").inner_text()
    assert (viewer_state(page)["window"], viewer_state(page)["rulers"]) == (before, "")
    # a turned view does not change it, and a third line begins anew
    page.keyboard.press("r")
    state(page, "turn", "90")
    assert viewer_state(page)["angle"] == "angle 26.6°"
    x, y = centre(page)
    drag(page, (x, y), (x + 60, y))
    state(page, "angle", "second line")
    page.keyboard.press("Delete")
    state(page, "angle", "^$")


def contrast(one: np.ndarray, other: np.ndarray) -> float:
    """Return the contrast of two colours, 0 to 255 (WCAG 2.2, relative luminance)."""

    def luminance(colour: np.ndarray) -> float:
        channel = colour / 255
        linear = np.where(channel <= 0.04045, channel / 12.92, ((channel + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_text_on_a_white_image_is_legible(page):
    values = phantom(640, 560)
    values[:120], values[-120:] = 4095, 4095
    values[:, :120], values[:, -120:] = 4095, 4095
    upload(page, ("bright.dcm", phantom_dicom(values=values, PatientOrientation=["L", "F"])))
    map_switched(page, on=True)
    page.keyboard.press("h")
    state(page, "turn", "flipped")
    styles = page.locator(":is(.corner, .edge, .turned):visible").evaluate_all(
        """nodes => nodes.map((node) => {
          const { color, backgroundColor } = getComputedStyle(node);
          return [node.textContent, color, backgroundColor];
        })"""
    )
    assert len(styles) == 9
    for text, colour, background in styles:
        *plate, alpha = (float(part) for part in re.findall(r"[\d.]+", background))
        behind = alpha * np.array(plate) + (1 - alpha) * 255
        written = np.array([float(part) for part in re.findall(r"[\d.]+", colour)[:3]])
        assert contrast(written, behind) >= 4.5, text


def test_a_file_without_spacing_is_measured_in_pixels(page):
    upload(page, ("image.dcm", phantom_dicom(640, 560, ImagerPixelSpacing=None)))
    map_switched(page, on=False)
    page.locator('[data-do="measure"]').click()
    box = page.locator("canvas.radiograph").bounding_box()
    drag(page, (box["x"] + 200, box["y"] + 200), (box["x"] + 300, box["y"] + 200))
    assert re.fullmatch(r"1: \d+ px \(no pixel spacing in this file\)", state(page, "rulers", "px"))


def test_right_zooms_middle_and_space_pan_and_a_double_click_fits(viewer):
    page, point = viewer
    window = viewer_state(page)["window"]
    at = viewer_state(page)["at"]
    drag(page, point(200, 300), point(240, 330), button="middle")
    moved = [int(part) for part in state(page, "at", f"^(?!{at}$)").split(",")]
    assert [new - int(old) for new, old in zip(moved, at.split(","), strict=True)] == [40, 30]
    page.keyboard.down(" ")
    drag(page, point(200, 300), point(160, 270))
    page.keyboard.up(" ")
    state(page, "at", f"^{at}$")
    drag(page, point(280, 320), point(280, 220), button="right")
    assert float(state(page, "zoom", r"^1\.[3-9]")) == pytest.approx(np.exp(0.5), rel=1e-6)
    assert viewer_state(page)["window"] == window
    page.locator("canvas.radiograph").dblclick()
    width, height = page.locator("canvas.radiograph").evaluate("canvas => [canvas.width, canvas.height]")
    assert float(state(page, "zoom", r"^(?!1\.64)")) == pytest.approx(min(width / 560, height / 640))
    drag(page, point(200, 200), point(260, 240))
    assert state(page, "window", f"^(?!{window}$)") != window


def test_the_magnifier_enlarges_under_the_pointer_only(viewer):
    page, point = viewer
    plain = canvas_pixels(page)
    page.locator('[data-do="lens"]').click()
    page.mouse.move(*point(280, 320))
    state(page, "lens", "^on$")
    page.wait_for_timeout(300)
    shown = canvas_pixels(page)
    x, y = (int(part) for part in viewer_state(page)["at"].split(","))
    assert (
        shown[y + 320 - 60 : y + 320 + 60, x + 280 - 60 : x + 280 + 60] != plain[y + 260 : y + 380, x + 220 : x + 340]
    ).any()
    np.testing.assert_array_equal(shown[:, x + 280 + 130 :], plain[:, x + 280 + 130 :])
    page.keyboard.press("g")
    state(page, "lens", "^off$")
    np.testing.assert_array_equal(canvas_pixels(page), plain)


def test_percentile_windows_are_offered_beside_those_of_the_file(viewer):
    page, _ = viewer
    options = page.locator("select.presets option").all_inner_texts()
    assert options == [
        "Default window",
        "Full range",
        "Lungs: darker part",
        "Soft tissue: middle part",
        "Bones: brighter part",
    ]
    before = viewer_state(page)["window"]
    page.locator("select.presets").select_option("Lungs: darker part")
    state(page, "window", f"^(?!{before}$)")
    lungs = viewer_state(page)["window"]
    page.locator("select.presets").select_option("Default window")
    state(page, "window", f"^{before}$")
    # by their place in the list; there is no ninth
    for key, window in (("3", lungs), ("9", lungs), ("w", before)):
        page.keyboard.press(key)
        page.wait_for_timeout(50)
        state(page, "window", f"^{window}$")


def centre(page) -> tuple[float, float]:
    box = page.locator("canvas.radiograph").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_a_line_pair_of_one_pixel_is_seen_at_1_to_1_on_the_canvas_and_on_the_screen(page):
    values = np.kron(phantom(600, 500), np.ones((5, 5), dtype=np.uint16))
    values[1400:1600, 1150:1350:2], values[1400:1600, 1151:1350:2] = 3500, 500
    data = phantom_dicom(values=values)
    upload(page, ("lines.dcm", data))
    map_switched(page, on=False)
    page.wait_for_selector('canvas.radiograph[data-pixels="full"]')
    page.locator('[data-do="one"]').click()
    page.wait_for_selector('canvas.radiograph[data-zoom="1"]')
    assert page.locator(".corner.right.bottom").inner_text() == "1:1  100 %"
    x, y = (int(part) for part in viewer_state(page)["at"].split(","))
    shown = canvas_pixels(page)[:, :, 0]
    grey = render8(read_radiograph(data))
    rows, columns = np.s_[1450:1550], np.s_[1200:1300]
    drawn = shown[1450 + y : 1550 + y, 1200 + x : 1300 + x]
    np.testing.assert_array_equal(drawn, grey[rows, columns])
    assert (np.abs(np.diff(drawn.astype(int), axis=1)) > 150).all()
    # the canvas itself is not resampled on its way to the screen
    box = page.locator("canvas.radiograph").bounding_box()
    with Image.open(io.BytesIO(page.screenshot())) as image:
        screen = np.asarray(image.convert("L"))
    # the browser moves it to whole pixels where the layout has fractions
    corners = [
        (int(corner_y) + 1450 + y, int(corner_x) + 1200 + x)
        for corner_y in {np.floor(box["y"]), np.ceil(box["y"])}
        for corner_x in {np.floor(box["x"]), np.ceil(box["x"])}
    ]
    assert any((screen[top : top + 100, left : left + 100] == drawn).all() for top, left in corners)


def test_all_pixels_of_a_large_image_are_fetched_again_where_that_failed_once(page):
    failed = []

    def fail_once(route):
        if "reduced" in route.request.url or failed:
            route.continue_()
        else:
            failed.append(route)
            route.abort("connectionreset")

    page.route("**/pixels*", fail_once)
    upload(page, ("large.png", phantom_png(1700, 1600)))
    page.wait_for_selector('canvas.radiograph[data-pixels="full"]')
    assert failed


def test_rotate_and_flip_turn_the_view_with_its_letters_and_rulers_and_are_marked(page):
    upload(page, ("image.dcm", phantom_dicom(640, 560, ImagerPixelSpacing=[0.5, 0.5], PatientOrientation=["L", "F"])))
    map_switched(page, on=False)
    page.locator('[data-do="one"]').click()
    page.wait_for_selector('canvas.radiograph[data-zoom="1"]')
    assert viewer_state(page)["letters"] == "R,H,L,F"
    upright, before = canvas_pixels(page)[:, :, 0], int(viewer_state(page)["at"].split(",")[0])
    page.locator('[data-do="flip"]').click()
    state(page, "turn", "^flipped left to right$")
    assert viewer_state(page)["letters"] == "L,H,R,F"
    assert page.locator(".turned").inner_text() == "View flipped left to right"
    after = int(viewer_state(page)["at"].split(",")[0])
    flipped = canvas_pixels(page)[60:-60, after + 100 : after + 460, 0]
    np.testing.assert_array_equal(flipped, upright[60:-60, before + 100 : before + 460][:, ::-1])
    page.locator('[data-do="flip"]').click()
    state(page, "turn", "^$")
    page.keyboard.press("r")
    state(page, "turn", "^rotated 90°$")
    assert viewer_state(page)["letters"] == "F,R,H,L"
    # a ruler of 100 pixels across the screen now runs along the columns of the image, and stays in its place on it
    page.keyboard.press("l")
    x, y = centre(page)
    drag(page, (x - 50, y), (x + 50, y))
    state(page, "rulers", r"1: 50\.0 mm")
    page.keyboard.press("r")
    state(page, "turn", "^rotated 180°$")
    assert state(page, "rulers", "mm").startswith("1: 50.0 mm")
    page.locator('[data-do="reset"]').click()
    state(page, "turn", "^$")
    assert page.locator(".turned").inner_text() == ""


@pytest.mark.parametrize("height", [900, 893])
def test_a_heat_map_turns_with_the_image(address, chromium, height):
    # with and without an odd pixel between the image and one side of its canvas
    with browsing(chromium, 1440, height) as page:
        open_front_page(page, address)
        upload(page, ("image.dcm", phantom_dicom(512, 512, PatientOrientation=["L", "F"])))
        map_switched(page, on=True)
        upright = image_pixels(page, 512, 512).astype(int)
        for _ in range(2):
            page.locator('[data-do="rotate"]').click()
        state(page, "turn", "^rotated 180°$")
        turned = image_pixels(page, 512, 512)[::-1, ::-1].astype(int)
    assert np.abs(turned - upright).mean() < 1.5
    # and the map is not the image: its colour is there
    assert np.abs(upright[:, :, 0] - upright[:, :, 2]).max() > 20


def test_a_file_that_does_not_state_its_orientation_gets_no_letters(viewer):
    page, _ = viewer
    assert viewer_state(page)["letters"] == ",,,"


def test_the_heat_map_is_off_an_outline_or_in_colour(page):
    upload(page, ("image.dcm", DICOM))
    map_switched(page, on=False)
    plain = canvas_pixels(page)
    shown = {"off": plain}
    for style in ("outline", "colour"):
        page.locator(f'[data-style="{style}"]').click()
        page.wait_for_selector(f'canvas.radiograph[data-map="on"][data-map-style="{style}"]')
        shown[style] = canvas_pixels(page)
        assert page.locator("input.opacity").is_enabled() == (style == "colour")
    changed = {style: (pixels != plain).any(axis=2).mean() for style, pixels in shown.items()}
    assert 0 == changed["off"] < changed["outline"] < 0.05 < changed["colour"]
    opacity = page.locator("input.opacity")
    before = float(opacity.input_value())
    page.keyboard.press(",")
    page.wait_for_function("before => secondRead.viewer.opacity < before / 100", arg=before)
    page.keyboard.press(".")
    page.wait_for_function("before => Math.abs(secondRead.viewer.opacity - before / 100) < 1e-6", arg=before)
    page.keyboard.press("c")
    state(page, "mapStyle", "^outline$")
    page.keyboard.press("m")
    state(page, "map", "^off$")


def test_keys_are_listed_by_a_key_and_do_nothing_while_somebody_types(viewer):
    page, _ = viewer
    page.keyboard.press("?")
    panel = page.locator("dialog.keys")
    panel.wait_for()
    listed = panel.inner_text()
    for text in (
        "Rotate the view by 90°",
        "cardiothoracic ratio",
        "Full screen",
        "Magnifier",
        "Prior study",
        "Angle between two lines",
    ):
        assert text in listed
    page.keyboard.press("Escape")
    panel.wait_for(state="hidden")
    page.evaluate(
        """() => {
          const field = document.createElement("input");
          field.id = "typed";
          document.body.append(field);
          field.focus();
        }"""
    )
    page.keyboard.type("rhif?x")
    assert page.locator("#typed").input_value() == "rhif?x"
    assert not panel.is_visible()
    assert (viewer_state(page)["turn"], viewer_state(page)["invert"]) == ("", "off")
    page.evaluate("document.querySelector('#typed').remove()")
    page.keyboard.press("r")
    state(page, "turn", "^rotated 90°$")


def test_the_viewer_fills_the_screen_and_the_whole_image_is_in_sight(page):
    upload(page, ("image.dcm", DICOM))
    map_switched(page, on=False)
    box = page.locator("canvas.radiograph").bounding_box()
    assert box["height"] >= 320
    assert box["y"] + box["height"] <= 900 - page.locator(".sr-notice").bounding_box()["height"]
    page.locator('[data-do="full"]').click()
    page.wait_for_function("() => document.fullscreenElement !== null")
    page.wait_for_function(
        "height => [...document.querySelectorAll('*')].some(node => node.shadowRoot?.querySelector('canvas.radiograph')"
        "?.clientHeight > height)",
        arg=box["height"] + 100,
    )
    page.keyboard.press("x")
    page.wait_for_function("() => document.fullscreenElement === null")


def touches(fingers, kind: str, *points: tuple[float, float]) -> None:
    fingers.send(
        "Input.dispatchTouchEvent",
        {"type": f"touch{kind}", "touchPoints": [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]},
    )


def resting_top(page, below: float = np.inf) -> float:
    """Wait until the canvas is above a place of the page and no longer moves, and return where its upper edge is."""
    before = None
    for _ in range(400):
        top = page.locator("canvas.radiograph").bounding_box()["y"]
        if top < below and top == before:
            return top
        before = top
        page.wait_for_timeout(150)
    raise AssertionError(f"the canvas is at {top}")


# a finger that moves later than this page expects, on a slow machine, would be one that is held
NO_HOLD = """() => {
  window.plainTimeout = window.setTimeout;
  window.setTimeout = (act, ms, ...rest) => (ms === 450 ? 0 : window.plainTimeout(act, ms, ...rest));
}"""
HOLD = "() => { window.setTimeout = window.plainTimeout; }"


def test_fingers_scroll_pinch_and_window_after_a_hold(address, chromium):
    with browsing(chromium, 390, 844, has_touch=True, is_mobile=True) as page:
        open_front_page(page, address)
        upload(page, ("image.dcm", DICOM))
        map_switched(page, on=False)
        page.locator("canvas.radiograph").scroll_into_view_if_needed()
        top = resting_top(page)
        fingers = page.context.new_cdp_session(page)
        before = viewer_state(page)
        x, y = centre(page)
        # a swipe
        page.evaluate(NO_HOLD)
        touches(fingers, "Start", (x, y))
        for step in range(1, 9):
            touches(fingers, "Move", (x, y - 15 * step))
        touches(fingers, "End")
        resting_top(page, top - 50)
        page.evaluate(HOLD)
        assert viewer_state(page)["window"] == before["window"]
        # two fingers
        x, y = centre(page)
        touches(fingers, "Start", (x - 30, y), (x + 30, y))
        for step in range(1, 6):
            touches(fingers, "Move", (x - 30 - 6 * step, y), (x + 30 + 6 * step, y))
        touches(fingers, "End")
        state(page, "zoom", f"^(?!{re.escape(before['zoom'])}$)")
        assert float(viewer_state(page)["zoom"]) == pytest.approx(2 * float(before["zoom"]), rel=0.05)
        # held, then dragged
        x, y = centre(page)
        top = page.locator("canvas.radiograph").bounding_box()["y"]
        touches(fingers, "Start", (x, y))
        page.wait_for_selector(".stage[data-holding]")
        for step in range(1, 6):
            touches(fingers, "Move", (x + 8 * step, y + 6 * step))
        touches(fingers, "End")
        state(page, "window", f"^(?!{before['window']}$)")
        assert page.locator("canvas.radiograph").bounding_box()["y"] == pytest.approx(top, abs=1)
        small = page.locator(".bar button:visible").evaluate_all(
            "nodes => nodes.filter(node => Math.min(node.clientWidth, node.clientHeight) < 24).length"
        )
        assert small == 0


@pytest.mark.parametrize("ratio", [1.25, 1.5])
def test_1_to_1_is_exact_where_the_display_is_scaled(address, chromium, ratio):
    lines = np.zeros((1200, 1300), dtype=np.uint16)
    lines[:, ::2] = 4000
    # a canvas that would begin and end at fractions of a device pixel
    with browsing(chromium, 1367, 801, device_scale_factor=ratio) as page:
        open_front_page(page, address)
        upload(page, ("lines.dcm", phantom_dicom(values=lines)))
        map_switched(page, on=False)
        page.locator('[data-do="one"]').click()
        page.wait_for_selector('canvas.radiograph[data-zoom="1"]')
        box = page.locator("canvas.radiograph").bounding_box()
        assert (box["x"] * ratio) % 1 == pytest.approx(0, abs=0.03) or (box["x"] * ratio) % 1 > 0.97
        with Image.open(io.BytesIO(page.screenshot())) as image:
            screen = np.asarray(image.convert("L")).astype(int)
        row = screen[round((box["y"] + box["height"] / 2) * ratio)]
        middle = round((box["x"] + box["width"] / 2) * ratio)
        assert (np.abs(np.diff(row[middle - 200 : middle + 200])) > 200).all()


def test_space_pans_after_a_finding_was_clicked(viewer):
    page, point = viewer
    page.locator(".panel .row").nth(1).click()
    map_switched(page, on=False)
    page.locator(".panel .row").nth(1).click()
    before = viewer_state(page)
    page.mouse.move(*point(200, 300))
    page.mouse.move(*point(201, 300))
    page.keyboard.down(" ")
    drag(page, point(201, 300), point(241, 330))
    page.keyboard.up(" ")
    state(page, "at", f"^(?!{before['at']}$)")
    assert viewer_state(page)["window"] == before["window"]
