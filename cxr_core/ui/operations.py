"""The page "Operations": whether the app can read, its sessions, queue, disks, models and settings; the audit trail."""

from __future__ import annotations

import importlib.metadata
import platform
from datetime import UTC, datetime, timedelta
from html import escape

import openvino
import streamlit as st

from ..access import Role, audit
from ..errors import CxrError
from ..model import list_models
from ..operations.checks import SUMMARIES, readiness_checks
from ..operations.folders import free_bytes
from ..operations.model_verification import model_verification
from ..reading_queue import shared_queue
from ..settings import settings
from ..store.last_backup import last_backup
from .audit_trail import audit_trail
from .chrome import facts_table, heading, html, page_heading, small, table
from .history_scope import format_time
from .read_statistics import tiles
from .server.page_sessions import connected_tabs
from .serving_model import serving_predictor
from .visitor import may, providers
from .worklists import worklists_in_memory

__all__ = ["operations_page"]

REFRESH_SECONDS = 5.0
"""Interval at which the state of the app is read again."""

_OLD_BACKUP = timedelta(days=7)


def operations_page() -> None:
    """Draw the page."""
    page_heading("Operations", f"this process: {platform.node()}, Python {platform.python_version()}")
    _state()
    left, right = st.columns([1, 1.5], gap="large")
    with right:
        audit_trail()
    with left:
        _models()
        heading("This server")
        facts_table(
            {
                "Versions": _versions(),
                "Serving model": _serving_model(),
                "Sign-in": _sign_in(),
                "Roles": _roles(),
                "Audit trail": _audit_trail(),
                "Identity": _identity(),
                **_limits(),
            }
        )


@st.fragment(run_every=REFRESH_SECONDS)
def _state() -> None:
    """Draw readiness, sessions, queue, disk and backup, again and again."""
    # a fragment runs without the check of the page
    if not may(Role.ADMIN):
        return
    problems = _problems()
    queue, (owners, used) = shared_queue().state(), worklists_in_memory()
    oldest = f"oldest for {queue.oldest_seconds:.0f} s" if queue.waiting else ""
    tiles(
        (
            ("Readiness", "not ready" if problems else "ready", ", ".join(problems or SUMMARIES)),
            ("Browser tabs", f"{connected_tabs():,}", f"of at most {settings().max_sessions:,}"),
            ("Worklists in memory", f"{owners:,}", f"{used / 1e6:,.0f} MB of files"),
            ("Images in the queue", f"{queue.waiting:,}", oldest or f"{queue.at_work} being read"),
            ("Free disk space", *_disk()),
            ("Last backup", *_backup()),
        )
    )
    for name, problem in problems.items():
        html('<div class="sr-refusal" role="alert"><b>{name}</b><div>{problem}</div></div>', name=name, problem=problem)


def _problems() -> dict[str, str]:
    """Return why each check of ``/readyz`` that fails does, by its name."""
    problems = {}
    for name, check in readiness_checks().items():
        try:
            check()
        except CxrError as error:
            problems[name] = str(error)
    return problems


def _disk() -> tuple[str, str]:
    free = {name: free_bytes(folder) for name, folder in (("home", settings().home), ("runs", settings().runs))}
    known = {name: number for name, number in free.items() if number is not None}
    if not known:
        return "unknown", ""
    least = min(known, key=lambda name: known[name])
    return f"{known[least] / 1e9:,.1f} GB", f"where SECOND_READ_{least.upper()} is"


def _backup() -> tuple[str, str]:
    backup = last_backup()
    if backup is None:
        return "not known", "second-read backup FILE.zip makes one"
    age = datetime.now(UTC) - datetime.fromisoformat(backup.completed)
    old = ", old" if age > _OLD_BACKUP else ""
    return format_time(backup.completed), f"{backup.files:,} files, {backup.bytes / 1e6:,.0f} MB{old}"


def _models() -> None:
    """Draw every installed model, and whether its files are those that it was made with."""
    heading("Models")
    rows = []
    with st.spinner("Verifying files"):
        for path in list_models():
            try:
                card = model_verification()(str(path))
                rows.append((escape(path.name), escape(str(card.version)), '<span class="sr-good">verified</span>'))
            except CxrError as error:
                bad = f'<span class="sr-bad">not usable</span><br>{escape(str(error))}'
                rows.append((escape(path.name), "", bad))
    if not rows:
        small("No model is installed. Import one on the page Model.")
        return
    table(("model", "version", "files"), rows)
    small("Import another on the page Model.")


def _serving_model() -> str:
    try:
        predictor = serving_predictor()
    except CxrError as error:
        return str(error)
    card = predictor.card
    return f"{card.id}, version {card.version}, weights {card.weights_sha256[:12]}; engine {predictor.engine.name}"


def _limits() -> dict[str, str]:
    limits = settings()
    return {
        "Largest file": f"{limits.max_file_mb:,} MB, {limits.max_megapixels:,} megapixels",
        "Most files in one upload": f"{limits.max_files:,}",
        "Most browser tabs": f"{limits.max_sessions:,}, of one address {limits.max_sessions_per_address:,}",
    }


def _sign_in() -> str:
    names = [name or "default" for name in providers()]
    return f"OpenID Connect: {', '.join(names)}" if names else "none: local single-user mode, this machine only"


def _roles() -> str:
    if not providers():
        return "the user of this machine is admin"
    roles = settings()
    claim = f"claim {roles.role_claim}; " if roles.role_claim else ""
    lists = {"readers": roles.readers, "reviewers": roles.reviewers, "admins": roles.admins}
    return claim + "listed: " + ", ".join(f"{len(people)} {name}" for name, people in lists.items())


def _audit_trail() -> str:
    if audit.problem() is not None:
        return "cannot be written; imports and exports are refused"
    return "written. To print it: python -m cxr_core audit; to verify it: python -m cxr_core audit --verify"


def _identity() -> str:
    if settings().identity == "off":
        return "not shown"
    if settings().identity == "store":
        return "shown on the screen of whoever opened the study, and stored with its reads"
    return "shown on the screen of whoever opened the study, stored nowhere"


def _versions() -> str:
    try:
        own = importlib.metadata.version("second-read")
    except importlib.metadata.PackageNotFoundError:
        own = "checkout"
    return f"Second Read {own}, Streamlit {st.__version__}, OpenVINO {openvino.__version__.partition('-')[0]}"
