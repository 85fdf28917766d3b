"""A guide's frames become suggestions: the engine offers what `with_guide` offers the torch network."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from engines import CLOSE, SMALL, WARM, divergence, lively, torch_logits, torch_network, tune
from exact_engine import ExactEngine
from safetensors.numpy import load_file, save_file

from sidlive.chip import registers as sid
from sidlive.errors import ModelError
from sidlive.model import recall as rc
from sidlive.model import tokens as tk
from sidlive.model.engine import Engine, Sampling
from sidlive.model.guide import with_guide
from sidlive.model.weights import EngineWeights, load_weights, save_weights

STRONG = Sampling(temperature=0.0, follow=20.0)
EVERY = np.ones(sid.COLUMNS, dtype=bool)


@pytest.fixture(scope="module")
def weights() -> EngineWeights:
    return lively()


@pytest.fixture
def engine(weights: EngineWeights) -> Engine:
    engine = Engine(weights, context=SMALL.context, headroom=60)
    engine.prefill(tune(50))
    return engine


def guide_like(frames: sid.Frames, seed: int = 0) -> tuple[sid.Frames, np.ndarray]:
    """Return a guide that equals ``frames`` in most columns and is late or wrong in others, and a mask."""
    rng = np.random.default_rng(seed)
    late = np.roll(frames, 1, axis=0)
    other = rng.integers(0, 256, frames.shape).astype(np.uint8) & sid.USED_BITS
    kind = rng.random(frames.shape)
    return np.where(kind < 0.7, frames, np.where(kind < 0.85, late, other)), rng.random(frames.shape) < 0.7


def suggested(frames: sid.Frames, guide: sid.Frames, mask: np.ndarray = EVERY) -> tuple[np.ndarray, np.ndarray]:
    """Return the suggestions and strengths ``[28, CHOICES]`` for the last of ``frames``, all of them guided alike."""
    guides, masks = np.tile(guide, (len(frames), 1)), np.tile(mask, (len(frames), 1))
    both = with_guide(rc.recall(tk.encode(frames)), frames, guides, masks)
    return both.tokens[-2], both.strengths[-2]


def test_with_a_guide_the_engine_weighs_as_the_network(weights: EngineWeights) -> None:
    frames = tune(140)
    guides = guide_like(frames[40:])
    expected = torch_logits(torch_network(weights), frames, 40, guides=guides)
    plain = torch_logits(torch_network(weights), frames, 40)
    engine = Engine(weights, context=SMALL.context)
    engine.prefill(frames[:40])
    logits = []
    for frame, guide, mask in zip(frames[40:], *guides, strict=True):
        engine.weigh(frame[None], guide[None], mask[None])
        logits.append(engine.last_logits())
    assert divergence(np.array(logits), expected) < CLOSE
    said = tk.encode(frames)[40:] != tk.SKIP
    assert np.abs(expected - plain)[said].mean() > 0.1, "a guide without effect would make the comparison meaningless"


def test_with_a_guide_the_engine_generates_as_the_network(engine: Engine, weights: EngineWeights) -> None:
    """The engine's own frames leave the guide here, and its tokens are not always canonical."""
    guides = guide_like(tune(110)[50:])
    frames, tokens, logits = [], [], []
    for guide, mask in zip(*guides, strict=True):
        frames.append(engine.step(WARM, guide=guide, guide_mask=mask))
        tokens.append(engine.last_tokens)
        logits.append(engine.last_logits())
    whole = np.concatenate([tune(50), frames])
    expected = torch_logits(torch_network(weights), whole, 50, np.array(tokens), guides)
    assert divergence(np.array(logits), expected) < CLOSE
    exact = ExactEngine(weights, SMALL.context, engine.headroom).logits(whole, 50, np.array(tokens), guides)
    np.testing.assert_array_equal(np.array(logits), exact)


def test_lanes_hear_the_same_guide(engine: Engine) -> None:
    lanes = engine.fork(2)
    for guide, mask in zip(*guide_like(tune(70)[50:]), strict=True):
        alone = engine.step(replace(WARM, lane=1), guide=guide, guide_mask=mask)
        side = lanes.step([WARM, replace(WARM, lane=1)], guide=guide, guide_mask=mask)
        np.testing.assert_array_equal(side[1], alone)


def test_a_guide_that_covers_nothing_changes_nothing(engine: Engine) -> None:
    guide = tune(51)[50]
    plain = engine.step(WARM)
    engine.rewind(1)
    np.testing.assert_array_equal(engine.step(WARM, guide=guide, guide_mask=~EVERY), plain)
    np.testing.assert_array_equal(engine.step(WARM, guide=guide), engine.history(1)[0])


def test_the_strongest_follow_plays_the_guide(engine: Engine) -> None:
    guide = tune(100, seed=8)[40:]
    made = np.stack([engine.step(STRONG, guide=row) for row in guide])
    np.testing.assert_array_equal(made, guide)


def test_the_strongest_follow_plays_one_voice_of_the_guide(engine: Engine) -> None:
    mask = np.zeros(sid.COLUMNS, dtype=bool)
    mask[sid.VOICE_STRIDE : 2 * sid.VOICE_STRIDE] = mask[sid.first_control_of(1)] = True
    guide = tune(100, seed=8)[40:]
    made = np.stack([engine.step(STRONG, guide=row, guide_mask=mask) for row in guide])
    np.testing.assert_array_equal(made[:, mask], guide[:, mask])
    assert (made[:, ~mask] != guide[:, ~mask]).any()


def test_the_strongest_obey_plays_the_guide_and_leaves_the_rest_to_the_network(engine: Engine) -> None:
    """Unlike `follow`, it does not raise recall's suggestions where no guide is."""
    mask = np.zeros(sid.COLUMNS, dtype=bool)
    mask[: sid.VOICE_STRIDE] = mask[sid.first_control_of(0)] = True
    guide = tune(100, seed=8)[40:]
    made = np.stack([engine.step(replace(WARM, obey=20.0), guide=row, guide_mask=mask) for row in guide])
    np.testing.assert_array_equal(made[:, mask], guide[:, mask])
    engine.rewind(len(guide))
    forced = [engine.step(WARM, row, mask, guide=row, guide_mask=mask) for row in guide]
    np.testing.assert_array_equal(made, np.stack(forced), err_msg="the other voices are as if the guide were forced")


def test_without_a_guide_obey_changes_nothing(engine: Engine) -> None:
    plain = [engine.step(WARM) for _ in range(20)]
    engine.rewind(20)
    np.testing.assert_array_equal([engine.step(replace(WARM, obey=20.0)) for _ in range(20)], plain)


def test_one_byte_of_a_pair_guides_both(engine: Engine) -> None:
    mask = np.arange(sid.COLUMNS) == sid.PW_LO
    made = engine.step(STRONG, guide=np.full(sid.COLUMNS, 7, np.uint8), guide_mask=mask)
    assert made[[sid.PW_LO, sid.PW_HI]].tolist() == [7, 7]


def test_the_guides_token_counts_from_the_frames_that_were_heard() -> None:
    """The guide asks for the frequency of the frame before, which in the guide itself would be a jump."""
    frames = sid.silence(5)
    frames[:, sid.FREQ_HI] = [10, 10, 10, 10, 12]
    guide = frames[3].copy()
    tokens, strengths = suggested(frames, guide)
    assert tokens[tk.FREQ_HI].tolist()[0] == tk.KEEP and strengths[tk.FREQ_HI, 0] == rc.GUIDE
    guide[sid.FREQ_HI] = 11
    assert suggested(frames, guide)[0][tk.FREQ_HI, 0] == 11


def test_recalls_first_suggestion_becomes_the_second() -> None:
    frames = sid.silence(30)
    frames[:, sid.FREQ_HI] = np.tile([10, 20, 30, 40, 55], 6)
    recalled = rc.recall(tk.encode(frames))
    guide = frames[-1].copy()
    guide[sid.FREQ_HI] = 77
    tokens, strengths = suggested(frames, guide)
    assert tokens[tk.FREQ_HI].tolist() == [77, 55] and recalled.tokens[-2, tk.FREQ_HI, 0] == 55
    assert strengths[tk.FREQ_HI].tolist() == [rc.GUIDE, recalled.strengths[-2, tk.FREQ_HI, 0]]


def test_the_lo_byte_is_suggested_after_the_guides_hi_byte_only() -> None:
    frames = sid.silence(3)
    frames[2, [sid.FREQ_HI, sid.FREQ_LO]] = 20, 5
    guide = frames[2].copy()
    guide[sid.FREQ_LO] = 99
    assert suggested(frames, guide)[0][tk.FREQ_LO, 0] == 99
    guide[sid.FREQ_HI] = 21
    tokens, strengths = suggested(frames, guide)
    assert tokens[tk.FREQ_HI, 0] == 21 and tokens[tk.FREQ_LO, 0] != 99 and rc.GUIDE not in strengths[tk.FREQ_LO]


@pytest.mark.parametrize(
    ("control", "first", "token"),
    [(0x41, 0x41, tk.KEEP), (0x41, 0x40, tk.KEEP), (0x41, 0x09, 0x09)],
    ids=["the guide's control", "the frame's control", "another value"],
)
def test_first_control_is_kept_if_it_is_the_control_value(control: int, first: int, token: int) -> None:
    """The frame's control value is 0x40, the guide's is ``control``."""
    frames = sid.silence(2)
    frames[:, [sid.CONTROL, sid.FIRST_CONTROL]] = 0x40
    guide = frames[1].copy()
    guide[[sid.CONTROL, sid.FIRST_CONTROL]] = control, first
    assert suggested(frames, guide)[0][tk.FIRST_CONTROL, 0] == token


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"guide_mask": EVERY}, r"guide_mask needs the values of its columns: pass guide, uint8\[28\]"),
        ({"guide": np.zeros(27, np.uint8)}, r"guide must be uint8\[28\], not uint8\[27\]"),
        ({"guide": np.zeros(28)}, r"guide must be uint8\[28\], not float64\[28\]"),
        ({"guide": sid.silence(1)[0], "guide_mask": np.ones(28, int)}, r"guide_mask must be bool\[28\], not int64"),
    ],
)
def test_a_wrong_guide_gets_one_clear_line(engine: Engine, arguments: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        engine.step(WARM, **arguments)  # type: ignore[arg-type]


def test_a_guide_for_weighing_has_a_row_for_each_frame(engine: Engine) -> None:
    with pytest.raises(ModelError, match=r"guide must be uint8\[5, 28\], not uint8\[4, 28\]"):
        engine.weigh(tune(5), tune(4))


def test_a_file_from_before_guides_trusts_them_as_a_long_passage(tmp_path: Path, weights: EngineWeights) -> None:
    """Such a file has one strength less, and its digest is that of its own numbers."""
    shape = (rc.CHOICES * tk.KINDS, rc.STRENGTHS, -1)
    numbers = weights.matrices["strength_embedding"].numbers.reshape(shape).copy()
    numbers[:, rc.GUIDE] = numbers[:, rc.GUIDE - 1]
    path = tmp_path / "old.safetensors"
    save_weights(weights, path)
    older(path)
    loaded = load_weights(path).matrices["strength_embedding"]
    np.testing.assert_array_equal(loaded.numbers.reshape(shape), numbers)
    scales = loaded.scales.reshape(shape[:2])
    np.testing.assert_array_equal(scales[:, rc.GUIDE], scales[:, rc.GUIDE - 1])


def older(path: Path) -> None:
    """Take the strength GUIDE out of a model file, as versions before guides wrote it."""
    from safetensors import safe_open

    from sidlive.model.weights import _digest

    with safe_open(path, framework="numpy") as opened:
        metadata = dict(opened.metadata())
    tensors = load_file(path)
    for name in ("strength_embedding", "strength_embedding.scale"):
        rows = tensors[name]
        by_strength = rows.reshape(rc.CHOICES * tk.KINDS, rc.STRENGTHS, *rows.shape[1:])
        tensors[name] = by_strength[:, : rc.GUIDE].reshape(-1, *rows.shape[1:])
    save_file(tensors, path, {**metadata, "digest": _digest(tensors)})
