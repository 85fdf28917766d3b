"""How tokens are picked: the right distribution, the right set, and noise that stands still."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from engines import SMALL, lively, tune

from sidlive.errors import ControlError
from sidlive.model.engine import Engine, Sampling
from sidlive.model.sampling import noise_key, pick

TOKENS = np.arange(256)


def picks(logits: np.ndarray, count: int, seed: int = 1, **knobs: float) -> np.ndarray:
    """Indices picked for ``count`` frames' noises."""
    s = Sampling(seed=seed, **knobs)  # type: ignore[arg-type]
    logits, weights = logits.astype(np.float32), np.empty(len(logits), np.float32)
    settings = (float(s.temperature), float(s.top_p), s.top_k, float(s.min_p))
    return np.array(
        [
            pick(
                logits,
                weights,
                len(logits),
                *settings,
                TOKENS[: len(logits)],
                np.uint64(noise_key(s.seed, 0, frame, 3)),
            )
            for frame in range(count)
        ]
    )


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def chi_square(found: np.ndarray, expected: np.ndarray) -> float:
    """Pearson's statistic over its degrees of freedom, tokens expected fewer than 5 times taken together."""
    common = expected >= 5
    f = np.append(found[common], found[~common].sum())
    e = np.append(expected[common], max(expected[~common].sum(), 1e-9))
    keep = e >= 1
    return float(((f[keep] - e[keep]) ** 2 / e[keep]).sum() / max(1, keep.sum() - 1))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7])
def test_picks_follow_the_softmax(temperature: float) -> None:
    """30 seeded runs of 4,000: chi-square per degree of freedom is 1 on average, and a biased one is told."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=40) * 2
    expected = softmax(logits / temperature) * 4000
    ratios = [
        chi_square(np.bincount(picks(logits, 4000, seed, temperature=temperature), minlength=40), expected)
        for seed in range(30)
    ]
    assert 0.85 < np.mean(ratios) < 1.15
    biased = softmax((logits + 0.1 * (np.arange(40) == logits.argmax())) / temperature) * 4000
    found = [
        chi_square(np.bincount(picks(logits, 4000, seed, temperature=temperature), minlength=40), biased)
        for seed in range(30)
    ]
    assert np.mean(found) > np.mean(ratios)


def test_slots_frames_lanes_and_seeds_have_noises_of_their_own() -> None:
    keys = {
        noise_key(seed, lane, frame, slot)
        for seed in range(6)
        for lane in range(6)
        for frame in range(6)
        for slot in range(6)
    }
    assert len(keys) == 6**4


def test_neighbouring_frames_are_independent() -> None:
    found = picks(np.zeros(2), 4000)
    assert abs(np.corrcoef(found[1:], found[:-1])[0, 1]) < 0.05


LOGITS = np.log(np.array([0.4, 0.05, 0.25, 0.2, 0.06, 0.04]))


@pytest.mark.parametrize(
    ("knobs", "kept"),
    [
        ({"top_p": 0.39}, {0}),
        ({"top_p": 0.0}, {0}),
        ({"top_p": 0.41}, {0, 2}),
        ({"top_p": 0.7}, {0, 2, 3}),
        ({"top_p": 0.86}, {0, 2, 3, 4}),
        ({"top_p": 1.0}, {0, 1, 2, 3, 4, 5}),
        ({"top_k": 1}, {0}),
        ({"top_k": 3}, {0, 2, 3}),
        ({"top_k": 100}, {0, 1, 2, 3, 4, 5}),
        ({"min_p": 0.49}, {0, 2, 3}),
        ({"min_p": 1.0}, {0}),
        ({"top_k": 4, "top_p": 0.7}, {0, 2, 3}),
        ({"top_k": 2, "top_p": 0.99, "min_p": 0.1}, {0, 2}),
        ({"temperature": 0.0}, {0}),
    ],
)
def test_only_tokens_of_the_set_are_picked(knobs: dict[str, float], kept: set[int]) -> None:
    assert set(picks(LOGITS, 600, **({"temperature": 3.0} | knobs)).tolist()) == kept


def test_tokens_equal_to_the_last_one_in_are_in() -> None:
    assert set(picks(np.array([1.0, 0.0, 0.0, 0.0, -1.0]), 600, top_k=2).tolist()) == {0, 1, 2, 3}


def test_a_small_turn_of_the_temperature_changes_few_picks() -> None:
    """Stable futures: given the same logits, the share of equal picks falls smoothly with the distance turned."""
    rng = np.random.default_rng(5)
    contexts = rng.normal(size=(60, 30)) * 2
    at = {t: np.concatenate([picks(c, 40, temperature=t) for c in contexts]) for t in (0.9, 0.91, 0.95, 1.0, 1.2, 1.8)}
    shares = [float((at[t] == at[0.9]).mean()) for t in (0.91, 0.95, 1.0, 1.2, 1.8)]
    assert shares[0] > 0.98
    assert all(a > b for a, b in pairwise(shares))
    independent = (picks(contexts[0], 2000, 1) == picks(contexts[0], 2000, 2)).mean()
    assert shares[-1] > independent


def test_a_small_turn_of_the_temperature_changes_few_frames() -> None:
    """The same of the engine: the next frame of 60 pasts, at .90 and .91, and by another seed."""
    engine = Engine(lively(), context=SMALL.context)
    engine.prefill(tune(60))
    equal = {"turned": 0, "reseeded": 0}
    base = Sampling(temperature=0.9, seed=2)
    for _ in range(60):
        said = engine.step(base)
        for name, other in (("turned", replace(base, temperature=0.91)), ("reseeded", replace(base, seed=9))):
            engine.rewind(1)
            equal[name] += int((engine.step(other) == said).all())
        engine.rewind(1)
        engine.prefill(said[None])
    assert equal["turned"] > 30 > equal["reseeded"]


@pytest.mark.parametrize(
    "bad",
    [
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"top_p": 1.1},
        {"top_p": -1},
        {"top_k": -1},
        {"top_k": 2.5},
        {"min_p": 2},
        {"rhythm_heat": -1},
        {"seed": -1},
        {"seed": 1 << 63},
        {"lane": -1},
    ],
)
def test_what_is_out_of_range_is_refused_by_name(bad: dict[str, float]) -> None:
    with pytest.raises(ControlError, match=f"{next(iter(bad))} must be"):
        Sampling(**bad)  # type: ignore[arg-type]
