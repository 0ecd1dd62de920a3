"""Commands of the DICOM network that read and send: ``pacs work`` and ``pacs send``."""

from __future__ import annotations

import secrets
import socket
from contextlib import closing
from typing import Annotated

import typer

from ..access import acting_user, audit
from ..errors import WrongArguments
from ..logs import configure_logs
from ..operations.checks import log_findings_at_start
from ..operations.worker_metrics import WorkerMetrics
from ..pacs import destinations
from ..pacs.destinations import Destination, ResultFile
from ..pacs.results import check_highdicom
from ..pacs.rules import load_rules
from ..pacs.worker import Worker
from ..report.stored_read import read_dicom
from ..settings import settings
from ..store.card_files import card_of_read
from ..store.pacs_store import PacsStore
from ..store.reads import ReadStore
from .metrics_listener import metrics_address, serving_metrics
from .pacs_expiry import expiring
from .stop_signals import stopped_by_signals

__all__ = ["send", "work"]

_SETTING = "SECOND_READ_PACS_WORK_METRICS"


def work(
    until_idle: Annotated[bool, typer.Option("--until-idle", help="Stop when no job is due.")] = False,
    again_since: Annotated[
        str, typer.Option(metavar="TIME", help="Apply the rules again to images received since, such as 2026-11-24.")
    ] = "",
) -> None:
    """Read received images by the rules, and send their results to the PACS, until it is stopped with Ctrl-C.

    Several workers may run at once, on one machine or more. One that is stopped (SIGTERM, Ctrl-C) finishes the step
    that it is at, and gives its job back. --again-since is for a change of the rules: what was read is read once more
    where model, operating point, results or destinations are others now. Images are deleted after
    SECOND_READ_PACS_KEEP_DAYS. With SECOND_READ_PACS_WORK_METRICS it serves counts of its steps to Prometheus.
    """
    check_highdicom()
    _check_identity()
    rules, address = load_rules(), metrics_address(settings().pacs_work_metrics, _SETTING)
    configure_logs("worker")
    log_findings_at_start()
    owner, metrics = f"{socket.gethostname()}-{secrets.token_hex(4)}", WorkerMetrics()
    with (
        closing(PacsStore()) as store,
        stopped_by_signals() as stop,
        serving_metrics(address, metrics, _SETTING),
        expiring(store),
    ):
        worker = Worker(store, rules, owner, lambda line: print(line, flush=True), metrics)
        if again_since:
            print(f"New jobs: {worker.plan_again(again_since)}", flush=True)
        if until_idle:
            worker.work_until_idle(stop)
        else:
            print(f"Worker {owner} waits for images.", flush=True)
            worker.run(stop)


def send(
    read: Annotated[str, typer.Argument(metavar="ID", help="Id of a stored read, or the beginning of it.")],
    to: Annotated[str, typer.Option(metavar="NAME", help="Destination, where there are several.")] = "",
    kinds: Annotated[str, typer.Option(metavar="KINDS", help="Of sr, sc, pdf, gsps and seg, with commas.")] = "sr,sc",
) -> None:
    """Send a stored read to the PACS as DICOM results, with the opinions of its reader, and read them back.

    A result that the PACS has already is not sent again. `reads list` prints the ids.
    """
    check_highdicom()
    _check_identity()
    wanted = list(dict.fromkeys(kind.strip() for kind in kinds.split(",")))
    if unknown := [kind for kind in wanted if kind not in ("sr", "sc", "pdf", "gsps", "seg")]:
        raise WrongArguments(f"--kinds {unknown[0][:40]!r}: sr, sc, pdf, gsps and seg are accepted.")
    destination = _destination(to)
    with closing(ReadStore()) as store:
        stored = store.read(read)
        summary = stored.summary
        card = card_of_read(stored)
        if card is None:
            raise WrongArguments("The model that read it is no longer installed, or has other weights.")
        opinions, data = store.opinions(summary.study, summary.image), store.load(summary.study, summary.image)
    made = read_dicom(stored, opinions, data, card, wanted)
    results = [ResultFile(name, content) for name, content in made.items()]
    # before anything is sent: what is not in the trail must not happen
    audit.record(
        acting_user(),
        "export",
        f"results to {destination.name}",
        images=[summary.image],
        model=summary.model_sha256,
    )
    there = list(destinations.present(destination, results))
    new = [result for result, known in zip(results, there, strict=True) if not known]
    for _ in destinations.send(destination, new):
        pass
    for result in destinations.verify(destination, new):
        print(f"{result.name}: sent to {destination.name}")
    for result, known in zip(results, there, strict=True):
        if known:
            print(f"{result.name}: {destination.name} has it already")


def _destination(name: str) -> Destination:
    known = load_rules().destinations
    if name and name not in known:
        raise WrongArguments(f"--to {name[:40]!r}: no such destination. There are: {', '.join(known)}.")
    if not name and len(known) != 1:
        raise WrongArguments(f"There are several destinations: give one of {', '.join(known)} by --to.")
    return known[name] if name else next(iter(known.values()))


def _check_identity() -> None:
    if settings().identity == "off":
        raise WrongArguments("DICOM results carry the patient and the study, which SECOND_READ_IDENTITY=off forbids.")
