"""What the benchmark of the DICOM network runs: a store, its receiver and workers as commands, and who sends to it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pydicom
from pydicom.uid import UID

from cxr_core.imaging import phantom_dicom
from cxr_core.pacs.addresses import DimseAddress
from cxr_core.pacs.association import associate, pynetdicom
from cxr_core.settings import settings
from cxr_core.store.pacs_records import Job
from cxr_core.store.pacs_store import PacsStore
from tests.orthanc import Orthanc

__all__ = ["MODALITY", "QUEUED", "Site", "machine_seconds", "processor_seconds", "send", "studies", "verified"]

PROJECT = Path(__file__).resolve().parents[1]

MODALITY, QUEUED = "MODALITY", "QUEUED"
"""Senders: a rule reads the images of the first, and none those of the second until their jobs are ordered."""

RULES = f"""
[[rules]]
calling_ae = ["{MODALITY}"]
results = [{{to = "pacs"}}]
"""

LIMIT = 1800
"""Seconds after which a run is given up."""


class Site:
    """A store, its receiver and its workers, beside an Orthanc."""

    def __init__(self, folder: Path, orthanc: Orthanc) -> None:
        self._folders = {
            "SECOND_READ_HOME": str(folder / "home"),
            "SECOND_READ_RUNS": str(folder / "runs"),
            "SECOND_READ_AUDIT": str(folder / "audit.jsonl"),
            "SECOND_READ_PACS": orthanc.dicom_web,
            "SECOND_READ_PACS_RULES": str(folder / "rules.toml"),
        }
        (folder / "rules.toml").write_text(RULES)
        self._errors = folder / "errors"
        self._settings = self._folders | {
            "SECOND_READ_PACS_CREDENTIALS": ":".join(orthanc.auth),
            "SECOND_READ_PACS_LISTEN": "127.0.0.1:0",
            "SECOND_READ_PACS_SENDERS": ",".join(f"{name}@127.0.0.1" for name in (MODALITY, QUEUED)),
        }

    @contextmanager
    def sending_as(self, title: str) -> Iterator[None]:
        """Set the folders for this process, which sends under an AE title."""
        with patch.dict(os.environ, self._folders | {"SECOND_READ_PACS_AE_TITLE": title}):
            settings.cache_clear()
            try:
                yield
            finally:
                settings.cache_clear()

    @contextmanager
    def command(self, *arguments: str) -> Iterator[tuple[int, str]]:
        """Run a command until the end of the block; gives its process id and the first line that it prints."""
        command = [sys.executable, "-m", "cxr_core", "pacs", *arguments]
        environment = os.environ | self._settings | {"SECOND_READ_PACS_AE_TITLE": "SECONDREAD"}
        with open(self._errors, "a") as errors:
            process = subprocess.Popen(
                command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        assert process.stdout is not None
        try:
            if not (line := process.stdout.readline()):
                raise RuntimeError(self._errors.read_text()[-2000:])
            yield process.pid, line
        finally:
            process.terminate()
            process.communicate()


def studies(count: int, rows: int, columns: int) -> list[pydicom.FileDataset]:
    """Return studies of one image each, of as many patients."""
    file = phantom_dicom(rows, columns)
    made = []
    for number in range(count):
        study = pydicom.dcmread(io.BytesIO(file))
        study.PatientID, study.PatientName = f"BENCH{number}", f"Bench^{number}"
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
            setattr(study, keyword, UID(f"2.25.{time.time_ns()}{number}"))
        study.file_meta.MediaStorageSOPInstanceUID = study.SOPInstanceUID
        made.append(study)
    return made


def send(address: DimseAddress, files: Sequence[pydicom.Dataset]) -> None:
    """Send studies by C-STORE as a modality would."""
    context = pynetdicom().build_context(files[0].SOPClassUID, files[0].file_meta.TransferSyntaxUID)
    with associate(address, [context]) as association:
        for file in files:
            status = association.send_c_store(file).get("Status")
            assert status == 0, status


def verified(store: PacsStore, files: Sequence[pydicom.Dataset]) -> list[Job]:
    """Wait until the jobs of studies, the last of the store, are verified, and return them."""
    end = time.monotonic() + LIMIT
    wanted = {str(file.SOPInstanceUID) for file in files}
    while time.monotonic() < end:
        # no more than these: what this program computes, the workers cannot
        jobs = store.jobs(["verified"], limit=len(wanted))
        if {job.sop_instance_uid for job in jobs} == wanted:
            return list(jobs)
        time.sleep(0.2)
    raise TimeoutError(store.counts())


def processor_seconds(process: int) -> float:
    """Return the time of the processor that a process has used (proc(5), utime and stime)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def machine_seconds() -> float:
    """Return the time for which processors of this machine were not idle, those that a host took away included."""
    # user, nice, system, idle, iowait, irq, softirq, steal (proc(5))
    times = [int(field) for field in Path("/proc/stat").read_text().split()[1:9]]
    return (sum(times) - times[3] - times[4]) / os.sysconf("SC_CLK_TCK")
