"""Arrays in, numbers with intervals out; nothing but NumPy and SciPy."""

from .averages import ClassMeans, mean_auc, mean_average_precision
from .clustered import auc_with_interval, clustered_auc, clustered_test
from .comparison import ModelComparison, auc_difference, compare_models, holm
from .delong import PairedTest, delong_auc, delong_test
from .estimate import Estimate
from .intervals import count_patients, patient_bootstrap, patient_bootstrap_auc
from .operating import sensitivity_specificity, share_flagged, threshold_at_specificity
from .precision_recall import (
    PrecisionRecallCurve,
    average_precision,
    patient_bootstrap_average_precision,
    precision_recall_curve,
)
from .ranking import RocCurve, roc_auc, roc_curve
from .readers import ReaderPoint, majority_of_others, reader_points
from .shares import patient_mean, patient_share, wilson

__all__ = [
    "ClassMeans",
    "Estimate",
    "ModelComparison",
    "PairedTest",
    "PrecisionRecallCurve",
    "ReaderPoint",
    "RocCurve",
    "auc_difference",
    "auc_with_interval",
    "average_precision",
    "clustered_auc",
    "clustered_test",
    "compare_models",
    "count_patients",
    "delong_auc",
    "delong_test",
    "holm",
    "majority_of_others",
    "mean_auc",
    "mean_average_precision",
    "patient_bootstrap",
    "patient_bootstrap_auc",
    "patient_bootstrap_average_precision",
    "patient_mean",
    "patient_share",
    "precision_recall_curve",
    "reader_points",
    "roc_auc",
    "roc_curve",
    "sensitivity_specificity",
    "share_flagged",
    "threshold_at_specificity",
    "wilson",
]
