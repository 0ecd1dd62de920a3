"""The numbers of a run, computed from the catalogue and kept on disk."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass

from pydantic import TypeAdapter

from ..labels import display_name
from ..metrics import BootstrapOptions, Estimate, default_resamples
from ..model import ModelCard
from ..model.card import card_json
from ..model.folder import card_of
from ..model.formatting import CROSS_VALIDATED, IN_SAMPLE
from ..store import Localisation, Predictions, RunRecord, StoredRun
from .boxes import BoxNumbers, box_numbers
from .catalogue import CATALOGUE, Entry, Number
from .in_sample import is_in_sample
from .kept_results import KeptResult, Progress, Report, not_reported, result_key
from .label_threads import LabelThreads
from .outcomes import ANY_FINDING, checked_reference
from .run_context import RunContext, run_context
from .run_data import AUC_WORK, RunData

__all__ = ["Row", "RunSummary", "kept_summary", "summarise", "summary_of"]


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
class RunSummary(RunContext):
    """The numbers of a run against one reference standard, with their context.

    Attributes:
        numbers: in the order of the catalogue.
        boxes: localisation metrics of each label with boxes and of all boxes; empty without boxes.
        resamples: patient resamples of every bootstrap interval.
        box_source: of the boxes, a key of :data:`.box_sources.SOURCES`; empty without boxes and in earlier runs.
    """

    numbers: tuple[Number, ...]
    boxes: dict[str, BoxNumbers]
    resamples: int
    box_source: str = ""

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
    report: Report = not_reported,
    card: ModelCard | None = None,
) -> RunSummary:
    """Compute the numbers of every entry of the catalogue.

    Args:
        record, predictions: of the run.
        reference: one of the run's reference standards; the first by default.
        options: of the intervals; by default :func:`.metrics.default_resamples` of the images.
        localisation: of the run, or None.
        report: called with the work that is done and with all work.
        card: of the run's model, which says whether the run is in-sample; None where it is not installed.

    Raises:
        WrongArguments: the run does not have this reference standard.
    """
    reference = checked_reference(predictions, reference)
    options = BootstrapOptions(default_resamples(len(predictions))) if options is None else options
    boxes = {} if localisation is None else box_numbers(localisation, options)
    context = run_context(record, reference, card)
    numbers: list[Number] = []
    # sums and sorting run outside Python's lock
    with LabelThreads() as threads:
        progress = Progress(report)
        run = RunData(
            record, predictions, reference, boxes, options, context.cross_validation, threads.map, progress.step
        )
        progress.begin(AUC_WORK * len(run.auc_subsets) + sum(entry.work(run) for entry in CATALOGUE))
        run.aucs  # noqa: B018 - used by the first entries: here it has all threads
        for entry in CATALOGUE:
            with progress.part(entry.work(run)):
                for computed in entry.compute(run):
                    numbers += computed
                    if entry.per_label:
                        progress.step(entry.cost)
    source = "" if localisation is None else localisation.source
    return RunSummary(
        **vars(context), numbers=tuple(numbers), boxes=boxes, resamples=options.resamples, box_source=source
    )


def summary_of(run: StoredRun, reference: str | None = None, report: Report = not_reported) -> RunSummary:
    """Return :func:`summarise` of a stored run, kept on disk if possible.

    A kept summary is used only for the same predictions, record, reference standard, source code and, where the run
    is in-sample, model card.

    Args:
        run: of the store.
        reference: one of the run's reference standards; the first by default.
        report: as of :func:`summarise`; not called if the summary is kept.

    Raises:
        PathUnusable: a file of the run was changed.
        WrongArguments: the run does not have this reference standard.
    """
    card = card_of(run.record.model_sha256)

    def compute(report: Report) -> RunSummary:
        localisation = run.localisation()
        return summarise(run.record, run.predictions(), reference, localisation=localisation, report=report, card=card)

    return _kept(run, reference, card).read_or_compute(compute, report)


def kept_summary(run: StoredRun, reference: str | None = None) -> RunSummary | None:
    """Return :func:`summary_of` if it is kept, else None; raises PathUnusable where a file of the run was changed."""
    return _kept(run, reference, card_of(run.record.model_sha256)).read()


_ADAPTER = TypeAdapter(RunSummary)


def _kept(run: StoredRun, reference: str | None, card: ModelCard | None) -> KeptResult[RunSummary]:
    run.check()
    name = reference or next(iter(run.record.references), "")
    entries = [entry.name for entry in CATALOGUE]
    in_sample = is_in_sample(run.record, card)
    digest = hashlib.sha256(card_json(card)).hexdigest() if card is not None and in_sample else ""
    return KeptResult(result_key("summary", asdict(run.record), name, entries, in_sample, digest), _ADAPTER)
