"""The engine equals the exact arithmetic to the bit, predicts as the torch network, and its state is a value."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from engines import CLOSE, SMALL, WARM, divergence, lively, logits_of, torch_logits, torch_network, tune
from every_set import printed_on_every_set
from exact_engine import ExactEngine

from sidlive.chip import registers as sid
from sidlive.errors import ModelError
from sidlive.model import tokens as tk
from sidlive.model.engine import Engine, Sampling, load_engine
from sidlive.model.training.network import Network
from sidlive.model.weights import ASSETS, EngineWeights, dequantised, save_weights
from sidlive.tune.loading import load_fragment


def stream(engine: Engine, count: int, sampling: Sampling = WARM) -> sid.Frames:
    return np.stack([engine.step(sampling) for _ in range(count)])


@pytest.fixture(scope="module")
def weights() -> EngineWeights:
    return lively()


@pytest.fixture
def engine(weights: EngineWeights) -> Engine:
    engine = Engine(weights, context=SMALL.context, headroom=20)
    engine.prefill(tune(50))
    return engine


def test_logits_are_those_of_the_exact_arithmetic(weights: EngineWeights) -> None:
    """Every bit, after the ring of keys and values, which has 96 frames here, has wrapped."""
    frames = tune(150)
    engine = Engine(weights, context=SMALL.context, headroom=20)
    engine.prefill(frames[:120])
    np.testing.assert_array_equal(
        logits_of(engine, frames[120:]), ExactEngine(weights, SMALL.context, 20).logits(frames, 120)
    )


@pytest.mark.parametrize(("first", "count"), [(100, 200), (2370, 30)])
def test_predictions_are_nearly_those_of_the_network_in_float32(weights: EngineWeights, first: int, count: int) -> None:
    frames = tune(first + count)
    expected = torch_logits(torch_network(weights), frames, first)
    engine = Engine(weights, context=SMALL.context, headroom=20)
    engine.prefill(frames[:first])
    logits, spoken = logits_of(engine, frames[first:]), tk.encode(frames)[first:]
    np.testing.assert_array_equal(np.isnan(logits).all(axis=2), spoken == tk.SKIP)
    np.testing.assert_array_equal(~np.isneginf(logits), tk.allowed() | (spoken == tk.SKIP)[..., None])
    assert expected.std() > 1.0, "small logits would make the comparison meaningless"
    assert divergence(logits, expected) < CLOSE


def test_weighing_is_the_cross_entropy(weights: EngineWeights) -> None:
    frames = tune(40)
    logits = torch.from_numpy(np.nan_to_num(ExactEngine(weights, SMALL.context, 512).logits(frames, 1), neginf=-np.inf))
    spoken = torch.from_numpy(tk.encode(frames)[1:].astype(np.int64))
    expected = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), spoken.masked_fill(spoken == tk.SKIP, 0).flatten(), reduction="none"
    ).view_as(spoken)
    engine = Engine(weights, context=SMALL.context)
    engine.prefill(frames[:1])
    got = engine.weigh(frames[1:])
    np.testing.assert_allclose(got, expected.masked_fill(spoken == tk.SKIP, 0.0).numpy(), rtol=1e-5, atol=1e-5)


def test_a_greedy_stream_says_what_the_exact_arithmetic_finds_likeliest(weights: EngineWeights) -> None:
    """Every token, given all tokens before it; by induction the exact arithmetic's own stream is the same."""
    prompt, engine = tune(30), Engine(weights, context=SMALL.context)
    engine.prefill(prompt)
    frames, spoken = [], []
    for _ in range(60):
        frames.append(engine.step())
        spoken.append(engine.last_tokens)
    tokens = np.array(spoken)
    expected = ExactEngine(weights, SMALL.context, 512).logits(np.concatenate([prompt, frames]), 30, tokens)
    said = tokens != tk.SKIP
    np.testing.assert_array_equal(expected[said].argmax(axis=1), tokens[said])
    assert len(np.unique(frames, axis=0)) > 30, "a constant stream proves nothing"


def test_prefill_in_any_portions_is_the_same_state_as_stepping(weights: EngineWeights) -> None:
    """Bit for bit: whole blocks, single frames, and frames forced into a step."""
    frames = tune(90)
    whole, single, forced = (Engine(weights, context=SMALL.context) for _ in range(3))
    whole.prefill(frames)
    for i in range(90):
        single.prefill(frames[i : i + 1])
    forced.prefill(frames[:1])
    for frame in frames[1:]:
        np.testing.assert_array_equal(forced.step(WARM, forced=frame), frame)
    for other in (single, forced):
        assert other.position == whole.position == 90
        for name in ("frames", "hidden", "keys", "values"):
            np.testing.assert_array_equal(getattr(other._state, name), getattr(whole._state, name), err_msg=name)
    np.testing.assert_array_equal(stream(whole, 10), stream(forced, 10))


def test_rewinding_and_going_on_is_bit_exact(engine: Engine) -> None:
    first = stream(engine, 20)
    engine.rewind(20)
    assert engine.position == 50
    np.testing.assert_array_equal(stream(engine, 20), first)
    engine.rewind(7)
    engine.prefill(first[13:])
    np.testing.assert_array_equal(engine.history(20), first)


def test_rewinding_forgets_other_frames_without_a_trace(weights: EngineWeights, engine: Engine) -> None:
    """After other frames and a rewind the engine continues as if it never heard them, even if the ring wrapped."""
    other = Engine(weights, context=SMALL.context, headroom=20)
    other.prefill(tune(50))
    engine.prefill(tune(20, seed=9))
    engine.rewind(20)
    np.testing.assert_array_equal(stream(engine, 40), stream(other, 40))


def test_rewinding_too_far_is_refused(engine: Engine) -> None:
    stream(engine, 30)
    assert engine.memory == 20
    engine.rewind(12)
    assert engine.memory == 8
    with pytest.raises(ModelError, match="cannot rewind 9 frames: the engine can take back 8"):
        engine.rewind(9)
    fresh = Engine(lively(), context=SMALL.context, headroom=20)
    assert fresh.memory == 0
    fresh.prefill(tune(5))
    fresh.rewind(5)
    assert fresh.position == 0


def test_a_snapshot_restores_to_the_bit_and_is_a_copy(engine: Engine, weights: EngineWeights) -> None:
    kept = engine.snapshot()
    first = stream(engine, 40)
    engine.restore(kept)
    np.testing.assert_array_equal(stream(engine, 40), first)
    other = Engine(weights, context=SMALL.context, headroom=20)
    other.restore(kept)
    np.testing.assert_array_equal(stream(other, 40), first)
    with pytest.raises(ModelError, match="another model, context or headroom"):
        Engine(weights, context=100).restore(kept)


def test_equal_seeds_give_equal_music_and_different_seeds_do_not(weights: EngineWeights) -> None:
    runs = []
    for sampling in (WARM, WARM, replace(WARM, seed=4), replace(WARM, lane=1)):
        engine = Engine(weights, context=SMALL.context)
        engine.prefill(tune(30))
        runs.append(stream(engine, 10, sampling))
    np.testing.assert_array_equal(runs[0], runs[1])
    assert (runs[0] != runs[2]).any() and (runs[0] != runs[3]).any() and (runs[2] != runs[3]).any()


def test_reset_is_a_new_engine(engine: Engine, weights: EngineWeights) -> None:
    stream(engine, 30)
    engine.reset()
    assert engine.position == 0 and len(engine.history(10)) == 0
    fresh = Engine(weights, context=SMALL.context, headroom=20)
    for one in (engine, fresh):
        one.prefill(tune(6))
    np.testing.assert_array_equal(stream(engine, 10), stream(fresh, 10))


def test_a_new_engine_first_hears_silence(weights: EngineWeights) -> None:
    silent, prefilled = Engine(weights, context=SMALL.context), Engine(weights, context=SMALL.context)
    prefilled.prefill(sid.silence(1))
    np.testing.assert_array_equal(stream(silent, 5), stream(prefilled, 5))
    assert silent.position == prefilled.position == 6


def test_forced_columns_appear_and_are_heard(engine: Engine) -> None:
    """A voice lock: voice 2 is forced, the others are generated knowing it, and the engine hears the result."""
    line = tune(40, seed=5)
    mask = np.zeros(sid.COLUMNS, dtype=bool)
    mask[7:14] = mask[sid.first_control_of(1)] = True
    kept = engine.snapshot()
    locked = np.stack([engine.step(WARM, forced=row, forced_mask=mask) for row in line])
    np.testing.assert_array_equal(locked[:, mask], line[:, mask])
    np.testing.assert_array_equal(engine.history(40), locked)
    engine.restore(kept)
    free = stream(engine, 40)
    assert (free[:, ~mask] != locked[:, ~mask]).any()
    # Voice 1 comes before voice 2, so it is the same in the first frame.
    np.testing.assert_array_equal(free[0, :7], locked[0, :7])


def test_one_forced_byte_forces_its_pair(engine: Engine) -> None:
    values = np.full(sid.COLUMNS, 0xFF, dtype=np.uint8)
    for column, both in ((0, (0, 1)), (1, (0, 1)), (9, (9, 10)), (10, (9, 10)), (21, (21, 22)), (22, (21, 22))):
        mask = np.arange(sid.COLUMNS) == column
        frame = engine.step(WARM, forced=values, forced_mask=mask)
        np.testing.assert_array_equal(frame[list(both)], (values & sid.USED_BITS)[list(both)])


def test_only_bits_that_the_chip_has_are_generated(engine: Engine) -> None:
    assert not (stream(engine, 60, Sampling(temperature=5.0)) & ~sid.USED_BITS).any()


def test_history_is_as_long_as_the_ring(engine: Engine) -> None:
    ring = 64  # 24 + 20, in whole strips
    said = np.concatenate([tune(50), stream(engine, 50)])
    np.testing.assert_array_equal(engine.history(7), said[-7:])
    np.testing.assert_array_equal(engine.history(1000), said[-ring:])
    engine.rewind(10)
    np.testing.assert_array_equal(engine.history(1000), said[-ring:-10])
    assert engine.history(0).shape == (0, sid.COLUMNS)


@pytest.mark.parametrize("bad", [np.zeros((3, 25), np.uint8), np.zeros((3, 28), np.int64), np.zeros(28, np.uint8)])
def test_frames_of_another_shape_are_refused(engine: Engine, bad: np.ndarray) -> None:
    with pytest.raises(ModelError, match=r"must be uint8\[T, 28\]"):
        engine.prefill(bad)


EVERY_BIT = """
import hashlib
from dataclasses import replace
from engines import SMALL, WARM, lively, tune
from sidlive import instructions
from sidlive.model.engine import Engine
engine = Engine(lively(), context=SMALL.context, headroom=20)
engine.prefill(tune(40))
digest = hashlib.blake2b()
for _ in range(10):
    engine.step(WARM)
    digest.update(engine.last_logits().tobytes())
lanes = engine.fork(3)
for _ in range(5):
    digest.update(lanes.step([replace(WARM, lane=lane) for lane in range(3)]).tobytes())
digest.update(engine.weigh(tune(20, seed=2)).tobytes())
digest.update(engine._state.hidden.tobytes())
print(instructions.in_use(), digest.hexdigest())
"""


def test_all_instruction_sets_compute_the_same_bits() -> None:
    """Each in a process of its own: the best that the CPU has, and all below it, down to what every CPU has."""
    found = printed_on_every_set(EVERY_BIT)
    assert "generic" in found
    assert len(set(found.values())) == 1, found


def test_generating_needs_no_torch(weights: EngineWeights, tmp_path: Path) -> None:
    """Generating and loading a model file import no torch."""
    save_weights(weights, tmp_path / "small.safetensors")
    code = (
        "import sys; from sidlive.model.engine import load_engine; "
        "engine = load_engine(sys.argv[1]); engine.step(); engine.step(); "
        "print(engine.position, sorted({'torch', 'textual'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "small.safetensors")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "3 []\n"


def test_importing_compiles_nothing() -> None:
    code = (
        "import sys; import sidlive.model.engine.engine; import sidlive.model.engine.levels as k; "
        "print(len(k.hear_frames.signatures), len(k.generate_frame.signatures), 'torch' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "0 0 False\n"


@pytest.mark.skipif(not (ASSETS / "pocket.safetensors").exists(), reason="no pocket model ships yet")
@pytest.mark.parametrize("name", ["gallop", "comet", "strut", "circuit"])
def test_bytes_cost_the_shipped_pocket_next_to_nothing(name: str) -> None:
    """At most 0.01 nats a frame beside the same weights in float32, on music that it was not trained on."""
    engine, frames = load_engine("pocket"), load_fragment(name).frames[:700]
    network = Network(engine.config)
    network.load_state_dict({name: torch.from_numpy(np.array(v)) for name, v in dequantised("pocket").items()})
    expected = torch_logits(network.eval(), frames, 100)
    engine.prefill(frames[:100])
    assert divergence(logits_of(engine, frames[100:]), expected) < 0.01
