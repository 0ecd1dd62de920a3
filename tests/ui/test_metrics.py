"""Metrics: what is counted, who may fetch them, and that nothing of a patient, a person or a file is in them."""

import asyncio
import re

import httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette

from cxr_core.access import Role, Visitor, closed, signed_out
from cxr_core.errors import InputRefused, WrongArguments
from cxr_core.imaging import phantom_dicom, phantom_png
from cxr_core.operations import metrics as counted
from cxr_core.operations.metrics import REASONS, refusal_reason, timed_read
from cxr_core.operations.receiver_metrics import ReceiverCollector
from cxr_core.operations.worker_metrics import WorkerMetrics
from cxr_core.pacs.receiver import Receiver
from cxr_core.pacs.senders import parse_senders
from cxr_core.settings import settings
from cxr_core.store.pacs_store import PacsStore
from cxr_core.ui import reading_jobs
from cxr_core.ui.pacs_store import pacs_store
from cxr_core.ui.server import metrics
from cxr_core.ui.server.metrics import METRICS
from cxr_core.ui.server.probes import Probes
from cxr_core.ui.worklist_image import WorklistImage
from tests.imaging.gate.test_decision import IMAGE, quality
from tests.received import order, received

NAME, FILE = "QZPLANTEDNAME", "QZPLANTEDFILE"
ADMIN = Visitor("signed_in", "s-1", "https://id.example.org", "Ann", Role.ADMIN)
REVIEWER = Visitor("signed_in", "s-2", "https://id.example.org", "Bob", Role.REVIEWER)


@pytest.fixture
def person(monkeypatch):
    """Set who asks; by default nobody who has signed in."""
    who = {"is": signed_out()}
    # what another test has had stored
    monkeypatch.setattr(metrics._NOW, "_store", (0.0, []))
    monkeypatch.setattr(metrics, "visitor_of_request", lambda request, own_origin: who["is"])
    return who


def fetch(client="127.0.0.1", host="http://127.0.0.1:8501", **headers) -> httpx.Response:
    async def ask():
        transport = httpx.ASGITransport(Probes(Starlette()), client=(client, 1))
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with httpx.AsyncClient(transport=transport, base_url=host, headers=named, timeout=60) as asking:
            return await asking.get(METRICS)

    return asyncio.run(ask())


def value(text: str, name: str, **labels) -> float:
    samples = [s for family in text_string_to_metric_families(text) for s in family.samples if s.name == name]
    (found,) = [s.value for s in samples if s.labels == labels]
    return found


@pytest.mark.parametrize("networks", ["", "10.1.0.0/16,fd00::/8"])
@pytest.mark.parametrize(
    ("client", "host", "headers", "allowed"),
    [
        ("127.0.0.1", "http://127.0.0.1:8501", {}, {"", "10.1.0.0/16,fd00::/8"}),
        ("::1", "http://localhost:8501", {}, {"", "10.1.0.0/16,fd00::/8"}),
        # a proxy on this machine, which names its client or hides itself
        ("127.0.0.1", "http://127.0.0.1:8501", {"X_Forwarded_For": "127.0.0.1"}, set()),
        ("127.0.0.1", "http://127.0.0.1:8501", {"Forwarded": "for=127.0.0.1"}, set()),
        ("127.0.0.1", "http://reading-room.example.org", {}, set()),
        ("10.1.2.3", "http://reading-room.example.org", {}, {"10.1.0.0/16,fd00::/8"}),
        ("::ffff:10.1.2.3", "http://reading-room.example.org", {}, {"10.1.0.0/16,fd00::/8"}),
        ("fd00::7", "http://reading-room.example.org", {}, {"10.1.0.0/16,fd00::/8"}),
        ("10.1.2.3", "http://reading-room.example.org", {"X_Forwarded_For": "10.1.2.3"}, set()),
        ("10.1.2.3", "http://reading-room.example.org", {"Via": "1.1 proxy"}, set()),
        ("10.2.2.3", "http://reading-room.example.org", {}, set()),
        ("10.2.2.3", "http://reading-room.example.org", {"X_Real_IP": "127.0.0.1"}, set()),
        ("testclient", "http://127.0.0.1:8501", {}, set()),
    ],
)
def test_who_may_fetch_by_address(own_folders, person, networks, client, host, headers, allowed):
    own_folders.setenv("SECOND_READ_METRICS_NETWORKS", networks)
    settings.cache_clear()
    answer = fetch(client, host, **headers)
    assert answer.status_code == (200 if networks in allowed else 403)
    assert ("second_read_reads_total" in answer.text) == (networks in allowed)


@pytest.mark.parametrize(("who", "status"), [(ADMIN, 200), (REVIEWER, 403), (closed("x"), 403), (signed_out(), 403)])
def test_who_may_fetch_by_role(own_folders, person, who, status):
    person["is"] = who
    assert fetch("10.9.9.9", "http://reading-room.example.org", X_Forwarded_For="10.9.9.9").status_code == status


@pytest.mark.parametrize("networks", ["10.1.2.3/16", "example.org", "10.1.0.0/33"])
def test_networks_that_are_none_are_refused(own_folders, networks):
    own_folders.setenv("SECOND_READ_METRICS_NETWORKS", networks)
    settings.cache_clear()
    with pytest.raises(WrongArguments, match="SECOND_READ_METRICS_NETWORKS"):
        settings()


def read(data, predictor):
    image = WorklistImage("0" * 64, f"{FILE}.dcm", data)
    return reading_jobs.read_to_end(image, predictor, "reader")


def test_reads_and_refusals_are_counted_by_outcome_and_reason(own_folders, person, predictor):
    before = fetch().text
    read(phantom_png(256, 224), predictor)
    read(phantom_dicom(256, 224, PatientName=NAME, Modality="CT"), predictor)
    with pytest.raises(InputRefused):
        read(b"no image", predictor)
    after = fetch().text
    for name, labels in (
        ("second_read_reads_total", {"outcome": "read"}),
        ("second_read_reads_total", {"outcome": "refused"}),
        ("second_read_reads_total", {"outcome": "unreadable"}),
        ("second_read_refusals_total", {"reason": "modality"}),
        ("second_read_refusals_total", {"reason": "unreadable"}),
    ):
        assert value(after, name, **labels) == value(before, name, **labels) + 1, (name, labels)
    for name in ("second_read_read_seconds_count", "second_read_wait_seconds_count"):
        assert value(after, name) == value(before, name) + 3
    assert value(after, "second_read_read_seconds_sum") > value(before, "second_read_read_seconds_sum")


def test_a_read_that_fails_is_counted_as_failed():
    before = counted.READS.labels("failed")._value.get()
    with pytest.raises(ZeroDivisionError), timed_read(0):
        raise ZeroDivisionError
    assert counted.READS.labels("failed")._value.get() == before + 1


@pytest.mark.parametrize(
    ("reason", "values", "elements"),
    [
        ("modality", IMAGE, {"Modality": "CT"}),
        ("sop_class", IMAGE, {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}),
        ("view", IMAGE, {"ViewPosition": "LLD"}),
        ("body_part", IMAGE, {"BodyPartExamined": "KNEE"}),
        ("exposure", 2000 + IMAGE // 64, {}),
        ("blank", np.full_like(IMAGE, 7), {}),
        ("appearance", np.rot90(IMAGE), {}),
    ],
)
def test_the_gate_refuses_for_a_reason_that_is_counted(reason, values, elements):
    result = quality(values, **elements)
    assert result.status == "refused"
    assert refusal_reason(result.reasons) == reason
    assert reason in REASONS


def test_jobs_of_the_network_are_those_of_the_store(own_folders, person):
    own_folders.setenv("SECOND_READ_PACS", "ARCHIVE@127.0.0.1:104")
    settings.cache_clear()
    pacs_store.cache_clear()
    store = PacsStore()
    try:
        first = store.add_instance(received(1, PatientName=NAME), "AE CT1").instance
        store.add_instance(received(2), "AE CT1")
        store.plan(first.sop_instance_uid, [order()])
        text = fetch().text
        assert value(text, "second_read_pacs_jobs", state="received") == 1
        assert value(text, "second_read_pacs_jobs", state="parked") == 0
        assert value(text, "second_read_pacs_images_without_job") == 1
        assert value(text, "second_read_pacs_received_images") == 2
        assert 0 <= value(text, "second_read_pacs_oldest_job_seconds") < 600
        for secret in (NAME, first.sop_instance_uid, first.sha256, "CT1"):
            assert secret not in text
    finally:
        store.close()
        pacs_store.cache_clear()


def test_no_label_holds_anything_but_words_of_the_program(own_folders, person, predictor):
    read(phantom_dicom(256, 224, PatientName=NAME, PatientID=NAME), predictor)
    text = fetch().text
    assert NAME not in text
    assert FILE not in text
    assert str(settings().home) not in text
    free = {"version", "implementation", "python"}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        for sample in family.samples:
            assert sample.name.startswith(("second_read_", "process_")), sample.name
            for label, text_of_label in sample.labels.items():
                assert label in free | {"le"} or re.fullmatch(r"[a-z_]+|\d{3}", text_of_label), sample


def test_the_documentation_has_every_metric(own_folders, person):
    from tests.app.test_pages import PROJECT

    page = (PROJECT / "docs" / "operations.md").read_text()
    named = set(re.findall(r"`(second_read_[a-z_]+)(?:\{|`)", page))
    own_folders.setenv("SECOND_READ_PACS", "ARCHIVE@127.0.0.1:104")
    settings.cache_clear()
    pacs_store.cache_clear()
    try:
        families = [f for f in text_string_to_metric_families(fetch().text) if f.name.startswith("second_read_")]
        receiver = Receiver(pacs_store(), ("127.0.0.1", 0), parse_senders(["CT1@127.0.0.1"]))
        families += [*ReceiverCollector(receiver).collect(), *WorkerMetrics().collect()]
        receiver.stop()
    finally:
        pacs_store.cache_clear()
    served = {f.name + ("_total" if f.type == "counter" else "") for f in families}
    assert {name for name in served if not name.endswith("_created")} == named
