"""The part "A hospital's PACS" of docs/deployment-pacs.md: an archive that has DIMSE over TLS and no DICOMweb."""

import subprocess
import sys

import pytest

from cxr_core.access import audit
from cxr_core.settings import settings
from tests.conftest import PROJECT, missing
from tests.orthanc import lacking, orthanc_server
from tests.pacs.test_network import LIMIT, PLANTED, Network, image, uid, wait

pytestmark = pytest.mark.slow

STUDY, PRIOR = "1.2.826.0.1.70", "1.2.826.0.1.78"
FILES = {"CA": "ca.pem", "CERTIFICATE": "certificate.pem", "KEY": "key.pem"}


@pytest.fixture
def hospital(certificates, own_folders, tmp_path):
    """The archive, and the program as its administrator was asked for."""
    if (words := lacking()) is not None:
        missing("orthanc", words)
    files = {name: str(certificates / file) for name, file in FILES.items()}
    options = {
        "Plugins": [],
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": files["CERTIFICATE"],
        "DicomTlsPrivateKey": files["KEY"],
        "DicomTlsTrustedCertificates": files["CA"],
    }
    with orthanc_server(**options) as archive:
        stated = {f"PACS_TLS_{name}": file for name, file in files.items()} | {
            "PACS": f"dicom-tls://{archive.aet}@{archive.host}:{archive.port}",
            "PACS_LISTEN": "127.0.0.1:0",
            "PACS_SENDERS": f"{archive.aet}@127.0.0.1",
            "PACS_RECEIVE_TLS": "true",
            "PACS_POLL_SECONDS": "1",
        }
        for name, value in stated.items():
            own_folders.setenv(f"SECOND_READ_{name}", value)
        settings.cache_clear()
        (tmp_path / "logs").mkdir()
        network = Network(archive, tmp_path / "logs", UseDicomTls=True)
        with network.end:
            yield network


def pacs(*arguments):
    """Run a command to its end."""
    command = [sys.executable, "-m", "cxr_core", "pacs", *arguments]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=LIMIT)


def test_images_come_from_it_and_results_go_back_by_dimse_and_tls(hospital, own_folders):
    archive, store = hospital.orthanc, hospital.store
    hospital.receive()
    archive.rest.post("/modalities/SECONDREAD/echo", json={}).raise_for_status()
    assert pacs("echo").returncode == 0
    archive.store(image(9, StudyInstanceUID=PRIOR, SeriesInstanceUID=f"{PRIOR}.1", StudyDate="20180301"))
    hospital.work()
    # the routing rule
    hospital.send(archive.store(image(StudyInstanceUID=STUDY)))
    hospital.verified(1)
    results = hospital.results()
    assert len(results["sr"]) == 1
    assert {file.StudyInstanceUID for file in (*results["sr"], *results["sc"])} == {STUDY}
    assert (archive.counts()["patients"], archive.counts()["studies"]) == (1, 2)
    # priors by C-FIND and C-GET, of what was sent
    hospital.start("fetch", "--follow", sign="Following")
    wait(lambda: store.instance(uid(9)) is not None, hospital.written())
    assert store.instance(uid(9)).is_prior
    # by C-MOVE, over TLS as well
    archive.store(image(2, StudyInstanceUID=STUDY))
    own_folders.setenv("SECOND_READ_PACS_RETRIEVE", "move")
    fetched = pacs("fetch", STUDY)
    assert fetched.returncode == 0, fetched.stderr
    assert "1 image fetched" in fetched.stdout
    hospital.verified(2)
    shown = pacs("status")
    assert "verified 2" in shown.stdout
    assert store.alarms() == ()
    assert not PLANTED.search(hospital.written() + shown.stdout + fetched.stdout + audit.path().read_text())


def test_what_its_administrator_has_not_set_up_is_one_line(hospital, own_folders):
    archive = hospital.orthanc
    unknown = pacs("echo")
    assert (unknown.returncode, unknown.stderr.count("\n")) == (4, 1)
    assert "does not know the AE title SECONDREAD" in unknown.stderr
    archive.know("SECONDREAD", 104, AllowFind=False, AllowGet=False, UseDicomTls=True)
    assert pacs("echo").returncode == 0
    refused = pacs("fetch", STUDY)
    assert (refused.returncode, refused.stderr.count("\n")) == (4, 1), refused.stderr
    own_folders.setenv("SECOND_READ_PACS", f"{archive.aet}@{archive.host}:{archive.port}")
    plain = pacs("echo")
    assert plain.returncode == 4
    assert "Check host, port and TLS" in plain.stderr
