"""Figures of runs and model cards: each display holds computed numbers and returns them as a table and as a chart.

:func:`plotly_figure` draws a chart for a page; :func:`as_svg` and :func:`as_png` draw it for publication.
"""

from ..evaluation.outcomes import Outcome, outcome_of, outcomes_of
from .auc import AucDisplay, ComparisonDisplay
from .calibration import CalibrationDisplay
from .card_metrics import MetricDisplay
from .concordance import AccuracyChangeDisplay, ConcordanceDisplay, OpinionChangeDisplay, ReadingTimeDisplay
from .display import Display
from .distributions import DistributionDisplay
from .label_noise import LabelNoiseDisplay
from .labels import LabelCooccurrenceDisplay, LabelCountsDisplay
from .localisation import IntersectionOverUnionDisplay, PointingGameDisplay
from .marks import Chart
from .matplotlib_charts import as_png, as_svg, matplotlib_figure
from .monitoring import AlarmDisplay, ControlChartDisplay, ScoreChartsDisplay
from .operating_point import NetBenefitDisplay, OperatingDisplay
from .pacs import ThroughputDisplay
from .plotly_charts import plotly_figure
from .precision_recall import PrecisionRecallDisplay
from .reader_agreement import LeaveOneOutDisplay
from .reader_comparison import ReaderAnalysisDisplay, ReaderDifferencesDisplay
from .readers import AgreementDisplay, ReadersDisplay
from .roc import RocDisplay
from .run_report import run_report
from .score_distribution import FailuresDisplay, ScoreDistributionDisplay
from .subgroups import SubgroupDisplay
from .training import LossContributionDisplay, TrainingLogDisplay
from .training_data import AgeDisplay, PatientOverlapDisplay, SexAndViewDisplay

__all__ = [
    "AccuracyChangeDisplay",
    "AgeDisplay",
    "AgreementDisplay",
    "AlarmDisplay",
    "AucDisplay",
    "CalibrationDisplay",
    "Chart",
    "ComparisonDisplay",
    "ConcordanceDisplay",
    "ControlChartDisplay",
    "Display",
    "DistributionDisplay",
    "FailuresDisplay",
    "IntersectionOverUnionDisplay",
    "LabelCooccurrenceDisplay",
    "LabelCountsDisplay",
    "LabelNoiseDisplay",
    "LeaveOneOutDisplay",
    "LossContributionDisplay",
    "MetricDisplay",
    "NetBenefitDisplay",
    "OperatingDisplay",
    "OpinionChangeDisplay",
    "Outcome",
    "PatientOverlapDisplay",
    "PointingGameDisplay",
    "PrecisionRecallDisplay",
    "ReaderAnalysisDisplay",
    "ReaderDifferencesDisplay",
    "ReadersDisplay",
    "ReadingTimeDisplay",
    "RocDisplay",
    "ScoreChartsDisplay",
    "ScoreDistributionDisplay",
    "SexAndViewDisplay",
    "SubgroupDisplay",
    "ThroughputDisplay",
    "TrainingLogDisplay",
    "as_png",
    "as_svg",
    "matplotlib_figure",
    "outcome_of",
    "outcomes_of",
    "plotly_figure",
    "run_report",
]
