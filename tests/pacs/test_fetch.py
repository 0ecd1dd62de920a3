"""Studies and priors from a real Orthanc, by DICOMweb and by DIMSE, into the store."""

import io
import logging
import re

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from cxr_core.access import audit
from cxr_core.errors import PacsUnavailable, PathUnusable, WrongArguments
from cxr_core.imaging.conformance import CAPTURE_CLASSES, RADIOGRAPH_CLASSES
from cxr_core.pacs.addresses import DimseAddress, WebAddress
from cxr_core.pacs.dimse_source import DimseSource
from cxr_core.pacs.fetch import Fetched, PacsClient, configured_client
from cxr_core.pacs.source import studies_of
from cxr_core.pacs.web_source import WebSource
from cxr_core.settings import settings
from cxr_core.store.pacs_files import instance_path
from cxr_core.store.pacs_header import dataset_sha256
from cxr_core.store.pacs_store import PacsStore
from cxr_core.studies.header import study_header
from tests.imaging.test_conformance import SYNTAXES, in_syntax
from tests.pacs.test_dicomweb import service
from tests.received import received, uid

NOBODY = 104
"""The port of an AE title that is only called from."""


@pytest.fixture
def store(own_folders):
    store = PacsStore()
    yield store
    store.close()


def source_of(orthanc, how):
    if how == "dicomweb":
        return WebSource(WebAddress(orthanc.dicom_web), ":".join(orthanc.auth))
    return DimseSource(DimseAddress(orthanc.aet, orthanc.host, orthanc.port), moves=False)


@pytest.fixture(params=["dicomweb", pytest.param("c-get", marks=pytest.mark.slow)])
def client(request, orthanc, store, own_folders):
    orthanc.know("SECONDREAD", NOBODY)
    own_folders.setenv("SECOND_READ_PACS_PATIENT_ID_IN_URL", "true")
    settings.cache_clear()
    return PacsClient(source_of(orthanc, request.param), "ARCHIVE", store)


def of_patient(number, patient, date, **elements):
    """An image of a study of its own."""
    return received(number, PatientID=patient, StudyDate=date, **elements)


def icon():
    """An item of a sequence with 1.2 MB of pixels."""
    item = Dataset()
    item.PixelData = bytes(1_200_000)
    item["PixelData"].VR = "OW"
    return item


def header_of(client, number):
    (study,) = client.search({"StudyInstanceUID": uid(number, "7")})
    return study.header


def test_a_study_is_fetched_once_as_it_is_stored_there(client, orthanc):
    files = [received(number, StudyInstanceUID=uid(1, "7"), SeriesInstanceUID=uid(1, "8")) for number in (1, 2)]
    for file in [*files, received(3)]:
        orthanc.store(file)
    assert client.fetch(uid(1, "7")) == Fetched(stored=2)
    assert client.fetch(uid(1, "7")) == Fetched(present=2)
    stored = client.store.instances()
    assert {one.sop_instance_uid for one in stored} == {uid(1), uid(2)}
    assert {one.source for one in stored} == {"fetch ARCHIVE"}
    for number, file in enumerate(files, 1):
        assert dataset_sha256(client.store.load_instance(uid(number))) == dataset_sha256(file)


def test_by_dicomweb_every_byte_is_the_same(orthanc, store):
    file = received(1)
    orthanc.store(file)
    PacsClient(source_of(orthanc, "dicomweb"), "ARCHIVE", store).fetch(uid(1, "7"))
    assert store.load_instance(uid(1)) == file


@pytest.mark.slow
@pytest.mark.parametrize("syntax", [row["UID"] for row in SYNTAXES])
def test_no_transfer_syntax_is_changed_on_the_way(syntax, client, orthanc):
    """Unless it is asked for all of them, a PACS answers in Explicit VR Little Endian."""
    values = (np.add.outer(np.arange(64), np.arange(64)) * 255 // 126).astype(np.uint16)
    file = in_syntax(syntax, values, 8)
    orthanc.store(file)
    (study,) = client.search({"PatientID": "PHANTOM"})
    if ".4.20" in syntax and isinstance(client.source, DimseSource):
        # DCMTK 3.6.7, by which Orthanc speaks DIMSE, does not know HTJ2K
        with pytest.raises(PacsUnavailable, match="unable to send the images as they are stored"):
            client.fetch(study.uid)
        assert client.store.instances() == ()
        return
    assert client.fetch(study.uid) == Fetched(stored=1)
    (stored,) = client.store.instances()
    assert stored.transfer_syntax == syntax
    assert dataset_sha256(client.store.load_instance(stored.sop_instance_uid)) == dataset_sha256(file)


def test_neither_results_nor_other_modalities_are_fetched(client, orthanc):
    same = {"StudyInstanceUID": uid(1, "7")}
    ours = {"Manufacturer": "Second Read", "SeriesNumber": 9102, "SeriesDescription": "Second Read: findings"}
    others = [
        received(2, **same, Modality="CT", SOPClassUID="1.2.840.10008.5.1.4.1.1.2"),
        received(3, **same, Modality="OT", SOPClassUID=next(iter(CAPTURE_CLASSES)), **ours),
        received(4, **same, Modality="CR", SOPClassUID="1.2.840.10008.5.1.4.1.1.6.1"),
    ]
    for file in [received(1), *others]:
        orthanc.store(file)
    assert client.fetch(uid(1, "7")) == Fetched(stored=1)
    assert [one.sop_instance_uid for one in client.store.instances()] == [uid(1)]


@pytest.mark.slow
@pytest.mark.parametrize("sop_class", [*RADIOGRAPH_CLASSES, *CAPTURE_CLASSES])
def test_each_class_of_radiographs_is_fetched(sop_class, client, orthanc):
    orthanc.store(received(1, SOPClassUID=sop_class, Modality="OT" if sop_class in CAPTURE_CLASSES else "DX"))
    assert client.fetch(uid(1, "7")) == Fetched(stored=1)


def test_images_of_all_classes_of_one_series_are_fetched(client, orthanc):
    """By C-GET that takes most of the presentation contexts of an association."""
    classes = [*RADIOGRAPH_CLASSES, *CAPTURE_CLASSES]
    for number, sop_class in enumerate(classes, 1):
        same = {"StudyInstanceUID": uid(1, "7"), "SeriesInstanceUID": uid(1, "8")}
        orthanc.store(received(number, SOPClassUID=sop_class, **same))
    assert client.fetch(uid(1, "7")) == Fetched(stored=len(classes))


def test_the_latest_earlier_study_of_the_patient_is_the_prior(client, orthanc):
    studies = {1: "20260301", 2: "20240101", 3: "20250601", 4: "20260501", 5: "20260301"}
    for number, date in studies.items():
        orthanc.store(of_patient(number, "QZ-1", date, StudyTime="0815" if number == 1 else "0915"))
    orthanc.store(of_patient(6, "QZ-2", "20260101"))
    assert client.fetch_priors(header_of(client, 1), 1) == [Fetched(stored=1)]
    (prior,) = client.store.instances()
    assert (prior.sop_instance_uid, prior.source, prior.is_prior) == (uid(3), "fetch ARCHIVE", True)
    assert client.fetch_priors(header_of(client, 1), 3) == [Fetched(present=1), Fetched(stored=1)]
    assert client.fetch_priors(header_of(client, 2), 3) == []


@pytest.mark.parametrize("numbers", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
def test_which_images_are_priors_depends_on_no_order(client, orthanc, numbers):
    for number in (0, *numbers):
        orthanc.store(of_patient(number, "QZ-1", f"2026112{number}"))
    for number in numbers:
        client.fetch(uid(number, "7"))
        client.fetch_priors(header_of(client, number), 1)
    assert {one.sop_instance_uid: one.is_prior for one in client.store.instances()} == {
        uid(0): True, uid(1): False, uid(2): False, uid(3): False,
    }  # fmt: skip
    assert client.fetch(uid(0, "7")) == Fetched(present=1)
    assert not client.store.instance(uid(0)).is_prior


def test_a_damaged_file_is_fetched_again(client, orthanc):
    orthanc.store(received(1))
    client.fetch(uid(1, "7"))
    path = instance_path(client.store.instance(uid(1)).sha256)
    path.write_bytes(path.read_bytes()[:-1])
    assert client.fetch(uid(1, "7")) == Fetched(present=1)
    assert dataset_sha256(client.store.load_instance(uid(1))) == dataset_sha256(orthanc.file(uid(1)))


@pytest.mark.parametrize(
    ("patient", "other"),
    [
        # a key with a wildcard, or with several values, would match others
        ("QZ*", {"PatientID": "QZ-1"}),
        ("QZ?", {"PatientID": "QZ1"}),
        # an ID is unique within its issuer
        ("QZ-1", {"PatientID": "QZ-1", "IssuerOfPatientID": "B"}),
        ("QZ-1", {"PatientID": "QZ-1", "PatientBirthDate": "19500101"}),
        # no patient in particular
        ("ANON", {"PatientID": "ANON"}),
        ("0", {"PatientID": "0"}),
        ("", {"PatientID": ""}),
    ],
)
def test_no_study_of_another_patient_is_a_prior(patient, other, client, orthanc):
    known = {"IssuerOfPatientID": "A", "PatientBirthDate": "19400101"}
    orthanc.store(of_patient(1, patient, "20260301", **known))
    orthanc.store(received(2, **{**known, "StudyDate": "20250301", **other}))
    # an archive keeps an issuer with the patient or with the study: the file itself says it
    header = studies_of([pydicom.dcmread(io.BytesIO(orthanc.file(uid(1))))])[0].header
    fetched = client.fetch_priors(header, 1)
    assert fetched == []
    assert client.store.instances() == ()


def test_no_patient_id_is_in_an_address_unless_the_settings_allow_it(orthanc, store):
    header = study_header(pydicom.dcmread(io.BytesIO(of_patient(1, "QZ-1", "20260301"))))
    addresses = []

    def answer(request):
        addresses.append(request.path)
        return 200, {"Content-Type": "application/dicom+json"}, b"[]"

    with service(answer) as address:
        client = PacsClient(WebSource(address, None), "ARCHIVE", store)
        assert client.fetch_priors(header, 1) == []
        with pytest.raises(WrongArguments, match="SECOND_READ_PACS_PATIENT_ID_IN_URL"):
            client.search({"PatientID": "QZ-1"})
        assert client.search({"StudyInstanceUID": uid(1, "7")}) == []
    assert addresses
    assert not [one for one in addresses if "QZ" in one or "PatientID=" in one]


def test_where_identity_is_not_to_be_read_there_is_no_prior(client, orthanc, own_folders):
    for number, day in ((1, "20260301"), (2, "20250301")):
        orthanc.store(of_patient(number, "QZ-1", day))
    header = header_of(client, 1)
    own_folders.setenv("SECOND_READ_IDENTITY", "off")
    settings.cache_clear()
    assert client.fetch_priors(header, 1) == []


def test_a_study_without_a_date_has_no_prior(client, orthanc):
    orthanc.store(of_patient(1, "QZ-1", ""))
    orthanc.store(of_patient(2, "QZ-1", "20250301"))
    assert client.fetch_priors(header_of(client, 1), 1) == []


def test_studies_are_found_by_day_and_by_accession_number(client, orthanc):
    from datetime import date

    for number, day in enumerate(("20260301", "20260302", "20260303"), 1):
        orthanc.store(of_patient(number, "QZ-1", day, AccessionNumber=f"A{number}"))
    orthanc.store(of_patient(4, "QZ-1", "20260302", AccessionNumber="A22", Modality="CT"))

    def found(studies):
        return sorted(study.uid for study in studies)

    assert found(client.of_days(date(2026, 3, 2), date(2026, 3, 2))) == [uid(2, "7")]
    assert found(client.of_days(date(2026, 3, 2))) == [uid(2, "7"), uid(3, "7")]
    assert found(client.of_accession("A2")) == [uid(2, "7")]
    assert found(client.of_accession("A*")) == []
    assert found(client.of_accession("A9")) == []


def test_an_image_that_is_too_large_is_missing_and_the_others_are_fetched(client, orthanc, own_folders):
    same = {"StudyInstanceUID": uid(1, "7"), "SeriesInstanceUID": uid(1, "8")}
    for number in (1, 2):
        orthanc.store(received(number, **same))
    orthanc.store(received(3, **same, IconImageSequence=[icon()]))
    own_folders.setenv("SECOND_READ_MAX_FILE_MB", "1")
    settings.cache_clear()
    assert client.fetch(uid(1, "7")) == Fetched(stored=2, missing=1)


def test_nothing_is_fetched_that_cannot_be_stored(client, orthanc, own_folders):
    orthanc.store(received(1, IconImageSequence=[icon()]))
    own_folders.setenv("SECOND_READ_PACS_KEEP_GB", "0.0001")
    settings.cache_clear()
    with pytest.raises(PathUnusable, match="SECOND_READ_PACS_KEEP_GB"):
        client.fetch(uid(1, "7"))
    assert client.store.instances() == ()


def test_what_is_fetched_is_in_the_audit_trail_by_its_digest(client, orthanc):
    orthanc.store(of_patient(1, "QZ-1", "20260301", PatientName="QZFAMILY^Zoe"))
    client.fetch(uid(1, "7"), as_prior=True)
    client.fetch(uid(1, "7"), as_prior=True)
    (event,) = (event for event in audit.read()[0] if event.what == "retrieval")
    assert event.detail == "prior"
    assert event.images == (client.store.instances()[0].sha256,)


def test_no_patient_is_in_a_log_or_an_error(client, orthanc, caplog, capfd, own_folders):
    caplog.set_level(logging.DEBUG)
    planted = {
        "PatientName": "QZFAMILY^Zoe", "AccessionNumber": "QZ-ACC", "StudyDescription": "QZDESCRIPTION",
        "ReferringPhysicianName": "QZDOCTOR", "PatientBirthDate": "19020314",
    }  # fmt: skip
    for number, day in enumerate(("20260301", "20250301"), 1):
        orthanc.store(of_patient(number, "QZ-ID", day, **planted))
    header = header_of(client, 1)
    client.fetch(uid(1, "7"))
    client.fetch_priors(header, 1)
    client.of_accession("QZ-ACC")
    orthanc.stop(kill=True)
    errors = []
    for action in (lambda: client.fetch_priors(header, 1), lambda: client.of_accession("QZ-ACC")):
        with pytest.raises(PacsUnavailable) as error:
            action()
        errors.append(str(error.value))
    trail = audit.path().read_text()
    written = [caplog.text, *capfd.readouterr(), *errors, trail, repr(header), repr(client.store.instances())]
    assert "retrieval" in trail
    for text in written:
        assert not re.search("QZ|19020314|Zoe", text), text


def test_a_pacs_that_does_not_know_us_says_so_in_one_line(orthanc, store):
    client = PacsClient(source_of(orthanc, "c-get"), "ARCHIVE", store)
    with pytest.raises(PacsUnavailable, match="does not know the AE title SECONDREAD"):
        client.fetch(uid(1, "7"))
    web = PacsClient(WebSource(WebAddress(orthanc.dicom_web), "tests:wrong"), "ARCHIVE", store)
    with pytest.raises(PacsUnavailable, match=r"HTTP status 401"):
        web.fetch(uid(1, "7"))
    orthanc.know("SECONDREAD", NOBODY, AllowGet=False)
    orthanc.store(received(1))
    with pytest.raises(PacsUnavailable):
        client.fetch(uid(1, "7"))
    assert store.instances() == ()


@pytest.mark.parametrize(
    ("environment", "kind", "moves"),
    [
        ({"PACS": "https://pacs.example.org/dicom-web"}, WebSource, False),
        ({"PACS": "https://a.example.org/", "PACS_SOURCE": "ARCHIVE@pacs.example.org:104"}, DimseSource, False),
        ({"PACS_SOURCE": "ARCHIVE@pacs.example.org:104", "PACS_RETRIEVE": "move"}, DimseSource, True),
    ],
)
def test_the_settings_name_the_pacs(environment, kind, moves, store, own_folders):
    for name, value in environment.items():
        own_folders.setenv(f"SECOND_READ_{name}", value)
    settings.cache_clear()
    client = configured_client(store)
    assert isinstance(client.source, kind)
    assert client.source.moves is moves
    assert client.name == environment.get("PACS_SOURCE", environment.get("PACS"))


def test_without_a_pacs_one_line_says_what_to_set(store):
    with pytest.raises(WrongArguments, match="SECOND_READ_PACS_SOURCE"):
        configured_client(store)
