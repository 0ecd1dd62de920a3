"""The list of checks, and who makes which of them: ``doctor``, ``/readyz``, and each process as it starts.

A check is a function that yields results; CxrError counts as a failed one. What a stranger is shown by ``/readyz`` of a
check that has failed is its summary: no path, no name and no setting.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from ..errors import CxrError
from ..settings import settings
from .data_checks import (
    check_audit_trail,
    check_database,
    check_folders,
    check_other_models,
    check_queue,
    check_reading,
    check_serving_model,
    check_settings,
    check_space,
)
from .decoder_checks import check_decoders
from .doctor import Area, CheckResult, diagnose
from .installation_checks import (
    check_clock,
    check_engine,
    check_extras,
    check_fonts,
    check_packages,
    check_python,
)
from .network_checks import check_pacs, check_receiver, check_worker

__all__ = ["CHECKS", "SUMMARIES", "Check", "findings_at_start", "log_findings_at_start", "readiness_checks"]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Check:
    """One entry of the list.

    Attributes:
        name: unique in the list; ``/readyz`` has it.
        make: the check.
        area: heading under which ``doctor`` shows it; empty where that does not make it.
        summary: what is shown of it by ``/readyz`` where it has failed; empty where that does not make it.
        at_start: whether the app, ``pacs receive`` and ``pacs work`` make it as they start.
    """

    name: str
    make: Area
    area: str = ""
    summary: str = ""
    at_start: bool = False


CHECKS: tuple[Check, ...] = (
    Check("python", check_python, "Installation"),
    Check("packages", check_packages, "Installation"),
    Check("extras", check_extras, "Installation", at_start=True),
    Check("engine", check_engine, "Installation"),
    Check("fonts", check_fonts, "Installation"),
    Check("clock", check_clock, "Installation"),
    Check("decoders", check_decoders, "Decoders"),
    Check("settings", check_settings, "Settings", at_start=True),
    Check(
        "store",
        check_database,
        "Storage",
        summary="The database cannot be opened or written, or is not at the version of this program.",
        at_start=True,
    ),
    Check(
        "folders",
        check_folders,
        "Storage",
        summary="The program cannot write its files: no space is left, or it has no permission.",
        at_start=True,
    ),
    Check("space", check_space, "Storage", at_start=True),
    Check("audit", check_audit_trail, "Storage"),
    Check(
        "model",
        check_serving_model,
        "Models",
        summary="The model is missing, or its files are not those that it was made with.",
    ),
    Check("models", check_other_models, "Models"),
    Check("reading", check_reading, "Models"),
    # of this process: another one, such as that of the doctor, has a queue of its own
    Check("queue", check_queue, summary="Images wait to be read, and none has been read for a while."),
    Check("pacs", check_pacs, "Network"),
    Check("receiver", check_receiver, "Network"),
    Check("worker", check_worker, "Network"),
)
"""Every check, in the order of ``doctor`` within its area, and of ``/readyz``."""

SUMMARIES = {check.name: check.summary for check in CHECKS if check.summary}
"""What is shown by ``/readyz`` of each of its checks that has failed."""


def readiness_checks() -> Mapping[str, Callable[[], None]]:
    """Return the checks of ``/readyz`` by name; each raises CxrError with one line for the log where it fails."""
    return {check.name: partial(_raise_failed, check) for check in CHECKS if check.summary}


def _raise_failed(check: Check) -> None:
    for result in check.make():
        if result.state == "failed":
            raise CxrError(_line(result))


def findings_at_start() -> list[str]:
    """Return a line for each thing that the checks at start have to say; nothing where all is well.

    Raises WrongArguments for a setting that cannot be used at all.
    """
    settings()
    results = (result for check in CHECKS if check.at_start for _, result in diagnose({check.name: check.make}))
    return [_line(result) for result in results if result.state != "ok"]


def _line(result: CheckResult) -> str:
    end = "" if result.text.endswith((".", "?")) else "."
    return f"{result.text}{end} {result.action}".strip()


def log_findings_at_start() -> None:
    """Log :func:`findings_at_start`, a warning each."""
    for line in findings_at_start():
        _LOG.warning("%s", line)
