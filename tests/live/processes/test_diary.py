"""The diary's report of a gap: its latest long entries, and how long threads waited for a processor."""

import gc
import threading
import time
from pathlib import Path

import pytest

from sidlive.live.processes import diary as module
from sidlive.live.processes.diary import Diary


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[float]:
    """Return the time that the diary reads, in a list; and let no thread have waited."""
    now = [100.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(module, "_TASKS", tmp_path)
    monkeypatch.setattr(module, "_STAT", tmp_path / "stat")
    return now


def test_a_report_has_what_was_done_in_the_tenth_of_a_second_before_a_gap(clock: list[float]) -> None:
    diary = Diary()
    for what, begin_s, end_s in (
        ("too early", 99.0, 99.1),
        ("a prefill", 99.88, 99.95),
        ("too short to matter", 99.96, 99.9605),
        ("a frame", 99.97, 100.02),
        ("afterwards", 100.03, 100.1),
    ):
        clock[0] = end_s
        diary.note(what, begin_s)
    report = diary.report(100.0)
    assert report.at_s == 100.0
    assert report.text.split(".")[0] == "-120 ms a prefill (70 ms); -30 ms a frame (50 ms)"
    assert diary.report(200.0).text == "nothing. Waited for a processor in that second: nobody"


def test_a_garbage_collection_is_an_entry() -> None:
    diary = Diary()
    before = list(gc.callbacks)
    try:
        diary.watch_garbage()
        gc.collect()
        assert [what for _, _, what in diary._entries] == ["garbage collection, generation 2"]
        began, ended, _ = diary._entries[0]
        assert time.perf_counter() - 10 < began <= ended
    finally:
        gc.callbacks[:] = before


def test_a_report_says_how_long_threads_waited_for_a_processor(clock: list[float], tmp_path: Path) -> None:
    diary = Diary()
    thread = threading.current_thread()
    schedstat, host = tmp_path / str(thread.native_id) / "schedstat", tmp_path / "stat"
    schedstat.parent.mkdir()
    for waited_ns, stolen in ((5_000_000_000, 10), (5_040_000_000, 12)):
        schedstat.write_text(f"123456789 {waited_ns} 55\n")
        host.write_text(f"cpu  1 2 3 4 5 6 7 {stolen} 0 0\ncpu0 1 2 3 4\n")
        diary.look()
    waited = diary.report(100.0).text.split(": ")[1]
    assert waited == f"{thread.name} 40 ms, all, because the host took them 20 ms"
