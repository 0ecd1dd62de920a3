"""One worklist in several tabs of a browser, and another browser, in Chromium: reload, changes of the other tab."""

import contextlib

import pytest

from cxr_core.imaging import phantom_dicom
from cxr_core.ui.server.browser_cookie import BROWSER_COOKIE
from cxr_core.ui.server.worklist_routes import VISIBLE_HEADER
from tests.browser import browsing, open_front_page, serving, upload, viewer_state

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ENTRY = '.worklist [data-kind="entry"]'


@contextlib.contextmanager
def tabs_of(chromium: str, count: int):
    """Open so many tabs of one browser, and give them; the block fails where one throws an error."""
    errors: list[str] = []
    with browsing(chromium) as page:
        context = page.context.browser.new_context(viewport={"width": 1440, "height": 900})
        tabs = [context.new_page() for _ in range(count)]
        for tab in tabs:
            tab.set_default_timeout(60_000)
            tab.on("pageerror", lambda error: errors.append(str(error)))
        try:
            yield tabs
        finally:
            context.close()
    assert not errors, errors


def listed(page, count: int) -> list[str]:
    """The ids of the images in the strip, once there are so many."""
    from playwright.sync_api import expect

    expect(page.locator(ENTRY)).to_have_count(count, timeout=60_000)
    return page.locator(ENTRY).evaluate_all("nodes => nodes.map((node) => node.dataset.id)")


def shown(page, digest: str) -> None:
    """Wait until an image is on the canvas."""
    page.wait_for_selector(f'canvas.radiograph[data-sha="{digest}"]')


def test_a_tab_says_that_the_reading_page_is_in_sight_while_it_is(chromium):
    def waits(request) -> bool:
        return request.url.endswith("/worklist") and "if-none-match" in request.headers

    def waits_visibly(request) -> bool:
        return waits(request) and VISIBLE_HEADER.lower() in request.headers

    def waits_unseen(request) -> bool:
        return waits(request) and VISIBLE_HEADER.lower() not in request.headers

    def quiet(page) -> None:
        """Wait until a request has waited for a second, so that it goes on for some more."""
        for _ in range(60):
            with page.expect_request(waits_visibly, timeout=60_000) as begun:
                pass
            page.wait_for_timeout(1000)
            if begun.value not in ended:
                return

    def hide(page, hidden: bool) -> None:
        page.evaluate(
            """hidden => {
              Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
              document.dispatchEvent(new Event("visibilitychange"));
            }""",
            hidden,
        )

    with serving() as address, browsing(chromium) as page:
        ended = []
        for event in ("requestfinished", "requestfailed"):
            page.on(event, lambda request: ended.append(request))
        open_front_page(page, address)
        upload(page, ("a.dcm", phantom_dicom(256, 224)))
        page.locator(".findings .row").first.wait_for()
        quiet(page)
        # a change of visibility ends the request that waits, and a hidden tab sends no other
        with page.expect_event("requestfailed", waits_visibly, timeout=60_000):
            hide(page, True)
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.wait_for_timeout(1500)
        assert asked == []
        with page.expect_request(waits_visibly, timeout=60_000):
            hide(page, False)
        # another page in the same tab, and back
        with page.expect_request(waits_unseen, timeout=60_000):
            page.get_by_role("link", name="Model", exact=True).first.click()
        page.wait_for_selector("text=Model facts")
        with page.expect_request(waits_visibly, timeout=60_000):
            page.get_by_role("link", name="Second opinion", exact=True).first.click()


def test_a_removal_reaches_the_server_whatever_the_reader_does_meanwhile_and_after_a_failure(chromium):
    files = [(f"{number}.dcm", phantom_dicom(256, 224 + number)) for number in range(4)]
    with serving() as address, tabs_of(chromium, 2) as (one, two):
        open_front_page(one, address)
        open_front_page(two, address)
        upload(one, *files)
        first, second, third, fourth = listed(one, 4)
        assert listed(two, 4) == [first, second, third, fourth]
        # the first two requests fail
        failures = 2
        held = []

        def hold(route) -> None:
            nonlocal failures
            held.append(route)
            if failures:
                failures -= 1
                route.abort()
            else:
                route.continue_()

        one.route("**/worklist/removals", hold)
        one.locator(f'{ENTRY}[data-id="{fourth}"]').focus()
        one.keyboard.press("Delete")
        one.locator(f'{ENTRY}[data-id="{fourth}"]').wait_for(state="detached")
        # meanwhile other images are chosen, of which Streamlit is told, and another is removed
        for digest in (second, third, first):
            one.locator(f'{ENTRY}[data-id="{digest}"]').click()
            shown(one, digest)
        one.wait_for_selector(f'{ENTRY}[data-id="{first}"]:focus')
        one.keyboard.press("Delete")
        assert listed(two, 2) == [second, third]
        assert listed(one, 2) == [second, third]
        assert len(held) >= 3
        one.get_by_role("button", name="Undo").click()
        assert listed(two, 4) == listed(one, 4)


def test_tabs_show_one_worklist_and_another_browser_has_its_own(chromium):
    files = [(f"{number}.dcm", phantom_dicom(256, 224 + number)) for number in range(3)]
    with serving() as address, tabs_of(chromium, 2) as (one, two):
        open_front_page(one, address)
        (cookie,) = [entry for entry in one.context.cookies() if entry["name"] == BROWSER_COOKIE]
        assert (cookie["httpOnly"], cookie["sameSite"], cookie["expires"]) == (True, "Strict", -1)
        open_front_page(two, address)
        upload(one, files[0])
        # the second tab leaves its introduction by itself
        (first,) = listed(two, 1)
        upload(two, *files[1:])
        digests = listed(two, 3)
        assert listed(one, 3) == digests
        assert digests[0] == first
        # each has its own image on the screen
        two.locator(ENTRY).nth(2).click()
        shown(two, digests[2])
        shown(one, first)
        # what one removes is gone in the other, which goes on to the next image and offers the undo
        one.locator(ENTRY).nth(2).click()
        shown(one, digests[2])
        # the key goes to what has the focus
        one.wait_for_selector(f'{ENTRY}[data-id="{digests[2]}"]:focus')
        one.keyboard.press("Delete")
        assert listed(two, 2) == digests[:2]
        shown(two, digests[1])
        two.get_by_role("button", name="Undo").click()
        assert listed(one, 3) == digests
        # findings hidden in one tab are hidden in the other
        one.get_by_text("Read first", exact=True).click()
        two.wait_for_selector("text=Read first: the findings are hidden until you show them.")
        one.get_by_text("Read first", exact=True).click()
        two.wait_for_selector("text=Read first: the findings are hidden until you show them.", state="hidden")
        # a reload finds them
        two.locator(ENTRY).nth(1).click()
        shown(two, digests[1])
        two.reload()
        assert listed(two, 3) == digests
        shown(two, digests[1])
        two.locator(".findings .row").first.wait_for()
        # another page and back
        one.get_by_role("link", name="Model", exact=True).first.click()
        one.wait_for_selector("text=Model facts")
        one.goto(address)
        assert listed(one, 3) == digests
        stranger = one.context.browser.new_page()
        open_front_page(stranger, address)
        assert stranger.locator(ENTRY).count() == 0
        stranger.close()
        assert viewer_state(one)["sha"]
