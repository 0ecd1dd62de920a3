"""The model's card, readable."""

from cxr_core.ui.guard import guard

guard()

from cxr_core.errors import CxrError  # noqa: E402
from cxr_core.ui import model_card  # noqa: E402
from cxr_core.ui.chrome import stop_with  # noqa: E402
from cxr_core.ui.loaders import predictor  # noqa: E402

try:
    card = predictor().card
except CxrError as error:
    stop_with(error)

model_card.show(card)
