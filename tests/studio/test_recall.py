"""The console's memory."""

from pathlib import Path

import pytest

from sidlive.errors import DeviceError
from sidlive.studio.recall import Recall, history_path


def test_it_outlives_the_run(tmp_path: Path):
    path = tmp_path / "deep" / "history.jsonl"
    for source in ("start()", "for n in (1, 2):\n    mute(n)"):
        Recall(path).add(source)
    assert Recall(path).entries == ["start()", "for n in (1, 2):\n    mute(n)"]


def test_it_follows_the_xdg_convention(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert history_path() == tmp_path / "sidlive" / "history.jsonl"


def test_repeats_and_blanks_count_once_and_not_at_all():
    recall = Recall()
    for source in ("a", "a", "  ", "b", "a"):
        recall.add(source)
    assert recall.entries == ["a", "b", "a"]


def test_walking_back_and_forth():
    recall = Recall()
    for source in ("one", "two", "three"):
        recall.add(source)
    assert [recall.back("") for _ in range(4)] == ["three", "two", "one", None]
    assert [recall.forward() for _ in range(3)] == ["two", "three", ""]
    assert recall.forward() is None


def test_walking_keeps_to_what_was_typed():
    recall = Recall()
    for source in ("mute(1)", "seed(4)", "mute(2)"):
        recall.add(source)
    assert recall.back("mu") == "mute(2)" and recall.back("mute(2)") == "mute(1)"
    assert recall.forward() == "mute(2)" and recall.forward() == "mu"


def test_the_latest_entry_that_begins_so_is_suggested():
    recall = Recall()
    for source in ("seed(4)", "seed(5)", "for x in y:\n    z"):
        recall.add(source)
    assert recall.suggest("see") == "d(5)"
    assert recall.suggest("") == "" and recall.suggest("for") == "" and recall.suggest("nothing") == ""


def test_a_spoiled_file_costs_the_spoiled_lines_only(tmp_path: Path):
    path = tmp_path / "history.jsonl"
    path.write_bytes(b'"good"\n{"not": "text"}\n\xff\xfe"half\n"also good"\n')
    assert Recall(path).entries == ["good", "also good"]


def test_a_folder_that_cannot_be_written_is_said_once(tmp_path: Path):
    (tmp_path / "file").touch()
    recall = Recall(tmp_path / "file" / "history.jsonl")
    with pytest.raises(DeviceError, match="stays in memory"):
        recall.add("a")
    recall.add("b")
    assert recall.entries == ["a", "b"]
