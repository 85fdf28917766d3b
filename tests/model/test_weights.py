"""Model files read back as they were written, and everything else is refused."""

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
from sidlive.model import weights as w
from sidlive.model.config import PRESETS
from sidlive.model.training.network import Network

CARD = {"data": "made up", "nats": "1.0"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    w.save_weights(w.EngineWeights(SMALL, lively().matrices, lively().norms, CARD), path)
    return path


@pytest.mark.parametrize("config", [SMALL, *PRESETS.values()], ids=lambda c: c.name)
def test_parameters_have_the_networks_names_and_shapes(config: w.ModelConfig) -> None:
    with torch.device("meta"):
        state = Network(config).state_dict()
    assert w.parameter_shapes(config) == {name: tuple(tensor.shape) for name, tensor in state.items()}


def test_a_file_reads_back_as_it_was_written(file: Path) -> None:
    read, wrote = w.load_weights(file), lively()
    for name, matrix in wrote.matrices.items():
        np.testing.assert_array_equal(read.matrices[name].numbers, matrix.numbers)
        np.testing.assert_array_equal(read.matrices[name].scales, matrix.scales)
    for name, norm in wrote.norms.items():
        np.testing.assert_array_equal(read.norms[name], norm)


def test_a_row_of_zeros_stays_zero() -> None:
    matrix = w.quantise(np.array([[0.0, 0.0], [1.0, -2.0]], np.float32))
    np.testing.assert_array_equal(matrix.numbers, [[0, 0], [64, -127]])
    np.testing.assert_allclose(matrix.floats, [[0, 0], [64 * 2 / 127, -2]], rtol=1e-6)


def test_loading_needs_no_torch(file: Path) -> None:
    code = (
        "import sys; from sidlive.model.engine import load_engine; "
        f"load_engine({str(file)!r}); print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_the_presets_have_the_documented_numbers_of_parameters() -> None:
    sizes = {name: sum(np.prod(s) for s in w.parameter_shapes(c).values()) / 1e6 for name, c in PRESETS.items()}
    assert 8 < sizes["pocket"] < 10 and 24 < sizes["stage"] < 27 and 268 < sizes["large"] < 274


def damaged(file: Path, kind: str) -> Path:
    """Damage a model file in one of several ways."""
    data = bytearray(file.read_bytes())
    if kind == "missing":
        file.unlink()
    elif kind == "empty":
        file.write_bytes(b"")
    elif kind == "truncated":
        file.write_bytes(data[: len(data) // 2])
    elif kind == "foreign":
        file.write_bytes(b"PSID" + bytes(1000))
    elif kind == "flipped":
        data[-100] ^= 0x10
        file.write_bytes(data)
    elif kind == "folder":
        file.unlink()
        file.mkdir()
    elif kind == "other":
        save_file({"a": np.zeros(3, np.float32)}, file, {"format": "pt"})
    elif kind == "lacking":
        resave(file, lambda tensors, metadata: tensors.pop("head"))
    elif kind == "more":
        resave(file, lambda tensors, metadata: tensors.update(extra=np.zeros(3, np.float32)))
    elif kind == "shape":
        resave(file, lambda tensors, metadata: tensors.update(time_norm=np.zeros(3, np.float32)))
    elif kind == "type":
        resave(file, lambda tensors, metadata: tensors.update(head=tensors["head"].astype(np.float32)))
    elif kind == "language":
        resave(file, lambda tensors, metadata: metadata.update(language="26 slots"))
    elif kind == "config":
        resave(file, lambda tensors, metadata: metadata.update(config=json.dumps({"name": "x"})))
    elif kind == "nonsense config":
        resave(file, lambda tensors, metadata: metadata.update(config="{"))
    return file


def resave(file: Path, change: object) -> None:
    """Write a model file again after ``change(tensors, metadata)``."""
    from safetensors import safe_open

    with safe_open(file, framework="numpy") as opened:
        metadata = dict(opened.metadata())
    tensors = load_file(file)
    change(tensors, metadata)  # type: ignore[operator]
    save_file(tensors, file, metadata)


@pytest.mark.parametrize(
    ("kind", "message"),
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
def test_a_file_that_is_no_model_gets_one_clear_line(file: Path, kind: str, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        w.load_weights(damaged(file, kind))
    assert "\n" not in str(caught.value)


def test_a_preset_that_does_not_ship_is_named() -> None:
    with pytest.raises(ModelError, match="'large' does not ship"):
        w.load_weights("large")
