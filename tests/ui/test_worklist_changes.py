"""Removals: what the route takes and refuses, and what is removed, kept and put back."""

import threading
import time

import pytest

from cxr_core.access import signed_out
from cxr_core.errors import PathUnusable
from cxr_core.imaging import phantom_png
from cxr_core.ui.reading_jobs import WorklistReader
from cxr_core.ui.server import worklist_changes
from cxr_core.ui.server.page_sessions import HISTORY
from cxr_core.ui.server.worklist_changes import set_removed
from cxr_core.ui.worklist import Worklist
from cxr_core.ui.worklist_strip import worklist_message
from tests.ui.test_worklist_routes import DICOM, PNG, SHA, add, answers, server  # noqa: F401 - a fixture
from tests.ui.test_worklist_strip import filled

PATH = "/worklist/removals"


def removed(*ids, undone=()) -> dict[str, list[str]]:
    return {"ids": list(ids), "undone": list(undone)}


def test_images_are_removed_and_put_back_and_the_same_request_again_changes_nothing(server):  # noqa: F811
    tab = server.tab()

    async def conversation(client):
        await add(client)
        await add(client, PNG)
        _, other = tab.images.images
        seen = []
        for body in (
            removed(SHA),
            removed(SHA),
            removed(SHA, other),
            removed(SHA, undone=[other]),
            removed(undone=[SHA]),
        ):
            response = await client.post(PATH, json=body)
            worklist = (await client.get("/worklist")).json()
            assert (response.status_code, response.headers["cache-control"]) == (204, "no-store")
            seen.append((len(worklist["versions"]), worklist["removed"]))
        return other, seen

    other, seen = answers(server, tab, conversation)
    assert seen == [(1, [SHA]), (1, [SHA]), (0, [SHA, other]), (1, [SHA]), (2, [])]


BODIES = {
    "not JSON": b"{",
    "nested without end": b"[" * 100_000,
    "a list": b"[]",
    "without what is undone": b'{"ids": []}',
    "no list": b'{"ids": "ab", "undone": []}',
    "numbers": b'{"ids": [1], "undone": []}',
    "one field too many": b'{"ids": [], "undone": [], "all": true}',
}


@pytest.mark.parametrize("case", BODIES)
def test_what_is_no_removal_is_refused_in_one_line(server, case):  # noqa: F811
    tab = server.tab()

    async def conversation(client):
        await add(client)
        return await client.post(PATH, content=BODIES[case])

    refused = answers(server, tab, conversation)
    assert (refused.status_code, refused.text) == (
        400,
        "A removal is a JSON object of two lists of digests: ids and undone.",
    )
    assert list(tab.images.images) == [SHA]


def test_nobody_else_removes_images_and_none_of_a_stored_read(server):  # noqa: F811
    tab, stored = server.tab(), server.tab("history")
    stored.key = HISTORY

    async def conversation(client):
        await add(client)
        # an image of another tab does not exist, so that nothing is removed
        other = {"X-Second-Read-Token": server.tab("other").token}
        codes = [(await client.post(PATH, json=removed(SHA), headers=other)).status_code]
        for headers in (
            {"X-Second-Read-Token": ""},
            {"Sec-Fetch-Site": "cross-site"},
            {"X-Second-Read-Token": stored.token},
        ):
            codes.append((await client.post(PATH, json=removed(SHA), headers=headers)).status_code)
        codes.append((await client.post(PATH, content=b" " * (10**6 + 1))).status_code)
        server.person = signed_out()
        return [*codes, (await client.post(PATH, json=removed(SHA))).status_code]

    assert answers(server, tab, conversation) == [204, 403, 403, 403, 413, 401]
    assert list(tab.images.images) == [SHA]


def test_a_removal_that_cannot_be_stored_says_so(server, monkeypatch):  # noqa: F811
    tab = server.tab()

    def fail(*_):
        raise PathUnusable("The store cannot be written.")

    async def conversation(client):
        await add(client)
        monkeypatch.setattr(worklist_changes, "set_removed", fail)
        return await client.post(PATH, json=removed(SHA))

    response = answers(server, tab, conversation)
    assert (response.status_code, response.text) == (503, "The removal was not stored. The store cannot be written.")


def test_a_request_states_a_whole_removal(predictor):
    images = filled(predictor)
    one, two, three, *_ = before = list(images.images)
    set_removed(images, {one, two}, set())
    assert worklist_message(images)["removed"] == [one, two]
    # the first was undone, and the third removed, in one message
    set_removed(images, {two, three}, {one})
    assert worklist_message(images)["removed"] == [two, three]
    assert list(images.images) == [digest for digest in before if digest not in (two, three)]
    # one that was added again is not to be removed again
    images.add([(images.removal.entries()[0].name, images.removal.entries()[0].data)], max_images=9)
    assert worklist_message(images)["removed"] == [three]
    set_removed(images, set(), {three})
    assert worklist_message(images)["removed"] == []
    assert set(images.images) == set(before)


def test_what_another_tab_removed_a_moment_ago_stays_removed_until_it_is_undone(predictor):
    images = filled(predictor)
    one, two, *others = images.images
    set_removed(images, {one}, set())
    # this tab has no message yet in which the first is removed
    set_removed(images, {two}, set())
    assert list(images.images) == others
    assert worklist_message(images)["removed"] == [one, two]
    set_removed(images, set(), {one})
    assert list(images.images) == [one, *others]
    assert worklist_message(images)["removed"] == [two]


def test_a_removal_while_an_image_is_read_waits_for_nobody(predictor):
    images = Worklist()
    images.add([(f"{number}.png", phantom_png(96 + number, 84)) for number in range(6)], max_images=9)
    reader = WorklistReader(images, predictor)
    first, chosen, *others = images.images.values()
    # the decoder is there from now on
    assert reader.wait(first, 60)
    images.choose(chosen.digest)

    def remove() -> None:
        with images.unchanged():
            for image in (chosen, *others):
                reader.request(image)
            # meanwhile the chosen one is decoded, and is to be stored
            time.sleep(1)
            set_removed(images, {image.digest for image in others}, set())
        reader.wait(chosen, 60)

    # a daemon: where the locks were taken in two orders, it would wait for ever
    removing = threading.Thread(target=remove, daemon=True)
    removing.start()
    removing.join(60)
    assert not removing.is_alive()
    assert [image.status for image in images.images.values()] == ["read", "read"]
