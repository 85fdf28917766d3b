"""Corpora from folders of tunes made here: what is kept, what is cut, what is left out, and going on after a kill."""

import json
from pathlib import Path

import numpy as np
import pytest
from tunes_by_hand import program, sid_file

from sidlive.chip.registers import silence
from sidlive.errors import ModelError
from sidlive.model.corpus import build, music_length, open_corpus, split_of

RATE = 50.125
TAIL = 100  # frames: two seconds

# play: an eight-bit counter, so the registers repeat after 256 frames
LOOPING = "EE F0 10 AD F0 10 8D 00 D4 A9 10 8D 01 D4 A9 21 8D 04 D4 60"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five files: one of three songs, a copy of it, a loop, an RSID and something that is no tune."""
    root = tmp_path / "tunes"
    for name, data in (
        ("A/Rising.sid", sid_file(songs=3, start=2, name=b"Rising", author=b"A")),
        ("B/Copy.sid", sid_file(songs=1)),
        ("B/Loop.SID", sid_file(program(play=LOOPING), flags=0x28)),
        ("B/Rsid.sid", sid_file(magic=b"RSID", play=0)),
        ("C/Broken.sid", b"PSID"),
        ("C/readme.txt", b"not a tune"),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def test_a_corpus_holds_every_song_once(folder: Path, tmp_path: Path) -> None:
    report = build(folder, tmp_path / "corpus", frames=2400, workers=1)
    corpus = open_corpus(tmp_path / "corpus")
    assert [(tune.path, tune.song, tune.length) for tune in corpus.tunes] == [
        ("A/Rising.sid", 1, 2400),
        ("A/Rising.sid", 2, 2400),
        ("A/Rising.sid", 3, 2400),
        ("B/Loop.SID", 1, 512),
    ]
    first = corpus.tunes[0]
    assert (first.title, first.author, first.released) == ("Rising", "A", "2026 Nowhere")
    assert (first.chip, first.clock, first.rate_hz) == ("6581", "PAL", pytest.approx(RATE, abs=1e-3))
    assert (corpus.tunes[3].chip, corpus.tunes[3].clock) == ("8580", "NTSC")
    for tune in corpus.tunes[
        :3
    ]:  # the counter starts from the song's number less one, and is counted before it is heard
        frames = corpus.frames(tune)
        counted = np.arange(2400) + tune.song
        assert frames.dtype == np.uint8 and frames.shape == (2400, 28)
        assert (frames[:, 0] == counted % 256).all() and (frames[:, 1] == counted // 256 | 0x10).all()
        assert not frames.flags.writeable
    assert (report.files, report.tunes, report.frames) == (5, 4, 3 * 2400 + 512)
    assert dict(report.reasons) == {"duplicate": 1, "RSID": 1, "not a valid .sid file": 1}
    written = json.loads((tmp_path / "corpus" / "report.json").read_text())
    assert {(entry["path"], entry["reason"]) for entry in written["left_out"]} == {
        ("B/Copy.sid", "duplicate"),
        ("B/Rsid.sid", "RSID"),
        ("C/Broken.sid", "not a valid .sid file"),
    }
    assert sorted(path.name for path in (tmp_path / "corpus").iterdir()) == [
        "index.json",
        "report.json",
        "shard-000.npy",
    ]


def test_only_start_songs_when_asked(folder: Path, tmp_path: Path) -> None:
    build(folder, tmp_path / "corpus", frames=600, workers=1, subtunes=False)
    first = open_corpus(tmp_path / "corpus").tunes[0]
    assert (first.path, first.song) == ("A/Rising.sid", 2)


def test_short_subtunes_stay_out_but_not_a_short_start_song(folder: Path, tmp_path: Path) -> None:
    report = build(folder, tmp_path / "corpus", frames=600, workers=1)
    tunes = [(tune.path, tune.song) for tune in open_corpus(tmp_path / "corpus").tunes]
    assert ("A/Rising.sid", 2) in tunes and ("A/Rising.sid", 1) not in tunes
    assert dict(report.reasons)["too short"] == 2


def test_a_killed_build_goes_on_where_it_stopped(folder: Path, tmp_path: Path) -> None:
    class KilledError(Exception):
        pass

    def killer(done: int, total: int) -> None:
        if done == 2:
            raise KilledError

    with pytest.raises(KilledError):
        build(folder, tmp_path / "killed", frames=600, workers=1, progress=killer)
    with pytest.raises(ModelError, match="holds no corpus"):
        open_corpus(tmp_path / "killed")
    steps: list[tuple[int, int]] = []
    build(folder, tmp_path / "killed", frames=600, workers=1, progress=lambda *step: steps.append(step))
    assert steps == [(2, 5), (3, 5), (4, 5), (5, 5)]
    build(folder, tmp_path / "whole", frames=600, workers=1)
    for name in ("index.json", "report.json", "shard-000.npy"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_any_number_of_workers_makes_the_same_corpus(folder: Path, tmp_path: Path) -> None:
    for workers in (1, 2):
        build(folder, tmp_path / str(workers), frames=600, workers=workers)
    for name in ("index.json", "report.json", "shard-000.npy"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_shards_are_cut_between_songs(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sidlive.model.corpus.SHARD_FRAMES", 2500)
    build(folder, tmp_path / "corpus", frames=1200, workers=1)
    corpus = open_corpus(tmp_path / "corpus")
    assert [(tune.shard, tune.start) for tune in corpus.tunes] == [
        ("shard-000.npy", 0),
        ("shard-000.npy", 1200),
        ("shard-001.npy", 0),
        ("shard-001.npy", 1200),
    ]
    assert np.load(tmp_path / "corpus" / "shard-000.npy", mmap_mode="r").shape == (2400, 28)


def test_the_split_is_a_fixed_tenth_of_files() -> None:
    splits = [split_of(Path(f"/anywhere/Composer_{i % 37}/Tune_{i}.sid")) for i in range(5000)]
    assert 0.08 < splits.count("held-out") / 5000 < 0.12
    assert split_of(Path("/here/A/B.sid")) == split_of(Path("/there/and/more/A/B.sid"))
    assert splits == [split_of(Path(f"/anywhere/Composer_{i % 37}/Tune_{i}.sid")) for i in range(5000)]


def test_all_songs_of_a_file_are_in_one_split(folder: Path, tmp_path: Path) -> None:
    build(folder, tmp_path / "corpus", frames=1200, workers=1)
    corpus = open_corpus(tmp_path / "corpus")
    rising = [tune for tune in corpus.tunes if tune.path == "A/Rising.sid"]
    assert len(rising) == 3 and len({tune.split for tune in rising}) == 1
    assert set(corpus.split("train")) | set(corpus.split("held-out")) == set(corpus.tunes)


def melody(count: int, seed: int = 1) -> np.ndarray:  # type: ignore[type-arg]
    """``count`` frames that never repeat, voice 1 sounding."""
    frames = silence(count)
    frames[:, 0:2] = np.random.default_rng(seed).integers(1, 256, (count, 2))
    frames[:, [4, 25]] = 0x41
    frames[:, 24] = 0x0F
    return frames


def test_silence_after_the_end_is_cut_but_for_a_tail() -> None:
    frames = np.concatenate([melody(700), np.repeat(melody(1), 2000, axis=0)])
    frames[702:, [4, 25]] = 0x40
    assert music_length(frames, RATE) == pytest.approx(700 + TAIL, abs=3)


def test_silence_inside_stays() -> None:
    frames = np.concatenate([melody(300), silence(1500), melody(300, seed=2)])
    assert music_length(frames, RATE) == len(frames)


def test_what_never_sounds_has_no_music() -> None:
    assert music_length(silence(1000), RATE) == 0
    without_volume, without_gate, without_wave = melody(1000), melody(1000), melody(1000)
    without_volume[:, 24] = 0x70
    without_gate[:, [4, 25]] = 0x40
    without_wave[:, [4, 25]] = 0x01
    for frames in (without_volume, without_gate, without_wave):
        assert music_length(frames, RATE) == 0


@pytest.mark.parametrize(("intro", "period"), [(0, 700), (500, 700), (500, 300)])
def test_a_loop_is_kept_with_one_repeat(intro: int, period: int) -> None:
    frames = np.concatenate([melody(intro, seed=2), *[melody(period)] * 12])
    assert music_length(frames, RATE) == intro + 2 * period


def test_of_a_long_loops_repeat_twenty_seconds_are_kept() -> None:
    frames = np.concatenate([melody(100, seed=2), melody(3000), melody(3000)[:2500]])
    assert music_length(frames, RATE) == 100 + 3000 + round(20 * RATE)


def test_an_almost_exact_repeat_is_no_loop() -> None:
    frames = np.concatenate([melody(1500), melody(1500)])
    frames[2900, 22] ^= 1
    assert music_length(frames, RATE) == 3000


def test_what_cannot_be_built_or_opened_is_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(ModelError, match="is not a folder"):
        build(tmp_path / "nowhere", tmp_path / "corpus")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"holds no \.sid files"):
        build(tmp_path / "empty", tmp_path / "corpus")
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="cannot be written"):
        build(folder, tmp_path / "file")
    with pytest.raises(ModelError, match="holds no corpus"):
        open_corpus(tmp_path / "empty")
    build(folder, tmp_path / "corpus", frames=600, workers=1)
    (tmp_path / "corpus" / "shard-000.npy").write_bytes(b"x")
    with pytest.raises(ModelError, match=r"shard-000\.npy cannot be read"):
        open_corpus(tmp_path / "corpus")
    (tmp_path / "corpus" / "index.json").write_text("{}")
    with pytest.raises(ModelError, match=r"index\.json is broken"):
        open_corpus(tmp_path / "corpus")
