"""What a model was made from."""

from cxr_core.ui.guard import guard

guard(__file__)

from cxr_core.errors import CxrError  # noqa: E402
from cxr_core.ui.chrome import stop_with  # noqa: E402
from cxr_core.ui.model_card import chosen_card  # noqa: E402
from cxr_core.ui.served import served  # noqa: E402
from cxr_core.ui.training_data import training_data  # noqa: E402

try:
    card = chosen_card(served().card)
except CxrError as error:
    stop_with(error)

training_data(card)
