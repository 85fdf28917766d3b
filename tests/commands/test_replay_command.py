"""``sidlive replay`` as typed on the command line."""

import shutil
from pathlib import Path

import pytest
from printed import results

from sidlive.cli import main
from sidlive.live.takes.take import read_take
from sidlive.model.engine import ARITHMETIC


def test_a_take_replays(takes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(takes / "script"), "--json"]) == 0
    figures = results(capsys.readouterr().out)
    assert (figures["frames"], figures["same"], figures["commit.kept"]) == (200, True, True)


def test_the_log_beside_a_committed_file_generates_the_file_again(
    takes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(takes / "kept.jsonl", tmp_path / "kept.jsonl")
    assert main(["replay", str(tmp_path / "kept.jsonl"), "-o", str(tmp_path / "kept.sid"), "--json"]) == 0
    assert results(capsys.readouterr().out)["commit.kept"] is True
    assert (tmp_path / "kept.sid").read_bytes() == (takes / "kept.sid").read_bytes()


def test_a_difference_is_reported_and_sets_the_exit_status(
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


def test_the_log_of_an_engine_that_computed_otherwise_is_refused_in_one_line(
    takes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Logs made before the number existed have none: their arithmetic is 1."""
    shutil.copytree(takes / "script", tmp_path / "take")
    log = (tmp_path / "take" / "log.jsonl").read_text()
    kept = f'"arithmetic": {ARITHMETIC}, '
    assert kept in log
    (tmp_path / "take" / "log.jsonl").write_text(log.replace(kept, ""))
    assert main(["replay", str(tmp_path / "take")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"with arithmetic 1; this one has arithmetic {ARITHMETIC}" in line
    assert "replay it with the one that made it" in line
