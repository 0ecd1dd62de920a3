"""Metrics of a binary classifier with confidence intervals: arrays in, estimates out; NumPy and SciPy alone.

Intervals are clustered by patient. Every number is an :class:`Estimate`; how its interval is made is one
:class:`BootstrapOptions`.
"""

from ..estimate import Counts, Estimate
from .agreement import Agreement, clustered_kappa, cohen_kappa, fleiss_kappa, reader_agreement
from .auc import ModelComparison, auc_difference, auc_of_subsets, auc_per_class, auc_with_interval, compare_models, holm
from .averages import ClassMeans, MeanComparison, compare_mean_auc, mean_auc, mean_average_precision
from .bootstrap import BOOTSTRAP_MIN_PATIENTS, BootstrapOptions, default_resamples, patient_bootstrap
from .box_geometry import box_coverage
from .calibration.curve import (
    BrierDecomposition,
    CalibrationBin,
    CalibrationError,
    brier_decomposition,
    calibration_curve,
    calibration_error,
)
from .calibration.fit import (
    IsotonicFit,
    PlattFit,
    Recalibration,
    isotonic,
    isotonic_replicates,
    platt,
    platt_replicates,
    recalibration,
)
from .calibration.scores import brier_difference, brier_loss, log_loss, log_loss_difference
from .cases import count_cases, patient_folds
from .change_detection import (
    ChangeOptions,
    NumericReference,
    ProportionReference,
    detect_changes,
    first_of_patient,
    numeric_reference,
    proportion_reference,
)
from .concordance import BeforeAfter, Concordance, ReadingTime, concordance, reading_time
from .control_charts import (
    StabilityIndex,
    category_test,
    count_limits,
    mean_limits,
    proportion_limits,
    stability_index,
)
from .delong import PairedTest, clustered_auc, clustered_test, delong_auc, delong_test
from .diagnostic_accuracy import (
    AtThreshold,
    PredictiveValues,
    at_threshold,
    predictive_values_at_prevalence,
    sensitivity_specificity,
)
from .jackknife import jackknife_aucs, jackknife_covariance
from .label_noise import LabelNoise, label_noise
from .localisation import (
    MapEvaluation,
    OverlapCurve,
    PointingGame,
    evaluate_map,
    overlap_by_threshold,
    overlap_from_images,
    pointing_game,
    pointing_game_from_hits,
)
from .map_baselines import (
    PairedDifference,
    average_of_others,
    best_threshold_of_others,
    levels_of_equal_area,
    paired_difference,
    sign_flip_test,
)
from .multireader import (
    MeanTest,
    MultireaderAnalysis,
    VarianceComponents,
    decisions_against_model,
    obuchowski_rockette,
)
from .net_benefit import DecisionCurve, OutcomeHistogram, decision_curve, outcome_histogram
from .operating_point import threshold_at_sensitivity, threshold_at_specificity, youden_threshold
from .opinions import CONCORDANCE_BASES, Opinions, Uncertain, opinions_behind
from .precision_recall import (
    PrecisionRecallCurve,
    average_precision,
    average_precision_per_class,
    average_precision_with_interval,
    precision_recall_curve,
)
from .proportions import Proportion, patient_mean, patient_proportion, patient_proportions, wilson
from .reader_minus_model import ReaderDifference, ReaderDifferences, reader_differences
from .readers import ReaderPoint, majority_members, majority_of_others, reader_points
from .risk_coverage import CoveragePoint, RiskCoverage, risk_coverage
from .roc import RocBand, RocCurve, roc_auc, roc_band, roc_curve
from .sample_size import (
    auc_half_width,
    binormal_log_odds,
    calibration_slope_half_width,
    patients_needed,
    proportion_half_width,
)
from .subgroups import UNKNOWN, SubgroupRow, age_bands, subgroups

__all__ = [
    "BOOTSTRAP_MIN_PATIENTS",
    "CONCORDANCE_BASES",
    "UNKNOWN",
    "Agreement",
    "AtThreshold",
    "BeforeAfter",
    "BootstrapOptions",
    "BrierDecomposition",
    "CalibrationBin",
    "CalibrationError",
    "ChangeOptions",
    "ClassMeans",
    "Concordance",
    "Counts",
    "CoveragePoint",
    "DecisionCurve",
    "Estimate",
    "IsotonicFit",
    "LabelNoise",
    "MapEvaluation",
    "MeanComparison",
    "MeanTest",
    "ModelComparison",
    "MultireaderAnalysis",
    "NumericReference",
    "Opinions",
    "OutcomeHistogram",
    "OverlapCurve",
    "PairedDifference",
    "PairedTest",
    "PlattFit",
    "PointingGame",
    "PrecisionRecallCurve",
    "PredictiveValues",
    "Proportion",
    "ProportionReference",
    "ReaderDifference",
    "ReaderDifferences",
    "ReaderPoint",
    "ReadingTime",
    "Recalibration",
    "RiskCoverage",
    "RocBand",
    "RocCurve",
    "StabilityIndex",
    "SubgroupRow",
    "Uncertain",
    "VarianceComponents",
    "age_bands",
    "at_threshold",
    "auc_difference",
    "auc_half_width",
    "auc_of_subsets",
    "auc_per_class",
    "auc_with_interval",
    "average_of_others",
    "average_precision",
    "average_precision_per_class",
    "average_precision_with_interval",
    "best_threshold_of_others",
    "binormal_log_odds",
    "box_coverage",
    "brier_decomposition",
    "brier_difference",
    "brier_loss",
    "calibration_curve",
    "calibration_error",
    "calibration_slope_half_width",
    "category_test",
    "clustered_auc",
    "clustered_kappa",
    "clustered_test",
    "cohen_kappa",
    "compare_mean_auc",
    "compare_models",
    "concordance",
    "count_cases",
    "count_limits",
    "decision_curve",
    "decisions_against_model",
    "default_resamples",
    "delong_auc",
    "delong_test",
    "detect_changes",
    "evaluate_map",
    "first_of_patient",
    "fleiss_kappa",
    "holm",
    "isotonic",
    "isotonic_replicates",
    "jackknife_aucs",
    "jackknife_covariance",
    "label_noise",
    "levels_of_equal_area",
    "log_loss",
    "log_loss_difference",
    "majority_members",
    "majority_of_others",
    "mean_auc",
    "mean_average_precision",
    "mean_limits",
    "numeric_reference",
    "obuchowski_rockette",
    "opinions_behind",
    "outcome_histogram",
    "overlap_by_threshold",
    "overlap_from_images",
    "paired_difference",
    "patient_bootstrap",
    "patient_folds",
    "patient_mean",
    "patient_proportion",
    "patient_proportions",
    "patients_needed",
    "platt",
    "platt_replicates",
    "pointing_game",
    "pointing_game_from_hits",
    "precision_recall_curve",
    "predictive_values_at_prevalence",
    "proportion_half_width",
    "proportion_limits",
    "proportion_reference",
    "reader_agreement",
    "reader_differences",
    "reader_points",
    "reading_time",
    "recalibration",
    "risk_coverage",
    "roc_auc",
    "roc_band",
    "roc_curve",
    "sensitivity_specificity",
    "sign_flip_test",
    "stability_index",
    "subgroups",
    "threshold_at_sensitivity",
    "threshold_at_specificity",
    "wilson",
    "youden_threshold",
]
