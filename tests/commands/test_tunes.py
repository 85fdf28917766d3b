"""``sidlive info``, ``capture`` and ``corpus build`` as their users see them."""

import json
from pathlib import Path

import pytest
from tunes_by_hand import program, sid_file

from sidlive.chip.registers import PAL, silence
from sidlive.cli import main
from sidlive.model.corpus.shards import open_corpus
from sidlive.tune.capture.recorder import capture
from sidlive.tune.npz import load_frames, save_frames
from sidlive.tune.psid import read
from sidlive.tune.shipped import locate, names


@pytest.fixture
def tune(tmp_path: Path) -> Path:
    path = tmp_path / "Rising.sid"
    path.write_bytes(sid_file(songs=2, name=b"Rising"))
    return path


def results(text: str) -> dict[str, object]:
    told = json.loads(text)
    assert set(told) == {"results", "machine"}
    return {result["name"]: result["value"] for result in told["results"]}


def test_info_tells_what_a_tune_is(tune: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(tune), "--json"]) == 0
    told = results(capsys.readouterr().out)
    assert (told["title"], told["songs"], told["load"], told["chip"]) == ("Rising", 2, "$1000-$10FF", "6581")
    assert (told["clock"], told["rate_hz"], told["playable"]) == ("PAL", 50.125, "yes")
    assert main(["info", str(tune)]) == 0
    assert "Rising" in capsys.readouterr().out


def test_info_says_why_a_tune_cannot_be_played(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.sid"
    path.write_bytes(sid_file(program("60"), magic=b"RSID", play=0))
    assert main(["info", str(path), "--json"]) == 0
    told = results(capsys.readouterr().out)
    assert told["playable"] == "no: the tune writes nothing to the SID in 10 s" and told["rate_hz"] is None


def test_info_and_capture_say_what_is_odd(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.psid"
    path.write_bytes(sid_file(start=9, songs=0))
    odd = "it has 0 songs by its header, expected 1 to 256: taken as 1; it starts with song 9 of 1: song 1 is played"
    assert main(["info", str(path), "--json"]) == 0
    assert results(capsys.readouterr().out)["odd"] == odd
    assert main(["capture", str(path), "-o", str(tmp_path / "x.npz"), "--frames", "9", "--json"]) == 0
    assert results(capsys.readouterr().out)["odd"] == odd


def test_capture_says_when_there_is_nothing_to_hear(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_frames(tmp_path / "a.npz", silence(50), PAL.rate_hz)
    assert main(["capture", str(tmp_path / "a.npz"), "-o", str(tmp_path / "b.npz"), "--json"]) == 0
    assert results(capsys.readouterr().out)["silent"] == "its volume is 0 in all frames"


def test_capture_writes_frames(tune: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "frames.npz"
    assert main(["capture", str(tune), "-o", str(out), "--song", "2", "--frames", "300", "--json"]) == 0
    told = results(capsys.readouterr().out)
    frames, rate_hz, meta = load_frames(out)
    assert frames.shape == (300, 28) and frames[0, 0] == 2 and rate_hz == pytest.approx(50.125, abs=1e-3)
    assert (meta["title"], meta["song"], meta["timing"], meta["chip"]) == ("Rising", "2", "PAL", "6581")
    assert (told["frames"], told["song"]) == (300, 2)


def test_capture_writes_what_the_name_asks_for(tune: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stream, dump, back = tmp_path / "a.sidgpt", tmp_path / "a.dmp", tmp_path / "back.npz"
    assert main(["capture", str(tune), "-o", str(dump), "--frames", "200", "--json"]) == 0
    assert results(capsys.readouterr().out)["retriggers_lost"] == 0
    rows = capture(read(tune), frames=200).frames
    assert dump.read_bytes() == rows[:, :25].tobytes()
    assert main(["capture", str(dump), "-o", str(stream)]) == 0
    assert main(["capture", str(stream), "-o", str(back), "--frames", "150"]) == 0
    frames, rate_hz, meta = load_frames(back)
    assert (frames == rows[:150]).all() and rate_hz == PAL.rate_hz and meta["source"] == "a.sidgpt"


def test_capture_resamples_where_asked_or_where_the_format_cannot_say_the_rate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = silence(100)
    rows[:, [4, 25]] = 0x41
    rows[51, 25] = 0x40
    save_frames(tmp_path / "fast.npz", rows, 100.25)
    for name, arguments, lost in (("a.dmp", [], 1), ("a.npz", ["--video"], None)):
        assert main(["capture", str(tmp_path / "fast.npz"), "-o", str(tmp_path / name), *arguments, "--json"]) == 0
        told = results(capsys.readouterr().out)
        assert (told["frames"], told["rate_hz"], told["resampled_from_hz"]) == (50, 50.125, 100.25)
        assert told.get("retriggers_lost") == lost
    assert load_frames(tmp_path / "a.npz")[0][24:27, 25].tolist() == [0x41, 0x40, 0x41]
    assert (tmp_path / "a.dmp").stat().st_size == 50 * 25
    assert main(["capture", str(tmp_path / "fast.npz"), "-o", str(tmp_path / "b.npz"), "--json"]) == 0
    assert results(capsys.readouterr().out)["rate_hz"] == 100.25


def test_corpus_build_makes_a_corpus(tune: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["corpus", "build", str(tmp_path), "-o", str(tmp_path / "corpus"), "--frames", "1200", "--workers", "1"]
    assert main([*command, "--json"]) == 0
    told = results(capsys.readouterr().out)
    assert (told["files"], told["tunes"], told["frames"]) == (1, 2, 2400)
    assert len(open_corpus(tmp_path / "corpus").tunes) == 2


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
    told = capsys.readouterr().err.strip()
    assert message in told
    assert told.splitlines()[-1].startswith("sidlive: ")


def test_what_comes_with_sidlive_is_listed_and_told_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fragments", "--json"]) == 0
    told = results(capsys.readouterr().out)
    assert list(told) == list(names()) and "150 beats a minute, 6581" in str(told["gallop"])
    assert main(["info", "gallop", "--json"]) == 0
    told = results(capsys.readouterr().out)
    assert (told["title"], told["chip"], told["timing"]) == ("Gallop", "6581", "PAL")
    assert told["frames"] == 1280 and told["beats_per_minute"] == pytest.approx(60 * PAL.rate_hz / 20, abs=0.1)
    assert main(["info", "galop"]) == 2
    assert "did you mean gallop?" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    assert all(name in said for name in names())


def test_every_command_that_takes_music_takes_it_by_name(tmp_path: Path) -> None:
    frames = load_frames(locate("gallop"))[0]
    for command, name in (("capture", "out.npz"), ("compile", "out.sid"), ("render", "out.wav")):
        assert main([command, "gallop", "-o", str(tmp_path / name), *(["--seconds", "1"] * (command == "render"))]) == 0
    assert (load_frames(tmp_path / "out.npz")[0] == frames).all()
    assert (capture(read(tmp_path / "out.sid"), frames=len(frames)).frames == frames).all()
    assert (tmp_path / "out.wav").stat().st_size == 44 + 2 * 48000


def test_info_tells_what_frames_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "take.npz"
    save_frames(path, silence(200), 100.25, title="Take", chip="8580")
    assert main(["info", str(path), "--json"]) == 0
    told = results(capsys.readouterr().out)
    assert (told["title"], told["frames"], told["chip"], told["rate_hz"]) == ("Take", 200, "8580", 100.25)
    assert told["seconds"] == pytest.approx(2.0, abs=0.01)
