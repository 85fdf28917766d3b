"""A .wav file written block by block: its samples, and the errors if it cannot be written."""

import wave
from pathlib import Path

import numpy as np
import pytest

from sidlive.chip.wav import WavFile
from sidlive.errors import DeviceError

SOUND = np.array([0, 1, -1, 32767, -32768], np.int16)


def test_a_file_holds_the_blocks_that_were_written(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with WavFile(path) as file:
        file.write(SOUND)
        file.write(SOUND[::-1])
    assert file.samples == 10
    with wave.open(str(path)) as sound:
        assert sound.getparams()[:4] == (1, 2, 48_000, 10)
        data = np.frombuffer(sound.readframes(10), "<i2")
    assert data.tolist() == [*SOUND.tolist(), *SOUND[::-1].tolist()]
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]


def test_an_earlier_file_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"before")
    with pytest.raises(KeyboardInterrupt), WavFile(path) as file:
        file.write(SOUND)
        assert path.read_bytes() == b"before"
        raise KeyboardInterrupt
    assert path.read_bytes() == b"before"
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]


def test_a_symbolic_link_stays_and_its_target_is_written(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "a.wav"
    link.symlink_to(tmp_path / "real" / "b.wav")
    with WavFile(link) as file:
        file.write(SOUND)
    assert link.is_symlink() and (tmp_path / "real" / "b.wav").stat().st_size == 44 + 10


@pytest.mark.parametrize("name", ["missing/a.wav", ""])
def test_a_path_that_cannot_be_written_is_a_device_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(DeviceError, match=r"cannot be written: (No such file|Is a directory)"):
        WavFile(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_a_device_error() -> None:
    with pytest.raises(DeviceError, match="/dev/full cannot be written: No space left"), WavFile("/dev/full") as file:
        for _ in range(100):
            file.write(np.zeros(1000, np.int16))


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="no /dev/null here")
def test_a_device_is_written_to_and_not_replaced() -> None:
    with WavFile("/dev/null") as file:
        file.write(SOUND)
    assert Path("/dev/null").is_char_device()
