"""From a performance to a .sid file that is proven before it is kept. Knows files and the compiler, no session."""

from pathlib import Path

from sidlive.chip.registers import Frames, VideoTiming
from sidlive.chip.writing import write_file
from sidlive.errors import TuneError


def write_take(path: Path, frames: Frames, chip: str, timing: VideoTiming, loop_frame: int | None = None) -> None:
    """Compile ``uint8[T, 28]``, run the result in the 6510, compare it frame by frame, and only then write the file.

    When it has ended it goes on at `loop_frame`, or falls silent. Raises TuneError where it does not fit (saying how
    much would) or does not play the same, DeviceError where the disk refuses. An earlier file of that name is replaced
    whole or not at all.
    """
    from sidlive.tune.block import Take
    from sidlive.tune.compile import Label, compile_sid, verify

    try:
        sid = compile_sid(frames, Label(name=path.stem[:32], author="sidlive"), chip, timing, loop_frame=loop_frame)
    except TuneError as error:
        raise TuneError(
            f"{error}; trim() it, or commit(name, last=S) keeps the last S seconds, commit(name, seconds=S) the first"
        ) from None
    verify(sid, Take(frames, loop_frame).proof)
    write_file(path, sid)


def write_log(path: Path, log: str) -> None:
    """A take's log beside what was made of it, whole or not at all. DeviceError where the disk refuses."""
    write_file(path, log.encode())
