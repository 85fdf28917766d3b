"""Files of music opened by their names, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from tunes_by_hand import sid_file

from sidlive.chip.registers import PAL, silence
from sidlive.errors import TuneError
from sidlive.tune.capture import load_frames
from sidlive.tune.files import open_song, read_frames, read_tune, write_frames
from sidlive.tune.kinds import FRAMES, holds_frames


def test_mus_data_is_refused_by_its_name_and_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "a.sid").write_bytes(sid_file(flags=0x15))
    for name in ("missing.mus", "missing.STR", "a.sid"):
        with pytest.raises(
            TuneError, match=f"{name}: it is Compute! Sidplayer MUS data; its player is not in the file"
        ):
            open_song(tmp_path / name)


def test_tunes_are_not_frames_nor_frames_tunes(tmp_path: Path) -> None:
    assert [holds_frames(Path(f"a{suffix}")) for suffix in (".npz", ".SIDGPT", ".dmp", ".sid", ".prg", "")] == [
        True, True, True, False, False, False,
    ]  # fmt: skip
    with pytest.raises(TuneError, match=r"x\.dmp holds frames; expected a tune"):
        read_tune(tmp_path / "x.dmp")
    with pytest.raises(TuneError, match=r"x\.sid: expected frames, \.npz, \.sidgpt, \.dmp"):
        read_frames(tmp_path / "x.sid")


@pytest.mark.parametrize("suffix", FRAMES)
def test_frames_are_written_as_the_name_says(tmp_path: Path, suffix: str) -> None:
    rows = silence(30)
    rows[:, 0] = range(30)
    path = tmp_path / f"a{suffix}"
    write_frames(path, rows, 60.0, title="Mine")
    back, rate_hz, meta = read_frames(path)
    assert np.array_equal(back, rows)
    assert (rate_hz, meta) == ((60.0, {"title": "Mine"}) if suffix == ".npz" else (PAL.rate_hz, {}))
    assert read_frames(path, rate_hz=25.0)[1] == (60.0 if suffix == ".npz" else 25.0)


def test_a_name_that_says_no_format_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    for name in ("a.txt", "frames"):
        with pytest.raises(TuneError, match=r"cannot be written: expected a name in \.npz, \.sidgpt, \.dmp"):
            write_frames(tmp_path / name, silence(1), 50.0)
    with pytest.raises(TuneError, match="it is a folder"):
        write_frames(tmp_path, silence(1), 50.0)
    assert not list(tmp_path.iterdir())
    write_frames(tmp_path / "A.NPZ", silence(1), 50.0)
    assert len(load_frames(tmp_path / "A.NPZ")[0]) == 1
