"""``python -m cxr_core``, and the command ``second-read`` of an installed package."""

import sys

from .cli.main import main


def run() -> None:
    """Run a command and end the process with its exit status."""
    sys.exit(main())


if __name__ == "__main__":
    run()
