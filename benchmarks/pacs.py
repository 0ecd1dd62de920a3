"""From C-STORE of a study to results that a PACS keeps: time per study, and studies per minute of one and two workers.

    python -m benchmarks.pacs                 # five minutes: 50 studies one by one, then 50 in the queue for each
    python -m benchmarks.pacs --studies 5

A real Orthanc on loopback, the receiver and the workers as commands in processes of their own, one store (SQLite). Each
study has one image of another patient; a structured report and Secondary Capture images go back by STOW and are read
back. A study counts as done when its job is verified. Times between are those of the job.

What a second worker gains is measured on a queue: all images are received, and the workers idle, before the first job
is ordered. Workers and Orthanc then share the cores that other programs leave them, and no more studies can be done
than these have time for. That bound is printed beside what was reached.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pydicom

from benchmarks.pacs_site import MODALITY, QUEUED, Site, machine_seconds, processor_seconds, send, studies, verified
from cxr_core.model import prepare_input, shared_predictor
from cxr_core.pacs.addresses import DimseAddress
from cxr_core.pacs.rules import load_rules
from cxr_core.reading import open_image
from cxr_core.store.pacs_store import PacsStore
from tests.orthanc import orthanc_server

STUDIES, ROWS, COLUMNS = 50, 2048, 1760
STEPS = ("received", "read", "built", "sent", "verified")


@dataclass(frozen=True)
class Queue:
    """What workers did with studies that were all received before, in seconds.

    Attributes:
        elapsed: from the first order of a job to the last job that was verified.
        workers: time of the processor that the workers used meanwhile.
        orthanc: that Orthanc used.
        others: that all else on the machine used, the idle receiver and this program included.
        cores: of the machine.
    """

    elapsed: float
    workers: float
    orthanc: float
    others: float
    cores: int

    def bound(self, studies: int) -> float:
        """Return how many studies a minute the processors had time for, apart from what others used of them."""
        free = self.cores - self.others / self.elapsed
        return 60 * free * studies / (self.workers + self.orthanc)


@dataclass(frozen=True)
class Measured:
    """What one run has measured, in seconds.

    Attributes:
        steps: of each study sent alone, the time to each of :data:`STEPS` since the one before; the first since C-STORE
            began.
        engine: of each study, the network alone.
        queues: by number of workers.
        results: that Orthanc has in the end, and jobs.
    """

    steps: list[list[float]]
    engine: list[float]
    queues: dict[int, Queue]
    results: tuple[int, int]


def run(count: int, rows: int, columns: int, workers: Sequence[int] = (1, 2)) -> Measured:
    """Measure all."""
    with tempfile.TemporaryDirectory(prefix="bench-pacs-") as folder, orthanc_server() as orthanc, ExitStack() as end:
        site = Site(Path(folder), orthanc)
        end.enter_context(site.sending_as(MODALITY))
        store = end.enter_context(closing(PacsStore()))
        _, printed = end.enter_context(site.command("receive"))
        port = int(printed.rstrip(".\n").rpartition(":")[2])
        address = DimseAddress("SECONDREAD", "127.0.0.1", port)
        alone, steps, queues = studies(count, rows, columns), [], {}
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
            queues[number] = _queue(site, store, address, studies(count, rows, columns), number, orthanc.process_id)
        engine = [engine_seconds(file) for file in alone]
        jobs = store.counts()["verified"]
        return Measured(steps, engine, queues, (orthanc.counts()["instances"], jobs))


def _queue(
    site: Site,
    store: PacsStore,
    address: DimseAddress,
    files: Sequence[pydicom.FileDataset],
    workers: int,
    orthanc: int,
) -> Queue:
    """Let idle workers do studies that were all received before."""
    with site.sending_as(QUEUED):
        send(address, files)
    (rule,) = load_rules().rules
    with ExitStack() as end:
        processes = [end.enter_context(site.command("work"))[0] for _ in range(workers)]
        # each worker has loaded the model before the clock starts
        warm = studies(4 * workers, ROWS // 8, COLUMNS // 8)
        send(address, warm)
        verified(store, warm)
        before = _processors(processes, orthanc)
        began, start = datetime.now(UTC), time.monotonic()
        for file in files:
            store.enqueue(file.SOPInstanceUID, rule.order())
        jobs = verified(store, files)
        passed = time.monotonic() - start
        used = [after - earlier for after, earlier in zip(_processors(processes, orthanc), before, strict=True)]
    elapsed = (max(datetime.fromisoformat(job.times["verified"]) for job in jobs) - began).total_seconds()
    of_workers, of_orthanc, of_all = used
    # the last look at the jobs comes a little after the last of them
    others = (of_all - of_workers - of_orthanc) * elapsed / passed
    return Queue(elapsed, of_workers, of_orthanc, others, os.cpu_count() or 1)


def _processors(workers: Sequence[int], orthanc: int) -> tuple[float, float, float]:
    """Return the time of the processors that workers, Orthanc and the whole machine have used."""
    return sum(map(processor_seconds, workers)), processor_seconds(orthanc), machine_seconds()


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
        "| workers | studies per minute | of at most | processor per study: workers, s | Orthanc, s | others, cores |",
        "|---|---|---|---|---|---|",
    ]
    count = len(measured.steps)
    lines += [
        f"| {number} | {60 * count / queue.elapsed:.1f} | {queue.bound(count):.0f} | {queue.workers / count:.2f} | "
        f"{queue.orthanc / count:.2f} | {queue.others / queue.elapsed:.2f} |"
        for number, queue in measured.queues.items()
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
        print(json.dumps(asdict(measured)))
        return 0
    print(markdown(measured))
    print(f"\n{measured.results[0]} instances in Orthanc for {measured.results[1]} jobs; load before {load:.1f}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
