"""A packed corpus: unpacked it is the same corpus, and a file that is none is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from frames_at_random import any_frames

from sidlive.cli import main
from sidlive.errors import ModelError
from sidlive.model.corpus.packed import is_packed, pack, unpack
from sidlive.model.corpus.shards import Corpus, CorpusTune

LENGTHS = (300, 500)


@pytest.fixture()
def corpus(tmp_path: Path) -> Corpus:
    """A corpus of two songs in two shards, in memory. The first song lies in the middle of its shard."""
    shards = {name: any_frames(seed, 600, 0.2, True) for seed, name in enumerate(("a.npy", "b.npy"))}
    about = ("1988 Nobody", "6581", "PAL", 50.0)
    tunes = [
        CorpusTune(f"{split}.sid", 2, "Tune", "Nobody", *about, shard, 40, length, split, "Player", 1, 100.0, "loop")
        for split, shard, length in zip(("train", "held-out"), shards, LENGTHS, strict=True)
    ]
    return Corpus(tmp_path, tuple(tunes), shards)


def test_an_unpacked_corpus_is_the_same(corpus: Corpus, tmp_path: Path) -> None:
    size = pack(corpus, tmp_path / "corpus.pack")
    assert size == (tmp_path / "corpus.pack").stat().st_size and is_packed(tmp_path / "corpus.pack")
    steps: list[int] = []
    for _ in range(2):  # the second time the folder is there
        unpacked = unpack(tmp_path / "corpus.pack", tmp_path / "corpus", lambda done, total: steps.append(done))
        for one, two in zip(corpus.tunes, unpacked.tunes, strict=True):
            assert np.array_equal(corpus.frames(one), unpacked.frames(two))
            places = ("shard", "start")
            kept = ({k: v for k, v in vars(tune).items() if k not in places} for tune in (one, two))
            assert next(kept) == next(kept)
    assert steps == list(range(1, 29))


@pytest.mark.parametrize("cut", [10, 200, -1])
def test_a_damaged_file_is_one_clear_error(corpus: Corpus, tmp_path: Path, cut: int) -> None:
    path = tmp_path / "corpus.pack"
    pack(corpus, path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ModelError, match="packed corpus") as caught:
        unpack(path, tmp_path / "corpus")
    assert "\n" not in str(caught.value)


def test_the_command_packs_a_corpus(corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack(corpus, tmp_path / "one.pack")
    folder = unpack(tmp_path / "one.pack", tmp_path / "corpus").folder
    assert main(["corpus", "pack", str(folder), "-o", str(tmp_path / "two.pack"), "--json"]) == 0
    values = {result["name"]: result["value"] for result in json.loads(capsys.readouterr().out)["results"]}
    assert values == {"tunes": 2, "frames": sum(LENGTHS), "bytes": (tmp_path / "two.pack").stat().st_size}
    assert main(["corpus", "pack", str(folder), "-o", str(tmp_path / "none" / "x")]) == 2
    assert "there is no folder" in capsys.readouterr().err
