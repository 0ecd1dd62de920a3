"""``pacs fetch``: studies and priors from a PACS into the store."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import date
from functools import partial
from typing import Annotated

import typer

from ..errors import WrongArguments
from ..pacs.addresses import WebAddress, parse_address
from ..pacs.changes import ChangeFeed
from ..pacs.fetch import Fetched, PacsClient, configured_client
from ..pacs.follow import Follower
from ..pacs.source import RemoteStudy, is_uid
from ..settings import settings
from ..store.pacs_store import PacsStore
from .pacs_expiry import expiring
from .stop_signals import stopped_by_signals

__all__ = ["fetch"]


def fetch(
    studies: Annotated[
        list[str] | None, typer.Argument(metavar="[STUDY]...", help="Study Instance UIDs.", show_default=False)
    ] = None,
    accession: Annotated[
        list[str] | None, typer.Option(metavar="NUMBER", help="Studies of an accession number.", show_default=False)
    ] = None,
    since: Annotated[str, typer.Option(metavar="DATE", help="Studies of this day and later, such as 2026-11-27.")] = "",
    until: Annotated[str, typer.Option(metavar="DATE", help="With --since: no studies of later days.")] = "",
    priors: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, max=20, help="Priors for each study; by default SECOND_READ_PACS_PRIORS."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace what is here of these studies by what the PACS has.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Fetch studies as they arrive at the PACS, until stopped.")
    ] = False,
) -> int:
    """Fetch studies of radiographs, and the priors of their patients, from the PACS into the store.

    The PACS is SECOND_READ_PACS_SOURCE, or SECOND_READ_PACS. It is asked by DICOMweb (QIDO-RS, WADO-RS), or by C-FIND
    and C-GET or C-MOVE. Images that are in the store are not fetched again. Exit status 3 where a study is not found,
    or not all of its images have arrived.

    By DICOMweb, priors are fetched where SECOND_READ_PACS_PATIENT_ID_IN_URL is set: the address of the search has the
    Patient ID, and a proxy may log it.

    With --replace, studies given by their UID are here as the PACS has them afterwards: for a patient who was corrected
    there. Images that are others here are replaced, with their jobs and results, and read again. Once all images have
    come, radiographs that the PACS no longer has in the study are deleted, and of what it was not asked for, such as
    dose reports, that of another patient. Each image that was replaced or deleted and each job that is tried again has
    a line.

    With --follow, new studies are found by the change feed of an Orthanc (SECOND_READ_PACS_CHANGES), or by Study Date,
    and the priors of studies that were sent to this program are fetched as well. Images are deleted after
    SECOND_READ_PACS_KEEP_DAYS. Examples:

      python -m cxr_core pacs fetch --accession 20261127-0815

      python -m cxr_core pacs fetch --follow
    """
    count = settings().pacs_priors if priors is None else priors
    if not (studies or accession or since or follow):
        raise WrongArguments("Nothing to fetch: give Study Instance UIDs, --accession, --since or --follow.")
    if until and not since:
        raise WrongArguments("--until needs --since.")
    if replace and (not studies or accession or since or follow):
        raise WrongArguments("--replace is for studies that are given by their UID.")
    for uid in studies or ():
        if not is_uid(uid):
            raise WrongArguments(f"{uid[:70]!r} is no Study Instance UID: numbers with points between are accepted.")
    first, last = _day(since, "--since"), _day(until, "--until")
    with closing(PacsStore()) as store, expiring(store):
        client = configured_client(store)
        if count and (reason := client.source.no_priors):
            print(f"No priors are fetched. {reason}", file=sys.stderr)
            count = 0
        found = [(uid, client.search({"StudyInstanceUID": uid})) for uid in studies or ()]
        found += [(f"accession number {number}", client.of_accession(number)) for number in accession or ()]
        if first is not None:
            found.append((f"{since} to {until or 'today'}", client.of_days(first, last)))
        get: Callable[[str], Fetched] = partial(_replace, client) if replace else client.fetch
        status = max([_fetch(client, get, name, matches, count) for name, matches in found], default=0)
        if follow:
            _follow(client, count)
    return status


def _fetch(
    client: PacsClient, get: Callable[[str], Fetched], name: str, studies: list[RemoteStudy], priors: int
) -> int:
    """Fetch what a search has found, and return the exit status."""
    if not studies:
        print(f"{name}: the PACS has no such study of radiographs.", file=sys.stderr)
        return 3
    complete = True
    for study in studies:
        fetched = get(study.uid)
        complete = complete and not fetched.missing and not fetched.conflicts
        print(f"{study.uid}: {fetched}.", flush=True)
        _print_changes(fetched)
        if any(alarm.holds_study for alarm in client.store.alarms(study_uid=study.uid)):
            print(f"{study.uid}: nothing more of it is read or sent; `pacs status` has the alarm.", file=sys.stderr)
        if priors and fetched.stored + fetched.present:
            for prior in client.fetch_priors(study.header, priors):
                print(f"  prior: {prior}.", flush=True)
    return 0 if complete else 3


def _replace(client: PacsClient, study_uid: str) -> Fetched:
    """Replace a study; where the PACS breaks off, what was replaced until then has its lines before the error."""
    replaced: list[str] = []
    try:
        return client.replace(study_uid, replaced.append)
    except BaseException:
        # asked again, the PACS has nothing to replace them with
        _print_replaced(replaced)
        raise


def _print_replaced(uids: Iterable[str]) -> None:
    for uid in uids:
        print(f"  image {uid}: replaced; its jobs and results are deleted", flush=True)


def _print_changes(fetched: Fetched) -> None:
    """Print what --replace has changed of what was here."""
    _print_replaced(fetched.replaced)
    for uid in fetched.deleted:
        print(f"  image {uid}: deleted with its jobs and results, since the PACS does not have it in this study")
    for job in fetched.retried:
        print(f"  job {job}: no longer parked, given back to the workers", flush=True)


def _follow(client: PacsClient, priors: int) -> None:
    """Fetch what arrives until the process is asked to stop."""
    given, feed = settings(), None
    if given.pacs_changes is not None:
        address = parse_address(given.pacs_changes)
        if not isinstance(address, WebAddress):
            raise WrongArguments("SECOND_READ_PACS_CHANGES is the address of the REST API of an Orthanc.")
        feed = ChangeFeed(address, given.pacs_changes_credentials)
    with stopped_by_signals() as stop:
        print(f"Following {client.name}. Stop with Ctrl-C.", flush=True)
        follower = Follower(client, feed, priors=priors, report=lambda line: print(line, flush=True))
        follower.run(stop, given.pacs_poll_seconds)


def _day(text: str, option: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise WrongArguments(f"{option} {text[:20]!r}: a date such as 2026-11-27 is accepted.") from error
