"""A network in float32 as `evaluate` asks an engine: what a checkpoint knows before it is made int8. Needs torch."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from sidlive.chip.registers import Frames, silence
from sidlive.model import tokens as tk
from sidlive.model.config import ModelConfig
from sidlive.model.training.export import averaged
from sidlive.model.training.network import Network
from sidlive.model.training.train import load_checkpoint
from sidlive.model.training.windows import cut_window, stack_windows


class Reference:
    """Weighs frames as `sidlive.model.engine.engine.Engine` does, each frame given all those before it."""

    def __init__(self, network: Network) -> None:
        self._network = network.eval()
        self._allowed = torch.from_numpy(tk.allowed())
        self._heard = silence(0)

    def reset(self) -> None:
        """Forget everything."""
        self._heard = silence(0)

    def prefill(self, frames: Frames) -> None:
        """Hear frames ``uint8[T, 28]``."""
        self._heard = np.concatenate([self._heard, frames])

    @torch.no_grad()
    def weigh(self, frames: Frames) -> NDArray[np.float32]:
        """Hear frames after at least one; nats ``float32[T, 28]`` by slot, among the tokens that a slot allows."""
        first = len(self._heard)
        assert first > 0, "the first frame has none before it"
        self.prefill(frames)
        length = len(self._heard)
        heard = stack_windows(cut_window(self._heard, 0, length))
        logits, target = self._network.predict(*heard, torch.arange(first - 1, length - 1))
        chances = logits.masked_fill(~self._allowed, -torch.inf).log_softmax(-1)
        silent = target == tk.SKIP
        costs = -chances.gather(2, target.masked_fill(silent, tk.KEEP)[..., None])[..., 0]
        weighed: NDArray[np.float32] = costs.masked_fill(silent, 0.0).numpy()
        return weighed


def load_reference(checkpoint: Path) -> Reference:
    """The network of a run's checkpoint. Raises ModelError."""
    kept = load_checkpoint(checkpoint)
    network = Network(ModelConfig.from_dict(kept["config"]))
    network.load_state_dict({name: torch.from_numpy(values) for name, values in averaged(kept).items()})
    return Reference(network)
