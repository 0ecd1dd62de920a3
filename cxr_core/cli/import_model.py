"""``models import``: weights of others to a model folder."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ..access import Visitor, asked_by, audit
from ..errors import AuditUnwritable, PathUnusable, WeightsRefused, WrongArguments
from ..labels import LABELS
from ..model.card import Imported, ModelCard
from ..model.download import download
from ..model.folder import file_sha256
from ..model.normalisation import NORMALISATIONS, Normalisation, normalisation_of
from ..model.presets import PRESETS, Preset, find_preset
from ..model.published import PUBLISHED, Published, find_published
from ..model.weights import MAX_FILE_BYTES, read_weights
from ..model.weights.layouts import KNOWN_LAYOUTS, densenet_arrays
from ..settings import settings
from ..shown import shown_name
from ..whole_files import cannot_write, whole_file
from .import_progress import JsonTeller, Teller, WordsTeller

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
        str | None,
        typer.Option(metavar="A,B,...", help="torch, keras: what the outputs are for; keras: by default NIH's 14."),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(min=32, help="torch, keras: side of the network's input, a multiple of 32; by default 224."),
    ] = None,
    normalisation: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|MEAN,SD",
            help="torch, keras: what the authors did to grey values: " + ", ".join(NORMALISATIONS) + ", or mean and "
            "standard deviation of grey from 0 to 1; keras: by default imagenet.",
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="torch: labels, normalisation and size of " + ", ".join(PRESETS) + "."),
    ] = None,
    json_progress: Annotated[
        bool, typer.Option("--json-progress", help="Tell progress as JSON, one object a line, on stderr.")
    ] = False,
    for_visitor: Annotated[
        bool,
        typer.Option("--for-visitor", help="For the app: read from standard input, sealed, for which visitor it asks."),
    ] = False,
) -> None:
    """Make a model folder of weights that others published.

    A file of torch is read without torch and without running any of it: a file that asks for anything
    that weights have no need of is refused. TensorFlow and OpenVINO are compared before it is done. Examples:

      python -m cxr_core models import torchxrayvision:densenet121-res224-all

      python -m cxr_core models import torchxrayvision:nih --file nih.pt --out model_weights/nih

      python -m cxr_core models import torch:model.pth.tar --preset arnoweng --out model_weights/chexnet
    """
    if json_progress:
        # a program that asks it to end means Ctrl-C: what was written so far is deleted
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    acting = asked_by(sys.stdin.readline() if for_visitor else None)
    # before a download is made for nothing
    if (problem := audit.problem()) is not None:
        raise problem
    kind, _, name = source.partition(":")
    if sha256 is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise WrongArguments("--sha256: 64 hexadecimal digits are needed.")
    tell = JsonTeller() if json_progress else WordsTeller()
    options = _Options(labels, size, normalisation, preset)
    if kind == "torchxrayvision":
        if options != _Options():
            raise WrongArguments(
                "--labels, --size, --normalisation and --preset are for torch:FILE and keras:FILE; these weights have "
                "their own."
            )
        published = find_published(name)
        folder = _folder(out, published.name)
        made = _import_published(published, folder, file, sha256, keep, tell)
    elif kind in ("torch", "keras") and name:
        if file is not None or keep is not None:
            raise WrongArguments(f"{kind}:FILE names the file already: leave out --file and --keep.")
        plan = options.plan(kind)
        folder = _folder(out, re.sub(r"[^A-Za-z0-9._-]+", "-", Path(name).name.partition(".")[0]).strip("-.") or kind)
        made = _import_file(kind, Path(name), plan, folder, sha256, tell)
    else:
        raise WrongArguments(
            f"Source {source[:80]!r}: unknown. Accepted: torchxrayvision:NAME, such as "
            "torchxrayvision:densenet121-res224-all, torch:FILE and keras:FILE."
        )
    _keep_in_the_trail(made, folder, acting)
    doubt = ", but not proved to be the published weights" if made.unverified else ""
    print(f"{folder}: imported and checked{doubt}; see: python -m cxr_core models show {folder}")


@dataclass(frozen=True)
class _Plan:
    """How a file of the user's own is to be read."""

    labels: tuple[str, ...]
    size: int
    normalisation: Normalisation
    preset: Preset | None


@dataclass(frozen=True)
class _Options:
    """What was given on the command line."""

    labels: str | None = None
    size: int | None = None
    normalisation: str | None = None
    preset: str | None = None

    def plan(self, kind: str) -> _Plan:
        """Complete the options from the preset and, for Keras, from what most such files are; raises WrongArguments."""
        if kind == "keras" and self.preset is not None:
            raise WrongArguments("--preset is for torch:FILE.")
        if self.size is not None and self.size % 32:
            raise WrongArguments(f"--size {self.size}: a multiple of 32 is needed.")
        preset = find_preset(self.preset) if self.preset is not None else None
        if kind == "torch" and preset is None and (self.labels is None or self.normalisation is None):
            raise WrongArguments(
                "torch:FILE: a file does not say what its outputs are for, nor what was done to its input. Give "
                f"--labels and --normalisation, or --preset {' | '.join(PRESETS)}."
            )
        return _Plan(
            _labels(self.labels) if self.labels is not None else preset.labels if preset else LABELS,
            self.size or (preset.size if preset else 224),
            normalisation_of(self.normalisation or (preset.normalisation if preset else "imagenet")),
            preset,
        )


def _keep_in_the_trail(made: ModelCard, folder: Path, acting: Visitor) -> None:
    try:
        audit.record(acting, "model-import", model=made.weights_sha256)
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


def _labels(text: str) -> tuple[str, ...]:
    found = tuple(label.strip() for label in text.split(","))
    if len(set(found)) != len(found) or not all(
        re.fullmatch(r"[A-Za-z][A-Za-z0-9 _-]{0,59}", label) for label in found
    ):
        raise WrongArguments("--labels: names with commas between, each once, of letters, digits, space, - and _.")
    return found


def _import_published(
    published: Published, folder: Path, file: Path | None, sha256: str | None, keep: Path | None, tell: Teller
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
        imported = Imported(
            published.source, f"{shown_name(path.name)} ({weights.form})", weights.sha256, checked, published.url
        )
        training = _training()
        return training.import_published(published, weights, imported, folder, report=tell.step)


def _import_file(kind: str, file: Path, plan: _Plan, folder: Path, sha256: str | None, tell: Teller) -> ModelCard:
    if not file.is_file():
        raise WeightsRefused(f"Weights {file}: no such file.")
    found = file_sha256(file)
    _check_no_other(file, found)
    if sha256 is not None and found != sha256.lower():
        raise WeightsRefused(f"Weights {file.name}: SHA-256 is {found}, not the one given. It is not the file meant.")
    checked = "the SHA-256 given at the import" if sha256 else "nothing: none was given at the import"
    name = shown_name(file.name)
    source = f"{kind}:{name}"
    if kind == "keras":
        imported = Imported(source, f"{name} (Keras weights)", found, checked)
        return _training().import_keras(
            file, plan.labels, plan.size, imported, folder, normalisation=plan.normalisation, report=tell.step
        )
    tell.step("Reading the weights")
    try:
        weights = read_weights(file)
    except WeightsRefused as refusal:
        raise WeightsRefused(f"{refusal} {KNOWN_LAYOUTS}") from refusal
    # before TensorFlow is started for nothing
    arrays = densenet_arrays(weights)
    if arrays.outputs != len(plan.labels):
        raise WeightsRefused(
            f"Weights {file.name}: {arrays.outputs} outputs, but {len(plan.labels)} labels. Give --labels with one "
            "name for each output, in their order."
        )
    imported = Imported(source, f"{name} ({weights.form}; {arrays.layout})", found, checked)
    return _training().import_torch(
        weights,
        plan.labels,
        plan.size,
        plan.normalisation,
        imported,
        folder,
        preset=plan.preset,
        report=tell.step,
    )


def _check_no_other(path: Path, found: str, published: Published | None = None) -> None:
    """Raise WeightsRefused where a file is known to be the one of another source."""
    for other in PUBLISHED.values():
        if other != published and found == other.sha256:
            raise WeightsRefused(
                f"Weights {path.name}: its SHA-256 is that of {other.source}. Its labels and published numbers are "
                f"that source's: import it as {other.source} --file {path.name}."
            )


def _check(path: Path, published: Published, sha256: str | None) -> str:
    """Return with what the file's hash was compared; WeightsRefused where it is another file."""
    with path.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    _check_no_other(path, found, published)
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
    # its own lines about the processor would stand between the steps
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("ABSL_MIN_LOG_LEVEL", "3")
    # TensorFlow takes seconds to import: only what is left of this command needs it
    from ..training import importing

    return importing
