"""``sidlive info`` and ``fragments`` as typed on the command line."""

from pathlib import Path

import pytest
from printed import results
from tunes_by_hand import program, sid_file

from sidlive.chip.registers import PAL, silence
from sidlive.cli import main
from sidlive.tune.formats.npz import save_frames
from sidlive.tune.shipped import names


def test_info_describes_a_tune(tune: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(tune), "--json"]) == 0
    figures = results(capsys.readouterr().out)
    assert (figures["title"], figures["songs"], figures["load"], figures["chip"]) == (
        "Rising",
        2,
        "$1000-$10FF",
        "6581",
    )
    assert (figures["clock"], figures["rate_hz"], figures["playable"]) == ("PAL", 50.125, "yes")
    assert main(["info", str(tune)]) == 0
    assert "Rising" in capsys.readouterr().out


def test_info_says_why_a_tune_cannot_be_played(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.sid"
    path.write_bytes(sid_file(program("60"), magic=b"RSID", play=0))
    assert main(["info", str(path), "--json"]) == 0
    figures = results(capsys.readouterr().out)
    assert figures["playable"] == "no: the tune writes nothing to the SID in 10 s" and figures["rate_hz"] is None


def test_info_and_capture_say_what_is_odd(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.psid"
    path.write_bytes(sid_file(start=9, songs=0))
    odd = "it has 0 songs by its header, expected 1 to 256: taken as 1; it starts with song 9 of 1: song 1 is played"
    assert main(["info", str(path), "--json"]) == 0
    assert results(capsys.readouterr().out)["odd"] == odd
    assert main(["capture", str(path), "-o", str(tmp_path / "x.npz"), "--frames", "9", "--json"]) == 0
    assert results(capsys.readouterr().out)["odd"] == odd


def test_shipped_fragments_are_listed_and_found_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fragments", "--json"]) == 0
    figures = results(capsys.readouterr().out)
    assert list(figures) == list(names()) and "150 beats a minute, 6581, PAL" in str(figures["gallop"])
    assert main(["info", "gallop", "--json"]) == 0
    figures = results(capsys.readouterr().out)
    assert (figures["title"], figures["chip"], figures["timing"]) == ("Gallop", "6581", "PAL")
    assert figures["frames"] == 1280 and figures["beats_per_minute"] == pytest.approx(60 * PAL.rate_hz / 20, abs=0.1)
    assert main(["info", "galop"]) == 2
    assert "did you mean gallop?" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--help"])
    printed = capsys.readouterr().out
    assert all(name in printed for name in names())


def test_info_describes_frames(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "take.npz"
    save_frames(path, silence(200), 100.25, title="Take", chip="8580")
    assert main(["info", str(path), "--json"]) == 0
    figures = results(capsys.readouterr().out)
    assert (figures["title"], figures["frames"], figures["chip"], figures["rate_hz"]) == ("Take", 200, "8580", 100.25)
    assert figures["seconds"] == pytest.approx(2.0, abs=0.01)
