"""AUC that the authors of published weights state, each with the set it was measured on.

Source: torchxrayvision's ``BENCHMARKS.md`` of 23 July 2023, "performance for predicting each pathology on 20 % of
each dataset", two decimals, without intervals or counts. Its script (``scripts/model_calibrate.py``) draws the
20 % by patient with seed 0; its training script drew by image, and nothing says that the images of the one are
not among those of the other. So a number on a data set of the training may be partly on images that were seen.
Numbers of different sets do not belong in one column.
"""

from __future__ import annotations

__all__ = ["AUC_SOURCE", "PUBLISHED_AUC"]

AUC_SOURCE = "torchxrayvision, BENCHMARKS.md of 23 July 2023"

PUBLISHED_AUC: dict[str, dict[str, dict[str, float]]] = {
    "densenet121-res224-all": {
        "NIH ChestX-ray14": {
            "Atelectasis": 0.76,
            "Cardiomegaly": 0.88,
            "Consolidation": 0.77,
            "Edema": 0.85,
            "Effusion": 0.85,
            "Emphysema": 0.73,
            "Fibrosis": 0.72,
            "Hernia": 0.91,
            "Infiltration": 0.68,
            "Mass": 0.80,
            "Nodule": 0.69,
            "Pleural_Thickening": 0.74,
            "Pneumonia": 0.71,
            "Pneumothorax": 0.75,
        },
        "PadChest": {
            "Atelectasis": 0.77,
            "Cardiomegaly": 0.93,
            "Consolidation": 0.88,
            "Edema": 0.97,
            "Effusion": 0.95,
            "Emphysema": 0.87,
            "Fibrosis": 0.94,
            "Fracture": 0.70,
            "Hernia": 0.96,
            "Infiltration": 0.85,
            "Mass": 0.85,
            "Nodule": 0.69,
            "Pleural_Thickening": 0.79,
            "Pneumonia": 0.82,
            "Pneumothorax": 0.81,
        },
        "CheXpert": {
            "Atelectasis": 0.91,
            "Cardiomegaly": 0.91,
            "Consolidation": 0.90,
            "Edema": 0.92,
            "Enlarged Cardiomediastinum": 0.78,
            "Fracture": 0.74,
            "Lung Lesion": 0.84,
            "Lung Opacity": 0.87,
            "Effusion": 0.94,
            "Pneumonia": 0.84,
            "Pneumothorax": 0.85,
        },
        "NIH ChestX-ray14, labelled by Google": {"Lung Opacity": 0.92, "Fracture": 0.74, "Pneumothorax": 0.85},
        "NIH ChestX-ray14, as in the RSNA Pneumonia Challenge": {"Lung Opacity": 0.88, "Pneumonia": 0.86},
        "NIH ChestX-ray14, as in the SIIM Pneumothorax Challenge": {"Pneumothorax": 0.79},
        "VinDr-CXR (VinBrain in the source)": {
            "Atelectasis": 0.67,
            "Cardiomegaly": 0.90,
            "Consolidation": 0.93,
            "Effusion": 0.87,
            "Infiltration": 0.86,
            "Lung Opacity": 0.85,
            "Pleural_Thickening": 0.84,
            "Pneumothorax": 0.93,
        },
    },
}
"""AUC by weights, data set and label."""
