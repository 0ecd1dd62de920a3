"""A report as an independent reader (pypdf) sees it: its text, pages, fonts, metadata, and every stream unpacked."""

import dataclasses
import hashlib
import io
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest

pytest.importorskip("reportlab", reason="reportlab is not installed (requirements-dev.txt)")
pytest.importorskip("pypdf", reason="pypdf is not installed (requirements-dev.txt)")

from pypdf import PdfReader

from cxr_core.formatting import format_probability
from cxr_core.imaging import phantom_dicom, phantom_png
from cxr_core.labels import NOTICE, display_name
from cxr_core.model import Predictor, open_model, reassess
from cxr_core.model.formatting import STATE_TEXTS
from cxr_core.model.predictor import open_engine
from cxr_core.reading import read_image
from cxr_core.report import ReportImage
from cxr_core.report.pdf import report_pdf
from cxr_core.store.read_record import Opinion
from cxr_core.studies import StudyImage, group_studies, read_study_header

WHEN = datetime(2026, 11, 26, 16, 42, tzinfo=timezone(timedelta(hours=1)))
PATIENT = {
    "SpecificCharacterSet": "ISO_IR 192",
    "PatientName": "QZFAMILY^Zoë",
    "PatientID": "QZ-ID-77",
    "PatientBirthDate": "19020314",
    "PatientSex": "F",
    "StudyDate": "20190301",
    "StudyTime": "101500",
    "AccessionNumber": "QZACCESSION",
    "StudyDescription": "QZDESCRIPTION",
}
SECRETS = (
    "QZFAMILY", "Zoë", "QZ-ID-77", "1902-03-14", "19020314", "2019-03-01", "20190301", "QZACCESSION", "QZDESCRIPTION",
    "QZFILE",
)  # fmt: skip


def report_image(data, predictor, label=None, name="QZFILE.dcm", identity=True, **options):
    radiograph, reading = read_image(data, predictor, **options)
    header = read_study_header(data, identity=identity)
    study = None if header is None else group_studies([StudyImage(reading.sha256, header)])[0]
    return ReportImage(reading, lambda: radiograph, study, name, label)


@pytest.fixture(scope="module")
def image(predictor):
    return report_image(phantom_dicom(512, 448, **PATIENT), predictor)


@pytest.fixture(scope="module")
def card(predictor):
    return predictor.card


def words(data):
    """The text of each page, with single spaces."""
    return [" ".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(data)).pages]


def contents(data):
    """Everything that the file holds, unpacked: its bytes, every string, name and stream of every object."""
    reader = PdfReader(io.BytesIO(data))
    parts = [data, " ".join(words(data)).encode()]
    for number in range(1, reader.trailer["/Size"]):
        found = reader.get_object(number)
        parts.append(repr(found).encode())
        if hasattr(found, "get_data"):
            parts.append(found.get_data())
    return b"\n".join(parts)


def holds(content, secret):
    return any(secret.encode(code) in content for code in ("utf-8", "latin-1", "utf-16-be"))


def test_the_numbers_are_those_of_the_reading_and_the_states_are_words(image, card):
    text = " ".join(words(report_pdf([image], card, WHEN, identity=True)))
    for finding in image.reading.findings:
        if finding.state == "not_evaluated":
            assert re.search(rf"Not evaluated: [^.]*{display_name(finding.label)}", text)
            continue
        row = re.search(rf"{display_name(finding.label)} ([\d. to]+) (?:▲ )?(below|at or above) its operating", text)
        assert row is not None, finding.label
        value, low, high, threshold = re.findall(r"[\d.]+", row[1])
        numbers = (finding.probability, *finding.interval, finding.threshold)
        assert (value, low, high, threshold) == tuple(map(format_probability, numbers))
        assert STATE_TEXTS[finding.state].startswith(row[2])
    assert image.reading.quality.reasons
    for reason in image.reading.quality.reasons:
        assert reason in text
    for told in ("Operating point default", "Calibration:", "Discrimination:", "It does not look for: fractures"):
        assert told in text
    assert card.weights_sha256[:16] in text
    assert image.reading.sha256 in text


def test_the_opinions_of_the_reader_stand_beside_the_states(image, card):
    evaluated = next(f.label for f in image.reading.findings if f.state != "not_evaluated")
    other = next(f.label for f in image.reading.findings if f.state == "not_evaluated")
    opinions = (
        Opinion(evaluated, "anna", 0, "r", "present", False, "left base", "2026-11-26T09:01:00.000+00:00"),
        Opinion(other, "anna", 0, "r", "absent", True, "", "2026-11-26T09:02:00.000+00:00"),
        Opinion(evaluated, "anna", 1, "r", "absent", True, "left base", "2026-11-26T09:03:00.000+00:00"),
    )
    opined = dataclasses.replace(image, opinions=opinions)
    text = " ".join(words(report_pdf([opined], card, WHEN, identity=False)))
    assert (
        "Reader: present (2026-11-26 09:01 UTC, before the findings were shown), now absent (2026-11-26 09:03 UTC, "
        "with the findings shown). Comment: left base" in text
    )
    # a finding without a state has a row where the reader stated something of it
    assert "Reader: absent (2026-11-26 09:02 UTC, with the findings shown)." in text
    assert text.count("Reader:") == 2
    assert "anna" not in text
    # the longest comments, on every finding: all of it is printed, on as many pages as that takes
    labels = [finding.label for finding in image.reading.findings]
    long = tuple(Opinion(label, "a", 0, "r", "present", True, "wide " * 400, WHEN.isoformat()) for label in labels)
    pages = words(report_pdf([dataclasses.replace(image, opinions=long)], card, WHEN, identity=False))
    assert " ".join(pages).count("wide") == 400 * len(labels)
    assert "Reader:" not in " ".join(words(report_pdf([image], card, WHEN, identity=False)))


def test_patient_and_study_are_printed_and_every_page_says_whose_it_is(image, card):
    pages = words(report_pdf([image], card, WHEN, identity=True))
    for value in ("QZFAMILY, Zoë", "QZ-ID-77", "1902-03-14 (116 years old at the study)", "female", "QZFILE.dcm",
                  "2019-03-01 10:15", "QZACCESSION", "QZDESCRIPTION"):  # fmt: skip
        assert value in pages[0]
    for page in pages:
        assert "QZFAMILY, Zoë · QZ-ID-77" in page


def test_the_report_says_what_the_size_of_a_cell_is_measured_by(predictor, card):
    for elements, size in (
        ({"ImagerPixelSpacing": [0.2, 0.2]}, "each 7 × 7 mm at the detector;"),
        ({"ImagerPixelSpacing": None, "PixelSpacing": [0.2, 0.2]}, "each 7 × 7 mm calibrated;"),
        ({"ImagerPixelSpacing": None}, "Grid of 7 × 7 cells;"),
    ):
        one = report_image(phantom_dicom(256, 224, **elements), predictor, "Cardiomegaly")
        assert size in words(report_pdf([one], card, WHEN, identity=False))[0]


def test_every_page_has_the_notice_its_number_date_and_version(image, card):
    pages = words(report_pdf([image], card, WHEN, identity=True))
    assert len(pages) == 2
    for number, page in enumerate(pages, start=1):
        assert NOTICE in page
        assert f"Page {number} of 2" in page
        assert "Made by Second Read 0.1.0 on 2026-11-26 16:42 UTC+01:00" in page


@pytest.mark.parametrize("study", ["of the file", "without identity"])
def test_without_identity_nothing_of_the_patient_is_in_the_file_unpacked(image, card, predictor, study):
    if study == "without identity":
        image = report_image(phantom_dicom(512, 448, **PATIENT), predictor, identity=False)
    content = contents(report_pdf([image], card, WHEN, identity=False))
    assert image.reading.sha256.encode() in content
    assert not [secret for secret in SECRETS if holds(content, secret)]


def test_with_identity_the_patient_is_on_the_pages_alone(image, card):
    data = report_pdf([image, image], card, WHEN, identity=True)
    text = " ".join(words(data))
    assert not [
        secret for secret in SECRETS if secret not in text and "190203" not in secret and "201903" not in secret
    ]
    reader = PdfReader(io.BytesIO(data))
    around = repr((reader.metadata, reader.xmp_metadata, reader.outline, reader.trailer, reader.root_object))
    around += "".join(item.title for item in reader.outline)
    assert not [secret for secret in SECRETS if secret in around]


def test_no_other_text_of_the_header_is_printed(card, predictor):
    private = dict.fromkeys(("PatientAddress", "PatientComments", "InstitutionName", "ImageComments"), "QZFREETEXT")
    private |= dict.fromkeys(("ReferringPhysicianName", "WindowCenterWidthExplanation"), "QZFREETEXT")
    image = report_image(phantom_dicom(256, 224, **PATIENT, **private), predictor, read_anyway="a test")
    content = contents(report_pdf([image], card, WHEN, identity=True))
    assert holds(content, "QZFAMILY")
    assert not holds(content, "QZFREETEXT")


def test_title_language_and_notice_are_in_the_metadata(image, card):
    reader = PdfReader(io.BytesIO(report_pdf([image], card, WHEN, identity=True)))
    assert reader.metadata.title == "Automated second reading of a chest radiograph"
    assert reader.metadata.subject == NOTICE
    assert reader.metadata.creation_date == WHEN
    assert reader.root_object["/Lang"] == "en-GB"
    assert reader.root_object["/ViewerPreferences"]["/DisplayDocTitle"] == True  # noqa: E712 pypdf's own type


def test_every_font_is_embedded_and_its_text_can_be_selected(image, card):
    fonts = {}
    for page in PdfReader(io.BytesIO(report_pdf([image], card, WHEN, identity=True))).pages:
        fonts |= {font["/BaseFont"]: font for font in page["/Resources"]["/Font"].values()}
    assert {name.partition("+")[2] for name in fonts} == {"DejaVuSans", "DejaVuSans-Bold"}
    for font in fonts.values():
        assert font["/FontDescriptor"]["/FontFile2"].get_data()
        assert "/ToUnicode" in font


@pytest.mark.slow
def test_the_same_input_gives_the_same_bytes_in_another_process_too(image, card):
    data = report_pdf([image], card, WHEN, identity=True)
    assert report_pdf([image], card, WHEN, identity=True) == data
    assert report_pdf([image], card, WHEN.astimezone(UTC), identity=True) != data
    code = (
        "import hashlib\n"
        "from cxr_core.model import shared_predictor\n"
        "from tests.report.test_pdf import PATIENT, WHEN, phantom_dicom, report_image, report_pdf\n"
        "predictor = shared_predictor('second-read-mini', 'openvino')\n"
        "image = report_image(phantom_dicom(512, 448, **PATIENT), predictor)\n"
        "print(hashlib.sha256(report_pdf([image], predictor.card, WHEN, identity=True)).hexdigest())"
    )
    environment = os.environ | {"PYTHONHASHSEED": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("Łukaszewicz^Žofie", "Łukaszewicz, Žofie"),
        ("Παπαδόπουλος^Γιώργος", "Παπαδόπουλος, Γιώργος"),
        ("Шевченко^Тарас", "Шевченко, Тарас"),
        ("Nguyễn^Thị Hạnh", "Nguyễn, Thị Hạnh"),
        ("Yamada^Tarou=山田^太郎", "Yamada, Tarou (\ufffd\ufffd \ufffd\ufffd)"),
        ("כהן^דוד", "\ufffd\ufffd\ufffd, \ufffd\ufffd\ufffd"),
        ("<b>&amp;^<img/></para>", "<b>&amp;, <img/></para>"),
        ("W" * 60 + "^" + "W" * 50, "W" * 60),
    ],
)
def test_a_name_is_printed_or_replaced_letter_by_letter_and_is_never_an_error(name, printed, card, predictor):
    data = phantom_dicom(128, 112, SpecificCharacterSet="ISO_IR 192", PatientName=name, PatientID="7")
    image = report_image(data, predictor)
    text = " ".join(words(report_pdf([image], card, WHEN, identity=True)))
    assert printed.replace(" ", "") in text.replace(" ", "")


def test_several_images_have_pages_of_their_own_and_an_unloaded_one_says_so(image, card, predictor):
    other = report_image(phantom_png(256, 224), predictor, name="b.png")
    gone = dataclasses.replace(other, radiograph=lambda: None)
    data = report_pdf([image, other, gone], card, WHEN, identity=True)
    pages = words(data)
    assert len(pages) == 6
    for page, text in enumerate(pages):
        assert f"Image {page // 2 + 1} of 3, page {page % 2 + 1} of 2" in text
        assert ("QZFAMILY" in text) == (page < 2)
        assert ("Image no longer in memory" in text) == (page == 4)
    for text in pages[2:]:
        assert "No patient data in this file" in text
    assert len(PdfReader(io.BytesIO(data)).outline) == 3


def drawn_images(data):
    return len(PdfReader(io.BytesIO(data)).pages[0].images)


def test_the_map_is_of_the_chosen_finding_or_of_the_highest_that_is_above(image, card, predictor):
    (above,) = [finding.label for finding in image.reading.findings if finding.state == "above"]
    text = words(report_pdf([image], card, WHEN, identity=True))[0]
    assert f"Heat map: {display_name(above)} at or above its operating point" in text
    assert re.search(r"Strongest: \S.* third of the image", text)
    chosen = dataclasses.replace(image, label="Cardiomegaly")
    data = report_pdf([chosen], card, WHEN, identity=True)
    text = words(data)[0]
    assert "Heat map: Cardiomegaly below its operating point" in text
    assert "half of full colour" in text
    assert f"{card.map_anchors['Cardiomegaly']:.2g}" in text
    assert drawn_images(data) == 3  # the image, the image with its map, the scale
    none = reassess(image.reading, card, "specificity-0.95", None)
    none = dataclasses.replace(none, findings=tuple(dataclasses.replace(f, state="below") for f in none.findings))
    data = report_pdf([dataclasses.replace(image, reading=none)], card, WHEN, identity=True)
    assert "No heat map: no finding is above its operating point, and none was chosen." in words(data)[0]
    assert drawn_images(data) == 1


def test_a_finding_that_is_not_evaluated_has_a_row_with_its_reason_where_it_was_chosen(image, card):
    label = next(finding.label for finding in image.reading.findings if finding.state == "not_evaluated")
    finding = image.reading.finding(label)
    chosen = dataclasses.replace(image, label=label)
    text = words(report_pdf([chosen], card, WHEN, identity=True))[0]
    assert f"score {format_probability(finding.score)}" in text
    assert finding.reason in text


def test_prevalence_override_and_alarms_are_printed(calibrated_models):
    folder = open_model(str(calibrated_models / "enriched"))
    predictor = Predictor(folder, open_engine(folder, "openvino"))
    data = phantom_dicom(256, 224, Modality="CT", **PATIENT)
    image = report_image(data, predictor, prevalence=0.02, read_anyway="wrong tag", stability=True)
    alarmed = dataclasses.replace(image, study=dataclasses.replace(image.study, alarms=("Two patients, one study.",)))
    for identity in (True, False):
        text = " ".join(words(report_pdf([alarmed], folder.card, WHEN, identity=identity)))
        assert "Check the patient: Two patients, one study." in text
        assert "shifted to a prevalence that the user set (2% for" in text
        assert "Refused image, read on request. Reason given: wrong tag" in text
        assert "small changes of the image" in text


def test_a_refused_image_has_one_page_with_its_reason_and_no_finding(predictor, card):
    image = report_image(phantom_dicom(256, 224, Modality="CT"), predictor)
    (page,) = words(report_pdf([image], card, WHEN, identity=True))
    assert "This image was not read." in page
    assert "modality CT" in page
    assert "Probability" not in page


def test_a_model_of_many_labels_and_long_texts_goes_over_pages(image, card):
    reading = image.reading
    findings = tuple(
        dataclasses.replace(finding, label=label, reason=finding.reason and "too few cases " * 9)
        for finding, label in [(f, f"{f.label}_{n}") for n in range(6) for f in reading.findings]
    )
    quality = dataclasses.replace(reading.quality, override="because " * 2000)
    maps = reading.class_maps.repeat(6, axis=0)
    many = dataclasses.replace(reading, findings=findings, quality=quality, class_maps=maps, under_changes=())
    widened = dataclasses.replace(
        card,
        labels=tuple(finding.label for finding in findings),
        map_anchors={finding.label: 1.0 for finding in findings},
    )
    image = dataclasses.replace(image, reading=many)
    pages = words(report_pdf([image], widened, WHEN, identity=True))
    assert len(pages) > 4
    assert "Cardiomegaly 5" in " ".join(pages)
    assert f"Page {len(pages)} of {len(pages)}" in pages[-1]


def test_a_report_of_nothing_is_a_mistake_of_the_caller(card):
    with pytest.raises(ValueError, match="one image or more"):
        report_pdf([], card, WHEN, identity=False)
