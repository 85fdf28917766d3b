"""Files are written completely or not at all."""

import os
from pathlib import Path

import pytest

from sidlive.errors import DeviceError
from sidlive.writing import WholeFile, write_file


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_an_earlier_file_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
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


def test_an_exception_in_the_block_deletes_the_temporary_file(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), WholeFile(tmp_path / "a") as file:
        file.write(b"half")
        raise KeyboardInterrupt
    with pytest.raises(DeviceError, match="cannot be written: Input/output error"), WholeFile(tmp_path / "a"):
        raise OSError(5, "Input/output error")
    assert names(tmp_path) == []


def test_the_longest_possible_file_name_can_be_written_and_a_longer_one_is_refused(tmp_path: Path) -> None:
    name = "\N{MUSICAL NOTE}" * 62 + ".sid"  # 252 of at most 255 bytes; the temporary file's name must not be longer
    write_file(tmp_path / name, b"one")
    assert names(tmp_path) == [name]
    with pytest.raises(
        DeviceError,
        match=r"no file can be written there: the name .* has 504 bytes, at most 255 fit; choose another name",
    ):
        write_file(tmp_path / (2 * name), b"one")


def test_a_folder_or_a_path_in_a_missing_folder_is_a_device_error(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no" / "a.sid"):
        with pytest.raises(DeviceError, match=r"cannot be written: (Is a directory|No such file or directory);"):
            write_file(path, b"one")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_device_is_written_to_and_not_replaced() -> None:
    write_file("/dev/null", b"one")
    with pytest.raises(DeviceError, match="/dev/full cannot be written: No space left"):
        write_file("/dev/full", b"one")
    assert Path("/dev/null").is_char_device() and Path("/dev/full").is_char_device()
