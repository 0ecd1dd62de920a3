"""The page in Chromium: what a radiologist does, and sees."""

import hashlib
import re

import numpy as np
import pytest
from playwright.sync_api import expect
from pydicom.dataset import Dataset

from cxr_core.imaging import phantom, phantom_dicom, phantom_png, read_radiograph, render8
from cxr_core.labels import LABELS, NOTICE
from tests.browser import (
    browsing,
    canvas_pixels,
    image_pixels,
    map_switched,
    open_front_page,
    scrolls_sideways,
    upload,
    viewer_state,
    wait_until_drawn,
)

pytestmark = pytest.mark.e2e

DICOM = phantom_dicom(640, 560)
PNG = phantom_png(512, 512)


def wait_for_image(page, data):
    digest = hashlib.sha256(data).hexdigest()
    page.wait_for_selector(f'canvas.radiograph[data-sha="{digest}"]')
    page.wait_for_function("sha => window.secondRead?.maps.has(sha)", arg=digest)


def choose(page, label):
    row = page.locator(f'.findings .row[data-label="{label}"]')
    if not row.is_visible():
        page.locator(".findings summary").click()
    row.click()
    page.wait_for_selector(f'canvas.radiograph[data-label="{label}"]')


def counting_reruns(page):
    """Count messages to the server from now on."""
    page.evaluate(
        """() => {
          window.sent = 0;
          const send = WebSocket.prototype.send;
          WebSocket.prototype.send = function (...a) { window.sent += 1; return send.apply(this, a); };
        }"""
    )
    return lambda: page.evaluate("window.sent")


def test_fourteen_findings_are_accounted_for_of_a_dicom_and_a_png(page):
    upload(page, ("image.dcm", DICOM), ("image.png", PNG))
    wait_for_image(page, DICOM)
    page.wait_for_selector('.worklist .entry[data-status="read"] >> nth=1')
    for index, data in ((0, DICOM), (1, PNG)):
        page.locator(".worklist .entry").nth(index).click()
        wait_for_image(page, data)
        rows = page.locator(".findings .row").evaluate_all("rows => rows.map(row => row.dataset.label)")
        assert sorted(rows) == sorted(LABELS)
        folded = page.locator(".findings details .row").count()
        assert page.locator(".findings summary .count").inner_text() == f"Not evaluated ({folded})"
    assert page.locator(f"text={NOTICE}").is_visible()


def test_the_address_of_the_page_by_its_name_opens_it(address, chromium):
    with browsing(chromium) as page:
        page.goto(f"{address}/second_opinion")
        page.wait_for_selector("text=A second opinion on a chest X-ray")
        assert page.url == f"{address}/"
        assert page.locator("text=Page not found").count() == 0


def test_the_viewer_shows_the_image_to_the_grey_level(page):
    upload(page, ("image.dcm", DICOM))
    wait_for_image(page, DICOM)
    map_switched(page, on=False)
    page.locator('[data-do="one"]').click()
    page.wait_for_selector('canvas.radiograph[data-zoom="1"]')
    x, y = (int(part) for part in viewer_state(page)["at"].split(","))
    shown = canvas_pixels(page)[:, :, 0]
    grey = render8(read_radiograph(DICOM))
    top, left = max(0, -y), max(0, -x)
    part = shown[max(0, y) : y + grey.shape[0], max(0, x) : x + grey.shape[1]]
    np.testing.assert_array_equal(part, grey[top : top + part.shape[0], left : left + part.shape[1]])


def test_choosing_a_finding_changes_the_map(page):
    upload(page, ("image.dcm", DICOM))
    wait_for_image(page, DICOM)
    seen = set()
    for label in ("Effusion", "Cardiomegaly"):
        choose(page, label)
        map_switched(page, on=True)
        seen.add(hashlib.sha256(canvas_pixels(page).tobytes()).hexdigest())
        assert "contribution to the score (logit)" in page.locator(".legend").inner_text()
    assert len(seen) == 2


def test_opacity_window_and_zoom_ask_the_server_for_nothing(page):
    upload(page, ("image.dcm", DICOM))
    wait_for_image(page, DICOM)
    choose(page, "Effusion")
    map_switched(page, on=True)
    page.wait_for_selector("text=Small changes of the image: the state of")
    wait_until_drawn(page)
    page.wait_for_timeout(1500)
    sent = counting_reruns(page)
    before = canvas_pixels(page)
    slider = page.locator("input.opacity")
    for value in (20, 90):
        slider.evaluate("(s, v) => { s.value = v; s.dispatchEvent(new Event('input', {bubbles: true})); }", value)
        page.wait_for_selector(f'canvas.radiograph[data-opacity="{value / 100:.2f}"]')
    assert (canvas_pixels(page) != before).any()
    box = page.locator("canvas.radiograph").bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, box["y"] + 240)
    page.mouse.up()
    page.wait_for_selector('canvas.radiograph:not([data-window="2048/4096"])')
    page.mouse.wheel(0, -300)
    page.locator('[data-do="invert"]').click()
    page.wait_for_selector('canvas.radiograph[data-invert="on"]')
    assert sent() == 0


def test_the_original_is_one_key_away_and_comes_back(page):
    upload(page, ("image.dcm", DICOM))
    wait_for_image(page, DICOM)
    map_switched(page, on=False)
    untouched = canvas_pixels(page)
    choose(page, "Effusion")
    map_switched(page, on=True)
    page.locator("canvas.radiograph").hover()
    assert (canvas_pixels(page) != untouched).any()
    page.keyboard.press("o")
    page.wait_for_selector('canvas.radiograph[data-mode="original"]')
    np.testing.assert_array_equal(canvas_pixels(page), untouched)
    page.keyboard.press("o")
    page.wait_for_selector('canvas.radiograph[data-mode="overlay"][data-map="on"]')
    assert (canvas_pixels(page) != untouched).any()


def test_the_files_other_windows_are_offered(page):
    elements = {"WindowCenter": [2048, 1000], "WindowWidth": [4096, 500]}
    data = phantom_dicom(640, 560, WindowCenterWidthExplanation=["NORMAL", "HARDER"], **elements)
    upload(page, ("image.dcm", data))
    wait_for_image(page, data)
    map_switched(page, on=False)
    page.locator('[data-do="one"]').click()
    page.wait_for_selector('canvas.radiograph[data-zoom="1"]')
    page.locator("select.presets").select_option("harder")
    page.wait_for_selector('canvas.radiograph[data-preset="harder"][data-window="1000/500"]')
    assert page.locator(".corner.right.top").inner_text() == "C 1000  W 500"
    grey = render8(read_radiograph(phantom_dicom(640, 560, WindowCenter=1000, WindowWidth=500)))
    x, y = (int(part) for part in viewer_state(page)["at"].split(","))
    shown = canvas_pixels(page)[:, :, 0]
    part = shown[max(0, y) : y + grey.shape[0], max(0, x) : x + grey.shape[1]]
    top, left = max(0, -y), max(0, -x)
    np.testing.assert_array_equal(part, grey[top : top + part.shape[0], left : left + part.shape[1]])


def test_two_images_that_differ_in_one_patch_never_share_an_answer(page):
    values = phantom(768, 768)
    other = values.copy()
    other[400:405, 300:305] = 4095
    one, two = phantom_dicom(values=values), phantom_dicom(values=other)
    answers = []
    for name, data in (("one", one), ("two", two)):
        if page.locator("input[type=file]").count() == 0:
            page.locator("text=Add images").click()
        upload(page, (name, data))
        wait_for_image(page, data)
        # the script rests: a run under way would still choose the image before
        page.wait_for_selector("text=Small changes of the image: the state of")
        digest = hashlib.sha256(data).hexdigest()
        answers.append(page.evaluate("sha => JSON.stringify(window.secondRead.maps.get(sha).maps)", digest))
    assert answers[0] != answers[1]


def test_image_first_keeps_findings_and_maps_out_of_the_browser_until_a_key(page):
    upload(page, ("image.dcm", DICOM))
    wait_for_image(page, DICOM)
    page.locator("text=Read first").click()
    page.wait_for_selector("text=Show findings")
    page.wait_for_selector(".findings .row", state="detached")
    assert page.locator(".worklist .state").all_inner_texts() == ["read"]
    digest = hashlib.sha256(DICOM).hexdigest()
    page.wait_for_function("sha => !window.secondRead.maps.has(sha)", arg=digest)
    page.locator("canvas.radiograph").click()
    page.keyboard.press("s")
    wait_for_image(page, DICOM)
    assert page.locator(".findings .row").count() == 14


def test_refusals_stand_beside_what_was_read(page):
    upload(page, ("good.png", PNG), ("words.dcm", b"some words"), ("ct.dcm", phantom_dicom(64, 64, Modality="CT")))
    wait_for_image(page, PNG)
    page.wait_for_selector(".worklist .entry.unreadable")
    page.wait_for_selector(".worklist .entry.refused")
    page.locator(".worklist .entry.unreadable").click()
    page.wait_for_selector("text=it is text")
    page.locator(".worklist .entry.refused").click()
    page.wait_for_selector("text=This image was not read")


def test_a_turned_image_is_shown_upright_once_it_is_turned_back(page):
    upright = phantom(512, 448)
    data = phantom_dicom(values=np.ascontiguousarray(np.rot90(upright, 2)))
    upload(page, ("turned.dcm", data))
    page.wait_for_selector("text=This image was not read")
    page.wait_for_selector(f'canvas.radiograph[data-sha="{hashlib.sha256(data).hexdigest()}"]')
    before = image_pixels(page, 512, 448)[:, :, 0].astype(int)
    page.locator("button", has_text="Rotate 180° clockwise and read").click()
    wait_for_image(page, data)
    map_switched(page, on=False)
    after = image_pixels(page, 512, 448)[:, :, 0]
    assert np.abs(after - before).mean() > 10
    assert np.abs(after - before[::-1, ::-1]).mean() < 3


def test_a_mirrored_image_is_shown_the_right_way_round_when_asked(page):
    stored = np.ascontiguousarray(phantom(512, 448, text=False)[:, ::-1])
    data = phantom_dicom(values=stored, PatientOrientation=["R", "F"])
    upload(page, ("mirrored.dcm", data))
    wait_for_image(page, data)
    page.wait_for_selector(".warnings >> text=Patient Orientation says that the image is mirrored")
    map_switched(page, on=False)
    before = image_pixels(page, 512, 448)[:, :, 0].astype(int)
    page.locator("button", has_text="Correct orientation and read again: mirror").click()
    page.wait_for_selector(".warnings >> text=Patient Orientation says that the image is mirrored", state="detached")
    wait_for_image(page, data)
    map_switched(page, on=False)
    after = image_pixels(page, 512, 448)[:, :, 0]
    assert np.abs(after - before).mean() > 3
    assert np.abs(after - before[:, ::-1]).mean() < 3


HOLD_FRAMES = """() => {
  window.held = [];
  window.drawFrames = window.requestAnimationFrame;
  window.requestAnimationFrame = (frame) => window.held.push(frame);
}"""
DRAW_FRAMES = """() => {
  window.requestAnimationFrame = window.drawFrames;
  for (const frame of window.held) frame(performance.now());
}"""


def test_the_legend_is_of_the_pixels_after_a_correction_while_the_tab_was_not_in_sight(page):
    data = phantom_dicom(values=np.ascontiguousarray(phantom(512, 448, text=False)[:, ::-1]))
    digest = hashlib.sha256(data).hexdigest()
    upload(page, ("looks-mirrored.dcm", data))
    wait_for_image(page, data)
    maps = "id => Object.entries(secondRead.maps.get(id).maps).map(([label, map]) => [label, map.place])"
    before = dict(page.evaluate(maps, digest))
    label = next(label for label, place in before.items() if re.search(r"\b(left|right)\b", place))
    choose(page, label)
    map_switched(page, on=True)
    page.wait_for_selector(f'.legend >> text="{before[label]}."')
    # a browser draws no frame of a tab that is not in sight
    page.evaluate(HOLD_FRAMES)
    page.locator("button", has_text="Show it the right way round and read again: mirror").click()
    page.wait_for_function(
        "id => secondRead.pixelsNow(id)?.version.includes('mirrored') && secondRead.maps.has(id)", arg=digest
    )
    page.evaluate(DRAW_FRAMES)
    after = dict(page.evaluate(maps, digest))
    assert after[label] != before[label]
    page.wait_for_selector(f'.legend >> text="{after[label]}."')


def test_pixels_that_are_overtaken_by_a_correction_are_never_shown(page):
    stored = np.ascontiguousarray(phantom(512, 448, text=False)[:, ::-1])
    data = phantom_dicom(values=stored, PatientOrientation=["R", "F"])
    digest = hashlib.sha256(data).hexdigest()
    held = []
    # the first answer stays on its way until the image was mirrored and read again
    page.route("**/pixels*", lambda route: held.append((route, route.fetch())) if not held else route.continue_())
    upload(page, ("mirrored.dcm", data))
    page.locator("button", has_text="Correct orientation and read again: mirror").click()
    page.wait_for_selector(".warnings >> text=Patient Orientation says that the image is mirrored", state="detached")
    page.wait_for_selector(".findings .row")
    page.wait_for_selector(f'canvas.radiograph[data-sha="{digest}"]')
    route, response = held[0]
    route.fulfill(response=response)
    page.wait_for_timeout(1500)
    versions = "id => [window.secondRead.pixelsNow(id).version, window.secondRead.images.get(id).pixelsVersion]"
    shown, read = page.evaluate(versions, digest)
    assert shown == read
    assert "mirrored" in shown


def test_an_image_that_looks_mirrored_is_mirrored_when_asked_and_back(page):
    # a phantom is drawn the right way round, and its file says nothing of it
    data = phantom_dicom(values=np.ascontiguousarray(phantom(512, 448, text=False)[:, ::-1]))
    upload(page, ("looks-mirrored.dcm", data))
    wait_for_image(page, data)
    page.wait_for_selector(".warnings >> text=left and right look exchanged")
    page.locator("button", has_text="Show it the right way round and read again: mirror").click()
    page.wait_for_selector("text=mirrored on request")
    page.wait_for_selector(".warnings >> text=left and right look exchanged", state="detached")
    page.locator("button", has_text="Undo mirroring and read again").click()
    page.wait_for_selector(".warnings >> text=left and right look exchanged")
    page.wait_for_selector("text=mirrored on request", state="detached")


def test_a_table_that_shows_nearly_nothing_is_shown_by_its_own_maximum_when_asked(page):
    item = Dataset()
    item.LUTDescriptor = [4096, 0, 16]
    item["LUTDescriptor"].VR = "US"
    item.add_new("LUTData", "OW", np.arange(4096).astype("<u2").tobytes())
    data = phantom_dicom(512, 448, VOILUTSequence=[item], WindowCenter=None, WindowWidth=None)
    upload(page, ("dark.dcm", data))
    page.wait_for_selector("text=This image was not read")
    page.wait_for_selector("text=declares 65535 as its largest entry and reaches 4095")
    page.wait_for_selector(f'canvas.radiograph[data-sha="{hashlib.sha256(data).hexdigest()}"]')
    before = canvas_pixels(page)
    page.locator("button", has_text="Scale the VOI LUT to its own maximum and read again").click()
    wait_for_image(page, data)
    map_switched(page, on=False)
    rows, columns = before.shape[0] // 3, before.shape[1] // 3
    middle = np.s_[rows:-rows, columns:-columns, 0]
    assert before[middle].max() <= 16  # 4095 of 65535
    assert canvas_pixels(page)[middle].mean() > 60


def test_results_survive_a_page_switch(page):
    upload(page, ("image.dcm", DICOM))
    wait_for_image(page, DICOM)
    page.get_by_role("link", name="Model").first.click()
    page.wait_for_selector("text=Model facts")
    page.get_by_role("link", name="Second opinion").first.click()
    wait_for_image(page, DICOM)
    # the browser has kept them, and the list of them is drawn after the image
    expect(page.locator(".findings .row")).to_have_count(14)


def test_downloads_are_what_they_say(page, tmp_path):
    import csv
    import io
    import json

    from PIL import Image

    upload(page, ("image.dcm", DICOM))
    wait_for_image(page, DICOM)
    page.locator("text=Download").click()
    taken = {}
    for kind in ("CSV", "JSON", "Overlay", "Sheet"):
        # a click while the script runs again may be lost
        wait_until_drawn(page)
        with page.expect_download() as download:
            page.locator("button", has_text=kind).last.click()
        taken[kind] = (tmp_path / kind).as_posix()
        download.value.save_as(taken[kind])
    with open(taken["CSV"]) as file:
        assert len(list(csv.DictReader(file))) == 14
    with open(taken["JSON"]) as file:
        assert len(json.loads(file.readline())["findings"]) == 14
    for kind in ("Overlay", "Sheet"):
        with open(taken[kind], "rb") as file:
            assert Image.open(io.BytesIO(file.read())).text["Disclaimer"] == NOTICE


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_nothing_is_wider_than_the_screen(address, chromium, width, height):
    with browsing(chromium, width, height) as page:
        open_front_page(page, address)
        upload(page, ("image.dcm", DICOM))
        wait_for_image(page, DICOM)
        assert scrolls_sideways(page) == []
        page.goto(f"{address}/model")
        page.wait_for_selector("text=Model facts")
        assert scrolls_sideways(page) == []


def test_nothing_is_asked_of_another_machine(address, chromium):
    with browsing(chromium) as page:
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        open_front_page(page, address)
        upload(page, ("image.dcm", DICOM))
        wait_for_image(page, DICOM)
        page.goto(f"{address}/model")
        page.wait_for_selector("text=Model facts")
        strangers = [url for url in asked if not url.startswith((address, "data:", "blob:"))]
        assert strangers == []


NOTE_WHERE_THE_DOWNLOADS_ARE = """() => {
  window.places = [];
  const look = () => {
    const panel = document.querySelector(".st-key-of-image[data-follows]");
    const title = [...(panel?.querySelectorAll("summary") ?? [])].find((one) => one.innerText.includes("Download"));
    if (title) window.places.push(Math.round(title.getBoundingClientRect().top + scrollY));
    requestAnimationFrame(look);
  };
  look();
}"""


def test_the_downloads_stay_where_they_are_once_they_can_be_clicked(page):
    page.evaluate(NOTE_WHERE_THE_DOWNLOADS_ARE)
    upload(page, ("image.dcm", phantom_dicom(512, 448)))
    page.wait_for_selector("text=Small changes of the image: the state of")
    wait_until_drawn(page)
    places = page.evaluate("window.places")
    assert max(places) - min(places) <= 4, sorted(set(places))
