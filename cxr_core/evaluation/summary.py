"""The numbers of a run, computed from the catalogue and cached on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ..files import private_folder, write_whole
from ..labels import display_name
from ..metrics import BootstrapOptions, Estimate, default_resamples
from ..model import ModelCard
from ..model.card import card_json
from ..model.folder import card_of
from ..model.formatting import CROSS_VALIDATED, IN_SAMPLE
from ..settings import settings
from ..store import Localisation, Predictions, RunRecord, StoredRun
from .boxes import BoxNumbers, box_numbers
from .catalogue import CATALOGUE, Entry, Number
from .in_sample import IN_SAMPLE_NOTE, CrossValidation, cross_validation, is_in_sample
from .outcomes import ANY_FINDING, checked_reference
from .run_data import RunData

__all__ = [
    "FOLDER",
    "SEEN_IN_TRAINING",
    "Row",
    "RunSummary",
    "evaluated_before",
    "run_notes",
    "summarise",
    "summary_of",
]

FOLDER = "summaries"
"""Cache below the folder of runs. It may be deleted at any time."""

_ROOMS = ("evaluation", "metrics", "model", "store")
"""Their source, and the modules at the top of the package such as ``estimate``, decide the numbers."""

SEEN_IN_TRAINING = "images possibly seen in training"
"""Note of a run whose data set the model card lists as training data."""


@dataclass(frozen=True)
class Row:
    """A row of the table of an entry.

    Attributes:
        name: displayed name of the label, the group or both or, for a number over all labels, the metric.
        threshold: as displayed; empty without one.
        estimates: by metric; empty for a label without numbers.
        overall: whether it is a number over all labels.
    """

    name: str
    threshold: str
    estimates: dict[str, Estimate]
    overall: bool = False


@dataclass(frozen=True)
class RunSummary:
    """The numbers of a run against one reference standard.

    Attributes:
        record: of the run.
        reference: name of the reference standard.
        numbers: in the order of the catalogue.
        boxes: localisation metrics of each label with boxes and of all boxes; empty without boxes.
        resamples: patient resamples of every bootstrap interval.
        notes: remarks that must accompany every export of the numbers.
        box_source: of the boxes, a key of :data:`.box_tables.SOURCES`; empty without boxes and in earlier runs.
        in_sample: whether thresholds and calibration curves were set on images of the run's patients.
        cross_validation: figures of the card that are cross-validated on these images; None where it has none.
    """

    record: RunRecord
    reference: str
    numbers: tuple[Number, ...]
    boxes: dict[str, BoxNumbers]
    resamples: int
    notes: tuple[str, ...]
    box_source: str = ""
    in_sample: bool = False
    cross_validation: CrossValidation | None = None

    @property
    def figure_notes(self) -> tuple[str, ...]:
        """Remarks that must accompany every figure."""
        return tuple(note for note in self.notes if note in (SEEN_IN_TRAINING, IN_SAMPLE_NOTE))

    @property
    def auc(self) -> dict[str, Estimate]:
        """AUC of each label and of any finding."""
        return self.by_label("auc")

    @property
    def labels_in_mean(self) -> tuple[str, ...]:
        """Labels with enough cases for an AUC, over which the mean AUC is computed."""
        return tuple(label for label, auc in self.auc.items() if auc.value is not None and label != ANY_FINDING)

    def by_label(self, metric: str) -> dict[str, Estimate]:
        """Return a metric over all images, by label."""
        return {n.label: n.estimate for n in self.numbers if n.metric == metric and n.label and not n.group}

    def overall(self, metric: str) -> Estimate | None:
        """Return a metric over all labels; None if the run does not have it."""
        return next((n.estimate for n in self.numbers if n.metric == metric and not n.label), None)

    def basis(self, entry: Entry) -> str:
        """Return ``in-sample`` or ``cross-validated`` for the numbers of an entry; empty where neither applies."""
        if entry.cross_validated:
            return CROSS_VALIDATED
        return IN_SAMPLE if entry.fitted and self.in_sample else ""

    def title(self, entry: Entry) -> str:
        """Return the title of an entry, with :meth:`basis`."""
        return ", ".join(filter(None, (entry.title, self.basis(entry))))

    def of(self, entry: Entry) -> tuple[Number, ...]:
        """Return the numbers of one entry of the catalogue."""
        return tuple(number for number in self.numbers if number.entry == entry.name)

    def rows(self, entry: Entry) -> tuple[Row, ...]:
        """Return the table of one entry: a row per label, group or threshold; numbers over all labels last."""
        numbers = self.of(entry)
        if entry.threshold_rows:
            numbers = tuple(number for number in numbers if number.label == numbers[-1].label)
        by_threshold = any(number.threshold is not None for number in numbers)
        labels_of_groups = len({number.label for number in numbers if number.group})
        rows: dict[tuple[str, str], Row] = {}
        if entry.missing and numbers:
            rows = {(display_name(label), ""): Row(display_name(label), "", {}) for label in self.auc}
        for number in numbers:
            overall = not (number.label or number.group)
            name = number.group or display_name(number.label)
            if overall:
                name = entry.columns[number.metric].heading
            elif number.group and labels_of_groups > 1:
                name = f"{display_name(number.label)}, {number.group}"
            threshold = "any label" if by_threshold and not overall else ""
            if number.threshold is not None:
                threshold = f"{number.threshold:.3g}"
            key = (name, threshold if entry.threshold_rows else "")
            before = rows[key].estimates if key in rows else {}
            rows[key] = Row(name, threshold, before | {number.metric: number.estimate}, overall)
        return tuple(rows.values())


def summarise(
    record: RunRecord,
    predictions: Predictions,
    reference: str | None = None,
    options: BootstrapOptions | None = None,
    localisation: Localisation | None = None,
    report: Callable[[int, int], None] = lambda done, steps: None,
    card: ModelCard | None = None,
) -> RunSummary:
    """Compute the numbers of every entry of the catalogue.

    Args:
        record, predictions: of the run.
        reference: one of the run's reference standards; the first by default.
        options: of the intervals; by default :func:`.metrics.default_resamples` of the images.
        localisation: of the run, or None.
        report: called with the number of finished steps and of all steps.
        card: of the run's model, which says whether the run is in-sample; None where it is not installed.

    Raises:
        WrongArguments: the run does not have this reference standard.
    """
    reference = checked_reference(predictions, reference)
    options = BootstrapOptions(default_resamples(len(predictions))) if options is None else options
    boxes = {} if localisation is None else box_numbers(localisation, options)
    in_sample, held_out = is_in_sample(record, card), cross_validation(record, reference, card)
    run = RunData(record, predictions, reference, boxes, options, held_out)
    steps = sum(entry.steps(run) for entry in CATALOGUE)
    report(0, steps)
    numbers: list[Number] = []
    done = 0
    for entry in CATALOGUE:
        for computed in entry.compute(run):
            numbers += computed
            done += 1
            report(done, steps)
    notes = run_notes(record, in_sample)
    source = "" if localisation is None else localisation.source
    return RunSummary(record, reference, tuple(numbers), boxes, options.resamples, notes, source, in_sample, held_out)


def run_notes(record: RunRecord, in_sample: bool) -> tuple[str, ...]:
    """Return the remarks that must accompany every export of the numbers of a run."""
    notes = (
        record.selection,
        SEEN_IN_TRAINING if record.seen_in_training else "",
        IN_SAMPLE_NOTE if in_sample else "",
        evaluated_before(record),
    )
    return tuple(filter(None, notes))


def evaluated_before(record: RunRecord) -> str:
    """Describe how often the same images were evaluated before; empty if never.

    >>> from types import SimpleNamespace
    >>> evaluated_before(SimpleNamespace(evaluated_before=1, part="test"))
    'Test set evaluated 1 time before'
    """
    if not record.evaluated_before:
        return ""
    images = "Images" if record.part == "all" else f"{record.part.capitalize()} set"
    return f"{images} evaluated {record.evaluated_before} time{'s' * (record.evaluated_before > 1)} before"


def summary_of(
    run: StoredRun,
    reference: str | None = None,
    report: Callable[[int, int], None] = lambda done, steps: None,
) -> RunSummary:
    """Return :func:`summarise` of a stored run, from the cache if possible.

    A cached summary is used only for the same predictions, record, reference standard, source code and, where the run
    is in-sample, model card. If the cache cannot be written, the numbers are computed each time.

    Args:
        run: of the store.
        reference: one of the run's reference standards; the first by default.
        report: as of :func:`summarise`; not called if the summary is cached.

    Raises:
        PathUnusable: a file of the run was changed.
        WrongArguments: the run does not have this reference standard.
    """
    run.check()
    card = card_of(run.record.model_sha256)
    path = settings().runs / FOLDER / f"{_cache_key(run, reference, card)}.json"
    try:
        return _ADAPTER.validate_json(path.read_bytes())
    except (OSError, ValidationError):
        summary = summarise(
            run.record, run.predictions(), reference, localisation=run.localisation(), report=report, card=card
        )
    with suppress(OSError):
        private_folder(path.parent)
        write_whole(path, _ADAPTER.dump_json(summary), private=True)
    return summary


_ADAPTER = TypeAdapter(RunSummary)


def _cache_key(run: StoredRun, reference: str | None, card: ModelCard | None) -> str:
    name = reference or next(iter(run.record.references), "")
    entries = [entry.name for entry in CATALOGUE]
    in_sample = is_in_sample(run.record, card)
    digest = hashlib.sha256(card_json(card)).hexdigest() if card is not None and in_sample else ""
    text = json.dumps([asdict(run.record), name, entries, in_sample, digest, _source_version()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:40]


@lru_cache(maxsize=1)
def _source_version() -> list[str]:
    """Return a digest of the source that decides the numbers, and the versions of its libraries."""
    package = Path(__file__).parents[1]
    files = sorted([*package.glob("*.py"), *(file for room in _ROOMS for file in (package / room).rglob("*.py"))])
    digest = hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
    return [digest, version("numpy"), version("scipy")]
