"""Cards of the models that read stored images, so that a read is shown with the card of then.

One file per card, named by its SHA-256, in ``cards/`` of ``SECOND_READ_HOME``. A card holds nothing of a patient: it
stays when the reads are deleted.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from ..errors import ModelUnusable
from ..files import cannot_write, private_folder, write_whole
from ..model import ModelCard
from ..model.card import card_json, read_card
from ..model.folder import card_of
from ..settings import settings
from .read_record import StoredRead

__all__ = ["card_of_read", "cards_folder", "load_card", "save_card"]

_DIGEST = re.compile(r"[0-9a-f]{64}")

_last: tuple[ModelCard, str] | None = None
"""The card that was stored last and its digest: all images of a worklist are read with one."""


def cards_folder() -> Path:
    """Return the folder of the stored cards."""
    return settings().home / "cards"


def save_card(card: ModelCard) -> str:
    """Store a card, unless it is there already, and return its SHA-256; raises PathUnusable."""
    global _last
    last, content = _last, b""
    if last is not None and last[0] is card:
        digest = last[1]
    else:
        content = card_json(card)
        digest = hashlib.sha256(content).hexdigest()
        _last = card, digest
    path = cards_folder() / f"{digest}.json"
    if not path.is_file():
        try:
            private_folder(path.parent)
            write_whole(path, content or card_json(card), private=True)
        except OSError as error:
            raise cannot_write("Model card of a read", error) from error
    return digest


def load_card(digest: str) -> ModelCard | None:
    """Return a stored card; None where there is none with this SHA-256, or it was changed or cannot be read."""
    path = cards_folder() / f"{digest}.json"
    try:
        if not _DIGEST.fullmatch(digest) or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            return None
        return read_card(path)
    except (OSError, ModelUnusable):
        return None


def card_of_read(stored: StoredRead) -> ModelCard | None:
    """Return the card of then; for a read without one, that of the installed model with these weights, or None."""
    return load_card(stored.card) or card_of(stored.summary.model_sha256)
