"""Arrays in, numbers with intervals out; nothing but NumPy and SciPy."""

from .clustered import auc_with_interval, clustered_auc, clustered_test
from .comparison import ModelComparison, auc_difference, compare_models, holm
from .delong import PairedTest, delong_auc, delong_test
from .estimate import Estimate
from .intervals import count_patients, patient_bootstrap, patient_bootstrap_auc
from .operating import sensitivity_specificity, share_flagged, threshold_at_specificity
from .ranking import RocCurve, roc_auc, roc_curve
from .readers import ReaderPoint, majority_of_others, reader_points
from .shares import patient_mean, patient_share, wilson

__all__ = [
    "Estimate",
    "ModelComparison",
    "PairedTest",
    "ReaderPoint",
    "RocCurve",
    "auc_difference",
    "auc_with_interval",
    "clustered_auc",
    "clustered_test",
    "compare_models",
    "count_patients",
    "delong_auc",
    "delong_test",
    "holm",
    "majority_of_others",
    "patient_bootstrap",
    "patient_bootstrap_auc",
    "patient_mean",
    "patient_share",
    "reader_points",
    "roc_auc",
    "roc_curve",
    "sensitivity_specificity",
    "share_flagged",
    "threshold_at_specificity",
    "wilson",
]
