"""``sidlive play``, ``render`` and ``doctor`` as their users see them."""

import json
import signal
import subprocess
import sys
import time
import wave
from pathlib import Path

import numpy as np
import pytest
from tunes_by_hand import program, sid_file

from sidlive.chip.registers import NTSC, PAL, silence
from sidlive.cli import main
from sidlive.commands import doctor
from sidlive.commands.doctor import Finding
from sidlive.errors import DeviceError
from sidlive.live.sound import audio
from sidlive.live.sound.audio import Device, NoPortAudio
from sidlive.live.sound.feed import Feed
from sidlive.tune.npz import save_frames

JAM_SOON = "EE F0 10  AD F0 10  C9 20  D0 01  02  60"  # INC $10F0, LDA $10F0, CMP #$20, BNE +1, JAM, RTS


@pytest.fixture
def tune(tmp_path: Path) -> Path:
    path = tmp_path / "Rising.sid"
    path.write_bytes(sid_file(songs=2, name=b"Rising", flags=0x24))  # PAL, 8580
    return path


@pytest.fixture
def no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "devices", lambda: [])


def results(text: str) -> dict[str, object]:
    told = json.loads(text)
    assert set(told) == {"results", "machine"}
    return {result["name"]: result["value"] for result in told["results"]}


def sound_of(path: Path) -> np.ndarray:
    with wave.open(str(path)) as file:
        assert file.getparams()[:3] == (1, 2, 48_000)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


def test_render_writes_the_seconds_asked_for(tune: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.wav"
    assert main(["render", str(tune), "-o", str(out), "--seconds", "1.5", "--json"]) == 0
    told = results(capsys.readouterr().out)
    sound = sound_of(out)
    assert len(sound) == 72_000 and np.abs(sound).max() > 1000
    assert (told["samples"], told["seconds"], told["chip"], told["timing"]) == (72_000, 1.5, "8580", "PAL")
    assert told["peak"] == pytest.approx(np.abs(sound).max() / 32768, abs=1e-4)


def test_the_chip_is_the_one_asked_for_before_the_one_in_the_file(
    tune: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for chip in ("6581", "8580"):
        arguments = ["render", str(tune), "-o", str(tmp_path / f"{chip}.wav"), "--seconds", "1", "--chip", chip]
        assert main([*arguments, "--json"]) == 0
        assert results(capsys.readouterr().out)["chip"] == chip
    one, other = (sound_of(tmp_path / f"{chip}.wav").astype(int) for chip in ("6581", "8580"))
    assert np.abs(one - other).max() > 500


def test_songs_differ(tune: Path, tmp_path: Path) -> None:
    for song in ("1", "2"):
        assert main(["render", str(tune), "-o", str(tmp_path / f"{song}.wav"), "--song", song, "--seconds", "1"]) == 0
    one, other = (sound_of(tmp_path / f"{song}.wav").astype(int) for song in ("1", "2"))
    assert np.abs(one - other).max() > 500


def test_render_of_frames_is_as_long_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "frames.npz", tmp_path / "out.wav"
    save_frames(path, silence(100), NTSC.rate_hz, title="Nothing", chip="8580", timing="NTSC")
    assert main(["render", str(path), "-o", str(out), "--json"]) == 0
    told = results(capsys.readouterr().out)
    assert len(sound_of(out)) == round(100 / NTSC.rate_hz * 48_000)
    assert (told["title"], told["chip"], told["timing"], told["peak"]) == ("Nothing", "8580", "NTSC", 0)
    assert main(["render", str(path), "-o", str(out), "--seconds", "1"]) == 0
    assert len(sound_of(out)) == 48_000


def test_errors_are_one_line_and_leave_nothing_behind(
    tune: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.wav"
    broken = tmp_path / "broken.sid"
    broken.write_bytes(b"MP3")
    jam = tmp_path / "jam.sid"
    jam.write_bytes(sid_file(program(init="02")))
    frames = tmp_path / "frames.npz"
    save_frames(frames, silence(10), PAL.rate_hz)
    folder = sorted(tmp_path.iterdir())
    for arguments, expected in (
        ([str(tune), "-o", str(tmp_path / "no" / "out.wav")], "out.wav cannot be written: No such file"),
        ([str(tune), "-o", str(tmp_path)], "expected a name that ends in .wav"),
        ([str(tune), "-o", str(out), "--song", "3"], "song 3 does not exist; the file has songs 1 to 2"),
        ([str(frames), "-o", str(out), "--song", "1"], "frames have no songs"),
        ([str(broken), "-o", str(out)], "broken.sid"),
        ([str(jam), "-o", str(out)], "jam.sid: init jams the processor"),
    ):
        assert main(["render", *arguments]) == 2
        told = capsys.readouterr().err.strip().splitlines()[-1]
        assert told.startswith("sidlive: ") and expected in told
    assert sorted(tmp_path.iterdir()) == folder


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "x", "1e9"])
def test_seconds_are_a_length(tune: Path, seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["render", str(tune), "-o", "out.wav", f"--seconds={seconds}"])
    assert end.value.code == 2 and "expected seconds" in capsys.readouterr().err


def test_play_without_a_device_says_so_and_plays(
    tune: Path, no_device: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["play", str(tune), "--seconds", "0.5"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "no sound device; playing to the null output"
    assert told[1] == "Rising - Nobody (song 1 of 2): 8580, PAL, on null output"
    assert told[2].startswith("played 0:00 on null output") and len(told) == 3


def test_play_tells_figures(tune: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["play", str(tune), "--seconds", "0.5", "--device", "null", "--chip", "6581", "--json"]
    assert main(arguments) == 0
    told = results(capsys.readouterr().out)
    assert told["play.seconds"] == pytest.approx(0.52, abs=0.01)  # 26 frames
    assert (told["play.output"], told["play.chip"]) == ("null output", "6581")


def test_of_a_tune_that_jams_the_sound_before_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jam, out = tmp_path / "jam.sid", tmp_path / "out.wav"
    jam.write_bytes(sid_file(program(play=f"A9 21 8D 04 D4  {JAM_SOON}")))
    assert main(["render", str(jam), "-o", str(out)]) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 1 and "jam.sid: play jams the processor" in told[0]
    assert told[0].endswith(f"; the 0.6 s before it are in {out}")
    assert len(sound_of(out)) == pytest.approx(0x20 / PAL.rate_hz * 48_000, abs=1000)


# Init: the volume 15, CIA 1's timer A at 1,000 Hz. Play: the volume from 15 to 5 and back.
FAST = "A9 0F 8D 18 D4  A9 D8 8D 04 DC  A9 03 8D 05 DC  60"
SQUARE = "AD F0 10  49 0A  8D F0 10  8D 18 D4  60"


def test_samples_that_a_tune_plays_by_the_volume_register_are_heard(tmp_path: Path) -> None:
    tune, out = tmp_path / "digi.sid", tmp_path / "digi.wav"
    image = bytearray(program(FAST, SQUARE))
    image[0xF0] = 0x0F
    tune.write_bytes(sid_file(bytes(image), speed=1))
    assert main(["render", str(tune), "-o", str(out), "--seconds", "1"]) == 0
    sound = sound_of(out)[4800:].astype(float)
    assert len(sound) == 43_200
    spectrum = np.abs(np.fft.rfft((sound - sound.mean()) * np.hanning(len(sound))))
    assert np.argmax(spectrum) * 48_000 / len(sound) == pytest.approx(PAL.clock_hz / 0x3D9 / 2, rel=0.01)
    assert sound.std() > 500


def test_of_several_sids_it_is_said_which_is_heard(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tune = tmp_path / "two.sid"
    tune.write_bytes(sid_file(version=3, pages=bytes((0, 0, 0x42, 0))))
    expected = "sidlive: two.sid plays 2 SIDs; only the first one is heard\n"
    assert main(["render", str(tune), "-o", str(tmp_path / "two.wav"), "--seconds", "0.1", "--json"]) == 0
    assert capsys.readouterr().err == expected
    assert main(["play", str(tune), "--seconds", "0.1", "--device", "null", "--json"]) == 0
    assert capsys.readouterr().err == expected


def test_a_tune_that_jams_ends_the_playing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jam = tmp_path / "jam.sid"
    jam.write_bytes(sid_file(program(play=JAM_SOON)))
    assert main(["play", str(jam), "--device", "null"]) == 2
    assert "jam.sid: play jams the processor" in capsys.readouterr().err


def test_control_letters_in_a_title_do_not_reach_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.sid"
    path.write_bytes(sid_file(name=b"\x1b[2Jgone\x07"))
    assert main(["play", str(path), "--seconds", "0.1", "--device", "null"]) == 0
    told = capsys.readouterr().out
    assert r"\x1b[2Jgone\x07 - Nobody" in told and "\x1b" not in told and "\x07" not in told


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_ends_the_playing(tune: Path) -> None:
    command = [sys.executable, "-m", "sidlive", "play", str(tune), "--device", "null"]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background is born deaf to it
    try:
        player = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, before)
    assert player.stdout is not None
    assert "Rising" in player.stdout.readline()
    time.sleep(0.3)
    player.send_signal(signal.SIGINT)
    try:
        out, err = player.communicate(timeout=60)
    finally:
        player.kill()
    assert (player.returncode, err) == (0, "") and out.startswith("played ")


def test_doctor_tells_everything_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def absent() -> None:
        raise NoPortAudio("no PortAudio library")

    monkeypatch.setattr(audio, "devices", absent)
    status = main(["doctor", "--json"])
    told = results(capsys.readouterr().out)
    names = {"python", "processor", "emulator", "sound", "midi", "model", "terminal", "takes"}
    assert names | {f"{name}.ok" for name in names} | {"ready"} <= set(told)
    assert told["python.ok"] is True and told["emulator.ok"] is True
    assert (told["sound.ok"], told["sound"]) == (False, "no PortAudio library")
    assert "portaudio" in str(told["sound.todo"])
    assert all(told[f"{name}.ok"] or told[f"{name}.todo"] for name in names)
    assert status == (0 if told["ready"] else 1)
    assert told["ready"] == all(told[f"{name}.ok"] for name in ("python", "processor", "emulator", "model"))


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


def test_doctor_plays_on_the_device_and_tells_its_rate(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_probe_that_fails_or_hangs_leaves_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> list[Finding]:
        raise RuntimeError("driver on fire")

    def exits() -> list[Finding]:
        raise SystemExit(3)

    def hangs() -> list[Finding]:
        time.sleep(5)
        return []

    def well() -> list[Finding]:
        return [Finding("well", True, "fine")]

    probes = (("broken", broken, False), ("exits", exits, False), ("hangs", hangs, False), ("well", well, True))
    monkeypatch.setattr(doctor, "PROBES", probes)
    monkeypatch.setattr(doctor, "PATIENCE_S", 0.2)
    assert main(["doctor"]) == 0
    told = capsys.readouterr().out
    for expected in ("RuntimeError: driver on fire", "SystemExit: 3", "no answer within 0.2 s", "fine", "runs here"):
        assert expected in told


def test_what_is_vital_and_fails_is_the_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing() -> list[Finding]:
        return [Finding("model", False, "none", "get one", True)]

    monkeypatch.setattr(doctor, "PROBES", (("model", missing, True),))
    assert main(["doctor"]) == 1
    told = capsys.readouterr().out
    assert "get one" in told and "does not run here yet" in told
