"""The store of the DICOM network that this process has open, where a PACS is set up."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from ..pacs_settings import PacsSettings
from ..settings import settings
from ..store.pacs_records import StoredResult
from ..store.pacs_store import PacsStore

__all__ = ["describe_results", "is_pacs_set_up", "pacs_store"]


def is_pacs_set_up() -> bool:
    """Return whether any setting of the DICOM network is set; it is off where none is."""
    return bool(settings().model_fields_set & PacsSettings.model_fields.keys())


@lru_cache(maxsize=1)
def pacs_store() -> PacsStore:
    """Return the store of this process; raises PathUnusable where it cannot be opened."""
    return PacsStore()


def describe_results(results: Iterable[StoredResult]) -> list[str]:
    """Return one line for each destination: which results it has been sent, and whether they were read back.

    Examples:
        >>> from dataclasses import replace
        >>> result = StoredResult("j", "sr", "archive", "1.2", "1.3", "ab", 9, sent="2026-11-27T05:00:00.000+00:00")
        >>> describe_results([result, replace(result, name="sc-1", verified="2026-11-27T05:00:01.000+00:00")])
        ['archive: sc-1 verified; sr sent']
    """
    lines: dict[str, dict[str, list[str]]] = {}
    for result in results:
        state = "verified" if result.verified else "sent" if result.sent else "to be sent"
        lines.setdefault(result.destination, {}).setdefault(state, []).append(result.name)
    states = ("verified", "sent", "to be sent")
    return [
        f"{destination}: " + "; ".join(f"{', '.join(names[state])} {state}" for state in states if state in names)
        for destination, names in lines.items()
    ]
