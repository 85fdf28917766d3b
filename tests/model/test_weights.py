"""Model files: what is written is what is read, and nothing else is read."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from engines import SMALL, lively
from safetensors.numpy import load_file, save_file

from sidlive.errors import ModelError
from sidlive.model import tokens as tk
from sidlive.model import weights as w
from sidlive.model.config import PRESETS
from sidlive.model.engine.engine import Engine
from sidlive.model.training.network import Network

CARD = {"data": "made up", "nats": "1.0"}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "checkpoint.pt"
    torch.save({"model": Network(SMALL).state_dict(), "config": SMALL.to_dict(), "step": 3}, path)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    w.save_weights(w.EngineWeights(SMALL, lively().matrices, lively().norms, CARD), path)
    return path


@pytest.mark.parametrize("config", [SMALL, *PRESETS.values()], ids=lambda c: c.name)
def test_parameters_are_the_networks(config: w.ModelConfig) -> None:
    with torch.device("meta"):
        state = Network(config).state_dict()
    assert w.parameter_shapes(config) == {name: tuple(tensor.shape) for name, tensor in state.items()}


def test_export_keeps_every_number_within_half_a_step(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "small.safetensors"
    w.export(checkpoint, out, CARD)
    read = w.load_weights(out)
    assert read.config == SMALL and dict(read.card) == CARD
    floats = w.dequantised(out)
    for name, tensor in torch.load(checkpoint)["model"].items():
        exact = tensor.numpy()
        step = np.abs(exact).max(axis=-1, keepdims=True) / 127 if exact.ndim > 1 else 0.0
        assert floats[name].dtype == np.float32
        assert (np.abs(floats[name] - exact) <= 0.5001 * step).all(), name


def test_a_file_reads_back_as_it_was_written(file: Path) -> None:
    read, wrote = w.load_weights(file), lively()
    for name, matrix in wrote.matrices.items():
        np.testing.assert_array_equal(read.matrices[name].numbers, matrix.numbers)
        np.testing.assert_array_equal(read.matrices[name].scales, matrix.scales)
    for name, norm in wrote.norms.items():
        np.testing.assert_array_equal(read.norms[name], norm)


@pytest.mark.parametrize(
    ("plan", "pinnable"),
    [
        (None, 0),
        ({"steps": 9, "length": 80}, 0),  # of a run older than pinning
        ({"steps": 9, "length": 80, "pinned": 0.0}, 0),
        ({"steps": 9, "length": 80, "pinned": 0.25}, 40),
        ({"steps": 9, "length": 2048, "pinned": 0.25}, 1024),
    ],
)
def test_a_file_says_how_much_of_a_prompt_its_model_learned_to_hear_pinned(
    checkpoint: Path, tmp_path: Path, plan: dict[str, object] | None, pinnable: int
) -> None:
    if plan:
        torch.save({**torch.load(checkpoint), "plan": plan}, checkpoint)
    w.export(checkpoint, tmp_path / "out.safetensors", CARD)
    weights = w.load_weights(tmp_path / "out.safetensors")
    assert weights.pinnable == pinnable
    assert Engine(weights, context=100).pinnable == min(50, pinnable)


def test_a_row_of_zeros_stays_zero() -> None:
    matrix = w.quantise(np.array([[0.0, 0.0], [1.0, -2.0]], np.float32))
    np.testing.assert_array_equal(matrix.numbers, [[0, 0], [64, -127]])
    np.testing.assert_allclose(matrix.floats, [[0, 0], [64 * 2 / 127, -2]], rtol=1e-6)


def test_loading_needs_no_torch(file: Path) -> None:
    code = (
        "import sys; from sidlive.model.engine.engine import load_engine; "
        f"load_engine({str(file)!r}); print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_random_presets_have_the_sizes_they_are_known_for() -> None:
    sizes = {name: sum(np.prod(s) for s in w.parameter_shapes(c).values()) / 1e6 for name, c in PRESETS.items()}
    assert 8 < sizes["pocket"] < 10 and 24 < sizes["stage"] < 27 and 268 < sizes["large"] < 274


def damaged(file: Path, what: str) -> Path:
    data = bytearray(file.read_bytes())
    if what == "missing":
        file.unlink()
    elif what == "empty":
        file.write_bytes(b"")
    elif what == "truncated":
        file.write_bytes(data[: len(data) // 2])
    elif what == "foreign":
        file.write_bytes(b"PSID" + bytes(1000))
    elif what == "flipped":
        data[-100] ^= 0x10
        file.write_bytes(data)
    elif what == "folder":
        file.unlink()
        file.mkdir()
    elif what == "other":
        save_file({"a": np.zeros(3, np.float32)}, file, {"format": "pt"})
    elif what == "lacking":
        resave(file, lambda tensors, metadata: tensors.pop("head"))
    elif what == "more":
        resave(file, lambda tensors, metadata: tensors.update(extra=np.zeros(3, np.float32)))
    elif what == "shape":
        resave(file, lambda tensors, metadata: tensors.update(time_norm=np.zeros(3, np.float32)))
    elif what == "type":
        resave(file, lambda tensors, metadata: tensors.update(head=tensors["head"].astype(np.float32)))
    elif what == "language":
        resave(file, lambda tensors, metadata: metadata.update(language="26 slots"))
    elif what == "config":
        resave(file, lambda tensors, metadata: metadata.update(config=json.dumps({"name": "x"})))
    elif what == "nonsense config":
        resave(file, lambda tensors, metadata: metadata.update(config="{"))
    return file


def resave(file: Path, change: object) -> None:
    from safetensors import safe_open

    with safe_open(file, framework="numpy") as opened:
        metadata = dict(opened.metadata())
    tensors = load_file(file)
    change(tensors, metadata)  # type: ignore[operator]
    save_file(tensors, file, metadata)


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("missing", "no model .*expected a preset"),
        ("empty", "cannot be read as a model"),
        ("truncated", "cannot be read as a model"),
        ("foreign", "cannot be read as a model"),
        ("folder", "cannot be read as a model"),
        ("flipped", "is damaged"),
        ("other", "is not a model of sidlive"),
        ("lacking", "lacks head "),
        ("more", "holds extra "),
        ("shape", r"time_norm is float32\[3\], expected float32\[112\]"),
        ("type", r"head is float32.*expected int8"),
        ("language", "speaks another token language"),
        ("config", "config is not one this version knows"),
        ("nonsense config", "no usable config"),
    ],
)
def test_what_is_not_a_model_gets_one_clear_line(file: Path, what: str, told: str) -> None:
    with pytest.raises(ModelError, match=told) as caught:
        w.load_weights(damaged(file, what))
    assert "\n" not in str(caught.value)


def test_checkpoints_of_something_else_are_refused(tmp_path: Path, checkpoint: Path) -> None:
    with pytest.raises(ModelError, match="no checkpoint at"):
        w.export(tmp_path / "none.pt", tmp_path / "out", CARD)
    kept = torch.load(checkpoint)
    for change, told in (
        (lambda: kept["model"].pop("head"), "lacks head"),
        (lambda: kept["model"].update(head=torch.full((tk.KINDS, tk.VOCABULARY, 48), torch.nan)), "not finite"),
        (lambda: kept["model"].update(head=torch.zeros(3, 3)), "head is float32"),
    ):
        change()
        torch.save(kept, checkpoint)
        with pytest.raises(ModelError, match=told):
            w.export(checkpoint, tmp_path / "out", CARD)


def test_a_preset_that_does_not_ship_is_told() -> None:
    with pytest.raises(ModelError, match="'large' does not ship"):
        w.load_weights("large")
