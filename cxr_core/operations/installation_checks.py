"""Checks of what is installed: Python, packages, processor, engine, fonts, clock."""

from __future__ import annotations

import os
import platform
import re
import sys
import time
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import metadata

from ..access import audit
from ..settings import program_path, settings
from .doctor import CheckResult

__all__ = ["check_clock", "check_engine", "check_extras", "check_fonts", "check_packages", "check_python"]

SUPPORTED = ((3, 11), (3, 13))
_SHOWN = ("streamlit", "tensorflow", "tensorflow-cpu", "keras", "openvino", "numpy", "pydicom", "sqlalchemy")
_EXTRAS = {"pacs": ("highdicom", "pynetdicom"), "postgres": ("psycopg",), "ray": ("ray",), "int8": ("nncf",)}
_EXTRA_ACTION = "pip install -r requirements-{}.txt"
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;]+)\s*(;.*)?")
_FIRST_YEAR = 2026
_SKEW = timedelta(minutes=1)


def check_python() -> Iterator[CheckResult]:
    """Check the version of Python, and state the processor."""
    version, system = platform.python_version(), f"{platform.system()} {platform.machine()}"
    if SUPPORTED[0] <= sys.version_info[:2] <= SUPPORTED[1]:
        yield CheckResult("Python", "ok", f"{version}, {system}")
    else:
        oldest, newest = (".".join(map(str, number)) for number in SUPPORTED)
        yield CheckResult("Python", "failed", f"{version}, {system}", f"Use Python {oldest} to {newest}.")


def check_packages() -> Iterator[CheckResult]:
    """Compare the installed packages with the releases that figures and pixels are measured with."""
    pinned = _pinned()
    installed = {name: _version(name) for name in pinned}
    shown = [f"{name} {version}" for name in _SHOWN if (version := _version(name))]
    missing = [name for name, version in installed.items() if version is None and pinned[name][1] is False]
    others = [
        f"{name} {version} ({pinned[name][0]} in the release)"
        for name, version in installed.items()
        if version not in (None, pinned[name][0])
    ]
    if not _version("tensorflow") and not _version("tensorflow-cpu"):
        missing.append("tensorflow")
    if missing:
        action = "Install the packages again: pip install --require-hashes -r requirements.txt"
        yield CheckResult("Packages", "failed", f"not installed: {', '.join(sorted(missing))}", action)
    if others:
        action = "Pixels and figures are measured with the releases in requirements.txt; install those."
        yield CheckResult("Packages", "warning", f"other releases: {', '.join(others)}", action)
    if not missing and not others:
        yield CheckResult("Packages", "ok", ", ".join(shown))


def check_extras() -> Iterator[CheckResult]:
    """Check the optional packages that the settings need."""
    given = settings()
    needed = {
        "pacs": bool(given.pacs or given.pacs_rules or given.pacs_source or given.pacs_listen),
        "postgres": (given.database_url or "").startswith("postgresql"),
        "ray": False,
        "int8": False,
    }
    for extra, packages in _EXTRAS.items():
        versions = {package: _version(package) for package in packages}
        lacking = [package for package, version in versions.items() if version is None]
        if not lacking:
            text = ", ".join(f"{package} {version}" for package, version in versions.items())
            yield CheckResult(f"Extra {extra}", "ok", text)
        elif needed[extra]:
            yield CheckResult(
                f"Extra {extra}", "failed", f"not installed: {', '.join(lacking)}", _EXTRA_ACTION.format(extra)
            )
        else:
            yield CheckResult(f"Extra {extra}", "ok", "not installed, and not needed by the settings")


def check_engine() -> Iterator[CheckResult]:
    """State the processor that OpenVINO computes on; failed where it finds none."""
    import openvino

    core = openvino.Core()
    if "CPU" not in core.available_devices:
        yield CheckResult("OpenVINO", "failed", "finds no processor to compute on", "Install openvino again.")
        return
    name = str(core.get_property("CPU", "FULL_DEVICE_NAME"))
    abilities = ", ".join(map(str, core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")))
    yield CheckResult("OpenVINO", "ok", f"CPU: {name}; {os.cpu_count()} cores; {abilities}")


def check_fonts() -> Iterator[CheckResult]:
    """Set a line of a PDF report, with the fonts that it embeds."""
    from ..report.pdf_layout import printable

    text = "Zürich, Ωmega, Żółć"
    if printable(text) == text:
        yield CheckResult("Fonts for PDF", "ok", "DejaVu Sans, regular and bold")
    else:
        yield CheckResult("Fonts for PDF", "failed", "DejaVu Sans lacks letters", "Install matplotlib again.")


def check_clock() -> Iterator[CheckResult]:
    """Compare the clock with the newest event of the audit trail."""
    now = datetime.now(UTC)
    text, action = (
        f"{now:%Y-%m-%d %H:%M:%S} UTC, local time zone {time.tzname[0]}",
        "Set the clock, for example by NTP.",
    )
    newest = next((event.when for event in audit.newest_first()), "")
    if now.year < _FIRST_YEAR:
        yield CheckResult("Clock", "failed", text, action)
    elif newest and datetime.fromisoformat(newest) > now + _SKEW:
        yield CheckResult("Clock", "warning", f"{text}; the audit trail has an event of {newest}", action)
    else:
        yield CheckResult("Clock", "ok", text)


def _pinned() -> dict[str, tuple[str, bool]]:
    """Return the release of each package that is needed, and whether that depends on the system."""
    try:
        lines = [line for line in metadata.requires("second-read") or () if "extra ==" not in line]
    except metadata.PackageNotFoundError:
        file = program_path("pyproject.toml")
        lines = tomllib.loads(file.read_text())["project"]["dependencies"] if file.is_file() else []
    matches = filter(None, map(_REQUIREMENT.match, lines))
    return {match[1].lower(): (match[2], bool(match[3])) for match in matches}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
