"""A worklist that is opened lists the stored images of the last studies; the others are opened from History."""

import json
from dataclasses import replace

import pytest

from cxr_core.access import LOCAL
from cxr_core.imaging import phantom_dicom, phantom_png
from cxr_core.reading import read_image
from cxr_core.settings import settings
from cxr_core.store.read_record import StoredImage
from cxr_core.store.reads import ReadStore
from cxr_core.studies import read_study_header
from cxr_core.ui import history_read, listed_images, stored_worklist, worklists
from cxr_core.ui.listed_images import LISTED_IMAGES, OlderImages
from cxr_core.ui.reading_messages import worklist_body
from cxr_core.ui.stored_worklist import StoredWorklist
from cxr_core.ui.worklist import Worklist, WorklistImage

BYTES_PER_IMAGE = 600
"""Of the message of a worklist, for an image with a study of its own."""


def stored(study: str, number: int, created: str) -> StoredImage:
    return StoredImage(study, f"{study}-{number}", "anna", created, number, "", "", None)


def older(images: Worklist) -> int:
    return images.keeper.older.count(images.images)


@pytest.fixture
def open_worklist(own_folders, predictor):
    store = ReadStore()

    def opened() -> tuple[Worklist, StoredWorklist]:
        images = Worklist()
        keeper = StoredWorklist(images, store, "anna", LOCAL, predictor.card)
        keeper.refresh()
        return images, keeper

    yield opened
    stored_worklist._WRITER.submit(bool).result()
    store.close()
    settings.cache_clear()


def test_the_studies_that_were_added_to_last_are_listed_and_none_is_divided(monkeypatch):
    monkeypatch.setattr(listed_images, "LISTED_IMAGES", 4)
    left_out = OlderImages()
    first = [stored("a", 0, "2026-01-01"), stored("b", 0, "2026-01-02"), stored("b", 1, "2026-01-02")]
    last = [stored("c", 0, "2026-01-03"), stored("a", 1, "2026-01-04")]
    new = [*first, *last]
    listed = left_out.listed(new, {image.digest for image in new})
    # three images of a and c, and b would make them five
    assert [image.digest for image in listed] == ["a-0", "c-0", "a-1"]
    assert left_out.digests == {"b-0", "b-1"}
    # one study that is larger than the bound is listed
    large = [stored("d", number, "2026-01-05") for number in range(6)]
    assert left_out.listed(large, {"b-0"}) == large
    # what is no longer stored is not counted
    assert left_out.digests == {"b-0"}


def test_what_is_older_is_counted_and_a_study_of_it_can_be_listed(open_worklist, monkeypatch, predictor):
    monkeypatch.setattr(listed_images, "LISTED_IMAGES", 2)
    images, _ = open_worklist()
    data = [phantom_dicom(256, 224 + number, StudyInstanceUID="1.2") for number in range(2)]
    data += [phantom_png(32 + number, 32) for number in range(3)]
    digests = [images.add([(f"{n}", content)], max_images=9).added[0] for n, content in enumerate(data)]
    images.set_reading(images.images[digests[0]], read_image(data[0], predictor)[1], predictor.card)
    stored_worklist._WRITER.submit(bool).result()
    others, keeper = open_worklist()
    assert (list(others.images), older(others)) == (digests[3:], 3)
    # the next comparison changes nothing, and nothing counts as deleted
    assert (keeper.refresh(), keeper.deleted, older(others)) == (0, 0, 3)
    keeper.list_study("unknown")
    keeper.list_study(digests[0])
    assert set(others.images) == {*digests[:2], *digests[3:]}
    assert others.images[digests[0]].status == "read"
    assert older(others) == 1
    others.choose(digests[0])
    assert others.image().file() == data[0]
    # added again, an older image is the stored one
    others.add([("again", data[2])], max_images=9)
    assert older(others) == 0
    assert len(keeper._store.images("anna")) == 5


def test_an_older_image_that_is_removed_after_it_was_listed_is_deleted(open_worklist, monkeypatch):
    monkeypatch.setattr(listed_images, "LISTED_IMAGES", 1)
    images, _ = open_worklist()
    digests = [images.add([("a", phantom_png(32 + n, 32))], max_images=9).added[0] for n in range(2)]
    others, keeper = open_worklist()
    keeper.list_study(digests[0])
    others.remove(digests[0])
    assert (keeper.refresh(), older(others)) == (0, 0)
    others.forget_removed()
    stored_worklist._WRITER.submit(bool).result()
    assert [image.digest for image in keeper._store.images("anna")] == digests[1:]


def test_the_page_says_how_many_are_older_and_history_opens_one(open_worklist, monkeypatch, predictor):
    monkeypatch.setattr(listed_images, "LISTED_IMAGES", 1)
    said: list[str] = []
    monkeypatch.setattr(worklists, "small", said.append)
    images, _ = open_worklist()
    digests = [images.add([("a", phantom_png(32 + n, 32))], max_images=9).added[0] for n in range(3)]
    worklists.older_images(images)
    assert said == []
    others, _ = open_worklist()
    worklists.older_images(others)
    assert said == ["2 older stored images are not listed here, but on the page History."]
    monkeypatch.setattr(history_read, "worklist", lambda: others)
    monkeypatch.setattr(history_read, "restore_worklist", lambda images, card: None)
    monkeypatch.setattr(history_read, "serving_predictor", lambda: predictor)
    history_read._choose(digests[0])
    assert others.chosen == digests[0]
    worklists.older_images(others)
    assert said[1:] == ["1 older stored image is not listed here, but on the page History."]


def test_of_two_thousand_stored_images_the_message_names_those_that_are_listed(predictor):
    data = phantom_dicom(256, 224, PatientName="Quendelzahn^Xaver", StudyDescription="Thorax im Liegen")
    reading, images = read_image(data, predictor)[1], Worklist()
    header = read_study_header(data)
    new = [stored(f"{number:032x}", number, f"{number:08}") for number in range(2000)]
    left_out = OlderImages()
    listed = left_out.listed(new, {image.digest for image in new})
    assert (len(listed), len(left_out.digests)) == (LISTED_IMAGES, 2000 - LISTED_IMAGES)
    for number, image in enumerate(listed):
        of_study = replace(header, study_uid=f"1.2.{number}", sop_uid=f"1.3.{number}")
        entry = WorklistImage(image.study * 2, "image 0123abcd", None, of_study, upload=number, added=None)
        entry.set_reading(reading)
        images.images |= {entry.digest: entry}
    body, _ = worklist_body(images)
    assert len(json.loads(body)["versions"]) == LISTED_IMAGES
    assert len(body) < BYTES_PER_IMAGE * LISTED_IMAGES
