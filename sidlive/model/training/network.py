"""The two-level transformer in torch: the network that is trained, and the reference that the engine is tested against.

The *time* level takes one step per frame and attends to the past frames (`Network.hear`). The *column* level generates
the tokens of the next frame one after another (`Network.say`). Both are stacks of the same block.

Shapes: B sequences, T frames, S slots (28), N frames that the column level trains on, d width of a level, H query
heads, K key heads, D width of a head.

Attention has a *zero sink*: a virtual key and value of zeros, which adds exp(0) to the softmax's denominator. A head
can thus attend to nothing. Without a sink, heads attend to the oldest frames for that purpose; a sliding window drops
these frames, and the output degrades.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from sidlive.model import recall as rc
from sidlive.model import tokens as tk
from sidlive.model.config import ModelConfig, Stack

EPSILON = 1e-5  # added in RMS norms
QUERIES = 256  # queries per chunk of attention


def rms_norm(x: Tensor, gain: Tensor) -> Tensor:
    """Divide ``x [..., d]`` by its root mean square and multiply it by ``gain [d]``."""
    return F.rms_norm(x, (x.shape[-1],), gain, EPSILON)


def rotary_tables(positions: Tensor, head_width: int, base: float) -> tuple[Tensor, Tensor]:
    """Return the rotary embedding's cos and sin ``[T, head_width / 2]`` for absolute positions ``[T]``."""
    turns = torch.arange(0, head_width, 2, dtype=torch.float64, device=positions.device)
    frequencies = base ** (-turns / head_width)
    angles = positions.to(torch.float64)[:, None] * frequencies  # [T, head_width / 2]
    return angles.cos().float(), angles.sin().float()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate ``x [B, H, T, D]``: the head's halves (a, b) become (a cos - b sin, b cos + a sin)."""
    a, b = x.chunk(2, dim=-1)
    cos, sin = cos.to(x.dtype), sin.to(x.dtype)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


class SinkSoftmax(torch.autograd.Function):
    """The shares of attention that each query gives to the keys: softmax with a zero sink.

    The gradient is written out: derived by torch, it would pass through the maximum, which changes nothing, and keep
    several arrays of the size of the scores.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, products: Tensor, closed: Tensor, scale: float) -> Tensor:
        """Return the shares ``[B, H, Q, T]``, from the products of queries and keys, in their precision."""
        scores = (products.float() * scale).masked_fill(closed[:, None], -torch.inf)
        top = scores.amax(-1, keepdim=True).clamp(min=0)  # the sink has score 0
        weights = (scores - top).exp()
        shares = (weights / (weights.sum(-1, keepdim=True) + (-top).exp())).to(products.dtype)
        ctx.save_for_backward(shares)
        ctx.scale = scale  # type: ignore[attr-defined]
        return shares

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """Return the gradient of the products from that of the shares."""
        (shares,) = ctx.saved_tensors  # type: ignore[attr-defined]
        weighted = shares.float() * gradients[0].float()
        gradient = (weighted - shares.float() * weighted.sum(-1, keepdim=True)) * ctx.scale  # type: ignore[attr-defined]
        return gradient.to(shares.dtype), None, None


def attention(query: Tensor, key: Tensor, value: Tensor, closed: Tensor) -> Tensor:
    """Attend causally; return ``[B, H, T, D]``.

    ``query [B, H, T, D]``; ``key, value [B, K, T, D]``; ``closed bool [B or 1, T, T]``: true where a query (row) must
    not attend to a key. QUERIES queries at a time are scored against the keys up to the last of them. Written out,
    because torch's own attention takes half as long again for 256 frames on a CPU, and five times as long for sequences
    as short as a frame's slots, forward and backward.
    """
    length = query.shape[2]
    parts = []
    for first in range(0, length, QUERIES):
        last = min(first + QUERIES, length)
        parts.append(
            _attend(query[:, :, first:last], key[:, :, :last], value[:, :, :last], closed[:, first:last, :last])
        )
    return torch.cat(parts, dim=2)


def causal_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attend to all positions up to the query's own, with torch's own attention, which is faster on a GPU.

    Shapes as for `attention`. A position of zeros before the first one is the sink; its own output is dropped.
    """
    query, key, value = (F.pad(part, (0, 0, 1, 0)) for part in (query, key, value))
    return F.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=True)[:, :, 1:]


def _attend(query: Tensor, key: Tensor, value: Tensor, closed: Tensor) -> Tensor:
    """Attend for one chunk: ``query [B, H, Q, D]``; ``key, value [B, K, T, D]``; ``closed [B or 1, Q, T]``."""
    batch, heads, queries, head = query.shape
    groups, length = heads // key.shape[1], key.shape[2]
    rows = query.reshape(-1, groups * queries, head)  # the queries that share a key, side by side
    products = (rows @ key.reshape(-1, length, head).transpose(1, 2)).view(batch, heads, queries, length)
    shares: Tensor = SinkSoftmax.apply(products, closed, head**-0.5)
    mixed = shares.to(value.dtype).view(-1, groups * queries, length) @ value.reshape(-1, length, head)
    return mixed.view(batch, heads, queries, head)


class TransformerBlock(nn.Module):
    """A transformer block: x + attention(norm(x)), then x + SwiGLU(norm(x))."""

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self.stack = stack
        self.attention_norm = nn.Parameter(torch.ones(stack.width))
        self.query = nn.Linear(stack.width, stack.width, bias=False)
        self.key = nn.Linear(stack.width, stack.kv_width, bias=False)
        self.value = nn.Linear(stack.width, stack.kv_width, bias=False)
        self.out = nn.Linear(stack.width, stack.width, bias=False)
        self.feed_norm = nn.Parameter(torch.ones(stack.width))
        self.gate = nn.Linear(stack.width, stack.hidden, bias=False)
        self.up = nn.Linear(stack.width, stack.hidden, bias=False)
        self.down = nn.Linear(stack.hidden, stack.width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, closed: Tensor | None) -> Tensor:
        """Return ``[B, T, d]`` from ``x [B, T, d]``; ``cos, sin`` as for `rotate`.

        ``closed``: as for `attention`; None for `causal_attention`.
        """
        batch, length, _ = x.shape
        normed = rms_norm(x, self.attention_norm)
        head = self.stack.head_width
        query = rotate(self.query(normed).view(batch, length, -1, head).transpose(1, 2), cos, sin)  # [B, H, T, D]
        key = rotate(self.key(normed).view(batch, length, -1, head).transpose(1, 2), cos, sin)  # [B, K, T, D]
        value = self.value(normed).view(batch, length, -1, head).transpose(1, 2)
        mixed = causal_attention(query, key, value) if closed is None else attention(query, key, value, closed)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, -1))
        normed = rms_norm(x, self.feed_norm)
        return x + self.down(F.silu(self.gate(normed)) * self.up(normed))


class Network(nn.Module):
    """The two levels: from the frames so far to a distribution over the next frame."""

    slot_kinds: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        time, column = config.time, config.column
        # Time level. A frame's embedding is the sum over slots of the value's embedding and of the manner's: whether
        # the slot's token was a byte, or which motion it was.
        self.value_embedding = nn.Parameter(torch.empty(tk.SLOTS * 256, time.width))
        self.manner_embedding = nn.Parameter(torch.empty(tk.SLOTS * tk.MANNERS, time.width))
        self.time_blocks = nn.ModuleList(TransformerBlock(time) for _ in range(time.layers))
        self.time_norm = nn.Parameter(torch.ones(time.width))
        # Column level. A slot's input is the sum of the time level's output and the embeddings of the slot, of its
        # value in the previous frame, of recall's suggestions and their strengths, and of the last token generated.
        self.bridge = nn.Linear(time.width, column.width, bias=False)
        self.slot_embedding = nn.Parameter(torch.empty(tk.SLOTS, column.width))
        self.before_embedding = nn.Parameter(torch.empty(tk.KINDS * 256, column.width))
        self.said_embedding = nn.Parameter(torch.empty(tk.KINDS * tk.TOKEN_IDS, column.width))
        self.recall_embedding = nn.Parameter(torch.empty(rc.CHOICES * tk.KINDS * tk.TOKEN_IDS, column.width))
        self.strength_embedding = nn.Parameter(torch.empty(rc.CHOICES * tk.KINDS * rc.STRENGTHS, column.width))
        self.column_blocks = nn.ModuleList(TransformerBlock(column) for _ in range(column.layers))
        self.column_norm = nn.Parameter(torch.ones(column.width))
        self.head = nn.Parameter(torch.empty(tk.KINDS, tk.VOCABULARY, column.width))
        # Times the column level's output: the logit that a suggestion of recall gains.
        self.trust = nn.Parameter(torch.empty(rc.CHOICES * tk.KINDS, column.width))
        self.register_buffer("slot_kinds", torch.from_numpy(tk.KIND_OF_SLOT), persistent=False)
        self._initialise()

    def _initialise(self) -> None:
        for name, parameter in self.named_parameters():
            if parameter.dim() < 2:
                continue
            nn.init.normal_(parameter, std=0.02)
            if name.endswith(("out.weight", "down.weight")):
                stack = self.config.time if name.startswith("time") else self.config.column
                nn.init.normal_(parameter, std=0.02 / (2 * stack.layers) ** 0.5)

    def hear(self, frames: Tensor, tokens: Tensor) -> Tensor:
        """Run the time level; return its output after each frame ``[B, T, d]``.

        ``frames int [B, T, 28]``: register values in slot order (``frames[..., COLUMN_OF_SLOT]``); ``tokens int
        [B, T, 28]``: their tokens. Attention is causal and reaches `context` frames back.
        """
        batch, length, slots = frames.shape
        offsets = torch.arange(slots, device=frames.device)
        manners = (tokens - (tk.KEEP - 1)).clamp(min=0)
        values = F.embedding_bag(
            (frames + 256 * offsets).reshape(-1, slots), self.value_embedding, mode="sum"
        ) + F.embedding_bag((manners + tk.MANNERS * offsets).reshape(-1, slots), self.manner_embedding, mode="sum")
        x = values.view(batch, length, -1)
        positions = torch.arange(length, device=x.device)
        distance = positions[:, None] - positions
        closed: Tensor | None = ((distance < 0) | (distance >= self.config.context))[None]
        if x.is_cuda and length <= self.config.context:
            closed = None
        cos, sin = rotary_tables(positions, self.config.time.head_width, self.config.rope_base)
        for block in self.time_blocks:
            x = block(x, cos, sin, closed)
        return rms_norm(x, self.time_norm)

    def say(self, heard: Tensor, before: Tensor, tokens: Tensor, recalled: Tensor, strengths: Tensor) -> Tensor:
        """Run the column level; return logits ``[N, S, VOCABULARY]``, each slot given the slots before it.

        ``heard [N, d]``: from `hear`. ``before int [N, S]``: the previous frame's values in slot order. ``tokens int
        [N, S]``: the frame's tokens; slot s sees those of slots below s. ``recalled, strengths int [N, S, CHOICES]``:
        from `recall`. No slot attends to a silent slot (SKIP): the engine takes no step for it. Each suggested token's
        logit is raised by ``trust``.
        """
        slots = tokens.shape[1]
        silent = tokens == tk.SKIP
        offsets = self.slot_kinds * tk.TOKEN_IDS
        rows = tokens + offsets
        ranks = self.slot_kinds[:, None] + tk.KINDS * torch.arange(rc.CHOICES, device=tokens.device)  # [S, CHOICES]
        # The last token generated: that of the slot before, or if that is silent, of the slot before it.
        last = torch.where(silent[:, :-1], F.pad(rows[:, :-2], (1, 0)), rows[:, :-1])  # [N, S - 1]
        said = F.pad(F.embedding(last, self.said_embedding), (0, 0, 1, 0))  # slot 0 has no token before it
        x = (
            self.bridge(heard)[:, None]
            + self.slot_embedding
            + F.embedding(before + 256 * self.slot_kinds, self.before_embedding)
            + F.embedding(recalled + tk.TOKEN_IDS * ranks, self.recall_embedding).sum(2)
            + F.embedding(strengths + rc.STRENGTHS * ranks, self.strength_embedding).sum(2)
            + said
        )
        order = torch.arange(slots, device=x.device)
        closed = (order[:, None] < order) | silent[:, None]  # [N, S, S]
        cos, sin = rotary_tables(order, self.config.column.head_width, self.config.rope_base)
        for block in self.column_blocks:
            x = block(x, cos, sin, closed)
        x = rms_norm(x, self.column_norm)
        head = self.head[self.slot_kinds]  # [S, V, d]
        logits = torch.einsum("nsd,svd->nsv", x, head.to(x.dtype))
        trust = torch.einsum("nsd,scd->nsc", x, self.trust[ranks].to(x.dtype)).masked_fill(recalled == rc.NOTHING, 0.0)
        suggested = recalled.clamp(max=tk.VOCABULARY - 1)  # NOTHING is no token and has trust 0
        return logits.scatter_add(2, suggested, trust.to(logits.dtype))

    def nats(
        self,
        frames: Tensor,
        tokens: Tensor,
        recalled: Tensor,
        strengths: Tensor,
        chosen: Tensor | None = None,
        misheard: Tensor | None = None,
    ) -> Tensor:
        """Return the cost in nats ``[N, S]`` of the tokens of frames 1, 2, ..., each given all tokens before it.

        ``frames``, ``tokens``: ``int [B, T, 28]`` in slot order; ``recalled``, ``strengths``: ``int [B, T, 28,
        CHOICES]``. ``chosen int [N]``: which of the B * (T - 1) predictions to make (default: all), so that the column
        level can train on a share of the frames; ``recalled`` and ``strengths`` are then ``int [N, 28, CHOICES]``, of
        these predictions. ``misheard int [B, T - 1, 28]``: the frame from which the time level hears each slot
        (default: its own). Silent slots cost 0.
        """
        logits, target = self.predict(frames, tokens, recalled, strengths, chosen, misheard)
        silent = target == tk.SKIP
        labels = target.masked_fill(silent, 0)
        cost = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view_as(labels)
        return cost.masked_fill(silent, 0.0)

    def predict(
        self,
        frames: Tensor,
        tokens: Tensor,
        recalled: Tensor,
        strengths: Tensor,
        chosen: Tensor | None = None,
        misheard: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the logits ``float32[N, S, VOCABULARY]`` and tokens ``int[N, S]`` that `nats` compares."""
        past = (frames[:, :-1], tokens[:, :-1])
        if misheard is not None:
            past = (past[0].gather(1, misheard), past[1].gather(1, misheard))
        heard = self.hear(*past).flatten(0, 1)  # [B (T - 1), d]
        before, target = frames[:, :-1].flatten(0, 1), tokens[:, 1:].flatten(0, 1)
        if chosen is not None:
            heard, before, target = heard[chosen], before[chosen], target[chosen]
        else:
            recalled, strengths = recalled[:, :-1].flatten(0, 1), strengths[:, :-1].flatten(0, 1)
        return self.say(heard, before, target, recalled, strengths).float(), target

    @torch.no_grad()
    def generate(self, frames: Tensor, count: int) -> Tensor:
        """Continue frames greedily; return the ``count`` new frames ``uint8 [count, 28]``.

        ``frames uint8 [T, 28]``: T >= 1, in hardware order. Slow and simple on purpose: everything is computed again
        for each token. Tests compare the engine with it.
        """
        permitted = torch.from_numpy(tk.allowed())
        heard_frames = frames.numpy().astype(np.uint8)
        for _ in range(count):
            encoded = tk.encode(heard_frames)
            tokens = torch.from_numpy(encoded.astype(np.int64))
            values = torch.from_numpy(heard_frames[:, tk.COLUMN_OF_SLOT].astype(np.int64))
            heard = self.hear(values[None], tokens[None])[0, -1:]
            spoken = torch.full((1, tk.SLOTS), tk.KEEP)
            for slot in range(tk.SLOTS):
                if tk.IS_LO[slot] and spoken[0, slot - 1] >= tk.KEEP:
                    spoken[0, slot] = tk.SKIP
                    continue
                if slot == 0 or tk.IS_LO[slot]:  # recall suggests lo bytes once their hi byte is known
                    suggested = rc.recall(encoded, said=np.concatenate([encoded, spoken.numpy().astype(np.int16)]))
                    recalled, strengths = (torch.from_numpy(part[-1:].astype(np.int64)) for part in suggested)
                logits = self.say(heard, values[-1:], spoken, recalled, strengths)[0, slot]
                spoken[0, slot] = logits.masked_fill(~permitted[slot], -torch.inf).argmax()
            frame = tk.decode(spoken.numpy().astype(np.int16), heard_frames)
            heard_frames = np.concatenate([heard_frames, frame])
        return torch.from_numpy(heard_frames[len(frames) :])
