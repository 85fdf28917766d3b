"""Play the scores to the files of the shipped fragments:

    python -m sidlive.tune.scores            writes sidlive/tune/assets/*.npz
    python -m sidlive.tune.scores FOLDER     writes them to FOLDER

The same scores give the same files, to the byte.
"""

import sys
from pathlib import Path

from sidlive.tune.scores import build
from sidlive.tune.shipped import ASSETS

if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else ASSETS)
