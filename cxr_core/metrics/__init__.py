"""Arrays in, numbers with intervals out; nothing but NumPy and SciPy."""

from .averages import ClassMeans, mean_auc, mean_average_precision
from .clustered import auc_with_interval, clustered_auc, clustered_test
from .comparison import ModelComparison, auc_difference, compare_models, holm
from .decision import AtThreshold, ValuesAtPrevalence, at_threshold, values_at_prevalence
from .delong import PairedTest, delong_auc, delong_test
from .estimate import Estimate
from .intervals import count_patients, patient_bootstrap, patient_bootstrap_auc
from .net_benefit import DecisionCurve, OutcomeHistogram, decision_curve, outcome_histogram
from .operating import sensitivity_specificity, share_flagged, threshold_at_specificity
from .precision_recall import (
    PrecisionRecallCurve,
    average_precision,
    patient_bootstrap_average_precision,
    precision_recall_curve,
)
from .ranking import RocCurve, roc_auc, roc_curve
from .readers import ReaderPoint, majority_of_others, reader_points
from .reliability import (
    BrierParts,
    CalibrationBin,
    CalibrationError,
    brier_parts,
    calibration_curve,
    calibration_error,
)
from .shares import patient_mean, patient_share, wilson

__all__ = [
    "AtThreshold",
    "BrierParts",
    "CalibrationBin",
    "CalibrationError",
    "ClassMeans",
    "DecisionCurve",
    "Estimate",
    "ModelComparison",
    "OutcomeHistogram",
    "PairedTest",
    "PrecisionRecallCurve",
    "ReaderPoint",
    "RocCurve",
    "ValuesAtPrevalence",
    "at_threshold",
    "auc_difference",
    "auc_with_interval",
    "average_precision",
    "brier_parts",
    "calibration_curve",
    "calibration_error",
    "clustered_auc",
    "clustered_test",
    "compare_models",
    "count_patients",
    "decision_curve",
    "delong_auc",
    "delong_test",
    "holm",
    "majority_of_others",
    "mean_auc",
    "mean_average_precision",
    "outcome_histogram",
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
    "values_at_prevalence",
    "wilson",
]
