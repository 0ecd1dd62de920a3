"""A store that fails, and what was shown or stated meanwhile: nothing counts as stored that is not."""

import pytest

from cxr_core.errors import PathUnusable
from cxr_core.settings import settings
from cxr_core.store.reader_choices import ReadFirstChoice
from cxr_core.ui import worklists
from cxr_core.ui.opinions import add_opinion, choose_read_first, reveal, set_read_first
from cxr_core.ui.stored_worklist import StoredWorklist
from cxr_core.ui.worklist import Worklist
from tests.ui.test_stored_worklist import add, phantom, store, tab, written  # noqa: F401 - fixtures
from tests.ui.test_worklist_routes import SHA, answers, read, server  # noqa: F401 - a fixture
from tests.ui.test_worklist_routes import add as send

pytestmark = pytest.mark.usefixtures("store")

UNWRITABLE = "The database cannot be written."


def fails(*_arguments, **_options):
    raise PathUnusable(UNWRITABLE)


def test_findings_that_were_shown_while_nothing_could_be_stored_are_stored_as_shown(tab, store, phantom, predictor):  # noqa: F811
    images, stored = tab()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "save_read", fails)
        image = add(images, phantom[0], phantom[1], predictor.card)
        assert stored.problem == UNWRITABLE
    assert not images.is_hidden(image)
    set_read_first(images, True)
    assert images.is_hidden(image)
    assert add_opinion(images, image, "Mass", "present").revealed
    assert store.list_reads()[0].revealed
    assert stored.problem == ""


def test_nothing_is_shown_where_the_store_cannot_note_it(server, store):  # noqa: F811
    session = server.tab()
    set_read_first(session.images, True)

    async def conversation(client):
        await send(client)
        await read(client)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store, "save_read", fails)
            refused = await client.post(f"/worklist/images/{SHA}/reveal")
            hidden = await read(client)
        return refused, hidden, await client.post(f"/worklist/images/{SHA}/reveal"), await read(client)

    StoredWorklist(session.images, store, "anna", None, server.predictor.card).refresh()
    refused, hidden, answered, shown = answers(server, session, conversation)
    written()
    assert (refused.status_code, refused.text) == (503, f"That they are shown cannot be stored. {UNWRITABLE}")
    assert (hidden["hidden"], hidden["findings"]) == (True, None)
    assert answered.status_code == 200
    assert shown["findings"]["rows"]
    assert store.list_reads()[0].revealed


def test_an_opinion_on_an_image_that_is_not_stored_is_stored_with_it_or_refused(tab, store, phantom, predictor):  # noqa: F811
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECOND_READ_KEEP_GB", "0.000000001")
        settings.cache_clear()
        images, stored = tab()
        image = add(images, phantom[0], phantom[1], predictor.card)
        with pytest.raises(PathUnusable, match="SECOND_READ_KEEP_GB"):
            add_opinion(images, image, "Mass", "present")
        assert image.opinions == ()
        assert "SECOND_READ_KEEP_GB" in stored.problem
    settings.cache_clear()
    add_opinion(images, image, "Mass", "present")
    (kept,) = store.images("anna")
    assert [one.opinion for one in store.opinions(kept.study, kept.digest)] == ["present"]
    assert image.file() == phantom[0]
    assert stored.problem == ""


def test_what_could_not_be_stored_is_tried_again(tab, store, phantom, predictor):  # noqa: F811
    images, stored = tab()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "add_image", fails)
        add(images, phantom[0], phantom[1], predictor.card)
    assert (stored.problem, store.images("anna")) == (UNWRITABLE, ())
    stored.refresh()
    written()
    assert (stored.problem, len(store.images("anna")), len(store.list_reads())) == ("", 1, 1)


def test_an_image_that_another_process_has_stored_keeps_its_opinions(tab, store, phantom, predictor):  # noqa: F811
    images, _ = tab()
    others, _ = tab()
    image = add(images, phantom[0], phantom[1], predictor.card)
    add_opinion(images, image, "Mass", "present")
    # before this one has looked
    same = add(others, phantom[0], phantom[1], predictor.card)
    assert [one.opinion for one in same.opinions] == ["present"]
    assert same.findings_shown
    # what History shows, the page does not hide
    set_read_first(others, True)
    assert not others.is_hidden(same)


def test_an_opinion_that_is_stored_and_cannot_be_read_back_is_answered_as_stored(tab, store, phantom, predictor):  # noqa: F811
    images, _ = tab()
    image = add(images, phantom[0], phantom[1], predictor.card)
    add_opinion(images, image, "Mass", "absent")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "opinions", fails)
        assert add_opinion(images, image, "Mass", "present").opinion == "present"
    (kept,) = store.images("anna")
    assert image.opinions == store.opinions(kept.study, kept.digest)
    assert [one.opinion for one in image.opinions] == ["absent", "present"]


def test_a_store_that_cannot_be_opened_takes_no_opinion_and_shows_nothing(phantom, predictor, monkeypatch):  # noqa: F811
    shown = []
    monkeypatch.setenv("SECOND_READ_KEEP", "store")
    settings.cache_clear()
    monkeypatch.setattr(worklists, "reader_name", lambda: "anna")
    monkeypatch.setattr(worklists, "read_store", fails)
    monkeypatch.setattr(worklists, "banner", lambda title, text: shown.append(f"{title} {text}"))
    images = Worklist()
    image = add(images, phantom[0], phantom[1], predictor.card)
    worklists.restore_worklist(images, predictor.card)
    assert shown[0].startswith(f"Not stored. {UNWRITABLE}")
    with pytest.raises(PathUnusable, match=UNWRITABLE):
        add_opinion(images, image, "Mass", "present")
    set_read_first(images, True)
    with pytest.raises(PathUnusable, match=UNWRITABLE):
        reveal(images, image)
    assert images.is_hidden(image)


def test_what_a_reader_has_chosen_holds_while_the_store_cannot_be_opened(phantom, predictor, monkeypatch):  # noqa: F811
    monkeypatch.setenv("SECOND_READ_KEEP", "store")
    settings.cache_clear()
    monkeypatch.setattr(worklists, "reader_name", lambda: "anna")
    monkeypatch.setattr(worklists, "read_store", fails)
    monkeypatch.setattr(worklists, "banner", lambda *_: None)
    ReadFirstChoice("anna").turn(True)
    images = Worklist()
    worklists.restore_worklist(images, predictor.card)
    assert images.is_hidden(add(images, phantom[0], phantom[1], predictor.card))
    # turned meanwhile, here or in another process, it is the same in both
    choose_read_first(images, False)
    assert not ReadFirstChoice("anna").on
    ReadFirstChoice("anna").turn(True)
    images.keeper.follow()
    assert images.read_first


def test_a_choice_that_cannot_be_read_hides_the_findings(store):  # noqa: F811
    folder = settings().home / "read-first"
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(folder)
    assert ReadFirstChoice("anna").on


@pytest.mark.parametrize("rule", ["on", "off"])
def test_a_restored_worklist_follows_the_rule_of_the_site_from_the_first_moment(
    tab,  # noqa: F811
    store,  # noqa: F811
    phantom,  # noqa: F811
    predictor,
    monkeypatch,
    rule,
):
    images, _ = tab()
    set_read_first(images, rule == "off")
    image = add(images, phantom[0], phantom[1], predictor.card)
    assert (store.list_reads()[0].revealed is None) == (rule == "off")
    monkeypatch.setenv("SECOND_READ_READ_FIRST", rule)
    settings.cache_clear()
    others = Worklist()
    states = [others.read_first]
    others.listeners.add(lambda: states.append(others.read_first))
    StoredWorklist(others, store, "anna", None, predictor.card).refresh()
    written()
    assert others.images[image.digest].status == "read"
    assert states
    assert set(states) == {rule == "on"}
    set_read_first(others, rule == "off")
    assert others.read_first == (rule == "on")
    # shown by the rule, and stored so
    assert store.list_reads()[0].revealed
