"""The page "Training data": the images that a model was trained on."""

from cxr_core.ui.guard import guard

guard(__file__)

from cxr_core.ui.model_card import select_card  # noqa: E402
from cxr_core.ui.training_data import training_data  # noqa: E402

training_data(select_card())
