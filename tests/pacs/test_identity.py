"""Results are filed under the patient and the study of their image, whatever identifies these."""

import pytest

from tests.dicom_results import with_stored
from tests.pacs.test_worker import RULES, UID, configure, image, store, work  # noqa: F401 - fixtures


@pytest.mark.parametrize(
    ("stored", "options"),
    [
        ({"PatientID": b" P1 ", "AccessionNumber": b" A  ", "StudyID": b" 1"}, {}),
        ({"PatientID": b"P 1\\x "}, {}),
        ({"PatientID": b"", "PatientName": b"", "StudyDate": b""}, {}),
        ({"PatientID": "Müller 1".encode("latin-1")}, {"SpecificCharacterSet": "ISO_IR 100"}),
        ({"PatientID": "山田\\太郎 ".encode("gb18030")}, {"SpecificCharacterSet": "GB18030"}),
        ({"PatientID": "Люкceмбypг".encode("iso8859-5")}, {"SpecificCharacterSet": "ISO_IR 144"}),
    ],
)
def test_a_pacs_has_one_patient_and_one_study(orthanc, configure, store, stored, options):  # noqa: F811
    configure(RULES, orthanc)
    original = with_stored(image(**options), stored)
    orthanc.store(original)
    store.add_instance(original, "AE ROOM1")
    work(store)
    assert [job.state for job in store.jobs()] == ["verified"]
    counts = orthanc.counts()
    assert (counts["patients"], counts["studies"], counts["instances"]) == (1, 1, 2)
