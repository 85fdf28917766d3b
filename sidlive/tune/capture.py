"""A tune's code run, and what it says to the SID kept: .sid to frames, and the .npz files that hold frames.

Frames come at the tune's own rate: one a play call, whatever makes the calls. Of several SIDs the first is kept.
"""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np

from sidlive.chip.registers import COLUMNS, Frames, VideoTiming
from sidlive.chip.writing import WholeFile
from sidlive.errors import TuneError
from sidlive.tune.psid import FLAG_BASIC, FLAG_MUS, MUS_REFUSAL, Tune
from sidlive.tune.trace import FASTEST_HZ, Rate, find_rate, machine_for

LONGEST: Final = 24 * 3600 * 60  # frames: a day
LARGEST_NPZ: Final = LONGEST * COLUMNS + (1 << 20)  # bytes, unpacked


@dataclass(frozen=True)
class Capture:
    """What one song of a tune did: ``frames`` uint8[T, 28], ``rate_hz`` of them a second, of the first of its SIDs."""

    frames: Frames
    rate_hz: float
    timing: VideoTiming
    chip: str
    tune: Tune
    song: int


class Recorder:
    """A song, up to its first play call, to be recorded piece by piece.

    Raises TuneError with the reason when that cannot be done.
    """

    def __init__(self, tune: Tune, song: int | None = None) -> None:
        self.tune = tune
        self.song = tune.start_song if song is None else song
        if not 1 <= self.song <= tune.songs:
            raise TuneError(f"song {self.song} does not exist; the file has songs 1 to {tune.songs}")
        if tune.flags & FLAG_MUS and tune.magic == "PSID":
            raise TuneError(MUS_REFUSAL)
        if tune.flags & FLAG_BASIC and tune.magic == "RSID":
            raise TuneError("it is a BASIC program; expected machine code, since there is no BASIC ROM here")
        self.machine = machine_for(tune, self.song)
        if tune.play == 0:
            self.rate = find_rate(tune, self.song)
            self.machine.run(self.rate.begin)
        else:
            self.machine.finish_init()
            self.machine.call_play()
            self.rate = self._rate_of_calls()
        self.machine.frames_from(self.rate.begin)

    @property
    def rate_hz(self) -> float:
        """Frames a second."""
        return self.tune.timing.clock_hz / float(self.rate.period)

    def record(self, count: int) -> Frames:
        """``uint8[count, 28]``: the next ``count`` frames."""
        return self.machine.record(count, self.rate.period, self.rate.timer)

    def _rate_of_calls(self) -> Rate:
        """Frames that end where the driver's interrupt next comes, after the first play call has begun."""
        machine, frame = self.machine, self.tune.timing.cycles_per_frame
        if self.tune.uses_cia(self.song):
            period = machine.timer_period
            if self.tune.timing.clock_hz / period <= FASTEST_HZ:
                return Rate(machine.cycle, Fraction(period), timer=True)
        following = machine.raster_next or machine.cycle + frame
        return Rate(following - frame, Fraction(frame), timer=False)


def capture(tune: Tune, song: int | None = None, frames: int = 1500) -> Capture:
    """The first ``frames`` frames of a song (the file's start song by default), from the first play call on.

    Raises TuneError with the reason when the tune's code jams, does not return or never plays.
    """
    if not 1 <= frames <= LONGEST:
        raise TuneError(f"{frames} frames; expected 1 to {LONGEST:,}")
    recorder = Recorder(tune, song)
    rows = recorder.record(frames)
    return Capture(rows, recorder.rate_hz, tune.timing, tune.chip, tune, recorder.song)


def save_frames(path: str | Path, frames: Frames, rate_hz: float, **meta: str) -> None:
    """Write ``frames`` uint8[T, 28], ``rate_hz`` and texts about them to an .npz: `load_frames`' inverse.

    Raises DeviceError where the disk refuses.
    """
    assert frames.dtype == np.uint8 and frames.ndim == 2 and frames.shape[1] == COLUMNS
    arrays = {key: np.array(value) for key, value in meta.items()}
    with WholeFile(path) as file:
        np.savez_compressed(file, frames=frames, rate_hz=np.array(rate_hz), **arrays)  # type: ignore[arg-type]


def load_frames(path: str | Path) -> tuple[Frames, float, dict[str, str]]:
    """Frames, frames a second and texts of an .npz. Raises TuneError for a file that is missing or holds no frames."""
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            size = sum(entry.file_size for entry in archive.zip.infolist())
            if size > LARGEST_NPZ:
                raise TuneError(f"{path} unpacks to {size:,} bytes; expected a day of frames at most, {LARGEST_NPZ:,}")
            arrays = {key: np.asarray(archive[key]) for key in archive.files}
    except FileNotFoundError:
        raise TuneError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise TuneError(f"{path} is a folder; expected an .npz file of frames") from None
    except TuneError:
        raise
    except Exception:  # what numpy and zipfile raise for broken archives has no common name
        raise TuneError(f"{path} is not an .npz file of frames; `sidlive capture` writes them") from None
    frames, rate = arrays.pop("frames", None), arrays.pop("rate_hz", None)
    if frames is None or rate is None:
        raise TuneError(f"{path} has no `frames` and `rate_hz`; `sidlive capture` writes them")
    if frames.dtype != np.uint8 or frames.ndim != 2 or frames.shape[1] != COLUMNS or len(frames) == 0:
        raise TuneError(f"{path}: frames are {frames.dtype}{list(frames.shape)}; expected uint8[T, {COLUMNS}]")
    rate_hz = float(rate) if rate.ndim == 0 and rate.dtype.kind in "fiu" else 0.0
    if not 1.0 <= rate_hz <= 1000.0:
        raise TuneError(f"{path}: rate_hz is {rate}; expected 1 to 1000")
    return frames, rate_hz, {key: str(value) for key, value in arrays.items() if value.ndim == 0}
