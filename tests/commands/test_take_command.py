"""``sidlive take`` as typed on the command line."""

import wave
from pathlib import Path

import numpy as np
import pytest
from printed import results

from sidlive.chip.registers import PAL
from sidlive.cli import main
from sidlive.live.takes.take import read_take
from sidlive.tune.capture.recorder import capture
from sidlive.tune.formats.npz import load_frames
from sidlive.tune.formats.psid import parse
from sidlive.tune.loading import load_fragment


def test_a_take_shows_what_it_holds(takes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["take", str(takes / "script"), "--json"]) == 0
    figures = results(capsys.readouterr().out, "events")
    assert (figures["frames"], figures["model"], figures["fragments"]) == (200, "pocket", "gallop")
    assert figures["edits"] == "silence(2)" and figures["seconds"] == figures["played"] == 3.99
    assert figures["events"][1:4] == ["     0.00 s  prompt('gallop', False)", "     0.00 s  start()",
                                    "     2.00 s  set('temperature', 1.2)"]  # fmt: skip
    assert main(["take", str(takes / "script")]) == 0
    assert "mask" in capsys.readouterr().out


def test_the_edited_take_is_written(takes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = read_take(takes / "script").frames
    words = ["take", str(takes / "script"), "--trim", "25f:100f", "-o"]
    assert main([*words, str(tmp_path / "a.npz"), "--raw"]) == 0
    written, rate_hz, meta = load_frames(tmp_path / "a.npz")
    assert np.array_equal(written, frames[25:100]) and rate_hz == PAL.rate_hz and meta["beat_frames"] == "20"
    assert main([*words, str(tmp_path / "a.sid"), "--raw", "--loop", "0.5"]) == 0
    played = capture(parse((tmp_path / "a.sid").read_bytes()), frames=100).frames
    assert np.array_equal(played[75:], played[25:50])
    assert main([*words, str(tmp_path / "a.wav"), "--fade", "1"]) == 0
    with wave.open(str(tmp_path / "a.wav")) as sound:
        assert sound.getnframes() == round(75 / PAL.rate_hz * 48000)
    assert main([*words, str(tmp_path / "a.flac"), "--loop", "0"]) == 0
    assert (tmp_path / "a.flac").read_bytes()[:4] == b"fLaC"
    assert main([*words, str(tmp_path / "b.npz"), "--silence", "1"]) == 0
    silent = load_frames(tmp_path / "b.npz")[0]
    assert not silent[:, [4, 11]].any(), "2 by the performer, 1 now"
    capsys.readouterr()


def test_takes_are_spliced(takes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames, gallop = read_take(takes / "script").frames, load_fragment("gallop").frames
    take = str(takes / "script")
    out = tmp_path / "long.npz"
    assert main(["take", take, take, "gallop", "--raw", "--splice", "1", "--splice", "100f", "-o", str(out)]) == 0
    written, *_ = load_frames(out)
    assert np.array_equal(written[:48], frames[:48]) and np.array_equal(written[50:98], frames[:48])
    assert np.array_equal(written[100:], gallop)
    assert main(["take", take, "gallop", "--splice", "1", "--splice", "2"]) == 2
    assert "--splice says where a further take begins" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--trim", "3:2"], "leaves nothing"),
        (["--trim", "soon"], "trim expects seconds"),
        (["--silence", "4"], "voices are 1, 2 and 3"),
        (["--loop", "0", "--fade", "1"], "no end to fade"),
        (["-o", "out.mp3"], "expected a name that ends in .sid, .npz, .wav, .flac"),
    ],
)
def test_impossible_edits_are_one_line(
    words: list[str], message: str, takes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["take", str(takes / "script"), *words]) == 2
    printed = capsys.readouterr().err
    assert message in printed and printed.count("\n") == 1


def test_a_missing_take_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("take", "replay"):
        assert main([command, str(tmp_path / "none")]) == 2
        assert "no take in" in capsys.readouterr().err


def test_a_log_alone_holds_no_frames(takes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["take", str(takes / "kept.jsonl")]) == 2
    assert "sidlive replay makes them from a log" in capsys.readouterr().err


def test_a_take_is_written_as_stems_and_as_midi(
    takes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["take", str(takes / "script"), "--raw", "--trim", ":100f"]
    assert main([*words, "--stems", str(tmp_path / "new" / "stems"), "-o", str(tmp_path / "all.wav")]) == 0
    parts = [tmp_path / "new" / "stems" / f"script-voice{voice}.wav" for voice in (1, 2, 3)]
    sounds = []
    for path in (tmp_path / "all.wav", *parts):
        with wave.open(str(path)) as sound:
            sounds.append(np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(float))
    whole, *stems = sounds
    assert ((whole - sum(stems)) ** 2).mean() < 0.02 * (whole**2).mean()
    assert main([*words, "--midi", str(tmp_path / "out.mid"), "--json"]) == 0
    figures = results(capsys.readouterr().out.splitlines()[-1], "events")
    assert figures["wrote"] == str(tmp_path / "out.mid") and figures["notes"] > 10
    assert (tmp_path / "out.mid").read_bytes()[:4] == b"MThd"


def test_wrong_places_for_stems_and_midi_are_one_line(
    takes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    for words, said in (
        (["--midi", str(tmp_path / "out.wav")], "expected a name that ends in .mid or .midi"),
        (["--midi", str(tmp_path / "no" / "out.mid")], "there is no folder"),
        (["--stems", str(tmp_path / "file")], "cannot be made a folder"),
    ):
        assert main(["take", str(takes / "script"), *words]) == 2
        assert said in capsys.readouterr().err
