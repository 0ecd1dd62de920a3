"""The reading page in Chromium: many studies, the whole job by the keyboard, and where everything is on the screen."""

import hashlib
import json
import re

import pytest
from playwright.sync_api import expect

from cxr_core.imaging import phantom_dicom
from cxr_core.labels import NOTICE
from tests.browser import (
    answered_dialogs,
    browsing,
    open_front_page,
    scrolls_sideways,
    serving,
    upload,
    viewer_state,
    wait_until_drawn,
)

pytestmark = pytest.mark.e2e

PATIENTS = (("DOE^Jane", "QZ71"), ("ROE^John", "QZ72"), ("POE^Sam", "QZ73"), ("LOE^Mary", "QZ74"))


def radiograph(number: int, name: str, patient: str, uid: str, **elements) -> bytes:
    return phantom_dicom(
        128 + number,
        112,
        **{"PatientName": name, "PatientID": patient, "StudyInstanceUID": uid, "SOPInstanceUID": f"{uid}.{number}"},
        **elements,
    )


def eight_studies() -> list[tuple[str, bytes]]:
    """Return two studies of each of four patients: a current one with its lateral view first, and a prior one."""
    files = []
    for number, (name, patient) in enumerate(PATIENTS):
        current = {"StudyDate": f"2026112{number}", "AccessionNumber": f"ACC8{number}", "StudyDescription": "Thorax"}
        files += [
            (f"l{number}.dcm", radiograph(4 * number, name, patient, f"1.7.{number}", ViewPosition="LL", **current)),
            (f"c{number}.dcm", radiograph(4 * number + 1, name, patient, f"1.7.{number}", **current)),
            (f"p{number}.dcm", radiograph(4 * number + 2, name, patient, f"1.8.{number}", StudyDate="20240102")),
        ]
    return files


def wait_until_read(page, number: int) -> None:
    """Wait until so many images are read or refused, and Streamlit rests."""
    done = ":is(.read, .refused, .unreadable)"
    page.wait_for_selector(f".worklist .entry{done} >> nth={number - 1}")
    page.wait_for_function("() => !document.querySelector('[data-testid=stProgress]')")
    page.wait_for_selector(".st-key-of-image[data-follows]")


def current(page) -> str:
    """Return the file name of the entry that is chosen."""
    return page.locator('.worklist .entry[aria-current="true"] .file').inner_text()


def focused(page) -> str:
    """Return the text of the element that has the focus, also within a component."""
    return page.evaluate(
        """() => {
          let node = document.activeElement;
          while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
          return node?.innerText ?? '';
        }"""
    )


def wait_for_focus(page, name: str) -> None:
    """Wait until an entry of the worklist has the focus, by the first two words of its text."""
    for _ in range(600):
        if focused(page).split()[:2] == name.split()[:2]:
            return
        page.wait_for_timeout(100)
    raise AssertionError(focused(page))


def test_eight_studies_of_four_patients_are_on_the_screen_and_nowhere_else(chromium, tmp_path):
    audit = tmp_path / "audit.jsonl"
    with (
        serving(SECOND_READ_AUDIT=str(audit), SECOND_READ_HOME=str(tmp_path / "home")) as address,
        browsing(chromium) as page,
    ):
        requests = []
        page.on("request", lambda request: requests.append(request.url))
        open_front_page(page, address)
        upload(page, *eight_studies())
        wait_until_read(page, 12)
        studies = page.locator(".worklist .study")
        assert studies.count() == 8
        for number in range(8):
            study, (name, patient) = studies.nth(number), PATIENTS[number // 2]
            assert study.locator(".name").inner_text() == name.replace("^", ", ")
            assert study.locator(".details").inner_text().startswith(patient)
            views = ["PA"] if number % 2 else ["PA", "lateral"]
            assert study.locator(".view").all_inner_texts() == views
        page.locator(".worklist .entry", has_text="c2.dcm").click()
        page.wait_for_selector(".study-header >> text=POE, Sam")
        page.wait_for_selector(".study-header .prior")
        header = page.locator(".study-header").inner_text()
        for part in ("ID QZ73", "Study of 2026-11-22", "Thorax", "accession ACC82", "Show prior of 2024-01-02"):
            assert part in header
        page.locator(".worklist .search").fill("acc81")
        page.locator(".worklist .study .name").nth(1).wait_for(state="detached")
        assert page.locator(".worklist .study .name").all_inner_texts() == ["ROE, John"]
        stored = page.evaluate(
            "() => JSON.stringify([location.href, document.title, document.cookie, localStorage, sessionStorage])"
        )
        page.locator("text=Download").first.click()
        # a click while the script runs again may be lost
        wait_until_drawn(page)
        with page.expect_download():
            page.locator("button", has_text="JSON").last.click()
    written = [audit.read_text()] if audit.exists() else []
    written += [file.read_text(errors="replace") for file in (tmp_path / "home").rglob("*.json*")]
    assert any("export" in text for text in written)
    for name, patient in PATIENTS:
        for part in (*name.split("^"), patient):
            assert part not in stored + json.dumps(requests)
            assert not any(part in text for text in written)


SHOWN = """() => {
  const inner = (query, node) => (node.shadowRoot && find(query, node.shadowRoot)) ?? [];
  const find = (query, root) => root.querySelector(query)
    ?? [...root.querySelectorAll('*')].flatMap((node) => inner(query, node))[0];
  window.shown = new Set();
  setInterval(() => {
    const [name, canvas] = [find('.study-header h2', document), find('canvas.radiograph', document)];
    if (canvas?.dataset.sha) window.shown.add(`${name?.textContent} ${canvas.dataset.sha}`);
  }, 2);
}"""


def test_no_image_is_ever_under_the_name_of_another_patient(page):
    files = eight_studies()
    upload(page, *files)
    wait_until_read(page, 12)
    page.locator(".worklist .entry").first.click()
    page.wait_for_selector("canvas.radiograph[data-sha]")
    page.evaluate(SHOWN)
    # at first pixels are fetched, also of images that are left before they have come
    for _ in range(7):
        page.keyboard.press("PageDown")
        page.wait_for_timeout(250)
    # on the way back each is looked at
    for _ in range(7):
        page.keyboard.press("PageUp")
        page.wait_for_selector(f'canvas.radiograph[data-sha="{page.evaluate("secondRead.current")}"]')
        page.wait_for_timeout(100)
    shown = dict(reversed(pair.rsplit(" ", 1)) for pair in page.evaluate("[...window.shown]"))
    whose = {
        hashlib.sha256(data).hexdigest(): PATIENTS[number // 3][0].replace("^", ", ")
        for number, (_, data) in enumerate(files)
    }
    assert len(page.evaluate("[...window.shown]")) == len(shown) >= 6
    assert shown == {digest: whose[digest] for digest in shown}


def test_the_whole_job_with_the_keyboard_only(page):
    keys = page.keyboard
    payload = [{"name": name, "mimeType": "application/dicom", "buffer": data} for name, data in eight_studies()[:6]]
    # open the page, add files: the dialog of the browser opens from the keyboard
    with answered_dialogs(page, payload) as dialogs:
        page.wait_for_function("() => window.secondRead?.uploadPanels?.size")
        for _ in range(60):
            if focused(page) == "Add images":
                break
            keys.press("Tab")
        assert focused(page) == "Add images"
        keys.press("Enter")
        page.wait_for_selector(".worklist .entry >> nth=5")
    assert len(dialogs) == 1
    wait_until_read(page, 6)
    # what was added first is the lateral view
    keys.press("/")
    keys.press("ArrowDown")
    keys.press("Home")
    keys.press("ArrowDown")
    keys.press("ArrowUp")
    page.wait_for_selector(".findings .row")
    announced = page.locator(".panel .live").inner_text()
    assert announced.startswith("Findings ready: ")
    assert page.locator(".panel .summary").inner_text() in announced
    # through the findings; the focus stays on the row, also after the server has answered
    keys.press("n")
    page.wait_for_selector('.findings .row[aria-checked="true"]')
    for _ in range(2):
        keys.press("ArrowDown")
    third = page.locator(".findings .row .name").nth(2).inner_text()
    page.wait_for_selector(f".details h3 >> text={third}")
    page.wait_for_timeout(1500)
    assert third in focused(page)
    # a map
    before = viewer_state(page)["map"]
    page.locator("canvas.radiograph").evaluate("canvas => canvas.closest('.viewer').focus()")
    keys.press("m")
    page.wait_for_selector(f'canvas.radiograph[data-map="{"off" if before == "on" else "on"}"]')
    # the next study, its last image, remove it, undo
    name = page.locator(".study-header h2").inner_text()
    keys.press("PageDown")
    keys.press("PageDown")
    page.wait_for_function(
        "name => ![undefined, name].includes(window.secondRead.images.get(window.secondRead.current)?.study.name)",
        arg=name,
    )
    keys.press("/")
    keys.type("c1")
    page.wait_for_selector('.worklist .counts >> text="1 of 6 images"')
    keys.press("Escape")
    keys.press("ArrowDown")
    keys.press("End")
    page.wait_for_selector('.worklist .entry[aria-current="true"] >> text=p1.dcm')
    keys.press("Delete")
    page.wait_for_selector(".worklist .undo >> text=Removed 1 image.")
    page.wait_for_selector('.worklist .counts >> text="5 images"')
    keys.press("Control+z")
    page.wait_for_selector('.worklist .counts >> text="6 images"')
    assert page.locator(".worklist .entry", has_text="p1.dcm").get_attribute("data-status") == "read"


def test_sixty_images_are_sorted_filtered_removed_and_brought_back(page):
    files = [
        (
            f"n{number:02}.dcm",
            phantom_dicom(
                64 + number,
                64,
                PatientName=f"P{59 - number:02}^A",
                PatientID=f"ID{number:02}",
                StudyInstanceUID=f"1.9.{number}",
                SOPInstanceUID=f"1.9.{number}.1",
                StudyDate=f"2026{1 + number % 12:02}01",
                Modality="CT" if number % 10 == 7 else "CR",
            ),
        )
        for number in range(60)
    ]
    upload(page, *files)
    wait_until_read(page, 60)
    names, counts = page.locator(".worklist .study:not(.rejected) .name"), page.locator(".worklist .counts")
    assert counts.inner_text() == "60 images"
    assert names.count() == 54
    page.locator(".worklist .sort").select_option("name")
    assert names.first.inner_text() == "P00, A"
    page.locator(".worklist .sort").select_option("date")
    assert "2026-12-01" in page.locator(".worklist .details").first.inner_text()
    # by the keys; those that wait are the last
    page.keyboard.press("q")
    assert page.locator(".worklist .filter").evaluate("select => select.matches(':focus')")
    page.keyboard.press("End")
    assert counts.inner_text() == "0 of 60 images"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Escape")
    assert page.locator(".worklist .filter").input_value() == "refused"
    assert counts.inner_text() == "6 of 60 images"
    assert page.locator(".worklist .entry .reason").count() == 6
    page.locator(".worklist .filter").select_option("flagged")
    flagged = page.locator(".worklist .entry .flagged").count()
    assert counts.inner_text() == f"{flagged} of 60 images"
    page.locator(".worklist .filter").select_option("all")
    page.locator(".worklist .sort").select_option("added")
    # one study, and back with its reading
    state = page.locator(".worklist .study").nth(3).inner_text()
    page.locator(".worklist .study").nth(3).locator(".head .remove").click()
    page.wait_for_selector('.worklist .counts >> text="59 images"')
    page.locator(".worklist .undo button").click()
    page.wait_for_selector('.worklist .counts >> text="60 images"')
    assert page.locator(".worklist .study").nth(3).inner_text() == state
    # Clear asks; what it removed comes back as well
    page.locator(".worklist .foot button", has_text="Clear worklist").click()
    page.locator(".worklist .foot button", has_text="Cancel").click()
    assert counts.inner_text() == "60 images"
    page.locator(".worklist .foot button", has_text="Clear worklist").click()
    page.locator(".worklist .foot button", has_text="Remove").click()
    page.locator("button", has_text="Undo: bring 60 removed images back").click()
    page.wait_for_selector('.worklist .counts >> text="60 images"')
    expect(page.locator(".worklist .entry.read")).to_have_count(54)


@pytest.mark.parametrize("by", ["button", "key"])
def test_a_study_is_removed_whole_also_while_one_of_its_images_is_listed(page, by):
    upload(page, *eight_studies()[:3])
    wait_until_read(page, 3)
    page.keyboard.press("/")
    page.keyboard.type("c0.dcm")
    page.wait_for_selector('.worklist .counts >> text="1 of 3 images"')
    study = page.locator(".worklist .study", has_text="c0.dcm")
    if by == "button":
        study.locator(".head .remove").click()
    else:
        study.locator(".entry").focus()
        page.keyboard.press("Shift+Delete")
    page.wait_for_selector(".worklist .undo >> text=Removed 2 images")
    page.locator(".worklist .search").fill("")
    page.wait_for_selector('.worklist .counts >> text="1 image"')
    assert page.locator(".worklist .entry .file").all_inner_texts() == ["p0.dcm"]
    wait_for_images_on_the_server(page, 1)


def test_the_key_brings_a_cleared_worklist_back_every_time(page):
    upload(page, *eight_studies()[:2])
    wait_until_read(page, 2)
    for _ in range(5):
        page.locator(".worklist .foot button", has_text="Clear worklist").click()
        page.locator(".worklist .foot button", has_text="Remove").click()
        page.locator("button", has_text="Undo: bring 2 removed images back").wait_for()
        page.keyboard.press("Control+z")
        page.wait_for_selector('.worklist .counts >> text="2 images"')


def wait_for_images_on_the_server(page, number: int) -> None:
    """Wait until the server's worklist has so many images."""
    kept = """async () => {
      const {path, token} = window.secondRead.connection;
      // a request that is never answered must not keep the test for ever
      const options = {headers: {"X-Second-Read-Token": token}, signal: AbortSignal.timeout(5000)};
      try {
        return Object.keys((await (await fetch(path, options)).json()).versions).length;
      } catch (error) {
        return String(error);
      }
    }"""
    for _ in range(300):
        if page.evaluate(kept) == number:
            return
        page.wait_for_timeout(200)
    raise AssertionError(f"{page.evaluate(kept)} images on the server, and not {number}")


def test_quick_removals_all_reach_the_server(page):
    upload(page, *eight_studies()[:6])
    wait_until_read(page, 6)
    # as a reader does it: the focus goes to the next entry by itself
    page.locator(".worklist .entry").first.focus()
    for _ in range(4):
        page.keyboard.press("Delete")
    page.wait_for_selector(".worklist .undo >> text=Removed 4 images")
    wait_for_images_on_the_server(page, 2)
    # the strip is mounted anew, and still offers what the server keeps
    page.get_by_role("link", name="Model").first.click()
    page.wait_for_selector("text=Model facts")
    page.get_by_role("link", name="Second opinion").first.click()
    page.wait_for_selector(".worklist .undo >> text=Removed 4 images")
    page.locator(".worklist .undo button").click()
    page.wait_for_selector('.worklist .counts >> text="6 images"')
    wait_for_images_on_the_server(page, 6)


MOUNT_ANEW = """() => {
  const find = (root) => [...root.querySelectorAll('*')].map(
    (node) => node.shadowRoot && (node.shadowRoot.querySelector('.worklist') ? node.shadowRoot : find(node.shadowRoot)),
  ).find(Boolean);
  const strips = window.secondRead.parts.worklist;
  const strip = find(document).querySelector('.worklist');
  let node = strip;
  while (node && !strips.has(node)) node = node.parentNode ?? node.host;
  strips.get(node).stop();
  strips.delete(node);
  // new elements, without the listeners of the old ones, and without the focus
  strip.replaceWith(strip.cloneNode(true));
  return document.activeElement === document.body;
}"""


def test_the_focus_stays_on_the_list_and_a_held_key_removes_one_image(page):
    upload(page, *eight_studies()[:6])
    wait_until_read(page, 6)
    keys = page.keyboard
    page.locator(".worklist .entry", has_text="c1.dcm").press("ArrowDown")
    name = focused(page)
    # it is drawn again, with another file
    upload(page, *eight_studies()[6:7])
    page.wait_for_selector('.worklist .counts >> text="7 images"')
    wait_for_focus(page, name)
    # it is mounted again, by the next run of the script
    assert page.evaluate(MOUNT_ANEW)
    # (one that says the same as the run before does not reach the strip)
    upload(page, *eight_studies()[7:8])
    page.wait_for_selector('.worklist .counts >> text="8 images"')
    wait_for_focus(page, name)
    keys.down("Delete")
    for _ in range(5):
        keys.down("Delete")
    keys.up("Delete")
    page.wait_for_selector('.worklist .counts >> text="7 images"')
    # the focus is on the next image each time
    for left in (6, 5):
        keys.press("Delete")
        page.wait_for_selector(f'.worklist .counts >> text="{left} images"')
    page.wait_for_selector(".worklist .undo >> text=Removed 3 images")
    keys.press("Control+z")
    page.wait_for_selector('.worklist .counts >> text="8 images"')
    # the keys of the page go on from there
    page.locator(".worklist .entry", has_text="c1.dcm").click()
    for key, file in (("]", "l1.dcm"), ("[", "c1.dcm"), ("PageDown", "p1.dcm"), ("PageUp", "c1.dcm")):
        keys.press(key)
        page.wait_for_selector(f'.worklist .entry[aria-current="true"] >> text={file}')


def test_the_key_reveals_the_image_on_the_screen_and_no_other(page):
    upload(page, *eight_studies()[1:6])
    wait_until_read(page, 5)
    page.locator("text=Read first").click()
    page.wait_for_selector(".findings .row", state="detached")
    page.wait_for_selector("text=Show findings")
    # at once, while Streamlit's part is still of the image before; the focus is on the switch
    page.keyboard.press("PageDown")
    page.keyboard.press("s")
    page.wait_for_selector(".findings .row")
    assert current(page) == "p0.dcm"
    page.keyboard.press("PageUp")
    page.wait_for_selector("text=Read first: the findings are hidden")
    assert page.locator(".findings .row").count() == 0


class Held:
    """Answers to a page's GET requests from now on, which can be kept from the browser until they are released."""

    def __init__(self, page, pattern: str):
        self._page, self._held, self._holds = page, [], False
        page.route(re.compile(pattern), self._answer)

    def _answer(self, route):
        if route.request.method != "GET":
            route.continue_()
            return
        response = route.fetch()
        if self._holds:
            self._held.append((route, response))
        else:
            route.fulfill(response=response)

    def hold(self) -> None:
        self._holds = True

    def wait(self, count: int = 1) -> None:
        """Wait until the server has given so many answers."""
        for _ in range(600):
            if len(self._held) >= count:
                return
            self._page.wait_for_timeout(100)
        raise AssertionError(f"{len(self._held)} answers, and not {count}")

    def release(self) -> None:
        self._holds = False
        for route, response in self._held:
            route.fulfill(response=response)


def test_the_key_reveals_an_image_of_which_the_browser_knows_nothing_yet(page):
    # from the first request on: one waits on the server for a change
    worklist, images = Held(page, "/worklist$"), Held(page, "/worklist/images/[0-9a-f]+$")
    upload(page, *eight_studies()[1:6])
    wait_until_read(page, 5)
    worklist.hold()
    page.locator("text=Read first").click()
    page.wait_for_selector("text=Show findings")
    assert not page.evaluate("window.secondRead.worklist.readFirst")
    images.hold()
    page.keyboard.press("PageDown")
    page.keyboard.press("s")
    images.wait()
    worklist.release()
    images.release()
    page.wait_for_selector(".findings .row")
    assert current(page) == "p0.dcm"
    # once: another image stays hidden
    page.keyboard.press("PageUp")
    page.wait_for_selector("text=Read first: the findings are hidden")


def test_a_message_of_before_the_reveal_that_comes_after_it_hides_nothing(page):
    upload(page, *eight_studies()[1:6])
    wait_until_read(page, 5)
    page.locator("text=Read first").click()
    page.wait_for_selector("text=Read first: the findings are hidden")
    wait_until_drawn(page)
    # a run of the script would bring the message that is held
    page.evaluate("() => { WebSocket.prototype.send = () => {}; }")
    images = Held(page, "/worklist/images/[0-9a-f]+$")
    images.hold()
    page.keyboard.press("PageDown")
    images.wait()
    # an opinion has nowhere to go yet, and the page says so
    page.keyboard.press("y")
    page.wait_for_selector(".problem >> text=Not stored")
    version = "() => window.secondRead.worklist.versions[window.secondRead.current]"
    before = page.evaluate(version)
    page.keyboard.press("s")
    page.wait_for_function(f"before => ({version})() !== before", arg=before)
    images.release()
    # at once, and not only after something else has changed
    page.wait_for_function("() => !window.secondRead.loading.size")
    assert not page.evaluate("window.secondRead.images.get(window.secondRead.current).hidden")
    page.wait_for_selector(".findings .row")
    assert current(page) == "p0.dcm"


def test_what_is_refused_is_said_beside_the_findings(page):
    upload(page, *eight_studies()[1:2])
    wait_until_read(page, 1)
    page.locator("text=Read first").click()
    page.wait_for_selector("text=Read first: the findings are hidden")
    # the session belongs to the browser that has its cookie
    page.context.clear_cookies()
    page.keyboard.press("y")
    page.wait_for_selector(".problem >> text=Not stored: This page has lost its connection")
    page.keyboard.press("s")
    page.wait_for_selector(".problem >> text=Findings not shown: This page has lost its connection")


def test_an_opinion_that_was_not_stored_is_still_named_after_further_files(page):
    files = eight_studies()
    upload(page, *files[1:3])
    wait_until_read(page, 2)
    page.locator(".findings .row").first.click()
    held = []
    page.route("**/opinions", lambda route: held.append(route))
    page.keyboard.press("y")
    for _ in range(600):
        if held:
            break
        page.wait_for_timeout(100)
    page.keyboard.press("PageDown")
    page.wait_for_function("() => document.querySelector('.st-key-of-image[data-follows]')")
    held[0].fulfill(status=503, headers={"X-Request-ID": "1"}, body="The opinion was not stored.")
    problems = page.locator(".upload .problems li")
    problems.first.wait_for()
    assert "The opinion was not stored." in problems.inner_text()
    # what is of the upload before goes with the next one
    page.evaluate(
        "() => { secondRead.uploads.problems.push({ name: 'a.dcm', text: 'not added' }); secondRead.notify(); }"
    )
    problems.nth(1).wait_for()
    upload(page, files[4])
    wait_until_read(page, 3)
    problems.nth(1).wait_for(state="detached")
    assert "The opinion was not stored." in problems.inner_text()
    page.locator(".upload .dismiss").click()
    problems.first.wait_for(state="detached")


def test_the_wheel_goes_through_the_images_that_are_listed(page):
    upload(page, *eight_studies()[:6])
    wait_until_read(page, 6)
    page.locator(".worklist .search").fill("roe")
    page.wait_for_function("() => window.secondRead.listed.length === 3")
    page.locator(".worklist .entry").first.click()
    page.locator("canvas.radiograph").hover()
    page.keyboard.press("Shift+W")
    listed = page.evaluate("window.secondRead.listed")
    assert current(page) in {"c1.dcm", "l1.dcm", "p1.dcm"}
    at = listed.index(page.evaluate("window.secondRead.current"))
    for step in (1, 1, 1, -1, -1, -1, -1):
        page.mouse.wheel(0, 120 * step)
        # past the first and the last it stays
        at = min(max(at + step, 0), len(listed) - 1)
        page.wait_for_function("id => window.secondRead.current === id", arg=listed[at])
        # many events of a wheel within a moment are one step
        page.wait_for_timeout(250)
        assert page.evaluate("window.secondRead.current") == listed[at]
        assert current(page) in {"c1.dcm", "l1.dcm", "p1.dcm"}
    page.keyboard.press("Shift+W")


BOXES = """(queries) => {
  const all = (query, root) => [...root.querySelectorAll('*')].flatMap((node) => [
    ...(node.matches(query) ? [node] : []), ...(node.shadowRoot ? all(query, node.shadowRoot) : []),
  ]);
  const box = (node) => { const {x, y, right, bottom} = node.getBoundingClientRect(); return [x, y, right, bottom]; };
  return Object.fromEntries(Object.entries(queries).map(([name, query]) => [name, all(query, document).map(box)]));
}"""

PARTS = {
    "worklist": ".worklist",
    "list": ".worklist .list",
    "header": ".study-header",
    "viewer": ".viewer",
    "image": "canvas.radiograph",
    "prior": "canvas.prior",
    "summary": ".panel .summary",
    "rows": ".panel .list .row",
    "folded": ".panel .not-evaluated summary",
    "details": ".panel .details",
    "notice": ".sr-notice",
    "navigation": '[data-testid="stHeader"]',
}


TARGETS = {
    "help": '[data-testid="stTooltipIcon"]',
    "opacity": "input.opacity",
    "rates": ".sr-settings summary",
    "buttons": ".viewer .bar button, .worklist button, .upload button",
}


@pytest.mark.parametrize(
    ("width", "height"), [(1440, 900), pytest.param(1920, 1080, marks=pytest.mark.slow), (390, 844)]
)
def test_image_summary_and_all_findings_are_in_sight_and_nothing_overlaps(address, chromium, width, height):
    with browsing(chromium, width, height) as page:
        open_front_page(page, address)
        upload(page, *eight_studies()[:3])
        wait_until_read(page, 3)
        page.locator(".worklist .entry").first.click()
        page.wait_for_selector(".findings .row")
        page.wait_for_selector("canvas.radiograph[data-label]:not([data-label=''])")
        boxes = page.evaluate(BOXES, PARTS)
        assert scrolls_sideways(page) == []
        # WCAG 2.2, 2.5.8
        for name, query in TARGETS.items():
            sizes = page.evaluate(BOXES, {name: query})[name]
            shown = [(right - left, bottom - top) for left, top, right, bottom in sizes if right > left]
            assert shown, name
            assert min(min(size) for size in shown) >= 24, (name, shown)
        assert page.locator(f"text={NOTICE}").is_visible()
        head = page.locator(".findings .columns > span", has_text="threshold")
        assert head.evaluate("(head) => head.scrollWidth <= head.clientWidth")
        if width < 640:
            page.locator(".worklist .toggle").click()
            page.wait_for_selector(".worklist.open")
            # Streamlit draws what is around it again
            upload(page, *eight_studies()[3:4])
            wait_until_read(page, 4)
            (opened,) = page.evaluate(BOXES, {"list": ".worklist .list"})["list"]
            assert opened[2] - opened[0] >= 0.9 * width
            page.locator(".worklist .toggle").click()
            page.wait_for_selector(".worklist:not(.open)")
    floor, ceiling = boxes["notice"][0][1], boxes["navigation"][0][3]
    parts = [boxes[name][0] for name in ("worklist", "header", "viewer", "summary")] + boxes["rows"] + boxes["folded"]
    for number, one in enumerate(parts):
        for other in parts[number + 1 :]:
            apart = one[2] <= other[0] + 1 or other[2] <= one[0] + 1 or one[3] <= other[1] + 1 or other[3] <= one[1] + 1
            assert apart, (one, other)
    assert len(boxes["rows"]) >= 10
    if width > 640:
        for name in ("list", "header", "image", "prior", "summary", "rows", "folded", "details"):
            for left, top, right, bottom in boxes[name]:
                assert left >= 0, name
                assert right <= width, name
                assert top >= ceiling - 1, name
                assert bottom <= floor + 1, name
        left, _, right, _ = boxes["viewer"][0]
        assert right - left >= 0.5 * width
        assert boxes["image"][0][3] - boxes["image"][0][1] >= 0.6 * height
        # the prior has its place beside the image where there is room
        assert len(boxes["prior"]) == (width >= 1800)
    else:
        # one row of the worklist, whose image it is, and then the image
        assert boxes["worklist"][0][3] - boxes["worklist"][0][1] <= 60
        assert boxes["image"][0][1] <= 250
        assert 0 <= boxes["image"][0][1] - boxes["header"][0][3] <= 40
        assert boxes["image"][0][3] <= boxes["summary"][0][1]
        assert boxes["image"][0][2] - boxes["image"][0][0] >= 0.9 * width
