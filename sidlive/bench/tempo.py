"""Frames with their times beside libsidplayfp: whether a capture's rate is the tempo at which the tune really plays.

libsidplayfp's registers are known at each quarter of a video frame. Each state that its voices change to must be in the
frames at the same time.
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
from sidlive.tune.psid import Tune, read

IN_TIME: Final = 0.47  # share of libsidplayfp's changes that must be in time for a tempo to count as right
FEWEST: Final = 12  # changes to judge by
COMPARED: Final = [  # columns; pulse widths are left out: some tunes sweep them between their play calls
    register_of(voice, offset) for voice in range(VOICES) for offset in (FREQ_LO, FREQ_HI, CONTROL, AD, SR)
]


@dataclass(frozen=True)
class Tempo:
    """How a song's frames lie in time.

    ``in_time``: of the states that libsidplayfp's voices change to in the second half of the music, the share that our
    frames show at the same time, give or take a frame of ours. A rate that is 0.5 % wrong is four video frames off by
    then. None where there is too little to judge by.
    """

    tune: str
    song: int
    rate_hz: float = 0.0
    in_time: float | None = None
    note: str = ""

    @property
    def right(self) -> bool:
        """Whether the frames keep libsidplayfp's time."""
        return self.in_time is not None and self.in_time >= IN_TIME


def tempi(songs: Sequence[tuple[Path, int]], frames: int, peer: Peer) -> Iterator[Tempo]:
    """The tempo of each song (a file and a number from 1) over ``frames`` video frames."""
    for (path, song), heard in zip(songs, peer.play_all(songs, frames), strict=True):
        result = Tempo(path.stem, song)
        try:
            if isinstance(heard, TuneError):
                raise heard
            yield compare_tempo(result, read(path), heard, frames)
        except TuneError as error:
            yield replace(result, note=str(error))


def compare_tempo(result: Tempo, tune: Tune, heard: PeerRegisters, frames: int) -> Tempo:
    """``result`` with a song's tempo in it, from its capture and from what libsidplayfp's registers were."""
    recorder = Recorder(tune, result.song)
    recorder.record_until(frames / tune.timing.rate_hz - recorder.begin / tune.timing.clock_hz)
    made = recorder.finish()
    sampled = made.samples.registers if made.samples else ()
    columns = [column for column in COMPARED if column not in sampled]
    ours = made.frames[:, columns]
    once = heard.run == 0
    theirs, times = heard.exact[once][:, columns] & USED_BITS[columns], quarters_of(tune, frames)[once]
    changes = np.flatnonzero((theirs[1:] != theirs[:-1]).any(axis=1)) + 1
    changes = changes[times[changes] > (recorder.begin + quarters_of(tune, frames)[-1]) // 2]
    why = ""
    if recorder.machine.rom_entered is not None:
        why = "it runs code in a ROM, which libsidplayfp does not have here"
    elif heard.run.any():
        why = "libsidplayfp starts it anew"
    elif len(changes) < FEWEST:
        why = "too few changes to judge by"
    if why:
        return replace(result, rate_hz=made.rate_hz, note=why)
    period = tune.timing.clock_hz / made.rate_hz
    quarter = tune.timing.cycles_per_frame / QUARTERS
    # A change seen at a quarter came up to a quarter before. A row is what a call leaves, from its call to the next.
    first = np.floor((times[changes] - quarter - recorder.begin) / period - 1).astype(int)
    last = np.floor((times[changes] - recorder.begin) / period + 1).astype(int)
    found = np.zeros(len(changes), dtype=bool)
    for step in range(int((last - first).max()) + 1):
        row = np.clip(np.minimum(first + step, last), 0, len(ours) - 1)
        found |= (ours[row] == theirs[changes]).all(axis=1)
    return replace(result, rate_hz=made.rate_hz, in_time=float(found.mean()))


def tempo_figures(tempos: Sequence[Tempo]) -> list[Result]:
    """``tempo_right``: share of the songs judged whose frames keep libsidplayfp's time; how many songs were judged."""
    judged = [one.in_time for one in tempos if one.in_time is not None]
    return [
        Result("tempo_right", sum(one.right for one in tempos) / len(judged) if judged else None),
        Result("tempo.songs", len(judged)),
        Result("tempo.not_judged", len(tempos) - len(judged)),
        Result("tempo.in_time", float(np.median(judged)) if judged else None),
    ]
