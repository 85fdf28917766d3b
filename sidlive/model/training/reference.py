"""Measure a checkpoint in float32, with the engine's methods: how good is the network before quantisation to int8?"""

import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from sidlive.chip.registers import Frames, silence
from sidlive.model import tokens as tk
from sidlive.model.config import ModelConfig
from sidlive.model.training.checkpoints import load_checkpoint
from sidlive.model.training.export import averaged
from sidlive.model.training.network import Network
from sidlive.model.training.windows import batch_of, cut_window
from sidlive.model.weights import EngineWeights, floats_of


class Reference:
    """A network that gives the cost of frames as `sidlive.model.engine.Engine` does."""

    def __init__(self, network: Network) -> None:
        self._network = network.eval()
        self._allowed = torch.from_numpy(tk.allowed())
        self._heard = silence(0)

    def reset(self) -> None:
        """Forget everything."""
        self._heard = silence(0)

    def prefill(self, frames: Frames) -> None:
        """Append frames ``uint8[T, 28]`` to the past."""
        self._heard = np.concatenate([self._heard, frames])

    @torch.no_grad()
    def weigh(self, frames: Frames) -> NDArray[np.float32]:
        """Append frames ``uint8[T, 28]`` and return their cost in nats ``float32[T, 28]`` by slot.

        Each frame is predicted from all frames before it, among the tokens that each slot allows. At least one frame
        must have been heard before.
        """
        first = len(self._heard)
        assert first > 0, "the first frame has none before it"
        self.prefill(frames)
        length = len(self._heard)
        heard = batch_of([cut_window(self._heard, 0, length)], np.arange(first - 1, length - 1))
        logits, target = self._network.predict(*heard)
        chances = logits.masked_fill(~self._allowed, -torch.inf).log_softmax(-1)
        silent = target == tk.SKIP
        costs = -chances.gather(2, target.masked_fill(silent, tk.KEEP)[..., None])[..., 0]
        weighed: NDArray[np.float32] = costs.masked_fill(silent, 0.0).numpy()
        return weighed


def load_reference(checkpoint: Path) -> Reference:
    """Load the network of a run's checkpoint. Raises ModelError if the file is missing or is not a checkpoint."""
    kept = load_checkpoint(checkpoint)
    network = Network(ModelConfig.from_dict(kept["config"]))
    network.load_state_dict({name: torch.from_numpy(values) for name, values in averaged(kept).items()})
    return Reference(network)


def seconds_per_frame(weights: EngineWeights, prompt: Frames) -> float:
    """Time `Network.generate` after a prompt ``uint8[T, 28]``: processor seconds per frame, on one thread."""
    torch.set_num_threads(1)
    network = Network(weights.config).eval()
    network.load_state_dict({name: torch.from_numpy(values.copy()) for name, values in floats_of(weights).items()})
    heard = torch.from_numpy(prompt)
    network.generate(heard, 1)
    begin = time.thread_time()
    network.generate(heard, 2)
    return (time.thread_time() - begin) / 2
