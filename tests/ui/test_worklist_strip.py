"""What the worklist strip and the panel show: studies, states, refusals with their paths, and nothing hidden."""

import pytest

from cxr_core.imaging import phantom_dicom, phantom_png
from cxr_core.reading import read_image
from cxr_core.settings import settings
from cxr_core.ui.reading_messages import HIDDEN, image_message
from cxr_core.ui.worklist import Worklist
from cxr_core.ui.worklist_strip import worklist_message

VISIT = {"StudyDate": "20261120", "StudyTime": "101500", "StudyDescription": "QZ thorax"}
JANE = {
    "PatientName": "DOE^Jane",
    "PatientID": "QZ7",
    "PatientBirthDate": "19700203",
    "PatientSex": "F",
    "StudyInstanceUID": "1.2.1",
}


def filled(predictor) -> Worklist:
    images = Worklist()
    files = [
        ("in/lateral.dcm", phantom_dicom(96, 84, SOPInstanceUID="1.2.1.2", ViewPosition="LL", **JANE)),
        ("in/pa.dcm", phantom_dicom(100, 84, SOPInstanceUID="1.2.1.1", AccessionNumber="A-5", **JANE, **VISIT)),
        ("study.zip/a/ct.dcm", phantom_dicom(96, 84, Modality="CT")),
        ("plain.png", phantom_png(96, 84)),
        ("words.txt", b"some words"),
    ]
    images.add(files, max_images=9)
    for image in images.images.values():
        if image.name == "words.txt":
            image.mark_unreadable("it is text")
        else:
            image.set_reading(read_image(image.data, predictor)[1])
    return images


def test_studies_have_their_images_and_refusals_their_reason_and_path(predictor):
    message = worklist_message(filled(predictor))
    first, *others = message["studies"]
    assert (first["name"], first["patientId"], first["accession"]) == ("DOE, Jane", "QZ7", "A-5")
    assert first["patient"] == "ID QZ7 · born 1970-02-03, 56 years · female"
    assert (first["when"], first["description"]) == ("2026-11-20 10:15", "QZ thorax")
    assert [(image["view"], image["status"]) for image in first["images"]] == [("PA", "read"), ("lateral", "refused")]
    # of two files of the same name it is the folder that tells them apart
    assert [image["path"] for image in first["images"]] == ["in/pa.dcm", "in/lateral.dcm"]
    assert first["id"] == first["images"][0]["id"]
    assert first["images"][1]["text"] == "not read"
    assert "No patient data" in [study["name"] for study in others]
    rejected = {entry["path"]: entry["reason"] for entry in message["rejected"]}
    assert list(rejected) == ["study.zip/a/ct.dcm", "words.txt"]
    assert "CT" in rejected["study.zip/a/ct.dcm"]
    assert rejected["words.txt"] == "it is text"


def test_read_first_sends_neither_counts_nor_findings_of_what_is_not_revealed(predictor):
    images = filled(predictor)
    pa, png = (one for one in images.images.values() if one.status == "read")
    images.read_first, png.revealed = True, True
    entries = {one["name"]: one for study in worklist_message(images)["studies"] for one in study["images"]}
    assert (entries["pa.dcm"]["above"], entries["pa.dcm"]["warnings"], entries["pa.dcm"]["text"]) == (
        None,
        None,
        "read",
    )
    assert entries["plain.png"]["above"] is not None
    message = image_message(pa, images, predictor.card)
    assert (message["findings"], message["summary"], message["hidden"]) == (None, HIDDEN, True)
    assert image_message(png, images, predictor.card)["findings"] is not None


def test_a_message_says_whose_image_it_is_and_why_it_was_not_read(predictor):
    images = filled(predictor)
    by_name = {image.name: image_message(image, images, predictor.card) for image in images.images.values()}
    assert by_name["pa.dcm"]["study"]["name"] == "DOE, Jane"
    assert by_name["plain.png"]["study"]["name"] == "No patient data in this file (PNG)"
    assert by_name["words.txt"]["study"] is None
    assert by_name["words.txt"]["warnings"] == ["it is text"]
    assert by_name["ct.dcm"]["summary"] == "This image was not read"
    assert by_name["ct.dcm"]["findings"] is None
    assert "evaluated finding" in by_name["pa.dcm"]["summary"]


def test_without_identity_no_message_names_anybody(predictor, monkeypatch):
    # nor where the headers were read while it was on
    with_identity = filled(predictor)
    assert "QZ thorax" in repr(worklist_message(with_identity))
    monkeypatch.setenv("SECOND_READ_IDENTITY", "off")
    settings.cache_clear()
    try:
        images = filled(predictor)
        messages = repr(worklist_message(with_identity))
        messages += repr(worklist_message(images)) + repr(
            [image_message(image, images, predictor.card)["study"] for image in images.images.values()]
        )
    finally:
        settings.cache_clear()
    for part in ("DOE", "QZ", "A-5", "2026-11-20", "1970", "female"):
        assert part not in messages
    assert "Study 1" in messages


@pytest.mark.parametrize("everything", [False, True])
def test_a_removed_study_comes_back_with_its_readings(predictor, everything):
    images = filled(predictor)
    before, readings = list(images.images), {digest: image.reading for digest, image in images.images.items()}
    taken = before if everything else [image["id"] for image in worklist_message(images)["studies"][0]["images"]]
    images.choose(taken[0])
    images.remove(*taken)
    assert list(images.images) == [digest for digest in before if digest not in taken]
    assert worklist_message(images)["removed"] == [digest for digest in before if digest in taken]
    assert (images.chosen is None) == everything
    images.undo_removal()
    assert list(images.images) == before
    assert {digest: image.reading for digest, image in images.images.items()} == readings
    assert images.chosen == taken[0]
    assert worklist_message(images)["removed"] == []
    images.remove(*taken)
    images.shared.take_all()
    assert images.removal is None
