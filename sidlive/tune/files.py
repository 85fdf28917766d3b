"""Files of music opened and written, each as its name says: tunes (.sid, .prg) and frames (.npz, .sidgpt, .dmp).

Every command and verb that takes music opens it here, so that all of them take the same files.
"""

import os
from pathlib import Path

from sidlive.chip.registers import PAL, Frames
from sidlive.errors import TuneError
from sidlive.tune import prg, psid, streams
from sidlive.tune.capture.recorder import Recorder
from sidlive.tune.formats import FRAMES, MUS, holds_frames
from sidlive.tune.npz import load_frames, save_frames
from sidlive.tune.psid import MUS_REFUSAL, Tune


def read_tune(path: Path) -> Tune:
    """The tune in a .sid or .prg file. Raises TuneError for a file that cannot be read or is none."""
    suffix = path.suffix.lower()
    if suffix in MUS:
        raise TuneError(f"{path}: {MUS_REFUSAL}")
    if suffix in FRAMES:
        raise TuneError(f"{path} holds frames; expected a tune, .sid or .prg")
    return prg.read(path) if suffix == ".prg" else psid.read(path)


def open_song(path: Path, song: int | None = None) -> Recorder:
    """A song of a .sid or .prg file, initialised, to be recorded. Raises TuneError naming the file."""
    tune = read_tune(path)
    try:
        return Recorder(tune, song)
    except TuneError as error:
        raise TuneError(f"{path}: {error}") from None


def read_frames(
    path: Path, song: int | None = None, rate_hz: float = PAL.rate_hz
) -> tuple[Frames, float, dict[str, str]]:
    """Frames ``uint8[T, 28]``, frames a second, and texts about them, of a .npz, .sidgpt or .dmp file.

    ``song`` picks a piece of a .sidgpt, from 1 (the first by default); ``rate_hz`` is that of files that do not say.
    Raises TuneError.
    """
    suffix = path.suffix.lower()
    if suffix == ".sidgpt":
        pieces = streams.read_sidgpt(path)
        if not 1 <= (song or 1) <= len(pieces) or song == 0:
            raise TuneError(f"{path}: song {song} does not exist; the stream has pieces 1 to {len(pieces)}")
        return pieces[(song or 1) - 1], rate_hz, {}
    if suffix not in FRAMES:
        raise TuneError(f"{path}: expected frames, {', '.join(FRAMES)}")
    if song is not None:
        raise TuneError(f"{path}: frames have no songs; leave the song out")
    if suffix == ".dmp":
        return streams.read_dmp(path), rate_hz, {}
    return load_frames(path)


def write_frames(path: Path, frames: Frames, rate_hz: float, **meta: str) -> None:
    """Frames to a file, in the format that its name asks for; only .npz keeps ``rate_hz``, texts and first controls.

    Raises DeviceError where the disk refuses.
    """
    suffix = check_frames_name(path).suffix.lower()
    if suffix == ".sidgpt":
        streams.write_sidgpt(path, [frames])
    elif suffix == ".dmp":
        streams.write_dmp(path, frames)
    else:
        save_frames(path, frames, rate_hz, **meta)


def check_frames_name(path: Path) -> Path:
    """A name under which frames can be written, given back; TuneError for any other."""
    if os.path.isdir(path):
        raise TuneError(f"{path} cannot be written: it is a folder")
    if not holds_frames(path):
        raise TuneError(f"{path} cannot be written: expected a name in {', '.join(FRAMES)}")
    return path
