"""``models import``: weights of others to a model folder."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from ..access import asked_by, audit
from ..duration import duration
from ..errors import AuditUnwritable, PathUnusable, WeightsRefused, WrongArguments
from ..labels import LABELS
from ..model.card import Imported, ModelCard
from ..model.download import download
from ..model.folder import file_sha256
from ..model.published import Published, find_published
from ..model.weights import MAX_FILE_BYTES, read_weights
from ..settings import settings
from ..whole_files import cannot_write, whole_file
from .progress import Steps

__all__ = ["import_model"]


def import_model(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="torchxrayvision:NAME, such as torchxrayvision:densenet121-res224-all; or keras:FILE.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Model folder to make; by default one beside the others.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The weights, where they are here already: nothing is downloaded."),
    ] = None,
    sha256: Annotated[
        str | None,
        typer.Option(metavar="HEX", help="SHA-256 that the file must have, where you know it from elsewhere."),
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep what was downloaded there; else it is deleted.")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(metavar="A,B,...", help="keras: what the outputs are for; by default NIH's 14.")
    ] = None,
    size: Annotated[int, typer.Option(min=32, help="keras: side of the network's input, a multiple of 32.")] = 224,
    json_progress: Annotated[
        bool, typer.Option("--json-progress", help="Tell progress as JSON, one object a line, on stderr.")
    ] = False,
) -> None:
    """Make a model folder of weights that others published.

    A file of torch is read without torch and without running any of it: a file that asks for anything
    that weights have no need of is refused. TensorFlow and OpenVINO are compared before it is done. Examples:

      python -m cxr_core models import torchxrayvision:densenet121-res224-all

      python -m cxr_core models import torchxrayvision:nih --file nih.pt --out model_weights/nih
    """
    if json_progress:
        # a program that asks it to end means Ctrl-C: what was written so far is deleted
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    # before a download is made for nothing
    if (problem := audit.problem()) is not None:
        raise problem
    kind, _, name = source.partition(":")
    if sha256 is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise WrongArguments("--sha256: 64 hexadecimal digits are needed.")
    tell = _Json() if json_progress else _Words()
    if kind == "torchxrayvision":
        if labels is not None or size != 224:
            raise WrongArguments("--labels and --size are for keras:FILE; these weights have their own.")
        published = find_published(name)
        folder = _folder(out, published.name)
        made = _import_published(published, folder, file, sha256, keep, tell)
    elif kind == "keras" and name:
        if file is not None or keep is not None:
            raise WrongArguments("keras:FILE names the file already: leave out --file and --keep.")
        if size % 32:
            raise WrongArguments(f"--size {size}: a multiple of 32 is needed.")
        folder = _folder(
            out, re.sub(r"[^A-Za-z0-9._-]+", "-", Path(name).name.partition(".")[0]).strip("-.") or "keras"
        )
        made = _import_keras(Path(name), _labels(labels), size, folder, sha256, tell)
    else:
        raise WrongArguments(
            f"Source {source[:80]!r}: unknown. Accepted: torchxrayvision:NAME, such as "
            "torchxrayvision:densenet121-res224-all, and keras:FILE."
        )
    _keep_in_the_trail(made, folder)
    print(f"{folder}: imported and checked; see: python -m cxr_core models show {folder}")


def _keep_in_the_trail(made: ModelCard, folder: Path) -> None:
    try:
        audit.record(asked_by(), "model-import", model=made.weights_sha256)
    except AuditUnwritable:
        # no model without its line
        shutil.rmtree(folder)
        raise


def _folder(out: Path | None, name: str) -> Path:
    folder = out if out is not None else settings().home / name
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", folder.resolve().name):
        raise WrongArguments(
            f"--out {folder}: the folder's name is the model's id: letters, digits, dot, - and _ only."
        )
    if folder.exists():
        raise PathUnusable(f"Model folder {folder}: is there already. Give another --out, or remove it first.")
    return folder


def _labels(text: str | None) -> tuple[str, ...]:
    if text is None:
        return LABELS
    found = tuple(label.strip() for label in text.split(","))
    if len(set(found)) != len(found) or not all(
        re.fullmatch(r"[A-Za-z][A-Za-z0-9 _-]{0,59}", label) for label in found
    ):
        raise WrongArguments("--labels: names with commas between, each once, of letters, digits, space, - and _.")
    return found


def _import_published(
    published: Published, folder: Path, file: Path | None, sha256: str | None, keep: Path | None, tell: _Teller
) -> ModelCard:
    with tempfile.TemporaryDirectory(prefix="second-read-") as temporary:
        path = file
        if path is None:
            path = Path(temporary) / published.url.rpartition("/")[2]
            try:
                download(published.url, path, most=MAX_FILE_BYTES, report=tell.bytes)
            finally:
                tell.downloaded()
        elif not path.is_file():
            raise WeightsRefused(f"Weights {path}: no such file.")
        checked = _check(path, published, sha256)
        if keep is not None and file is None:
            try:
                with whole_file(keep) as kept, path.open("rb") as source:
                    shutil.copyfileobj(source, kept)
            except OSError as error:
                raise cannot_write(f"--keep {keep}", error) from error
        tell.step("Reading the weights")
        weights = read_weights(path)
        imported = Imported(published.source, f"{path.name} ({weights.form})", weights.sha256, checked, published.url)
        training = _training()
        return training.import_published(published, weights, imported, folder, report=tell.step)


def _import_keras(
    file: Path, labels: tuple[str, ...], size: int, folder: Path, sha256: str | None, tell: _Teller
) -> ModelCard:
    if not file.is_file():
        raise WeightsRefused(f"Weights {file}: no such file.")
    found = file_sha256(file)
    if sha256 is not None and found != sha256.lower():
        raise WeightsRefused(f"Weights {file.name}: SHA-256 is {found}, not the one given. It is not the file meant.")
    checked = "the SHA-256 given at the import" if sha256 else "nothing: none was given at the import"
    imported = Imported(f"keras:{file.name}", f"{file.name} (Keras HDF5)", found, checked)
    return _training().import_keras(file, labels, size, imported, folder, report=tell.step)


def _check(path: Path, published: Published, sha256: str | None) -> str:
    """Return with what the file's hash was compared; WeightsRefused where it is another file."""
    with path.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    expected = sha256.lower() if sha256 is not None else published.sha256
    if expected is None:
        return f"nothing: {published.witness}"
    if found != expected:
        whose = "the one given" if sha256 is not None else f"the published file's, {expected}"
        raise WeightsRefused(
            f"Weights {path.name}: SHA-256 is {found}, not {whose}. It is not the file meant; where you know that "
            f"it is, from elsewhere, give --sha256 {found}."
        )
    if found == published.sha256:
        return f"the published file's, {published.witness}"
    return "the SHA-256 given at the import, which is not known to be the published file's"


def _training():
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # TensorFlow takes seconds to import: only what is left of this command needs it
    from ..training import importing

    return importing


class _Teller:
    """Tells how far an import is."""

    def bytes(self, done: int, size: int | None) -> None:
        """Tell how much was downloaded."""

    def downloaded(self) -> None:
        """Tell that the download has ended."""

    def step(self, name: str) -> None:
        """Tell what begins."""


class _Words(_Teller):
    """For a person: a bar on a terminal while downloading, a line for every step."""

    def __init__(self) -> None:
        self._bar: Steps | None = None

    def bytes(self, done: int, size: int | None) -> None:
        if self._bar is None:
            self._bar = Steps("Downloading (kB)", (size or MAX_FILE_BYTES) // 1000)
            self._bar.__enter__()
        self._bar.done(done // 1000)

    def downloaded(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)

    def step(self, name: str) -> None:
        print(name, file=sys.stderr)


class _Json(_Teller):
    """For a program, such as the page."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._told = 0.0

    def bytes(self, done: int, size: int | None) -> None:
        now = time.monotonic()
        if now - self._told < 0.2 and done != size:
            return
        self._told = now
        left = None if not size else (now - self._start) * (size - done) / done
        words = f"Downloading, {done / 1e6:.1f} MB" + (f" of {size / 1e6:.1f} MB" if size else "")
        self._put(words, None if not size else done / size, None if left is None else f"{duration(left)} left")

    def step(self, name: str) -> None:
        self._put(name, None, None)

    def _put(self, step: str, share: float | None, left: str | None) -> None:
        print(json.dumps({"step": step, "share": share, "left": left}), file=sys.stderr, flush=True)
