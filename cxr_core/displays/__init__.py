"""Runs and cards, drawn: each display computes once, and is a table and a chart of the same numbers.

A display has ``table()`` and ``chart()``; :func:`on_screen` draws a chart with plotly, :func:`as_svg` and
:func:`as_png` draw it for a paper.
"""

from .auc import AucDisplay
from .calibration import CalibrationDisplay
from .card_metrics import MetricDisplay
from .comparison import ComparisonDisplay
from .display import Display
from .marks import Chart
from .net_benefit import NetBenefitDisplay
from .operating import OperatingDisplay
from .outcome import Outcome, outcome_of, outcomes_of
from .outcome_distribution import OutcomeDisplay
from .paper import as_png, as_svg, on_paper
from .precision_recall import PrecisionRecallDisplay
from .readers import AgreementDisplay, ReadersDisplay
from .roc import RocDisplay
from .screen import on_screen
from .subgroups import SubgroupDisplay

__all__ = [
    "AgreementDisplay",
    "AucDisplay",
    "CalibrationDisplay",
    "Chart",
    "ComparisonDisplay",
    "Display",
    "MetricDisplay",
    "NetBenefitDisplay",
    "OperatingDisplay",
    "Outcome",
    "OutcomeDisplay",
    "PrecisionRecallDisplay",
    "ReadersDisplay",
    "RocDisplay",
    "SubgroupDisplay",
    "as_png",
    "as_svg",
    "on_paper",
    "on_screen",
    "outcome_of",
    "outcomes_of",
]
