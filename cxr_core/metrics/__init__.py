"""Arrays in, numbers with intervals out; nothing but NumPy and SciPy."""

from .agreement import Agreement, cohen_kappa, fleiss_kappa, reader_agreement
from .averages import ClassMeans, mean_auc, mean_average_precision
from .calibration import (
    IsotonicFit,
    PlattFit,
    Recalibration,
    isotonic,
    isotonic_replicates,
    platt,
    platt_replicates,
    recalibration,
)
from .clustered import auc_of_columns, auc_with_interval, clustered_auc, clustered_test
from .comparison import ModelComparison, auc_difference, compare_models, holm
from .decision import AtThreshold, ValuesAtPrevalence, at_threshold, values_at_prevalence
from .delong import PairedTest, delong_auc, delong_test
from .estimate import Estimate
from .intervals import BOOTSTRAP_FROM, count_cases, count_patients, patient_bootstrap, patient_bootstrap_auc
from .localisation import (
    Look,
    OverlapCurve,
    PointingGame,
    box_coverage,
    look_at,
    overlap_by_threshold,
    overlap_of,
    pointing_game,
    pointing_game_of,
)
from .net_benefit import DecisionCurve, OutcomeHistogram, decision_curve, outcome_histogram
from .operating import (
    sensitivity_specificity,
    share_flagged,
    threshold_at_sensitivity,
    threshold_at_specificity,
    youden_threshold,
)
from .precision_recall import (
    PrecisionRecallCurve,
    average_precision,
    patient_bootstrap_average_precision,
    precision_recall_curve,
)
from .proper_scores import (
    brier_difference,
    brier_loss,
    log_loss,
    log_loss_difference,
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
from .resampling import patient_folds, resamples_for
from .roc_band import RocBand, roc_band
from .selective import CoveragePoint, RiskCoverage, risk_coverage
from .shares import Share, patient_mean, patient_share, patient_shares, wilson
from .subgroups import UNKNOWN, SubgroupRow, age_bands, subgroups

__all__ = [
    "BOOTSTRAP_FROM",
    "UNKNOWN",
    "Agreement",
    "AtThreshold",
    "BrierParts",
    "CalibrationBin",
    "CalibrationError",
    "ClassMeans",
    "CoveragePoint",
    "DecisionCurve",
    "Estimate",
    "IsotonicFit",
    "Look",
    "ModelComparison",
    "OutcomeHistogram",
    "OverlapCurve",
    "PairedTest",
    "PlattFit",
    "PointingGame",
    "PrecisionRecallCurve",
    "ReaderPoint",
    "Recalibration",
    "RiskCoverage",
    "RocBand",
    "RocCurve",
    "Share",
    "SubgroupRow",
    "ValuesAtPrevalence",
    "age_bands",
    "at_threshold",
    "auc_difference",
    "auc_of_columns",
    "auc_with_interval",
    "average_precision",
    "box_coverage",
    "brier_difference",
    "brier_loss",
    "brier_parts",
    "calibration_curve",
    "calibration_error",
    "clustered_auc",
    "clustered_test",
    "cohen_kappa",
    "compare_models",
    "count_cases",
    "count_patients",
    "decision_curve",
    "delong_auc",
    "delong_test",
    "fleiss_kappa",
    "holm",
    "isotonic",
    "isotonic_replicates",
    "log_loss",
    "log_loss_difference",
    "look_at",
    "majority_of_others",
    "mean_auc",
    "mean_average_precision",
    "outcome_histogram",
    "overlap_by_threshold",
    "overlap_of",
    "patient_bootstrap",
    "patient_bootstrap_auc",
    "patient_bootstrap_average_precision",
    "patient_folds",
    "patient_mean",
    "patient_share",
    "patient_shares",
    "platt",
    "platt_replicates",
    "pointing_game",
    "pointing_game_of",
    "precision_recall_curve",
    "reader_agreement",
    "reader_points",
    "recalibration",
    "resamples_for",
    "risk_coverage",
    "roc_auc",
    "roc_band",
    "roc_curve",
    "sensitivity_specificity",
    "share_flagged",
    "subgroups",
    "threshold_at_sensitivity",
    "threshold_at_specificity",
    "values_at_prevalence",
    "wilson",
    "youden_threshold",
]
