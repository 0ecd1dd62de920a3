"""The model's card, readable; and the import of others."""

from cxr_core.ui.guard import guard

guard(__file__)

from cxr_core.errors import CxrError  # noqa: E402
from cxr_core.ui import model_card  # noqa: E402
from cxr_core.ui.chrome import stop_with  # noqa: E402
from cxr_core.ui.importing import import_panel  # noqa: E402
from cxr_core.ui.served import served  # noqa: E402

# first, since it is the way out where no model can be used
import_panel()
try:
    card = model_card.chosen_card(served().card)
except CxrError as error:
    stop_with(error)

model_card.show(card)
