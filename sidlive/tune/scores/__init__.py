"""The scores of the shipped fragments, as text for the tracker: one module each, named like its fragment.

`scores` lists them, `build` plays them to the files in ``assets``; ``python -m sidlive.tune.scores`` does that.
"""

import importlib
import pkgutil
from pathlib import Path

from sidlive.tune.beat import Beat, beat_to_meta
from sidlive.tune.formats.npz import save_frames
from sidlive.tune.tracker import Song, play


def scores() -> dict[str, Song]:
    """Return all songs by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name != "__main__")
    return {name: importlib.import_module(f"{__name__}.{name}").SONG for name in names}


def build(folder: Path) -> None:
    """Play every score to an .npz file in ``folder``, with texts about it."""
    for name, song in scores().items():
        about = {"title": song.title, "style": song.style, "author": "sidlive", "source": f"sidlive: {song.style}"}
        about |= {"chip": song.chip, "timing": song.timing.name, **beat_to_meta(Beat(song.beat_frames, song.bar))}
        save_frames(folder / f"{name}.npz", play(song), song.timing.rate_hz, **about)
