"""A flat transformer in the manner of SID-GPT, to compare our network with: every register byte is a token.

A frame is 26 tokens: a separator and the 25 registers $D400-$D418 at the end of the frame, in that order (the layout of
a ``.sidgpt`` file). The blocks are those of `network`. A token's input is the sum of the embeddings of the token and of
its place in the frame; the output layer is the token embedding itself. The network knows nothing of motions, register
pairs, voices or recall.
"""

from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from sidlive.chip.registers import REGISTERS, Frames
from sidlive.model.config import ModelConfig, Stack
from sidlive.model.training.network import TransformerBlock, rms_norm, rotary_tables

SEPARATOR: Final = 256
VOCABULARY: Final = 257
UNIT: Final = 1 + REGISTERS  # tokens per frame
CONTEXT: Final = 40  # frames: 1,040 tokens, SID-GPT's context
ROPE_BASE: Final = 10_000.0


def stream(frames: Frames) -> NDArray[np.int64]:
    """Encode frames ``uint8[..., T, 28]`` as tokens ``int64[..., T, UNIT]``, without the first control values."""
    tokens = np.full((*frames.shape[:-1], UNIT), SEPARATOR, dtype=np.int64)
    tokens[..., 1:] = frames[..., :REGISTERS]
    return tokens


def stack_like(config: ModelConfig) -> Stack:
    """Return the shape of the flat network: as wide and deep as the time level, as many parameters as both levels.

    Its SwiGLU is wider than the time level's.
    """
    time = config.time
    each = time.layers * 3 * time.width  # parameters added by each hidden unit
    return Stack(
        time.width, time.layers, time.heads, time.kv_heads, time.hidden + round(config.column.parameters / each)
    )


class FlatNetwork(nn.Module):
    """The flat network: from the tokens so far to a distribution over the next token."""

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self.stack = stack
        self.embedding = nn.Parameter(torch.empty(VOCABULARY, stack.width))
        self.place_embedding = nn.Parameter(torch.empty(UNIT, stack.width))
        self.blocks = nn.ModuleList(TransformerBlock(stack) for _ in range(stack.layers))
        self.norm = nn.Parameter(torch.ones(stack.width))
        for name, parameter in self.named_parameters():
            if parameter.dim() >= 2:
                last = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(parameter, std=0.02 / (2 * stack.layers) ** 0.5 if last else 0.02)

    def nats(self, tokens: Tensor) -> Tensor:
        """Return the cost in nats ``[B, T - 1, 25]`` of the registers of all frames but the first.

        Each is predicted from all tokens before it.

        ``tokens int [B, T, UNIT]``: from `stream`. Attention reaches CONTEXT frames back. Separators cost nothing:
        their places are known.
        """
        batch, frames, _ = tokens.shape
        x = (F.embedding(tokens, self.embedding) + self.place_embedding).flatten(1, 2)  # [B, T * UNIT, d]
        positions = torch.arange(frames * UNIT, device=x.device)
        distance = positions[:, None] - positions
        closed = ((distance < 0) | (distance >= CONTEXT * UNIT))[None]
        cos, sin = rotary_tables(positions, self.stack.head_width, ROPE_BASE)
        for block in self.blocks:
            x = block(x, cos, sin, closed)
        x = rms_norm(x, self.norm).view(batch, frames, UNIT, -1)[:, 1:, :-1]  # each token predicts the next register
        logits = F.linear(x, self.embedding).float()
        labels = tokens[:, 1:, 1:]
        return F.cross_entropy(logits.flatten(0, 2), labels.flatten(), reduction="none").view_as(labels)
