"""Runs a tune's code and records its writes to the SID: from .sid to frames.

Frames have the tune's own rate, usually one frame per play call, whether the video frame, a timer or the tune itself
causes the calls. Of several SIDs the first is recorded.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from sidlive.chip.c64.machine import Machine, RecordedFrames
from sidlive.chip.registers import Frames, VideoTiming
from sidlive.errors import TuneError
from sidlive.tune.capture.rows import even_out, mean_period
from sidlive.tune.capture.samples import Samples, without_samples
from sidlive.tune.capture.trace import FASTEST_HZ, find_rate, machine_for
from sidlive.tune.formats.psid import FLAG_BASIC, FLAG_MUS, MUS_REFUSAL, Tune

LONGEST: Final = 24 * 3600 * 60  # frames of a day
TRIED_CALLS: Final = 32  # play calls that a copy of the machine runs at a time to measure the rate
TRIED_S: Final = 5.0  # machine time that the copy runs


@dataclass(frozen=True)
class Capture:
    """Frames of one song: ``frames`` uint8[T, 28] of its first SID, ``rate_hz`` of them a second."""

    frames: Frames
    rate_hz: float
    timing: VideoTiming
    chip: str
    tune: Tune
    song: int
    samples: Samples | None  # sampled sound of the tune, which its frames leave out

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines for the user: oddities of the tune, and samples that the frames leave out."""
        return self.tune.oddities + ((str(self.samples),) if self.samples else ())


class Recorder:
    """Recorder of one song, piece by piece. A new recorder has run the song's init, but no play call.

    `record` returns rows, usually one per play call. `finish` turns all rows into frames of equal length and measures
    their rate. The constructor raises TuneError with the reason if the song cannot be played.
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
        self._period: Fraction | None = None  # cycles per row; None: a row is one play call
        if tune.play and self._called():
            self.begin = self.machine.cycle
            if self.tune.uses_cia(self.song):
                self._expected = _period_of_calls(self.machine)
            if not self.tune.uses_cia(self.song) or tune.timing.clock_hz / self._expected > FASTEST_HZ:
                frame = tune.timing.cycles_per_frame
                following = self.machine.raster_next or self.machine.cycle + frame
                self.begin, self._period = following - frame, Fraction(frame)
        else:
            rate = find_rate(tune, self.song)
            self.machine.run(rate.begin)
            self.begin, self._period = rate.begin, rate.period
        if self._period is not None:
            self._expected = float(self._period)
        self.machine.frames_from(self.begin)
        self._rows: list[RecordedFrames] = []

    @property
    def expected_hz(self) -> float:
        """Expected rows a second, from the first play calls. `finish` returns the measured rate."""
        return self.tune.timing.clock_hz / self._expected

    def record(self, count: int) -> Frames:
        """Record and return the next ``count`` rows, uint8[count, 28], including any sampled sound."""
        rows = self.machine.record(count, self._period)
        self._rows.append(rows)
        return rows.frames

    @property
    def recorded_s(self) -> float:
        """Length of the rows recorded so far in seconds of the machine's time."""
        return (self._rows[-1].ends[-1] - self.begin) / self.tune.timing.clock_hz if self._rows else 0.0

    def record_until(self, seconds: float) -> None:
        """Record until the rows last ``seconds`` of the machine's time, or slightly longer."""
        while (missing := seconds - self.recorded_s) > 0:
            self.record(math.ceil(missing * self.expected_hz))

    def finish(self, count: int | None = None) -> Capture:
        """Make frames of equal length, without samples, of the first ``count`` rows recorded (default: all)."""
        rows = RecordedFrames.joined(self._rows).first(count)
        frames, samples = without_samples(rows)
        times = np.concatenate([[self.begin], rows.ends])
        clock_hz = self.tune.timing.clock_hz
        if not len(frames):
            rate_hz = self.expected_hz
        elif self._period is not None:
            rate_hz = clock_hz / float(self._period)
        else:
            frames, period = even_out(frames, times)
            # Interrupts are entered some cycles late, so the measured period is inexact: take a timer's if close.
            exact = [timer for timer in self.machine.timer_periods if abs(timer - period) * len(frames) < timer]
            rate_hz = clock_hz / min(exact, key=lambda timer: abs(timer - period), default=period)
        late = abs(len(frames) / rate_hz - (times[-1] - times[0]) / clock_hz) * rate_hz
        assert late <= 2, f"frames end {late:.1f} frames off the machine's time"
        return Capture(frames, rate_hz, self.tune.timing, self.tune.chip, self.tune, self.song, samples)

    def _called(self) -> bool:
        """Run init and go to the first play call. Return False if the tune has installed an interrupt of its own."""
        self.machine.finish_init()
        try:
            self.machine.run_to_play()
        except TuneError:
            if not self.machine.own_interrupt:
                raise
            return False
        return True


def capture(tune: Tune, song: int | None = None, frames: int = 1500) -> Capture:
    """Capture the first ``frames`` play calls of ``song`` (from 1; None: the start song) as frames.

    There are as many frames as calls, unless the tune calls its player unevenly. Raises TuneError with the reason if
    the tune's code jams, does not return or never plays.
    """
    if not 1 <= frames <= LONGEST:
        raise TuneError(f"{frames} frames; expected 1 to {LONGEST:,}")
    recorder = Recorder(tune, song)
    recorder.record(frames)
    return recorder.finish()


def _period_of_calls(machine: Machine) -> float:
    """Measure the mean cycles between the next play calls in a copy of the machine.

    The timer's latch is not enough: many tunes set it in the first call only.
    """
    trial = machine.copy()
    end = trial.cycle + TRIED_S * trial.timing.clock_hz
    calls = [np.array([trial.cycle])]
    while trial.cycle < end:
        calls.append(trial.record(TRIED_CALLS, None).ends)
    return mean_period(np.concatenate(calls))
