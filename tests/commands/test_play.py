"""``sidlive play`` as typed on the command line."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from patience import PATIENCE_S, undisturbed
from printed import results
from tunes_by_hand import program, sid_file
from ultimate_server import UltimateServer

from sidlive.cli import main
from sidlive.live.sound import audio

JAM_SOON = "EE F0 10  AD F0 10  C9 20  D0 01  02  60"  # INC $10F0, LDA $10F0, CMP #$20, BNE +1, JAM, RTS


@pytest.fixture
def no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "devices", lambda: [])


def test_play_without_a_device_says_so_and_plays(
    tune_8580: Path, no_device: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["play", str(tune_8580), "--seconds", "0.5"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "no sound device; playing to the null output"
    assert printed[1] == "Rising - Nobody (song 1 of 2): 8580, PAL, on null output"
    assert printed[2].startswith("played 0:00 on null output") and len(printed) == 3


def test_play_reports_figures(tune_8580: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["play", str(tune_8580), "--seconds", "0.5", "--device", "null", "--chip", "6581", "--json"]
    assert main(arguments) == 0
    figures = results(capsys.readouterr().out)
    assert figures["play.seconds"] == pytest.approx(0.52, abs=0.01)  # 26 frames
    assert (figures["play.output"], figures["play.chip"]) == ("null output", "6581")


def test_a_tune_that_jams_ends_the_playing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jam = tmp_path / "jam.sid"
    jam.write_bytes(sid_file(program(play=JAM_SOON)))
    assert main(["play", str(jam), "--device", "null"]) == 2
    assert "jam.sid: play jams the processor" in capsys.readouterr().err


def test_control_characters_in_a_title_are_escaped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.sid"
    path.write_bytes(sid_file(name=b"\x1b[2Jgone\x07"))
    assert main(["play", str(path), "--seconds", "0.1", "--device", "null"]) == 0
    printed = capsys.readouterr().out
    assert r"\x1b[2Jgone\x07 - Nobody" in printed and "\x1b" not in printed and "\x07" not in printed


def test_a_tune_is_played_on_a_chip_too(tune_8580: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def play() -> None:
        chip = UltimateServer(keeps=True)
        try:
            words = ["play", str(tune_8580), "--seconds", "1", "--device", "null", "--out", f"u64:{chip.host}?voices=1"]
            assert main(words) == 0
        finally:
            chip.close()
        line = f"Rising - Nobody (song 1 of 2): 8580, PAL, on null output and u64:{chip.host}: open, voices 1"
        assert line in capsys.readouterr().out
        pitches = [data[0] for address, data in chip.writes if address == 0xD400]
        rising = [pitch for pitch in pitches[:-1] if pitch]
        assert len(set(rising)) > 5 and rising == sorted(rising), "the tune raises the pitch; late frames are left out"
        assert not any(chip.memory[0xD400:0xD419]), "silent at the end"

    undisturbed(play)


def test_a_chip_that_is_not_there_does_not_end_the_playing(tune_8580: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["play", str(tune_8580), "--seconds", "0.1", "--device", "null", "--out", "u64:127.0.0.1:1"]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "u64:127.0.0.1:1: 127.0.0.1:1 does not answer (Connection refused)" in printed and "played 0:00" in printed
    assert main([*words[:-1], "speaker"]) == 2
    assert "out expects" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_ends_the_playing(tune_8580: Path) -> None:
    command = [sys.executable, "-m", "sidlive", "play", str(tune_8580), "--device", "null"]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores SIGINT from its start
    try:
        player = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, before)
    assert player.stdout is not None
    assert "Rising" in player.stdout.readline()
    player.send_signal(signal.SIGINT)
    try:
        out, err = player.communicate(timeout=PATIENCE_S)
    finally:
        player.kill()
    assert (player.returncode, err) == (0, "") and out.startswith("played ")
