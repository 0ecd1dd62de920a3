"""Read first in Chromium: what the network carries before the findings are shown, and opinions by the keyboard."""

import json
import re

import pytest
from playwright.sync_api import expect

from cxr_core.imaging import phantom_dicom
from cxr_core.model.formatting import describe_states
from cxr_core.reading import read_image
from cxr_core.ui.findings import findings_message
from tests.browser import browsing, open_front_page, serving, upload, wait_until_drawn

pytestmark = pytest.mark.e2e

DICOM = phantom_dicom(512, 448)

# of a message in JSON, whatever its spaces; texts of the page itself may have these words
STATES = {
    "state of a finding": r'"state":\s*"(above|below)',
    "state of a map": r'"above":\s*(true|false)',
    "count in the worklist": r'"(above|warnings)":\s*\d|\d+ above"',
    "summary": r"\d+ of \d+ evaluated finding|None of \d+ evaluated finding",
    "maps": r'"(maps|intensity|contour)":\s*[\[{]',
    "ranking": r'"(order|rows)":\s*\[',
}


OPINIONS = "label => window.secondRead.images.get(window.secondRead.current).opinions[label]"


class Traffic:
    """All that a page receives and sends: bodies of responses and requests, and frames of WebSockets."""

    def __init__(self, page):
        self._finished, self._kept = [], []
        page.on("requestfinished", lambda request: self._finished.append(request))
        page.on("websocket", self._socket)

    def _socket(self, socket):
        for event in ("framereceived", "framesent"):
            socket.on(event, lambda frame, name=event: self._keep(f"{name} {socket.url}", frame))

    def _keep(self, source, data):
        text = data if isinstance(data, str) else data.decode("latin-1")
        # what JSON escapes, such as the signs of multiplication, is ASCII
        self._kept.append((source, text.replace('\\"', '"')))

    def taken(self) -> list[tuple[str, str]]:
        """Return (source, text) of everything since the last call."""
        finished, self._finished = self._finished, []
        for request in finished:
            response = request.response()
            if request.post_data_buffer:
                self._keep(f"sent {request.url}", request.post_data_buffer)
            if response is not None and response.status not in (204, 304):
                self._keep(request.url, response.body())
        kept, self._kept = self._kept, []
        return kept


def is_program(source: str) -> bool:
    """Whether it is code of the page, which has the names of fields."""
    return re.search(r"\.(js|css)(\?|$)", source) is not None


def numbers_of(message: dict) -> dict[str, str]:
    """Return every number and text that the model's answer consists of, by what it is."""
    texts = {}
    for row in message["rows"]:
        for name in ("value", "interval", "distance"):
            # a number alone might be one of the model's card
            if len(row[name]) > 8:
                texts[f"{name} of {row['label']}"] = row[name]
        for number in (row["bar"], *(row["span"] or ())):
            if number is not None and abs(number) < 1:
                texts[f"{number} of {row['label']}"] = json.dumps(number)
    for label, heat in message["maps"].items():
        strongest = sorted(heat["intensity"])[-5:]
        texts |= {f"cell {number} of {label}": json.dumps(number) for number in strongest if len(str(number)) > 6}
        texts |= {f"contour of {label}": json.dumps(line[0])[1:-1] for line in heat["contour"][:1]}
    return texts


def betrayed(traffic: list[tuple[str, str]], texts: dict[str, str]) -> set[str]:
    """Return what of a reading the traffic holds."""
    found = {name for name, text in texts.items() if any(text in part for _, part in traffic)}
    messages = [part for source, part in traffic if not is_program(source)]
    return found | {name for name, pattern in STATES.items() if any(re.search(pattern, part) for part in messages)}


def test_nothing_of_the_findings_is_sent_before_they_are_shown_and_opinions_stand_beside_them(
    chromium, predictor, tmp_path
):
    _, reading = read_image(DICOM, predictor)
    texts = numbers_of(findings_message(reading, predictor.card, None)) | {"result": describe_states(reading.ranked())}
    assert len(texts) > 60
    evaluated = [finding for finding in reading.ranked() if finding.state != "not_evaluated"]
    # contradicts the model on the last of the ranking alone
    agreeing = {f.label: "present" if f.state == "above" else "absent" for f in evaluated}
    last = evaluated[-1].label
    opinions = agreeing | {last: "absent" if agreeing[last] == "present" else "present"}
    environment = {"SECOND_READ_READ_FIRST": "on", "SECOND_READ_KEEP": "store"}
    folders = {f"SECOND_READ_{name.upper()}": str(tmp_path / name) for name in ("home", "runs")}
    with serving(**environment, **folders) as address, browsing(chromium) as page:
        traffic = Traffic(page)
        open_front_page(page, address)
        upload(page, ("image.dcm", DICOM))
        page.wait_for_selector(".findings .ask")
        page.wait_for_selector("text=Show findings")
        assert page.get_by_label("Read first", exact=True).count() == 0
        labels = page.locator(".findings > .list .ask").evaluate_all("nodes => nodes.map((node) => node.dataset.label)")
        assert sorted(labels) == sorted(opinions)
        # a comment before any opinion waits for it; what is typed is no key
        page.keyboard.press("t")
        page.keyboard.type("eye")
        page.keyboard.press("Enter")
        page.wait_for_selector(".problem >> text=The comment is stored with your opinion")
        assert page.locator('.opinion [aria-pressed="true"]').count() == 0
        for label in labels:
            page.keyboard.press({"present": "y", "absent": "e"}[opinions[label]])
            page.wait_for_selector(f'[data-of="{label}"][aria-pressed="true"]')
            page.keyboard.press("n")
        page.keyboard.press("t")
        page.keyboard.type("as two years ago")
        page.keyboard.press("Enter")
        page.wait_for_selector(".history >> text=comment changed")
        comments = [opinion["comment"] for opinion in page.evaluate(OPINIONS, labels[0])]
        assert comments == ["eye"]
        # the small changes of the image are read while the findings are hidden, too
        wait_until_drawn(page)
        before = traffic.taken()
        kinds = {source.split(" ")[0] for source, _ in before}
        assert {"framereceived", "framesent", "sent"} <= kinds
        assert any("/worklist/images/" in source for source, _ in before)
        assert betrayed(before, texts) == set()

        page.keyboard.press("s")
        page.wait_for_selector(".findings .row")
        # the same search finds all of it now; what is sent may come in several messages
        after = traffic.taken()
        for _ in range(120):
            if betrayed(after, texts) == texts.keys() | STATES.keys():
                break
            page.wait_for_timeout(500)
            after += traffic.taken()
        assert betrayed(after, texts) == texts.keys() | STATES.keys()
        rows = page.locator(".findings > .list .row").evaluate_all("nodes => nodes.map((node) => node.dataset.label)")
        assert rows == [last, *(finding.label for finding in evaluated[:-1])]
        assert page.locator(".differs:not(:empty)").count() == 1
        for label, opinion in opinions.items():
            pressed = page.locator(f'[data-of="{label}"][aria-pressed="true"]')
            assert pressed.get_attribute("data-opinion") == opinion

        # changed with the model in sight; the first opinion stays, and so does the place of the row
        page.locator(f'.row[data-label="{last}"]').click()
        page.keyboard.press("j")
        page.wait_for_selector(f'[data-of="{last}"][data-opinion="{agreeing[last]}"][aria-pressed="true"]')
        history = page.locator(".history").inner_text()
        assert re.fullmatch(rf"You: {opinions[last]}, .* before .*; {agreeing[last]}, .*, findings shown", history)
        assert page.locator(".differs:not(:empty)").count() == 0
        assert page.locator(".findings > .list .row").first.get_attribute("data-label") == last
        page.reload()
        page.wait_for_selector(f'[data-of="{last}"][data-opinion="{agreeing[last]}"][aria-pressed="true"]')


EVERYWHERE = """() => JSON.stringify(
  [location.href, document.title, document.cookie, {...localStorage}, {...sessionStorage}])"""


def to_comment(page, label: str) -> None:
    page.locator(f'.row[data-label="{label}"]').click()
    page.keyboard.press("t")
    page.wait_for_function("() => secondRead.chosen.get(secondRead.current)")


def test_a_comment_without_an_opinion_is_there_after_a_reload_until_an_opinion_has_it(page):
    upload(page, ("image.dcm", DICOM))
    page.wait_for_selector(".findings .row")
    label = page.locator(".findings > .list .row").first.get_attribute("data-label")
    to_comment(page, label)
    # typed, and not left
    with page.expect_response("**/comments") as answer:
        page.keyboard.insert_text("Quendel, apical")
    assert answer.value.status == 204
    assert "Quendel" not in page.evaluate(EVERYWHERE)
    assert "Quendel" not in answer.value.url
    page.reload()
    page.wait_for_selector(".findings .row")
    to_comment(page, label)
    expect(page.locator(".comment")).to_have_value("Quendel, apical")
    page.keyboard.press("Enter")
    page.keyboard.press("y")
    page.wait_for_selector(f'[data-of="{label}"][data-opinion="present"][aria-pressed="true"]')
    assert [one["comment"] for one in page.evaluate(OPINIONS, label)] == ["Quendel, apical"]
    # discarded by Escape, it does not come back
    to_comment(page, label)
    with page.expect_response(lambda answer: answer.url.endswith("/comments") and "left" in answer.request.post_data):
        page.keyboard.insert_text(" left")
    with page.expect_response(
        lambda answer: answer.url.endswith("/comments") and "left" not in answer.request.post_data
    ):
        page.keyboard.press("Escape")
    page.reload()
    page.wait_for_selector(".findings .row")
    to_comment(page, label)
    expect(page.locator(".comment")).to_have_value("Quendel, apical")
    assert len(page.evaluate(OPINIONS, label)) == 1


def test_a_comment_that_was_refused_while_it_was_typed_is_sent_again_when_the_field_is_left(page):
    upload(page, ("image.dcm", DICOM))
    page.wait_for_selector(".findings .row")
    label = page.locator(".findings > .list .row").first.get_attribute("data-label")
    page.wait_for_selector("text=Small changes of the image: the state of")
    wait_until_drawn(page)
    # no run of the script comes between
    page.evaluate("() => { WebSocket.prototype.send = () => {}; }")
    to_comment(page, label)
    busy = {"status": 409, "headers": {"X-Request-ID": "1"}, "body": "This image has no findings at the moment."}
    page.route("**/comments", lambda route: route.fulfill(**busy), times=1)
    with page.expect_response("**/comments") as answer:
        page.keyboard.insert_text("Quendel, apical")
    assert answer.value.status == 409
    with page.expect_response("**/comments") as answer:
        page.keyboard.press("Enter")
    assert answer.value.status == 204
    page.reload()
    page.wait_for_selector(".findings .row")
    to_comment(page, label)
    expect(page.locator(".comment")).to_have_value("Quendel, apical")
