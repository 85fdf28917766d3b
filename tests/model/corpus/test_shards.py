"""Reading built corpora: the split, older versions, and folders that are not a corpus."""

import json
from pathlib import Path

import numpy as np
import pytest
from tunes_by_hand import sid_file

from sidlive.errors import ModelError
from sidlive.model.corpus.build import build
from sidlive.model.corpus.shards import is_composer_held_out, open_corpus, split_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one file of three songs."""
    (tmp_path / "tunes").mkdir()
    (tmp_path / "tunes" / "Rising.sid").write_bytes(sid_file(songs=3, start=2, name=b"Rising", author=b"A"))
    return tmp_path / "tunes"


def test_the_split_is_a_fixed_tenth_of_files() -> None:
    splits = [split_of(Path(f"/anywhere/Composer_{i % 37}/Tune_{i}.sid")) for i in range(5000)]
    assert 0.08 < splits.count("held-out") / 5000 < 0.12
    assert split_of(Path("/here/A/B.sid")) == split_of(Path("/there/and/more/A/B.sid"))
    assert splits == [split_of(Path(f"/anywhere/Composer_{i % 37}/Tune_{i}.sid")) for i in range(5000)]


WORDS = [a + b + c for a in "bdfgklmnprst" for b in "aeiou" for c in ("lin", "ros", "tak", "vem", "dur")]  # as names


def test_some_composers_are_held_out_with_everything_they_wrote() -> None:
    held_out = [word for word in WORDS if is_composer_held_out(word)]
    assert 0.01 < len(held_out) / len(WORDS) < 0.1
    name, other = held_out[0], next(word for word in WORDS if word not in held_out)
    for author in (name.title(), f"{other.title()} {name.upper()}", f"{other} & {name}", f"{other} ({name.title()})"):
        splits = [split_of(Path(f"/tunes/x/Tune_{i}.sid"), author) for i in range(1000)]
        assert set(splits) == {"held-out", "held-out-composers"}
        files_alone = [split_of(Path(f"/tunes/x/Tune_{i}.sid"), other) for i in range(1000)]
        assert [s == "held-out" for s in splits] == [s == "held-out" for s in files_alone], "files held out stay so"
        assert set(files_alone) == {"train", "held-out"}
    assert not any(is_composer_held_out(author) for author in ("", "<?>", "J. T.", "1988"))


def test_a_corpus_built_before_composers_were_held_out_is_divided_when_opened(folder: Path, tmp_path: Path) -> None:
    build(folder, tmp_path / "corpus", frames=1200, workers=1)
    path = tmp_path / "corpus" / "index.json"
    index = json.loads(path.read_text())
    name = next(word for word in WORDS if is_composer_held_out(word))
    for tune, split in zip(index["tunes"], ("train", "held-out", "train"), strict=True):
        tune["split"], tune["author"] = split, name
    index["tunes"][2]["author"] = ""
    path.write_text(json.dumps(index))
    corpus = open_corpus(tmp_path / "corpus")
    assert [tune.split for tune in corpus.tunes] == ["held-out-composers", "held-out", "train"]


def test_all_songs_of_a_file_are_in_one_split(folder: Path, tmp_path: Path) -> None:
    build(folder, tmp_path / "corpus", frames=1200, workers=1)
    corpus = open_corpus(tmp_path / "corpus")
    assert len(corpus.tunes) == 3 and len({tune.split for tune in corpus.tunes}) == 1
    assert set(corpus.split("train")) | set(corpus.split("held-out")) == set(corpus.tunes)


def test_frames_are_views_of_the_shard(folder: Path, tmp_path: Path) -> None:
    build(folder, tmp_path / "corpus", frames=1200, workers=1)
    corpus = open_corpus(tmp_path / "corpus")
    frames = corpus.frames(corpus.tunes[1])
    assert frames.shape == (1200, 28) and frames.dtype == np.uint8 and not frames.flags.writeable
    base: object = frames
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)


def test_a_corpus_of_the_first_version_is_read(folder: Path, tmp_path: Path) -> None:
    build(folder, tmp_path / "corpus", frames=1200, workers=1)
    path = tmp_path / "corpus" / "index.json"
    index = json.loads(path.read_text())
    index["version"] = 1
    for tune in index["tunes"]:
        for name in ("player", "sids", "played_hz", "end"):
            del tune[name]
    path.write_text(json.dumps(index))
    tune = open_corpus(tmp_path / "corpus").tunes[0]
    assert (tune.title, tune.player, tune.sids, tune.end) == ("Rising", None, 1, "")
    index["version"] = 9
    path.write_text(json.dumps(index))
    with pytest.raises(ModelError, match="a corpus of version 9, expected 2"):
        open_corpus(tmp_path / "corpus")


def test_folders_without_a_usable_corpus_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="holds no corpus"):
        open_corpus(tmp_path / "empty")
    build(folder, tmp_path / "corpus", frames=600, workers=1)
    (tmp_path / "corpus" / "shard-000.npy").write_bytes(b"x")
    with pytest.raises(ModelError, match=r"shard-000\.npy cannot be read"):
        open_corpus(tmp_path / "corpus")
    (tmp_path / "corpus" / "index.json").write_text('{"version": 2, "tunes": [{"path": "x"}]}')
    with pytest.raises(ModelError, match=r"index\.json is broken"):
        open_corpus(tmp_path / "corpus")
