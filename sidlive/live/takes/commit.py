"""Writes a take as a .sid file, verified by playing it in the 6510, and the take's log beside it. Knows no session."""

import os
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sidlive.chip.registers import VideoTiming
from sidlive.errors import DeviceError, TuneError
from sidlive.writing import write_file

if TYPE_CHECKING:
    from sidlive.tune.compiler.sid_file import Label
    from sidlive.tune.cutting import Cut

_FILES: Final = (".jsonl", ".sid")  # of a committed take; first the longer name, which a disk refuses sooner


def write_take(
    path: Path, cut: "Cut", chip: str, timing: VideoTiming, label: "Label", aside: bool = False
) -> list[str]:
    """Compile a take, run the result in the 6510, compare it frame by frame, and only then write the file.

    Returns lines for the performer, such as the parts of ``label`` that the file cannot hold. Raises TuneError if the
    take does not fit (the message says how much does) or does not play the same, DeviceError if the file cannot be
    written. An earlier file of that name is replaced whole or not at all; with ``aside`` it is kept, with its log,
    under another name.
    """
    from sidlive.tune.compiler.block import SongFrames
    from sidlive.tune.compiler.sid_file import compile_song, verify

    try:
        song = SongFrames(cut.frames, cut.loop_frame, cut.control_first, cut.speed)
        sid = compile_song(song, label, chip, timing)
    except TuneError as error:
        raise TuneError(
            f"{error}; trim() it, or commit(name, last=S) keeps the last S seconds, commit(name, seconds=S) the first"
        ) from None
    verify(sid, song.proof)
    notes = [*([cut.tempo_note] if cut.tempo_note else []), *label.notes()]
    if aside and os.path.lexists(path):
        notes.append(f"the earlier {path.name} is {set_aside(path).name} now")
    write_file(path, sid)
    return notes


def set_aside(path: Path) -> Path:
    """Rename a committed take and its log to the first free of NAME-1.sid, NAME-2.sid, ...; return the new path.

    Raises DeviceError if that fails; then both files have their old names.
    """
    free = next(
        kept
        for number in count(1)
        if not any(
            os.path.lexists((kept := path.with_name(f"{path.stem}-{number}{path.suffix}")).with_suffix(s))
            for s in _FILES
        )
    )
    moved: list[str] = []
    try:
        for suffix in _FILES:
            if os.path.lexists(path.with_suffix(suffix)):
                path.with_suffix(suffix).rename(free.with_suffix(suffix))
                moved.append(suffix)
    except OSError as error:
        for suffix in moved:
            free.with_suffix(suffix).rename(path.with_suffix(suffix))
        raise DeviceError(
            f"cannot keep the earlier {path} as {free.name} ({error.strerror or error}): commit another name"
        ) from error
    return free


def write_log(path: Path, log: str) -> None:
    """Write a take's log, whole or not at all. Raises DeviceError if it cannot be written."""
    write_file(path, log.encode())
