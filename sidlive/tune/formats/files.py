"""Reads and writes music files by their suffix: tunes (.sid, .prg) and frames (.npz, .sidgpt, .dmp).

Every command and verb opens music files here, so that all of them accept the same kinds.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from sidlive.chip.registers import PAL, Frames
from sidlive.errors import TuneError
from sidlive.tune.formats import prg, psid, streams
from sidlive.tune.formats.kinds import FRAMES, MUS, holds_frames
from sidlive.tune.formats.npz import load_frames, save_frames
from sidlive.tune.formats.psid import MUS_REFUSAL, Tune

if TYPE_CHECKING:
    from sidlive.tune.capture.recorder import Recorder


def read_tune(path: Path) -> Tune:
    """Read the tune in a .sid or .prg file. Raises TuneError if it cannot be read or is not a tune."""
    suffix = path.suffix.lower()
    if suffix in MUS:
        raise TuneError(f"{path}: {MUS_REFUSAL}")
    if suffix in FRAMES:
        raise TuneError(f"{path} holds frames; expected a tune, .sid or .prg")
    return prg.read(path) if suffix == ".prg" else psid.read(path)


def open_song(path: Path, song: int | None = None) -> "Recorder":
    """Open ``song`` (from 1; None: the start song) of a .sid or .prg file for recording; its init has run.

    Raises TuneError that names the file.
    """
    from sidlive.tune.capture.recorder import Recorder  # the C64, which music that ships does not need

    tune = read_tune(path)
    try:
        return Recorder(tune, song)
    except TuneError as error:
        raise TuneError(f"{path}: {error}") from None


def read_frames(
    path: Path, song: int | None = None, rate_hz: float = PAL.rate_hz
) -> tuple[Frames, float, dict[str, str]]:
    """Read frames uint8[T, 28], frame rate in Hz and texts from an .npz, .sidgpt or .dmp file. Inverse: `write_frames`.

    ``song`` picks a piece of a .sidgpt file, from 1 (default: the first). ``rate_hz`` is the rate of files that hold
    none. Raises TuneError if the file cannot be read or is broken.
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
    """Write ``frames`` uint8[T, 28] in the format of the file's suffix. Inverse: `read_frames`.

    Only .npz keeps ``rate_hz``, texts and first control values. Raises DeviceError if writing fails.
    """
    suffix = check_frames_name(path).suffix.lower()
    if suffix == ".sidgpt":
        streams.write_sidgpt(path, [frames])
    elif suffix == ".dmp":
        streams.write_dmp(path, frames)
    else:
        save_frames(path, frames, rate_hz, **meta)


def check_frames_name(path: Path) -> Path:
    """Return ``path`` if its suffix is one for frames. Raises TuneError if not, and for a folder."""
    if os.path.isdir(path):
        raise TuneError(f"{path} cannot be written: it is a folder")
    if not holds_frames(path):
        raise TuneError(f"{path} cannot be written: expected a name in {', '.join(FRAMES)}")
    return path
