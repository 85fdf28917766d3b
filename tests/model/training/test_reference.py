"""A checkpoint in float32 beside the engine's int8: the same cost of the same frames, to 0.02 nats a frame."""

from pathlib import Path

import numpy as np
import pytest
import torch
from engines import SMALL, lively, torch_network, tune
from takes_by_hand import song

from sidlive.cli import main
from sidlive.errors import ModelError
from sidlive.model.engine import Engine
from sidlive.model.training.export import export
from sidlive.model.training.network import Network
from sidlive.model.training.reference import Reference, load_reference
from sidlive.model.training.windows import cut_window, stack_windows

BOUND = 0.02  # nats a frame


def trained(steps: int = 60) -> Network:
    """Train a small network on a song for a few steps, so that its weights are those of a trained model, not noise."""
    torch.manual_seed(0)
    network = Network(SMALL)
    optimiser = torch.optim.AdamW(network.parameters(), lr=5e-3)
    heard = stack_windows(cut_window(song(400), 0, 400))
    for _ in range(steps):
        start = int(torch.randint(300, (1,)))
        cost = network.nats(*(part[:, start : start + 100] for part in heard)).sum() / 99
        optimiser.zero_grad()
        cost.backward()
        optimiser.step()
    return network


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "best.pt"
    torch.save({"model": trained().state_dict(), "config": SMALL.to_dict()}, path)
    return path


def test_it_weighs_as_the_engine_does_on_the_same_weights() -> None:
    weights, frames = lively(), tune(60)
    engine, reference = Engine(weights, context=SMALL.context), Reference(torch_network(weights))
    for weigher in (engine, reference):
        weigher.prefill(frames[:20])
    expected = engine.weigh(frames[20:])
    assert expected.sum() > 100
    costs = reference.weigh(frames[20:])
    # The engine rounds to bytes, and these weights are random: each cost differs a little, but none is another's.
    assert np.abs(costs - expected).mean() < 0.01 * expected.mean()
    assert np.corrcoef(costs.ravel(), expected.ravel())[0, 1] > 0.999
    reference.reset()
    reference.prefill(frames[:20])
    np.testing.assert_allclose(reference.weigh(frames[20:40]), costs[:20], atol=1e-4)


def test_the_cost_in_int8_is_the_cost_in_float32(checkpoint: Path, tmp_path: Path) -> None:
    engine = Engine(export(checkpoint, tmp_path / "small.safetensors", {}), context=SMALL.context)
    reference, frames = load_reference(checkpoint), song(700)[400:]
    costs = []
    for weigher in (engine, reference):
        weigher.prefill(frames[:1])
        costs.append(float(weigher.weigh(frames[1:]).sum(axis=1).mean()))
    assert costs[1] < 40, "the network must have learned something"
    assert costs[0] != costs[1]
    assert abs(costs[0] - costs[1]) < BOUND


def test_a_missing_checkpoint_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no checkpoint at"):
        load_reference(tmp_path / "best.pt")


def test_generating_from_a_checkpoint_is_refused(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", str(checkpoint), str(tmp_path), "--generate", "2"]) == 2
    assert "is a checkpoint; --generate needs a .safetensors file" in capsys.readouterr().err
