"""Find the styles of a composer in the songs of a corpus."""

import json
from pathlib import Path

import numpy as np
import pytest
from composers import SMALL_COMPOSER, lively_composer, torch_composer

from sidlive.errors import ModelError
from sidlive.model.corpus.shards import CorpusTune, open_corpus
from sidlive.model.training.composer_windows import NoteWindows, prepare_notes
from sidlive.model.training.style_train import STRENGTH, SongVectors, find_styles, sides_of, song_vectors
from sidlive.tune.loading import load_fragment


def song(author: str, released: str, split: str = "train") -> CorpusTune:
    return CorpusTune("a.sid", 1, "t", author, released, "6581", "PAL", 50.0, "s.npy", 0, 9, split)


def test_a_style_is_the_difference_between_the_means_of_two_kinds_of_songs() -> None:
    tunes = [song("Jeroen Tel", "1986 Someone")] * 20 + [song("Ann Other (Ann)", "2012 Anyone")] * 30
    tunes += [song("Jeroen Tel", "1985", "held-out"), song("Ann Other", "2020", "held-out")]
    means = np.random.default_rng(1).normal(size=(len(tunes), 6)) / 100
    means[:20, 0] += 1.0
    means[20:50, 1] += 3.0
    means[50, 0], means[51, 1] = 1.0, 3.0
    styles, found = find_styles(SongVectors(means, np.arange(len(tunes))), tunes, "digest", {})
    assert styles.names == ("era", "like_tel"), "there are too few songs by the other composers"
    eighties, today = means[:20].mean(0), means[20:50].mean(0)
    np.testing.assert_allclose(styles.directions[0], STRENGTH * (today - eighties), rtol=1e-6)
    np.testing.assert_allclose(styles.directions[1], STRENGTH * (eighties - today), rtol=1e-6)
    assert [(one.songs, one.others, one.auc) for one in found] == [(30, 20, 1.0), (20, 30, 1.0)]


def test_years_and_authors_decide_the_kind_of_a_song() -> None:
    assert sides_of("era", song("x", "1988 y")) == (False, True)
    assert sides_of("era", song("x", "1989")) == sides_of("era", song("x", "2005 y")) == (False, False)
    assert sides_of("era", song("x", "2006")) == (True, False)
    assert sides_of("like_galway", song("Martin Galway (Mg)", "1986")) == (True, False)
    assert sides_of("like_galway", song("Martin Galway & Friend", "1986")) == (False, True)
    assert sides_of("era", song("x", "19?? y")) == sides_of("like_galway", song("x", "")) == (False, False)


def test_too_few_songs_are_an_error() -> None:
    with pytest.raises(ModelError, match="each needs 15 songs or more of its years or its composer"):
        find_styles(SongVectors(np.zeros((3, 6)), np.arange(3)), [song("x", "1986")] * 3, "digest", {})


def test_songs_are_heard_in_the_same_excerpts_each_time(tmp_path: Path) -> None:
    songs = [load_fragment(name).frames for name in ("gallop", "comet")]
    about = {
        "title": "t",
        "author": "a",
        "released": "1986",
        "chip": "6581",
        "clock": "PAL",
        "rate_hz": 50.0,
        "split": "train",
    }
    rows = np.cumsum([0, *map(len, songs)]).tolist()
    tunes = [
        {"path": f"{n}.sid", "song": 1, "shard": "s.npy", "start": rows[n], "length": len(s), **about}
        for n, s in enumerate(songs)
    ]
    np.save(tmp_path / "s.npy", np.concatenate(songs))
    (tmp_path / "index.json").write_text(json.dumps({"version": 2, "tunes": tunes}))
    corpus = open_corpus(tmp_path)
    windows = NoteWindows(corpus, prepare_notes(corpus), ("train",), 112)
    weights = lively_composer()
    first, again, other = (song_vectors(weights, windows, seed, lambda done, total: None) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first.means, again.means)
    assert first.means.shape == (2, SMALL_COMPOSER.notes.width) and first.songs.tolist() == [0, 1]
    assert not np.array_equal(first.means, other.means)
    # An excerpt alone is heard as among others.
    alone = windows.excerpts([(1, 0)], 112, 4)
    both = windows.excerpts([(0, 0), (1, 0)], 112, 4)
    np.testing.assert_array_equal(alone.events[0], both.events[1])
    network = torch_composer(weights)
    heard = network.hear(alone)[:, 15:].detach().double().mean(1)
    twice = network.hear(windows.excerpts([(1, 1)], 112, 4))[:, 15:].detach().double().mean(1)
    np.testing.assert_allclose((heard + twice)[0] / 2, first.means[1], atol=1e-5)
