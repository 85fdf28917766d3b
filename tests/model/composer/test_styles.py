"""Styles move the notes that a composer writes, and nothing that it hears."""

from pathlib import Path

import numpy as np
import pytest
from composers import SMALL_COMPOSER, lively_composer, notes
from fake_composer import FakeComposer

from sidlive.errors import ControlError, ModelError
from sidlive.model.composer import Composer, NoteSampling, load_composer
from sidlive.model.composer.plan_settings import PlanSettings
from sidlive.model.composer.planner import Planner
from sidlive.model.composer.styles import STYLES, ComposerStyles, load_styles, save_styles, styles_path
from sidlive.model.weights import save_weights
from sidlive.tune.loading import load_fragment

WIDTH = SMALL_COMPOSER.notes.width
PROMPT = notes(120, 5)
NOISY = NoteSampling(seed=3, temperature=1.0, top_p=1.0)


def some_styles(composer: str = "abc") -> ComposerStyles:
    directions = np.random.default_rng(2).normal(size=(2, WIDTH)).astype(np.float32)
    return ComposerStyles(("era", "like_tel"), directions, composer, {"found": "by hand"})


def sampling(**amounts: float) -> NoteSampling:
    return NoteSampling(seed=3, temperature=1.0, top_p=1.0, styles=tuple(amounts.items()))


def written(composer: Composer, count: int, settings: NoteSampling) -> np.ndarray:
    composer.reset()
    composer.prefill(PROMPT)
    return np.array([composer.write(settings) for _ in range(count)])


def test_an_amount_of_0_changes_nothing_and_others_do() -> None:
    plain, styled = Composer(lively_composer()), Composer(lively_composer(), styles=some_styles())
    usual = written(plain, 60, NOISY)
    np.testing.assert_array_equal(written(styled, 60, NOISY), usual)
    np.testing.assert_array_equal(written(styled, 60, sampling(era=0.0)), usual)
    np.testing.assert_array_equal(written(plain, 60, sampling(era=1.0)), usual, "it has no styles")
    np.testing.assert_array_equal(written(styled, 60, sampling(like_galway=1.0)), usual, "it lacks this one")
    moved = written(styled, 60, sampling(era=1.0))
    assert not np.array_equal(moved, usual)
    assert not np.array_equal(moved, written(styled, 60, sampling(era=-1.0)))
    np.testing.assert_array_equal(written(styled, 60, NOISY), usual, "it is over when it is over")


def test_the_hidden_vector_is_moved_by_the_sum_of_all_styles() -> None:
    styles = some_styles()
    styled, by_hand = Composer(lively_composer(), styles=styles), Composer(lively_composer())
    for composer in (styled, by_hand):
        composer.reset()
        composer.prefill(PROMPT)
    slot = (by_hand.position - 1) % len(by_hand._state.hidden)
    by_hand._state.hidden[slot] += 0.5 * styles.directions[0] - 2 * styles.directions[1]
    event = styled.write(sampling(era=0.5, like_tel=-2.0))
    np.testing.assert_array_equal(by_hand.write(NOISY), event)
    for one, other in zip(styled.last_logits(), by_hand.last_logits(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_what_was_heard_does_not_depend_on_styles() -> None:
    """Notes written under a style leave the same memory as notes that were heard, so a plan can be written anew."""
    styled, other = Composer(lively_composer(), styles=some_styles()), Composer(lively_composer())
    events = written(styled, 40, sampling(era=2.0))
    other.reset()
    other.prefill(np.concatenate([PROMPT, events]))
    np.testing.assert_array_equal(styled._state.hidden, other._state.hidden)
    np.testing.assert_array_equal(styled.write(NOISY), other.write(NOISY))
    styled.rewind(41)
    other.reset()
    other.prefill(PROMPT)
    np.testing.assert_array_equal(styled.write(NOISY), other.write(NOISY))


@pytest.mark.parametrize("amount", [2.1, -2.1, float("nan")])
def test_an_amount_out_of_range_is_refused(amount: float) -> None:
    with pytest.raises(ControlError, match=r"era must be from -2\.0 to 2\.0"):
        sampling(era=amount)


def test_styles_are_written_and_read_again(tmp_path: Path) -> None:
    styles = some_styles()
    save_styles(styles, tmp_path / "some-styles.safetensors")
    again = load_styles(tmp_path / "some-styles.safetensors", "abc")
    assert (again.names, again.composer, again.card) == (styles.names, "abc", styles.card)
    widest = np.abs(styles.directions).max(axis=1, keepdims=True)
    assert (np.abs(again.directions - styles.directions) <= widest / 254 * 1.001).all(), "directions are int8"


def test_the_styles_beside_a_composer_are_loaded_with_it_and_must_be_its_own(tmp_path: Path) -> None:
    path = tmp_path / "mine-composer.safetensors"
    save_weights(lively_composer(), path)
    assert load_composer(path).styles is None
    assert styles_path(path).name == "mine-composer-styles.safetensors"
    save_styles(some_styles("of other weights"), styles_path(path))
    with pytest.raises(ModelError, match=r"belongs to other weights of this composer: make it again"):
        load_composer(path)


def test_a_file_that_is_no_styles_or_is_damaged_says_so(tmp_path: Path) -> None:
    path = tmp_path / "broken-styles.safetensors"
    path.write_bytes(b"no styles")
    with pytest.raises(ModelError, match=r"broken-styles\.safetensors cannot be read as a composer's styles"):
        load_styles(path, "abc")
    save_styles(some_styles(), path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match="is damaged"):
        load_styles(path, "abc")


def test_a_style_that_the_composer_lacks_is_noticed_once() -> None:
    prompt = load_fragment("gallop").frames[:640]
    planner = Planner(FakeComposer(), lambda count: prompt[-count:])
    planner.begin(prompt, 0)
    for frame in range(40):
        planner.guide(frame, PlanSettings(sampling=sampling(era=1.0)), prompt[-1])
    assert planner.notices == ["era does nothing: this model's composer lacks this style (see train-styles)"]


def test_the_composer_that_ships_has_every_style() -> None:
    styles = load_composer("pocket").styles
    assert styles is not None and set(styles.names) == set(STYLES)
