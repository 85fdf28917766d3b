"""``sidlive capture`` as typed on the command line."""

from pathlib import Path

import pytest
from printed import results

from sidlive.chip.registers import PAL, silence
from sidlive.cli import main
from sidlive.tune.capture.recorder import capture
from sidlive.tune.formats.npz import load_frames, save_frames
from sidlive.tune.formats.psid import read
from sidlive.tune.shipped import locate


def test_capture_says_when_there_is_nothing_to_hear(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_frames(tmp_path / "a.npz", silence(50), PAL.rate_hz)
    assert main(["capture", str(tmp_path / "a.npz"), "-o", str(tmp_path / "b.npz"), "--json"]) == 0
    assert results(capsys.readouterr().out)["silent"] == "its volume is 0 in all frames"


def test_capture_writes_frames(tune: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "frames.npz"
    assert main(["capture", str(tune), "-o", str(out), "--song", "2", "--frames", "300", "--json"]) == 0
    figures = results(capsys.readouterr().out)
    frames, rate_hz, meta = load_frames(out)
    assert frames.shape == (300, 28) and frames[0, 0] == 2 and rate_hz == pytest.approx(50.125, abs=1e-3)
    assert (meta["title"], meta["song"], meta["timing"], meta["chip"]) == ("Rising", "2", "PAL", "6581")
    assert (figures["frames"], figures["song"]) == (300, 2)


def test_the_ending_of_the_name_chooses_the_format(
    tune: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stream, dump, back = tmp_path / "a.sidgpt", tmp_path / "a.dmp", tmp_path / "back.npz"
    assert main(["capture", str(tune), "-o", str(dump), "--frames", "200", "--json"]) == 0
    assert results(capsys.readouterr().out)["retriggers_lost"] == 0
    rows = capture(read(tune), frames=200).frames
    assert dump.read_bytes() == rows[:, :25].tobytes()
    assert main(["capture", str(dump), "-o", str(stream)]) == 0
    assert main(["capture", str(stream), "-o", str(back), "--frames", "150"]) == 0
    frames, rate_hz, meta = load_frames(back)
    assert (frames == rows[:150]).all() and rate_hz == PAL.rate_hz and meta["source"] == "a.sidgpt"


def test_capture_resamples_with_video_and_for_formats_without_a_rate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = silence(100)
    rows[:, [4, 25]] = 0x41
    rows[51, 25] = 0x40
    save_frames(tmp_path / "fast.npz", rows, 100.25)
    for name, arguments, lost in (("a.dmp", [], 1), ("a.npz", ["--video"], None)):
        assert main(["capture", str(tmp_path / "fast.npz"), "-o", str(tmp_path / name), *arguments, "--json"]) == 0
        figures = results(capsys.readouterr().out)
        assert (figures["frames"], figures["rate_hz"], figures["resampled_from_hz"]) == (50, 50.125, 100.25)
        assert figures.get("retriggers_lost") == lost
    assert load_frames(tmp_path / "a.npz")[0][24:27, 25].tolist() == [0x41, 0x40, 0x41]
    assert (tmp_path / "a.dmp").stat().st_size == 50 * 25
    assert main(["capture", str(tmp_path / "fast.npz"), "-o", str(tmp_path / "b.npz"), "--json"]) == 0
    assert results(capsys.readouterr().out)["rate_hz"] == 100.25


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["info", "{}/missing.sid"], "missing.sid: no such file"),
        (["info", "{}/gallop"], "gallop: no such file"),  # a fragment's name is one in no folder
        (["info", "{}"], "is a folder; expected a file of music"),
        (["capture", "{}/missing.sid", "-o", "{}/x.npz"], "missing.sid: no such file"),
        (["capture", "{}/Rising.sid", "-o", "{}/no/x.npz"], "x.npz: there is no folder"),
        (["capture", "{}/Rising.sid", "-o", "{}"], "cannot be written"),
        (["capture", "{}/Rising.sid", "-o", "{}/x.mp3"], "expected a name in .npz, .sidgpt, .dmp"),
        (["capture", "{}/x.mus", "-o", "{}/x.npz"], "it is Compute! Sidplayer MUS data; its player is not in the file"),
        (["info", "{}/x.dmp"], "x.dmp: no such file"),
        (["capture", "{}/Rising.sid", "-o", "{}/x.npz", "--song", "9"], "song 9 does not exist"),
        (["capture", "{}/Rising.sid", "-o", "{}/x.npz", "--frames", "0"], "--frames expects 1 to 5,184,000, found 0"),
        (["corpus", "build", "{}/missing", "-o", "{}/corpus"], "missing is not a folder"),
        (["corpus", "build", "{}", "-o", "{}/Rising.sid"], "cannot be written"),
        (["corpus", "build", "{}", "-o", "{}/corpus", "--workers", "0"], "--workers expects 1 or more, found 0"),
    ],
)
def test_errors_are_one_clear_line(
    tune: Path, tmp_path: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([argument.format(tmp_path) for argument in arguments]) == 2
    printed = capsys.readouterr().err.strip()
    assert message in printed
    assert printed.splitlines()[-1].startswith("sidlive: ")


def test_every_command_that_takes_music_takes_it_by_name(tmp_path: Path) -> None:
    frames = load_frames(locate("gallop"))[0]
    for command, name in (("capture", "out.npz"), ("compile", "out.sid"), ("render", "out.wav")):
        assert main([command, "gallop", "-o", str(tmp_path / name), *(["--seconds", "1"] * (command == "render"))]) == 0
    assert (load_frames(tmp_path / "out.npz")[0] == frames).all()
    assert (capture(read(tmp_path / "out.sid"), frames=len(frames)).frames == frames).all()
    assert (tmp_path / "out.wav").stat().st_size == 44 + 2 * 48000
