"""Whether the processors are ever idle, from the counts that Linux keeps."""

from pathlib import Path

import pytest

from sidlive.live.sound.idle_time import IdleTime


@pytest.fixture
def stat(tmp_path: Path) -> Path:
    return tmp_path / "stat"


def count(stat: Path, busy: int, idle: int, waiting: int = 0) -> None:
    """Write the ticks so far: of programs, idle, and idle while a disk works."""
    stat.write_text(f"cpu  {busy} 0 0 {idle} {waiting} 0 0 0 0 0\ncpu0 1 2 3\n")


def test_a_machine_is_busy_if_its_processors_were_hardly_idle_since_the_last_look(stat: Path) -> None:
    count(stat, busy=5000, idle=90_000)
    time = IdleTime(stat)
    count(stat, busy=5199, idle=90_001)
    assert time.is_short()
    count(stat, busy=5299, idle=90_101)
    assert not time.is_short(), "one of two processors was idle"


def test_a_processor_that_waits_for_a_disk_is_idle(stat: Path) -> None:
    count(stat, busy=0, idle=0)
    time = IdleTime(stat)
    count(stat, busy=100, idle=0, waiting=100)
    assert not time.is_short()


def test_without_time_between_two_looks_and_without_such_counts_no_machine_is_busy(stat: Path) -> None:
    assert not IdleTime(stat).is_short()
    count(stat, busy=10, idle=10)
    time = IdleTime(stat)
    assert not time.is_short()
    stat.write_text("something else")
    assert not time.is_short()
