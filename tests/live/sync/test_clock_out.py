"""Sending our clock through a real JACK server, from the process that does nothing else."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from chip_box import ChipBox
from jack_server import JackServer
from patience import until

from sidlive.errors import DeviceError
from sidlive.live.sync.clock_out import ClockOut
from sidlive.live.sync.timeline import HeardFrame
from sidlive.live.timing.clock import Clock

FRAME_S = 0.02
BEAT = 25  # frames: 120 beats a minute


@pytest.fixture
def synth(jack: JackServer) -> Iterator[ChipBox]:
    """Plug in a synthesizer."""
    box = ChipBox("synth")
    yield box
    box.pull()


def play(out: ClockOut, frames: int) -> None:
    """Say when the frames are heard, the first one in 0.1 s."""
    begin_s = time.perf_counter() + 0.1
    for number in range(frames):
        at = begin_s + number * FRAME_S
        out.frame(HeardFrame(at, at + FRAME_S, number / BEAT, (number + 1) / BEAT, Clock(float(BEAT)), True))


def words(box: ChipBox) -> list[str]:
    """Return what a box got, in hexadecimal digits."""
    return [message.hex() for message in box.messages]


def test_a_synthesizer_gets_start_pulses_and_stop(synth: ChipBox) -> None:
    notices: list[str] = []
    out = ClockOut("synth", notices.append)
    assert out.port == "synth:in"
    play(out, BEAT)
    assert until(lambda: words(synth).count("f8") == 24)
    out.close()
    assert until(lambda: words(synth) == ["fa", *["f8"] * 24, "fc"]), words(synth)
    assert not notices


def test_a_core_that_is_killed_stops_the_synthesizer(synth: ChipBox) -> None:
    program = (
        "import time\n"
        "from sidlive.live.sync.clock_out import ClockOut\n"
        "from sidlive.live.sync.timeline import HeardFrame\n"
        "from sidlive.live.timing.clock import Clock\n"
        "out, now = ClockOut('synth', print), time.perf_counter()\n"
        f"out.frame(HeardFrame(now, now + {FRAME_S}, 0.0, {1 / BEAT}, Clock({float(BEAT)}), True))\n"
        "print('sent', flush=True)\n"
        "time.sleep(60)\n"
    )
    core = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert core.stdout is not None and core.stdout.readline() == "sent\n"
    os.kill(core.pid, signal.SIGKILL)
    core.wait()
    assert until(lambda: "fc" in words(synth))
    assert not until(lambda: len(synth.messages) > 3, 1), "to some a second stop means: back to the beginning"
    assert words(synth) == ["fa", "f8", "fc"]


@pytest.mark.usefixtures("jack")
def test_a_port_that_is_missing_is_refused() -> None:
    with pytest.raises(DeviceError, match="clock_out: no MIDI port 'synth': there"):
        ClockOut("synth", print)


def test_without_any_driver_the_reason_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "no such server")
    with pytest.raises(DeviceError, match=r"clock_out: no MIDI (driver|port)"):
        ClockOut("a port that nobody has", print)


@pytest.mark.usefixtures("synth")
def test_a_server_that_dies_is_told_and_the_music_goes_on(jack: JackServer) -> None:
    """A call to a dying server may end the whole process: JACK's library asserts that its server lives."""
    notices: list[str] = []
    out = ClockOut("synth", notices.append)
    jack.kill()
    assert until(lambda: play(out, BEAT) or notices)
    assert notices[0].startswith("clock_out to synth") and "the clock is sent again when it is back" in notices[0]
    out.close()
    jack.start()
    # It looks for its port for some seconds, to say stop; until then it would join the server of the next test.
    assert until(lambda: out._sender._process.poll() is not None), "the sender process ends by itself"
