"""What updates the weights of a network in training: Muon and AdamW, and a running average of the weights."""

from collections.abc import Sequence
from typing import Final

import torch

OPTIMISERS: Final = "Muon and AdamW"  # in checkpoints: whose state they hold
WEIGHT_DECAY: Final = 0.05
CLIP: Final = 1.0  # largest norm of the gradient
AVERAGING: Final = 0.998  # decay per step of the running average of the weights
BETAS: Final = (0.9, 0.98)  # of AdamW


def make_optimisers(network: torch.nn.Module, learning_rate: float) -> list[torch.optim.Optimizer]:
    """Make the optimisers: Muon for the matrices of the transformer blocks, AdamW for all other parameters.

    Muon moves a matrix by steps whose singular values are all about 1, scaled so that they are as large as AdamW's.
    AdamW decays matrices and tables, but not the gains of norms.
    """
    matrices = [p for name, p in network.named_parameters() if "blocks." in name and p.dim() == 2]
    taken = {id(p) for p in matrices}
    others = [p for p in network.parameters() if id(p) not in taken]
    groups = [
        {"params": [p for p in others if p.dim() >= 2], "weight_decay": WEIGHT_DECAY},
        {"params": [p for p in others if p.dim() < 2], "weight_decay": 0.0},
    ]
    return [
        torch.optim.Muon(matrices, lr=learning_rate, weight_decay=WEIGHT_DECAY, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(groups, lr=learning_rate, betas=BETAS, fused=True),
    ]


def update(network: torch.nn.Module, optimisers: Sequence[torch.optim.Optimizer], learning_rate: float) -> None:
    """Clip the gradients and update the weights once."""
    torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP)
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = learning_rate
        optimiser.step()


def average_in(average: dict[str, torch.Tensor], network: torch.nn.Module, step: int) -> None:
    """Move the running average towards the weights after ``step`` steps."""
    newest = max(1 - AVERAGING, 1 / step)
    torch._foreach_lerp_([*average.values()], [p.detach() for p in network.parameters()], newest)
