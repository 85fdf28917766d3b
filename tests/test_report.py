"""Text from outside on a terminal: control characters never take effect, and any locale can print it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tunes_by_hand import sid_file

from sidlive.cli import main
from sidlive.report import plain


def test_control_and_invisible_characters_are_escaped() -> None:
    assert plain("a\x1b[31mb\x07\x9b") == r"a\x1b[31mb\x07\x9b"
    assert plain("two\nlines\tand\r") == r"two\nlines\tand\r"
    assert plain("\u202edis.evil \u2066\u200b\ufeff\u2028") == r"\u202edis.evil \u2066\u200b\ufeff\u2028"
    assert plain("file\udcff.sid") == r"file\udcff.sid"


def test_unusual_but_visible_characters_stay() -> None:
    text = r"[/b] [red]Änderung\x 音楽 ♪ e" + "\u0301\xa0\u200d"
    assert plain(text) == text
    assert plain("two\nlines\tand\r", lines=True) == "two\nlines\tand\\r"
    assert plain(Path("a[b].sid")) == "a[b].sid"


@pytest.mark.parametrize("title", [b"[/b] [red]Title", b"Sea Wolf [title] (v2)", b"[link=x]y[/]"])
def test_brackets_in_a_title_are_shown(title: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "[bold]odd.sid"
    path.write_bytes(sid_file(name=title))
    assert main(["info", str(path)]) == 0
    printed = capsys.readouterr().out
    assert title.decode() in printed and path.name in printed


def test_a_title_is_escaped_if_the_locale_cannot_write_it(tmp_path: Path) -> None:
    path = tmp_path / "t.sid"
    path.write_bytes(sid_file(name="Müll\x1b[5m".encode("latin-1")))
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "COLUMNS": "100"}
    command = [sys.executable, "-m", "sidlive", "info", str(path)]
    run = subprocess.run(command, env=environment, capture_output=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert rb"M\xfcll\x1b[5m" in run.stdout
