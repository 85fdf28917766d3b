"""The critic: it finds a difference between two kinds of music, and none between music of one kind."""

import numpy as np
import pytest

from sidlive.chip.pitch import frequency_of
from sidlive.chip.registers import Frames
from sidlive.errors import ModelError
from sidlive.model.judging.critic import Hears, Passage, auc, features_of

pytest.importorskip("sklearn")
RATE = 50.0


def music(seed: int, onset_every: int, count: int = 1000) -> Frames:
    """Play random notes in one voice, with an onset every ``onset_every`` frames."""
    rng = np.random.default_rng(seed)
    frames = np.zeros((count, 28), np.uint8)
    frames[:, 24] = 0x0F
    frames[:, [4, 25]] = np.where(np.arange(count) % onset_every < onset_every // 2, 0x41, 0x40)[:, None]
    frames[:, 1] = np.repeat(rng.integers(8, 40, count // onset_every + 1), onset_every)[:count]
    return frames


def passages(rhythms: list[int], seed: int = 0) -> list[Passage]:
    """Make a passage of each of ten composers. ``rhythms``: frames from onset to onset; the composers take turns."""
    return [
        Passage(
            music(seed + i, rhythms[i % len(rhythms)]),
            music(100 + seed + i, rhythms[i % len(rhythms)]),
            f"composer {i}",
            RATE,
        )
        for i in range(10)
    ]


def melody(seed: int, classes: int, count: int = 1000) -> Frames:
    """Play random tones of this many pitch classes, in two octaves."""
    rng = np.random.default_rng(seed)
    frames = music(seed, 10, count)
    fewer = rng.permutation(12)[:classes]
    pitches = rng.choice(fewer, count // 10 + 1) + rng.choice([48, 60], count // 10 + 1)
    values = np.array([frequency_of(pitch) for pitch in pitches])
    frames[:, 0], frames[:, 1] = np.repeat(values & 255, 10)[:count], np.repeat(values >> 8, 10)[:count]
    return frames


def test_all_music_has_as_many_features_and_all_are_finite() -> None:
    lengths = {len(features_of(frames, RATE)) for frames in (music(1, 20), np.zeros((500, 28), np.uint8))}
    assert len(lengths) == 1 and np.isfinite(features_of(np.zeros((500, 28), np.uint8), RATE)).all()


@pytest.mark.parametrize("hears", ["alone", "prompt", "notes"])
def test_the_critic_recognises_a_different_rhythm_and_not_the_same_one(hears: Hears) -> None:
    assert auc(passages([20]), passages([12], 50), hears) > 0.95
    assert 0.2 < auc(passages([12, 20, 26]), passages([12, 20, 26], 50), hears) < 0.8


def test_a_critic_of_notes_hears_that_the_pitch_classes_are_fewer_than_the_prompts() -> None:
    real = [Passage(melody(i, 12), melody(50 + i, 12), f"composer {i}", RATE) for i in range(10)]
    poor = [Passage(melody(i, 12), melody(90 + i, 5), f"composer {i}", RATE) for i in range(10)]
    assert auc(real, poor, "notes") > 0.95


def test_one_composer_is_too_few() -> None:
    alone = [Passage(one.prompt, one.frames, "the only composer", RATE) for one in passages([20])]
    with pytest.raises(ModelError, match="composers"):
        auc(alone, alone, "alone")
