"""What is wrong with the settings, one line each: unknown names, and settings that contradict each other.

Values are never part of a line: they may be secrets, addresses or names of persons.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from ..settings import Settings, folder_notes, settings

__all__ = ["PREFIX", "configuration_notes", "contradictions", "unknown_settings"]

PREFIX = "SECOND_READ_"

OF_TESTS = frozenset({"SHARED", "REQUIRE", "TEST_DATABASE_URL", "TEST_NOTES"})
"""Names that the tests read (CONTRIBUTING.md)."""

_NEEDS = {
    "store_key_previous": ("store_key", "it would be the only key, and nothing is encrypted with it"),
    "pacs_tls_certificate": ("pacs_tls_key", "a certificate is used with its private key"),
    "pacs_tls_key": ("pacs_tls_certificate", "a private key is used with its certificate"),
    "pacs_receive_tls": ("pacs_tls_certificate", "`pacs receive` shows it to senders"),
    "pacs_listen": ("pacs_senders", "nobody may send"),
    "pacs_senders": ("pacs_listen", "`pacs receive` has no address to listen on"),
    "pacs_receive_metrics": ("pacs_listen", "`pacs receive` has no address to listen on"),
    "pacs_changes_credentials": ("pacs_changes", "nobody is asked with them"),
    "pacs_source_credentials": ("pacs_source", "nobody is asked with them"),
    "pacs_credentials": ("pacs", "nobody is asked with them"),
}
"""A setting that is set, the one that it needs, and why."""

_OF_STORED_STUDIES = ("keep_days", "keep_gb")


def configuration_notes(environment: Mapping[str, str] | None = None, file: Path | None = None) -> list[str]:
    """Return one line for each thing that is wrong with the settings; nothing where all is well.

    Args:
        environment: by default that of this process.
        file: settings file, by default ``second-read.toml`` in the working directory.

    Raises WrongArguments for a setting that cannot be used at all.
    """
    given = settings()
    names = _names(
        os.environ if environment is None else environment, Path("second-read.toml") if file is None else file
    )
    return [*unknown_settings(names), *contradictions(given), *folder_notes()]


def unknown_settings(names: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each name that is no setting, with the setting that is spelled most like it.

    Args:
        names: of settings in lower case, without prefix, and where each comes from.
    """
    for name, source in names.items():
        if name in Settings.model_fields or name.upper() in OF_TESTS:
            continue
        similar = get_close_matches(name, Settings.model_fields, n=1, cutoff=0.75)
        hint = f" Is {PREFIX}{similar[0].upper()} meant?" if similar else " See docs/settings.md."
        shown = "".join(letter if letter.isprintable() else "?" for letter in name.upper()[:60])
        yield f"{PREFIX}{shown}, {source}, is no setting and has no effect.{hint}"


def contradictions(given: Settings) -> Iterator[str]:
    """Yield a line for each setting that cannot have the effect that it is set for, because of another one."""
    for name, (needed, reason) in _NEEDS.items():
        if getattr(given, name) and not getattr(given, needed):
            yield f"{_shown(name)} is set without {_shown(needed)}: {reason}."
    if given.pacs_receive_tls and given.pacs_listen is None:
        yield f"{_shown('pacs_receive_tls')} is set without {_shown('pacs_listen')}: nothing is received."
    if given.pacs_retrieve == "move" and given.pacs_listen is None:
        yield f"SECOND_READ_PACS_RETRIEVE=move needs `pacs receive`: set {_shown('pacs_listen')}."
    if given.identity == "store" and given.keep == "session":
        yield "SECOND_READ_IDENTITY=store stores who the patient is with stored studies: set SECOND_READ_KEEP=store."
    if given.identity == "off" and (given.pacs or given.pacs_rules):
        yield (
            "SECOND_READ_IDENTITY=off forbids DICOM results, which carry the patient and the study: `pacs work` and "
            "`pacs send` refuse to run."
        )
    for name in _OF_STORED_STUDIES:
        if name in given.model_fields_set and given.keep == "session":
            yield f"{_shown(name)} is about stored studies, and SECOND_READ_KEEP=session stores none."
    yield from _limits(given)


def _limits(given: Settings) -> Iterator[str]:
    """Yield a line for each limit that another one keeps from ever being reached."""
    for smaller, larger, effect in (
        ("max_file_mb", "session_mb", "a file of the largest size does not fit into a worklist"),
        ("max_file_mb", "uploads_mb", "a file of the largest size is never received"),
        ("max_sessions_per_address", "max_sessions", "the limit of one address is never reached"),
        ("max_sessions", "max_connections", "so many tabs cannot connect"),
    ):
        if getattr(given, smaller) > getattr(given, larger) and {smaller, larger} & given.model_fields_set:
            yield f"{_shown(smaller)} is larger than {_shown(larger)}: {effect}."


def _names(environment: Mapping[str, str], file: Path) -> dict[str, str]:
    """Return the names of all settings that are given, in lower case, and where each is."""
    names = {}
    try:
        if file.is_file():
            names = {str(name).lower(): f"in {file.name}" for name in tomllib.loads(file.read_text(encoding="utf-8"))}
    except (OSError, ValueError):
        # what cannot be read is an error of the settings themselves
        names = {}
    names |= {
        name.upper().removeprefix(PREFIX).lower(): "in the environment"
        for name in environment
        if name.upper().startswith(PREFIX)
    }
    return names


def _shown(name: str) -> str:
    return f"{PREFIX}{name.upper()}"
