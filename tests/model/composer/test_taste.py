"""Traits of sections of notes, and the taste that judges them."""

from pathlib import Path

import numpy as np
import pytest

from sidlive.errors import ModelError
from sidlive.model.composer.events import FIELDS, UNTUNED
from sidlive.model.composer.taste import Taste, load_taste, save_taste
from sidlive.model.composer.traits import FRAME, TRAITS, Meter, Past, traits_of

VOICE, PITCH = 1, 4
METER = Meter(24.0, 96.0)


def riff(bars: int, first: int = 0, pitches: tuple[int, ...] = (48, 55, 60, 55), step: int = 12) -> np.ndarray:
    """Return a table of notes of voice 0 and 1, one pitch after another; drums in voice 2 on every beat."""
    rows = []
    for number, frame in enumerate(range(first, first + bars * 96, step)):
        pitch = pitches[number % len(pitches)]
        rows += [(frame, 0, 0, 1, pitch, 0, 6), (frame, 1, 0, 2, pitch + 12, 0, 0)]
        if (frame - first) % 24 == 0:
            rows.append((frame, 2, 0, 3, UNTUNED, 0, 4))
    return np.array(rows, np.int64).reshape(-1, FIELDS)


def traits_after(section: np.ndarray, bars: int = 4) -> np.ndarray:
    past = Past(riff(8), 8 * 96, METER, bars * 96)
    return traits_of(np.concatenate([riff(8), section]), 8 * 96, (8 + bars) * 96, past)


def test_music_that_goes_on_as_before_differs_from_the_past_in_nothing() -> None:
    traits = traits_after(riff(4, 8 * 96))
    own = (TRAITS - 1) // 4  # the number of traits that describe the section alone, at least
    assert np.isfinite(traits).all() and len(traits) == TRAITS
    busier = traits_after(riff(4, 8 * 96, step=6))
    higher = traits_after(riff(4, 8 * 96, pitches=(49, 56, 61, 56)))
    for other in (busier, higher):
        assert (np.abs(other - traits) > 1e-9).sum() > 10
        assert np.abs(other).sum() > np.abs(traits[:own]).sum()


def test_traits_do_not_depend_on_what_comes_after_the_section_nor_on_when_it_is() -> None:
    section = riff(4, 8 * 96, pitches=(50, 57))
    later = riff(4, 12 * 96, pitches=(30,))
    np.testing.assert_array_equal(traits_after(section), traits_after(np.concatenate([section, later])))


def test_an_empty_section_and_an_empty_past_have_traits() -> None:
    nothing = np.zeros((0, FIELDS), np.int64)
    assert np.isfinite(traits_after(nothing)).all()
    past = Past(nothing, 400, METER, 384)
    assert np.isfinite(traits_of(riff(4, 400), 400, 784, past)).all()
    assert riff(1)[0, FRAME] == 0


def a_taste() -> Taste:
    rng = np.random.default_rng(3)
    means, spreads, inner, biases, outer = (
        rng.normal(size=shape).astype(np.float32) for shape in (TRAITS, TRAITS, (8, TRAITS), 8, 8)
    )
    return Taste(means, np.abs(spreads), inner, biases, outer, 0.25, {"trained": "by hand"})


def test_a_taste_is_written_and_read_again(tmp_path: Path) -> None:
    taste, traits = a_taste(), np.random.default_rng(4).normal(size=(50, TRAITS))
    save_taste(taste, tmp_path / "some-taste.safetensors")
    again = load_taste(tmp_path / "some-taste.safetensors")
    assert again.card == taste.card
    before, after = taste.merits(traits), again.merits(traits)
    assert np.abs(before - after).max() < 0.1 * before.std(), "inner weights are rounded to int8"
    assert again.merit(traits[7]) == pytest.approx(after[7])


def test_a_trait_that_never_varied_counts_for_nothing() -> None:
    taste = a_taste()
    taste.spreads[5] = 0
    traits = np.zeros((2, TRAITS))
    traits[1, 5] = 100
    one, other = taste.merits(traits)
    assert one == other


def test_a_file_that_is_no_taste_says_so(tmp_path: Path) -> None:
    (tmp_path / "broken.safetensors").write_bytes(b"no taste")
    with pytest.raises(ModelError, match=r"broken\.safetensors cannot be read as a composer's taste"):
        load_taste(tmp_path / "broken.safetensors")
