"""Model folders: their files, the SHA-256 of each, and the refusal of changed files."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelUnusable
from ..files import cannot_write, file_sha256, write_all, write_whole
from ..settings import folder_notes, model_roots
from .card import ModelCard, card_json, read_card
from .familiarity import FAMILIARITY

__all__ = [
    "CARD",
    "GRAPH",
    "GRAPH_WEIGHTS",
    "INT8_GRAPH",
    "INT8_WEIGHTS",
    "SUMS",
    "WEIGHTS",
    "ModelFolder",
    "card_of",
    "check_files",
    "checked_sums",
    "find_model",
    "keep_card",
    "list_models",
    "making",
    "open_model",
    "sums_file",
    "write_sums",
]

CARD = "card.json"
WEIGHTS = "model.keras"
GRAPH = "openvino/model.xml"
GRAPH_WEIGHTS = "openvino/model.bin"
SUMS = "SHA256SUMS"
INT8_GRAPH, INT8_WEIGHTS = "model.xml", "model.bin"
"""Of the folder of an INT8 graph, which has a card and a SHA256SUMS of its own."""

FILES = (CARD, WEIGHTS, GRAPH, GRAPH_WEIGHTS)


@dataclass(frozen=True)
class ModelFolder:
    """A folder whose files were all checked against ``SHA256SUMS`` and the card.

    ``int8`` is the folder of the INT8 graph, where the model is read at INT8: the card is then that graph's own
    (:mod:`.precision`).
    """

    path: Path
    card: ModelCard
    int8: Path | None = None

    @property
    def weights(self) -> Path:
        """The Keras model."""
        return self.path / WEIGHTS

    @property
    def graph(self) -> Path:
        """The OpenVINO graph; its constants lie beside it."""
        return self.path / GRAPH if self.int8 is None else self.int8 / INT8_GRAPH

    @property
    def graph_digests(self) -> tuple[str, str]:
        """SHA-256 of the OpenVINO graph, and of its constants."""
        graph, constants = (GRAPH, GRAPH_WEIGHTS) if self.int8 is None else (INT8_GRAPH, INT8_WEIGHTS)
        return self.card.files[graph], self.card.files[constants]

    @property
    def card_digest(self) -> str:
        """SHA-256 of ``card.json``, which holds thresholds and curves."""
        return file_sha256((self.path if self.int8 is None else self.int8) / CARD)


def write_sums(folder: Path) -> None:
    """Write ``SHA256SUMS`` in the format of ``sha256sum``."""
    present = [name for name in (*FILES, FAMILIARITY) if name in FILES or (folder / name).is_file()]
    write_whole(folder / SUMS, sums_file({name: file_sha256(folder / name) for name in present}))


def keep_card(folder: ModelFolder, card: ModelCard) -> None:
    """Write another card into a checked model folder together with its SHA256SUMS: both or none.

    Raises:
        PathUnusable: the folder cannot be written.
    """
    content = card_json(card)
    sums = _read_sums(folder.path, f"Model {folder.path.name}") | {CARD: hashlib.sha256(content).hexdigest()}
    try:
        write_all({folder.path / CARD: content, folder.path / SUMS: sums_file(sums)})
    except OSError as error:
        raise cannot_write(f"Model folder {folder.path.name}", error) from error


@contextlib.contextmanager
def making(folder: Path) -> Iterator[Path]:
    """Give a temporary folder to make a model in; it is moved into place when the context ends without an error.

    Files of an earlier model of that folder are replaced, the sums last; other files in it stay.

    Raises:
        PathUnusable: the disk is full, or the place may not be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=folder.parent, ignore_cleanup_errors=True) as temporary:
            new = Path(temporary) / folder.name
            new.mkdir()
            yield new
            _move(new, folder)
    except OSError as error:
        raise cannot_write(f"Model folder {folder}", error) from error


def _move(new: Path, folder: Path) -> None:
    if not folder.exists():
        new.rename(folder)
        return
    paths = [path.relative_to(new) for path in new.rglob("*") if path.is_file()]
    # the folder is refused from here on until the new sums are there
    for name in (*FILES, FAMILIARITY):
        if Path(name) not in paths:
            (folder / name).unlink(missing_ok=True)
    for path in sorted(paths, key=lambda path: path.name == SUMS):
        (folder / path).parent.mkdir(exist_ok=True)
        (new / path).replace(folder / path)


def sums_file(sums: Mapping[str, str]) -> bytes:
    """Return the content of ``SHA256SUMS``."""
    return "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)).encode()


def find_model(model: str) -> Path:
    """Return the folder of a model id, or of a path to a model folder."""
    candidate = Path(model)
    # a name that the file system rejects is no model either
    with contextlib.suppress(OSError, ValueError):
        if (candidate / CARD).is_file():
            return candidate
        for root in model_roots() if candidate.name == model else ():
            if (root / model / CARD).is_file():
                return root / model
    available = ", ".join(path.name for path in list_models()) or "none"
    notes = "".join(f" {note}" for note in folder_notes())
    raise ModelUnusable(f"Model {model!r}: no such model folder. Found: {available}. See: models list.{notes}")


def list_models() -> list[Path]:
    """Return the model folders by name: those of the user, and those that come with the program.

    Of two with one name the user's is returned (see :func:`cxr_core.settings.model_roots`).
    """
    folders: dict[str, Path] = {}
    for root in model_roots():
        for card in root.glob(f"*/{CARD}"):
            folders.setdefault(card.parent.name, card.parent)
    return [folders[name] for name in sorted(folders)]


def card_of(weights_sha256: str) -> ModelCard | None:
    """Return the card of the model with these weights; None where there is no such model, or its card is unreadable."""
    for path in list_models() if weights_sha256 else ():
        try:
            card = read_card(path / CARD)
        except ModelUnusable:
            continue
        if card.weights_sha256 == weights_sha256:
            return card
    return None


def open_model(model: str) -> ModelFolder:
    """Check every file of a model folder and read its card.

    Raises ModelUnusable, naming the file, where one is missing or differs by a byte from
    ``SHA256SUMS``, or where the card was made for other weights.
    """
    path = find_model(model)
    what = f"Model {path.name}"
    sums = checked_sums(path, FILES, what)
    card = read_card(path / CARD)
    if card.familiarity is not None and FAMILIARITY not in card.files:
        raise ModelUnusable(f"{what}: the card does not list its {FAMILIARITY}.")
    check_files(card, sums, what)
    if sums[WEIGHTS] != card.weights_sha256:
        raise ModelUnusable(
            f"Model {path.name}: calibration, operating points and map anchors of the card were made with other "
            f"weights (SHA-256 {card.weights_sha256[:12]}, found {sums[WEIGHTS][:12]}). They are refused."
        )
    maps = [("localisation", table) for table in card.localisation]
    for name, measured in (("calibration", card.calibration), ("stability", card.stability), *maps):
        if measured is not None and measured.weights_sha256 != sums[WEIGHTS]:
            raise ModelUnusable(
                f"Model {path.name}: the {name} of the card was made with other weights "
                f"(SHA-256 {measured.weights_sha256[:12]}, found {sums[WEIGHTS][:12]}). It is refused."
            )
    return ModelFolder(path, card)


def checked_sums(path: Path, files: Iterable[str], what: str) -> dict[str, str]:
    """Return the SHA-256 of each file of a folder by name, all of them checked.

    Args:
        path: of the folder.
        files: that it must have, beside those that its SHA256SUMS lists.
        what: begins a message, such as ``Model second-read-mini``.

    Raises:
        ModelUnusable: a file is missing, is not listed, or differs; it is named.
    """
    sums = _read_sums(path, what)
    for name in dict.fromkeys((*files, *sums)):
        if name not in sums:
            raise ModelUnusable(f"{what}: {SUMS} does not list {name}.")
        if not (path / name).is_file():
            raise ModelUnusable(f"{what}: the file {name} is missing.")
        if file_sha256(path / name) != sums[name]:
            raise ModelUnusable(
                f"{what}: {name} was changed since the model was made (its SHA-256 differs from "
                f"{SUMS}). Restore the folder; it is not used."
            )
    return sums


def check_files(card: ModelCard, sums: Mapping[str, str], what: str) -> None:
    """Raise ModelUnusable where a card was made for another file than the folder has."""
    for name, sha256 in card.files.items():
        if sums.get(name) != sha256:
            raise ModelUnusable(f"{what}: the card was made for another {name}.")


def _read_sums(path: Path, what: str) -> dict[str, str]:
    try:
        lines = (path / SUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelUnusable(f"{what}: {SUMS} is missing or cannot be read.") from error
    sums = {}
    for line in lines:
        digest, gap, name = line.partition("  ")
        if len(digest) != 64 or not gap:
            raise ModelUnusable(f"{what}: {SUMS} is not in the format of sha256sum.")
        sums[name] = digest
    return sums
