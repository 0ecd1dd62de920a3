"""Whether the maps point at what readers boxed."""

from cxr_core.ui.guard import guard

guard(__file__)

from cxr_core.errors import CxrError  # noqa: E402
from cxr_core.ui import localisation as screen  # noqa: E402
from cxr_core.ui.chrome import stop_with  # noqa: E402
from cxr_core.ui.run_page import chosen_run, heading  # noqa: E402

try:
    run = chosen_run()
except CxrError as error:
    stop_with(error)

heading(run, "Localisation")
screen.localisation(run)
