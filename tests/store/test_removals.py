"""Removals that can be undone and the progress of readers, as they are stored."""

from datetime import UTC, datetime, timedelta

import pytest

from cxr_core.errors import PathUnusable
from cxr_core.store.reads import ReadStore
from cxr_core.store.removals import ABANDONED_SECONDS, Progress, delete_abandoned, note_removals, reader_progress
from tests.reads import OPTIONS, made_up_reading


@pytest.fixture
def store(own_folders, url, tmp_path):
    store = ReadStore(url, tmp_path / "runs")
    yield store
    store.close()


def test_a_removed_image_takes_no_opinion_and_is_deleted_when_nobody_finishes_it(store):
    # its place is a time in milliseconds times 100,000
    image = store.add_image("anna", b"one", position=1_800_000_000_000_00000)
    other = store.add_image("bert", b"one")
    read = store.save_read(image, made_up_reading(), OPTIONS, "1", revealed=False)
    store.add_opinion(read, "anna", "Mass", "absent")
    assert reader_progress(store._engine, "anna") == {(image.study, image.digest): Progress(False, 1)}
    note_removals(store._engine, "anna", [image.digest], removed=True)
    assert store.images("anna")[0].removed
    assert store.images("bert") == (other,)
    with pytest.raises(PathUnusable, match="removed from the worklist"):
        store.add_opinion(read, "anna", "Mass", "present")
    note_removals(store._engine, "anna", [image.digest], removed=False)
    assert store.images("anna") == (image,)
    note_removals(store._engine, "anna", [image.digest], removed=True)
    # added again, it is no more removed
    assert store.add_image("anna", b"one") == image
    assert delete_abandoned(store._engine, after(1)) == 0
    store.save_read(image, made_up_reading(), OPTIONS, "1", revealed=True)
    assert reader_progress(store._engine, "anna") == {(image.study, image.digest): Progress(True, 1)}
    note_removals(store._engine, "anna", [image.digest], removed=True)
    assert delete_abandoned(store._engine, after(-1)) == 0
    assert delete_abandoned(store._engine, after(1)) == 1
    assert (store.images("anna"), store.images("bert")) == ((), (other,))


def after(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=ABANDONED_SECONDS + seconds)
