"""How many files a reader can add: what is stored of earlier days takes no room."""

import pytest

from cxr_core.access import LOCAL
from cxr_core.imaging import phantom_png
from cxr_core.settings import settings
from cxr_core.store.reads import ReadStore
from cxr_core.ui.file_intake import add_files
from cxr_core.ui.stored_worklist import StoredWorklist
from cxr_core.ui.worklist import Worklist


@pytest.fixture
def five_files(monkeypatch):
    monkeypatch.setenv("SECOND_READ_MAX_FILES", "5")
    settings.cache_clear()
    yield
    settings.cache_clear()


def files(day: int, count: int) -> list[tuple[str, bytes]]:
    return [(f"{day}-{number}.png", phantom_png(32 + day, 32 + number)) for number in range(count)]


@pytest.fixture
def open_worklist(own_folders, five_files, predictor):
    store = ReadStore()

    def opened() -> Worklist:
        images = Worklist()
        StoredWorklist(images, store, "anna", LOCAL, predictor.card).refresh()
        return images

    yield opened
    store.close()


def test_images_that_were_stored_on_earlier_days_take_no_room_of_todays(open_worklist):
    for day in range(4):
        images = open_worklist()
        assert len(images.images) == 3 * day
        result = add_files(images, files(day, 3))
        assert (len(result.added), result.skipped) == (3, 0)


def test_a_worklist_that_stays_open_for_days_takes_each_days_images(open_worklist):
    images = open_worklist()
    for day in range(4):
        assert add_files(images, files(day, 3)).skipped == 0
    assert len(images.images) == 12


def test_one_upload_to_a_stored_worklist_is_limited_also_file_by_file(open_worklist):
    images = open_worklist()
    together = add_files(images, files(0, 7))
    assert (len(together.added), together.skipped) == (5, 2)
    assert together.reason == "an upload has at most 5 files"
    alone = [
        add_files(images, [file], upload="one", position=position, of=7) for position, file in enumerate(files(1, 7))
    ]
    assert [result.skipped for result in alone] == [0, 0, 0, 0, 0, 1, 1]


def test_what_is_not_stored_fills_the_worklist(five_files):
    images = Worklist()
    assert add_files(images, files(0, 4)).skipped == 0
    result = add_files(images, files(1, 4))
    assert (len(result.added), result.skipped) == (1, 3)
    assert result.reason == "the worklist holds at most 5 files"


def test_files_that_could_not_be_stored_fill_the_worklist(open_worklist, monkeypatch):
    monkeypatch.setenv("SECOND_READ_KEEP_GB", "0.000000001")
    settings.cache_clear()
    images = open_worklist()
    assert add_files(images, files(0, 4)).skipped == 0
    result = add_files(images, files(1, 4))
    assert (len(result.added), result.skipped) == (1, 3)
    assert result.reason == "the worklist holds at most 5 files that are not stored"
