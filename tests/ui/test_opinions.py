"""Opinions of the reader: what the route takes and refuses, what is kept with the image, and what is stored first."""

import json
from contextlib import nullcontext

import pytest

from cxr_core.access import signed_out
from cxr_core.errors import PathUnusable
from cxr_core.imaging import phantom_dicom, phantom_png
from cxr_core.labels import display_name
from cxr_core.reading import read_image
from cxr_core.settings import settings
from cxr_core.ui import second_opinion
from cxr_core.ui.opinions import (
    COMMENT_LENGTH,
    add_opinion,
    asked_findings,
    keep_comment,
    opinions_message,
    reveal,
    set_read_first,
)
from cxr_core.ui.server.page_sessions import HISTORY
from cxr_core.ui.server.worklist_changes import OPINION_BYTES
from cxr_core.ui.stored_worklist import StoredWorklist
from tests.ui.test_stored_worklist import add as add_read
from tests.ui.test_stored_worklist import phantom, store, tab, written  # noqa: F401 - fixtures
from tests.ui.test_worklist_routes import DICOM, SHA, add, answers, read, server  # noqa: F401 - a fixture

PATH = f"/worklist/images/{SHA}/opinions"


def given(label="Effusion", opinion="present", comment="") -> dict[str, str]:
    return {"label": label, "opinion": opinion, "comment": comment}


def test_opinions_are_added_with_what_was_shown_and_the_first_one_stays(server):  # noqa: F811
    tab = server.tab()  # noqa: F811
    tab.images.read_first = True

    async def conversation(client):
        await add(client)
        hidden = await read(client)
        posted = [await client.post(PATH, json=given(comment="small, left"))]
        # the same again is no further opinion
        posted.append(await client.post(PATH, json=given(comment="small, left")))
        posted.append(await client.post(PATH, json=given("Mass", "uncertain")))
        reveal(tab.images, tab.images.images[SHA])
        posted.append(await client.post(PATH, json=given(opinion="absent")))
        return hidden, posted, await read(client), (await client.get("/worklist")).json()

    hidden, posted, image, worklist = answers(server, tab, conversation)
    assert [response.status_code for response in posted] == [200] * 4
    assert posted[0].headers["cache-control"] == "no-store"
    first = {"opinion": "present", "comment": "small, left", "shown": False}
    then = {"opinion": "absent", "comment": "", "shown": True}
    listed = [{name: one[name] for name in first} for one in image["opinions"]["Effusion"]]
    assert listed == [first, then]
    assert [one["opinion"] for one in image["opinions"]["Mass"]] == ["uncertain"]
    assert posted[3].json()["opinions"] == image["opinions"]
    assert [(one.label, one.number) for one in tab.images.images[SHA].opinions] == [
        ("Effusion", 0),
        ("Mass", 0),
        ("Effusion", 1),
    ]
    # the part of the version that is of something else stays, so that nothing else is fetched again
    assert [r.json()["version"].split(".")[1] for r in posted] == ["1", "1", "2", "3"]
    assert posted[0].json()["version"].split(".")[0] == hidden["version"].split(".")[0]
    assert posted[3].json()["version"] == worklist["versions"][SHA] == image["version"]


def test_a_reveal_shows_what_is_hidden_and_notes_nothing_where_nothing_is(server):  # noqa: F811
    tab = server.tab()  # noqa: F811
    path = PATH.replace("opinions", "reveal")

    async def conversation(client):
        await add(client)
        await read(client)
        image = tab.images.images[SHA]
        posted = [await client.post(path)]
        revealed = [image.revealed]
        set_read_first(tab.images, True)
        image.status = "waiting"
        posted.append(await client.post(path))
        revealed.append(image.revealed)
        image.status = "read"
        posted.append(await client.post(path))
        revealed.append(image.revealed)
        return posted, revealed, await read(client)

    posted, revealed, image = answers(server, tab, conversation)
    assert [response.status_code for response in posted] == [200, 409, 200]
    assert [response.json()["changed"] for response in posted if response.is_success] == [False, True]
    assert posted[1].text == "This image has not been read yet."
    # with "Read first" off nothing is revealed: turned on later, it hides the findings
    assert revealed == [False, False, True]
    assert image["findings"]["rows"]


def test_a_stored_read_is_neither_revealed_nor_given_opinions_by_the_routes(server):  # noqa: F811
    tab = server.tab()  # noqa: F811

    async def conversation(client):
        await add(client)
        await read(client)
        set_read_first(tab.images, True)
        tab.key = HISTORY
        posted = [await client.post(PATH.replace("opinions", "reveal")), await client.post(PATH, json=given())]
        return [response.status_code for response in posted], await read(client)

    statuses, image = answers(server, tab, conversation)
    assert statuses == [403, 403]
    assert (image["findings"], image["opinions"]) == (None, {})


COMMENTS = PATH.replace("opinions", "comments")


def test_a_comment_waits_for_an_opinion_on_the_server_and_goes_with_it(server):  # noqa: F811
    tab = server.tab()  # noqa: F811

    async def conversation(client):
        await add(client)
        await read(client)
        posted = [
            await client.post(COMMENTS, json={"label": "Effusion", "comment": "small"}),
            await client.post(COMMENTS, json={"label": "Mass", "comment": "left"}),
            await client.post(COMMENTS, json={"label": "Effusion", "comment": "small, right"}),
        ]
        seen = [await read(client)]
        await client.post(COMMENTS, json={"label": "Mass", "comment": ""})
        seen.append(await read(client))
        await client.post(PATH, json=given(comment="small, right"))
        seen.append(await read(client))
        # the same opinion again, after another comment
        await client.post(COMMENTS, json={"label": "Effusion", "comment": "large"})
        await client.post(PATH, json=given(comment="small, right"))
        return posted, [*seen, await read(client)]

    posted, seen = answers(server, tab, conversation)
    assert [(one.status_code, one.headers["cache-control"]) for one in posted] == [(204, "no-store")] * 3
    assert [image["comments"] for image in seen] == [
        {"Effusion": "small, right", "Mass": "left"},
        {"Effusion": "small, right"},
        {},
        {},
    ]
    assert [one["comment"] for one in seen[3]["opinions"]["Effusion"]] == ["small, right"]
    # it is no reason to fetch the image again
    assert seen[0]["version"] == seen[1]["version"]
    assert "small, right" not in repr(tab.images.images[SHA])


def test_a_comment_that_is_removed_with_its_image_comes_back_with_it(tab, store, phantom, predictor):  # noqa: F811
    images, _ = tab()
    image = add_read(images, *phantom, predictor.card)
    keep_comment(images, image, "Effusion", "small")
    images.remove(image.digest)
    images.undo_removal()
    assert images.images[image.digest].comments == {"Effusion": "small"}
    # an opinion that is stored takes it
    add_opinion(images, image, "Effusion", "present", "small")
    assert image.comments == {}


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"label": "Gout", "comment": ""}, 400, "The model has no such finding."),
        ({"label": "Effusion"}, 400, "A comment is a JSON object of two strings: label and comment."),
        ({"label": "Effusion", "comment": 1}, 400, "A comment is a JSON object of two strings: label and comment."),
        ({"label": "Effusion", "comment": "a" * (COMMENT_LENGTH + 1)}, 400, "at most 2,000 characters"),
        ({"label": "Effusion", "comment": "a\0b"}, 400, "has a character that cannot be stored"),
        ({"label": "Effusion", "comment": "a" * OPINION_BYTES}, 413, "A comment has at most 16,384 bytes."),
    ],
)
def test_what_is_no_comment_is_refused_in_one_line(server, body, status, text):  # noqa: F811
    tab = server.tab()  # noqa: F811

    async def conversation(client):
        await add(client)
        await read(client)
        return await client.post(COMMENTS, json=body)

    refused = answers(server, tab, conversation)
    assert refused.status_code == status
    assert text in refused.text
    assert "\n" not in refused.text.strip()
    assert tab.images.images[SHA].comments == {}


def test_nobody_else_comments_on_an_image(server):  # noqa: F811
    tab = server.tab()  # noqa: F811
    body = {"label": "Effusion", "comment": "small"}

    async def conversation(client):
        await add(client)
        await read(client)
        other = {"X-Second-Read-Token": server.tab("other").token}
        codes = [
            (await client.post(COMMENTS, json=body, headers=headers)).status_code
            for headers in (other, {"X-Second-Read-Token": ""}, {"Sec-Fetch-Site": "cross-site"})
        ]
        tab.key = HISTORY
        codes.append((await client.post(COMMENTS, json=body)).status_code)
        server.person = signed_out()
        return [*codes, (await client.post(COMMENTS, json=body)).status_code]

    assert answers(server, tab, conversation) == [404, 403, 403, 403, 401]
    assert tab.images.images[SHA].comments == {}


BODIES = {
    "an unknown label": (given("Gout"), 400, "The model has no such finding."),
    "an unknown opinion": (given(opinion="normal"), 400, "An opinion is one of present, absent, uncertain."),
    "no comment": ({"label": "Effusion", "opinion": "present"}, 400, "three strings"),
    "what only the server knows": (given() | {"shown": False}, 400, "three strings"),
    "a number": (given() | {"comment": 1}, 400, "three strings"),
    "a list": ([1], 400, "three strings"),
    "a long comment": (given(comment="a" * (COMMENT_LENGTH + 1)), 400, "at most 2,000 characters"),
    "half of a surrogate pair": (given(comment="a\ud83d"), 400, "The comment has a character that cannot be stored."),
    "a NUL": (given(comment="a\0b"), 400, "The comment has a character that cannot be stored."),
    "a long body": (given(comment="a" * OPINION_BYTES), 413, "at most 16,384 bytes"),
}


def test_what_is_no_opinion_is_refused_in_one_line(server):  # noqa: F811
    tab = server.tab()  # noqa: F811

    async def conversation(client):
        await add(client)
        await read(client)
        # escaped, as a surrogate can only be sent
        bodies = {name: json.dumps(body).encode() for name, (body, _, _) in BODIES.items()}
        refused = {name: await client.post(PATH, content=body) for name, body in bodies.items()}
        broken = await client.post(PATH, content=b"{")
        unknown = await client.post(PATH.replace(SHA, "ab" * 32), json=given())
        tab.images.images[SHA].status = "waiting"
        return refused, broken, unknown, await client.post(PATH, json=given())

    refused, broken, unknown, waiting = answers(server, tab, conversation)
    for name, (_, status, text) in BODIES.items():
        assert (refused[name].status_code, text in refused[name].text) == (status, True), name
    for response in (*refused.values(), broken, unknown, waiting):
        assert "\n" not in response.text
    assert (broken.status_code, unknown.status_code, waiting.status_code) == (400, 404, 409)
    assert tab.images.images[SHA].opinions == ()


def test_only_the_tab_itself_may_state_opinions_in_it(server):  # noqa: F811
    tab = server.tab()  # noqa: F811

    async def conversation(client):
        await add(client)
        await read(client)
        elsewhere = {"X-Second-Read-Token": server.tab("other").token}
        responses = [
            await client.post(PATH, json=given(), headers=headers)
            for headers in ({"X-Second-Read-Token": ""}, {"Sec-Fetch-Site": "cross-site"}, elsewhere)
        ]
        server.person = signed_out()
        return [response.status_code for response in (*responses, await client.post(PATH, json=given()))]

    assert answers(server, tab, conversation) == [403, 403, 404, 401]
    assert tab.images.images[SHA].opinions == ()


def test_the_labels_that_are_asked_for_are_in_the_same_order_whatever_the_model_states(predictor):
    readings = [read_image(data, predictor)[1] for data in (DICOM, phantom_png(300, 224))]
    assert readings[0].ranked() != readings[1].ranked()
    assert [f.label for f in readings[0].ranked()] != [f.label for f in readings[1].ranked()]
    first, second = map(asked_findings, readings)
    assert first == second
    evaluated = [entry["title"] for entry in first if entry["evaluated"]]
    others = [entry["title"] for entry in first if not entry["evaluated"]]
    assert evaluated == sorted(evaluated)
    assert others == sorted(others)
    assert first == [entry for entry in first if entry["evaluated"]] + [e for e in first if not e["evaluated"]]
    assert {entry["title"] for entry in first} == {display_name(label) for label in predictor.card.labels}


def test_an_opinion_is_stored_before_it_counts_and_is_restored_with_its_image(tab, store, phantom, predictor):  # noqa: F811
    images, _ = tab()
    images.read_first = True
    image = add_read(images, phantom[0], phantom[1], predictor.card)
    add_opinion(images, image, "Mass", "present", "left hilum")
    # no thread has to write first, and the reveal is stored before anything is shown
    (stored,) = store.opinions(*(getattr(store.images("anna")[0], name) for name in ("study", "digest")))
    assert (stored.opinion, stored.revealed, stored.comment, stored.number) == ("present", False, "left hilum", 0)
    reveal(images, image)
    assert store.list_reads()[0].revealed
    add_opinion(images, image, "Mass", "absent")
    others, _ = tab()
    (restored,) = others.images.values()
    assert restored.opinions == image.opinions
    assert [(one.opinion, one.revealed) for one in restored.opinions] == [("present", False), ("absent", True)]
    assert opinions_message(restored) == opinions_message(image)
    # deleted with the image
    images.remove(image.digest)
    images.forget_removed()
    written()
    assert store.opinions(stored.read, image.digest) == ()
    assert json.dumps([read.id for read in store.list_reads()]) == "[]"


def test_an_opinion_that_another_process_has_changed_since_is_stored_again(tab, store, phantom, predictor):  # noqa: F811
    images, _ = tab()
    image = add_read(images, phantom[0], phantom[1], predictor.card)
    add_opinion(images, image, "Mass", "absent", "none")
    others, _ = tab()
    (other,) = others.images.values()
    add_opinion(others, other, "Mass", "present", "left hilum")
    # the first process knows its own alone
    assert [one.opinion for one in image.opinions] == ["absent"]
    assert add_opinion(images, image, "Mass", "absent", "none").number == 2
    # and what is the last one in the store is not stored twice, in whatever process it was given
    assert add_opinion(others, other, "Mass", "absent", "none").number == 2
    stored = store.images("anna")[0]
    kept = store.opinions(stored.study, stored.digest)
    assert [(one.opinion, one.comment) for one in kept] == [
        ("absent", "none"), ("present", "left hilum"), ("absent", "none"),
    ]  # fmt: skip
    assert image.opinions == other.opinions == kept


def test_what_is_hidden_at_first_is_not_stored_as_shown_while_a_worklist_is_restored(tab, store, phantom, predictor):  # noqa: F811
    images, _ = tab()
    images.read_first = True
    add_read(images, phantom[0], phantom[1], predictor.card)
    other = type(images)()
    StoredWorklist(other, store, "anna", None, predictor.card).refresh()
    written()
    (image,) = other.images.values()
    assert (store.list_reads()[0].revealed, image.findings_shown) == (None, False)
    set_read_first(other, False)
    written()
    assert store.list_reads()[0].revealed
    assert add_opinion(other, image, "Mass", "absent").revealed


def test_findings_that_were_shown_once_stay_so_for_later_opinions(server, predictor):  # noqa: F811
    images = server.tab().images
    image = add_read_without_store(images, predictor)
    set_read_first(images, True)
    assert images.is_hidden(image)
    assert add_opinion(images, image, "Mass", "absent").revealed


def test_findings_that_were_shown_stay_so_where_read_first_is_turned_on_while_the_image_is_removed(server, predictor):  # noqa: F811
    images = server.tab().images
    image = add_read_without_store(images, predictor)
    images.remove(image.digest)
    set_read_first(images, True)
    images.undo_removal()
    assert images.is_hidden(image)
    assert add_opinion(images, image, "Effusion", "present").revealed


def test_an_image_that_is_added_again_before_its_removal_is_final_keeps_its_first_opinion(server, predictor):  # noqa: F811
    images = server.tab().images
    image = add_read_without_store(images, predictor)
    set_read_first(images, True)
    add_opinion(images, image, "Mass", "absent")
    images.remove(image.digest)
    images.add([("again.dcm", image.data)], max_images=9)
    assert images.used_bytes() == len(image.data)
    (same,) = images.images.values()
    add_opinion(images, same, "Mass", "present")
    assert [one.opinion for one in same.opinions] == ["absent", "present"]
    assert same.findings_shown
    # neither the end of the removal nor its undo takes the file away
    images.undo_removal()
    images.remove(image.digest)
    images.add([("again.dcm", image.data)], max_images=9)
    images.forget_removed()
    assert images.images[image.digest].data
    # removed for good: it begins anew
    images.remove(image.digest)
    images.forget_removed()
    assert image.data is None


def test_nothing_of_small_changes_is_drawn_while_a_hidden_image_is_read_again(server, predictor, monkeypatch):  # noqa: F811
    images, drawn = server.tab().images, []
    image = add_read_without_store(images, predictor)
    for name in ("stability_note", "image_downloads", "reading_settings", "read_first_switch", "_corrections"):
        monkeypatch.setattr(second_opinion, name, lambda *_, name=name: drawn.append(name))
    monkeypatch.setattr(second_opinion.st, "container", nullcontext)
    monkeypatch.setattr(second_opinion.st, "button", lambda *_, **__: drawn.append("reveal"))

    def draw():
        second_opinion._actions(image, images, predictor.card)
        second_opinion._small_changes(image, images, predictor.card)

    set_read_first(images, True)
    for status in ("read", "waiting"):
        image.status = status
        draw()
    assert drawn.count("reveal") == 1
    assert not {"stability_note", "image_downloads"} & set(drawn)
    image.revealed = True
    draw()
    assert "stability_note" in drawn


def add_read_without_store(images, predictor):
    data = phantom_dicom(128, 112)
    (digest,) = images.add([("a", data)], max_images=9).added
    image = images.images[digest]
    images.set_reading(image, read_image(data, predictor)[1], predictor.card)
    return image


def test_an_opinion_that_cannot_be_stored_is_refused_and_not_kept(server, tab, store, monkeypatch):  # noqa: F811
    session = server.tab()

    def fails(*_arguments):
        raise PathUnusable("The database cannot be written.")

    async def conversation(client):
        await add(client)
        await read(client)
        monkeypatch.setattr(store, "add_opinion", fails)
        return await client.post(PATH, json=given())

    StoredWorklist(session.images, store, "anna", None, server.predictor.card).refresh()
    refused = answers(server, session, conversation)
    assert refused.status_code == 503
    assert refused.text == "The opinion was not stored. The database cannot be written."
    assert session.images.images[SHA].opinions == ()


@pytest.mark.parametrize("rule", ["never", ""])
def test_the_rule_of_read_first_is_on_off_or_choose(monkeypatch, rule):
    from cxr_core.errors import WrongArguments

    monkeypatch.setenv("SECOND_READ_READ_FIRST", rule)
    settings.cache_clear()
    try:
        with pytest.raises(WrongArguments, match="SECOND_READ_READ_FIRST"):
            settings()
    finally:
        monkeypatch.undo()
        settings.cache_clear()
