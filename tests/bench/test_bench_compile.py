"""The measurements of ``sidlive bench compile``, on takes made here and on some real tunes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from takes_by_hand import noise, song
from tunes_by_hand import sid_file

from sidlive.bench import compile as bench_compile
from sidlive.bench.compile import (
    PackedMusic,
    choose,
    figures,
    measure,
    measure_tune,
    measurement_line,
    read_measurements,
)
from sidlive.chip.registers import Frames
from sidlive.cli import main
from sidlive.errors import TuneError
from sidlive.tune.compiler import packer
from sidlive.tune.compiler.block import SongFrames
from sidlive.tune.compiler.packer import Packed


def values_of(kept: list[PackedMusic]) -> dict[str, object]:
    return {result.name: result.value for result in figures(kept)}


def test_a_take_is_packed_played_and_compared() -> None:
    kept = measure("song", song(400), take=True, py65=True)
    assert kept.equal and kept.py65 and not kept.why and kept.frames == 400
    assert kept.others["raw"] == 400 * 28 > kept.others["delta"] > kept.others["zlib"]
    assert kept.packed == len(bench_compile.block.pack_song(SongFrames(song(400))))
    figure = values_of([kept])
    assert (figure["takes"], figure["equal.takes"], figure["equal.py65"], figure["differ.takes"]) == (1, 1, 1, 0)
    assert figure["cycles.max"] == kept.cycles_max and figure["cycles.mean"] == pytest.approx(kept.cycles_sum / 400)
    assert figure["bytes_9000.median"] is None


def test_a_packer_that_errs_is_found_by_both_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    right = packer.pack

    def wrong(frames: Frames, loop: int, control_first: bool) -> Packed:
        other = frames.copy()
        other[77, 5] ^= 1
        return right(other, loop, control_first)

    monkeypatch.setattr(packer, "pack", wrong)
    kept = measure("song", song(200), take=True, py65=True)
    assert kept.equal is False and kept.py65 is False and "in frame 77 $D405" in kept.why
    assert values_of([kept])["differ.takes"] == values_of([kept])["differ.py65"] == 1


def test_measurements_are_kept_up_to_where_a_crash_cut_them_off(tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    assert read_measurements(path) == []
    one = measure("song", song(200), take=True, py65=False)
    two = replace(one, name="other", why="a reason")
    text = measurement_line(one) + measurement_line(two)
    for cut, whole in ((len(text), [one, two]), (len(text) - 9, [one])):
        path.write_text(text[:cut])
        assert read_measurements(path) == whole


def test_a_bench_goes_on_where_it_was_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("one", "two"):  # tunes of one name
        (tmp_path / folder / "of").mkdir(parents=True)
        (tmp_path / folder / "of" / "it.sid").write_bytes(sid_file())
    words = ["bench", "compile", "--corpus", str(tmp_path), "--takes", "0", "--json"]
    path = tmp_path / "kept.jsonl"
    assert main([*words, "--tunes", "1", "--resume", str(path)]) == 0
    first = path.read_text()
    path.write_text(first.replace('"pack_s": ', '"pack_s": 7') + '{"name": "cut')
    assert main([*words, "--resume", str(path)]) == 0
    music = json.loads(capsys.readouterr().out.splitlines()[-1])["music"]
    assert len(music) == 2 == len(path.read_text().splitlines())
    assert music[0]["pack_s"] >= 7 > music[1]["pack_s"]


def test_music_that_does_not_fit_into_memory_is_counted_apart() -> None:
    kept = measure("noise", noise(1500), take=True, py65=True)
    assert kept.file is None and kept.equal is None and values_of([kept])["too_long"] == 1


def test_the_choice_of_tunes_is_the_same_each_time(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"{number}.sid").write_bytes(b"")
    assert choose(tmp_path, 5) == choose(tmp_path, 5) == choose(tmp_path, 0)[:5]
    assert len(set(choose(tmp_path, 0))) == 30
    with pytest.raises(TuneError, match="is not a folder"):
        choose(tmp_path / "none", 0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(TuneError, match=r"no \.sid files"):
        choose(tmp_path / "empty", 0)


def test_real_tunes_are_exact_on_both_processors_and_quick(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_compile, "SHORT", 1500)
    monkeypatch.setattr(bench_compile, "LONG", 1600)
    monkeypatch.setattr(bench_compile, "PY65_FRAMES", 500)
    kept = [one for path in choose(shared / "corpus", 6) if (one := measure_tune(path, True)) is not None]
    assert len(kept) >= 4 and all(one.equal and one.py65 for one in kept)
    assert max(one.cycles_max for one in kept) <= 1640
    assert np.mean([one.cycles_sum / one.frames for one in kept]) <= 750
