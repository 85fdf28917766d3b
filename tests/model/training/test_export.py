"""Exporting a checkpoint: every number is kept to within rounding, and a bad checkpoint is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from composers import SMALL_COMPOSER
from engines import GROUPED, SMALL

from sidlive.errors import ModelError
from sidlive.model import tokens as tk
from sidlive.model.engine import Engine
from sidlive.model.training.composer_network import ComposerNetwork
from sidlive.model.training.export import export
from sidlive.model.training.network import Network
from sidlive.model.weights import dequantised, floats_of, load_composer_weights, load_weights

CARD = {"data": "made up", "nats": "1.0"}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "checkpoint.pt"
    torch.save({"model": Network(SMALL).state_dict(), "config": SMALL.to_dict(), "step": 3}, path)
    return path


def test_export_keeps_every_number_within_half_a_step(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "small.safetensors"
    export(checkpoint, out, CARD)
    read = load_weights(out)
    assert read.config == SMALL and dict(read.card) == CARD
    floats = dequantised(out)
    for name, tensor in torch.load(checkpoint)["model"].items():
        exact = tensor.numpy()
        step = np.abs(exact).max(axis=-1, keepdims=True) / 127 if exact.ndim > 1 else 0.0
        assert floats[name].dtype == np.float32
        assert (np.abs(floats[name] - exact) <= 0.5001 * step).all(), name


def test_a_file_of_4_bit_numbers_keeps_every_number_nearly(tmp_path: Path) -> None:
    torch.manual_seed(0)
    state = Network(GROUPED).state_dict()
    torch.save({"model": state, "config": GROUPED.to_dict()}, tmp_path / "best.pt")
    export(tmp_path / "best.pt", tmp_path / "small.safetensors", CARD, bits=4)
    read = load_weights(tmp_path / "small.safetensors")
    assert read.bits == 4 and set(read.grouped) == {f for f in state if f.startswith("time_blocks") and "norm" not in f}
    for name, floats in floats_of(read).items():
        exact = state[name].numpy()
        error = np.square(floats - exact).sum() / np.square(exact).sum()
        assert error < (0.01 if name in read.grouped else 0.001), name


def test_a_composer_has_no_4_bit_numbers(tmp_path: Path) -> None:
    state = ComposerNetwork(SMALL_COMPOSER).state_dict()
    torch.save({"model": state, "config": SMALL_COMPOSER.to_dict(), "kind": "composer"}, tmp_path / "best.pt")
    with pytest.raises(ModelError, match="a composer's numbers have 8 bits: leave --bits out"):
        export(tmp_path / "best.pt", tmp_path / "made.safetensors", CARD, bits=4)


def test_a_composers_checkpoint_becomes_a_composers_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    state = ComposerNetwork(SMALL_COMPOSER).state_dict()
    torch.save({"model": state, "config": SMALL_COMPOSER.to_dict(), "kind": "composer"}, tmp_path / "best.pt")
    export(tmp_path / "best.pt", tmp_path / "made.safetensors", CARD)
    read = load_composer_weights(tmp_path / "made.safetensors")
    assert read.config == SMALL_COMPOSER and dict(read.card) == CARD
    for name, floats in floats_of(read).items():
        step = 0.0 if name.endswith("norm") else state[name].abs().amax(-1, keepdim=True).numpy() / 127
        assert (np.abs(floats - state[name].numpy()) <= 0.5001 * step).all(), name


@pytest.mark.parametrize(
    ("plan", "pinnable"),
    [
        (None, 0),
        ({"steps": 9, "length": 80}, 0),  # a run from before pinning existed
        ({"steps": 9, "length": 80, "pinned": 0.0}, 0),
        ({"steps": 9, "length": 80, "pinned": 0.25}, 40),
        ({"steps": 9, "length": 2048, "pinned": 0.25}, 1024),
    ],
)
def test_a_file_holds_the_longest_prompt_that_its_model_heard_pinned(
    checkpoint: Path, tmp_path: Path, plan: dict[str, object] | None, pinnable: int
) -> None:
    if plan:
        torch.save({**torch.load(checkpoint), "plan": plan}, checkpoint)
    export(checkpoint, tmp_path / "out.safetensors", CARD)
    weights = load_weights(tmp_path / "out.safetensors")
    assert weights.pinnable == pinnable
    assert Engine(weights, context=100).pinnable == min(50, pinnable)


def test_checkpoints_of_something_else_are_refused(tmp_path: Path, checkpoint: Path) -> None:
    with pytest.raises(ModelError, match="no checkpoint at"):
        export(tmp_path / "none.pt", tmp_path / "out", CARD)
    kept = torch.load(checkpoint)
    for change, message in (
        (lambda: kept["model"].pop("head"), "lacks head"),
        (lambda: kept["model"].update(head=torch.full((tk.KINDS, tk.VOCABULARY, 48), torch.nan)), "not finite"),
        (lambda: kept["model"].update(head=torch.zeros(3, 3)), "head is float32"),
    ):
        change()
        torch.save(kept, checkpoint)
        with pytest.raises(ModelError, match=message):
            export(checkpoint, tmp_path / "out", CARD)
