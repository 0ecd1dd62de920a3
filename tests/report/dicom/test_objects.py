"""All results: valid, of the same study and patient, one for each reading, and without a word about the patient."""

import logging
import os
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cxr_core.errors import InputRefused
from cxr_core.imaging import phantom_dicom, phantom_png
from cxr_core.model import Predictor, open_model, reassess
from cxr_core.model.predictor import open_engine
from cxr_core.report.dicom.identification import SERIES
from cxr_core.report.dicom.objects import KINDS
from tests.dicom_results import DX, ORIGINALS, PATIENT, WHEN, objects, opinions, parsed, report_image, with_stored

ABOVE = ("Mass", "Edema", "Pleural_Thickening")
IDENTIFYING = (
    "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyID",
    "AccessionNumber", "StudyDate", "StudyTime",
)  # fmt: skip
# PS3.5 H.3.1
JAPANESE = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"


@pytest.fixture(scope="module")
def data():
    return phantom_dicom(256, 224, **PATIENT)


@pytest.fixture(scope="module")
def image(data, predictor):
    given = opinions("Mass", "absent", "present") + opinions("Hernia", "uncertain")
    return report_image(data, predictor, above=ABOVE, given=given, stability=True)


@pytest.fixture(scope="module")
def made(image, data, predictor):
    return objects(image, predictor.card, data)


def mistakes_of_identity(data, dciodvfy):
    """The errors in what identifies patient and study, which a result has as well."""
    named = [line for line in dciodvfy(data) if any(f"/{keyword}(" in line for keyword in IDENTIFYING)]
    return [line for line in named if "Missing attribute" not in line]


@pytest.mark.parametrize("name", ORIGINALS)
def test_every_object_of_a_phantom_is_valid(name, predictor, dciodvfy):
    data = ORIGINALS[name]()
    made = objects(report_image(data, predictor, above=ABOVE, given=opinions("Mass", "present")), predictor.card, data)
    assert {kind.partition("-")[0] for kind in made} == set(KINDS)
    mistakes = mistakes_of_identity(data, dciodvfy)
    assert bool(mistakes) == (name == "with values that are not valid")
    assert {kind: dciodvfy(content) for kind, content in made.items()} == dict.fromkeys(made, mistakes)


@pytest.mark.needs_shared
@pytest.mark.slow
def test_every_object_of_a_real_image_is_valid(shared, predictor, dciodvfy):
    """But for the one image whose SOP Instance UID is invalid: a result must refer to it as it is."""
    invalid = []
    for path in sorted((shared / "dicom").glob("*.dcm")):
        data = path.read_bytes()
        made = objects(report_image(data, predictor, above=ABOVE[:1]), predictor.card, data)
        uid = str(parsed(data).SOPInstanceUID)
        mistakes = mistakes_of_identity(data, dciodvfy)
        errors = [line for content in made.values() for line in dciodvfy(content) if line not in mistakes]
        if any(f"<{uid}>" in line for line in dciodvfy(data)):
            invalid.append(path.name)
            errors = [line for line in errors if f"<{uid}>" not in line]
        assert errors == [], path.name
    assert invalid == ["other_cr_teeth_modality_lut.dcm"]


def test_every_object_is_of_the_same_patient_and_study(made, data):
    original = parsed(data)
    for kind, content in made.items():
        result = parsed(content)
        assert {keyword: str(result[keyword].value) for keyword in PATIENT} == PATIENT, kind
        assert result.StudyInstanceUID == original.StudyInstanceUID
        assert result.SeriesInstanceUID != original.SeriesInstanceUID
        assert result.SeriesNumber == SERIES[kind.partition("-")[0]].number
        assert result.Manufacturer == "Second Read"
        assert result.file_meta.MediaStorageSOPInstanceUID == result.SOPInstanceUID
        assert result.PatientAge == "050Y"


def identity(data):
    """The bytes of the elements that identify patient and study; None for one that is not there."""
    file = parsed(data)
    return {keyword: file.get_item(keyword).value if keyword in file else None for keyword in IDENTIFYING}


@pytest.mark.parametrize(
    "stored",
    [
        {"PatientID": b" P1", "StudyID": b" 1", "AccessionNumber": b" A "},
        {"PatientID": b"0 1 ", "PatientName": b"DOE^JANE^^^ ", "IssuerOfPatientID": b" H "},
        {"PatientID": b"P 1\\x ", "AccessionNumber": b"A\\B ", "StudyID": b"\\\\", "IssuerOfPatientID": b"H\\"},
        {"PatientID": b"P1\0\0", "PatientName": b"A^B\0"},
        {"PatientID": b"", "PatientName": b"", "IssuerOfPatientID": b"", "StudyDate": b"", "StudyID": b""},
        {"PatientID": b"    "},
        {"PatientID": b"Q" * 70, "PatientName": b"A=B=C=D ", "IssuerOfPatientID": b"tab\t"},
        {
            "PatientID": b"1",
            "PatientBirthDate": b"1902",
            "PatientSex": b"X ",
            "StudyDate": b"2019.03.01",
            "StudyTime": b"25:00 ",
        },
        {"PatientID": b"2", "StudyTime": b"101500.120 ", "PatientBirthDate": b"19020314", "PatientSex": b"f "},
        {"PatientID": b"3", "StudyInstanceUID": b"1.2.77\0\0"},
    ],
)
def test_what_identifies_patient_and_study_is_copied_byte_for_byte(image, predictor, stored):
    stored = {keyword: value + b" " * (len(value) % 2) for keyword, value in stored.items()}
    data = with_stored(phantom_dicom(256, 224, **PATIENT), stored)
    before = identity(data)
    assert {keyword: before[keyword] for keyword in stored} == stored
    # making all of them each time takes seconds
    made = objects(image, predictor.card, data, KINDS if stored["PatientID"] == b" P1 " else ["sr"])
    for kind, content in made.items():
        assert identity(content) == before, kind


@pytest.mark.parametrize("absent", ["PatientID", "PatientName", "PatientBirthDate"])
def test_what_the_original_lacks_is_empty(image, predictor, absent):
    data = phantom_dicom(256, 224, **PATIENT | {absent: None})
    (content,) = objects(image, predictor.card, data, ["sr"]).values()
    assert identity(content)[absent] in (b"", None)
    assert absent in parsed(content)


@pytest.mark.parametrize(
    ("character_set", "codec", "name"),
    [
        ("ISO_IR 100", "latin-1", " Müller/ß^Jörg"),
        ("ISO_IR 144", "iso8859-5", "Люкceмбypг "),
        ("GB18030", "gb18030", "山田\\太郎"),
        # the second byte of the second letter is that of a backslash
        ("GBK", "gbk", "凛乗"),
        ("ISO_IR 192", "utf-8", " 山田^太郎=ß"),
        ("\\ISO 2022 IR 87", None, "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    ],
)
def test_what_identifies_the_patient_has_the_same_letters_in_utf_8(image, predictor, character_set, codec, name):
    value = JAPANESE if codec is None else name.encode(codec)
    # an odd number of bytes is padded, which may be another number in UTF-8
    letters = name + " " * (len(value) % 2)
    data = phantom_dicom(256, 224, SpecificCharacterSet=character_set.split("\\"), **PATIENT)
    data = with_stored(data, dict.fromkeys(("PatientName", "PatientID"), value + b" " * (len(value) % 2)))
    (content,) = objects(image, predictor.card, data, ["sr"]).values()
    assert parsed(content).SpecificCharacterSet == "ISO_IR 192"
    written = letters.encode() + b" " * (len(letters.encode()) % 2)
    assert identity(content) == identity(data) | {"PatientName": written, "PatientID": written}


def test_an_id_that_is_not_in_its_character_set_is_refused(image, predictor):
    data = phantom_dicom(256, 224, SpecificCharacterSet="GB18030", **PATIENT)
    data = with_stored(data, {"PatientID": b"QZ\xff\xff"})
    with pytest.raises(InputRefused, match="not written in the character set") as refusal:
        objects(image, predictor.card, data)
    assert "QZ" not in str(refusal.value)


@pytest.mark.parametrize("state", ["below", "not_evaluated"])
def test_objects_of_a_reading_with_nothing_above_are_valid(state, image, data, predictor, dciodvfy):
    findings = tuple(replace(finding, state=state, reason=None) for finding in image.reading.findings)
    made = objects(reading_with(image, findings=findings), predictor.card, data)
    assert {"sr", "sc-1", "pdf"} <= set(made)
    assert {kind: dciodvfy(content) for kind, content in made.items()} == {kind: [] for kind in made}


def test_a_value_in_another_character_set_is_read_back(predictor):
    data = ORIGINALS["with one name, in Latin-1"]()
    for content in objects(report_image(data, predictor, above=ABOVE), predictor.card, data).values():
        assert str(parsed(content).PatientName) == "Müller"
        assert parsed(content).StudyDescription == "Thorax, Überweisung"


def test_the_same_reading_gives_the_same_objects(made, image, data, predictor):
    assert objects(image, predictor.card, data) == made
    again = replace(image, name="another name.dcm")
    later = objects(again, predictor.card, data, when=WHEN.replace(hour=17))
    assert later != made
    assert uids(later) == uids(made)
    assert len(set(uids(made).values())) == len(made)


def uids(made):
    return {kind: parsed(content).SOPInstanceUID for kind, content in made.items()}


def changed_card(card):
    curves = dict(card.calibration.per_label)
    curves["Mass"] = replace(curves["Mass"], reason="another calibration")
    return replace(card, calibration=replace(card.calibration, per_label=curves))


def reading_with(image, **changes):
    return replace(image, reading=replace(image.reading, **changes))


def other_point(image, card):
    name = next(point for point in card.offered_points if point != "default")
    return replace(image, reading=reassess(image.reading, card, name))


def other_score(image):
    first, *rest = image.reading.findings
    return reading_with(image, findings=(replace(first, score=0.123), *rest))


CHANGES = {
    "operating point": lambda i, c: (other_point(i, c), c),
    "prevalence": lambda i, c: (replace(i, reading=reassess(i.reading, c, "default", 0.02)), c),
    "calibration": lambda i, c: (i, changed_card(c)),
    "override": lambda i, c: (reading_with(i, quality=replace(i.reading.quality, override="why")), c),
    "opinion": lambda i, c: (replace(i, opinions=opinions("Mass", "absent", "uncertain")), c),
    "score": lambda i, c: (other_score(i), c),
    "map": lambda i, c: (reading_with(i, class_maps=i.reading.class_maps + np.float32(0.01)), c),
    "small changes": lambda i, c: (reading_with(i, under_changes=()), c),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_gives_other_uids(change, made, image, data, predictor):
    """A PACS drops another object under the same UID silently."""
    # making all of them for each change takes seconds
    kinds = KINDS if change == "operating point" else ["sc"]
    other = objects(*CHANGES[change](image, predictor.card), data, kinds)
    shared = set(other) & set(made)
    assert {name.partition("-")[0] for name in shared} == set(kinds)
    for uid in ("SOPInstanceUID", "SeriesInstanceUID"):
        assert not {parsed(other[k])[uid].value for k in shared} & {parsed(made[k])[uid].value for k in shared}


def test_another_image_gives_other_uids(made, image, predictor):
    other = phantom_dicom(256, 224, SOPInstanceUID="2.25.4711", **PATIENT)
    assert not set(uids(objects(image, predictor.card, other)).values()) & set(uids(made).values())


def test_no_value_of_the_patient_is_logged_or_warned_of(predictor, caplog):
    data = phantom_dicom(256, 224, **PATIENT | {"PatientName": "QZONEWORD"})
    with warnings.catch_warnings(record=True) as caught, caplog.at_level(logging.DEBUG):
        warnings.simplefilter("always")
        objects(report_image(data, predictor, above=ABOVE), predictor.card, data)
    assert "QZ" not in caplog.text
    assert not [str(one.message) for one in caught if "QZ" in str(one.message)]


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        ({"StudyInstanceUID": None}, "lacks its StudyInstanceUID"),
        ({"SeriesInstanceUID": ""}, "lacks its SeriesInstanceUID"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.11"}, "no SOP class of images"),
        ({"Rows": None}, "does not state its Rows"),
        (None, "need a DICOM image"),
    ],
)
def test_a_file_that_no_result_can_refer_to_is_refused_in_one_line(elements, message, image, predictor):
    file = phantom_png(256, 224) if elements is None else phantom_dicom(256, 224, **elements)
    with pytest.raises(InputRefused, match=message) as refusal:
        objects(image, predictor.card, file)
    assert "\n" not in str(refusal.value)


def test_a_refused_image_has_no_results(image, data, predictor):
    refused = replace(image, reading=replace(image.reading, findings=()))
    with pytest.raises(ValueError, match="refused"):
        objects(refused, predictor.card, data)


def test_a_result_is_no_image_to_be_read(made, predictor):
    from cxr_core.reading import read_image

    for kind, content in made.items():
        try:
            _, reading = read_image(content, predictor)
        except InputRefused:
            continue
        assert reading.findings == (), kind


@pytest.mark.slow
def test_an_imported_model_of_other_labels_has_results(imported, dciodvfy):
    folder = open_model(str(imported))
    predictor = Predictor(folder, open_engine(folder, "openvino"))
    data = phantom_dicom(256, 224, SOPClassUID=DX, Modality="DX")
    image = report_image(data, predictor, above=predictor.card.labels[-2:])
    for kind, content in objects(image, predictor.card, data).items():
        assert dciodvfy(content) == [], kind


def test_highdicom_is_not_imported_before_an_object_is_made(tmp_path):
    (tmp_path / "a.dcm").write_bytes(phantom_dicom(256, 224))
    script = """if True:
        import sys
        from cxr_core.cli.main import main
        import cxr_core.ui.server
        for arguments in (["--help"], ["predict", "--help"], ["reads", "export", "--help"], ["predict", "a.dcm"]):
            try:
                main(arguments)
            except SystemExit:
                pass
        print("highdicom" in sys.modules, file=sys.stderr)
    """
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == "False"


def test_every_kind_has_a_series():
    assert set(KINDS) <= set(SERIES)
