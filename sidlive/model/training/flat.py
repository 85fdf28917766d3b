"""A flat stream, SID-GPT's way: every register byte is a token, 26 a frame, in one transformer. Ours is held beside it.

A frame is a separator and the 25 registers $D400-$D418 as they stand at its end, in that order (the layout of a
``.sidgpt`` file). The blocks are those of `network`; a token is the sum of its embedding and of that of its place in
the frame; the head is the token embedding itself. Nothing is known of motions, pairs, voices or what came back before.
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
UNIT: Final = 1 + REGISTERS  # tokens a frame
CONTEXT: Final = 40  # frames: 1,040 tokens, SID-GPT's reach
ROPE_BASE: Final = 10_000.0


def stream(frames: Frames) -> NDArray[np.int64]:
    """Frames ``uint8[..., T, 28]`` as tokens ``int64[..., T, UNIT]``; the first control values are not told."""
    tokens = np.full((*frames.shape[:-1], UNIT), SEPARATOR, dtype=np.int64)
    tokens[..., 1:] = frames[..., :REGISTERS]
    return tokens


def stack_like(config: ModelConfig) -> Stack:
    """A pile as wide and deep as the time level, with as many parameters as both levels: its SwiGLU is wider."""
    time = config.time
    each = time.layers * 3 * time.width  # parameters that one more hidden number costs
    return Stack(
        time.width, time.layers, time.heads, time.kv_heads, time.hidden + round(config.column.parameters / each)
    )


class FlatNetwork(nn.Module):
    """Tokens heard -> a distribution over the next one."""

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
        """Nats ``[B, T - 1, 25]`` of the registers of frames 1.., each given all before it, CONTEXT frames at most.

        ``tokens int [B, T, UNIT]`` from `stream`. That a separator comes next is plain: it costs nothing.
        """
        batch, frames, _ = tokens.shape
        x = (F.embedding(tokens, self.embedding) + self.place_embedding).flatten(1, 2)  # [B, T * UNIT, d]
        positions = torch.arange(frames * UNIT, device=x.device)
        distance = positions[:, None] - positions
        closed = ((distance < 0) | (distance >= CONTEXT * UNIT))[None]
        cos, sin = rotary_tables(positions, self.stack.head_width, ROPE_BASE)
        for block in self.blocks:
            x = block(x, cos, sin, closed)
        x = rms_norm(x, self.norm).view(batch, frames, UNIT, -1)[:, 1:, :-1]  # each register's token says the next one
        logits = F.linear(x, self.embedding).float()
        labels = tokens[:, 1:, 1:]
        return F.cross_entropy(logits.flatten(0, 2), labels.flatten(), reduction="none").view_as(labels)
