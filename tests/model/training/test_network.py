"""The two-level transformer: causality, silent slots, the sliding window, exact likelihood."""

import numpy as np
import torch

from sidlive.chip import registers as sid
from sidlive.model import recall as rc
from sidlive.model import tokens as tk
from sidlive.model.config import PRESETS, ModelConfig, Stack
from sidlive.model.training.network import Network, SinkSoftmax
from sidlive.model.training.windows import cut_window, stack_windows

TINY = ModelConfig("tiny", Stack(32, 2, 4, 2, 48), Stack(16, 2, 2, 1, 24), context=8)


def lively(count: int, seed: int = 0) -> np.ndarray:
    """Return frames with held values, sweeps and jumps."""
    rng = np.random.default_rng(seed)
    frames = rng.integers(256, size=(count, sid.COLUMNS), dtype=np.uint8) & sid.USED_BITS
    for row in range(1, count):
        kept = rng.random(sid.COLUMNS) < 0.7
        frames[row, kept] = frames[row - 1, kept]
    return frames


def heard(frames: np.ndarray) -> tuple[torch.Tensor, ...]:
    """Return the inputs of the time level: values and tokens."""
    return stack_windows(cut_window(frames, 0, len(frames)))[:2]


def recalled(frames: np.ndarray) -> tuple[torch.Tensor, ...]:
    """Return recall's suggestions after each frame."""
    return stack_windows(cut_window(frames, 0, len(frames)))[2:]


NO_RECALL = tuple(torch.from_numpy(part.astype(np.int64)) for part in rc.nothing(1))


def network(config: ModelConfig = TINY) -> Network:
    """Make a network whose weights are large enough that its inputs show in its output."""
    torch.manual_seed(1)
    made = Network(config)
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.dim() > 1:
                parameter.mul_(8.0)
    return made.eval()


def test_the_time_level_is_causal() -> None:
    net, frames = network(), lively(12)
    changed = frames.copy()
    changed[9:] = lively(3, seed=5)
    with torch.no_grad():
        before, after = net.hear(*heard(frames)), net.hear(*heard(changed))
    assert torch.allclose(before[:, :9], after[:, :9], atol=1e-5)
    assert not torch.allclose(before[:, 9:], after[:, 9:], atol=1e-2)


def test_attention_reaches_back_one_context() -> None:
    config = ModelConfig("one layer", Stack(32, 1, 4, 2, 48), TINY.column, context=8)
    net, frames = network(config), lively(24)
    with torch.no_grad():
        whole = net.hear(*heard(frames))
        values, tokens = heard(frames)
        recent = net.hear(values[:, -8:], tokens[:, -8:])
    # One layer sees `context` frames; rotary positions are relative, so a shifted window hears the same.
    assert torch.allclose(whole[:, -1], recent[:, -1], atol=1e-4)


def test_a_slot_attends_to_earlier_slots_that_are_not_silent() -> None:
    net = network()
    frames = lively(2)
    values, tokens = heard(frames)
    with torch.no_grad():
        after = net.hear(values[:, :1], tokens[:, :1])[0]
        logits = net.say(after, values[0, :1], tokens[0, 1:], *NO_RECALL)
        changed = tokens[0, 1:].clone()
        changed[0, 20] = (changed[0, 20] + 1) % 256
        other = net.say(after, values[0, :1], changed, *NO_RECALL)
    assert torch.allclose(logits[0, :21], other[0, :21], atol=1e-5)
    assert not torch.allclose(logits[0, 21:], other[0, 21:], atol=1e-2)

    # No other slot attends to a silent slot: the silent slot's value in the previous frame makes no difference.
    kept = torch.full((1, tk.SLOTS), tk.KEEP)
    kept[0, torch.from_numpy(tk.IS_LO)] = tk.SKIP
    moved = values[0, :1].clone()
    moved[0, 1] = (moved[0, 1] + 7) % 256
    with torch.no_grad():
        one, two = (net.say(after, was, kept, *NO_RECALL) for was in (values[0, :1], moved))
    assert torch.allclose(one[0, 2:], two[0, 2:], atol=1e-6)


def test_nats_are_a_likelihood() -> None:
    """The probabilities of all tokens that a slot can have sum to one; silent slots cost nothing."""
    net = network()
    frames = lively(6)
    values, tokens = heard(frames)
    suggestions = recalled(frames)
    with torch.no_grad():
        nats = net.nats(values, tokens, *suggestions)
        assert nats.shape == (5, tk.SLOTS)
        assert (nats[tokens[0, 1:] == tk.SKIP] == 0).all() and (nats[tokens[0, 1:] != tk.SKIP] > 0).all()
        total = torch.zeros(())
        for token in range(tk.VOCABULARY):
            tried = tokens[:, :2].clone()
            tried[0, 1, 4] = token  # voice 1's control
            total = total + torch.exp(-net.nats(values[:, :2], tried, *(part[:, :2] for part in suggestions))[0, 4])
    assert abs(float(total) - 1) < 1e-4
    chosen = torch.tensor([3, 1])
    assert torch.allclose(
        net.nats(values, tokens, *(part[0, chosen] for part in suggestions), chosen), nats[chosen], atol=1e-4
    )


def test_generate_continues_with_frames_that_the_chip_can_hold() -> None:
    frames = network().generate(torch.from_numpy(lively(4)), 3).numpy()
    assert frames.shape == (3, sid.COLUMNS) and frames.dtype == np.uint8
    assert not (frames & ~sid.USED_BITS).any()


def test_a_config_reads_back_from_its_metadata() -> None:
    for config in PRESETS.values():
        assert ModelConfig.from_dict(config.to_dict()) == config


def test_trust_changes_the_logits_of_the_recalled_tokens_only() -> None:
    net = network()
    values, tokens = heard(lively(2))
    suggestion = NO_RECALL[0].clone()
    suggestion[0, 4] = torch.tensor([0x41, 0x11])
    with torch.no_grad():
        net.recall_embedding.zero_()  # leave trust as the only way
        after = net.hear(values[:, :1], tokens[:, :1])[0]
        without = net.say(after, values[0, :1], tokens[0, 1:], *NO_RECALL)[0]
        within = net.say(after, values[0, :1], tokens[0, 1:], suggestion, NO_RECALL[1])[0]
    changed = (without != within).nonzero().tolist()
    assert changed == [[4, 0x11], [4, 0x41]]


def test_the_gradient_of_attention_is_the_derivative_of_its_shares() -> None:
    torch.manual_seed(0)
    products = torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    closed = torch.rand(2, 4, 5) < 0.4
    closed[0, 1] = True  # a query that attends to nothing but the sink

    def written_out(given: torch.Tensor) -> torch.Tensor:
        chances = torch.cat([(given * 0.5).masked_fill(closed[:, None], -torch.inf), torch.zeros(2, 3, 4, 1)], -1)
        return chances.softmax(-1)[..., :-1]

    shares = SinkSoftmax.apply(products, closed, 0.5)
    assert torch.allclose(shares, written_out(products), atol=1e-6) and (shares[0, :, 1] == 0).all()
    weights = torch.randn_like(shares)
    (found,) = torch.autograd.grad((shares * weights).sum(), products)
    (expected,) = torch.autograd.grad((written_out(products) * weights).sum(), products)
    assert torch.allclose(found, expected, atol=1e-6)
