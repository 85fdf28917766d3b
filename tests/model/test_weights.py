"""Model files read back as they were written, and everything else is refused."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from composers import SMALL_COMPOSER, lively_composer
from engines import GROUPED, SMALL, lively
from safetensors.numpy import load_file, save_file

from sidlive.errors import ModelError
from sidlive.model import weights as w
from sidlive.model.composer.shape import COMPOSERS, ComposerConfig
from sidlive.model.config import PRESETS, ModelConfig
from sidlive.model.parameters import is_norm, parameter_shapes
from sidlive.model.training.composer_network import ComposerNetwork
from sidlive.model.training.network import Network

CARD = {"data": "made up", "nats": "1.0"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    w.save_weights(w.EngineWeights(SMALL, lively().matrices, lively().norms, CARD), path)
    return path


@pytest.mark.parametrize("config", [SMALL, *PRESETS.values()], ids=lambda c: c.name)
def test_parameters_have_the_networks_names_and_shapes(config: ModelConfig) -> None:
    with torch.device("meta"):
        state = Network(config).state_dict()
    assert parameter_shapes(config) == {name: tuple(tensor.shape) for name, tensor in state.items()}
    assert all(is_norm(name) == (tensor.dim() == 1) for name, tensor in state.items())


@pytest.mark.parametrize("config", [SMALL_COMPOSER, *COMPOSERS.values()], ids=lambda c: c.name)
def test_a_composers_parameters_have_its_networks_names_and_shapes(config: ComposerConfig) -> None:
    with torch.device("meta"):
        state = ComposerNetwork(config).state_dict()
    assert parameter_shapes(config) == {name: tuple(tensor.shape) for name, tensor in state.items()}


def assert_equal(read: w.QuantisedWeights, wrote: w.QuantisedWeights) -> None:
    """Check that two models have the same config, card and numbers, to the bit."""
    assert (read.config, dict(read.card)) == (wrote.config, dict(wrote.card))
    assert set(read.matrices) == set(wrote.matrices) and set(read.norms) == set(wrote.norms)
    assert set(read.grouped) == set(wrote.grouped)
    for name, matrix in wrote.matrices.items():
        np.testing.assert_array_equal(read.matrices[name].numbers, matrix.numbers)
        np.testing.assert_array_equal(read.matrices[name].scales, matrix.scales)
    for name, grouped in wrote.grouped.items():
        np.testing.assert_array_equal(read.grouped[name].numbers, grouped.numbers)
        np.testing.assert_array_equal(read.grouped[name].factors, grouped.factors)
        np.testing.assert_array_equal(read.grouped[name].scales, grouped.scales)
    for name, norm in wrote.norms.items():
        np.testing.assert_array_equal(read.norms[name], norm)


def test_a_file_reads_back_as_it_was_written(file: Path) -> None:
    assert_equal(w.load_weights(file), w.EngineWeights(SMALL, lively().matrices, lively().norms, CARD))


def test_a_file_of_4_bit_numbers_reads_back_as_it_was_written(tmp_path: Path) -> None:
    wrote = lively(GROUPED, bits=4)
    w.save_weights(wrote, tmp_path / "made.safetensors")
    read = w.load_weights(tmp_path / "made.safetensors")
    assert_equal(read, wrote)
    assert read.bits == 4 and read.parameters == lively(GROUPED).parameters


def test_only_the_blocks_of_the_time_level_have_4_bit_numbers(tmp_path: Path) -> None:
    """Two to a byte, and a byte for each 32 of them; the header says which, by the type of the numbers."""
    w.save_weights(lively(GROUPED, bits=4), tmp_path / "made.safetensors")
    tensors = load_file(tmp_path / "made.safetensors")
    halved = {name for name, tensor in tensors.items() if tensor.dtype == np.uint8}
    assert halved == {
        name for name in parameter_shapes(GROUPED) if name.startswith("time_blocks") and "norm" not in name
    }
    assert tensors["time_blocks.0.down.weight"].shape == (96, 80)
    assert tensors["time_blocks.0.down.weight.factor"].shape == (96, 5)


def test_a_composers_file_reads_back_as_it_was_written(tmp_path: Path) -> None:
    w.save_weights(lively_composer(), tmp_path / "made.safetensors")
    assert_equal(w.load_composer_weights(tmp_path / "made.safetensors"), lively_composer())


def test_a_model_of_the_other_kind_gets_one_clear_line(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "made.safetensors"
    w.save_weights(lively_composer(), other)
    with pytest.raises(ModelError, match="is a composer, expected a frame model"):
        w.load_weights(other)
    with pytest.raises(ModelError, match="is a frame model, expected a composer"):
        w.load_composer_weights(file)


def test_loading_needs_no_torch(file: Path) -> None:
    code = (
        "import sys; from sidlive.model.engine import load_engine; "
        f"load_engine({str(file)!r}); print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_the_presets_have_the_documented_numbers_of_parameters() -> None:
    sizes = {name: sum(np.prod(s) for s in parameter_shapes(c).values()) / 1e6 for name, c in PRESETS.items()}
    assert 8 < sizes["pocket"] < 10 and 24 < sizes["stage"] < 27 and 268 < sizes["large"] < 274


@pytest.mark.parametrize(
    ("bits", "config", "message"),
    [
        (4, SMALL, "widths that are multiples of 32, not 112 and 72"),
        (4, SMALL_COMPOSER, "a composer's numbers have 8 bits"),
        (5, SMALL, "8 or 4 bits, not 5"),
    ],
)
def test_a_network_that_cannot_have_so_few_bits_gets_one_clear_line(
    bits: int, config: ModelConfig | ComposerConfig, message: str
) -> None:
    state = {name: np.zeros(shape, np.float32) for name, shape in parameter_shapes(config).items()}
    with pytest.raises(ModelError, match=message):
        w.from_floats(config, state, {}, bits=bits)  # type: ignore[call-overload]


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
    with pytest.raises(ModelError, match="'stage-composer' does not ship"):
        w.load_composer_weights("stage")
