"""From C-STORE of a study to results that a PACS keeps: time per study, and studies per minute of one and two workers.

    python -m benchmarks.pacs                 # ten minutes: 50 studies one by one, then 50 at once for each
    python -m benchmarks.pacs --studies 5

A real Orthanc on loopback, the receiver and the workers as commands in processes of their own, one store (SQLite). Each
study has one image of another patient; a structured report and Secondary Capture images go back by STOW and are read
back. A study counts as done when its job is verified. Times between are those of the job.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import pydicom
from pydicom.uid import UID

from cxr_core.imaging import phantom_dicom
from cxr_core.model import prepare_input, shared_predictor
from cxr_core.pacs.addresses import DimseAddress
from cxr_core.pacs.association import associate, pynetdicom
from cxr_core.reading import open_image
from cxr_core.settings import settings
from cxr_core.store.pacs_records import Job
from cxr_core.store.pacs_store import PacsStore
from tests.orthanc import Orthanc, orthanc_server

PROJECT = Path(__file__).resolve().parents[1]
STUDIES, ROWS, COLUMNS = 50, 2048, 1760
MODALITY = "MODALITY"
LIMIT = 1800
"""Seconds after which a run is given up."""

STEPS = ("received", "read", "built", "sent", "verified")


@dataclass(frozen=True)
class Measured:
    """What one run has measured, in seconds.

    Attributes:
        steps: of each study sent alone, the time to each of :data:`STEPS` since the one before; the first since C-STORE
            began.
        engine: of each study, the network alone.
        at_once: by number of workers, from the first C-STORE of all studies to the last job that is verified, and the
            workers' time of the processor meanwhile.
        results: that Orthanc has in the end, and jobs.
    """

    steps: list[list[float]]
    engine: list[float]
    at_once: dict[int, tuple[float, float]]
    results: tuple[int, int]


class Site:
    """A store, its receiver and its workers, beside an Orthanc."""

    def __init__(self, folder: Path, orthanc: Orthanc) -> None:
        self._folders = {
            "SECOND_READ_HOME": str(folder / "home"),
            "SECOND_READ_RUNS": str(folder / "runs"),
            "SECOND_READ_AUDIT": str(folder / "audit.jsonl"),
        }
        self._errors = folder / "errors"
        self._settings = self._folders | {
            "SECOND_READ_PACS": orthanc.dicom_web,
            "SECOND_READ_PACS_CREDENTIALS": ":".join(orthanc.auth),
            "SECOND_READ_PACS_LISTEN": "127.0.0.1:0",
            "SECOND_READ_PACS_SENDERS": f"{MODALITY}@127.0.0.1",
        }

    @contextmanager
    def as_modality(self) -> Iterator[None]:
        """Set the folders for this process, which sends as a modality."""
        with patch.dict(os.environ, self._folders | {"SECOND_READ_PACS_AE_TITLE": MODALITY}):
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
    """Wait until the job of each study is verified, and return them."""
    end = time.monotonic() + LIMIT
    wanted = {str(file.SOPInstanceUID) for file in files}
    while time.monotonic() < end:
        jobs = [job for job in store.jobs(["verified"], limit=10_000) if job.sop_instance_uid in wanted]
        if len(jobs) == len(wanted):
            return jobs
        time.sleep(0.1)
    raise TimeoutError(store.counts())


def run(count: int, rows: int, columns: int, workers: Sequence[int] = (1, 2)) -> Measured:
    """Measure all."""
    with tempfile.TemporaryDirectory(prefix="bench-pacs-") as folder, orthanc_server() as orthanc, ExitStack() as end:
        site = Site(Path(folder), orthanc)
        end.enter_context(site.as_modality())
        store = end.enter_context(closing(PacsStore()))
        _, printed = end.enter_context(site.command("receive"))
        port = int(printed.rstrip(".\n").rpartition(":")[2])
        address = DimseAddress("SECONDREAD", "127.0.0.1", port)
        alone, steps, at_once = studies(count, rows, columns), [], {}
        with site.command("work"):
            # the first loads the model and the libraries of the results
            warm = studies(1, rows, columns)
            send(address, warm)
            verified(store, warm)
            for file in alone:
                began = datetime.now(UTC)
                send(address, [file])
                (job,) = verified(store, [file])
                times = [began, *(datetime.fromisoformat(job.times[step]) for step in STEPS)]
                steps.append([(b - a).total_seconds() for a, b in pairwise(times)])
        for number in workers:
            at_once[number] = _at_once(site, store, address, studies(count, rows, columns), number)
        engine = [engine_seconds(file) for file in alone]
        jobs = store.counts()["verified"]
        return Measured(steps, engine, at_once, (orthanc.counts()["instances"], jobs))


def _at_once(
    site: Site, store: PacsStore, address: DimseAddress, files: Sequence[pydicom.Dataset], workers: int
) -> tuple[float, float]:
    """Send all studies to workers without a job; return the seconds to the last one, and those of the processor."""
    with ExitStack() as end:
        processes = [end.enter_context(site.command("work"))[0] for _ in range(workers)]
        # each worker has loaded the model before the clock starts
        warm = studies(4 * workers, ROWS // 8, COLUMNS // 8)
        send(address, warm)
        verified(store, warm)
        began, before = datetime.now(UTC), sum(map(processor_seconds, processes))
        send(address, files)
        jobs = verified(store, files)
        used = sum(map(processor_seconds, processes)) - before
    return (max(datetime.fromisoformat(job.times["verified"]) for job in jobs) - began).total_seconds(), used


def processor_seconds(process: int) -> float:
    """Return the time of the processor that a process has used (proc(5), utime and stime)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def engine_seconds(file: pydicom.FileDataset) -> float:
    """Return the time of the network alone for a study."""
    stream = io.BytesIO()
    file.save_as(stream, enforce_file_format=True)
    predictor = shared_predictor()
    image = prepare_input(open_image(stream.getvalue()), predictor.card.input.preparation())
    began = time.perf_counter()
    predictor.read(image)
    return time.perf_counter() - began


def markdown(measured: Measured) -> str:
    """Return the tables of docs/performance.md."""
    names = ("C-STORE and waiting for a worker, until received", "read", "results built", "sent", "read back, verified")
    columns = list(zip(*measured.steps, strict=True))
    whole = [sum(steps) for steps in measured.steps]
    lines = ["| step | median, s | slowest, s |", "|---|---|---|"]
    lines += [
        f"| {name} | {statistics.median(times):.2f} | {max(times):.2f} |"
        for name, times in zip(names, columns, strict=True)
    ]
    lines += [
        f"| all: C-STORE to verified | {statistics.median(whole):.2f} | {max(whole):.2f} |",
        f"| of that the network | {statistics.median(measured.engine):.3f} | {max(measured.engine):.3f} |",
        "",
        "| workers | seconds | studies per minute | processor, s per study |",
        "|---|---|---|---|",
    ]
    count = len(measured.steps)
    lines += [
        f"| {number} | {seconds:.1f} | {60 * count / seconds:.1f} | {used / count:.2f} |"
        for number, (seconds, used) in measured.at_once.items()
    ]
    return "\n".join(lines)


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=STUDIES)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--columns", type=int, default=COLUMNS)
    parser.add_argument("--json", action="store_true", help="print the numbers as they were measured")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    measured = run(given.studies, given.rows, given.columns)
    if given.json:
        print(json.dumps(measured.__dict__))
        return 0
    print(markdown(measured))
    print(f"\n{measured.results[0]} instances in Orthanc for {measured.results[1]} jobs; load before {load:.1f}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
