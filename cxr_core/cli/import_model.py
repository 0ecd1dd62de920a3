"""``models import``: make a model folder from published weights."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from ..access import Visitor, acting_user, audit
from ..errors import AuditUnwritable, PathUnusable, WeightsRefused, WrongArguments
from ..files import cannot_write, file_sha256, whole_file
from ..formatting import shown_name
from ..imaging import EXPOSURES, InputExposure
from ..labels import LABELS, parse_labels
from ..model.card import Imported, ModelCard
from ..pretrained.catalogue import PUBLISHED, PublishedWeights, find_published
from ..pretrained.download import download
from ..pretrained.preprocessing import NORMALISATIONS, PRESETS, Normalisation, Preset, find_preset, parse_normalisation
from ..pretrained.weights import MAX_FILE_BYTES, read_weights
from ..pretrained.weights.layouts import KNOWN_LAYOUTS, densenet_arrays
from ..settings import model_roots
from .progress import ImportProgress, JsonProgress, TextProgress

__all__ = ["import_model"]


def import_model(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="torchxrayvision:NAME, such as torchxrayvision:densenet121-res224-all; torch:FILE; or keras:FILE.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Model folder to write (default: beside the other models).")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Weights file on this machine; nothing is downloaded.")
    ] = None,
    sha256: Annotated[str | None, typer.Option(metavar="HEX", help="Expected SHA-256 of the file.")] = None,
    keep: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Save the downloaded file here (default: it is deleted).")
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(metavar="A,B,...", help="torch, keras: labels of the outputs (default for keras: NIH's 14)."),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(min=32, help="torch, keras: side of the network's input, a multiple of 32 (default: 224)."),
    ] = None,
    normalisation: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|MEAN,SD",
            help="torch, keras: input normalisation of the training: " + ", ".join(NORMALISATIONS) + ", or mean and "
            "standard deviation of grey from 0 to 1 (default for keras: imagenet).",
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="torch: labels, normalisation and size of " + ", ".join(PRESETS) + "."),
    ] = None,
    exposure: Annotated[
        str,
        typer.Option(
            metavar="|".join(EXPOSURES), help="Exposure normalisation (default: none, as the authors have it)."
        ),
    ] = "none",
    json_progress: Annotated[
        bool, typer.Option("--json-progress", help="Report progress on stderr as JSON, one object per line.")
    ] = False,
    for_visitor: Annotated[
        bool, typer.Option("--for-visitor", help="For the app: read the user who asks, sealed, from standard input.")
    ] = False,
) -> None:
    """Make a model folder from published weights.

    A torch file is read without torch, and nothing in it is executed: a pickle that names anything other than the
    parts of a network is refused. The finished model is checked by comparing TensorFlow with OpenVINO. Examples:

      python -m cxr_core models import torchxrayvision:densenet121-res224-all

      python -m cxr_core models import torchxrayvision:nih --file nih.pt

      python -m cxr_core models import torch:model.pth.tar --preset arnoweng

    By default the input has the image's exposure as displayed, as the authors have it. To measure what --exposure
    stretched does on your images, import again with it and another --out, evaluate both models and run runs compare.
    """
    if json_progress:
        # SIGTERM from the calling program counts as Ctrl-C: what was written so far is deleted
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    acting = acting_user(sys.stdin.readline() if for_visitor else None)
    # before the download
    if (problem := audit.problem()) is not None:
        raise problem
    kind, _, name = source.partition(":")
    if sha256 is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise WrongArguments("--sha256: 64 hexadecimal digits are accepted.")
    if exposure not in EXPOSURES:
        raise WrongArguments(f"--exposure {exposure!r}: {' and '.join(EXPOSURES)} are accepted.")
    progress = JsonProgress() if json_progress else TextProgress()
    options = _Options(labels, size, normalisation, preset)
    if kind == "torchxrayvision":
        if options != _Options():
            raise WrongArguments(
                "--labels, --size, --normalisation and --preset are for torch:FILE and keras:FILE; published weights "
                "come with their own."
            )
        published = find_published(name)
        folder = _folder(out, published.name)
        card = _import_published(published, folder, file, sha256, keep, exposure, progress)
    elif kind in ("torch", "keras") and name:
        if file is not None or keep is not None:
            raise WrongArguments(f"{kind}:FILE already names the file: leave out --file and --keep.")
        file_options = options.for_file(kind)
        folder = _folder(out, re.sub(r"[^A-Za-z0-9._-]+", "-", Path(name).name.partition(".")[0]).strip("-.") or kind)
        card = _import_file(kind, Path(name), file_options, folder, sha256, exposure, progress)
    else:
        raise WrongArguments(
            f"Source {source[:80]!r}: unknown. Accepted: torchxrayvision:NAME, such as "
            "torchxrayvision:densenet121-res224-all, torch:FILE and keras:FILE."
        )
    _record(card, folder, acting)
    unverified = ", but not verified to be the published weights" if card.unverified else ""
    print(f"{folder}: imported and checked{unverified}; see: python -m cxr_core models show {folder}")


@dataclass(frozen=True)
class _FileOptions:
    """How to read a weights file of the user."""

    labels: tuple[str, ...]
    size: int
    normalisation: Normalisation
    preset: Preset | None


@dataclass(frozen=True)
class _Options:
    """Options as given on the command line."""

    labels: str | None = None
    size: int | None = None
    normalisation: str | None = None
    preset: str | None = None

    def for_file(self, kind: str) -> _FileOptions:
        """Return the options completed from the preset and, for Keras, from defaults; raises WrongArguments."""
        if kind == "keras" and self.preset is not None:
            raise WrongArguments("--preset is for torch:FILE.")
        if self.size is not None and self.size % 32:
            raise WrongArguments(f"--size {self.size}: a multiple of 32 is accepted.")
        preset = find_preset(self.preset) if self.preset is not None else None
        if kind == "torch" and preset is None and (self.labels is None or self.normalisation is None):
            raise WrongArguments(
                "torch:FILE: a file does not state the labels of its outputs, nor how its input was normalised. Give "
                f"--labels and --normalisation, or --preset {' | '.join(PRESETS)}."
            )
        return _FileOptions(
            parse_labels(self.labels) if self.labels is not None else preset.labels if preset else LABELS,
            self.size or (preset.size if preset else 224),
            parse_normalisation(self.normalisation or (preset.normalisation if preset else "imagenet")),
            preset,
        )


def _record(card: ModelCard, folder: Path, acting: Visitor) -> None:
    try:
        audit.record(acting, "model-import", model=card.weights_sha256)
    except AuditUnwritable:
        # no model without its line in the audit trail
        shutil.rmtree(folder)
        raise


def _folder(out: Path | None, name: str) -> Path:
    folder = out if out is not None else model_roots()[0] / name
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", folder.resolve().name):
        raise WrongArguments(
            f"--out {folder}: the folder's name is the model's id: letters, digits, dot, - and _ only."
        )
    if folder.exists():
        raise PathUnusable(f"Model folder {folder}: exists already. Give another --out, or remove it first.")
    return folder


def _import_published(
    published: PublishedWeights,
    folder: Path,
    file: Path | None,
    sha256: str | None,
    keep: Path | None,
    exposure: InputExposure,
    progress: ImportProgress,
) -> ModelCard:
    with tempfile.TemporaryDirectory(prefix="second-read-") as temporary:
        path = file
        if path is None:
            path = Path(temporary) / published.url.rpartition("/")[2]
            try:
                download(published.url, path, max_bytes=MAX_FILE_BYTES, report=progress.bytes)
            finally:
                progress.downloaded()
        elif not path.is_file():
            raise WeightsRefused(f"Weights {path}: no such file.")
        checked = _check_sha256(path, published, sha256)
        if keep is not None and file is None:
            try:
                with whole_file(keep) as copy, path.open("rb") as source:
                    shutil.copyfileobj(source, copy)
            except OSError as error:
                raise cannot_write(f"--keep {keep}", error) from error
        progress.step("Reading the weights")
        weights = read_weights(path)
        imported = Imported(
            published.source, f"{shown_name(path.name)} ({weights.form})", weights.sha256, checked, published.url
        )
        card: ModelCard = _importing().import_published(
            published, weights, imported, folder, exposure=exposure, report=progress.step
        )
        return card


def _import_file(
    kind: str,
    file: Path,
    options: _FileOptions,
    folder: Path,
    sha256: str | None,
    exposure: InputExposure,
    progress: ImportProgress,
) -> ModelCard:
    if not file.is_file():
        raise WeightsRefused(f"Weights {file}: no such file.")
    card: ModelCard
    digest = file_sha256(file)
    _refuse_catalogued(file, digest)
    if sha256 is not None and digest != sha256.lower():
        raise WeightsRefused(
            f"Weights {file.name}: SHA-256 is {digest}, not the one given. It is not the expected file."
        )
    checked = "the SHA-256 given at the import" if sha256 else "nothing: none was given at the import"
    name = shown_name(file.name)
    source = f"{kind}:{name}"
    if kind == "keras":
        imported = Imported(source, f"{name} (Keras weights)", digest, checked)
        shape = options.labels, options.size
        card = _importing().import_keras(
            file, *shape, imported, folder, normalisation=options.normalisation, exposure=exposure, report=progress.step
        )
        return card
    progress.step("Reading the weights")
    try:
        weights = read_weights(file)
    except WeightsRefused as refusal:
        raise WeightsRefused(f"{refusal} {KNOWN_LAYOUTS}") from refusal
    # before TensorFlow is started
    arrays = densenet_arrays(weights)
    if arrays.outputs != len(options.labels):
        raise WeightsRefused(
            f"Weights {file.name}: {arrays.outputs} outputs, but {len(options.labels)} labels. Give --labels with one "
            "name for each output, in their order."
        )
    imported = Imported(source, f"{name} ({weights.form}; {arrays.layout})", digest, checked)
    stated = options.labels, options.size, options.normalisation
    card = _importing().import_torch(
        weights, *stated, imported, folder, preset=options.preset, exposure=exposure, report=progress.step
    )
    return card


def _refuse_catalogued(path: Path, digest: str, published: PublishedWeights | None = None) -> None:
    """Raise WeightsRefused where a file is in the catalogue under another name than the one given."""
    for other in PUBLISHED.values():
        if other != published and digest == other.sha256:
            raise WeightsRefused(
                f"Weights {path.name}: its SHA-256 is that of {other.source}. Its labels and published numbers are "
                f"that source's: import it as {other.source} --file {path.name}."
            )


def _check_sha256(path: Path, published: PublishedWeights, sha256: str | None) -> str:
    """Return what the file's SHA-256 was compared with; raises WeightsRefused where it differs."""
    digest = file_sha256(path)
    _refuse_catalogued(path, digest, published)
    expected = sha256.lower() if sha256 is not None else published.sha256
    if expected is None:
        return f"nothing: {published.sha256_source}"
    if digest != expected:
        source = "the one given" if sha256 is not None else f"the published file's, {expected}"
        raise WeightsRefused(
            f"Weights {path.name}: SHA-256 is {digest}, not {source}. It is not the expected file; if you know from "
            f"another source that it is, give --sha256 {digest}."
        )
    if digest == published.sha256:
        return f"the published file's, {published.sha256_source}"
    return "the SHA-256 given at the import, which is not known to be the published file's"


def _importing() -> ModuleType:
    # TensorFlow's log lines about the processor would appear between the steps
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("ABSL_MIN_LOG_LEVEL", "3")
    # importing TensorFlow takes seconds
    from ..pretrained import importing

    return importing
