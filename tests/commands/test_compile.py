"""``sidlive compile`` as typed on the command line."""

from pathlib import Path

import numpy as np
import pytest
from printed import results
from takes_by_hand import noise, song
from tunes_by_hand import program, sid_file

from sidlive.chip.registers import NTSC, PAL
from sidlive.cli import main
from sidlive.tune.capture.recorder import capture
from sidlive.tune.capture.write_order import writes_control_first
from sidlive.tune.edits import resample
from sidlive.tune.formats import psid
from sidlive.tune.formats.npz import save_frames


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    path = tmp_path / "frames.npz"
    save_frames(path, song(400), PAL.rate_hz, title="Theirs", author="Them", released="1987", chip="8580")
    return path


def test_the_compiled_tune_plays_the_frames(frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.sid"
    assert main(["compile", str(frames), "-o", str(out), "--json"]) == 0
    figures = results(capsys.readouterr().out)
    assert figures["verified"] is True and figures["frames"] == 400 and figures["bytes"] == out.stat().st_size
    tune = psid.read(out)
    assert (tune.name, tune.author, tune.released, tune.chip, tune.timing) == ("Theirs", "Them", "1987", "8580", PAL)
    assert np.array_equal(capture(tune, frames=400).frames, song(400))


def test_options_set_label_chip_load_address_and_loop(
    frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.sid"
    label = ["--title", "Ours, and much too long for a header", "--author", "Us", "--release", ""]
    place = ["--chip", "6581", "--load", "$2000", "--loop"]
    assert main(["compile", str(frames), "-o", str(out), *label, *place]) == 0
    printed = capsys.readouterr()
    assert (
        "title has 36 bytes, the file keeps 32: 'Ours, and much too long for a he'" in printed.err
        and "frame 0" in printed.out
    )
    tune = psid.read(out)
    assert (tune.name, tune.author, tune.released) == ("Ours, and much too long for a he", "Us", "")
    assert (tune.chip, tune.load, tune.play) == ("6581", 0x2000, 0x2003)
    assert np.array_equal(capture(tune, frames=800).frames, np.concatenate([song(400), song(400)]))
    assert main(["compile", str(frames), "-o", str(out), "--loop", "300"]) == 0
    assert np.array_equal(capture(psid.read(out), frames=500).frames, np.concatenate([song(400), song(400)[300:]]))


def test_control_first_is_kept_from_capture_to_compile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tune, frames, out = tmp_path / "tune.sid", tmp_path / "tune.npz", tmp_path / "out.sid"
    # INC $10F0  LDA $10F0  AND #7  BNE rest; LDA #$21  STA $D404  LDA $10F0  STA $D405  RTS; LDA #$20  STA $D404  RTS
    play = "EE F0 10 AD F0 10 29 07 D0 0C  A9 21 8D 04 D4 AD F0 10 8D 05 D4 60  A9 20 8D 04 D4 60"
    tune.write_bytes(sid_file(program(play=play)))
    assert main(["capture", str(tune), "-o", str(frames), "--frames", "500"]) == 0
    assert "control first" in capsys.readouterr().out
    for path in (tune, frames):
        assert main(["info", str(path), "--json"]) == 0
        figures = results(capsys.readouterr().out)
        assert figures["writes"] == "control first"
    assert main(["compile", str(frames), "-o", str(out)]) == 0
    assert writes_control_first(psid.read(out))
    other = tmp_path / "other.npz"
    save_frames(other, song(500), PAL.rate_hz)
    assert main(["compile", str(other), str(frames), "-o", str(out)]) == 0
    assert f"{frames} writes in another order than {other}: envelope first here" in capsys.readouterr().err
    assert not writes_control_first(psid.read(out), 2)


def test_the_video_standard_comes_from_the_option_the_file_or_the_rate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "frames.npz", tmp_path / "a name.sid"
    save_frames(path, song(20), NTSC.rate_hz)
    assert main(["compile", str(path), "-o", str(out)]) == 0
    assert (psid.read(out).timing, psid.read(out).name) == (NTSC, "a name")
    assert main(["compile", str(path), "-o", str(out), "--video", "pal"]) == 0
    assert "was made for NTSC, this is PAL: pitch 3.7% flat, tempo 16% slow" in capsys.readouterr().err
    assert psid.read(out).timing == PAL and np.array_equal(capture(psid.read(out), frames=20).frames, song(20))
    save_frames(path, song(60), 59.995, timing="PAL")  # a PAL tune that plays by a timer
    assert main(["compile", str(path), "-o", str(out)]) == 0
    assert psid.read(out).timing == PAL and "resampled to the video frame, 50.12" in capsys.readouterr().err
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
def test_impossible_options_give_one_line_and_no_file(
    frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    save_frames(frames, noise(400), PAL.rate_hz)
    out = tmp_path / "out.sid"
    assert main(["compile", str(frames), "-o", str(out), *options]) == 2
    printed = capsys.readouterr().err
    assert words in printed and printed.count("\n") == 1
    assert not out.exists()


def test_several_takes_are_songs_with_loops_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = []
    for seed in (1, 2, 3):
        paths.append(str(tmp_path / f"{seed}.npz"))
        save_frames(paths[-1], song(300, seed=seed), PAL.rate_hz)
    out = tmp_path / "out.sid"
    loops = ["--loop", "2:250", "--loop", "3:0"]
    assert main(["compile", *paths, "-o", str(out), *loops, "--start-song", "3"]) == 0
    assert "in silence; goes on at frame 250; goes on at frame 0" in " ".join(capsys.readouterr().out.split())
    tune = psid.read(out)
    assert (tune.songs, tune.start_song) == (3, 3)
    assert not (capture(tune, 1, 400).frames[300:, 24] & 0x0F).any()
    again = np.concatenate([song(300, seed=2), song(300, seed=2)[250:]])
    assert np.array_equal(capture(tune, 2, 350).frames, again)
    assert np.array_equal(capture(tune, 3, 600).frames, np.concatenate([song(300, seed=3)] * 2))


def test_the_loop_frame_of_the_file_is_the_default(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "frames.npz", tmp_path / "out.sid"
    save_frames(path, song(200), PAL.rate_hz, loop_frame="150")
    for options, printed in (([], "frame 150"), (["--loop"], "frame 0"), (["--loop", "none"], "in silence")):
        assert main(["compile", str(path), "-o", str(out), *options]) == 0
        assert printed in capsys.readouterr().out


def test_related_files_are_written_beside_the_sid_file(
    frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import wave

    from sidlive.chip.sid import render
    from sidlive.tune.compiler.program import verify_program
    from sidlive.tune.formats import prg

    pytest.importorskip("soundfile")
    out = tmp_path / "out.sid"
    assert main(["compile", str(frames), "-o", str(out), "--prg", "--asm", "--wav", "--flac"]) == 0
    made = ["out.asm", "out.flac", "out.prg", "out.sid", "out.wav"]
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".npz") == made
    verify_program((tmp_path / "out.prg").read_bytes(), song(400), "out.prg")
    assert prg.read(tmp_path / "out.prg").load == 0x0801
    with wave.open(str(tmp_path / "out.wav")) as sound:
        assert sound.getnframes() == len(render(song(400), PAL.rate_hz, "8580"))


def test_max_kb_is_kept_and_the_error_says_how_much_fits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "frames.npz", tmp_path / "out.sid"
    take = noise(120)
    take[:, [4, 11, 18, 25, 26, 27]] = 0x41
    save_frames(path, take, PAL.rate_hz)
    assert main(["compile", str(path), "-o", str(out), "--max-kb", "5"]) == 2
    printed = capsys.readouterr().err
    assert "too long" in printed and " s fit" in printed and printed.count("\n") == 1 and not out.exists()
    assert main(["compile", str(path), "-o", str(out), "--max-kb", "3"]) == 2
    assert "the player alone takes 4.2" in capsys.readouterr().err
    assert main(["compile", str(path), "-o", str(out), "--max-kb", "12"]) == 0
    assert out.stat().st_size <= 12 * 1024


def test_coarse_pulse_saves_bytes_and_its_cost_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "frames.npz", tmp_path / "out.sid"
    take = song(400)
    take[:, 2] = np.random.default_rng(1).integers(0, 256, 400)
    take[:, 3] = 4
    save_frames(path, take, PAL.rate_hz)
    sizes, costs = [], []
    for options in ([], ["--coarse-pulse", "6"], ["--coarse-pulse", "8"]):
        assert main(["compile", str(path), "-o", str(out), "--json", *options]) == 0
        figures = results(capsys.readouterr().out)
        sizes.append(figures["bytes"])
        costs.append(figures.get("coarse_pulse.cost", 0.0))
    assert sizes[0] > sizes[1] > sizes[2] and 0 < costs[1] < costs[2] < 6
    assert main(["compile", str(path), "-o", str(out), "--coarse-pulse", "9"]) == 2
    limit = f"{(sizes[2] + sizes[1]) / 2048:.3f}"
    capsys.readouterr()
    assert main(["compile", str(path), "-o", str(out), "--max-kb", limit]) == 2
    assert "--coarse-pulse 8 makes it fit" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options, words",
    [
        (["--loop", "2:10"], "there are songs 1 to 1"),
        (["--start-song", "2"], "there are songs 1 to 1"),
        (["-o", "out.prg"], "expected a name that ends in .sid"),
    ],
)
def test_missing_songs_and_wrong_endings_are_refused(
    frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    assert main(["compile", str(frames), "-o", str(tmp_path / "out.sid"), *options]) == 2
    printed = capsys.readouterr().err
    assert words in printed and printed.count("\n") == 1
