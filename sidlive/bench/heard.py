"""Measure in a recording whether the beat that is heard keeps time with a MIDI clock.

The instrument plays into PulseAudio's null sink, which is recorded. Its volume is opened for two frames at the
beginning of each beat, so each beat begins with an edge in the recording. The times at which these edges arrive in the
recording are compared with the beats of the box. The way to the recorder counts, too: a millisecond or two.
"""

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.bench.jack_room import clock_box, playing_room
from sidlive.bench.pulse_room import RATE, arrivals, can_record, null_sink
from sidlive.chip.sid import Samples
from sidlive.errors import DeviceError
from sidlive.live.processes.options import RoomOptions
from sidlive.report import Result

SILENT_S: Final = 0.1  # of silence before an edge
LOUD: Final = 0.1  # of the largest sample: an edge
SETTLED_S: Final = 6.0  # after the lock, before the beats count
OPEN_FRAMES: Final = 2
_PATIENCE_S: Final = 30.0


def heard(options: RoomOptions, seconds: float, tempo_ratio: float, jitter_ms: float) -> list[Result]:
    """Follow a box for ``seconds`` and return how far the beats in the recording are from those of the box."""
    if not can_record():
        return [Result("heard_ms.p99", None, "ms; pulseaudio and its utilities are not installed")]
    with (
        tempfile.TemporaryDirectory() as folder,
        null_sink(Path(folder)),
        arrivals() as arrived,
        playing_room(replace(options, device="pulse", midi="sidlive clock", name="clock-heard")) as session,
    ):
        count = session.state().count
        if session.state().output.startswith("null"):
            return [Result("heard_ms.p99", None, f"ms; no device 'pulse': {session.state().output}")]
        tempo = tempo_ratio * count.tempo
        with clock_box(tempo, jitter_ms) as begin_s:
            session.sync("midi")
            opened = [15] + [0] * (round(count.beat_frames) // OPEN_FRAMES - 1)
            with session.at("bar"):
                session.steps("volume", opened, f"{OPEN_FRAMES} frames")
            until = time.monotonic() + _PATIENCE_S
            while session.state().sync.lock != "locked":
                if time.monotonic() > until:
                    raise DeviceError(f"the beats did not meet in {_PATIENCE_S:.0f} s: {session.state().sync!r}")
                time.sleep(0.1)
            time.sleep(SETTLED_S)
            since_s, gaps = time.monotonic(), session.state().gaps
            time.sleep(seconds)
            until_s, state = time.monotonic(), session.state()
    times = arrived.times_of(edges(arrived.samples()))
    times = times[(times > since_s) & (times < until_s)] + time.perf_counter() - time.monotonic()
    if len(times) < 0.9 * seconds * tempo / 60:
        return [Result("heard_ms.p99", None, f"ms; only {len(times)} beats were found in {seconds:.0f} s")]
    off_ms = distances(times - begin_s, 60 / tempo)
    return [
        *(
            Result(f"heard_ms.p{share}", round(float(np.percentile(np.abs(off_ms), share)), 2), "ms")
            for share in (50, 99)
        ),
        Result("heard_ms.max", round(float(np.abs(off_ms).max()), 2), "ms"),
        Result("heard_ms.median", round(float(np.median(off_ms)), 2), "ms; positive: we are late"),
        Result("heard.beats", len(times), f"in a recording of {state.output}"),
        Result("heard.gaps", state.gaps - gaps, f"times; {state.latency_ms:.0f} ms from frame to sound"),
    ]


def edges(samples: Samples) -> NDArray[np.int64]:
    """Return the numbers of the samples int16[n] at which sound begins after silence."""
    level = np.abs(samples.astype(np.int32))
    loud = np.flatnonzero(level > LOUD * np.percentile(level, 99.9))
    begins = np.diff(loud, prepend=-RATE) > SILENT_S * RATE
    return loud[begins]


def distances(times: NDArray[np.float64], beat_s: float) -> NDArray[np.float64]:
    """Return by how many milliseconds each time is later than the nearest multiple of a beat; negative: earlier."""
    return 1000 * ((times + beat_s / 2) % beat_s - beat_s / 2)
