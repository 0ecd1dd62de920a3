"""Arrays in, numbers with intervals out; nothing but NumPy and SciPy."""

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
from .comparison import auc_difference
from .estimate import Estimate
from .intervals import count_patients, patient_bootstrap, patient_bootstrap_auc, wilson
from .operating import (
    sensitivity_specificity,
    share_flagged,
    threshold_at_sensitivity,
    threshold_at_specificity,
    youden_threshold,
)
from .proper_scores import (
    brier_difference,
    brier_loss,
    log_loss,
    log_loss_difference,
    patient_bootstrap_mean,
)
from .ranking import RocCurve, roc_auc, roc_curve
from .readers import ReaderPoint, majority_of_others, reader_points
from .resampling import patient_folds

__all__ = [
    "Estimate",
    "IsotonicFit",
    "PlattFit",
    "ReaderPoint",
    "Recalibration",
    "RocCurve",
    "auc_difference",
    "brier_difference",
    "brier_loss",
    "count_patients",
    "isotonic",
    "isotonic_replicates",
    "log_loss",
    "log_loss_difference",
    "majority_of_others",
    "patient_bootstrap",
    "patient_bootstrap_auc",
    "patient_bootstrap_mean",
    "patient_folds",
    "platt",
    "platt_replicates",
    "reader_points",
    "recalibration",
    "roc_auc",
    "roc_curve",
    "sensitivity_specificity",
    "share_flagged",
    "threshold_at_sensitivity",
    "threshold_at_specificity",
    "wilson",
    "youden_threshold",
]
