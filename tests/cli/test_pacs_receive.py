"""`pacs receive` as a process: it says where it listens, stops when asked to, and loses nothing when it is killed."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading

import httpx
import pytest

from cxr_core.cli.main import main
from cxr_core.errors import PacsUnavailable
from cxr_core.pacs.addresses import DimseAddress
from cxr_core.pacs.association import echo
from cxr_core.settings import settings
from cxr_core.store.pacs_store import PacsStore
from tests.pacs.test_acceptor import command, request, whole
from tests.pacs.test_receiver import SENDER, connected, send
from tests.received import received, uid

PATIENT = "QZPLANTEDNAME"


@contextlib.contextmanager
def receiving(own_folders):
    """A receiver in a process of its own; gives the process, its address, and what it has logged so far."""
    own_folders.setenv("SECOND_READ_PACS_LISTEN", "127.0.0.1:0")
    own_folders.setenv("SECOND_READ_PACS_SENDERS", f"{SENDER}@127.0.0.1")
    settings.cache_clear()
    logged: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-m", "cxr_core", "pacs", "receive"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ,
    ) as process:  # fmt: skip
        # a pipe that nobody reads would fill up
        reader = threading.Thread(target=lambda: logged.extend(process.stderr), daemon=True)
        reader.start()
        try:
            line = process.stdout.readline()
            match = re.fullmatch(r"SECONDREAD receives on 127\.0\.0\.1:(\d+)\.\n", line)
            assert match, (line, logged)
            yield process, DimseAddress("SECONDREAD", "127.0.0.1", int(match[1])), logged
        finally:
            process.kill()
            process.wait(60)
            reader.join(60)


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_it_receives_until_it_is_stopped(own_folders, number):
    own_folders.setenv("SECOND_READ_PACS_RECEIVE_METRICS", "127.0.0.1:0")
    with receiving(own_folders) as (process, address, logged):
        (metrics,) = re.fullmatch(
            r"Metrics on (http://127\.0\.0\.1:\d+/metrics)\.\n", process.stdout.readline()
        ).groups()
        statuses = send(address, received(1, PatientName=PATIENT), received(1, seed=1, PatientName=PATIENT))
        counted = httpx.get(metrics, trust_env=False, timeout=60).text
        process.send_signal(number)
        assert process.wait(60) == 0
        assert process.stdout.read() == "Stopped.\n"
    assert f'second_read_pacs_associations_accepted_total{{sender="{SENDER}"}} 1.0' in counted
    assert statuses == [0x0000, 0x0111]
    text = "".join(logged)
    assert f"INFO AE {SENDER}: stored (0x0000)" in text
    assert f"WARNING AE {SENDER}: conflict (0x0111)" in text
    assert PATIENT not in text
    assert "Traceback" not in text
    with contextlib.closing(PacsStore()) as store:
        assert [each.sop_instance_uid for each in store.instances()] == [uid(1)]
        assert PATIENT.encode() in store.load_instance(uid(1))
    with pytest.raises(PacsUnavailable):
        echo(address)


def test_what_is_no_message_is_a_line_of_the_log_and_nothing_else(own_folders):
    broken = [request() * 2, whole(PATIENT.encode() * 9), whole(command(AffectedSOPClassUID=PATIENT, CommandField=9))]
    with receiving(own_folders) as (process, address, logged):
        for number, message in enumerate(broken):
            with connected(address) as sender, contextlib.suppress(ConnectionResetError):
                sender.sendall(message if number == 0 else request() + message)
                while sender.recv(65536):
                    pass
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert [line.partition(" WARNING ")[2].partition(":")[0] for line in logged] == ["Aborted"] * len(broken), logged
    assert PATIENT not in "".join(logged)


@pytest.mark.slow
def test_what_was_confirmed_is_there_after_a_kill(own_folders):
    confirmed = []
    for start in (0, 10):
        with receiving(own_folders) as (process, address, _):
            confirmed += send(address, *(received(number) for number in range(start, start + 10)))
            process.send_signal(signal.SIGKILL)
            process.wait(60)
    assert confirmed == [0x0000] * 20
    with contextlib.closing(PacsStore()) as store:
        assert {each.sop_instance_uid for each in store.instances()} == {uid(number) for number in range(20)}
        assert all(store.load_instance(uid(number)) for number in range(20))


def test_without_settings_it_says_what_to_set(own_folders, capsys):
    settings.cache_clear()
    assert main(["pacs", "receive"]) == 2
    assert "Set SECOND_READ_PACS_LISTEN" in capsys.readouterr().err
    own_folders.setenv("SECOND_READ_PACS_LISTEN", "127.0.0.1:0")
    settings.cache_clear()
    assert main(["pacs", "receive"]) == 2
    assert "set SECOND_READ_PACS_SENDERS" in capsys.readouterr().err


def test_an_address_of_metrics_that_is_none_is_one_line_before_anything_is_received(own_folders, capsys):
    own_folders.setenv("SECOND_READ_PACS_LISTEN", "127.0.0.1:0")
    own_folders.setenv("SECOND_READ_PACS_SENDERS", f"{SENDER}@127.0.0.1")
    own_folders.setenv("SECOND_READ_PACS_RECEIVE_METRICS", "metrics:9112")
    settings.cache_clear()
    assert main(["pacs", "receive"]) == 2
    done = capsys.readouterr()
    assert done.err.startswith("Error: SECOND_READ_PACS_RECEIVE_METRICS: ")
    assert "receives on" not in done.out
