"""Play the scores in this folder to the fragments that ship with the instrument:

    python fragments/build.py            writes sidlive/tune/assets/*.npz
    python fragments/build.py FOLDER     writes them to FOLDER

The same scores give the same files, to the byte.
"""

import importlib
import sys
from pathlib import Path

from sidlive.chip.registers import PAL
from sidlive.tune.capture import save_frames
from sidlive.tune.shipped import ASSETS
from sidlive.tune.tracker import Song, play

HERE = Path(__file__).resolve().parent


def scores() -> dict[str, Song]:
    """The songs by name; this folder is where they are imported from."""
    names = sorted(path.stem for path in HERE.glob("*.py") if path.stem != "build")
    return {name: importlib.import_module(name).SONG for name in names}


def build(folder: Path) -> None:
    """Write every score's frames to ``folder``, with what there is to say about them."""
    for name, song in scores().items():
        about = {"title": song.title, "style": song.style, "author": "sidlive", "source": f"sidlive: {song.style}"}
        about |= {"chip": song.chip, "timing": PAL.name, "beat_frames": str(song.beat_frames)}
        save_frames(folder / f"{name}.npz", play(song), PAL.rate_hz, **about)


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else ASSETS)
