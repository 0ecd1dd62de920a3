"""Checks of what the settings name on the network: PACS, the receiver's address and files, the worker's address."""

from __future__ import annotations

from collections.abc import Iterator

from ..pacs.association import tls_context
from ..pacs.reachability import ask, called
from ..pacs.receiver import parse_listen
from ..pacs.senders import parse_senders
from ..settings import settings
from .doctor import CheckResult

__all__ = ["check_pacs", "check_receiver", "check_worker"]


def check_pacs() -> Iterator[CheckResult]:
    """Ask every PACS of the settings whether it answers."""
    known = called()
    if not known:
        yield CheckResult("PACS", "ok", "none is set")
    for destination, answer in ask(known).items():
        name = f"PACS {destination.name}"
        if answer.problem:
            action = "Check address and network; the PACS must know this program by its AE title."
            yield CheckResult(name, "failed", answer.problem, action)
        else:
            yield CheckResult(name, "ok", f"{destination.address} answers in {answer.milliseconds:.0f} ms")


def check_receiver() -> Iterator[CheckResult]:
    """Check the settings of `pacs receive`, without listening: it may be running."""
    given = settings()
    if given.pacs_listen is None:
        yield CheckResult("Receiver", "ok", "not set: nothing is received by C-STORE")
        return
    host, port = parse_listen(given.pacs_listen)
    senders = parse_senders(given.pacs_senders)
    if given.pacs_receive_metrics is not None:
        parse_listen(given.pacs_receive_metrics, "SECOND_READ_PACS_RECEIVE_METRICS")
    if given.pacs_receive_tls:
        tls_context(server=True)
    tls = ", TLS" if given.pacs_receive_tls else ""
    yield CheckResult("Receiver", "ok", f"{given.pacs_ae_title} on {host}:{port}{tls}, {len(senders)} known senders")


def check_worker() -> Iterator[CheckResult]:
    """Check the address at which `pacs work` serves its metrics, without listening: it may be running."""
    listen = settings().pacs_work_metrics
    if listen is None:
        yield CheckResult("Worker", "ok", "serves no metrics")
        return
    host, port = parse_listen(listen, "SECOND_READ_PACS_WORK_METRICS")
    yield CheckResult("Worker", "ok", f"serves metrics on {host}:{port}")
