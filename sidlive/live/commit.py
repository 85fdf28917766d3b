"""From a performance to a .sid file that is proven before it is kept. Knows files and the compiler, no session."""

from pathlib import Path

from sidlive.chip.registers import VideoTiming
from sidlive.chip.writing import write_file
from sidlive.errors import TuneError
from sidlive.tune.cutting import Cut


def write_take(path: Path, cut: Cut, chip: str, timing: VideoTiming) -> list[str]:
    """Compile a take, run the result in the 6510, compare it frame by frame, and only then write the file.

    Returns what of its title, the file's name, the file cannot hold. Raises TuneError where it does not fit (saying how
    much would) or does not play the same, DeviceError where the disk refuses. An earlier file of that name is replaced
    whole or not at all.
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
    write_file(path, sid)
    return label.notes()


def write_log(path: Path, log: str) -> None:
    """A take's log beside what was made of it, whole or not at all. DeviceError where the disk refuses."""
    write_file(path, log.encode())
