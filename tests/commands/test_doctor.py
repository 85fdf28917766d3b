"""``sidlive doctor`` as typed on the command line."""

import threading

import numpy as np
import pytest
from patience import undisturbed
from printed import results

from sidlive.cli import main
from sidlive.commands import doctor
from sidlive.commands.doctor import Finding
from sidlive.errors import DeviceError
from sidlive.live.sound import audio
from sidlive.live.sound.audio import Device, NoPortAudio
from sidlive.live.sound.feed import Feed


@pytest.fixture
def no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "devices", lambda: [])


def test_doctor_reports_everything_with_remedies(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def absent() -> None:
        raise NoPortAudio("no PortAudio library")

    monkeypatch.setattr(audio, "devices", absent)
    status = main(["doctor", "--json"])
    figures = results(capsys.readouterr().out)
    names = {"python", "processor", "emulator", "sound", "midi", "model", "terminal", "takes"}
    assert names | {f"{name}.ok" for name in names} | {"ready"} <= set(figures)
    assert figures["python.ok"] is True and figures["emulator.ok"] is True
    assert (figures["sound.ok"], figures["sound"]) == (False, "no PortAudio library")
    assert "portaudio" in str(figures["sound.todo"])
    assert all(figures[f"{name}.ok"] or figures[f"{name}.todo"] for name in names)
    assert status == (0 if figures["ready"] else 1)
    assert figures["ready"] == all(figures[f"{name}.ok"] for name in ("python", "processor", "emulator", "model"))


class Opened:
    """A device that doctor opened."""

    name, device, sample_rate, latency_s = "speaker dac", "dac", 44_100, 0.02

    def __init__(self, takes: bool) -> None:
        self.feed, self.takes, self.closed = Feed(), takes, False

    def start(self) -> None:
        if self.takes:
            self.feed.take(np.zeros(512, np.int16))

    def close(self) -> None:
        self.closed = True


def test_doctor_plays_on_the_device_and_reports_its_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "devices", lambda: [Device(0, "dac", True), Device(1, "hdmi", False)])
    monkeypatch.setattr(doctor, "DEVICE_S", 0.1)

    def unusable() -> Opened:
        raise DeviceError("sound device 0 does not open: Invalid sample rate")

    device = Opened(takes=True)
    monkeypatch.setattr(audio, "open_speaker", lambda: device)
    (finding,) = doctor._sound()
    assert finding.well and finding.text == "dac (default), hdmi; dac plays at 44100 Hz, 20 ms late" and device.closed
    device = Opened(takes=False)
    (finding,) = doctor._sound()
    assert not finding.well and "takes no samples" in finding.text and device.closed
    monkeypatch.setattr(audio, "open_speaker", unusable)
    (finding,) = doctor._sound()
    assert not finding.well and "Invalid sample rate; there are dac (default), hdmi" in finding.text


def test_a_probe_that_fails_or_hangs_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> list[Finding]:
        raise RuntimeError("driver on fire")

    def exits() -> list[Finding]:
        raise SystemExit(3)

    def hangs() -> list[Finding]:
        over.wait()
        return []

    def well() -> list[Finding]:
        return [Finding("well", True, "fine")]

    over = threading.Event()
    probes = (("broken", broken, False), ("exits", exits, False), ("hangs", hangs, False), ("well", well, True))
    monkeypatch.setattr(doctor, "PROBES", probes)
    monkeypatch.setattr(doctor, "PATIENCE_S", 0.5)

    def examine() -> None:
        assert main(["doctor"]) == 0
        printed = capsys.readouterr().out
        for expected in (
            "RuntimeError: driver on fire",
            "SystemExit: 3",
            "no answer within 0.5 s",
            "fine",
            "runs here",
        ):
            assert expected in printed

    try:
        undisturbed(examine)
    finally:
        over.set()


def test_a_vital_finding_that_fails_sets_the_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing() -> list[Finding]:
        return [Finding("model", False, "none", "get one", True)]

    monkeypatch.setattr(doctor, "PROBES", (("model", missing, True),))
    assert main(["doctor"]) == 1
    printed = capsys.readouterr().out
    assert "get one" in printed and "does not run here yet" in printed
