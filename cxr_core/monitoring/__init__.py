"""Reads over time beside a reference: control charts, distributions, and the alarm for a change; stored opinions."""

from .agreement import ConcordanceReport, concordance_report, read_reference
from .alarms import Alarm, Contribution, Episode, Watch, watch
from .periods import category_table, distribution_table, mix_table, period_table
from .reads import check_reads, reads_of_run
from .reference import Reference, reference_of, with_familiarity
from .report import MonitoringReport, monitoring_report, validation_run
from .stored import opinions_of_store, reading_times, reads_of_store

__all__ = [
    "Alarm",
    "ConcordanceReport",
    "Contribution",
    "Episode",
    "MonitoringReport",
    "Reference",
    "Watch",
    "category_table",
    "check_reads",
    "concordance_report",
    "distribution_table",
    "mix_table",
    "monitoring_report",
    "opinions_of_store",
    "period_table",
    "read_reference",
    "reading_times",
    "reads_of_run",
    "reads_of_store",
    "reference_of",
    "validation_run",
    "watch",
    "with_familiarity",
]
