"""Sending our clock through a real JACK server, from the process that does nothing else."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_engine import until
from jack_server import JackServer

from sidlive.errors import DeviceError
from sidlive.live.sync.clock_out import ClockOut
from sidlive.live.sync.timeline import HeardFrame
from sidlive.live.timing.clock import Clock

FRAME_S = 0.02
BEAT = 25  # frames: 120 beats a minute


class Recorder:
    """A synthesizer in a process of its own that records what it gets."""

    def __init__(self) -> None:
        program = Path(__file__).with_name("record_clock.py")
        self._process = subprocess.Popen(
            [sys.executable, program, "synth"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None and self._process.stdout.readline() == "open\n"

    def messages(self) -> list[str]:
        """End the recording and return the messages in hexadecimal digits."""
        return self._process.communicate(timeout=10)[0].split()


def play(out: ClockOut, frames: int) -> None:
    """Play frames in real time, each 0.1 s before it is heard."""
    begin_s = time.perf_counter() + 0.1
    for number in range(frames):
        at = begin_s + number * FRAME_S
        out.frame(HeardFrame(at, at + FRAME_S, number / BEAT, (number + 1) / BEAT, Clock(float(BEAT)), True))
        time.sleep(FRAME_S)


@pytest.mark.usefixtures("jack")
def test_a_synthesizer_gets_start_pulses_and_stop() -> None:
    recorder = Recorder()
    notices: list[str] = []
    out = ClockOut("synth", notices.append)
    assert out.port == "synth:in"
    play(out, BEAT)
    out.close()
    assert recorder.messages() == ["fa", *["f8"] * 24, "fc"] and not notices


@pytest.mark.usefixtures("jack")
def test_a_port_that_is_missing_is_refused() -> None:
    with pytest.raises(DeviceError, match="clock_out: no MIDI port 'synth': there"):
        ClockOut("synth", print)


def test_without_any_driver_the_reason_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "no such server")
    with pytest.raises(DeviceError, match=r"clock_out: no MIDI (driver|port)"):
        ClockOut("a port that nobody has", print)


def test_a_server_that_dies_is_told_and_the_music_goes_on(jack: JackServer) -> None:
    recorder = Recorder()
    notices: list[str] = []
    out = ClockOut("synth", notices.append)
    jack.kill()
    play(out, BEAT)
    assert until(lambda: notices, 10)
    assert notices[0].startswith("clock_out: ")
    out.close()
    jack.start()
    recorder._process.kill()
