"""Arrays in, numbers with intervals out; nothing but NumPy and SciPy."""

from .comparison import auc_difference
from .estimate import Estimate
from .intervals import count_patients, patient_bootstrap, patient_bootstrap_auc, wilson
from .operating import sensitivity_specificity, share_flagged, threshold_at_specificity
from .ranking import RocCurve, roc_auc, roc_curve
from .readers import ReaderPoint, majority_of_others, reader_points

__all__ = [
    "Estimate",
    "ReaderPoint",
    "RocCurve",
    "auc_difference",
    "count_patients",
    "majority_of_others",
    "patient_bootstrap",
    "patient_bootstrap_auc",
    "reader_points",
    "roc_auc",
    "roc_curve",
    "sensitivity_specificity",
    "share_flagged",
    "threshold_at_specificity",
    "wilson",
]
