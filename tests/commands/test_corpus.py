"""``sidlive corpus build`` as typed on the command line."""

from pathlib import Path

import pytest
from printed import results

from sidlive.cli import main
from sidlive.model.corpus.shards import open_corpus


def test_corpus_build_makes_a_corpus(tune: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["corpus", "build", str(tmp_path), "-o", str(tmp_path / "corpus"), "--frames", "1200", "--workers", "1"]
    assert main([*command, "--json"]) == 0
    figures = results(capsys.readouterr().out)
    assert (figures["files"], figures["tunes"], figures["frames"]) == (1, 2, 2400)
    assert len(open_corpus(tmp_path / "corpus").tunes) == 2
