"""The numbers of a run, kept beside the runs once they were found: opening it again takes no resampling."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from .. import metrics
from ..private_files import private_folder, write_private
from ..settings import settings
from ..store import StoredRun
from .numbers import RunSummary
from .summary import summarise

__all__ = ["FOLDER", "summary_of"]

FOLDER = "summaries"
"""Below the folder of runs. It may be deleted at any time; runs that come with the project have theirs here too."""

_ADAPTER = TypeAdapter(RunSummary)


def summary_of(
    run: StoredRun,
    reference: str | None = None,
    report: Callable[[int, int], None] = lambda done, steps: None,
) -> RunSummary:
    """Return :func:`.summary.summarise` of a stored run, from its keeping place where it is there.

    It is found again only for the same predictions, record and reference, and by the same source of the numbers.
    Where the folder cannot be written, the numbers are found anew each time.

    Args:
        run: of the store.
        reference: one of the run's; the first by default.
        report: called with the steps done and their number, where there is something to do.

    Raises:
        PathUnusable: a file of the run is not the one that was stored.
        WrongArguments: for a reference that the run does not have.
    """
    run.check()
    path = settings().runs / FOLDER / f"{_key(run, reference)}.json"
    try:
        return _ADAPTER.validate_json(path.read_bytes())
    except (OSError, ValidationError):
        summary = summarise(run.record, run.predictions(), reference, localisation=run.localisation(), report=report)
    _keep(path, summary)
    return summary


def _keep(path: Path, summary: RunSummary) -> None:
    with suppress(OSError):
        private_folder(path.parent)
        write_private(path, _ADAPTER.dump_json(summary))


def _key(run: StoredRun, reference: str | None) -> str:
    named = reference or next(iter(run.record.references), "")
    told = json.dumps([asdict(run.record), named, _source()], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:40]


@lru_cache(maxsize=1)
def _source() -> list[str]:
    """Return what made the numbers: the source of metrics and summary, and the versions of what they rest on."""
    files = sorted([*Path(metrics.__file__).parent.glob("*.py"), *Path(__file__).parent.glob("*.py")])
    digest = hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
    return [digest, version("numpy"), version("scipy")]
