"""Commands that need torch where torch is not installed."""

import sys
from pathlib import Path

import pytest
import train_in_a_process as process

from sidlive.cli import main


@pytest.mark.parametrize(
    "command",
    [
        ["train", "{corpus}", "-o", "{run}"],
        ["export", "{run}/best.pt", "-o", "{run}/out.safetensors"],
        ["eval", "{run}/best.pt", "{corpus}"],
        ["bench", "mind", "{corpus}"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_without_torch_one_line_says_how_to_install_it(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    process.make_corpus(tmp_path / "corpus")
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith("sidlive.model.training.")]:
        monkeypatch.delitem(sys.modules, name)
    assert main([word.format(corpus=tmp_path / "corpus", run=tmp_path / "run") for word in command]) == 2
    error = capsys.readouterr().err
    assert "needs torch, which is not installed: pip install 'sidlive[train]'" in error and error.count("\n") == 1
