"""``sidlive render`` as typed on the command line."""

import wave
from pathlib import Path

import numpy as np
import pytest
from printed import results
from tunes_by_hand import program, sid_file

from sidlive.chip.registers import NTSC, PAL, silence
from sidlive.cli import main
from sidlive.tune.formats.npz import save_frames

JAM_SOON = "EE F0 10  AD F0 10  C9 20  D0 01  02  60"  # INC $10F0, LDA $10F0, CMP #$20, BNE +1, JAM, RTS


def sound_of(path: Path) -> np.ndarray:
    with wave.open(str(path)) as file:
        assert file.getparams()[:3] == (1, 2, 48_000)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


def test_render_writes_the_seconds_asked_for(
    tune_8580: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.wav"
    assert main(["render", str(tune_8580), "-o", str(out), "--seconds", "1.5", "--json"]) == 0
    figures = results(capsys.readouterr().out)
    sound = sound_of(out)
    assert len(sound) == 72_000 and np.abs(sound).max() > 1000
    assert (figures["samples"], figures["seconds"], figures["chip"], figures["timing"]) == (72_000, 1.5, "8580", "PAL")
    assert figures["peak"] == pytest.approx(np.abs(sound).max() / 32768, abs=1e-4)


def test_the_chip_option_overrides_the_file(
    tune_8580: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for chip in ("6581", "8580"):
        arguments = ["render", str(tune_8580), "-o", str(tmp_path / f"{chip}.wav"), "--seconds", "1", "--chip", chip]
        assert main([*arguments, "--json"]) == 0
        assert results(capsys.readouterr().out)["chip"] == chip
    one, other = (sound_of(tmp_path / f"{chip}.wav").astype(int) for chip in ("6581", "8580"))
    assert np.abs(one - other).max() > 500


def test_songs_differ(tune_8580: Path, tmp_path: Path) -> None:
    for song in ("1", "2"):
        assert (
            main(["render", str(tune_8580), "-o", str(tmp_path / f"{song}.wav"), "--song", song, "--seconds", "1"]) == 0
        )
    one, other = (sound_of(tmp_path / f"{song}.wav").astype(int) for song in ("1", "2"))
    assert np.abs(one - other).max() > 500


def test_frames_are_rendered_to_their_full_length(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "frames.npz", tmp_path / "out.wav"
    save_frames(path, silence(100), NTSC.rate_hz, title="Nothing", chip="8580", timing="NTSC")
    assert main(["render", str(path), "-o", str(out), "--json"]) == 0
    figures = results(capsys.readouterr().out)
    assert len(sound_of(out)) == round(100 / NTSC.rate_hz * 48_000)
    assert (figures["title"], figures["chip"], figures["timing"], figures["peak"]) == ("Nothing", "8580", "NTSC", 0)
    assert main(["render", str(path), "-o", str(out), "--seconds", "1"]) == 0
    assert len(sound_of(out)) == 48_000


def test_errors_are_one_line_and_leave_nothing_behind(
    tune_8580: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
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
        ([str(tune_8580), "-o", str(tmp_path / "no" / "out.wav")], "out.wav cannot be written: No such file"),
        ([str(tune_8580), "-o", str(tmp_path)], "expected a name that ends in .wav"),
        ([str(tune_8580), "-o", str(out), "--song", "3"], "song 3 does not exist; the file has songs 1 to 2"),
        ([str(frames), "-o", str(out), "--song", "1"], "frames have no songs"),
        ([str(broken), "-o", str(out)], "broken.sid"),
        ([str(jam), "-o", str(out)], "jam.sid: init jams the processor"),
    ):
        assert main(["render", *arguments]) == 2
        printed = capsys.readouterr().err.strip().splitlines()[-1]
        assert printed.startswith("sidlive: ") and expected in printed
    assert sorted(tmp_path.iterdir()) == folder


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "x", "1e9"])
def test_seconds_are_a_length(tune_8580: Path, seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["render", str(tune_8580), "-o", "out.wav", f"--seconds={seconds}"])
    assert end.value.code == 2 and "expected seconds" in capsys.readouterr().err


def test_the_sound_before_a_tune_jams_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jam, out = tmp_path / "jam.sid", tmp_path / "out.wav"
    jam.write_bytes(sid_file(program(play=f"A9 21 8D 04 D4  {JAM_SOON}")))
    assert main(["render", str(jam), "-o", str(out)]) == 2
    printed = capsys.readouterr().err.strip().splitlines()
    assert len(printed) == 1 and "jam.sid: play jams the processor" in printed[0]
    assert printed[0].endswith(f"; the 0.6 s before it are in {out}")
    assert len(sound_of(out)) == pytest.approx(0x20 / PAL.rate_hz * 48_000, abs=1000)


# Init: set the volume to 15 and CIA 1's timer A to 1,000 Hz. Play: change the volume from 15 to 5 or back.
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


def test_a_tune_for_several_sids_warns_that_only_the_first_is_heard(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tune = tmp_path / "two.sid"
    tune.write_bytes(sid_file(version=3, pages=bytes((0, 0, 0x42, 0))))
    expected = "sidlive: two.sid plays 2 SIDs; only the first one is heard\n"
    assert main(["render", str(tune), "-o", str(tmp_path / "two.wav"), "--seconds", "0.1", "--json"]) == 0
    assert capsys.readouterr().err == expected
    assert main(["play", str(tune), "--seconds", "0.1", "--device", "null", "--json"]) == 0
    assert capsys.readouterr().err == expected
