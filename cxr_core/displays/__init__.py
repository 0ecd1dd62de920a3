"""Runs and cards, drawn: each display computes once, and is a table and a chart of the same numbers.

A display has ``table()`` and ``chart()``; :func:`on_screen` draws a chart with plotly, :func:`as_svg` and
:func:`as_png` draw it for a paper.
"""

from .auc import AucDisplay
from .calibration import CalibrationDisplay
from .card_metrics import MetricDisplay
from .comparison import ComparisonDisplay
from .display import Display
from .failures import FailuresDisplay
from .localisation import HitsDisplay, OverlapDisplay
from .marks import Chart
from .net_benefit import NetBenefitDisplay
from .operating import OperatingDisplay
from .outcome import Outcome, outcome_of, outcomes_of
from .outcome_distribution import OutcomeDisplay
from .paper import as_png, as_svg, on_paper
from .precision_recall import PrecisionRecallDisplay
from .readers import AgreementDisplay, ReadersDisplay
from .roc import RocDisplay
from .run_report import run_report
from .screen import on_screen
from .subgroups import SubgroupDisplay
from .training_balance import BalanceDisplay
from .training_counts import CountsDisplay
from .training_log import LogDisplay
from .training_patients import PatientsDisplay
from .training_people import AgesDisplay, SexesAndViewsDisplay
from .training_together import TogetherDisplay

__all__ = [
    "AgesDisplay",
    "AgreementDisplay",
    "AucDisplay",
    "BalanceDisplay",
    "CalibrationDisplay",
    "Chart",
    "ComparisonDisplay",
    "CountsDisplay",
    "Display",
    "FailuresDisplay",
    "HitsDisplay",
    "LogDisplay",
    "MetricDisplay",
    "NetBenefitDisplay",
    "OperatingDisplay",
    "Outcome",
    "OutcomeDisplay",
    "OverlapDisplay",
    "PatientsDisplay",
    "PrecisionRecallDisplay",
    "ReadersDisplay",
    "RocDisplay",
    "SexesAndViewsDisplay",
    "SubgroupDisplay",
    "TogetherDisplay",
    "as_png",
    "as_svg",
    "on_paper",
    "on_screen",
    "outcome_of",
    "outcomes_of",
    "run_report",
]
