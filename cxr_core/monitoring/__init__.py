"""Reads over time beside a reference: control charts, distributions, and the alarm for a change; stored opinions."""

from .agreement import ConcordanceReport, concordance_report, read_reference
from .alarms import Alarm, Contribution, Episode, Watch, watch
from .clusters import Clusters, ClusterUnit, clustered_table, clusters_of
from .periods import category_table, distribution_table, mix_table, period_table
from .reads import check_reads, reads_of_run
from .reference import MonitoringReference, reference_of, with_familiarity
from .report import MonitoringReport, monitoring_report, validation_run
from .stored import opinions_of_store, reads_of_store, times_by_group

__all__ = [
    "Alarm",
    "ClusterUnit",
    "Clusters",
    "ConcordanceReport",
    "Contribution",
    "Episode",
    "MonitoringReference",
    "MonitoringReport",
    "Watch",
    "category_table",
    "check_reads",
    "clustered_table",
    "clusters_of",
    "concordance_report",
    "distribution_table",
    "mix_table",
    "monitoring_report",
    "opinions_of_store",
    "period_table",
    "read_reference",
    "reads_of_run",
    "reads_of_store",
    "reference_of",
    "times_by_group",
    "validation_run",
    "watch",
    "with_familiarity",
]
