"""For the tests of the engine: small weights with varied output, made-up tunes, and the torch network to compare."""

from dataclasses import replace

import numpy as np
import torch
from exact_engine import suggested

from sidlive.chip import registers as sid
from sidlive.model import tokens as tk
from sidlive.model.config import ModelConfig, Stack
from sidlive.model.engine import Engine, Sampling
from sidlive.model.matrices import QuantisedMatrix
from sidlive.model.training.network import Network
from sidlive.model.training.windows import TrainingWindow, stack_windows
from sidlive.model.weights import EngineWeights, floats_of, random_weights

# Head and feed-forward widths that do not fill a tile; 7 heads (4 + 2 + 1 at a time) and 3 heads to a key.
SMALL = ModelConfig("small", Stack(112, 2, 14, 2, 72), Stack(48, 2, 3, 1, 40), context=24)
# The same with whole groups of 32 in the time level, for matrices of 4-bit numbers; 3 heads to a key.
GROUPED = ModelConfig("grouped", Stack(96, 2, 6, 2, 160), SMALL.column, context=24)
WARM = Sampling(temperature=0.9, seed=3)


def tune(count: int, seed: int = 0) -> sid.Frames:
    """Make frames ``uint8[count, 28]`` with holds, sweeps, vibrato, arpeggios, gates and jumps, as in real tunes."""
    rng = np.random.default_rng(seed)
    frames = sid.silence(count)
    row = rng.integers(0, 256, sid.COLUMNS)
    note = 0x1000
    for i in range(count):
        if rng.random() < 0.1:
            row = np.where(rng.random(sid.COLUMNS) < 0.3, rng.integers(0, 256, sid.COLUMNS), row)
            note = int(rng.integers(0x10000))
        bent = note + (37, 0, -37, 0)[i % 4]
        row[0], row[1] = bent & 255, bent >> 8 & 255
        row[7], row[8] = (i * 23) & 255, (i * 23) >> 8 & 255  # a ramp, which wraps
        row[14], row[15] = ((10, 11), (20, 21), (30, 31))[i % 3]  # an arpeggio of three
        row[sid.FIRST_CONTROL :] = np.where(rng.random(3) < 0.8, row[[4, 11, 18]], rng.integers(0, 256, 3))
        frames[i] = row & sid.USED_BITS
    return frames


def lively(config: ModelConfig = SMALL, seed: int = 9, bits: int = 8) -> EngineWeights:
    """Make random weights that are large enough for tokens to differ from slot to slot and frame to frame.

    Embeddings and head are larger than the blocks: logits then have a standard deviation of 2 to 4, as in a trained
    model. With blocks twice as large, attention looks at single frames and magnifies rounding more than a real model
    does; and even so, the vectors of a small network are short, and rounding to bytes costs it more.
    """
    weights = random_weights(config, seed, std=0.15, bits=bits)
    louder = {
        name: matrix if "blocks" in name else QuantisedMatrix(matrix.numbers, 2 * matrix.scales)
        for name, matrix in weights.matrices.items()
    }
    return replace(weights, matrices=louder)


def logits_of(engine: Engine, frames: sid.Frames) -> np.ndarray:
    """Let the engine weigh frames; return its logits ``[T, 28, VOCABULARY]``."""
    logits = []
    for frame in frames:
        engine.weigh(frame[None])
        logits.append(engine.last_logits())
    return np.array(logits)


def torch_network(weights: EngineWeights) -> Network:
    """Return the torch network with these weights in float32."""
    network = Network(weights.config)
    network.load_state_dict({name: torch.from_numpy(np.array(v)) for name, v in floats_of(weights).items()})
    return network.eval()


@torch.no_grad()
def torch_logits(
    network: Network,
    frames: sid.Frames,
    first: int = 1,
    spoken: np.ndarray | None = None,
    guides: tuple[sid.Frames, np.ndarray] | None = None,
) -> np.ndarray:
    """Return the network's logits ``[T - first, 28, VOCABULARY]`` of each frame from ``first`` on, given all before it.

    ``spoken``: the tokens of those frames as they were generated, if they are not the canonical ones. ``guides``: guide
    and mask, a row for each frame from ``first`` on.
    """
    said, suggestions = suggested(frames, first, spoken, guides)
    values, tokens, recalled, strengths = stack_windows(
        TrainingWindow(frames[:, tk.COLUMN_OF_SLOT], tk.encode(frames), *suggestions)
    )
    heard = network.hear(values[:, :-1], tokens[:, :-1])[0]
    before = slice(first - 1, len(frames) - 1)
    saying = torch.from_numpy(said[first:].astype(np.int64))
    return network.say(heard[before], values[0, before], saying, recalled[0, before], strengths[0, before]).numpy()


# Largest divergence of the engine from torch in float32, in nats a frame: what rounding to bytes costs weights that are
# random, and so as uncertain everywhere as a trained model is at its worst. The engine's arithmetic itself is held to
# every bit by `exact_engine`.
CLOSE = 0.03


def divergence_of(got: np.ndarray, expected: np.ndarray) -> float:
    """Return the nats that a prediction ``got`` costs where ``expected`` is true: both are logits of allowed tokens.

    This is the Kullback-Leibler divergence.
    """
    p, q = (x - np.logaddexp.reduce(x) for x in (expected.astype(np.float64), got.astype(np.float64)))
    return float((np.exp(p) * (p - q)).sum())


def divergence(got: np.ndarray, expected: np.ndarray) -> float:
    """Return the same per frame, of logits ``[T, 28, VOCABULARY]``. Silent slots have nan in ``got``, others -inf."""
    sums = 0.0
    for mine, true in zip(got.reshape(-1, tk.VOCABULARY), expected.reshape(-1, tk.VOCABULARY), strict=True):
        allowed = np.isfinite(mine)
        sums += divergence_of(mine[allowed], true[allowed]) if allowed.any() else 0.0
    return sums / len(got)
