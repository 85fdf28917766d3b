"""Check the rate of a capture against libsidplayfp: are its frames spaced as the tune plays them?

libsidplayfp's registers are known at each quarter of a video frame. Whenever its voices change, the captured frames
must show the same state at the same time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from sidlive.bench.capture import quarters_of
from sidlive.bench.peer import QUARTERS, Peer, PeerRegisters
from sidlive.chip.registers import AD, CONTROL, FREQ_HI, FREQ_LO, SR, USED_BITS, VOICES, register_of
from sidlive.errors import TuneError
from sidlive.report import Result
from sidlive.tune.capture.recorder import Recorder
from sidlive.tune.formats.psid import Tune, read

IN_TIME: Final = 0.47  # smallest share of changes in time for a tempo to count as right
FEWEST: Final = 12  # smallest number of changes from which a tempo can be judged
COMPARED: Final = [  # columns; without pulse widths, which some tunes sweep between their play calls
    register_of(voice, offset) for voice in range(VOICES) for offset in (FREQ_LO, FREQ_HI, CONTROL, AD, SR)
]


@dataclass(frozen=True)
class Tempo:
    """Whether a song's frames keep libsidplayfp's time.

    ``in_time`` is the share of libsidplayfp's changes in the second half of the music that our frames show at the same
    time, within one frame. A rate that is wrong by 0.5 % is several video frames off there.
    """

    tune: str
    song: int
    rate_hz: float = 0.0  # of the capture
    in_time: float | None = None  # None if it could not be judged
    note: str = ""  # why it could not be judged

    @property
    def right(self) -> bool:
        """Whether the frames keep libsidplayfp's time."""
        return self.in_time is not None and self.in_time >= IN_TIME


def tempi(songs: Sequence[tuple[Path, int]], frames: int, peer: Peer) -> Iterator[Tempo]:
    """Check the tempo of songs, each a file and a number from 1, over ``frames`` video frames."""
    for (path, song), played in zip(songs, peer.play_all(songs, frames), strict=True):
        result = Tempo(path.stem, song)
        try:
            if isinstance(played, TuneError):
                raise played
            yield compare_tempo(result, read(path), played, frames)
        except TuneError as error:
            yield replace(result, note=str(error))


def compare_tempo(result: Tempo, tune: Tune, played: PeerRegisters, frames: int) -> Tempo:
    """Capture a song and compare it with libsidplayfp's registers; return ``result`` with the outcome filled in."""
    recorder = Recorder(tune, result.song)
    recorder.record_until(frames / tune.timing.rate_hz - recorder.begin / tune.timing.clock_hz)
    made = recorder.finish()
    sampled = made.samples.registers if made.samples else ()
    columns = [column for column in COMPARED if column not in sampled]
    ours = made.frames[:, columns]
    once = played.run == 0
    theirs, times = played.exact[once][:, columns] & USED_BITS[columns], quarters_of(tune, frames)[once]
    changes = np.flatnonzero((theirs[1:] != theirs[:-1]).any(axis=1)) + 1
    changes = changes[times[changes] > (recorder.begin + quarters_of(tune, frames)[-1]) // 2]
    why = ""
    if recorder.machine.rom_entered is not None:
        why = "it runs code in a ROM, which libsidplayfp does not have here"
    elif played.run.any():
        why = "it jams, and libsidplayfp starts it again"
    elif len(changes) < FEWEST:
        why = "too few changes to judge by"
    if why:
        return replace(result, rate_hz=made.rate_hz, note=why)
    period = tune.timing.clock_hz / made.rate_hz
    quarter = tune.timing.cycles_per_frame / QUARTERS
    # A change seen at a quarter happened within the quarter before it. A row holds from its play call to the next.
    first = np.floor((times[changes] - quarter - recorder.begin) / period - 1).astype(int)
    last = np.floor((times[changes] - recorder.begin) / period + 1).astype(int)
    found = np.zeros(len(changes), dtype=bool)
    for step in range(int((last - first).max()) + 1):
        row = np.clip(np.minimum(first + step, last), 0, len(ours) - 1)
        found |= (ours[row] == theirs[changes]).all(axis=1)
    return replace(result, rate_hz=made.rate_hz, in_time=float(found.mean()))


def tempo_figures(tempos: Sequence[Tempo]) -> list[Result]:
    """Return the share of judged songs whose frames keep libsidplayfp's time, and the number of songs judged."""
    judged = [one.in_time for one in tempos if one.in_time is not None]
    return [
        Result("tempo_right", sum(one.right for one in tempos) / len(judged) if judged else None),
        Result("tempo.songs", len(judged)),
        Result("tempo.not_judged", len(tempos) - len(judged)),
        Result("tempo.in_time", float(np.median(judged)) if judged else None),
    ]
