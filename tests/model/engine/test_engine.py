"""The engine gives the results of the torch network with the same weights, and its state is a value."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from engines import SMALL, WARM, lively, torch_logits, torch_network, tune

from sidlive.bench.engine import exercise
from sidlive.chip import registers as sid
from sidlive.errors import ModelError
from sidlive.model import tokens as tk
from sidlive.model.engine import Engine, Sampling, load_engine
from sidlive.model.engine.levels import generate_frame
from sidlive.model.training.network import Network
from sidlive.model.weights import ASSETS, EngineWeights, dequantised, save_weights


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


@pytest.mark.parametrize(("first", "count"), [(100, 200), (2370, 30)])
def test_logits_are_the_networks_after_the_ring_wraps(weights: EngineWeights, first: int, count: int) -> None:
    """The ring of keys and values has 64 frames here and wraps several times."""
    frames = tune(first + count)
    expected = torch_logits(torch_network(weights), frames, first)
    engine = Engine(weights, context=SMALL.context, headroom=20)
    engine.prefill(frames[:first])
    spoken = tk.encode(frames)[first:]
    worst = 0.0
    for i, frame in enumerate(frames[first:]):
        engine.weigh(frame[None])
        np.testing.assert_array_equal(engine.last_tokens, spoken[i])
        logits = engine.last_logits()
        np.testing.assert_array_equal(np.isnan(logits).all(axis=1), spoken[i] == tk.SKIP)
        np.testing.assert_array_equal(~np.isneginf(logits), tk.allowed() | (spoken[i] == tk.SKIP)[:, None])
        there = np.isfinite(logits)
        worst = max(worst, np.abs(logits - expected[i])[there].max())
    assert expected.std() > 1.0, "small logits would make the comparison meaningless"
    assert worst < 1e-3


def test_weighing_is_the_cross_entropy(weights: EngineWeights) -> None:
    frames = tune(40)
    logits = torch.from_numpy(torch_logits(torch_network(weights), frames))
    logits[:, ~tk.allowed()] = -torch.inf
    spoken = torch.from_numpy(tk.encode(frames)[1:].astype(np.int64))
    expected = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), spoken.masked_fill(spoken == tk.SKIP, 0).flatten(), reduction="none"
    ).view_as(spoken)
    engine = Engine(weights, context=SMALL.context)
    engine.prefill(frames[:1])
    got = engine.weigh(frames[1:])
    np.testing.assert_allclose(got, expected.masked_fill(spoken == tk.SKIP, 0.0).numpy(), atol=1e-3)


def assert_greedy_as_the_network(engine: Engine, network: Network, prompt: sid.Frames, count: int) -> sid.Frames:
    """Return the engine's greedy stream, and check that the network picks each token, given all tokens before it.

    By induction the network's own greedy stream is the same. Tokens must be equal, logits nearly.
    """
    frames, spoken, logits = [], [], []
    for _ in range(count):
        frames.append(engine.step())
        spoken.append(engine.last_tokens)
        logits.append(engine.last_logits())
    tokens = np.array(spoken)
    expected = torch_logits(network, np.concatenate([prompt, frames]), len(prompt), tokens)
    difference = np.abs(np.array(logits) - expected)
    assert difference[np.isfinite(difference)].max() < 1e-3
    likeliest = np.where(tk.allowed(), expected, -np.inf).argmax(axis=2)
    said = tokens != tk.SKIP
    np.testing.assert_array_equal(likeliest[said], tokens[said])
    return np.array(frames)


def test_greedy_stream_is_the_networks(weights: EngineWeights) -> None:
    """1,000 frames in one pass of the network, and the first of them also by its own slow generate."""
    prompt, network = tune(30), torch_network(weights)
    engine = Engine(weights, context=SMALL.context)
    engine.prefill(prompt)
    said = assert_greedy_as_the_network(engine, network, prompt, 1000)
    np.testing.assert_array_equal(said[:12], network.generate(torch.from_numpy(prompt), 12).numpy())
    assert len(np.unique(said, axis=0)) > 500, "a constant stream proves nothing"


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


PLAIN = """
import numpy as np
from engines import SMALL, WARM, lively, tune
from sidlive.model.engine import Engine
engine = Engine(lively(), context=SMALL.context)
engine.prefill(tune(40))
print(np.stack([engine.step(WARM) for _ in range(10)]).tobytes().hex())
from sidlive.model.engine.levels import generate_frame
print(*(word for word in generate_frame.targetctx.codegen().magic_tuple()[2].split(",") if word[:1] == "+"))
"""


def test_a_cpu_without_avx_makes_the_same_music(weights: EngineWeights) -> None:
    """Compile the kernels for a generic CPU, with the instructions that every x86-64 or ARM64 has."""
    engine = Engine(weights, context=SMALL.context)
    engine.prefill(tune(40))
    plain = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    paths = os.pathsep.join([str(Path(__file__).parents[1]), str(Path(__file__).parents[3])])
    ran = subprocess.run(
        [sys.executable, "-c", PLAIN], capture_output=True, text=True, env=os.environ | plain | {"PYTHONPATH": paths}
    )
    assert ran.returncode == 0, ran.stderr
    music, _, features = ran.stdout.partition("\n")
    assert music == stream(engine, 10).tobytes().hex()
    assert not features.strip(), "the kernels must have been compiled without any of the CPU's own instructions"
    assert "+" in generate_frame.targetctx.codegen().magic_tuple()[2], "otherwise both ran the same code"


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
def test_a_thousand_greedy_frames_of_the_shipped_pocket_are_the_networks() -> None:
    """The stream is longer than the context: the ring wraps, and the network masks a sliding window."""
    engine = load_engine("pocket")
    network = Network(engine.config)
    network.load_state_dict({name: torch.from_numpy(np.array(v)) for name, v in dequantised("pocket").items()})
    prompt = exercise(300)
    engine.prefill(prompt)
    assert_greedy_as_the_network(engine, network, prompt, 1000)
