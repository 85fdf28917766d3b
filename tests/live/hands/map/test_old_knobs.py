"""The knobs that earlier versions learned are converted to maps, once."""

import json
from pathlib import Path

import pytest

from sidlive.live.hands.map.map_folder import MapFolder
from sidlive.live.hands.map.midi_source import MidiSource
from sidlive.live.hands.map.old_knobs import convert_knobs


class OldFolder:
    """A settings folder with knobs of an earlier version."""

    def __init__(self, folder: Path, entries: object) -> None:
        self.folder, self.file = folder, folder / "midi.json"
        self.file.write_text(entries if isinstance(entries, str) else json.dumps(entries))
        self.maps = MapFolder(folder / "maps", folder / "none")
        self.lines = convert_knobs(self.file, self.maps)

    def moved(self, number: int, port: str = "box", channel: int = 1) -> list[str]:
        bounds = self.maps.in_banks(MidiSource("cc", number, channel, port), lambda path: 1)
        return [str(bound.binding.deed) for bound in bounds]


def test_learned_knobs_become_a_map_of_each_controller(tmp_path: Path) -> None:
    old = OldFolder(tmp_path, {
        "temperature": {"cc": 21, "channel": 4, "port": "nanoKONTROL2:nanoKONTROL2 MIDI 1"}, "transpose": 2,
        "top_p": {"cc": 16, "channel": 2, "port": "pads"}, "wobble": 3, "mask": 4, "seed": None,
    })  # fmt: skip
    assert old.lines == [
        "the 3 MIDI knobs that you learned are in maps now, one file a controller: bindings() shows them"
    ]
    assert old.moved(21, "nanoKONTROL2", 4) == ["temperature"], "under the port's new name"
    assert old.moved(16, "pads", 2) == ["top_p"] and old.moved(2, "any") == ["transpose"]
    assert old.moved(1, "any") == [], "the temperature had another knob, and no other"


def test_it_is_done_once(tmp_path: Path) -> None:
    old = OldFolder(tmp_path, {"volume": 9})
    assert not old.file.exists() and (tmp_path / "midi.json.old").exists()
    assert convert_knobs(old.file, MapFolder(tmp_path / "maps")) == []
    again = MapFolder(tmp_path / "maps")
    again.look()
    assert [str(bound.binding) for bound in again.all()] == ["CC 9: volume"]


def test_the_usual_knobs_need_no_map(tmp_path: Path) -> None:
    old = OldFolder(tmp_path, {"temperature": 1, "transpose": 2})
    assert old.lines == [] and not (tmp_path / "maps").exists()


def test_a_mode_message_that_was_learned_is_no_knob(tmp_path: Path) -> None:
    old = OldFolder(tmp_path, {"top_p": 123, "volume": 9})
    assert old.lines[-1] == "these knobs could not be kept: learn top_p again" and old.moved(9) == ["volume"]


@pytest.mark.parametrize("entries", ["", "{", "[]", "\x00", '{"volume": {"channel": 3}}'])
def test_a_broken_file_is_a_line_and_is_put_away(tmp_path: Path, entries: str) -> None:
    old = OldFolder(tmp_path, entries)
    assert len(old.lines) == 1 and "again" in old.lines[0] and not old.file.exists()
    assert old.moved(1) == ["temperature"]
