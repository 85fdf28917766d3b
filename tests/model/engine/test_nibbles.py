"""An engine whose time level has 4-bit numbers equals the exact arithmetic to the bit, as one of bytes does."""

from dataclasses import replace

import numpy as np
import pytest
from engines import CLOSE, GROUPED, WARM, divergence, lively, logits_of, torch_logits, torch_network, tune
from every_set import printed_on_every_set
from exact_engine import ExactEngine

from sidlive.model.engine import Engine
from sidlive.model.weights import EngineWeights


@pytest.fixture(scope="module")
def weights() -> EngineWeights:
    return lively(GROUPED, bits=4)


def engine_of(weights: EngineWeights, heard: int = 0) -> Engine:
    """Return an engine that has heard the first frames of the tune, ten of them pinned."""
    engine = Engine(weights, context=GROUPED.context, headroom=20)
    engine.reset(pin=10)
    engine.prefill(tune(heard))
    return engine


def test_logits_are_those_of_the_exact_arithmetic(weights: EngineWeights) -> None:
    """Every bit, after the ring of keys and values has wrapped."""
    frames = tune(150)
    expected = ExactEngine(weights, GROUPED.context, 20, pin=10).logits(frames, 130)
    np.testing.assert_array_equal(logits_of(engine_of(weights, 130), frames[130:]), expected)


def test_all_ways_to_hear_frames_lead_to_the_same_state(weights: EngineWeights) -> None:
    """Bit for bit: in one prefill, frame by frame, and again after a rewind."""
    frames, whole, single = tune(60), engine_of(weights, 60), engine_of(weights)
    for frame in frames:
        single.prefill(frame[None])
    generated = [whole.step(WARM) for _ in range(20)]
    np.testing.assert_array_equal([single.step(WARM) for _ in range(20)], generated)
    whole.rewind(20)
    np.testing.assert_array_equal([whole.step(WARM) for _ in range(20)], generated)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_each_lane_equals_a_single_engine_to_the_bit(weights: EngineWeights, count: int) -> None:
    samplings = [replace(WARM, lane=lane) for lane in range(count)]
    lanes = engine_of(weights, 40).fork(count)
    together = np.array([lanes.step(samplings) for _ in range(30)])
    for lane, sampling in enumerate(samplings):
        alone = engine_of(weights, 40)
        np.testing.assert_array_equal([alone.step(sampling) for _ in range(30)], together[:, lane])


EVERY_BIT = """
import hashlib
from engines import CLOSE, GROUPED, WARM, lively, tune
from sidlive import instructions
from sidlive.model.engine import Engine
engine = Engine(lively(GROUPED, bits=4), context=GROUPED.context, headroom=20)
digest = hashlib.blake2b(engine.weigh(tune(50)).tobytes())
for _ in range(10):
    digest.update(engine.step(WARM).tobytes() + engine.last_logits().tobytes())
lanes = engine.fork(4)
for _ in range(5):
    digest.update(lanes.step([WARM] * 4).tobytes())
digest.update(engine._state.hidden.tobytes())
print(instructions.in_use(), digest.hexdigest())
"""


def test_all_instruction_sets_compute_the_same_bits() -> None:
    found = printed_on_every_set(EVERY_BIT)
    assert "generic" in found
    assert len(set(found.values())) == 1, found


def test_predictions_are_nearly_those_of_the_network_in_float32(weights: EngineWeights) -> None:
    """Both have the same 4-bit weights, so the difference is only the rounding of activations to bytes."""
    frames = tune(120)
    expected = torch_logits(torch_network(weights), frames, 90)
    engine = Engine(weights, context=GROUPED.context, headroom=20)
    engine.prefill(frames[:90])
    assert expected.std() > 1.0, "small logits would make the comparison meaningless"
    assert divergence(logits_of(engine, frames[90:]), expected) < CLOSE
