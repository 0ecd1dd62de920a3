"""Arrays in, numbers with intervals out; nothing but NumPy and SciPy."""

from .estimate import Estimate
from .intervals import count_patients, patient_bootstrap, patient_bootstrap_auc, wilson
from .operating import sensitivity_specificity, share_flagged, threshold_at_specificity
from .ranking import RocCurve, roc_auc, roc_curve

__all__ = [
    "Estimate",
    "RocCurve",
    "count_patients",
    "patient_bootstrap",
    "patient_bootstrap_auc",
    "roc_auc",
    "roc_curve",
    "sensitivity_specificity",
    "share_flagged",
    "threshold_at_specificity",
    "wilson",
]
