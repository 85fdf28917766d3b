"""Lanes: alternative futures side by side, each identical to what a single engine generates."""

from dataclasses import replace

import numpy as np
import pytest
from engines import SMALL, WARM, lively, tune

from sidlive.chip import registers as sid
from sidlive.errors import ModelError
from sidlive.model import tokens as tk
from sidlive.model.engine import Engine, Lanes, Sampling, constrain
from sidlive.model.weights import EngineWeights

SAMPLINGS = (
    replace(WARM, lane=0),
    replace(WARM, lane=1),
    replace(WARM, lane=2, temperature=1.3, top_p=0.9, follow=2.0),
    Sampling(temperature=0.0),
)


@pytest.fixture(scope="module")
def weights() -> EngineWeights:
    return lively()


def engine_after(weights: EngineWeights, count: int) -> Engine:
    engine = Engine(weights, context=SMALL.context, headroom=20)
    engine.reset(pin=10)
    engine.prefill(tune(count))
    return engine


def generate(lanes: Lanes, count: int, **more: object) -> np.ndarray:
    """Generate ``count`` frames in each lane: ``uint8[lanes, count, 28]``."""
    return np.stack([lanes.step(SAMPLINGS, **more) for _ in range(count)], axis=1)  # type: ignore[arg-type]


def test_each_lane_equals_a_single_engine_to_the_bit(weights: EngineWeights) -> None:
    lanes = engine_after(weights, 40).fork(len(SAMPLINGS))
    together = generate(lanes, 90)
    tokens = []
    for lane, sampling in enumerate(SAMPLINGS):
        alone = engine_after(weights, 40)
        np.testing.assert_array_equal(np.stack([alone.step(sampling) for _ in range(90)]), together[lane])
        for mine, kept in zip(alone._state, lanes.lane(lane).state, strict=True):
            np.testing.assert_array_equal(mine, kept)
        tokens.append(alone.last_tokens)
    assert len({lane.tobytes() for lane in together}) == len(SAMPLINGS), "lanes must differ"


def test_lanes_fall_out_of_step_within_a_frame_and_stay_exact(weights: EngineWeights) -> None:
    """Lanes skip different slots, and a scale makes some generate a voice again; a forced voice is the same for all."""
    notes = np.zeros(1 << 16, dtype=bool)
    notes[::97] = True
    bound = constrain(notes=notes)
    mask = np.zeros(sid.COLUMNS, dtype=bool)
    mask[7:14] = True
    line = tune(60, seed=5)
    lanes = engine_after(weights, 40).fork(len(SAMPLINGS))
    singles = [engine_after(weights, 40) for _ in SAMPLINGS]
    uneven = False
    for row in line:
        together = lanes.step(SAMPLINGS, row, mask, bound)
        for lane, (engine, sampling) in enumerate(zip(singles, SAMPLINGS, strict=True)):
            np.testing.assert_array_equal(engine.step(sampling, row, mask, bound), together[lane])
        uneven |= len({int((engine.last_tokens != tk.SKIP).sum()) for engine in singles}) > 1
    assert uneven, "lanes with equal numbers of tokens prove nothing"


def test_lanes_rewind_and_restore_to_the_bit(weights: EngineWeights) -> None:
    lanes = engine_after(weights, 40).fork(len(SAMPLINGS))
    generate(lanes, 30)
    kept = lanes.snapshot()
    first = generate(lanes, 20)
    lanes.rewind(20)
    np.testing.assert_array_equal(generate(lanes, 20), first)
    generate(lanes, 50)
    lanes.restore(kept)
    np.testing.assert_array_equal(generate(lanes, 20), first)
    with pytest.raises(ModelError, match="cannot rewind"):
        lanes.rewind(21)


@pytest.mark.parametrize("pin", [0, 40])
def test_lanes_are_exact_however_much_of_their_past_is_the_same(weights: EngineWeights, pin: int) -> None:
    """Go back before the fork, hear other frames, go on until the window holds none of the common past, and restore."""
    engines = [Engine(weights, context=150, headroom=64) for _ in SAMPLINGS]
    for engine in engines:
        engine.reset(pin)
        engine.prefill(tune(170, seed=3))
    lanes = engines[0].fork(len(SAMPLINGS))

    def all_generate(count: int) -> None:
        together = generate(lanes, count)
        for lane, (engine, sampling) in enumerate(zip(engines, SAMPLINGS, strict=True)):
            np.testing.assert_array_equal(np.stack([engine.step(sampling) for _ in range(count)]), together[lane])

    all_generate(20)
    for model in (lanes, *engines):
        model.rewind(50)
        model.prefill(tune(10, seed=4))
    all_generate(20)
    kept, each = lanes.snapshot(), [engine.snapshot() for engine in engines]
    all_generate(200)
    lanes.restore(kept)
    for engine, of_engine in zip(engines, each, strict=True):
        engine.restore(of_engine)
    all_generate(20)


def test_an_engine_continues_with_the_chosen_lane(weights: EngineWeights) -> None:
    engine = engine_after(weights, 40)
    lanes = engine.fork(len(SAMPLINGS))
    before = engine.snapshot()
    generate(lanes, 25)
    np.testing.assert_array_equal(engine.snapshot().state.frames, before.state.frames)  # lanes do not change the engine
    engine.restore(lanes.lane(2))
    assert engine.position == 65 and engine.pinned == 10
    further = generate(lanes, 10)
    np.testing.assert_array_equal(np.stack([engine.step(SAMPLINGS[2]) for _ in range(10)]), further[2])


def test_a_prefill_of_lanes_reaches_every_lane(weights: EngineWeights) -> None:
    lanes = engine_after(weights, 40).fork(2)
    pair = SAMPLINGS[:2]
    for _ in range(5):
        lanes.step(pair)
    lanes.prefill(tune(20, seed=9))
    together = np.stack([lanes.step(pair) for _ in range(10)], axis=1)
    for lane, sampling in enumerate(pair):
        alone = engine_after(weights, 40)
        for _ in range(5):
            alone.step(sampling)
        alone.prefill(tune(20, seed=9))
        np.testing.assert_array_equal(np.stack([alone.step(sampling) for _ in range(10)]), together[lane])


def test_each_lane_needs_a_sampling(weights: EngineWeights) -> None:
    lanes = engine_after(weights, 40).fork(3)
    assert len(lanes) == 3
    with pytest.raises(ModelError, match="3 lanes need 3 samplings, one each, not 4"):
        lanes.step(SAMPLINGS)
    with pytest.raises(ModelError, match="lanes of at least 1"):
        engine_after(weights, 40).fork(0)
    with pytest.raises(ModelError, match="another model, context or headroom"):
        engine_after(weights, 40).restore(lanes.snapshot())
