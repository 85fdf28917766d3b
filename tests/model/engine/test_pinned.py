"""A pinned prompt stays in attention for ever; the state does not grow and can still be rewound."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from engines import SMALL, WARM, lively, torch_network, tune
from exact_engine import ExactEngine
from torch import Tensor

from sidlive.chip.registers import Frames
from sidlive.errors import ModelError
from sidlive.model import tokens as tk
from sidlive.model.engine import Engine
from sidlive.model.training.network import Network, rms_norm, rotary_tables, rotate
from sidlive.model.weights import EngineWeights

CONTEXT = 100


@pytest.fixture(scope="module")
def weights() -> EngineWeights:
    return lively()


def distances(length: int, context: int, pin: int) -> Tensor:
    """Return the distance of each frame (row) to each frame that it attends to, -1 for the others.

    The slow, obvious way: list the frames before it, leave out those that slid away, and count from the end.
    """
    table = torch.full((length, length), -1)
    for frame in range(length):
        attended = list(range(frame + 1))
        if len(attended) > context:
            attended = attended[:pin] + attended[-(context - pin) :]
        for away, other in enumerate(reversed(attended)):
            table[frame, other] = away
    return table


@torch.no_grad()
def heard_by_torch(network: Network, values: Tensor, tokens: Tensor, away: Tensor) -> Tensor:
    """Compute the time level with explicit distances: rotate the query of each pair by its distance to the key."""
    offsets = torch.arange(tk.SLOTS)
    manners = (tokens - (tk.KEEP - 1)).clamp(min=0)
    x = F.embedding(values + 256 * offsets, network.value_embedding).sum(1)
    x = x + F.embedding(manners + tk.MANNERS * offsets, network.manner_embedding).sum(1)  # [T, d]
    stack, length = network.config.time, len(values)
    cos, sin = rotary_tables(away.clamp(min=0).flatten(), stack.head_width, network.config.rope_base)
    for block in network.time_blocks:
        normed = rms_norm(x, block.attention_norm)
        query, key, value = (
            part(normed).view(length, -1, stack.head_width) for part in (block.query, block.key, block.value)
        )
        mixed = torch.empty(length, stack.heads, stack.head_width)
        for head in range(stack.heads):
            kv = head * stack.kv_heads // stack.heads
            queries = query[:, None, head].expand(length, length, -1).reshape(1, 1, length * length, -1)
            turned = rotate(queries, cos, sin).view(length, length, -1)  # [T, T, D]
            scores = (turned * key[None, :, kv]).sum(-1) * stack.head_width**-0.5
            scores = F.pad(scores.masked_fill(away < 0, -torch.inf), (1, 0))  # the zero sink
            mixed[:, head] = scores.softmax(-1)[:, 1:] @ value[:, kv]
        x = x + block.out(mixed.flatten(1))
        normed = rms_norm(x, block.feed_norm)
        x = x + block.down(F.silu(block.gate(normed)) * block.up(normed))
    return rms_norm(x, network.time_norm)


def heard_by(engine: Engine, frames: Frames) -> np.ndarray:
    """Let the engine hear frames one by one; return its hidden vector after each, ``float32[T, d]``."""
    heard = []
    for number, frame in enumerate(frames):
        engine.prefill(frame[None])
        heard.append(engine._state.hidden[0, number % 21].copy())
    return np.array(heard)


@pytest.mark.parametrize("pin", [0, 7, 40, 50])
def test_the_time_level_is_the_networks_without_the_frames_that_slid_away(weights: EngineWeights, pin: int) -> None:
    frames = tune(330)  # longer than the ring of at most 192
    network = torch_network(weights)
    values = torch.from_numpy(frames[:, tk.COLUMN_OF_SLOT].astype(np.int64))
    tokens = torch.from_numpy(tk.encode(frames).astype(np.int64))
    expected = heard_by_torch(network, values, tokens, distances(len(frames), CONTEXT, pin)).numpy()
    if pin == 0:
        network.config = type(network.config)(**{**vars(network.config), "context": CONTEXT})
        with torch.no_grad():
            own = network.hear(values[None], tokens[None])[0].numpy()
        np.testing.assert_allclose(expected, own, atol=2e-4)  # the comparison itself is right
    engine = Engine(weights, context=CONTEXT, headroom=20)
    engine.reset(pin=pin)
    heard = heard_by(engine, frames)
    error, size = np.sqrt(((heard - expected) ** 2).mean(axis=1)), np.sqrt((expected**2).mean())
    assert (error < 0.05 * size).all(), "rounding to bytes; a frame too many or too few in attention costs more"
    assert engine.pinned == pin


@pytest.mark.parametrize("pin", [7, 40])
def test_the_time_level_computes_every_bit_of_the_exact_arithmetic(weights: EngineWeights, pin: int) -> None:
    """Longer than the context and the ring, in which recent frames lie in two parts."""
    frames, exact = tune(150), ExactEngine(weights, SMALL.context + 2 * pin, 20, pin)
    engine = Engine(weights, context=SMALL.context + 2 * pin, headroom=20)
    engine.reset(pin=pin)
    np.testing.assert_array_equal(heard_by(engine, frames), np.array(exact.heard(frames)))


def test_a_pinned_prompt_still_counts_after_it_left_the_window(weights: EngineWeights) -> None:
    """Two pasts differ only in their first frames: pinned, they stay different; not pinned, they become the same.

    Two layers of attention reach back two windows, which the frames after the prompt fill.
    """
    prompts, after = (tune(30, seed=1), tune(30, seed=2)), tune(3 * CONTEXT, seed=3)
    for pin, same in ((0, True), (30, False)):
        heard = []
        for prompt in prompts:
            engine = Engine(weights, context=CONTEXT, headroom=20)
            engine.reset(pin=pin)
            engine.prefill(prompt)
            engine.prefill(after)
            heard.append(engine._state.hidden[0, (engine.position - 1) % 21].copy())
        assert (np.abs(heard[0] - heard[1]).max() < 1e-6) == same


def test_with_pinned_frames_prefill_rewind_and_restore_are_bit_exact(weights: EngineWeights) -> None:
    frames = tune(260)
    whole, single = (Engine(weights, context=CONTEXT, headroom=20) for _ in range(2))
    for engine in (whole, single):
        engine.reset(pin=37)
    whole.prefill(frames)
    for frame in frames[:100]:
        single.prefill(frame[None])
    for frame in frames[100:]:
        single.step(WARM, forced=frame)
    for name in ("frames", "hidden", "keys", "values", "key_scales", "value_scales"):
        np.testing.assert_array_equal(getattr(whole._state, name), getattr(single._state, name), err_msg=name)
    kept = whole.snapshot()
    first = np.stack([whole.step(WARM) for _ in range(20)])
    whole.rewind(20)
    np.testing.assert_array_equal(np.stack([whole.step(WARM) for _ in range(20)]), first)
    other = Engine(weights, context=CONTEXT, headroom=20)
    other.restore(kept)
    assert other.pinned == 37
    np.testing.assert_array_equal(np.stack([other.step(WARM) for _ in range(20)]), first)
    np.testing.assert_array_equal(np.stack([single.step(WARM) for _ in range(20)]), first)


def test_rewinding_into_the_prompt_goes_on_as_if_it_had_ended_there(weights: EngineWeights) -> None:
    frames = tune(60)
    engine, other = (Engine(weights, context=CONTEXT, headroom=20) for _ in range(2))
    for one in (engine, other):
        one.reset(pin=50)
    engine.prefill(frames[:45])
    engine.prefill(tune(10, seed=8))
    engine.rewind(10)
    other.prefill(frames[:45])
    for one in (engine, other):
        one.prefill(frames[45:])
    np.testing.assert_array_equal(
        np.stack([engine.step(WARM) for _ in range(120)]), np.stack([other.step(WARM) for _ in range(120)])
    )


def test_half_the_context_is_the_most_that_can_be_pinned(weights: EngineWeights) -> None:
    engine = Engine(weights, context=CONTEXT)
    engine.reset(pin=50)
    for pin in (51, -1):
        with pytest.raises(ModelError, match="from 0 to 50 frames can be pinned"):
            engine.reset(pin=pin)
    engine.reset()
    assert engine.pinned == 0


def test_the_state_does_not_grow(weights: EngineWeights) -> None:
    engine = Engine(weights, context=SMALL.context, headroom=20)
    engine.reset(pin=12)
    engine.prefill(tune(12))
    places = [(part.ctypes.data, part.nbytes) for part in engine._state]
    for _ in range(3000):  # past recall's memory
        engine.step(WARM)
    assert [(part.ctypes.data, part.nbytes) for part in engine._state] == places
    assert sum(part.nbytes for part in engine.snapshot().state) == sum(nbytes for _, nbytes in places)
