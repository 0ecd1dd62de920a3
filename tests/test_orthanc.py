"""The Orthanc of the tests is what they rely on: on loopback alone, closed to strangers, and empty for each test."""

import subprocess
from pathlib import Path

import httpx
import pytest

from cxr_core.imaging import phantom_dicom
from tests.conftest import missing
from tests.orthanc import orthanc_server
from tests.received import dcmtk


def listening_addresses(ports):
    """Addresses, in hexadecimal, of the sockets of this machine that listen on the ports."""
    lines = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    found = [line[1].split(":") for line in lines if line[3] == "0A"]
    return [(address, int(port, 16)) for address, port in found if int(port, 16) in ports]


def echo(orthanc, aet, called="ORTHANC"):
    """The exit status of DCMTK's echoscu."""
    program = dcmtk("echoscu") or missing("dcmtk", "DCMTK's echoscu is not installed")
    command = [program, "-aet", aet, "-aec", called, orthanc.host, str(orthanc.port)]
    return subprocess.run(command, capture_output=True, timeout=60).returncode


def test_it_listens_on_loopback_alone(orthanc):
    ports = {orthanc.port, int(orthanc.url.rpartition(":")[2])}
    assert sorted(listening_addresses(ports)) == sorted(("0100007F", port) for port in ports)


def test_it_answers_those_whom_it_knows(orthanc):
    assert echo(orthanc, "SECONDREAD") != 0
    orthanc.know("SECONDREAD", 104)
    assert echo(orthanc, "SECONDREAD") == 0
    assert echo(orthanc, "SECONDREAD", called="OTHER") != 0
    for path in ("/statistics", "/dicom-web/studies"):
        assert httpx.get(orthanc.url + path, trust_env=False).status_code == 401
        assert httpx.get(orthanc.url + path, auth=orthanc.auth, trust_env=False).status_code == 200


@pytest.mark.parametrize("kill", [pytest.param(False, marks=pytest.mark.slow), True])
def test_what_it_holds_outlives_it(orthanc, kill):
    data = phantom_dicom(256, 224)
    orthanc.store(data)
    orthanc.stop(kill=kill)
    with pytest.raises(httpx.ConnectError):
        orthanc.counts()
    orthanc.start()
    (uid,) = orthanc.uids()
    assert orthanc.file(uid) == data
    assert orthanc.counts() == {"patients": 1, "studies": 1, "series": 1, "instances": 1}
    orthanc.empty()
    assert set(orthanc.counts().values()) == {0}


def test_options_of_its_configuration_are_used():
    with orthanc_server(DicomAlwaysAllowEcho=True) as server:
        assert echo(server, "ANYONE") == 0
    assert not server.running
    assert not server.folder.exists()
