"""`sidlive take` and `sidlive replay` as typed."""

import json
import shutil
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sidlive.chip.registers import PAL
from sidlive.cli import main
from sidlive.live.take import read_take
from sidlive.tune.capture.recorder import capture
from sidlive.tune.loading import load_fragment
from sidlive.tune.npz import load_frames
from sidlive.tune.psid import parse

SCRIPT = """
prompt("gallop"); start(); wait(2); temperature(1.2); mask("1-2"); wait(1); stop(); wait(1)
trim(0.5); commit("kept"); unedit(); silence(2)
"""


@pytest.fixture(scope="module")
def takes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the take of 3 s and 1 s of ringing out, and what was committed of it."""
    folder = tmp_path_factory.mktemp("takes")
    (folder / "script.py").write_text(SCRIPT)
    assert main(["run", str(folder / "script.py"), "--offline", "--takes", str(folder), "--seed", "3"]) == 0
    return folder


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return {result["name"]: result["value"] for result in found["results"]} | {"events": found.get("events")}


def test_a_take_tells_what_it_holds(takes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["take", str(takes / "script"), "--json"]) == 0
    facts = told(capsys)
    assert (facts["frames"], facts["model"], facts["fragments"]) == (200, "pocket", "gallop")
    assert facts["edits"] == "silence(2)" and facts["seconds"] == facts["played"] == 3.99
    assert facts["events"][1:4] == ["     0.00 s  prompt('gallop', False)", "     0.00 s  start()",
                                    "     2.00 s  set('temperature', 1.2)"]  # fmt: skip
    assert main(["take", str(takes / "script")]) == 0
    assert "mask" in capsys.readouterr().out


def test_it_is_written_as_edited(takes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
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
def test_what_cannot_be_is_one_line(
    words: list[str], message: str, takes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["take", str(takes / "script"), *words]) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


def test_no_take_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("take", "replay"):
        assert main([command, str(tmp_path / "none")]) == 2
        assert "no take in" in capsys.readouterr().err


def test_a_log_alone_holds_no_frames(takes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["take", str(takes / "kept.jsonl")]) == 2
    assert "sidlive replay makes them from a log" in capsys.readouterr().err


def test_a_take_replays(takes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(takes / "script"), "--json"]) == 0
    facts = told(capsys)
    assert (facts["frames"], facts["same"], facts["commit.kept"]) == (200, True, True)


def test_the_log_beside_the_file_makes_it_again(
    takes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(takes / "kept.jsonl", tmp_path / "kept.jsonl")
    assert main(["replay", str(tmp_path / "kept.jsonl"), "-o", str(tmp_path / "kept.sid"), "--json"]) == 0
    assert told(capsys)["commit.kept"] is True
    assert (tmp_path / "kept.sid").read_bytes() == (takes / "kept.sid").read_bytes()


def test_a_difference_is_told_and_the_status_says_so(
    takes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(takes / "script", tmp_path / "take")
    raw = bytearray((tmp_path / "take" / "frames.bin").read_bytes())
    raw[28 * 60 + 5] ^= 1
    (tmp_path / "take" / "frames.bin").write_bytes(raw)
    assert main(["replay", str(tmp_path / "take")]) == 1
    assert "frame 60 (1.20 s) differs: $D405 is" in capsys.readouterr().err
    log = (tmp_path / "take" / "log.jsonl").read_text()
    digest = read_take(takes / "script").model["digest"]
    (tmp_path / "take" / "log.jsonl").write_text(log.replace(digest, "0" * 64))
    assert main(["replay", str(tmp_path / "take")]) == 1
    assert "with other weights of" in capsys.readouterr().err
