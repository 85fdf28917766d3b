"""Corpora built from tunes made here: which songs are kept or left out, and builds that go on after a kill."""

import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tunes_by_hand import program, sid_file

from sidlive.errors import ModelError, TuneError
from sidlive.model.corpus.build import build
from sidlive.model.corpus.shards import open_corpus
from sidlive.model.corpus.workers import dask_workers

RATE = 50.125
# play: an eight-bit counter, so the registers repeat after 256 frames
LOOPING = "EE F0 10 AD F0 10 8D 00 D4 A9 10 8D 01 D4 A9 21 8D 04 D4 60"
# play: the tune of sid_file(), more than an octave higher
HIGHER = "EE F0 10 D0 03 EE F1 10  AD F0 10 8D 00 D4  AD F1 10 09 40 8D 01 D4  A9 21 8D 04 D4  60"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file of three songs, a copy of it, a song that loops, MUS data, and files that are no tunes."""
    root = tmp_path / "tunes"
    for name, data in (
        ("A/Rising.sid", sid_file(songs=3, start=2, name=b"Rising", author=b"A")),
        ("B/Copy.sid", sid_file(songs=1)),
        ("B/Loop.SID", sid_file(program(play=LOOPING), flags=0x28)),
        ("B/Mus.sid", sid_file(flags=0x15)),
        ("C/Broken.sid", b"PSID"),
        ("C/readme.txt", b"not a tune"),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set two files per shard."""
    monkeypatch.setattr("sidlive.model.corpus.build.FEWEST_FILES", 2)


def contents(corpus: Path) -> dict[str, bytes]:
    return {path.relative_to(corpus).as_posix(): path.read_bytes() for path in corpus.rglob("*") if path.is_file()}


def test_a_corpus_holds_every_song_once(folder: Path, tmp_path: Path) -> None:
    report = build(folder, tmp_path / "corpus", frames=2400, workers=1)
    corpus = open_corpus(tmp_path / "corpus")
    assert [(tune.path, tune.song, tune.length, tune.end) for tune in corpus.tunes] == [
        ("A/Rising.sid", 1, 2400, "limit"),
        ("A/Rising.sid", 2, 2400, "limit"),
        ("A/Rising.sid", 3, 2400, "limit"),
        ("B/Loop.SID", 1, 512, "loop"),
    ]
    first = corpus.tunes[0]
    assert (first.title, first.author, first.released) == ("Rising", "A", "2026 Nowhere")
    assert (first.chip, first.clock, first.rate_hz) == ("6581", "PAL", pytest.approx(RATE, abs=1e-3))
    assert (first.player, first.sids, first.played_hz) == (None, 1, first.rate_hz)
    assert (corpus.tunes[3].chip, corpus.tunes[3].clock) == ("8580", "NTSC")
    for tune in corpus.tunes[:3]:  # the counter starts from the song's number - 1; each play call counts, then writes
        frames = corpus.frames(tune)
        counted = np.arange(2400) + tune.song
        assert (frames[:, 0] == counted % 256).all() and (frames[:, 1] == counted // 256 | 0x10).all()
    assert (report.files, report.tunes, report.frames) == (5, 4, 3 * 2400 + 512)
    assert report.ends == {"limit": 3, "loop": 1}
    assert dict(report.reasons) == {"duplicate": 1, "MUS data": 1, "not a valid .sid file": 1}
    written = json.loads((tmp_path / "corpus" / "report.json").read_text())
    assert [(entry["path"], entry["reason"]) for entry in written["left_out"]] == [
        ("B/Copy.sid", "duplicate"),
        ("B/Mus.sid", "MUS data"),
        ("C/Broken.sid", "not a valid .sid file"),
    ]
    assert written["left_out"][0]["detail"] == "the same as A/Rising.sid song 1"
    assert written["reasons"] == dict(report.reasons) and written["frames"] == report.frames
    assert set(contents(tmp_path / "corpus")) == {"index.json", "report.json", "shard-000.npy"}


def test_oddities_of_a_file_are_in_the_report(tmp_path: Path) -> None:
    (tmp_path / "tunes").mkdir()
    (tmp_path / "tunes" / "Odd.psid").write_bytes(sid_file(start=7))
    report = build(tmp_path / "tunes", tmp_path / "corpus", frames=600, workers=1)
    assert report.tunes == 1 and report.odd == {"Odd.psid": ["it starts with song 7 of 1: song 1 is played"]}
    assert json.loads((tmp_path / "corpus" / "report.json").read_text())["odd"] == report.odd


def test_only_start_songs_when_asked(folder: Path, tmp_path: Path) -> None:
    build(folder, tmp_path / "corpus", frames=600, workers=1, subtunes=False)
    first = open_corpus(tmp_path / "corpus").tunes[0]
    assert (first.path, first.song) == ("A/Rising.sid", 2)


def test_short_subtunes_stay_out_but_not_a_short_start_song(folder: Path, tmp_path: Path) -> None:
    report = build(folder, tmp_path / "corpus", frames=600, workers=1)
    tunes = [(tune.path, tune.song) for tune in open_corpus(tmp_path / "corpus").tunes]
    assert ("A/Rising.sid", 2) in tunes and ("A/Rising.sid", 1) not in tunes
    assert dict(report.reasons)["too short"] == 2


def test_a_file_with_two_chips_gives_the_frames_of_the_first(tmp_path: Path) -> None:
    (tmp_path / "Two.sid").write_bytes(sid_file(version=3, pages=b"\0\0\x42\0"))
    build(tmp_path, tmp_path / "corpus", frames=600, workers=1)
    tune = open_corpus(tmp_path / "corpus").tunes[0]
    assert (tune.path, tune.sids, tune.length) == ("Two.sid", 2, 600)


def test_a_player_that_runs_twice_a_frame_makes_video_frames(tmp_path: Path) -> None:
    # init as INIT, and CIA 1's timer to half a PAL frame: LDA #$63 STA $DC04 LDA #$26 STA $DC05
    init = "A2 0F 8E 18 D4  A2 F0 8E 06 D4  8D F0 10  A9 00 8D F1 10  A9 63 8D 04 DC  A9 26 8D 05 DC  60"
    (tmp_path / "Twice.sid").write_bytes(sid_file(program(init=init), speed=1))
    (tmp_path / "Once.sid").write_bytes(sid_file(program(play=HIGHER)))
    build(tmp_path, tmp_path / "corpus", frames=1000, workers=1)
    corpus = open_corpus(tmp_path / "corpus")
    once, twice = corpus.tunes
    assert (once.path, once.length, once.rate_hz, once.played_hz) == ("Once.sid", 1000, once.played_hz, once.rate_hz)
    assert (twice.path, twice.length) == ("Twice.sid", 1000), "as long a time"
    assert twice.rate_hz == pytest.approx(RATE, abs=0.01) and twice.played_hz == pytest.approx(2 * RATE, abs=0.02)
    counted = corpus.frames(twice)[:, 0].astype(int) + 256 * (corpus.frames(twice)[:, 1].astype(int) - 0x10)
    assert (np.diff(counted) == 2).all()


def test_near_duplicates_are_dropped_for_the_longer_song(tmp_path: Path) -> None:
    # the second waits 60 frames, silent, before it counts: LDA $10F2  CMP #60  BEQ +4  INC $10F2  RTS
    late = "AD F2 10 C9 3C F0 04 EE F2 10 60  EE F0 10 D0 03 EE F1 10  AD F0 10 8D 00 D4  AD F1 10 09 10 8D 01 D4"
    (tmp_path / "A.sid").write_bytes(sid_file(program(play=late + " A9 21 8D 04 D4 60")))
    (tmp_path / "B.sid").write_bytes(sid_file())
    (tmp_path / "C.sid").write_bytes(sid_file(program(play=HIGHER)))
    report = build(tmp_path, tmp_path / "corpus", frames=1500, workers=1)
    corpus = open_corpus(tmp_path / "corpus")
    assert [tune.path for tune in corpus.tunes] == ["B.sid", "C.sid"]
    assert dict(report.reasons) == {"near duplicate": 1}
    assert corpus.frames(corpus.tunes[1])[0, 1] == 0x40, "a dropped song before it moves nothing"


def test_songs_are_as_long_as_the_list_says(folder: Path, tmp_path: Path) -> None:
    md5 = hashlib.md5((folder / "A/Rising.sid").read_bytes()).hexdigest()
    listed = f"[Database]\n; /A/Rising.sid\n{md5}=0:24 0:21.5 3:00\n"
    (folder / "B/Copy.sid").unlink()
    (folder / "DOCUMENTS").mkdir()
    (folder / "DOCUMENTS" / "Songlengths.md5").write_text(listed)
    build(folder, tmp_path / "corpus", frames=1500, workers=1)
    tunes = open_corpus(tmp_path / "corpus").tunes
    assert [(tune.length, tune.end) for tune in tunes if tune.path == "A/Rising.sid"] == [
        (round(24 * RATE), "songlengths"),
        (round(21.5 * RATE), "songlengths"),
        (1500, "limit"),
    ]
    assert [(tune.length, tune.end) for tune in tunes if tune.path == "B/Loop.SID"] == [(512, "loop")]
    other = tmp_path / "mine.md5"
    other.write_text(listed.replace("0:24", "0:25"))
    build(folder, tmp_path / "other", frames=1500, workers=1, songlengths=other)
    assert open_corpus(tmp_path / "other").tunes[0].length == round(25 * RATE)
    other.write_text("nothing")
    with pytest.raises(TuneError, match="not a list of song lengths"):
        build(folder, tmp_path / "third", frames=1500, workers=1, songlengths=other)


def test_a_build_that_stopped_goes_on_where_it_stopped(folder: Path, tmp_path: Path, small_shards: None) -> None:
    class StoppedError(Exception):
        pass

    def stopper(done: int, total: int) -> None:
        if done == 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        build(folder, tmp_path / "stopped", frames=1200, workers=1, progress=stopper)
    with pytest.raises(ModelError, match="holds no corpus"):
        open_corpus(tmp_path / "stopped")
    steps: list[tuple[int, int]] = []
    build(folder, tmp_path / "stopped", frames=1200, workers=1, progress=lambda *step: steps.append(step))
    assert steps == [(2, 5), (4, 5), (5, 5)]
    build(folder, tmp_path / "whole", frames=1200, workers=1)
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


def test_files_that_another_build_left_are_not_mixed_in(folder: Path, tmp_path: Path, small_shards: None) -> None:
    class StoppedError(Exception):
        pass

    def stopper(done: int, total: int) -> None:
        if done == 4:
            raise StoppedError

    build(folder, tmp_path / "whole", frames=1200, workers=1)
    build(folder, tmp_path / "mixed", frames=1500, workers=1)
    for frames in (1200, 1300):
        with pytest.raises(StoppedError):
            build(folder, tmp_path / "mixed", frames=frames, workers=1, progress=stopper)
    with pytest.raises(ModelError, match="holds no corpus"):
        open_corpus(tmp_path / "mixed")
    build(folder, tmp_path / "mixed", frames=1200, workers=1)
    assert contents(tmp_path / "mixed") == contents(tmp_path / "whole")


KILLED_IN_THE_MIDDLE = """
import os, signal, sys
from pathlib import Path
from sidlive.model.corpus.build import build

def kill(done, total):
    if done:
        os.kill(os.getpid(), signal.SIGKILL)

build(Path(sys.argv[1]), Path(sys.argv[2]), frames=1200, workers=2, progress=kill)
"""


def test_a_build_killed_in_the_middle_makes_the_same_corpus(tmp_path: Path) -> None:
    """It is killed when the first files are done; the command for the same corpus goes on."""
    folder = tmp_path / "tunes"
    folder.mkdir()
    for number in range(48):
        (folder / f"{number:02d}.sid").write_bytes(sid_file(program(play=HIGHER.replace("09 40", f"09 {number:02X}"))))
    out, whole = tmp_path / "killed", tmp_path / "whole"
    killed = subprocess.run([sys.executable, "-c", KILLED_IN_THE_MIDDLE, folder, out])
    assert killed.returncode == -signal.SIGKILL
    with pytest.raises(ModelError, match="holds no corpus"):
        open_corpus(out)
    assert list(out.glob(".parts/*.json"))
    command = [sys.executable, "-m", "sidlive", "corpus", "build", folder, "-o", out, "--frames", "1200"]
    subprocess.run([*command, "--workers", "2"], check=True, capture_output=True)
    build(folder, whole, frames=1200, workers=1)
    assert contents(out) == contents(whole)


def test_any_number_of_workers_makes_the_same_corpus(folder: Path, tmp_path: Path, small_shards: None) -> None:
    for workers in (1, 2):
        build(folder, tmp_path / str(workers), frames=1200, workers=workers)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_dask_workers_make_the_same_corpus(folder: Path, tmp_path: Path, small_shards: None) -> None:
    distributed = pytest.importorskip("distributed")
    cluster = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(protocol="tcp", **cluster) as found:
        build(folder, tmp_path / "dask", frames=1200, workers=dask_workers(found.scheduler_address))
    build(folder, tmp_path / "here", frames=1200, workers=1)
    assert contents(tmp_path / "dask") == contents(tmp_path / "here")


def test_without_dask_or_a_scheduler_one_line_says_so(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "distributed", None)
        with pytest.raises(ModelError, match=r"pip install 'sidlive\[dask\]'"):
            build(folder, tmp_path / "corpus", workers=dask_workers("tcp://127.0.0.1:1"))
    pytest.importorskip("distributed")
    monkeypatch.setattr("sidlive.model.corpus.workers.DASK_PATIENCE_S", 0.5)
    for address in ("tcp://127.0.0.1:1", "no address", "ftp://x"):
        with pytest.raises(ModelError, match=f"no dask scheduler at {address}"):
            build(folder, tmp_path / "corpus", workers=dask_workers(address))


def test_shards_are_cut_between_files(folder: Path, tmp_path: Path, small_shards: None) -> None:
    build(folder, tmp_path / "corpus", frames=2400, workers=1)
    corpus = open_corpus(tmp_path / "corpus")
    assert [(tune.shard, tune.start, tune.length) for tune in corpus.tunes] == [
        ("shard-000.npy", 0, 2400),
        ("shard-000.npy", 2400, 2400),
        ("shard-000.npy", 4800, 2400),
        ("shard-001.npy", 0, 512),
    ]
    assert not (tmp_path / "corpus" / "shard-002.npy").exists(), "the third holds no song"


def test_folders_that_cannot_be_built_from_or_to_are_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(ModelError, match="is not a folder"):
        build(tmp_path / "nowhere", tmp_path / "corpus")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"holds no \.sid files"):
        build(tmp_path / "empty", tmp_path / "corpus")
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="cannot be written"):
        build(folder, tmp_path / "file")


def test_a_damaged_shard_is_reported_and_captured_again(folder: Path, tmp_path: Path, small_shards: None) -> None:
    class StoppedError(Exception):
        pass

    def stopper(done: int, total: int) -> None:
        if done == 4:
            raise StoppedError

    with pytest.raises(StoppedError):
        build(folder, tmp_path / "corpus", frames=1200, workers=1, progress=stopper)
    (tmp_path / "corpus" / "shard-000.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(ModelError, match=r"shard-000\.npy was damaged .*; run the same command again"):
        build(folder, tmp_path / "corpus", frames=1200, workers=1)
    build(folder, tmp_path / "corpus", frames=1200, workers=1)
    assert len(open_corpus(tmp_path / "corpus").tunes) == 4
