"""Associations of the receiver in its metrics: accepted, open and refused by reason, and who may fetch them."""

import contextlib
import http.client
import socket

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cxr_core.errors import PacsUnavailable, PathUnusable
from cxr_core.operations import metrics_server
from cxr_core.operations.metrics_server import METRICS, MetricsServer
from cxr_core.operations.receiver_metrics import ReceiverCollector
from cxr_core.pacs.addresses import DimseAddress
from cxr_core.pacs.association import associate, echo, pynetdicom
from cxr_core.pacs.association_counts import REFUSALS
from cxr_core.pacs.receiver import Receiver
from cxr_core.pacs.senders import parse_senders
from cxr_core.settings import settings
from cxr_core.store.pacs_store import PacsStore
from tests.pacs.test_acceptor import VERIFICATION, request
from tests.pacs.test_receiver import PATIENT, SENDER, connected, send, until
from tests.received import received

OTHER = "QZPLANTEDTITLE"
SETTING = "SECOND_READ_PACS_RECEIVE_METRICS"


@pytest.fixture
def receiver(own_folders):
    own_folders.setenv("SECOND_READ_PACS_ASSOCIATIONS", "2")
    settings.cache_clear()
    with contextlib.closing(PacsStore()) as store:
        receiver = Receiver(store, ("127.0.0.1", 0), parse_senders([f"{SENDER}@127.0.0.1", "CT1@10.1.2.3"]))
        yield receiver
        receiver.stop()


@pytest.fixture
def address(receiver):
    return DimseAddress(settings().pacs_ae_title, "127.0.0.1", receiver.port)


@pytest.fixture
def server(receiver):
    with contextlib.closing(MetricsServer(("127.0.0.1", 0), [ReceiverCollector(receiver)], SETTING)) as server:
        yield server


def fetch(server, path=METRICS, **headers):
    """Return status and text of an answer."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def sent(server, method, path=METRICS, header=""):
    """Return the header lines of an answer, and all bytes behind them."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as scraper:
        scraper.sendall(f"{method} {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n{header}\r\n".encode())
        head, _, body = b"".join(iter(lambda: scraper.recv(65536), b"")).partition(b"\r\n\r\n")
    return [line for line in head.splitlines() if not line.startswith(b"Date:")], body


def values(server):
    """Return the value of each sample of an association, by the end of its name and its label."""
    status, text = fetch(server)
    assert status == 200
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    start = "second_read_pacs_associations_"
    return {
        (one.name.removeprefix(start), *one.labels.values()): one.value for one in samples if one.name.startswith(start)
    }


def test_before_anything_came_every_sender_and_reason_is_0(server):
    assert values(server) == {
        **{(kind, sender): 0 for kind in ("accepted_total", "open") for sender in (SENDER, "CT1")},
        **{("refused_total", reason): 0 for reason in REFUSALS},
    }


def test_associations_are_counted_while_they_are_open_and_after(server, address):
    with associate(address, [pynetdicom().build_context(VERIFICATION)]):
        counted = values(server)
        assert (counted["accepted_total", SENDER], counted["open", SENDER], counted["open", "CT1"]) == (1, 1, 0)
    until(lambda: values(server)["open", SENDER] == 0)
    assert send(address, received(1, PatientName=PATIENT)) == [0x0000]
    counted = values(server)
    assert (counted["accepted_total", SENDER], counted["accepted_total", "CT1"]) == (2, 0)
    assert not any(counted["refused_total", reason] for reason in REFUSALS)


def refused(server, reason):
    return values(server)["refused_total", reason]


def test_each_refusal_is_counted_by_its_reason(server, address, receiver):
    with pytest.raises(PacsUnavailable):
        echo(DimseAddress("OTHER", "127.0.0.1", receiver.port))
    until(lambda: refused(server, "called_ae_title") == 1)
    for data, reason in (
        (request(calling=OTHER), "calling_ae_title"),
        (request(protocol_version=2), "protocol_version"),
        (b"GET / HTTP/1.1\r\n\r\n", "no_request"),
    ):
        before = refused(server, reason)
        with connected(address) as sender, contextlib.suppress(ConnectionResetError):
            sender.sendall(data)
            while sender.recv(1000):
                pass
        until(lambda reason=reason, before=before: refused(server, reason) == before + 1)
    # it connects and goes, as a check whether the port is open does
    with connected(address):
        pass
    until(lambda: refused(server, "no_request") == 2)
    contexts = [pynetdicom().build_context(VERIFICATION)]
    with associate(address, contexts), associate(address, contexts), pytest.raises(PacsUnavailable):
        echo(address)
    until(lambda: refused(server, "limit") == 1)
    assert refused(server, "other") == refused(server, "address") == 0


def test_an_address_of_no_sender_is_counted_and_named_nowhere(server, address):
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.9", 0))
        stranger.connect((address.host, address.port))
        with contextlib.suppress(ConnectionResetError):
            assert stranger.recv(1000) == b""
    until(lambda: refused(server, "address") == 1)
    assert "127.0.0.9" not in fetch(server)[1]


def test_a_title_of_nobody_and_a_patient_are_in_no_metric(server, address):
    with connected(address) as sender, contextlib.suppress(ConnectionResetError):
        sender.sendall(request(calling=OTHER))
        while sender.recv(1000):
            pass
    assert send(address, received(1, PatientName=PATIENT)) == [0x0000]
    until(lambda: refused(server, "calling_ae_title") == 1)
    text = fetch(server)[1]
    assert "process_open_fds" in text
    for word in (OTHER, PATIENT, "127.0.0.1"):
        assert word not in text


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (METRICS, {}, 200),
        ("/", {}, 404),
        ("/metrics/", {}, 404),
        (METRICS, {"X_Forwarded_For": "127.0.0.1"}, 403),
        (METRICS, {"Via": "1.1 proxy"}, 403),
        # of a browser whose address of another site leads here
        (METRICS, {"Host": "attacker.example.org"}, 403),
        (METRICS, {"Origin": "http://attacker.example.org"}, 403),
    ],
)
def test_who_gets_what(server, path, headers, status):
    assert fetch(server, path, **headers)[0] == status


@pytest.mark.parametrize(
    ("path", "header", "status"), [(METRICS, "", b"200"), ("/", "", b"404"), (METRICS, "Via: 1.1 proxy\r\n", b"403")]
)
def test_head_has_the_header_of_get_and_no_body(server, path, header, status):
    lines, body = sent(server, "HEAD", path, header)
    of_get, text = sent(server, "GET", path, header)
    assert lines == of_get
    assert lines[0].split()[1] == status
    assert body == b""
    assert bool(text) is (status != b"404")


def test_metrics_that_are_asked_for_by_name_are_given_alone(server):
    accepted, memory = "second_read_pacs_associations_accepted_total", "process_resident_memory_bytes"
    status, text = fetch(server, f"{METRICS}?name[]={accepted}&name[]={memory}")
    assert status == 200
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    assert {one.name for one in samples} == {accepted, memory}
    assert {one.labels["sender"] for one in samples if one.name == accepted} == {SENDER, "CT1"}
    # the rule of prometheus_client
    assert fetch(server, f"{METRICS}?name[]=second_read_of_nothing") == (200, "")


def test_other_addresses_get_nothing_unless_their_network_is_named(server, own_folders):
    def answer():
        with socket.socket() as scraper:
            scraper.bind(("127.0.0.9", 0))
            scraper.settimeout(60)
            scraper.connect(("127.0.0.1", server.port))
            with contextlib.suppress(ConnectionError):
                scraper.sendall(b"GET /metrics HTTP/1.0\r\nHost: receiver:9112\r\n\r\n")
                return scraper.recv(15)
        return b""

    assert answer() == b""
    own_folders.setenv("SECOND_READ_METRICS_NETWORKS", "127.0.0.8/31")
    settings.cache_clear()
    assert answer() == b"HTTP/1.0 200 OK"


def test_connections_that_ask_for_nothing_are_few_and_end(server):
    with contextlib.ExitStack() as stack:
        for _ in range(metrics_server.MOST_CONNECTIONS):
            silent = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            silent.sendall(b"GET ")
        until(lambda: not server._server._free._value)
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as further:
            assert further.recv(1) == b""
    until(lambda: server._server._free._value == metrics_server.MOST_CONNECTIONS)
    assert fetch(server)[0] == 200


def test_an_address_that_is_in_use_is_one_line(server):
    with pytest.raises(PathUnusable, match=SETTING):
        MetricsServer(("127.0.0.1", server.port), [], SETTING)


def test_it_listens_on_ipv6_too(receiver):
    try:
        server = MetricsServer(("::1", 0), [ReceiverCollector(receiver)], SETTING)
    except PathUnusable:
        pytest.skip("this machine has no IPv6")
    with contextlib.closing(server), contextlib.closing(http.client.HTTPConnection("::1", server.port)) as connection:
        connection.request("GET", METRICS)
        assert connection.getresponse().status == 200
