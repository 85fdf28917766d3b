"""The console's history: file, walk and suggestion."""

from pathlib import Path

import pytest

from sidlive.errors import DeviceError
from sidlive.studio.console.history import ConsoleHistory, history_path


def test_the_history_is_kept_from_run_to_run(tmp_path: Path):
    path = tmp_path / "deep" / "history.jsonl"
    for source in ("start()", "for n in (1, 2):\n    mute(n)"):
        ConsoleHistory(path).add(source)
    assert ConsoleHistory(path).entries == ["start()", "for n in (1, 2):\n    mute(n)"]


def test_it_follows_the_xdg_convention(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert history_path() == tmp_path / "sidlive" / "history.jsonl"


def test_a_repeated_line_counts_once_and_a_blank_line_not_at_all():
    history = ConsoleHistory()
    for source in ("a", "a", "  ", "b", "a"):
        history.add(source)
    assert history.entries == ["a", "b", "a"]


def test_walking_back_and_forth():
    history = ConsoleHistory()
    for source in ("one", "two", "three"):
        history.add(source)
    assert [history.back("") for _ in range(4)] == ["three", "two", "one", None]
    assert [history.forward() for _ in range(3)] == ["two", "three", ""]
    assert history.forward() is None


def test_a_walk_visits_only_entries_that_begin_with_the_typed_text():
    history = ConsoleHistory()
    for source in ("mute(1)", "seed(4)", "mute(2)"):
        history.add(source)
    assert history.back("mu") == "mute(2)" and history.back("mute(2)") == "mute(1)"
    assert history.forward() == "mute(2)" and history.forward() == "mu"


def test_the_latest_entry_with_the_typed_beginning_is_suggested():
    history = ConsoleHistory()
    for source in ("seed(4)", "seed(5)", "for x in y:\n    z"):
        history.add(source)
    assert history.suggest("see") == "d(5)"
    assert history.suggest("") == "" and history.suggest("for") == "" and history.suggest("nothing") == ""


def test_only_the_broken_lines_of_a_file_are_lost(tmp_path: Path):
    path = tmp_path / "history.jsonl"
    path.write_bytes(b'"good"\n{"not": "text"}\n\xff\xfe"half\n"also good"\n')
    assert ConsoleHistory(path).entries == ["good", "also good"]


def test_a_folder_that_cannot_be_written_is_reported_once(tmp_path: Path):
    (tmp_path / "file").touch()
    history = ConsoleHistory(tmp_path / "file" / "history.jsonl")
    with pytest.raises(DeviceError, match="stays in memory"):
        history.add("a")
    history.add("b")
    assert history.entries == ["a", "b"]
