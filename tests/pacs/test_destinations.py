"""Results sent to a real Orthanc, by DICOMweb and by DIMSE, and to entities that refuse them."""

import io

import pydicom
import pytest

from cxr_core.errors import PacsRefused, PacsUnavailable
from cxr_core.pacs.addresses import DimseAddress, WebAddress
from cxr_core.pacs.association import pynetdicom
from cxr_core.pacs.comparison import same_content
from cxr_core.pacs.destinations import Destination, ResultFile, echo, send, verify
from cxr_core.report.dicom.objects import KINDS
from tests.application_entities import application_entity
from tests.dicom_results import ORIGINALS, objects, report_image


@pytest.fixture(scope="module")
def original():
    return ORIGINALS["CR"]()


@pytest.fixture(scope="module")
def files(original, predictor):
    """Every kind of result of one image, two findings above."""
    image = report_image(original, predictor, above=("Effusion", "Mass"))
    made = [ResultFile(name, data) for name, data in objects(image, predictor.card, original).items()]
    assert {file.name.partition("-")[0] for file in made} == set(KINDS)
    return made


WAYS = ["web", "dimse"]


@pytest.fixture
def destination(orthanc, request):
    """Orthanc by DICOMweb or by DIMSE, as it is used."""
    orthanc.know("SECONDREAD", 11112)
    if request.param == "web":
        return Destination("archive", WebAddress(orthanc.dicom_web), ":".join(orthanc.auth))
    return Destination("archive", DimseAddress(orthanc.aet, orthanc.host, orthanc.port))


@pytest.mark.parametrize("destination", ["web", pytest.param("dimse", marks=pytest.mark.slow)], indirect=True)
def test_every_result_is_kept_in_the_study_of_the_image(orthanc, destination, original, files):
    echo(destination)
    orthanc.store(original)
    assert list(send(destination, files)) == files
    assert list(verify(destination, files)) == files
    counts = orthanc.counts()
    assert (counts["patients"], counts["studies"], counts["series"]) == (1, 1, 1 + len(KINDS))
    assert counts["instances"] == 1 + len(files)
    # the second witness of verification: the bytes on Orthanc's disk
    for file in files:
        assert same_content(file.data, orthanc.file(file.uids[2]))
    # sent again, as after a crash: nothing is there twice
    assert list(send(destination, files)) == files
    assert list(verify(destination, files)) == files
    assert orthanc.counts() == counts


@pytest.mark.parametrize("destination", WAYS, indirect=True)
def test_an_object_of_the_same_uid_that_is_another_is_found(orthanc, destination, files):
    sr = files[0]
    other = pydicom.dcmread(io.BytesIO(sr.data))
    other.ContentSequence[-1].ConceptNameCodeSequence[0].CodeMeaning = "something else"
    stream = io.BytesIO()
    other.save_as(stream)
    orthanc.store(stream.getvalue())
    # Orthanc confirms what it drops
    assert list(send(destination, [sr])) == [sr]
    reason = r"keeps another object under the UID of result sr: two different .* differ in ContentSequence\."
    with pytest.raises(PacsRefused, match=reason):
        list(verify(destination, [sr]))


@pytest.mark.parametrize("destination", WAYS, indirect=True)
def test_what_is_not_there_can_come_later(destination, files):
    # Orthanc fails a C-GET of what it has not
    with pytest.raises(PacsUnavailable, match=r"does not return result sr|C-GET with status C000"):
        list(verify(destination, files[:1]))


def test_an_entity_without_c_get_is_asked_by_c_find(orthanc, files):
    orthanc.know("SECONDREAD", 11112, AllowGet=False)
    address = DimseAddress(orthanc.aet, orthanc.host, orthanc.port)
    with pytest.raises((PacsRefused, PacsUnavailable)):
        list(verify(Destination("archive", address), files[:1]))
    find = Destination("archive", address, read_back="find")
    with pytest.raises(PacsUnavailable, match="does not return"):
        list(verify(find, files[:1]))
    list(send(find, files[:1]))
    assert list(verify(find, files[:1])) == files[:1]


def test_a_stranger_and_a_wrong_password_send_nothing(orthanc, files):
    # the title of this program is not registered
    for destination in (
        Destination("archive", DimseAddress(orthanc.aet, orthanc.host, orthanc.port)),
        Destination("archive", DimseAddress("OTHER", orthanc.host, orthanc.port)),
        Destination("archive", WebAddress(orthanc.dicom_web), "tests:wrong"),
        Destination("archive", WebAddress(orthanc.dicom_web)),
    ):
        with pytest.raises((PacsUnavailable, PacsRefused)):
            list(send(destination, files[:1]))
    assert orthanc.counts()["instances"] == 0


@pytest.fixture(scope="module")
def answering(files):
    """An entity, and a list of which it answers with the last status."""
    library, answers = pynetdicom(), []
    contexts = [library.build_context(files[0].dataset.SOPClassUID)]
    with application_entity(contexts, [(library.evt.EVT_C_STORE, lambda event: answers[-1])]) as address:
        yield address, answers


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (0xA700, PacsUnavailable),
        (0xA702, PacsUnavailable),
        (0x0110, PacsUnavailable),
        (0xA900, PacsRefused),
        (0xC000, PacsRefused),
        (0x0122, PacsRefused),
        (0x0000, None),
        (0x0111, None),
        (0xB000, None),
    ],
)
def test_a_status_decides_whether_it_is_sent_again(files, answering, status, error):
    sr, (address, answers) = files[0], answering
    answers.append(status)
    destination = Destination("archive", address, read_back="off")
    if error is None:
        assert list(send(destination, [sr])) == [sr]
        assert list(verify(destination, [sr])) == [sr]
    else:
        with pytest.raises(error, match=f"{status:04X}"):
            list(send(destination, [sr]))


def test_a_class_that_is_not_accepted_is_named(files):
    contexts = [pynetdicom().build_context(files[0].dataset.SOPClassUID)]
    handlers = [(pynetdicom().evt.EVT_C_STORE, lambda event: 0)]
    expected = pytest.raises(PacsRefused, match="accepts no Secondary Capture Image Storage")
    with application_entity(contexts, handlers) as address, expected:
        list(send(Destination("archive", address), files))
