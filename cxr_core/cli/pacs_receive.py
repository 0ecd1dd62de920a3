"""``pacs receive``: receive images over the DICOM network until the command is stopped."""

from __future__ import annotations

import warnings
from contextlib import closing

from ..errors import WrongArguments
from ..logs import configure_logs
from ..operations.checks import log_findings_at_start
from ..operations.receiver_metrics import ReceiverCollector
from ..pacs.receiver import Receiver, parse_listen
from ..pacs.senders import parse_senders
from ..process_resources import few_heaps
from ..settings import settings
from ..store.pacs_store import PacsStore
from .metrics_listener import metrics_address, serving_metrics, shown_host
from .pacs_expiry import expiring
from .stop_signals import stopped_by_signals

__all__ = ["receive"]

_SETTING = "SECOND_READ_PACS_RECEIVE_METRICS"


def receive() -> None:
    """Receive images by C-STORE, and answer to C-ECHO, until stopped with Ctrl-C or SIGTERM.

    SECOND_READ_PACS_LISTEN names the address, SECOND_READ_PACS_SENDERS who may send. An image is confirmed when it is
    on the disk; `pacs work` reads it. Images are deleted after SECOND_READ_PACS_KEEP_DAYS. With
    SECOND_READ_PACS_RECEIVE_METRICS it serves counts of associations to Prometheus. Example:

      SECOND_READ_PACS_LISTEN=127.0.0.1:11112 SECOND_READ_PACS_SENDERS=CT1@127.0.0.1 python -m cxr_core pacs receive
    """
    given = settings()
    if given.pacs_listen is None:
        raise WrongArguments("Set SECOND_READ_PACS_LISTEN, such as 10.1.2.9:11112, to receive images.")
    listen, senders = parse_listen(given.pacs_listen), parse_senders(given.pacs_senders)
    # before anything is received
    metrics = metrics_address(given.pacs_receive_metrics, _SETTING)
    configure_logs("receiver")
    # of pydicom, about what is sent: they may quote it
    warnings.simplefilter("ignore")
    few_heaps()
    log_findings_at_start()
    with stopped_by_signals() as stopped, closing(PacsStore()) as store:
        receiver = Receiver(store, listen, senders)
        print(f"{given.pacs_ae_title} receives on {shown_host(listen[0])}:{receiver.port}.", flush=True)
        try:
            with serving_metrics(metrics, ReceiverCollector(receiver), _SETTING), expiring(store):
                stopped.wait()
        finally:
            receiver.stop()
    print("Stopped.")
