"""``predict``: files in, findings out."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import typer

from ..access import asked_by, audit
from ..archive import InputFile, as_text, collect
from ..errors import InputRefused, WrongArguments
from ..imaging import Radiograph, decoder_apart
from ..model import ModelCard, Reading, assumed_prevalence, shared_predictor
from ..reading import read_film
from ..report import (
    heatmaps_npz,
    overlay_pngs,
)
from .archive import HowToRead, read_archive
from .inputs import make_folder, output_stems, write
from .predict_output import CsvForm, JsonForm, OutputLines, WordsForm
from .progress import Steps

__all__ = ["predict"]

REFUSED = 3

Paths = Annotated[
    list[Path], typer.Argument(metavar="FILE|FOLDER...", help="DICOM, PNG, JPEG, TIFF or WEBP; folders whole.")
]
Model = Annotated[str | None, typer.Option(metavar="ID", help="Model to use; see: models list.")]
EngineName = Annotated[str | None, typer.Option("--engine", metavar="openvino|tensorflow", help="Engine to run it on.")]


def predict(
    paths: Paths,
    model: Model = None,
    engine: EngineName = None,
    operating_point: Annotated[str, typer.Option(metavar="NAME", help="One of the model card's.")] = "default",
    prevalence: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE|LABEL=SHARE,...",
            help="Assume that so many films are positive, such as 0.02: probabilities are shifted to it.",
        ),
    ] = None,
    read_anyway: Annotated[
        str | None, typer.Option(metavar="REASON", help="Read films that the gate refuses; the reason is kept.")
    ] = None,
    upright: Annotated[
        bool, typer.Option("--upright", help="Turn back and read films that the gate finds turned; the turn is named.")
    ] = False,
    follow_orientation: Annotated[
        bool,
        typer.Option(
            "--follow-orientation",
            help="Mirror or turn images whose Patient Orientation differs from the convention; it is named.",
        ),
    ] = False,
    voi_scale: Annotated[
        str,
        typer.Option(
            metavar="file|data", help="Scale a VOI table by the bits it declares, or by its own largest entry."
        ),
    ] = "file",
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="One line a finding.")] = False,
    heatmaps: Annotated[Path | None, typer.Option(metavar="DIR", help="Write each film's maps: npz and PNG.")] = None,
    sheet: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write each film beside its four highest findings.")
    ] = None,
    table: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Reference labels by image name, marked on the sheets.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write there instead of to stdout.")] = None,
    archive: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Read a whole archive into Parquet parts in this folder.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an archive that was interrupted.")] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Processes that decode ahead of the engine of an archive.")
    ] = None,
    on: Annotated[
        str | None, typer.Option(metavar="ray[:ADDRESS]", help="Read the archive on a Ray cluster, or one made here.")
    ] = None,
) -> int:
    """Read chest X-rays and print a score for each pathology that the model knows.

    A film that cannot be read is named on stderr with its reason, the others are read, and the exit
    status is 3. Examples:

      python -m cxr_core predict film.dcm

      python -m cxr_core predict study/ --json --out readings.jsonl --heatmaps maps/ --sheet sheets/

      python -m cxr_core predict study/ --operating-point sensitivity-0.90 --prevalence Effusion=0.05,Mass=0.01

      python -m cxr_core predict /archive/2025 --archive readings/2025 --resume
    """
    if json and csv:
        raise WrongArguments("Give --json or --csv, not both.")
    if voi_scale not in ("file", "data"):
        raise WrongArguments(f"--voi-scale {voi_scale!r}: file or data is accepted.")
    if archive is not None:
        if json or csv or any(path is not None for path in (heatmaps, sheet, table, out)):
            raise WrongArguments(
                "--archive writes Parquet: no --json, --csv, --out, --heatmaps, --sheet, --table with it."
            )
        how = HowToRead(operating_point, _prevalence(prevalence), read_anyway, upright, follow_orientation, voi_scale)
        return read_archive(paths, archive, model, engine, how, resume=resume, workers=workers, on=on)
    if resume or workers or on:
        raise WrongArguments("--resume, --workers and --on are for an archive: give --archive DIR.")
    files = collect(paths)
    # its libraries are loaded while the model is
    decoder_apart().start()
    reference = _reference(table) if table else None
    for folder in (heatmaps, sheet):
        if folder is not None:
            make_folder(folder)
    predictor = shared_predictor(model, engine)
    card = predictor.card
    point = card.operating_point(operating_point)
    assumed = assumed_prevalence(card.calibration, _prevalence(prevalence))
    form = JsonForm(predictor, point, assumed) if json else CsvForm() if csv else WordsForm(card, point, assumed)
    stems = output_stems(files)
    refused = 0
    with OutputLines(out) as lines, Steps("Reading films", len(files)) as steps:
        lines.put(form.head)
        for number, file in enumerate(files):
            name, data = as_text(file.path), None
            try:
                data = file.read()
                radiograph, reading = read_film(
                    data,
                    predictor,
                    operating_point=operating_point,
                    prevalence=assumed,
                    read_anyway=read_anyway,
                    upright=upright,
                    follow_orientation=follow_orientation,
                    voi_scale=voi_scale,
                )
            except InputRefused as refusal:
                refused += 1
                steps.say(f"{name}: {refusal}")
                # of what was never opened there are no bytes, and so no digest
                sha256 = None if data is None else hashlib.sha256(data).hexdigest()
                lines.put(form.refusal(name, sha256, str(refusal)))
            else:
                if reading.quality.override:
                    audit.note(asked_by(), "override", films=[reading.sha256], model=card.weights_sha256)
                lines.put(form.reading(name, reading))
                stem = stems[number] or _told_apart(file, reading)
                if reading.findings:
                    known = None if reference is None else reference.get(file.path.name)
                    _write_pictures(radiograph, reading, predictor.card, stem, heatmaps, sheet, known)
                else:
                    refused += 1
                    steps.say(f"{name}: {'; '.join(reading.quality.reasons)}")
            steps.done(number + 1)
    return REFUSED if refused else 0


def _reference(table: Path) -> dict[str, tuple[str, ...]]:
    # brings pandas, likewise
    from ..training.table import read_reference

    return read_reference(table)


def _prevalence(text: str | None) -> dict[str, float] | float | None:
    """Return a share for all labels, or those of single labels; raises WrongArguments for other words."""
    if text is None:
        return None
    try:
        if "=" not in text:
            return float(text)
        pairs = [pair.split("=") for pair in text.split(",")]
        return {label.strip(): float(share) for label, share in pairs}
    except ValueError as error:
        raise WrongArguments(
            f"Prevalence {text!r}: a share such as 0.02 is accepted, or LABEL=SHARE with commas between."
        ) from error


def _told_apart(file: InputFile, reading: Reading) -> Path:
    stem = file.place.with_suffix("")
    return stem.with_name(f"{stem.name}-{reading.sha256[:12]}")


def _write_pictures(
    radiograph: Radiograph,
    reading: Reading,
    card: ModelCard,
    stem: Path,
    heatmaps: Path | None,
    sheets: Path | None,
    reference: tuple[str, ...] | None,
) -> None:
    if heatmaps is not None:
        write(heatmaps / stem.with_name(f"{stem.name}.npz"), heatmaps_npz(reading, card))
        for label, png in overlay_pngs(radiograph, reading, card).items():
            write(heatmaps / stem.with_name(f"{stem.name}_{label}.png"), png)
    if sheets is not None:
        # brings matplotlib, which a command without sheets need not wait for
        from ..report.sheet import sheet_png

        png = sheet_png(radiograph, reading, card, reference=reference)
        write(sheets / stem.with_name(f"{stem.name}.png"), png)
