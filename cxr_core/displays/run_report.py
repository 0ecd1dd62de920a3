"""The report of a run: one HTML file without external resources, with every entry of the catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from ..evaluation import RunSummary
from ..evaluation.catalogue import Entry, entries
from ..evaluation.summary import Row
from ..labels import NOTICE
from ..metrics import BootstrapOptions
from ..store import Predictions
from .display import RunView, display_of
from .marks import Chart, small_multiples
from .matplotlib_charts import as_svg

__all__ = ["run_report"]

# of some fifty figures in one file
_OPTIONS = BootstrapOptions(resamples=200)

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
    """Return the report of a run against the reference standard of its summary, as HTML."""
    record = summary.record
    title = f"{record.name}: {record.model}"
    facts = {
        "Model": f"{record.model}, weights SHA-256 {record.model_sha256 or 'not known'}, engine {record.engine}",
        "Images": f"{record.images:,} of {record.patients:,} patients ({', '.join(record.data)}, {record.part}); "
        f"fingerprint {record.data_sha256[:12]}",
        "Split": f"{record.split} {record.split_sha256[:12]}".strip(),
        "Reference standard": summary.reference,
        "Created": f"{record.created}; " + ", ".join(f"{name} {version}" for name, version in record.versions.items()),
        "Intervals": "95 % CI (patient bootstrap, or clustered by patient where cases are few)",
        "Notes": "; ".join(summary.notes) or "none",
    }
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="notice">{escape(NOTICE)}</p>',
        _table([], list(facts.items())),
        *_sections(RunView.of(predictions, summary, _OPTIONS)),
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


def _sections(run: RunView) -> Iterator[str]:
    for entry in entries("report"):
        rows, figures = run.summary.rows(entry), [*_figures(entry, run)]
        if not (rows or figures or entry.absent):
            continue
        yield f"<h2>{escape(run.summary.title(entry))}</h2>"
        yield from figures
        yield from _numbers(entry, rows)


def _figures(entry: Entry, run: RunView) -> Iterator[str]:
    if not entry.display:
        return
    charts = []
    for label in run.outcomes if entry.every_label else ("",):
        display = display_of(entry, run, label)
        if display is not None:
            charts.append(display.chart())
    drawn = [chart for chart in charts if any(panel.marks for panel in chart.panels)]
    if len(charts) == 1:
        yield _svg(charts[0])
    elif drawn and not any(chart.table_rows for chart in drawn):
        yield _svg(small_multiples(run.summary.title(entry), drawn))
    for chart in drawn if len(charts) > 1 else ():
        if chart.table_rows:
            # a table is smaller and faster to make than a row of panels per label
            headings, *rows = chart.table_rows
            yield f"<h3>{escape(chart.title)}</h3>{_table([*headings], rows)}<p>{escape(' '.join(chart.footer()))}</p>"


def _numbers(entry: Entry, rows: tuple[Row, ...]) -> Iterator[str]:
    """Yield the table of an entry, one row per label, group or threshold, then its numbers over all labels."""
    if not rows and entry.absent:
        yield f"<p>{escape(entry.absent[:1].upper() + entry.absent[1:])}</p>"
    per_label = [row for row in rows if not row.overall]
    columns = {m: column for m, column in entry.columns.items() if any(m in row.estimates for row in per_label)}
    thresholds = any(row.threshold for row in per_label)
    cells = []
    for row in per_label:
        values = [
            column.format(row.estimates[metric]) if metric in row.estimates else entry.missing
            for metric, column in columns.items()
        ]
        counts = [entry.columns[metric].format_counts(estimate) for metric, estimate in row.estimates.items()][:1]
        cells.append((row.name, *([row.threshold] if thresholds else []), *values, *(counts or [""])))
    if per_label:
        headings = [column.heading for column in columns.values()]
        counted = "images" if any(column.images for column in columns.values()) else "patients"
        yield _table(["", *(["threshold"] if thresholds else []), *headings, counted], cells)
    for row in rows:
        for metric, estimate in row.estimates.items() if row.overall else ():
            text = f"{row.name}: {entry.columns[metric].format(estimate, counts=estimate)}"
            yield f"<p>{escape(text)}</p>"


def _svg(chart: Chart) -> str:
    svg = as_svg(chart).decode()
    alt = escape(chart.alt)
    caption = f"<figcaption><details><summary>Numbers of the figure</summary>{alt}</details></figcaption>"
    # the SVG without its XML prologue
    image = f'<div class="wide" role="img" aria-label="{alt}">{svg[svg.index("<svg") :]}</div>'
    return f"<figure>{image}{caption}</figure>"


def _table(headings: list[str], rows: list[tuple[str, ...]]) -> str:
    head = f"<thead><tr>{''.join(f'<th>{escape(h)}</th>' for h in headings)}</tr></thead>" if headings else ""
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table>{head}<tbody>{body}</tbody></table></div>'
