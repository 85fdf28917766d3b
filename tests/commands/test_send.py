"""``sidlive send`` as typed on the command line, to an Ultimate on loopback."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from printed import results
from ultimate_server import UltimateServer

from sidlive.cli import main
from sidlive.live.takes.take import read_take
from sidlive.tune.capture.recorder import capture
from sidlive.tune.formats.psid import parse


@pytest.fixture
def ultimate() -> Iterator[UltimateServer]:
    server = UltimateServer()
    yield server
    server.close()


def test_a_take_is_compiled_sent_and_played(
    takes: Path, ultimate: UltimateServer, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["send", str(takes / "script"), "--to", f"u64:{ultimate.host}", "--raw", "--title", "Sent", "--json"]
    assert main(words) == 0
    figures = results(capsys.readouterr().out)
    ((data, song),) = ultimate.played
    assert figures["bytes"] == len(data) and figures["to"] == ultimate.host and song == ""
    tune = parse(data)
    frames = read_take(takes / "script").frames
    assert tune.name == "Sent" and np.array_equal(capture(tune, frames=len(frames)).frames, frames)


def test_a_tune_is_sent_as_it_is(tune: Path, ultimate: UltimateServer) -> None:
    assert main(["send", str(tune), "--to", f"u64:{ultimate.host}", "--song", "2"]) == 0
    assert ultimate.played == [(tune.read_bytes(), "2")]


def test_what_cannot_be_sent_is_said_in_one_line(
    tmp_path: Path, takes: Path, ultimate: UltimateServer, capsys: pytest.CaptureFixture[str]
) -> None:
    to = ["--to", f"u64:{ultimate.host}"]
    (tmp_path / "no.sid").write_bytes(b"no tune")
    (tmp_path / "empty").mkdir()
    for words, said in (
        ([str(tmp_path / "no.sid"), *to], "no.sid: "),
        ([str(tmp_path / "missing.sid"), *to], "missing.sid cannot be read"),
        ([str(tmp_path / "empty"), *to], "no take in "),
        ([str(takes / "script"), "--to", "asid:synth"], "send --to expects u64:HOST, found 'asid:synth'"),
        ([str(takes / "script"), "--to", "synth"], "out expects "),
    ):
        assert main(["send", *words]) == 2
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1
    assert not ultimate.played
    ultimate.close()
    assert main(["send", str(takes / "script"), *to]) == 2
    assert f"{ultimate.host} does not answer" in capsys.readouterr().err
