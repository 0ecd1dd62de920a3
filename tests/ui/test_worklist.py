"""The worklist of a tab: limits, unloading, removal, settings."""

import pytest

from cxr_core.imaging import phantom_dicom, phantom_png, read_radiograph
from cxr_core.reading import read_image
from cxr_core.settings import settings
from cxr_core.ui.worklist import DECODED_KEPT, FILES_KEPT, Worklist


def test_images_are_identified_by_their_bytes_and_added_once():
    images = Worklist()
    result = images.add([("a", b"1"), ("b", b"2"), ("c", b"1")], max_images=10)
    assert len(result.added) == 2
    assert result.duplicates == 1
    assert images.image().name == "a"
    assert images.add([("again", b"2")], max_images=10).duplicates == 1
    assert images.image().name == "b"


def test_files_above_the_limit_are_skipped_with_a_reason():
    images = Worklist()
    result = images.add([(str(n), bytes([n])) for n in range(5)], max_images=3)
    assert (len(result.added), result.skipped) == (3, 2)
    assert "at most 3 files" in result.reason


def test_bytes_above_the_limit_are_skipped_with_a_reason(monkeypatch):
    monkeypatch.setenv("SECOND_READ_SESSION_MB", "1")
    settings.cache_clear()
    try:
        result = Worklist().add([(str(n), bytes([n]) * 400_000) for n in range(5)], max_images=9)
    finally:
        settings.cache_clear()
    assert (len(result.added), result.skipped) == (2, 3)
    assert "at most 1 MB of files" in result.reason


def test_the_last_viewed_images_keep_their_file_and_fewer_their_pixels():
    images, radiograph = Worklist(), read_radiograph(phantom_png(32, 32))
    count = FILES_KEPT + 3
    digests = images.add([(str(n), bytes([n])) for n in range(count + 1)], max_images=99).added
    for digest in digests[:count]:
        images.mark_viewed(images.images[digest], radiograph)
    assert [images.images[d].data is None for d in digests] == [True] * 3 + [False] * (FILES_KEPT + 1)
    assert [images.images[d].radiograph is None for d in digests] == [True] * (count - DECODED_KEPT) + [False] * 2 + [
        True
    ]
    # added again, the image can be displayed again
    assert images.add([("0", bytes([0]))], max_images=99).duplicates == 1
    assert images.image() is images.images[digests[0]]
    assert images.image().data == bytes([0])


def test_unreadable_files_are_unloaded_and_tried_again_when_added_again():
    images = Worklist()
    images.add([("a", b"text")], max_images=9)
    images.image().mark_unreadable("it is text")
    assert images.image().data is None
    assert images.add([("a", b"text")], max_images=9).duplicates == 1
    assert images.image().status == "waiting"


def test_removing_an_image_chooses_its_neighbour():
    images = Worklist()
    one, two, three = images.add([("a", b"1"), ("b", b"2"), ("c", b"3")], max_images=9).added
    images.choose(two)
    images.remove(two)
    assert images.chosen == three
    images.remove(three)
    assert images.chosen == one
    images.remove(one)
    assert images.image() is None
    images.choose("not there")
    assert images.chosen is None


def test_removals_that_follow_each_other_are_undone_together():
    images = Worklist()
    first, second, third, fourth = images.add([(str(n), bytes([n])) for n in range(4)], max_images=9).added
    images.remove(first)
    images.remove(first, second)  # what the browser sends: all that its Undo would bring back
    assert (list(images.images), images.chosen) == ([third, fourth], third)
    images.undo_removal()
    assert (list(images.images), images.chosen) == ([first, second, third, fourth], first)
    images.remove(first)
    images.remove(fourth)  # the first removal is no longer offered
    images.undo_removal()
    assert list(images.images) == [second, third, fourth]


def test_the_frontal_view_of_an_upload_is_shown_whichever_comes_first():
    lateral, frontal = phantom_dicom(64, 64, ViewPosition="LL"), phantom_dicom(64, 72)
    images = Worklist()
    together = images.add([("l", lateral), ("f", frontal)], max_images=9)
    assert images.image().name == "f"
    assert together.shown == images.chosen
    images = Worklist()
    alone = images.add([("old", phantom_dicom(64, 80))], max_images=9).shown
    assert images.add([("l", lateral)], max_images=9, upload="u", more=True).shown == ""
    assert images.chosen == alone
    assert images.add([("f", frontal)], max_images=9, upload="u", position=1).shown == images.chosen != alone
    images = Worklist()
    images.add([("l", lateral)], max_images=9, upload="u")
    assert images.image().name == "l"


@pytest.mark.parametrize(("modality", "status"), [("CR", "read"), ("CT", "refused")])
def test_status_follows_the_reading(predictor, modality, status):
    images = Worklist()
    data = phantom_dicom(128, 128, Modality=modality)
    images.add([("a", data)], max_images=9)
    image = images.image()
    assert images.waiting() == [image]
    image.set_reading(read_image(data, predictor)[1])
    assert image.status == status
    assert bool(image.reasons()) == (status == "refused")
    assert images.waiting() == []


def test_the_repr_does_not_contain_the_file_name():
    images = Worklist()
    images.add([("Secret Name.png", phantom_png(32, 32))], max_images=9)
    assert "Secret" not in repr(images.image())


def test_settings_apply_to_all_readings_or_nothing_is_changed(calibrated_models):
    from cxr_core.errors import WrongArguments
    from cxr_core.model import Predictor, open_model
    from cxr_core.model.predictor import open_engine

    folder = open_model(str(calibrated_models / "enriched"))
    predictor, images = Predictor(folder, open_engine(folder, "openvino")), Worklist()
    data = {name: phantom_png(128 + n, 128) for n, name in enumerate(("a", "b", "waiting"))}
    images.add(data.items(), max_images=9)
    read = [image for image in images.images.values() if image.name != "waiting"]
    for image in read:
        image.set_reading(read_image(image.data, predictor)[1])
    images.apply_settings(folder.card, "youden", {"Mass": 0.3})
    assert images.operating_point == "youden"
    for image in read:
        assert image.reading.operating_point == "youden"
        assert image.reading.prevalence == {"Mass": 0.3}
    before = [image.reading for image in read]
    for invalid in (("none", None), ("default", {"Hernia": 0.1})):
        with pytest.raises(WrongArguments):
            images.apply_settings(folder.card, *invalid)
    assert (images.operating_point, images.prevalence) == ("youden", {"Mass": 0.3})
    assert all(image.reading is reading for image, reading in zip(read, before, strict=True))


def test_settings_that_change_while_an_image_is_removed_apply_to_it_when_it_is_back(calibrated_models):
    from cxr_core.model import Predictor, open_model
    from cxr_core.model.predictor import open_engine

    folder = open_model(str(calibrated_models / "enriched"))
    predictor, images = Predictor(folder, open_engine(folder, "openvino")), Worklist()
    data = {name: phantom_png(128 + n, 128) for n, name in enumerate(("undone", "added again", "stays"))}
    images.add(data.items(), max_images=9)
    undone, added_again, _ = read = list(images.images.values())
    for image in read:
        image.set_reading(read_image(image.data, predictor)[1])
    images.remove(undone.digest, added_again.digest)
    images.apply_settings(folder.card, "youden", {"Mass": 0.3})
    images.add([("again", data["added again"])], max_images=9)
    images.undo_removal()
    assert set(map(id, images.images.values())) == set(map(id, read))
    for image in read:
        assert (image.reading.operating_point, image.reading.prevalence) == ("youden", {"Mass": 0.3})
