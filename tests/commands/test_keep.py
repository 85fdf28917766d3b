"""``sidlive compile`` as its users see it."""

import json
from pathlib import Path

import numpy as np
import pytest
from takes_by_hand import noise, song

from sidlive.chip.registers import NTSC, PAL
from sidlive.cli import main
from sidlive.tune import psid
from sidlive.tune.capture import capture, save_frames
from sidlive.tune.edits import resample


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    path = tmp_path / "frames.npz"
    save_frames(path, song(400), PAL.rate_hz, title="Theirs", author="Them", released="1987", chip="8580")
    return path


def test_frames_become_a_tune_that_plays_them(frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.sid"
    assert main(["compile", str(frames), "-o", str(out), "--json"]) == 0
    told = {result["name"]: result["value"] for result in json.loads(capsys.readouterr().out)["results"]}
    assert told["verified"] is True and told["frames"] == 400 and told["bytes"] == out.stat().st_size
    tune = psid.read(out)
    assert (tune.name, tune.author, tune.released, tune.chip, tune.timing) == ("Theirs", "Them", "1987", "8580", PAL)
    assert np.array_equal(capture(tune, frames=400).frames, song(400))


def test_label_chip_load_and_loop_are_as_asked(
    frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.sid"
    label = ["--name", "Ours, and much too long for a header", "--author", "Us", "--released", ""]
    place = ["--chip", "6581", "--load", "$2000", "--loop"]
    assert main(["compile", str(frames), "-o", str(out), *label, *place]) == 0
    said = capsys.readouterr()
    assert "name is cut to 32 bytes: 'Ours, and much too long for a he'" in said.err and "frame 0" in said.out
    tune = psid.read(out)
    assert (tune.name, tune.author, tune.released) == ("Ours, and much too long for a he", "Us", "")
    assert (tune.chip, tune.load, tune.play) == ("6581", 0x2000, 0x2003)
    assert np.array_equal(capture(tune, frames=800).frames, np.concatenate([song(400), song(400)]))
    assert main(["compile", str(frames), "-o", str(out), "--loop", "300"]) == 0
    assert np.array_equal(capture(psid.read(out), frames=500).frames, np.concatenate([song(400), song(400)[300:]]))


def test_the_video_standard_is_that_of_the_rate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "frames.npz", tmp_path / "a name.sid"
    save_frames(path, song(20), NTSC.rate_hz)
    assert main(["compile", str(path), "-o", str(out)]) == 0
    assert (psid.read(out).timing, psid.read(out).name) == (NTSC, "a name")
    save_frames(path, song(400), 100.0)
    assert main(["compile", str(path), "-o", str(out)]) == 0
    assert "100 frames a second; resampled to the video frame, 50.000" in capsys.readouterr().err
    assert np.array_equal(capture(psid.read(out), frames=200).frames, resample(song(400), 2))


@pytest.mark.parametrize(
    "options, words",
    [
        (["--load", "0x1234"], "load address $1234"),
        (["--loop", "400"], "loop at frame 400"),
        (["--load", "0xB000"], "too long"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line_and_no_file(
    frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    save_frames(frames, noise(400), PAL.rate_hz)
    out = tmp_path / "out.sid"
    assert main(["compile", str(frames), "-o", str(out), *options]) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1
    assert not out.exists()
