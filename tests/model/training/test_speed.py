"""The figures of ``sidlive bench train``: they fit together, and products are counted as by hand."""

import json

import pytest
import torch

from sidlive.cli import main
from sidlive.model.config import PRESETS, ModelConfig, Stack

TINY = ModelConfig("tiny", Stack(32, 2, 4, 2, 48), Stack(16, 1, 2, 1, 24), context=64)


@pytest.fixture(autouse=True)
def threads():
    """Restore torch's number of threads, which the command changes."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_the_figures_fit_together(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(PRESETS, "pocket", TINY)
    command = ["bench", "train", "--threads", "1", "--batch", "2", "--length", "32", "--rounds", "2", "--no-compile"]
    assert main([*command, "--precision", "fp32", "--json"]) == 0
    found = {result["name"]: result["value"] for result in json.loads(capsys.readouterr().out)["results"]}
    assert (found["precision"], found["threads"], found["windows"]) == ("fp32", 1, 2)
    assert found["share_of_peak"] == pytest.approx(found["gflops"] / found["peak_gflops"])
    assert found["frames_per_s"] == pytest.approx(64 / found["step_ms"] * 1e3)
    parts = [found[f"step_ms.{part}"] for part in ("time_level", "column_level", "update")]
    assert sum(parts) == pytest.approx(found["step_ms"]) and parts[0] > 0
    assert found["step_ms.products_at_peak"] == pytest.approx(found["share_of_peak"] * found["step_ms"])
    # By hand: each weight multiplies once per position forward and twice backward; a multiplication and an addition.
    time, column, frames, slots = TINY.time, TINY.column, 64, 16 * 28
    weights = time.parameters * frames + column.parameters * slots + 16 * column.width * time.width
    head = slots * column.width * (263 + 2)
    attention = 2 * (frames * 32 * time.width * time.layers + slots * 28 * column.width * column.layers)
    assert found["step_gflop"] * 1e9 == pytest.approx(6 * (weights + head + attention), rel=0.02)


def test_a_wrong_number_is_one_clear_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "train", "--rounds", "0"]) == 2
    assert "--rounds expects 1 or more, found 0" in capsys.readouterr().err
