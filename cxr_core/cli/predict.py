"""``predict``: read image files and print or write their findings."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from ..access import acting_user, audit
from ..archive import InputFile, as_text, collect
from ..errors import InputRefused, WrongArguments
from ..imaging import ACCEPTED_FORMATS, Radiograph, VoiScale, shared_decoder
from ..labels import file_name_of
from ..model import ModelCard, Reading, assumed_prevalence, shared_predictor
from ..model.precision import engine_at
from ..reading import read_image
from ..report import ReportImage, heatmaps_npz, overlay_pngs
from ..settings import settings
from ..studies import StudyImage, group_studies, read_study_header
from .archive import ReadingOptions, read_archive
from .output import CsvForm, JsonForm, OutputLines, TextForm, make_folder, output_stems, write
from .progress import ProgressBar

__all__ = ["predict"]

REFUSED = 3

Paths = Annotated[
    list[Path], typer.Argument(metavar="FILE|FOLDER...", help=f"{ACCEPTED_FORMATS}; a folder with all its files.")
]
# model
Model = Annotated[str | None, typer.Option(metavar="ID", help="Model to use; see: models list.")]
EngineName = Annotated[str | None, typer.Option("--engine", metavar="openvino|tensorflow", help="Engine to run it on.")]
PrecisionName = Annotated[
    str,
    typer.Option(
        "--precision",
        metavar="float32|int8",
        help="Numbers that the engine computes with; int8 needs a graph made by models quantise.",
    ),
]
PointName = Annotated[str, typer.Option(metavar="NAME", help="Operating point of the model's card.")]
Prevalence = Annotated[
    str | None,
    typer.Option(
        metavar="RATE|LABEL=RATE,...",
        help="Assumed prevalence, such as 0.02; probabilities are adjusted to it.",
    ),
]
# decoding
ReadAnyway = Annotated[
    str | None,
    typer.Option(metavar="REASON", help="Read images that the gate refuses; the reason is stored with the reading."),
]
Upright = Annotated[
    bool,
    typer.Option(
        "--upright",
        help="Rotate images that the gate recognises as rotated back before reading; stated in the output.",
    ),
]
FollowOrientation = Annotated[
    bool,
    typer.Option(
        "--follow-orientation",
        help="Mirror or rotate images whose Patient Orientation differs from the convention; stated in the output.",
    ),
]
VoiScaleName = Annotated[
    str,
    typer.Option(metavar="file|data", help="Scale a VOI LUT by its declared bits, or by its own largest entry."),
]
Stability = Annotated[
    bool,
    typer.Option(
        "--stability",
        help="Read each image again under small changes of it, and state which of them change a finding's state.",
    ),
]
# output
Json = Annotated[bool, typer.Option("--json", help="One JSON object per line.")]
Csv = Annotated[bool, typer.Option("--csv", help="One CSV row per finding.")]
Heatmaps = Annotated[Path | None, typer.Option(metavar="DIR", help="Write the heat maps of each image: npz and PNG.")]
Sheet = Annotated[Path | None, typer.Option(metavar="DIR", help="Write each image beside its four highest findings.")]
Pdf = Annotated[Path | None, typer.Option(metavar="DIR", help="Write a report of each image for print, as PDF.")]
Reference = Annotated[
    Path | None, typer.Option(metavar="CSV", help="Reference labels by image name, shown on the sheets.")
]
Out = Annotated[Path | None, typer.Option(metavar="FILE", help="Write to this file instead of stdout.")]
# archives
Archive = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Read a whole archive into Parquet files in this folder.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Continue an archive run that was interrupted.")]
Workers = Annotated[int | None, typer.Option(min=1, metavar="N", help="Decoding processes of an archive run.")]
OnRay = Annotated[
    str | None,
    typer.Option(metavar="ray[:ADDRESS]", help="Read the archive on a Ray cluster, or on one started here."),
]


def predict(
    paths: Paths,
    model: Model = None,
    engine: EngineName = None,
    precision: PrecisionName = "float32",
    operating_point: PointName = "default",
    prevalence: Prevalence = None,
    read_anyway: ReadAnyway = None,
    upright: Upright = False,
    follow_orientation: FollowOrientation = False,
    voi_scale: VoiScaleName = "file",
    stability: Stability = False,
    json: Json = False,
    csv: Csv = False,
    heatmaps: Heatmaps = None,
    sheet: Sheet = None,
    pdf: Pdf = None,
    table: Reference = None,
    out: Out = None,
    archive: Archive = None,
    resume: Resume = False,
    workers: Workers = None,
    on: OnRay = None,
) -> int:
    """Read chest X-rays and print a score for each pathology that the model knows.

    An image that cannot be read is named on stderr with its reason, the others are read, and the exit
    status is 3. Examples:

      python -m cxr_core predict image.dcm

      python -m cxr_core predict study/ --json --out readings.jsonl --heatmaps maps/ --sheet sheets/

      python -m cxr_core predict study/ --operating-point sensitivity-0.90 --prevalence Effusion=0.05,Mass=0.01

      python -m cxr_core predict /archive/2025 --archive readings/2025 --resume
    """
    if json and csv:
        raise WrongArguments("Give --json or --csv, not both.")
    if voi_scale not in ("file", "data"):
        raise WrongArguments(f"--voi-scale {voi_scale!r}: file or data is accepted.")
    scale: VoiScale = "data" if voi_scale == "data" else "file"
    options = ReadingOptions(
        operating_point, _parse_prevalence(prevalence), read_anyway, upright, follow_orientation, scale, stability
    )
    engine = engine_at(precision, engine)
    if archive is not None:
        if json or csv or any(path is not None for path in (heatmaps, sheet, pdf, table, out)):
            raise WrongArguments(
                "--archive writes Parquet: no --json, --csv, --out, --heatmaps, --sheet, --pdf, --table with it."
            )
        return read_archive(paths, archive, model, engine, options, resume=resume, workers=workers, on=on)
    if resume or workers or on:
        raise WrongArguments("--resume, --workers and --on are for an archive: give --archive DIR.")
    files = collect(paths)
    # it loads its libraries while the model is loaded here
    shared_decoder().start()
    images = _ImageWriter(heatmaps, sheet, pdf, _read_reference(table) if table else None)
    predictor = shared_predictor(model, engine)
    card = predictor.card
    point = card.operating_point(operating_point)
    assumed = assumed_prevalence(card.calibration, options.prevalence)
    form = JsonForm(predictor, point, assumed) if json else CsvForm() if csv else TextForm(card, point, assumed)
    stems = output_stems(files)
    refused = 0
    with OutputLines(out) as lines, ProgressBar("Reading images", len(files)) as progress:
        lines.put(form.head)
        for number, file in enumerate(files):
            name, data = as_text(file.path), None
            try:
                data = file.read()
                radiograph, reading = read_image(
                    data,
                    predictor,
                    operating_point=operating_point,
                    prevalence=assumed,
                    stability=stability,
                    **options.decoding(),
                )
            except InputRefused as refusal:
                reason = str(refusal)
                # a file that could not be opened has no bytes, and so no digest
                sha256 = None if data is None else hashlib.sha256(data).hexdigest()
                lines.put(form.refusal(name, sha256, reason))
            else:
                if reading.quality.override:
                    audit.note(acting_user(), "override", images=[reading.sha256], model=card.weights_sha256)
                lines.put(form.reading(name, reading))
                reason = "" if reading.findings else "; ".join(reading.quality.reasons)
                if reading.findings:
                    images.write(data, radiograph, reading, card, file, stems[number])
            if reason:
                refused += 1
                progress.message(f"{name}: {reason}")
            progress.update(number + 1)
    return REFUSED if refused else 0


def _read_reference(table: Path) -> dict[str, dict[str, bool]]:
    # imports pandas, which other uses of the command need not wait for
    from ..datasets.table import read_reference

    return read_reference(table, any_labels=True)


class _ImageWriter:
    """Writes the heat maps, the sheet and the report of each image, where they were asked for.

    Args:
        heatmaps, sheets, reports: folders, made here; None for none.
        reference: by image name, the labels that a reference standard states; None without one.
    """

    def __init__(
        self,
        heatmaps: Path | None,
        sheets: Path | None,
        reports: Path | None,
        reference: dict[str, dict[str, bool]] | None,
    ) -> None:
        self._heatmaps, self._sheets, self._reports, self._reference = heatmaps, sheets, reports, reference
        for folder in (heatmaps, sheets, reports):
            if folder is not None:
                make_folder(folder)

    def write(
        self,
        data: bytes,
        radiograph: Radiograph,
        reading: Reading,
        card: ModelCard,
        file: InputFile,
        stem: Path | None,
    ) -> None:
        """Write the images of one reading; a stem of None is completed with the digest of the input."""
        if stem is None:
            stem = file.place.with_suffix("")
            stem = stem.with_name(f"{stem.name}-{reading.sha256[:12]}")
        if self._heatmaps is not None:
            write(self._heatmaps / stem.with_name(f"{stem.name}.npz"), heatmaps_npz(reading, card))
            for label, png in overlay_pngs(radiograph, reading, card).items():
                write(self._heatmaps / stem.with_name(f"{stem.name}_{file_name_of(label)}.png"), png)
        if self._sheets is not None:
            # imports matplotlib, likewise
            from ..report.sheet import sheet_png

            labels = None if self._reference is None else self._reference.get(file.path.name)
            png = sheet_png(radiograph, reading, card, reference=labels)
            write(self._sheets / stem.with_name(f"{stem.name}.png"), png)
        if self._reports is not None:
            pdf = _report(data, radiograph, reading, card, file)
            write(self._reports / stem.with_name(f"{stem.name}.pdf"), pdf, private=settings().identity != "off")


def _report(data: bytes, radiograph: Radiograph, reading: Reading, card: ModelCard, file: InputFile) -> bytes:
    """Return the report of one image; its patient and study are read from the file where the settings allow it."""
    # imports reportlab and matplotlib
    from ..report.pdf import report_pdf

    identity = settings().identity != "off"
    header = read_study_header(data, identity=identity)
    study = None if header is None else group_studies([StudyImage(reading.sha256, header)])[0]
    name = as_text(Path(file.path.name))
    image = ReportImage(reading, lambda: radiograph, study, name)
    return report_pdf([image], card, datetime.now().astimezone(), identity=identity)


def _parse_prevalence(text: str | None) -> dict[str, float] | float | None:
    """Return one prevalence for all labels, or one per label; raises WrongArguments where it is neither."""
    if text is None:
        return None
    try:
        if "=" not in text:
            return float(text)
        pairs = [pair.split("=") for pair in text.split(",")]
        return {label.strip(): float(rate) for label, rate in pairs}
    except ValueError as error:
        raise WrongArguments(
            f"Prevalence {text!r}: a rate such as 0.02 is accepted, or LABEL=RATE,LABEL=RATE."
        ) from error
