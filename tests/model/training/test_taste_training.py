"""Train a taste on sections of notes."""

import numpy as np
import pytest

from sidlive.errors import ModelError
from sidlive.model.composer.traits import TRAITS
from sidlive.model.training.taste_sections import Sections
from sidlive.model.training.taste_train import auc_of, train_taste


def sections(count: int, gap: float) -> Sections:
    """Return sections by ten composers; of real ones a tenth of the traits is higher by ``gap`` standard deviations."""
    rng = np.random.default_rng(1)
    traits, real = rng.normal(size=(count, TRAITS)), np.arange(count) % 3 == 0
    traits[real, ::10] += gap
    return Sections(traits, real, [f"composer {number % 10}" for number in range(count)])


def test_a_taste_learns_what_real_sections_have() -> None:
    made = sections(900, 0.8)
    taste, auc = train_taste(made, 0, {}, lambda done, total: None)
    assert auc > 0.85
    merits = taste.merits(made.traits)
    assert merits[made.real].mean() > 0 > merits[~made.real].mean(), "0 where both are as likely"
    again, _ = train_taste(made, 0, {}, lambda done, total: None)
    np.testing.assert_array_equal(again.merits(made.traits), merits)


def test_where_there_is_nothing_to_learn_it_guesses() -> None:
    _, auc = train_taste(sections(600, 0.0), 0, {}, lambda done, total: None)
    assert 0.3 < auc < 0.7


def test_auc_counts_pairs_in_order() -> None:
    assert auc_of(np.array([3.0, 2.0, 1.0]), np.array([True, False, False])) == 1.0
    assert auc_of(np.array([3.0, 2.0, 1.0]), np.array([False, True, False])) == 0.5


def test_too_few_sections_are_an_error() -> None:
    with pytest.raises(ModelError, match="needs 50 sections or more of each kind, found 30"):
        train_taste(sections(30, 1.0), 0, {}, lambda done, total: None)
