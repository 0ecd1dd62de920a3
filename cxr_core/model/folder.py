"""A model folder: its files, their hashes, and the refusal of anything changed."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelUnusable
from ..settings import settings
from ..whole_files import cannot_write, write_all, write_whole
from .card import ModelCard, card_json, read_card
from .familiarity import FAMILIARITY

__all__ = [
    "CARD",
    "GRAPH",
    "SUMS",
    "WEIGHTS",
    "ModelFolder",
    "card_of",
    "file_sha256",
    "find_model",
    "keep_card",
    "list_models",
    "making",
    "open_model",
    "write_sums",
]

CARD = "card.json"
WEIGHTS = "model.keras"
GRAPH = "openvino/model.xml"
GRAPH_WEIGHTS = "openvino/model.bin"
SUMS = "SHA256SUMS"
FILES = (CARD, WEIGHTS, GRAPH, GRAPH_WEIGHTS)


@dataclass(frozen=True)
class ModelFolder:
    """A folder whose files were all checked against ``SHA256SUMS`` and the card."""

    path: Path
    card: ModelCard

    @property
    def weights(self) -> Path:
        """The Keras model."""
        return self.path / WEIGHTS

    @property
    def graph(self) -> Path:
        """The OpenVINO graph; its constants lie beside it."""
        return self.path / GRAPH


def file_sha256(path: Path) -> str:
    """Return the hex SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sums(folder: Path) -> None:
    """Write ``SHA256SUMS`` in the format of ``sha256sum``."""
    present = [name for name in (*FILES, FAMILIARITY) if name in FILES or (folder / name).is_file()]
    write_whole(folder / SUMS, _sums({name: file_sha256(folder / name) for name in present}))


def keep_card(folder: ModelFolder, card: ModelCard) -> None:
    """Write another card into a checked model folder, and the sums that go with it: both or none.

    Raises:
        PathUnusable: the folder cannot be written.
    """
    content = card_json(card)
    sums = _read_sums(folder.path) | {CARD: hashlib.sha256(content).hexdigest()}
    try:
        write_all({folder.path / CARD: content, folder.path / SUMS: _sums(sums)})
    except OSError as error:
        raise cannot_write(f"Model folder {folder.path.name}", error) from error


@contextlib.contextmanager
def making(folder: Path) -> Iterator[Path]:
    """Give a place beside a model folder to make it in; it is moved there when the context ends without an error.

    Files of an earlier model of that folder are replaced, the sums last; other files in it stay.

    Raises:
        PathUnusable: there is no room, or no leave to write.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=folder.parent, ignore_cleanup_errors=True) as aside:
            made = Path(aside) / folder.name
            made.mkdir()
            yield made
            _move(made, folder)
    except OSError as error:
        raise cannot_write(f"Model folder {folder}", error) from error


def _move(made: Path, folder: Path) -> None:
    if not folder.exists():
        made.rename(folder)
        return
    names = [path.relative_to(made) for path in made.rglob("*") if path.is_file()]
    # refused from here on until the new sums are there
    for name in (*FILES, FAMILIARITY):
        if Path(name) not in names:
            (folder / name).unlink(missing_ok=True)
    for name in sorted(names, key=lambda name: name.name == SUMS):
        (folder / name).parent.mkdir(exist_ok=True)
        (made / name).replace(folder / name)


def _sums(sums: Mapping[str, str]) -> bytes:
    return "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)).encode()


def find_model(model: str) -> Path:
    """Return the folder of a model id, or of a path to a model folder."""
    candidate = Path(model)
    # a name that no file system takes is no model either
    with contextlib.suppress(OSError, ValueError):
        if (candidate / CARD).is_file():
            return candidate
        if candidate.name == model and (settings().home / model / CARD).is_file():
            return settings().home / model
    known = ", ".join(path.name for path in list_models()) or "none"
    raise ModelUnusable(f"Model {model!r}: no such model folder. Found: {known}. See: models list.")


def list_models() -> list[Path]:
    """Return the model folders of ``SECOND_READ_HOME``, by name."""
    return sorted(card.parent for card in settings().home.glob(f"*/{CARD}"))


def card_of(weights_sha256: str) -> ModelCard | None:
    """Return the card of the model that has these weights; None where none is here, or none that can be read."""
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
    sums = _read_sums(path)
    for name in dict.fromkeys((*FILES, *sums)):
        if name not in sums:
            raise ModelUnusable(f"Model {path.name}: {SUMS} does not list {name}.")
        if not (path / name).is_file():
            raise ModelUnusable(f"Model {path.name}: the file {name} is missing.")
        if file_sha256(path / name) != sums[name]:
            raise ModelUnusable(
                f"Model {path.name}: {name} was changed since the model was made (its SHA-256 differs from "
                f"{SUMS}). Restore the folder; it is not used."
            )
    card = read_card(path / CARD)
    if card.familiarity is not None and FAMILIARITY not in card.files:
        raise ModelUnusable(f"Model {path.name}: the card does not list its {FAMILIARITY}.")
    for name, sha256 in card.files.items():
        if sums.get(name) != sha256:
            raise ModelUnusable(f"Model {path.name}: the card was made for another {name}.")
    if sums[WEIGHTS] != card.weights_sha256:
        raise ModelUnusable(
            f"Model {path.name}: calibration, operating points and map anchors of the card were made with other "
            f"weights (SHA-256 {card.weights_sha256[:12]}, found {sums[WEIGHTS][:12]}). They are refused."
        )
    if card.calibration is not None and card.calibration.weights_sha256 != sums[WEIGHTS]:
        raise ModelUnusable(
            f"Model {path.name}: the calibration of the card was made with other weights "
            f"(SHA-256 {card.calibration.weights_sha256[:12]}, found {sums[WEIGHTS][:12]}). It is refused."
        )
    return ModelFolder(path, card)


def _read_sums(path: Path) -> dict[str, str]:
    try:
        lines = (path / SUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelUnusable(f"Model {path.name}: {SUMS} is missing or cannot be read.") from error
    sums = {}
    for line in lines:
        digest, gap, name = line.partition("  ")
        if len(digest) != 64 or not gap:
            raise ModelUnusable(f"Model {path.name}: {SUMS} is not in the format of sha256sum.")
        sums[name] = digest
    return sums
