"""The folder of maps: which map applies to which controller, learning into it, profiles, files that change."""

import os
from pathlib import Path

import pytest

from sidlive.live.hands.deeds import MoveControl
from sidlive.live.hands.map.binding import Binding, read_binding
from sidlive.live.hands.map.map_folder import MapFolder
from sidlive.live.hands.map.midi_source import Kind, MidiSource

PROFILE = """controller = "nano"

[[bind]]      # the first knob
cc = 16
control = "temperature"
"""


class Folder:
    """A folder of maps, and one of profiles."""

    def __init__(self, root: Path) -> None:
        self.path, self.profiles = root / "maps", root / "profiles"
        self.path.mkdir()
        self.profiles.mkdir()
        self.maps = MapFolder(self.path, self.profiles)
        self._saved = 0

    def save(self, name: str, text: str) -> None:
        """Save a map as an editor does; two saves have different times."""
        self._saved += 1
        (self.path / name).write_text(text)
        os.utime(self.path / name, (self._saved, self._saved))

    def moved(self, number: int, port: str = "box", channel: int = 1, kind: Kind = "cc") -> list[str]:
        """Return what a source does."""
        bounds = self.maps.in_banks(MidiSource(kind, number, channel, port), lambda path: 1)
        return [str(bound.binding.deed) for bound in bounds]

    def learn(self, port: str, ports: tuple[str, ...] = (), **table: object) -> None:
        binding = read_binding({"port": port, **table})
        assert self.maps.add(binding, ports) is None

    def text(self, name: str) -> str:
        return (self.path / name).read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def removed(bindings: list[Binding]) -> list[str]:
    return [str(binding) for binding in bindings]


def test_without_any_file_the_first_two_numbers_of_any_controller_move_something(folder: Folder) -> None:
    assert folder.maps.look(["box"]) == []
    assert folder.moved(1, "box", 3) == ["temperature"] and folder.moved(2, "other") == ["transpose"]
    assert folder.moved(3) == []


def test_a_map_of_any_controller_takes_the_place_of_the_built_in_one(folder: Folder) -> None:
    folder.save("mine.toml", '[[bind]]\ncc = 5\ncontrol = "volume"\n')
    folder.maps.look()
    assert folder.moved(5) == ["volume"] and folder.moved(1) == []


def test_the_most_exact_binding_counts(folder: Folder) -> None:
    folder.save("box.toml", 'controller = "box"\n[[bind]]\ncc = 1\ncontrol = "volume"\n'
                            '[[bind]]\ncc = 1\nchannel = 2\ncontrol = "seed"\n'
                            '[[bind]]\ncc = 1\nport = "box 2"\ncontrol = "top_p"\n')  # fmt: skip
    folder.maps.look()
    assert folder.moved(1, "box") == ["volume"] and folder.moved(1, "box", 2) == ["seed"]
    assert folder.moved(1, "box 2") == ["top_p"] and folder.moved(1, "pads") == ["temperature"]


def test_a_knob_may_move_two_controls(folder: Folder) -> None:
    folder.save("box.toml", 'controller="box"\n[[bind]]\ncc=9\ncontrol="volume"\n[[bind]]\ncc=9\ncontrol="seed"\n')
    folder.maps.look()
    assert folder.moved(9) == ["volume", "seed"]


def test_the_longest_name_decides_between_maps(folder: Folder) -> None:
    folder.save("a.toml", 'controller = "APC mini"\n[[bind]]\ncc = 48\ncontrol = "volume"\n')
    folder.save("b.toml", 'controller = "apc MINI mk2"\n[[bind]]\ncc = 48\ncontrol = "seed"\n')
    folder.maps.look()
    assert folder.moved(48, "APC MINI") == ["volume"] and folder.moved(48, "APC mini mk2 Control") == ["seed"]


def test_what_a_controllers_map_moves_the_map_of_all_does_not_move_there(folder: Folder) -> None:
    folder.save("box.toml", 'controller = "box"\n[[bind]]\ncc = 16\ncontrol = "temperature"\n')
    folder.maps.look()
    assert folder.moved(1, "box") == [] and folder.moved(2, "box") == ["transpose"]
    assert folder.moved(1, "other") == ["temperature"]


# -- learning


def test_a_learned_knob_goes_into_the_map_of_its_controller_which_is_made_for_it(folder: Folder) -> None:
    folder.maps.look(["usb: box"])
    folder.learn("usb: box", cc=21, channel=4, control="temperature")
    assert folder.moved(21, "usb: box", 4) == ["temperature"] and folder.moved(21, "usb: box", 3) == []
    assert folder.moved(1, "usb: box") == [], "the knob of before is free there"
    assert 'controller = "usb: box"\n\n[[bind]]\ncc = 21\nchannel = 4\n' in folder.text("usb-box.toml")
    again = MapFolder(folder.path, folder.profiles)
    again.look(["usb: box"])
    assert again.bounds("usb: box")[0].binding.source == MidiSource("cc", 21, 4)


def test_a_knob_moves_one_control_and_a_control_has_one_knob_of_a_controller(folder: Folder) -> None:
    folder.learn("box", cc=21, channel=1, control="volume")
    folder.learn("box", cc=21, channel=1, control="seed")
    assert folder.moved(21) == ["seed"]
    folder.learn("box", cc=22, channel=1, control="seed")
    assert folder.moved(21) == [] and folder.moved(22) == ["seed"]
    folder.learn("other", cc=22, channel=1, control="seed")
    assert folder.moved(22) == ["seed"] == folder.moved(22, "other"), "another controller keeps its own"


def test_two_pads_may_do_the_same(folder: Folder) -> None:
    for note in (1, 2):
        folder.learn("box", note=note, channel=1, do='prompt("drift")')
    assert folder.moved(1, kind="note") == folder.moved(2, kind="note") == ['prompt("drift")']


def test_two_controllers_of_one_name_learn_apart(folder: Folder) -> None:
    ports = ("box", "box 2")
    folder.maps.look(ports)
    folder.learn("box", ports, cc=16, channel=1, control="temperature")
    folder.learn("box 2", ports, cc=16, channel=1, control="volume")
    assert folder.moved(16, "box") == ["temperature"] and folder.moved(16, "box 2") == ["volume"]


def test_learning_leaves_what_people_wrote(folder: Folder) -> None:
    folder.save("box.toml", '# mine\ncontroller = "box"\n\n# loud\n[[bind]]\ncc = 7\ncontrol = "volume"\n')
    folder.maps.look(["box"])
    folder.learn("box", cc=8, channel=1, control="seed")
    assert folder.text("box.toml").startswith('# mine\ncontroller = "box"\n\n# loud\n[[bind]]\ncc = 7')
    assert folder.maps.look() == [], "what we wrote ourselves is not news"


def test_unlearning_takes_a_control_from_all_knobs_the_built_in_one_too(folder: Folder) -> None:
    folder.learn("box", cc=21, channel=1, control="temperature")
    gone, trouble = folder.maps.remove(lambda deed: deed == MoveControl("temperature"))
    assert removed(gone) == ["CC 21 ch 1: temperature", "CC 1: temperature"] and trouble is None
    assert folder.moved(21) == folder.moved(1) == [] and folder.moved(2) == ["transpose"]
    again = MapFolder(folder.path, folder.profiles)
    again.look()
    assert [str(bound.binding.deed) for bound in again.all()] == ["transpose"], "for later sessions too"


def test_a_map_that_cannot_be_written_works_for_this_session(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    maps = MapFolder(tmp_path / "file" / "maps")
    trouble = maps.add(read_binding({"port": "box", "cc": 5, "control": "seed"}))
    assert trouble is not None and "cannot be kept" in trouble
    assert maps.look(["box"]) == []
    assert len(maps.for_source(MidiSource("cc", 5, 1, "box"))) == 1


# -- files that change


def test_a_map_is_read_again_when_it_is_saved(folder: Folder) -> None:
    folder.save("box.toml", 'controller = "box"\n[[bind]]\ncc = 7\ncontrol = "volume"\n')
    folder.maps.look(["box"])
    before = folder.maps.version
    assert folder.maps.look(["box"]) == [] and folder.maps.version == before
    folder.save("box.toml", 'controller = "box"\n[[bind]]\ncc = 8\ncontrol = "volume"\n')
    assert folder.maps.look(["box"]) == ["box.toml is read again"] and folder.maps.version > before
    assert folder.moved(7) == [] and folder.moved(8) == ["volume"]
    (folder.path / "box.toml").unlink()
    assert folder.maps.look(["box"]) == [] and folder.moved(8) == []


def test_a_map_with_a_fault_is_one_line_and_the_earlier_map_goes_on(folder: Folder) -> None:
    folder.save("box.toml", 'controller = "box"\n[[bind]]\ncc = 7\ncontrol = "volume"\n')
    folder.maps.look(["box"])
    folder.save("box.toml", 'controller = "box"\n[[bind]]\ncc = \n')
    (line,) = folder.maps.look(["box"])
    assert line.startswith("box.toml, line 3: this is no TOML") and line.endswith("the map goes on as it was")
    assert folder.moved(7) == ["volume"] and folder.maps.look(["box"]) == [], "it is said once"
    trouble = folder.maps.add(read_binding({"port": "box", "cc": 9, "control": "seed"}))
    assert trouble is not None and "mend it first" in trouble
    assert folder.text("box.toml").endswith("cc = \n"), "and nothing of it is lost"


def test_a_wrong_binding_is_told_and_the_rest_works(folder: Folder) -> None:
    folder.save("box.toml", 'controller = "box"\n[[bind]]\ncc = 7\ncontrol = "volme"\n[[bind]]\ncc=8\ncontrol="seed"')
    assert folder.maps.look(["box"]) == ["box.toml, line 4: no control 'volme': did you mean volume?"]
    assert folder.moved(8) == ["seed"]


def test_a_file_that_is_no_text_is_left_out(folder: Folder) -> None:
    (folder.path / "bin.toml").write_bytes(b"\xff\xfe\x00")
    (line,) = folder.maps.look()
    assert line.startswith("bin.toml cannot be read") and line.endswith("it is left out")


# -- profiles


def test_a_controller_gets_a_copy_of_its_profile_when_it_is_found(folder: Folder) -> None:
    (folder.profiles / "nano.toml").write_text(PROFILE)
    (line,) = folder.maps.look(["nanoKONTROL2", "pads"])
    assert line == f"nanoKONTROL2 has a map: {folder.path / 'nano.toml'}"
    assert folder.moved(16, "nanoKONTROL2") == ["temperature"] and folder.text("nano.toml") == PROFILE
    assert folder.maps.look(["nanoKONTROL2", "pads"]) == [], "it is said once"


def test_a_map_of_ones_own_goes_before_the_profile(folder: Folder) -> None:
    (folder.profiles / "nano.toml").write_text(PROFILE)
    folder.save("mine.toml", 'controller = "KONTROL2"\n[[bind]]\ncc = 16\ncontrol = "volume"\n')
    assert folder.maps.look(["nanoKONTROL2"]) == []
    assert folder.moved(16, "nanoKONTROL2") == ["volume"]
