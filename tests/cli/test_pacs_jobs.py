"""`pacs work` as a process: its metrics while it works, and its end when it is asked to stop."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing

import httpx

from cxr_core.cli.main import main
from cxr_core.imaging import phantom_dicom
from cxr_core.settings import settings
from cxr_core.store.pacs_store import PacsStore
from tests.cli.test_pacs import unreachable  # noqa: F401 - fixture
from tests.dicom_results import PATIENT

SETTING = "SECOND_READ_PACS_WORK_METRICS"


def test_it_serves_its_metrics_until_it_is_stopped(own_folders, unreachable):  # noqa: F811
    own_folders.setenv(SETTING, "127.0.0.1:0")
    with closing(PacsStore()) as store:
        store.add_instance(phantom_dicom(256, 224, **PATIENT), "AE ROOM1")
    logged: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-m", "cxr_core", "pacs", "work"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ,
    ) as process:  # fmt: skip
        # pipes that nobody reads would fill up
        readers = [threading.Thread(target=lambda: logged.extend(process.stderr), daemon=True)]
        try:
            readers[0].start()
            line = process.stdout.readline()
            match = re.fullmatch(r"Metrics on (http://127\.0\.0\.1:\d+/metrics)\.\n", line)
            assert match, (line, logged)
            readers.append(threading.Thread(target=lambda: logged.extend(process.stdout), daemon=True))
            readers[1].start()
            deadline = time.monotonic() + 120
            # on a busy machine it is tried again before anybody looks
            retried = re.compile(r'second_read_pacs_steps_total\{outcome="retried",step="send"\} [1-9]')
            while not retried.search(text := httpx.get(match[1], trust_env=False, timeout=60).text):
                assert time.monotonic() < deadline, (text, logged)
                time.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()
            process.wait(60)
            for reader in readers:
                reader.join(60)
    assert 'second_read_pacs_steps_total{outcome="done",step="read"} 1.0' in text
    assert "process_cpu_seconds_total" in text
    for value in PATIENT.values():
        assert len(value) < 2 or value not in text + "".join(logged)


def test_an_address_of_metrics_that_is_none_is_one_line_before_anything_is_read(own_folders, unreachable, capsys):  # noqa: F811
    own_folders.setenv(SETTING, "metrics:9113")
    settings.cache_clear()
    assert main(["pacs", "work", "--until-idle"]) == 2
    done = capsys.readouterr()
    assert done.err.startswith(f"Error: {SETTING}: ")
    assert done.out == ""
