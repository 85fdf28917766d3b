"""Files are written completely or not at all."""

import os
from pathlib import Path

import pytest

from sidlive.errors import DeviceError
from sidlive.writing import WholeFile, write_file


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_an_earlier_file_stays_until_the_new_one_is_on_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "take.sid"
    write_file(path, b"one")
    with WholeFile(path) as file:
        file.write(b"two")
        file.flush()
        assert path.read_bytes() == b"one"
    assert path.read_bytes() == b"two" and names(tmp_path) == ["take.sid"]


def test_a_disk_that_fills_up_leaves_the_earlier_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "take.sid"
    write_file(path, b"two")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DeviceError, match=r"take\.sid cannot be written: No space left on device; make room"):
        write_file(path, b"three")
    assert path.read_bytes() == b"two" and names(tmp_path) == ["take.sid"]


def test_any_exception_in_the_block_throws_it_away(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), WholeFile(tmp_path / "a") as file:
        file.write(b"half")
        raise KeyboardInterrupt
    with pytest.raises(DeviceError, match="cannot be written: Input/output error"), WholeFile(tmp_path / "a"):
        raise OSError(5, "Input/output error")
    assert names(tmp_path) == []


def test_a_name_as_long_as_a_name_can_be(tmp_path: Path) -> None:
    name = "\N{MUSICAL NOTE}" * 62 + ".sid"  # 252 bytes; with more than 3 for a draft's name it would be too long
    write_file(tmp_path / name, b"one")
    assert names(tmp_path) == [name]
    with pytest.raises(
        DeviceError,
        match=r"no file can be written there: the name .* has 504 bytes, at most 255 fit; choose another name",
    ):
        write_file(tmp_path / (2 * name), b"one")


def test_a_folder_and_a_place_that_is_not_there_are_one_line(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no" / "a.sid"):
        with pytest.raises(DeviceError, match=r"cannot be written: (Is a directory|No such file or directory);"):
            write_file(path, b"one")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_device_is_written_to_and_not_replaced() -> None:
    write_file("/dev/null", b"one")
    with pytest.raises(DeviceError, match="/dev/full cannot be written: No space left"):
        write_file("/dev/full", b"one")
    assert Path("/dev/null").is_char_device() and Path("/dev/full").is_char_device()
