"""What one process changes in the worklist of a person, and another process of the app shows."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from cxr_core.access import audit
from cxr_core.errors import PathUnusable
from cxr_core.imaging import phantom_png
from cxr_core.store import deletion
from cxr_core.store.reads import ReadStore
from cxr_core.store.removals import ABANDONED_SECONDS, delete_abandoned, note_removals
from cxr_core.ui.opinions import add_opinion, choose_read_first, reveal
from tests.ui.test_stored_worklist import add, phantom, store, tab, written  # noqa: F401 - fixtures


def test_an_image_that_was_deleted_and_added_again_elsewhere_is_a_new_one(tab, store, phantom, predictor):  # noqa: F811
    images, stored = tab()
    choose_read_first(images, True)
    image = add(images, phantom[0], phantom[1], predictor.card)
    add_opinion(images, image, "Mass", "absent")
    reveal(images, image)
    others, _ = tab()
    others.remove(image.digest)
    others.forget_removed()
    written()
    again = add(others, phantom[0], phantom[1], predictor.card)
    assert stored.refresh() == 1
    (new,) = images.images.values()
    assert (new.digest, new.opinions, images.is_hidden(new), stored.deleted) == (again.digest, (), True, 0)
    # it is read and stated there as any other, and a reader who has not seen it is not taken for one who has
    assert not add_opinion(images, new, "Mass", "present").revealed
    written()
    assert (stored.problem, [read.revealed for read in store.list_reads()]) == ("", [None])


def test_opinions_and_reveals_reach_every_process(tab, phantom, predictor):  # noqa: F811
    images, stored = tab()
    choose_read_first(images, True)
    image = add(images, phantom[0], phantom[1], predictor.card)
    others, other = tab()
    (same,) = others.images.values()
    notices = []
    images.listeners.add(lambda: notices.append(len(image.opinions)))
    add_opinion(others, same, "Mass", "present", "left")
    stored.refresh()
    assert image.opinions == same.opinions
    assert notices == [1]
    # nothing has changed since: nobody is told
    stored.refresh()
    assert notices == [1]
    reveal(others, same)
    stored.refresh()
    assert not images.is_hidden(image)
    add_opinion(images, image, "Effusion", "absent")
    other.refresh()
    assert same.opinions == image.opinions
    assert [one.revealed for one in same.opinions] == [False, True]


def test_findings_that_the_switch_hides_again_are_not_shown_by_the_next_look(tab, phantom, predictor):  # noqa: F811
    images, stored = tab()
    image = add(images, phantom[0], phantom[1], predictor.card)
    choose_read_first(images, True)
    stored.refresh()
    assert images.is_hidden(image)


def test_the_order_is_the_same_in_every_process_and_after_a_restart(tab):  # noqa: F811
    images, stored = tab()
    others, other = tab()
    digests = [add(one, phantom_png(64, 64 + n)).digest for n, one in enumerate((others, images, images, others))]
    stored.refresh()
    other.refresh()
    assert list(images.images) == list(others.images) == list(tab()[0].images) == digests
    # and what comes next, or back, does not change it
    images.remove(digests[1])
    other.refresh()
    digests.append(add(others, phantom_png(64, 99)).digest)
    images.undo_removal()
    stored.refresh()
    other.refresh()
    assert list(images.images) == list(others.images) == list(tab()[0].images) == digests


def test_a_removal_holds_in_every_process_and_its_undo_as_well(tab, store, phantom, predictor):  # noqa: F811
    images, stored = tab()
    image = add(images, phantom[0], phantom[1], predictor.card)
    others, other = tab()
    (same,) = others.images.values()
    images.remove(image.digest)
    # before the other process has looked: no opinion is confirmed that would be deleted
    with pytest.raises(PathUnusable, match="removed"):
        add_opinion(others, same, "Mass", "present")
    other.refresh()
    assert others.images == tab()[0].images == {}
    images.undo_removal()
    assert other.refresh() == 1
    assert list(others.images) == list(images.images) == [image.digest]
    assert stored.refresh() == 0
    (same,) = others.images.values()
    add_opinion(others, same, "Mass", "present")
    assert delete_abandoned(store._engine, later()) == 0


def later() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=ABANDONED_SECONDS + 1)


def test_what_another_process_adds_again_within_the_minute_stays(tab, store, phantom, predictor):  # noqa: F811
    images, stored = tab()
    image = add(images, phantom[0], phantom[1], predictor.card)
    add_opinion(images, image, "Mass", "present")
    others, _ = tab()
    images.remove(image.digest)
    others.keeper.refresh()
    same = add(others, phantom[0])
    assert [one.opinion for one in same.opinions] == ["present"]
    images.forget_removed()
    written()
    assert [one.digest for one in store.images("anna")] == [image.digest]
    stored.refresh()
    assert list(images.images) == [image.digest]
    assert images.images[image.digest].file() == phantom[0]


def test_a_removal_is_finished_by_another_process_where_the_first_one_has_ended(tab, store):  # noqa: F811
    images, _ = tab()
    image = add(images, phantom_png(64, 64))
    kept = add(images, phantom_png(64, 65))
    images.remove(image.digest)
    with closing(ReadStore()) as another:
        # it can still be undone
        assert len(another.images("anna")) == 2
        assert delete_abandoned(another._engine, later()) == 1
        assert [one.digest for one in another.images("anna")] == [kept.digest]
    assert [(event.detail, event.images) for event in audit.read()[0]] == [("removed", (image.digest,))]
    images.removal._timer.cancel()


def test_a_removal_that_cannot_be_noted_is_noted_later(tab, store, monkeypatch):  # noqa: F811
    images, stored = tab()
    image = add(images, phantom_png(64, 64))
    with monkeypatch.context() as patch:
        patch.setattr("cxr_core.ui.stored_worklist.note_removals", unwritable)
        images.remove(image.digest)
        assert store.images("anna")[0].removed is None
    stored.refresh()
    assert store.images("anna")[0].removed
    with monkeypatch.context() as patch:
        patch.setattr("cxr_core.ui.stored_worklist.note_removals", unwritable)
        images.undo_removal()
        # here it is back whatever the store says
        stored.refresh()
        assert list(images.images) == [image.digest]
    stored.refresh()
    assert store.images("anna")[0].removed is None


def unwritable(*_arguments, **_options):
    raise PathUnusable("The database cannot be written.")


def test_a_removal_of_many_images_is_one_deletion(tab, store, monkeypatch):  # noqa: F811
    images, _ = tab()
    digests = [add(images, phantom_png(32, 32 + n)).digest for n in range(5)]
    compactions, compact = [], deletion.compact
    monkeypatch.setattr(deletion, "compact", lambda engine: compactions.append(compact(engine)))
    images.remove(*digests)
    images.forget_removed()
    written()
    assert store.images("anna") == ()
    assert [event.images for event in audit.read()[0]] == [tuple(sorted(digests))]
    assert len(compactions) == 1


def test_marks_are_of_one_reader(tab, store):  # noqa: F811
    data = phantom_png(40, 40)
    for reader in ("anna", "bert"):
        add(tab(reader)[0], data)
    digest = store.images("anna")[0].digest
    note_removals(store._engine, "anna", [digest], removed=True)
    assert store.images("anna")[0].removed
    assert store.images("bert")[0].removed is None
