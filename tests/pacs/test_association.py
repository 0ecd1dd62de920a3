"""Associations with application entities of pynetdicom, and with DCMTK's as a second witness."""

import logging
import ssl
import subprocess
import threading
from types import SimpleNamespace

import pytest
from pynetdicom.transport import AssociationSocket

from cxr_core.errors import PacsUnavailable, WrongArguments
from cxr_core.pacs.addresses import DimseAddress
from cxr_core.pacs.association import associate, echo, pynetdicom, tls_context
from cxr_core.settings import settings
from tests.application_entities import application_entity
from tests.conftest import missing
from tests.received import dcmtk


def test_an_entity_answers():
    with application_entity() as address:
        echo(address)


def test_a_wrong_title_is_named():
    with application_entity(require_called_aet=True) as address, pytest.raises(PacsUnavailable, match="Check the addr"):
        echo(DimseAddress("OTHER", address.host, address.port))


def test_a_rejection_that_comes_at_once_is_no_lost_connection(monkeypatch):
    make = AssociationSocket.__init__

    def late(connection, *arguments, **named):
        """Have the thread that associates look only when the peer has answered, as on a machine that is busy."""
        make(connection, *arguments, **named)
        ready, closed = connection._ready, threading.Event()
        shut_down = connection._shutdown_socket
        connection._shutdown_socket = lambda: (shut_down(), setattr(connection, "_is_connected", False), closed.set())
        connection._ready = SimpleNamespace(set=ready.set, wait=lambda: (ready.wait(60), closed.wait(60)))

    with application_entity(require_called_aet=True) as address:
        monkeypatch.setattr(AssociationSocket, "__init__", late)
        with pytest.raises(PacsUnavailable, match="Check the addr"):
            echo(DimseAddress("OTHER", address.host, address.port))


def test_a_title_of_ours_that_is_not_known_is_named(own_folders):
    own_folders.setenv("SECOND_READ_PACS_AE_TITLE", "READER 2")
    settings.cache_clear()
    with application_entity(require_calling_aet=["READER 2"]) as address:
        echo(address)
    expected = pytest.raises(PacsUnavailable, match="does not know the AE title READER 2")
    with application_entity(require_calling_aet=["SECONDREAD"]) as address, expected:
        echo(address)


def test_an_entity_without_the_service_is_no_silence():
    contexts = [pynetdicom().build_context("1.2.840.10008.5.1.4.1.1.1")]
    expected = pytest.raises(PacsUnavailable, match="offers none of the services")
    with application_entity() as address, expected, associate(address, contexts):
        pass


@pytest.mark.parametrize("tls", [False, True])
def test_nobody_there_is_one_line(tls):
    with application_entity() as address:
        pass
    with pytest.raises(PacsUnavailable, match="cannot be reached"):
        echo(DimseAddress("ARCHIVE", address.host, address.port, tls))
    with pytest.raises(PacsUnavailable, match="cannot be reached"):
        echo(DimseAddress("ARCHIVE", "archive.invalid", 104, tls))


def test_the_library_logs_nothing(caplog):
    pynetdicom()
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("pynetdicom.association").error("planted")
    assert not caplog.records


# pynetdicom's server leaves the socket of a failed handshake to the garbage collector
@pytest.mark.filterwarnings("ignore:unclosed <:ResourceWarning")
def test_tls_by_certificates(own_folders, certificates):
    """One authority for both: what shows no certificate of it, or speaks no TLS, is not talked to."""
    own_folders.setenv("SECOND_READ_PACS_TLS_CA", str(certificates / "ca.pem"))
    settings.cache_clear()
    with pytest.raises(WrongArguments, match="needs a certificate"):
        tls_context(server=True)
    for name in ("certificate", "key"):
        own_folders.setenv(f"SECOND_READ_PACS_TLS_{name.upper()}", str(certificates / f"{name}.pem"))
    settings.cache_clear()
    server = tls_context(server=True)
    assert server.verify_mode == ssl.CERT_REQUIRED
    with application_entity(tls=server) as address:
        assert address.tls
        echo(address)
        with pytest.raises(PacsUnavailable):
            echo(DimseAddress(address.ae_title, address.host, address.port, tls=False))
        own_folders.delenv("SECOND_READ_PACS_TLS_CA")
        settings.cache_clear()
        # whom the system's authorities do not know
        with pytest.raises(PacsUnavailable, match="TLS"):
            echo(address)


def test_files_that_are_no_certificates_are_one_line(own_folders, tmp_path):
    (tmp_path / "no.pem").write_text("planted")
    own_folders.setenv("SECOND_READ_PACS_TLS_CA", str(tmp_path / "no.pem"))
    settings.cache_clear()
    with pytest.raises(WrongArguments, match="PEM files are accepted"):
        tls_context()


def test_dcmtk_finds_our_entity(own_folders):
    """The entity of the tests is one for others too."""
    program = dcmtk("echoscu")
    if program is None:
        missing("dcmtk", "DCMTK's echoscu is not installed")
    with application_entity() as address:
        command = [program, "-aec", address.ae_title, address.host, str(address.port)]
        subprocess.run(command, check=True, capture_output=True)
