"""Measure in a recording whether the beat that is heard keeps time with a MIDI clock.

The instrument plays into PulseAudio's null sink, which is recorded. Its volume is opened for two frames at the
beginning of each beat, so each beat begins with an edge in the recording. The times of these edges are compared with
the beats of the box. When the recording began is not known exactly, so the median difference counts as zero: the
figures are about how steadily the beats stay together, not about a constant offset.
"""

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.bench.jack_room import clock_box, playing_room
from sidlive.bench.pulse_room import RATE, can_record, null_sink, recording
from sidlive.errors import DeviceError
from sidlive.live.processes.options import RoomOptions
from sidlive.report import Result

SILENT_S: Final = 0.1  # of silence before an edge
LOUD: Final = 0.1  # of the largest sample: an edge
SETTLED_S: Final = 6.0  # after the lock, before the beats count
PARTING_S: Final = 2.0  # at the end of the recording, when the box is gone already
OPEN_FRAMES: Final = 2
_PATIENCE_S: Final = 30.0


def heard(options: RoomOptions, seconds: float, tempo_ratio: float, jitter_ms: float) -> list[Result]:
    """Follow a box for ``seconds`` and return how far the beats in the recording are from those of the box."""
    if not can_record():
        return [Result("heard_ms.p99", None, "ms; pulseaudio and its utilities are not installed")]
    with tempfile.TemporaryDirectory() as folder, null_sink(Path(folder)):
        sound = Path(folder) / "heard.raw"
        # The recording begins before the music: a recorder that comes changes the latency of PulseAudio.
        with (
            recording(sound),
            playing_room(replace(options, device="pulse", midi="sidlive clock", name="clock-heard")) as session,
        ):
            count = session.state().count
            if session.state().output.startswith("null"):
                return [Result("heard_ms.p99", None, f"ms; no device 'pulse': {session.state().output}")]
            tempo = tempo_ratio * count.tempo
            with clock_box(tempo, jitter_ms):
                session.sync("midi")
                opened = [15] + [0] * (round(count.beat_frames) // OPEN_FRAMES - 1)
                with session.at("bar"):
                    session.steps("volume", opened, f"{OPEN_FRAMES} frames")
                until = time.monotonic() + _PATIENCE_S
                while session.state().sync.lock != "locked":
                    if time.monotonic() > until:
                        raise DeviceError(f"the beats did not meet in {_PATIENCE_S:.0f} s: {session.state().sync!r}")
                    time.sleep(0.1)
                time.sleep(SETTLED_S + seconds)
                state = session.state()
        samples = np.frombuffer(sound.read_bytes(), dtype="<i2").astype(np.float64)
    times = edges(samples)
    end_s = times[-1] - PARTING_S if len(times) else 0.0
    beats, off_ms = distances(times[(times > end_s - seconds) & (times < end_s)], 60 / tempo)
    if beats < 0.9 * seconds * tempo / 60:
        return [Result("heard_ms.p99", None, f"ms; only {beats} beats were found in {seconds:.0f} s")]
    return [
        Result("heard_ms.p50", round(float(np.percentile(off_ms, 50)), 2), "ms"),
        Result("heard_ms.p99", round(float(np.percentile(off_ms, 99)), 2), "ms"),
        Result("heard_ms.max", round(float(off_ms.max()), 2), "ms"),
        Result("heard.beats", beats, f"in a recording of {state.output}, {state.gaps} gaps; the median counts as zero"),
    ]


def edges(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the times in seconds at which sound begins after silence."""
    level = np.abs(samples)
    loud = np.flatnonzero(level > LOUD * np.percentile(level, 99.9))
    begins = np.diff(loud, prepend=-RATE) > SILENT_S * RATE
    return loud[begins] / RATE


def distances(times: NDArray[np.float64], beat_s: float) -> tuple[int, NDArray[np.float64]]:
    """Return the number of beats, and by how many milliseconds each is off the even beat that fits them best."""
    if len(times) < 2:
        return len(times), np.zeros(1)
    apart = (times - times[0] + beat_s / 2) % beat_s - beat_s / 2
    apart = (apart - np.median(apart) + beat_s / 2) % beat_s - beat_s / 2
    return len(times), 1000 * np.abs(apart - np.median(apart))
