"""What the reader does while Streamlit changes the page, runs its script or mounts a component again is not lost."""

import hashlib
import json

import pytest

from cxr_core.imaging import phantom_dicom, phantom_png
from tests.browser import browsing, drop, open_front_page, upload, viewer_state, wait_until_drawn

pytestmark = pytest.mark.e2e

FRONT_TITLE = "A second opinion on a chest X-ray"
OWN_CONTEXT = {"service_workers": "block"}
"""With an option of its own the page is not the shared one: what is changed in it ends with it."""


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def wait_for_image(page, data: bytes) -> None:
    page.wait_for_selector(f'canvas.radiograph[data-sha="{sha(data)}"]:not([data-label=""])')


def wait_for_images(page, *files: bytes) -> None:
    page.wait_for_function(
        "ids => ids.every((id) => id in (secondRead.worklist?.versions ?? {}))", arg=[sha(data) for data in files]
    )


class Messages:
    """Streamlit's messages from the server to a page, which can be held back."""

    def __init__(self, page):
        self.last, self.held = None, None
        page.route_web_socket("**/_stcore/stream", self._connect)

    def _connect(self, socket):
        socket.connect_to_server().on_message(lambda message: self._arrived(socket, message))

    def _arrived(self, socket, message):
        if self.held is not None:
            self.held.append((socket, message))
            return
        socket.send(message)
        if self.last is not None and isinstance(message, bytes) and self.last in message:
            self.hold()

    def hold(self, after: str = ""):
        """Hold back all that comes from now on, or after the next message that has a text."""
        if after:
            self.last = after.encode()
        else:
            self.last, self.held = None, []

    def release(self):
        held, self.last, self.held = self.held or [], None, None
        for socket, message in held:
            socket.send(message)


def test_a_file_that_is_dropped_while_the_page_is_being_drawn_is_added(address, chromium):
    with browsing(chromium, **OWN_CONTEXT) as page:
        messages = Messages(page)
        page.goto(f"{address}/model")
        page.wait_for_selector("text=Model facts")
        wait_until_drawn(page)
        messages.hold(after=FRONT_TITLE)
        page.get_by_role("link", name="Second opinion", exact=True).first.click()
        page.wait_for_selector(f"text={FRONT_TITLE}")
        # the title is there, and nothing that takes files
        assert page.locator(".upload").count() == 0
        first, second = phantom_png(310, 180), phantom_png(311, 180)
        assert drop(page, "h1", ("first.png", first))
        assert drop(page, "h1", ("second.png", second))
        messages.release()
        wait_for_images(page, first, second)
        # as where each is dropped on the image before
        wait_for_image(page, second)


def test_a_click_on_another_page_is_not_undone_by_files_that_are_added_meanwhile(address, chromium):
    with browsing(chromium, **OWN_CONTEXT) as page:
        messages = Messages(page)
        open_front_page(page, address)
        page.wait_for_function("() => window.secondRead?.uploadPanels?.size")
        wait_until_drawn(page)
        files = [phantom_png(320 + number, 180) for number in range(5)]
        messages.hold()
        page.get_by_role("link", name="Model", exact=True).first.click()
        drop(page, "h1", *((f"{number}.png", data) for number, data in enumerate(files)))
        page.wait_for_function("() => secondRead.uploads.done === 5 && !secondRead.uploads.open && secondRead.current")
        # as it is for the first image, and for what the reader still does
        page.evaluate("() => { secondRead.send('shown', secondRead.current); }")
        messages.release()
        page.wait_for_selector("text=Model facts")
        wait_until_drawn(page)
        assert page.url.partition("?")[0] == f"{address}/model"
        page.get_by_role("link", name="Second opinion", exact=True).first.click()
        wait_for_image(page, files[0])
        page.wait_for_selector('.worklist [data-kind="entry"] >> nth=4')


def test_a_choice_that_is_made_while_the_page_is_left_counts_afterwards(address, chromium):
    with browsing(chromium, **OWN_CONTEXT) as page:
        messages = Messages(page)
        open_front_page(page, address)
        files = [phantom_png(330 + number, 180) for number in range(2)]
        upload(page, *((f"{number}.png", data) for number, data in enumerate(files)))
        wait_for_image(page, files[0])
        page.wait_for_selector('.worklist [data-kind="entry"].read >> nth=1')
        wait_until_drawn(page)
        messages.hold()
        page.get_by_role("link", name="Model", exact=True).first.click()
        page.keyboard.press("]")
        wait_for_image(page, files[1])
        messages.release()
        page.wait_for_selector("text=Model facts")
        page.get_by_role("link", name="Second opinion", exact=True).first.click()
        wait_for_image(page, files[1])
        # Streamlit's part follows: its controls are of this image, and can be used
        page.wait_for_selector(f'.sr-of-image[data-id="{sha(files[1])}"]', state="attached")
        page.wait_for_selector(".st-key-of-image[data-follows]")


# the code of each component runs once the page lets it, and leaves the function that Streamlit calls in `mounts`
HOLD_CODE = """(() => {
  const Plain = Blob;
  window.mounts = {};
  window.heldCode = new Promise((go) => { window.letCodeRun = go; });
  window.Blob = class extends Plain {
    constructor(parts = [], options = {}) {
      const isCode = options.type === "text/javascript";
      const name = isCode && /export default component\\("(\\w+)"/.exec(parts[0])?.[1];
      const code = name ? parts[0].replace("export default ", `export default window.mounts["${name}"] = `) : parts[0];
      super(isCode ? [`await window.heldCode;\\n${code}`] : parts, options);
    }
  };
})()"""


def test_what_streamlit_shows_again_while_its_code_is_loaded_works(address, chromium):
    with browsing(chromium, **OWN_CONTEXT) as page:
        page.add_init_script(HOLD_CODE)
        open_front_page(page, address)
        page.get_by_role("button", name="Try an example: synthetic phantom").click()
        # three runs of the script, with messages of their own for each component
        page.wait_for_selector("summary >> text=Download")
        # by the program: a reader cannot click there before the list of findings is drawn
        page.locator(".st-key-read_first input").evaluate("node => node.click()")
        show = page.get_by_role("button", name="Show findings (S)")
        show.wait_for()
        page.locator(".st-key-read_first input").evaluate("node => node.click()")
        show.wait_for(state="detached")
        wait_until_drawn(page)
        page.evaluate("letCodeRun()")
        page.wait_for_selector("canvas.radiograph[data-label]:not([data-label=''])")
        files = [phantom_png(340 + number, 180) for number in range(3)]
        assert drop(page, "canvas.radiograph", *((f"{number}.png", data) for number, data in enumerate(files)))
        wait_for_image(page, files[0])
        page.wait_for_selector('.worklist [data-kind="entry"].read >> nth=3')
        page.wait_for_selector('.worklist .entry[aria-current="true"] >> text=0.png')
        # a key acts once
        page.locator(".worklist .entry", has_text="0.png").press("ArrowDown")
        page.wait_for_selector('.worklist .entry[aria-current="true"] >> text=1.png')
        wait_for_image(page, files[1])
        rows = page.locator(".findings > .list .row")
        rows.first.click()
        rows.first.press("ArrowDown")
        page.wait_for_function(
            "() => secondRead.chosen.get(secondRead.current) === secondRead.images.get(secondRead.current)"
            ".findings.rows.filter(({ state }) => state !== 'not_evaluated')[1].label"
        )


FIND = """(name) => {
  const find = (root) => [...root.querySelectorAll("*")].map(
    ({ shadowRoot: inner }) => inner && (inner.querySelector(name) ? inner : find(inner)),
  ).find(Boolean);
  return find(document);
}"""

UNMOUNT = f"""([name, selector]) => {{
  const place = ({FIND})(selector);
  window.unmounted = {{ html: place.innerHTML, parent: place.host.parentNode }};
  place.host.remove();
  secondRead.parts[name].get(place).stop();
  return document.activeElement === document.body;
}}"""

MOUNT = """([name, data]) => {
  const { html, parent } = window.unmounted;
  const host = document.createElement("div");
  parent.append(host);
  const place = host.attachShadow({ mode: "open" });
  place.innerHTML = html;
  for (const list of place.querySelectorAll(".list, .findings, .details")) list.replaceChildren();
  window.mounts[name]({ parentElement: place, data, setTriggerValue: () => {} });
}"""

WORKLIST = ["worklist", ".worklist"]


@pytest.fixture
def read_images(address, chromium):
    """A page with three images that are read; the first is chosen."""
    with browsing(chromium, **OWN_CONTEXT) as page:
        page.add_init_script(HOLD_CODE)
        page.add_init_script("letCodeRun()")
        open_front_page(page, address)
        upload(page, *((f"{number}.dcm", phantom_dicom(200 + number, 180)) for number in range(3)))
        page.wait_for_selector('.worklist [data-kind="entry"].read >> nth=2')
        page.wait_for_selector("text=Small changes of the image: the state of")
        wait_until_drawn(page)
        yield page


def current_file(page) -> str:
    return page.locator('.worklist .entry[aria-current="true"] .file').inner_text()


def test_keys_that_come_while_the_worklist_is_mounted_anew_are_not_lost(read_images):
    page = read_images
    page.locator(".worklist .entry", has_text="0.dcm").click()
    assert page.evaluate(UNMOUNT, WORKLIST)
    for key in ("ArrowDown", "ArrowDown", "ArrowUp"):
        page.keyboard.press(key)
    page.evaluate(MOUNT, ["worklist", None])
    page.wait_for_selector('.worklist .entry[aria-current="true"] >> text=1.dcm')
    # the focus is there, too
    page.keyboard.press("ArrowDown")
    page.wait_for_selector('.worklist .entry[aria-current="true"] >> text=2.dcm')
    assert page.evaluate(UNMOUNT, WORKLIST)
    page.keyboard.press("Delete")
    page.evaluate(MOUNT, ["worklist", None])
    page.wait_for_selector('.worklist .counts >> text="2 images"')
    page.wait_for_selector('.worklist .entry[aria-current="true"] >> text=1.dcm')


def test_a_key_for_an_image_that_was_replaced_meanwhile_does_nothing(read_images):
    page = read_images
    page.locator(".worklist .entry", has_text="0.dcm").click()
    assert page.evaluate(UNMOUNT, WORKLIST)
    page.keyboard.press("Delete")
    page.evaluate("() => secondRead.show(secondRead.listed[2])")
    page.evaluate(MOUNT, ["worklist", None])
    page.wait_for_selector('.worklist .entry[aria-current="true"] >> text=2.dcm')
    page.wait_for_selector('.worklist .counts >> text="3 images"')
    assert page.evaluate("() => [secondRead.removals.pending.size, secondRead.focus.keys.length]") == [0, 0]


def test_delete_that_is_held_while_the_worklist_is_mounted_anew_removes_one_image(read_images):
    page = read_images
    page.locator(".worklist .entry", has_text="0.dcm").click()
    assert page.evaluate(UNMOUNT, WORKLIST)
    # each that follows the first is a repetition of it
    for _ in range(3):
        page.keyboard.down("Delete")
    page.keyboard.up("Delete")
    page.evaluate(MOUNT, ["worklist", None])
    page.wait_for_selector('.worklist .counts >> text="2 images"')


def test_on_another_page_no_key_waits_for_the_worklist(address, chromium):
    with browsing(chromium, **OWN_CONTEXT) as page:
        page.goto(f"{address}/model")
        page.wait_for_selector("text=Model facts")
        wait_until_drawn(page)
        page.get_by_role("link", name="Second opinion", exact=True).first.click()
        page.wait_for_selector(f"text={FRONT_TITLE}")
        upload(page, ("0.dcm", phantom_dicom(200, 180)))
        entry = page.locator('.worklist [data-kind="entry"].read')
        entry.click()
        wait_until_drawn(page)
        entry.focus()
        # by the browser's own button or key, which is no click on the page
        page.go_back()
        page.wait_for_selector("text=Model facts")
        wait_until_drawn(page)
        page.evaluate(
            "() => window.addEventListener('keydown', (event) => { window.prevented = event.defaultPrevented; })"
        )
        page.keyboard.press("ArrowDown")
        assert page.evaluate("window.prevented") is False


def test_what_is_typed_while_the_worklist_is_mounted_anew_is_searched_for(read_images):
    page = read_images
    page.keyboard.press("/")
    page.keyboard.type("2.")
    assert page.evaluate(UNMOUNT, WORKLIST)
    page.keyboard.type("dc")
    page.evaluate(MOUNT, ["worklist", None])
    page.keyboard.type("m")
    page.wait_for_selector('.worklist .counts >> text="1 of 3 images"')
    assert page.locator(".worklist .search").input_value() == "2.dcm"


def test_keys_that_come_while_the_findings_are_mounted_anew_are_not_lost(read_images):
    page = read_images
    page.locator(".findings > .list .row").first.click()
    labels = page.locator(".findings > .list .row").evaluate_all("rows => rows.map((row) => row.dataset.label)")
    assert page.evaluate(UNMOUNT, ["findings", ".panel"])
    page.keyboard.press("ArrowDown")
    page.evaluate(MOUNT, ["findings", {"content": None}])
    chosen = f'.findings > .list [aria-checked="true"][data-label={json.dumps(labels[1])}]'
    page.wait_for_selector(chosen)
    page.keyboard.press("ArrowDown")
    page.wait_for_selector(chosen.replace(labels[1], labels[2]))


def comment_on_first_finding(page) -> None:
    """Begin a comment on the first finding of the image on the screen."""
    page.locator(".findings > .list .row").first.click()
    page.keyboard.press("t")
    page.wait_for_selector(".comment:focus")


def test_a_comment_that_is_typed_while_files_are_added_is_of_its_image_and_no_letter_is_a_key(read_images):
    page = read_images
    page.locator(".worklist .entry", has_text="0.dcm").click()
    page.wait_for_selector('.worklist .entry[aria-current="true"] >> text=0.dcm')
    comment_on_first_finding(page)
    held = []
    page.route(lambda url: url.endswith("/images"), lambda route: held.append(route))
    added = phantom_png(350, 180)
    drop(page, "canvas.radiograph", ("added.png", added))
    page.keyboard.type("no")
    page.wait_for_function("() => secondRead.uploads.sending === 1")
    held[0].continue_()
    page.wait_for_selector('.worklist [data-kind="entry"].read >> text=added.png')
    # Streamlit's part follows the image that stays
    page.wait_for_function("() => !secondRead.uploads.open && secondRead.announced === null")
    page.keyboard.type("n yet")
    assert current_file(page) == "0.dcm"
    assert page.locator(".comment").input_value() == "non yet"
    page.locator(".worklist .entry", has_text="added.png").click()
    page.wait_for_function("id => secondRead.images.get(id)?.findings", arg=sha(added))
    assert page.evaluate("id => secondRead.images.get(id).opinions", sha(added)) == {}


def test_escape_brings_the_comment_of_before_back_and_none_of_an_earlier_time(read_images):
    page = read_images
    page.locator(".worklist .entry", has_text="0.dcm").click()
    page.wait_for_selector('.worklist .entry[aria-current="true"] >> text=0.dcm')
    comment_on_first_finding(page)
    page.keyboard.type("small")
    # the field goes while it has the focus, and nobody has left it
    page.evaluate("() => secondRead.show(secondRead.listed[1])")
    page.wait_for_selector('.worklist .entry[aria-current="true"] >> text=1.dcm')
    page.locator(".worklist .entry", has_text="0.dcm").click()
    page.wait_for_selector('.worklist .entry[aria-current="true"] >> text=0.dcm')
    opinions = (
        "() => Object.values(secondRead.images.get(secondRead.current).opinions).flat().map((one) => one.comment)"
    )
    page.locator(".findings > .list .row").first.click()
    page.keyboard.press("y")
    page.wait_for_function(f"() => ({opinions})().length === 1")
    comment_on_first_finding(page)
    page.keyboard.type("X")
    page.keyboard.press("Escape")
    assert page.locator(".comment").input_value() == "small"
    page.evaluate("() => secondRead.connection.last")
    assert page.evaluate(opinions) == ["small"]


FINDINGS = ["findings", ".panel"]
NO_CONTENT = ["findings", {"content": None}]
REFUSED = {"status": 409, "headers": {"X-Request-ID": "1"}, "body": "This image has no findings at the moment."}
GIVEN = "Object.values(secondRead.images.get(secondRead.current).opinions).flat()"
COMMENTS = f"() => {GIVEN}.map((one) => one.comment)"


def no_run_of_the_script(page) -> None:
    """Send Streamlit nothing from now on: parts are mounted again where a test does so, and not by a run besides."""
    wait_until_drawn(page)
    page.evaluate("() => { WebSocket.prototype.send = () => {}; }")


def sent_comments(page, *refusals: dict) -> list[str]:
    """Refuse the next comments, one for each refusal, and return the list of those that are sent from now on."""
    left, sent = list(refusals), []

    def answer(route) -> None:
        sent.append(json.loads(route.request.post_data)["comment"])
        if left:
            route.fulfill(**left.pop(0))
        else:
            route.continue_()

    page.route("**/comments", answer)
    return sent


def wait_until_sent(page, sent: list[str], *comments: str) -> None:
    """Wait until so many comments are sent and answered; they are these."""
    for _ in range(600):
        if len(sent) >= len(comments):
            break
        page.wait_for_timeout(100)
    page.evaluate("() => secondRead.drafts.sent")
    assert sent == list(comments)


def test_a_comment_that_was_refused_is_sent_when_its_field_is_left_also_after_it_was_mounted_anew(read_images):
    page = read_images
    no_run_of_the_script(page)
    sent = sent_comments(page, REFUSED)
    comment_on_first_finding(page)
    page.keyboard.type("small, apical")
    wait_until_sent(page, sent, "small, apical")
    # the field goes while it has the focus, and nobody has left it
    assert page.evaluate(UNMOUNT, FINDINGS)
    page.evaluate(MOUNT, NO_CONTENT)
    page.wait_for_selector(".comment:focus")
    wait_until_sent(page, sent, "small, apical")
    page.keyboard.press("Enter")
    page.wait_for_selector(".problem >> text=The comment is stored with your opinion")
    wait_until_sent(page, sent, "small, apical", "small, apical")


def test_a_comment_whose_field_is_left_before_it_is_refused_is_sent_again(read_images):
    page = read_images
    no_run_of_the_script(page)
    held, sent = [], []

    def answer(route) -> None:
        sent.append(route)
        if len(sent) == 1:
            held.append(route)
        else:
            route.continue_()

    page.route("**/comments", answer)
    comment_on_first_finding(page)
    page.keyboard.type("small")
    for _ in range(600):
        if held:
            break
        page.wait_for_timeout(100)
    page.keyboard.press("Enter")
    page.wait_for_selector(".comment:not(:focus)")
    # what is said of it is said in the panel of then
    page.evaluate(UNMOUNT, FINDINGS)
    page.evaluate(MOUNT, NO_CONTENT)
    held[0].fulfill(**REFUSED)
    page.wait_for_selector(".problem >> text=The comment is stored with your opinion")
    assert [json.loads(route.request.post_data)["comment"] for route in sent] == ["small", "small"]


def test_letters_of_a_comment_whose_field_is_mounted_anew_are_typed_into_it_and_are_no_keys(read_images):
    page = read_images
    no_run_of_the_script(page)
    comment_on_first_finding(page)
    page.keyboard.type("no  ")
    view = viewer_state(page)
    for _ in range(2):
        page.keyboard.press("ArrowLeft")
    assert page.evaluate(UNMOUNT, FINDINGS)
    # each is a key of the findings, the worklist or the viewer
    page.keyboard.type("yeur/x")
    page.keyboard.press("Backspace")
    page.evaluate(MOUNT, NO_CONTENT)
    page.keyboard.type("qi")
    # where the caret was, and with the spaces around it
    assert page.locator(".comment").input_value() == "noyeur/qi  "
    assert page.evaluate(UNMOUNT, FINDINGS)
    page.keyboard.press("Escape")
    page.evaluate(MOUNT, NO_CONTENT)
    page.wait_for_selector('.row[aria-checked="true"]:focus')
    # what was there before the first letter
    assert page.locator(".comment").input_value() == ""
    assert page.evaluate(COMMENTS) == []
    assert page.locator(".worklist .search").input_value() == ""
    assert {**viewer_state(page), "renders": ""} == {**view, "renders": ""}


def test_a_comment_on_an_opinion_that_is_mounted_anew_is_not_stored_before_it_is_left(read_images):
    page = read_images
    no_run_of_the_script(page)
    comment_on_first_finding(page)
    page.keyboard.press("Escape")
    page.keyboard.press("y")
    page.wait_for_function(f"() => ({COMMENTS})().length === 1")
    page.keyboard.press("t")
    page.keyboard.type("small")
    assert page.evaluate(UNMOUNT, FINDINGS)
    page.evaluate(MOUNT, NO_CONTENT)
    page.keyboard.type(", apical")
    page.keyboard.press("Enter")
    page.wait_for_function(f"() => ({COMMENTS})().length === 2")
    assert page.evaluate(COMMENTS) == ["", "small, apical"]


def test_letters_of_a_comment_whose_image_goes_away_do_nothing_to_the_next(read_images):
    page = read_images
    no_run_of_the_script(page)
    label = page.locator(".findings > .list .row").first.get_attribute("data-label")
    # the same finding of the next image has an opinion, and is chosen
    page.locator(".worklist .entry", has_text="1.dcm").click()
    page.wait_for_selector('.worklist .entry[aria-current="true"] >> text=1.dcm')
    page.locator(f'.row[data-label="{label}"]').click()
    page.keyboard.press("e")
    page.wait_for_function(f"() => ({COMMENTS})().length === 1")
    page.locator(".worklist .entry", has_text="0.dcm").click()
    page.wait_for_selector('.worklist .entry[aria-current="true"] >> text=0.dcm')
    page.locator(f'.row[data-label="{label}"]').click()
    page.keyboard.press("t")
    page.keyboard.type("small")
    page.evaluate("() => secondRead.show(secondRead.listed[1])")
    page.wait_for_selector('.worklist .entry[aria-current="true"] >> text=1.dcm')
    page.keyboard.type(" yey")
    assert page.locator(".comment").input_value() == ""
    # until the reader does something else
    page.locator(f'.row[data-label="{label}"]').click()
    page.keyboard.press("u")
    page.wait_for_function(f"() => ({COMMENTS})().length === 2")
    assert page.evaluate(f"() => {GIVEN}.map((one) => one.opinion)") == ["absent", "uncertain"]
    assert page.evaluate(COMMENTS) == ["", ""]
    page.locator(".worklist .entry", has_text="0.dcm").click()
    page.wait_for_selector('.worklist .entry[aria-current="true"] >> text=0.dcm')
    assert page.locator(".comment").input_value() == "small"
    assert page.evaluate(COMMENTS) == []


@pytest.mark.parametrize("key", ["Escape", "Enter"])
def test_whoever_leaves_a_comment_whose_image_has_gone_away_has_the_keys_of_the_page(read_images, key):
    page = read_images
    no_run_of_the_script(page)
    comment_on_first_finding(page)
    page.keyboard.type("small")
    page.evaluate("() => secondRead.show(secondRead.listed[1])")
    page.wait_for_selector('.worklist .entry[aria-current="true"] >> text=1.dcm')
    page.wait_for_function("() => secondRead.maps.has(secondRead.current)")
    page.keyboard.press(key)
    page.keyboard.press("n")
    page.wait_for_selector('.findings .row[aria-checked="true"]:focus')
    assert page.evaluate(STORED) == {f"{n}.dcm": [] for n in range(3)}


def test_the_keys_are_of_the_next_image_where_the_wheel_leaves_a_comment(read_images):
    page = read_images
    no_run_of_the_script(page)
    comment_on_first_finding(page)
    page.keyboard.type("small")
    page.evaluate("() => { secondRead.viewer.wheel = 'image'; }")
    page.locator("canvas.radiograph").hover()
    page.mouse.wheel(0, 120)
    page.wait_for_selector('.worklist .entry[aria-current="true"] >> text=1.dcm')
    page.wait_for_function("() => secondRead.images.get(secondRead.current)?.findings")
    page.keyboard.press("n")
    page.wait_for_function("() => secondRead.chosen.get(secondRead.current)")
    page.keyboard.press("y")
    page.wait_for_function(f"() => ({COMMENTS})().length === 1")
    assert page.evaluate(COMMENTS) == [""]


def test_a_key_of_the_page_after_a_click_beside_the_comment_is_not_typed_into_it(read_images):
    page = read_images
    no_run_of_the_script(page)
    comment_on_first_finding(page)
    page.keyboard.type("small")
    page.locator(".details h3").click()
    page.keyboard.press("e")
    page.wait_for_function(f"() => ({COMMENTS})().length === 1")
    assert page.evaluate(COMMENTS) == ["small"]


STORED = """async () => {
  const stored = {};
  for (const { id } of secondRead.worklist.studies.flatMap((study) => study.images)) {
    const { name, opinions } = await (await secondRead.request(`/images/${id}`)).json();
    stored[name] = Object.values(opinions).flat().map(({ opinion, comment }) => [opinion, comment]);
  }
  return stored;
}"""
"""Opinions that the server has: of each image a list of [opinion, comment]."""


def show_image(page, name: str) -> None:
    """Choose an image in the worklist, and wait until its findings are here."""
    page.locator(".worklist .entry", has_text=name).click()
    page.wait_for_selector(f'.worklist .entry[aria-current="true"] >> text={name}')
    page.wait_for_function("() => secondRead.images.get(secondRead.current)?.findings")


def state_an_opinion_by_key(page, key: str) -> None:
    page.keyboard.press(key)
    page.wait_for_function(f"() => {GIVEN}.length === 1")


@pytest.mark.parametrize(
    ("part", "data", "keys", "of"),
    [
        (WORKLIST, None, ("]", "n", "y"), "1.dcm"),
        (FINDINGS, {"content": None}, ("y", "]"), "0.dcm"),
        (FINDINGS, {"content": None}, ("y", "ArrowDown"), "0.dcm"),
    ],
)
def test_keys_for_several_parts_of_the_page_act_in_their_order_where_one_is_mounted_anew(
    read_images, part, data, keys, of
):
    page = read_images
    no_run_of_the_script(page)
    for name in ("2.dcm", "1.dcm", "0.dcm"):
        show_image(page, name)
    page.keyboard.press("n")
    page.locator('.worklist .entry[aria-current="true"]').focus()
    page.evaluate(UNMOUNT, part)
    for key in keys:
        page.keyboard.press(key)
    page.evaluate(MOUNT, [part[0], data])
    page.wait_for_selector('.worklist .entry[aria-current="true"] >> text=1.dcm')
    # the page forgets what it has of an image that it left once the worklist says that it has changed
    page.wait_for_function(f"async () => Object.values(await ({STORED})()).some((opinions) => opinions.length)")
    assert page.evaluate(STORED) == {f"{n}.dcm": [["present", ""]] if f"{n}.dcm" == of else [] for n in range(3)}


def test_letters_of_a_comment_are_no_keys_after_a_finger_has_scrolled_the_page(read_images):
    page = read_images
    no_run_of_the_script(page)
    comment_on_first_finding(page)
    page.keyboard.type("no ")
    box = page.locator(".findings").bounding_box()
    gesture = {"x": box["x"] + 40, "y": box["y"] + 60, "yDistance": -60, "gestureSourceType": "touch"}
    page.context.new_cdp_session(page).send("Input.synthesizeScrollGesture", gesture)
    # Chrome leaves the focus where it is
    assert page.locator(".comment:focus").count() == 1
    assert page.evaluate(UNMOUNT, FINDINGS)
    page.keyboard.type("yes")
    page.evaluate(MOUNT, NO_CONTENT)
    page.wait_for_selector(".comment:focus")
    assert page.locator(".comment").input_value() == "no yes"
    assert page.evaluate(STORED) == {f"{n}.dcm": [] for n in range(3)}


def test_a_letter_for_a_list_of_choices_that_is_mounted_anew_is_no_key(read_images):
    page = read_images
    no_run_of_the_script(page)
    page.locator(".findings > .list .row").first.click()
    page.keyboard.press("q")
    page.wait_for_selector(".worklist .filter:focus")
    assert page.evaluate(UNMOUNT, WORKLIST)
    page.keyboard.press("u")
    page.evaluate(MOUNT, ["worklist", None])
    page.wait_for_selector(".worklist .filter:focus")
    page.keyboard.press("Escape")
    page.wait_for_selector(".worklist .entry:focus")
    assert page.evaluate(STORED) == {f"{n}.dcm": [] for n in range(3)}


def test_keys_of_the_caret_of_a_comment_that_is_mounted_anew_are_not_lost(read_images):
    page = read_images
    no_run_of_the_script(page)
    comment_on_first_finding(page)
    page.keyboard.type("effusion??")
    assert page.evaluate(UNMOUNT, FINDINGS)
    for key in ("ArrowLeft", "Delete", "Home", "n", "o", " ", "ArrowRight", "End", "!"):
        page.keyboard.press(key)
    page.evaluate(MOUNT, NO_CONTENT)
    assert page.locator(".comment").input_value() == "no effusion?!"


def test_a_comment_on_an_opinion_is_stored_where_the_wheel_leaves_it(read_images):
    page = read_images
    no_run_of_the_script(page)
    comment_on_first_finding(page)
    page.keyboard.press("Escape")
    state_an_opinion_by_key(page, "y")
    page.keyboard.press("t")
    page.keyboard.type("small")
    page.evaluate("() => { secondRead.viewer.wheel = 'image'; }")
    page.locator("canvas.radiograph").hover()
    with page.expect_response("**/opinions"):
        page.mouse.wheel(0, 120)
    page.wait_for_selector('.worklist .entry[aria-current="true"] >> text=1.dcm')
    assert page.evaluate(STORED)["0.dcm"] == [["present", ""], ["present", "small"]]


def test_what_is_typed_while_an_opinion_is_on_its_way_is_kept(read_images):
    page = read_images
    no_run_of_the_script(page)
    comment_on_first_finding(page)
    page.keyboard.press("Escape")
    held = []
    page.route("**/opinions", lambda route: held.append(route))
    with page.expect_request("**/opinions"):
        page.keyboard.press("y")
    page.keyboard.press("t")
    page.keyboard.type("small")
    held[0].continue_()
    page.wait_for_function(f"() => {GIVEN}.length === 1")
    page.evaluate("() => secondRead.show(secondRead.listed[1])")
    page.wait_for_selector('.worklist .entry[aria-current="true"] >> text=1.dcm')
    show_image(page, "0.dcm")
    assert page.locator(".comment").input_value() == "small"


def test_nothing_that_does_something_else_takes_the_focus_of_a_button_that_is_gone(read_images):
    page = read_images
    no_run_of_the_script(page)
    page.locator(".findings > .list .row").first.click()
    page.locator('[data-of="Agree"]').focus()
    change = """state => {
      const image = secondRead.images.get(secondRead.current);
      const rows = image.findings.rows.map((row) => ({ ...row, state }));
      secondRead.take({ ...image, findings: { ...image.findings, rows } });
      return document.activeElement === document.body;
    }"""
    assert page.evaluate(change, "not_evaluated")
    assert not page.evaluate(change, "above")
    assert page.locator('[data-of="Agree"]:focus').count() == 1


@pytest.mark.parametrize("key", ["n", "]", "i"])
def test_a_key_of_the_page_that_comes_while_its_part_is_mounted_anew_is_not_lost(read_images, key):
    page = read_images
    no_run_of_the_script(page)
    page.locator(".worklist .entry", has_text="0.dcm").click()
    page.wait_for_selector('.worklist .entry[aria-current="true"] >> text=0.dcm')
    page.locator(".findings > .list .row").first.click()
    part, data, sign = {
        "n": (FINDINGS, {"content": None}, '.findings > .list .line:nth-child(2) [aria-checked="true"]'),
        "]": (WORKLIST, None, '.worklist .entry[aria-current="true"] >> text=1.dcm'),
        "i": (["viewer", ".viewer"], None, 'canvas.radiograph[data-invert="on"]'),
    }[key]
    page.evaluate(UNMOUNT, part)
    page.keyboard.press(key)
    page.evaluate(MOUNT, [part[0], data])
    page.wait_for_selector(sign)


def test_on_an_emptied_page_no_key_waits_for_the_worklist(read_images):
    page = read_images
    page.locator(".worklist .entry", has_text="0.dcm").click()
    for left in ("2 images", "1 image"):
        page.keyboard.press("Delete")
        page.wait_for_selector(f'.worklist .counts >> text="{left}"')
    page.keyboard.press("Delete")
    page.wait_for_selector(f"text={FRONT_TITLE}")
    page.wait_for_function("() => secondRead.current === null && !secondRead.worklist.studies.length")
    wait_until_drawn(page)
    page.evaluate("() => window.addEventListener('keydown', (event) => { window.prevented = event.defaultPrevented; })")
    for key in ("ArrowDown", " ", "Enter"):
        page.keyboard.press(key)
        assert page.evaluate("window.prevented") is False, key


def test_the_key_of_the_comment_says_what_is_missing(read_images):
    page = read_images
    upload(page, ("words.txt", b"some words"))
    page.locator(".worklist .entry.unreadable").click()
    page.wait_for_function("() => secondRead.images.get(secondRead.current)?.status === 'unreadable'")
    page.keyboard.press("t")
    page.wait_for_selector('.problem >> text="This image has no findings."')
    page.locator(".worklist .entry", has_text="0.dcm").click()
    page.wait_for_selector('.worklist .entry[aria-current="true"] >> text=0.dcm')
    wait_until_drawn(page)
    page.evaluate(
        """() => {
          const image = secondRead.images.get(secondRead.current);
          secondRead.take({ ...image, status: 'waiting', findings: null });
        }"""
    )
    page.keyboard.press("t")
    page.wait_for_selector('.problem >> text="The findings of this image are not here yet. Press the key again."')


def test_an_entry_stays_the_same_element_when_the_worklist_changes(read_images):
    page = read_images
    entry = page.locator(".worklist .entry", has_text="1.dcm")
    entry.evaluate("node => { window.entry = node; }")
    # a click that begins before a change ends after it
    box = entry.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    more = phantom_dicom(203, 180)
    drop(page, "canvas.radiograph", ("3.dcm", more))
    page.wait_for_selector('.worklist .entry.read[aria-current="true"] >> text=3.dcm')
    page.mouse.up()
    page.wait_for_selector('.worklist .entry[aria-current="true"] >> text=1.dcm')
    assert page.evaluate("() => window.entry.isConnected && window.entry.getAttribute('aria-current')") == "true"
