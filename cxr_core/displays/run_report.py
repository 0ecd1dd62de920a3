"""A run as one HTML file that needs no network: its numbers, its figures as SVG, and what must stand beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from html import escape

from ..evaluation import ANY_FINDING, RunSummary, reader_outcomes
from ..labels import NOTICE, display_name
from ..metrics import Estimate
from ..store import Predictions
from .auc import AucDisplay
from .calibration import CalibrationDisplay
from .display import Display, counts_words, estimate_words
from .localisation import HitsDisplay
from .marks import Chart
from .outcome import Outcome, outcomes_of
from .paper import as_svg
from .readers import ReadersDisplay
from .roc import RocDisplay

__all__ = ["run_report"]

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #16191d; background: #fff; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
table { border-collapse: collapse; font-size: 0.85rem; font-variant-numeric: tabular-nums; width: 100%; }
th, td { text-align: left; border-bottom: 1px solid #dfe3e7; padding: 0.25rem 0.7rem 0.25rem 0; vertical-align: top; }
.notice { border: 1px solid #b57900; background: #fff8e8; padding: 0.5rem 0.8rem; }
figure { margin: 1rem 0; } figure svg { max-width: 100%; height: auto; } .wide { overflow-x: auto; }
@media print { h2 { break-after: avoid; } figure, tr { break-inside: avoid; } }
"""


def run_report(predictions: Predictions, summary: RunSummary) -> str:
    """Return the report of a run against one reference.

    Args:
        predictions: of the run.
        summary: its numbers.
    """
    record = summary.record
    title = f"{record.name}: {record.model_id}"
    facts = {
        "Model": f"{record.model_id}, weights SHA-256 {record.model_sha256 or 'not known'}, engine {record.engine}",
        "Films": f"{record.films:,} of {record.patients:,} patients ({', '.join(record.data)}, {record.part}); "
        f"fingerprint {record.data_sha256[:12]}",
        "Split": f"{record.split} {record.split_sha256[:12]}".strip(),
        "Reference": summary.reference,
        "Made": f"{record.created}; " + ", ".join(f"{name} {version}" for name, version in record.versions.items()),
        "Intervals": "95 %, by patients",
        "Notes": "; ".join(summary.notes) or "none",
    }
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="notice">{escape(NOTICE)}</p>',
        _table([], list(facts.items())),
        *_sections(predictions, summary),
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


def _sections(predictions: Predictions, summary: RunSummary) -> Iterator[str]:
    outcomes = outcomes_of(predictions, summary.reference)
    yield "<h2>Ranking</h2>"
    yield _figure(AucDisplay.of(summary))
    yield _ranking(summary)
    thresholds = summary.record.thresholds
    yield _figure(RocDisplay.of([*outcomes.values()], summary, bands=False, thresholds=thresholds))
    if summary.groups:
        yield f"<h2>{ANY_FINDING} by view, sex and age</h2>"
        yield _table(
            ["group", "AUC", "patients"],
            [(f"{g.characteristic}: {g.group}", estimate_words(g.auc), counts_words(g.auc)) for g in summary.groups],
        )
    yield "<h2>Operating point</h2>"
    yield _operating(summary)
    yield "<h2>Probabilities</h2>"
    yield from _calibration(outcomes, summary)
    yield from _readers(predictions, outcomes, summary)
    if summary.boxes:
        yield "<h2>Localisation</h2>"
        yield _figure(HitsDisplay(summary.boxes, summary.notes))


def _ranking(summary: RunSummary) -> str:
    rows = [
        (
            display_name(label),
            estimate_words(numbers.auc),
            estimate_words(numbers.average_precision),
            estimate_words(numbers.prevalence, percent=True),
            counts_words(numbers.auc),
        )
        for label, numbers in summary.labels.items()
    ]
    mean = summary.mean_auc
    rows.append((f"Mean of {len(mean.labels)} labels", estimate_words(mean.macro), "", "", ""))
    return _table(["label", "AUC", "average precision", "prevalence", "patients"], rows)


def _operating(summary: RunSummary) -> str:
    if summary.flagged_without_findings is None:
        return "<p>No operating point is kept with this run.</p>"
    rows = []
    for label, numbers in summary.labels.items():
        point = numbers.operating
        if point is None:
            rows.append((display_name(label), "not evaluated", "", "", "", ""))
            continue
        threshold = "any label above" if label == ANY_FINDING else f"{point.threshold:.3f}"
        shares: list[Estimate] = [
            point.sensitivity,
            point.specificity,
            point.positive_predictive_value,
            point.negative_predictive_value,
        ]
        rows.append((display_name(label), threshold, *(estimate_words(share, percent=True) for share in shares)))
    flagged = estimate_words(summary.flagged_without_findings, percent=True)
    words = f"Point {summary.record.operating_point}. Of films without findings on which any label is above: {flagged}."
    heads = ["label", "score from", "sensitivity", "specificity", "PPV here", "NPV here"]
    return f"<p>{escape(words)}</p>{_table(heads, rows)}"


def _calibration(outcomes: dict[str, Outcome], summary: RunSummary) -> Iterator[str]:
    known = [outcome for outcome in outcomes.values() if outcome.probabilities is not None]
    if not known:
        yield "<p>None: the model's card allows none.</p>"
        return
    rows = []
    for outcome in known:
        numbers = summary.labels[outcome.label]
        if numbers.brier is not None and numbers.calibration is not None:
            line = numbers.calibration
            values = (numbers.brier, line.slope, line.intercept)
            rows.append((outcome.name, *map(estimate_words, values)))
    yield _table(["label", "Brier score", "slope (1 is right)", "intercept (0 is right)"], rows)
    charts = [CalibrationDisplay.of(outcome, resamples=200).chart() for outcome in known]
    panels = tuple(replace(c.panels[0], title=o.name) for c, o in zip(charts, known, strict=True))
    told = ", ".join(outcome.name for outcome in known)
    yield _svg(Chart("Calibration", panels, f"Calibration of {told}.", columns=4, height=250, small=True))


def _readers(predictions: Predictions, outcomes: dict[str, Outcome], summary: RunSummary) -> Iterator[str]:
    answers = reader_outcomes(predictions)
    if answers is None or predictions.readers is None:
        return
    yield "<h2>Single readers</h2><p>Each against the majority of the others.</p>"
    labels = [*predictions.labels.tolist(), ANY_FINDING]
    rows = []
    for label, outcome in outcomes.items():
        said = answers[outcome.rows][:, :, labels.index(label)]
        display = ReadersDisplay.of(label, predictions.readers.readers, said, outcome.patients, resamples=500)
        rows += [
            (display_name(label), name, estimate_words(found, percent=True), estimate_words(cleared, percent=True))
            for name, found, cleared in display.rows()
        ]
    yield _table(["label", "reader", "sensitivity", "specificity"], rows)


def _figure(display: Display) -> str:
    return _svg(display.chart())


def _svg(chart: Chart) -> str:
    svg = as_svg(chart).decode()
    # an SVG inside a page has no prologue
    return f'<figure class="wide" role="img" aria-label="{escape(chart.alt)}">{svg[svg.index("<svg") :]}</figure>'


def _table(heads: list[str], rows: list[tuple[str, ...]]) -> str:
    head = f"<thead><tr>{''.join(f'<th>{escape(h)}</th>' for h in heads)}</tr></thead>" if heads else ""
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table>{head}<tbody>{body}</tbody></table></div>'
