"""Run the command line as ``python -m sidlive``."""

import sys

from sidlive.cli import main

if __name__ == "__main__":
    sys.exit(main())
