"""From a performance to a .sid file that is proven before it is kept. Knows files and the compiler, no session."""

from itertools import count
from pathlib import Path
from typing import Final

from sidlive.chip.registers import VideoTiming
from sidlive.chip.writing import write_file
from sidlive.errors import DeviceError, TuneError
from sidlive.tune.cutting import Cut

_FILES: Final = (".sid", ".jsonl")  # of a committed take


def write_take(path: Path, cut: Cut, chip: str, timing: VideoTiming, aside: bool = False) -> list[str]:
    """Compile a take, run the result in the 6510, compare it frame by frame, and only then write the file.

    Returns what there is to tell: what of its title, the file's name, the file cannot hold. Raises TuneError where it
    does not fit (saying how much would) or does not play the same, DeviceError where the disk refuses. An earlier file
    of that name is replaced whole or not at all; with ``aside`` it is kept, with its log, under another name.
    """
    from sidlive.tune.block import Take
    from sidlive.tune.compile import Label, compile_sid, verify

    label = Label(name=path.stem, author="sidlive")
    try:
        sid = compile_sid(cut.frames, label, chip, timing, loop_frame=cut.loop_frame, control_first=cut.control_first)
    except TuneError as error:
        raise TuneError(
            f"{error}; trim() it, or commit(name, last=S) keeps the last S seconds, commit(name, seconds=S) the first"
        ) from None
    verify(sid, Take(cut.frames, cut.loop_frame).proof)
    notes = label.notes()
    if aside and path.exists():
        notes.append(f"the earlier {path.name} is {set_aside(path).name} now")
    write_file(path, sid)
    return notes


def set_aside(path: Path) -> Path:
    """Rename a committed take, and the log beside it, to the first free of NAME-1.sid, NAME-2.sid, ...; where it is."""
    free = next(
        kept
        for number in count(1)
        if not any(
            (kept := path.with_name(f"{path.stem}-{number}{path.suffix}")).with_suffix(s).exists() for s in _FILES
        )
    )
    try:
        for suffix in _FILES:
            if path.with_suffix(suffix).exists():
                path.with_suffix(suffix).rename(free.with_suffix(suffix))
    except OSError as error:
        raise DeviceError(
            f"cannot keep the earlier {path} as {free.name} ({error.strerror or error}): commit another name"
        ) from error
    return free


def write_log(path: Path, log: str) -> None:
    """A take's log beside what was made of it, whole or not at all. DeviceError where the disk refuses."""
    write_file(path, log.encode())
