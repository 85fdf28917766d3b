"""From a training checkpoint to the file of whole numbers that the engine loads. Needs torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidlive.errors import ModelError
from sidlive.model.composer.shape import ComposerConfig
from sidlive.model.config import ModelConfig
from sidlive.model.training.checkpoints import load_checkpoint
from sidlive.model.training.composer_train import KIND
from sidlive.model.weights import ComposerWeights, EngineWeights, from_floats, save_weights


def export(checkpoint: Path, out: Path, card: Mapping[str, str], bits: int = 8) -> EngineWeights | ComposerWeights:
    """Quantise a training checkpoint, of a frame model or of a composer, and write it as a model file for the engine.

    ``card``: the model card, text by field. ``bits``: of a number, 8, or 4 in the blocks of a frame model's time level.
    Raises ModelError if the checkpoint is missing, damaged or of another network, or the network cannot have 4 bits,
    DeviceError if the file cannot be written.
    """
    kept = load_checkpoint(checkpoint)
    weights: EngineWeights | ComposerWeights
    if kept.get("kind") == KIND:
        if bits != 8:
            raise ModelError("a composer's numbers have 8 bits: leave --bits out")
        weights = from_floats(ComposerConfig.from_dict(kept["config"]), averaged(kept), card)
    else:
        weights = from_floats(ModelConfig.from_dict(kept["config"]), averaged(kept), card, _pinnable(kept), bits)
    save_weights(weights, out)
    return weights


def averaged(kept: Mapping[str, Any]) -> dict[str, NDArray[np.float32]]:
    """Return a checkpoint's float32 parameters by name, averaged over the last training steps if it holds the average.

    ``kept``: a checkpoint as `checkpoints.load_checkpoint` returns it.
    """
    return {name: part.float().numpy() for name, part in kept.get("average", kept["model"]).items()}


def _pinnable(kept: Mapping[str, Any]) -> int:
    """Return the longest pinned prompt, in frames, that the run trained with: half a window (see `WindowSampler`)."""
    plan = kept.get("plan", {})
    return plan["length"] // 2 if plan.get("pinned") else 0
