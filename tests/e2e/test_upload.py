"""Files in, in Chromium: dropped anywhere and at any time, several drops, refusals in words, and what is sent where."""

import hashlib
import io
import zipfile

import pytest

from cxr_core.imaging import phantom_dicom, phantom_png
from tests.browser import browsing, drop, upload, wait_until_drawn

pytestmark = pytest.mark.e2e


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def wait_for_image(page, data: bytes) -> None:
    page.wait_for_selector(f'canvas.radiograph[data-sha="{sha(data)}"]:not([data-label=""])')


WITHOUT_RUNS = """() => {
  const store = window.secondRead;
  // as where each run so far has ended, and no other does
  Object.assign(store, { follow: () => {}, offer: () => {}, announced: null });
}"""


def shown_without_runs(page, data: bytes) -> None:
    """Upload an image on the empty page; once it is shown no run of the script changes what is on the screen."""
    upload(page, ("shown.png", data))
    wait_for_image(page, data)
    page.evaluate(WITHOUT_RUNS)


def wait_for(page, things: list) -> None:
    """Wait until something was added to a list by an event of the page, a minute at most."""
    for _ in range(600):
        if things:
            return
        page.wait_for_timeout(100)
    raise AssertionError("nothing came within a minute")


def test_files_may_be_dropped_on_the_empty_page_on_the_image_and_twice_in_a_row(page):
    requests = []
    page.on("request", lambda request: requests.append(request))
    url = page.url
    first, second, third, fourth = (phantom_png(200 + n, 180) for n in range(4))
    assert drop(page, "h1", ("first.png", first))
    wait_for_image(page, first)
    assert drop(page, "canvas.radiograph", ("second.png", second))
    # before anything of it is there
    assert drop(page, "canvas.radiograph", ("third.png", third), ("Jane Doe.png", fourth))
    page.wait_for_function(
        "all => all.every((id) => secondRead.images.get(id)?.status === 'read' || secondRead.worklist?.studies"
        ".some((study) => study.images.some((image) => image.id === id && image.status === 'read')))",
        arg=[sha(data) for data in (first, second, third, fourth)],
    )
    # the last drop is on the screen
    wait_for_image(page, third)
    assert page.url == url
    ours = [request for request in requests if "/worklist" in request.url]
    assert {request.method for request in ours} == {"GET", "POST"}
    # nothing but digests is in an address, and the token in none
    token = page.evaluate("secondRead.connection.token")
    for request in ours:
        assert not {"Doe", "png", token} & set(request.url.replace("/", " ").split())
        assert token not in request.url
    stored = page.evaluate("() => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert token not in stored


def test_a_file_that_is_dropped_on_another_page_does_not_replace_it(page):
    page.get_by_role("link", name="Model").first.click()
    page.wait_for_selector("text=Model facts")
    assert drop(page, "h1, h2", ("image.png", phantom_png(64, 64)))


def test_a_page_that_was_opened_directly_says_where_images_are_added(address, chromium):
    with browsing(chromium) as page:
        page.goto(f"{address}/model")
        page.wait_for_selector("text=Model facts")
        note = page.locator(".st-key-drop-note")
        note.wait_for(state="attached")
        page.wait_for_function("() => window.secondRead?.acceptsDrops")
        wait_until_drawn(page)
        assert not note.is_visible()
        # however slow the machine
        page.evaluate("() => { secondRead.noteMs = 60_000; }")
        before = phantom_png(64, 64)
        assert drop(page, "h1, h2", ("before.png", before))
        assert note.is_visible()
        assert page.url.partition("?")[0] == f"{address}/model"
        note.get_by_role("link", name="Second opinion").click()
        page.wait_for_url(lambda url: url.partition("?")[0] == f"{address}/")
        # there both are added; the page may show the first one already
        image = phantom_png(210, 180)
        assert drop(page, "h1, canvas.radiograph, body", ("image.png", image))
        wait_for_image(page, image)
        page.wait_for_function("id => id in secondRead.worklist.versions", arg=sha(before))


def test_a_file_that_was_dropped_on_another_page_is_forgotten_with_the_note(page):
    page.get_by_role("link", name="Model").first.click()
    page.wait_for_selector("text=Model facts")
    wait_until_drawn(page)
    page.evaluate("() => { secondRead.noteMs = 1000; }")
    assert drop(page, "h1, h2", ("image.png", phantom_png(64, 64)))
    page.wait_for_function("() => !secondRead.heldDrops.length")
    assert not page.locator(".st-key-drop-note").is_visible()


def test_a_drop_that_fails_is_not_in_the_way_of_the_next(page):
    page.wait_for_function("() => window.secondRead?.uploadPanels?.size")
    page.evaluate(
        "() => { secondRead.adding = Promise.reject(new Error('a drop')); secondRead.adding.catch(() => {}); }"
    )
    image = phantom_png(210, 180)
    assert drop(page, "h1", ("image.png", image))
    wait_for_image(page, image)


def test_the_first_image_of_a_drop_is_fetched_by_the_routes_before_the_script_has_run(page):
    first, second = phantom_png(220, 180), phantom_png(221, 180)
    shown_without_runs(page, first)
    # nothing goes to Streamlit from here on
    page.evaluate("() => { WebSocket.prototype.send = () => {}; }")
    drop(page, "canvas.radiograph", ("second.png", second))
    wait_for_image(page, second)


NOTE_WHAT_IS_SHOWN = """([id, longest]) => {
  const store = window.secondRead;
  store.prepareMs = longest ?? store.prepareMs;
  const note = () => {
    if (store.current !== id) return;
    store.listeners.delete(note);
    window.thereWhenShown = [Boolean(store.pixelsNow(id)), Boolean(store.images.get(id)?.findings)];
  };
  store.listeners.add(note);
}"""


HOWEVER_SLOW = """() => {
  const store = window.secondRead;
  // after a second the server answers that the image waits
  const { load, pixels } = store;
  store.pixels = async (id) => {
    for (;;) {
      const radiograph = await pixels.call(store, id);
      if (radiograph) return radiograph;
    }
  };
  store.load = async (...given) => {
    for (;;) {
      const image = await load.apply(store, given);
      if (image?.status !== "waiting") return image;
    }
  };
}"""


def test_an_image_that_was_added_is_shown_at_once_with_its_findings(page):
    first, second = phantom_png(232, 180), phantom_png(233, 180)
    shown_without_runs(page, first)
    page.evaluate(NOTE_WHAT_IS_SHOWN, [sha(second), 60_000])
    page.evaluate(HOWEVER_SLOW)
    drop(page, "canvas.radiograph", ("second.png", second))
    wait_for_image(page, second)
    assert page.evaluate("window.thereWhenShown") == [True, True]


def test_an_image_that_was_added_is_shown_without_its_findings_where_these_take_long(page):
    first, second = phantom_png(234, 180), phantom_png(235, 180)
    shown_without_runs(page, first)
    page.evaluate(NOTE_WHAT_IS_SHOWN, [sha(second), None])
    # they are asked for and never answered
    page.route(f"**/images/{sha(second)}", lambda route: None)
    drop(page, "canvas.radiograph", ("second.png", second))
    page.wait_for_selector(f'canvas.radiograph[data-sha="{sha(second)}"][data-label=""]')
    assert page.evaluate("window.thereWhenShown[1]") is False
    assert page.locator(".study-header").get_attribute("data-id") == sha(second)


NOTE_WHAT_IS_READ_WHEN_A_FILE_IS_SENT = """([id, patience]) => {
  const store = window.secondRead;
  store.uploads.patience = patience ?? store.uploads.patience;
  window.sentAfterFindings = [];
  const { send } = XMLHttpRequest.prototype;
  XMLHttpRequest.prototype.send = function (body) {
    if (body instanceof File) window.sentAfterFindings.push(Boolean(store.images.get(id)?.findings));
    return send.call(this, body);
  };
}"""


def ready_to_drop(page, height: int, patience: int | None) -> tuple[str, list[tuple[str, bytes]]]:
    """Show an image; return the id of the first of three further ones, and these."""
    shown, *dropped = (phantom_png(height + n, 180) for n in range(4))
    shown_without_runs(page, shown)
    page.evaluate(NOTE_WHAT_IS_READ_WHEN_A_FILE_IS_SENT, [sha(dropped[0]), patience])
    return sha(dropped[0]), [(f"{n}.png", data) for n, data in enumerate(dropped)]


def test_the_other_files_of_a_drop_are_sent_once_the_first_is_read(page):
    _, files = ready_to_drop(page, 230, 60_000)
    drop(page, "canvas.radiograph", *files)
    page.wait_for_function("() => window.sentAfterFindings.length === 3")
    assert page.evaluate("window.sentAfterFindings") == [False, True, True]


FOLLOW = """id => {
  const store = window.secondRead;
  const { token, path, isStored: stored } = store.connection;
  // a run of the script, where WITHOUT_RUNS lets no other through
  const { follow } = Object.getPrototypeOf(store);
  follow.call(store, { token, path, chosen: id, version: "", stored }, store.send);
}"""


def test_the_other_files_of_a_drop_are_sent_once_the_first_is_read_where_a_script_run_shows_it(page):
    first, files = ready_to_drop(page, 236, 60_000)
    page.evaluate("() => { secondRead.prepareMs = 60_000; }")
    held = []
    page.route(f"**/images/{first}", lambda route: route.continue_() if held else held.append(route))
    drop(page, "canvas.radiograph", *files)
    wait_for(page, held)
    page.evaluate(FOLLOW, first)
    assert page.evaluate("secondRead.current") == first
    held[0].continue_()
    page.wait_for_function("() => window.sentAfterFindings.length === 3")
    assert page.evaluate("window.sentAfterFindings") == [False, True, True]


def test_the_other_files_of_a_drop_are_sent_also_where_the_first_takes_long(page):
    first, files = ready_to_drop(page, 240, None)
    # it is asked for and never answered
    page.route(f"**/images/{first}", lambda route: None)
    drop(page, "canvas.radiograph", *files)
    page.wait_for_function("() => window.sentAfterFindings.length === 3")
    assert page.evaluate("window.sentAfterFindings") == [False, False, False]


def test_of_two_drops_the_last_stays_on_the_screen_also_where_the_first_takes_longer(page):
    shown, first, second = (phantom_png(244 + n, 180) for n in range(3))
    shown_without_runs(page, shown)
    page.evaluate("() => { secondRead.prepareMs = 60_000; }")
    held = []
    page.route(f"**/images/{sha(first)}", lambda route: held.append(route))
    drop(page, "canvas.radiograph", ("first.png", first))
    wait_for(page, held)
    drop(page, "canvas.radiograph", ("second.png", second))
    wait_for_image(page, second)
    assert page.evaluate("secondRead.uploads.drops.size") == 1
    held[0].continue_()
    page.wait_for_function("() => !secondRead.uploads.drops.size")
    assert page.evaluate("secondRead.current") == sha(second)


@pytest.mark.parametrize("goes_back", [False, True])
def test_the_last_of_two_drops_is_shown_where_a_script_run_shows_the_first_unless_the_reader_goes_back(page, goes_back):
    shown, first, second = (phantom_png(256 + n, 180) for n in range(3))
    shown_without_runs(page, shown)
    page.evaluate("() => { secondRead.prepareMs = 60_000; }")
    images, files = [], []
    page.route(f"**/images/{sha(first)}", lambda route: images.append(route))
    drop(page, "canvas.radiograph", ("first.png", first))
    wait_for(page, images)
    page.route("**/worklist/images", lambda route: files.append(route))
    drop(page, "canvas.radiograph", ("second.png", second))
    wait_for(page, files)
    page.evaluate(FOLLOW, sha(first))
    assert page.evaluate("secondRead.current") == sha(first)
    if goes_back:
        images[0].continue_()
        page.wait_for_function("() => secondRead.uploads.drops.size === 1")
        page.evaluate("id => { secondRead.show(id); }", sha(shown))
    files[0].continue_()
    if goes_back:
        page.wait_for_function("() => !secondRead.uploads.drops.size")
        assert page.evaluate("secondRead.current") == sha(shown)
    else:
        wait_for_image(page, second)


TWO_ANSWERS = """async ([id, since]) => {
  const store = window.secondRead;
  // one that is on its way
  await store.load(id);
  const { request, worklist } = store;
  const image = store.images.get(id);
  const known = { ...worklist, moment: 100, versions: { [id]: "known.0" } };
  // nothing else changes it meanwhile
  Object.defineProperty(store, "worklist", { value: known, writable: false, configurable: true });
  const answers = [{ ...image, version: "other.0", moment: 100 + since }, { ...image, version: "known.0", moment: 99 }];
  let asked = 0;
  store.request = (path) => {
    if (path !== `/images/${id}`) return request.call(store, path);
    return Promise.resolve(new Response(JSON.stringify(answers[asked++])));
  };
  const { version } = await store.loadUntilRead(id);
  Object.assign(store, { request });
  Object.defineProperty(store, "worklist", { value: worklist, writable: true });
  return [asked, version];
}"""


@pytest.mark.parametrize(("since", "asked", "version"), [(1, 1, "other.0"), (-1, 2, "known.0")])
def test_an_answer_of_an_image_counts_unless_a_worklist_may_be_newer(page, since, asked, version):
    image = phantom_png(224, 180)
    upload(page, ("image.png", image))
    wait_for_image(page, image)
    assert page.evaluate(TWO_ANSWERS, [sha(image), since]) == [asked, version]


WORKLIST_WITHOUT = """async ([id, since]) => {
  const store = window.secondRead;
  const { request, worklist } = store;
  // from a route, which says when
  await store.load(id, { again: true });
  const { moment } = store.images.get(id);
  store.worklist.moment = moment - 10;
  const headers = { "X-Second-Read-Moment": String(moment + since) };
  store.request = () => Promise.resolve(new Response(JSON.stringify({ ...worklist, versions: {} }), { headers }));
  await store.fetchWorklist({});
  store.request = request;
  return store.images.has(id);
}"""


@pytest.mark.parametrize("since", [-1, 1e6])
def test_a_worklist_that_is_older_than_an_image_does_not_take_it_away(page, since):
    image = phantom_png(225, 180)
    upload(page, ("image.png", image))
    wait_for_image(page, image)
    assert page.evaluate(WORKLIST_WITHOUT, [sha(image), since]) == (since < 0)


LATE_REFUSAL = """async () => {
  const store = window.secondRead;
  const { fetch } = window;
  const { token, path, isStored: stored } = store.connection;
  let refuse;
  const refused = new Promise((wake) => { refuse = wake; });
  window.fetch = () => refused.then(() => new Response("This session has ended.", { status: 403 }));
  store.connection.token = "before";
  const asked = store.request("");
  window.fetch = fetch;
  store.follow({ token, path, chosen: store.current, version: "", stored }, store.send);
  refuse();
  await asked;
  return store.connection.lost;
}"""


def test_a_refusal_of_the_session_before_does_not_end_the_one_that_follows(page):
    image = phantom_png(226, 180)
    upload(page, ("image.png", image))
    wait_for_image(page, image)
    assert page.evaluate(LATE_REFUSAL) == ""


OVERTAKEN = """async (id) => {
  const store = window.secondRead;
  const answer = await store.request("");
  const [body, headers] = [await answer.text(), [...answer.headers]];
  store.removals.add([id]);
  await store.removals.send();
  const { request } = store;
  store.request = () => Promise.resolve(new Response(body, { headers }));
  await store.fetchWorklist({});
  store.request = request;
  return id in store.worklist.versions;
}"""


def test_a_worklist_that_comes_after_a_newer_one_does_not_bring_a_removed_image_back(page):
    image = phantom_png(227, 180)
    upload(page, ("other.png", phantom_png(228, 180)), ("image.png", image))
    page.wait_for_function("id => id in (window.secondRead?.worklist?.versions ?? {})", arg=sha(image))
    assert not page.evaluate(OVERTAKEN, sha(image))


OLD_CONTENT = """async (id) => {
  const store = window.secondRead;
  const { request } = store;
  const content = { ...store.images.get(id), summary: "of before" };
  delete content.moment;
  const answer = await store.request("");
  const worklist = await answer.json();
  const headers = [...answer.headers];
  // it was changed since the script run began, and its message is not fetched yet
  worklist.versions[id] = "changed.0";
  const changed = () => Promise.resolve(new Response(JSON.stringify(worklist), { headers }));
  store.request = (path) => (path ? new Promise(() => {}) : changed());
  store.current = null;
  await store.fetchWorklist({});
  const before = store.images.has(id);
  store.offer(content);
  store.request = request;
  return [before, store.images.has(id)];
}"""


def test_what_a_script_run_knew_of_an_image_counts_only_in_the_version_of_the_worklist(page):
    image = phantom_png(229, 180)
    upload(page, ("image.png", image))
    wait_for_image(page, image)
    # a message with the small changes of the image could otherwise come meanwhile, and be newer than the worklist
    page.wait_for_selector("text=Small changes of the image: the state of")
    wait_until_drawn(page)
    is_known = "id => secondRead.images.get(id)?.version === secondRead.worklist.versions[id]"
    page.wait_for_function(is_known, arg=sha(image))
    assert page.evaluate(OLD_CONTENT, sha(image)) == [False, False]


REMOVE = """async (id) => {
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify({ ids: [id], undone: [] });
  await secondRead.request("/removals", { method: "POST", headers, body });
}"""
"""As another tab does: this one knows nothing of it."""


@pytest.mark.parametrize("is_shown", [False, True])
def test_an_image_that_another_tab_removes_before_its_upload_is_answered_does_not_stay(page, is_shown):
    first, second = phantom_png(230, 180), phantom_png(231, 180)
    shown_without_runs(page, first)
    page.evaluate("() => { window.seen = []; secondRead.listeners.add(() => window.seen.push(secondRead.current)); }")
    held = []
    page.route("**/worklist/images", lambda route: held.append((route, route.fetch())))
    upload(page, ("second.png", second))
    page.wait_for_function("id => id in secondRead.worklist.versions", arg=sha(second))
    if is_shown:
        # by a run of the script, since it is the server's choice
        page.evaluate(FOLLOW, sha(second))
        wait_for_image(page, second)
    page.evaluate(REMOVE, sha(second))
    page.wait_for_function("id => !(id in secondRead.worklist.versions)", arg=sha(second))
    page.wait_for_function("id => secondRead.current === id", arg=sha(first))
    wait_for(page, held)
    route, response = held[0]
    route.fulfill(response=response)
    # it was decided by then
    page.wait_for_function("() => secondRead.uploads.done === 1 && !secondRead.uploads.drops.size")
    assert page.evaluate("() => [...new Set(window.seen)]") == [sha(first), sha(second)][: 1 + is_shown]
    assert page.evaluate("() => [secondRead.current, ...secondRead.images.keys()]") == [sha(first)] * 2


OLD_WORKLIST = """async ([first, second]) => {
  const store = window.secondRead;
  const { request } = store;
  const answer = await store.request("");
  const headers = [...answer.headers];
  const worklist = { ...(await answer.json()), chosen: first };
  delete worklist.versions[second];
  let arrive;
  const response = () => new Response(JSON.stringify(worklist), { headers });
  store.request = () => new Promise((done) => { arrive = () => done(response()); });
  const asked = store.fetchWorklist({});
  // the message of the image has not come yet
  Object.assign(store, { request, load: () => new Promise(() => {}) });
  store.images.delete(second);
  store.show(second, { tell: false });
  arrive();
  await asked;
  const shown = [store.current];
  await store.refresh();
  return [...shown, store.current];
}"""


def test_what_another_tab_removes_leaves_the_screen_however_late_the_script_runs(page):
    first, second, third = (phantom_png(262 + n, 180) for n in range(3))
    upload(page, ("first.png", first), ("second.png", second), ("third.png", third))
    wait_for_image(page, first)
    page.wait_for_function("id => id in secondRead.worklist.versions", arg=sha(third))
    page.evaluate(WITHOUT_RUNS)
    page.evaluate(REMOVE, sha(first))
    wait_for_image(page, second)
    # a run that began before
    page.evaluate(FOLLOW, sha(first))
    page.wait_for_selector(f'.study-header[data-id="{sha(second)}"]')
    wait_for_image(page, second)
    # while the worklist of before is on its way
    assert page.evaluate(OLD_WORKLIST, [sha(second), sha(third)]) == [sha(third)] * 2
    page.evaluate(REMOVE, sha(third))
    page.wait_for_function("id => secondRead.current === id", arg=sha(second))


STALE_RUN = """([first, second]) => {
  const store = window.secondRead;
  const look = () => {
    if (store.current !== second) return;
    store.listeners.delete(look);
    // a run that began before the file was there ends now
    const { token, path } = store.connection;
    store.follow({ token, path, chosen: first, version: store.tag }, store.send);
    window.afterStaleRun = store.current;
  };
  store.listeners.add(look);
}"""


def test_a_script_run_that_began_before_a_drop_does_not_switch_back(page):
    first, second = phantom_png(222, 180), phantom_png(223, 180)
    upload(page, ("first.png", first))
    wait_for_image(page, first)
    # the run that follows the first file could otherwise know of the second, and show it
    page.wait_for_function("() => window.secondRead.announced === null")
    wait_until_drawn(page)
    page.evaluate(STALE_RUN, [sha(first), sha(second)])
    drop(page, "canvas.radiograph", ("second.png", second))
    page.wait_for_function("() => window.afterStaleRun")
    assert page.evaluate("() => window.afterStaleRun") == sha(second)
    wait_for_image(page, second)


def test_a_file_of_a_folder_that_cannot_be_read_stops_no_other(page):
    image = phantom_png(214, 180)
    page.wait_for_function("() => window.secondRead?.acceptsDrops")
    page.evaluate(
        """bytes => {
          const entry = (name, file) => ({ isFile: true, name, file });
          const good = entry("good.png", (done) => done(new File([Uint8Array.from(bytes)], "good.png")));
          const bad = entry("bad.png", (done, failed) => failed(new DOMException("gone", "NotReadableError")));
          const parts = [[bad, good], []];
          const reader = { readEntries: (done) => done(parts.shift()) };
          const folder = { isFile: false, isDirectory: true, name: "CD", createReader: () => reader };
          const event = new DragEvent("drop", { bubbles: true, composed: true, cancelable: true });
          const dataTransfer = { types: ["Files"], files: [], items: [{ webkitGetAsEntry: () => folder }] };
          Object.defineProperty(event, "dataTransfer", { value: dataTransfer });
          document.querySelector("h1, canvas, body").dispatchEvent(event);
        }""",
        list(image),
    )
    wait_for_image(page, image)
    page.wait_for_selector("text=CD/bad.png: cannot be read on this computer.")


def test_what_was_not_added_is_listed_in_words(page):
    image = phantom_png(200, 190)
    upload(page, ("image.png", image))
    wait_for_image(page, image)
    upload(page, ("again.png", image))
    page.wait_for_selector(".upload .problems >> text=1 already in the worklist")
    page.locator(".upload button.dismiss").last.click()
    page.wait_for_selector(".upload .problems", state="hidden")


def test_a_zip_of_a_study_is_unpacked(page):
    members = {f"a/{n}.dcm": phantom_dicom(100 + n, 84, SOPInstanceUID=f"1.2.{n}") for n in range(3)}
    with zipfile.ZipFile(file := io.BytesIO(), "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    upload(page, ("study.zip", file.getvalue()))
    wait_for_image(page, members["a/0.dcm"])
    page.wait_for_function("() => Object.keys(secondRead.worklist?.versions ?? {}).length === 3")


def test_a_drop_goes_on_while_the_reader_is_on_another_page(page):
    files = [(f"{number}.png", phantom_png(240 + number, 180)) for number in range(6)]
    drop(page, "h1", *files)
    page.wait_for_function("() => secondRead.uploads.files === 6")
    page.get_by_role("link", name="Model", exact=True).first.click()
    page.wait_for_selector("text=Model facts")
    page.get_by_role("link", name="Second opinion", exact=True).first.click()
    page.wait_for_function(
        "ids => ids.every((id) => id in (secondRead.worklist?.versions ?? {}))",
        arg=[sha(data) for _, data in files],
    )
    page.wait_for_selector(f'.worklist [data-kind="entry"] >> nth={len(files) - 1}')


def test_the_browser_asks_before_files_that_are_being_added_are_lost(page):
    files = [(f"{number}.png", phantom_png(250 + number, 180)) for number in range(3)]
    held, dialogs = [], []

    def stay(dialog):
        dialogs.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    page.route("**/worklist/images", lambda route: route.continue_() if dialogs else held.append(route))
    # a browser asks only a person who has used the page
    page.locator("h1").first.click()
    drop(page, "h1", *files)
    page.wait_for_function("() => secondRead.uploads.open")
    page.evaluate("() => { setTimeout(() => location.reload(), 0); }")
    wait_for(page, dialogs)
    wait_for(page, held)
    assert dialogs == ["beforeunload"]
    for route in held:
        route.continue_()
    listed = "ids => ids.every((id) => id in (secondRead.worklist?.versions ?? {})) && !secondRead.uploads.open"
    page.wait_for_function(listed, arg=[sha(data) for _, data in files])
    page.reload()
    page.wait_for_selector(f'.worklist [data-kind="entry"] >> nth={len(files) - 1}')
    assert dialogs == ["beforeunload"]
    page.remove_listener("dialog", stay)
