"""Maps as people write them: what a map means, and one line, with its number, for everything that is wrong."""

import re
import textwrap
from pathlib import Path

import pytest

from sidlive import docs
from sidlive.live.hands.deeds import CallVerb, ChooseBank, MoveControl
from sidlive.live.hands.map.binding import KEYS, Binding, read_binding
from sidlive.live.hands.map.light import LAMP_KEYS, LEDS_KEYS, Shown
from sidlive.live.hands.map.map_error import MapError
from sidlive.live.hands.map.map_file import ControllerMap, read_map, with_binding, without_bindings
from sidlive.live.hands.map.midi_source import MidiSource
from sidlive.live.hands.map.takeover import Way

HERE = Path("box.toml")


def read(text: str) -> ControllerMap:
    return read_map(HERE, text)


def only(text: str) -> Binding:
    """Return the one binding of a map without a fault."""
    found = read(text)
    assert found.problems == () and len(found.bindings) == 1
    return found.bindings[0]


def test_a_map_as_it_is_written() -> None:
    found = read("""
controller = "nanoKONTROL2"
takeover = "scale"

[leds]
channel = 9
on = "green"
off = 12
colours = { red = 15, green = 60 }
begin = ["B8 00 00", "F0 7E 00 06 01 F7"]

[[bind]]             # the first knob
cc = 16
control = "temperature"
range = [1.4, 0.5]
curve = "log"
takeover = "jump"

[[bind]]
note = 36
channel = 10
bank = 2
do = 'prompt("drift", at="bar")'
on = "red"

[[bind]]
note = 37
choose_bank = "+1"

[[light]]
note = 64
shows = "beat 1"
""")
    assert found.problems == ()
    assert found.is_for("usb nanokontrol2 #2") and not found.is_for("pads") and found.takeover == "scale"
    knob, pad, bank = found.bindings
    assert (knob.source, knob.deed, knob.mode) == (MidiSource("cc", 16), MoveControl("temperature"), "value")
    assert knob.way == Way("temperature", 1.4, 0.5, "log") and knob.takeover == "jump" and knob.light is None
    assert pad.source == MidiSource("note", 36, 10) and pad.bank == 2 and pad.mode == "press"
    assert pad.deed == CallVerb("prompt", ("drift",), (("at", "bar"),)) and bank.deed == ChooseBank(1, step=True)
    assert found.banks == 2
    (lamp,) = found.lights
    assert pad.light is not None and bank.light is not None and found.has_lights
    assert (pad.light.kind, pad.light.number, pad.light.channel, pad.light.on) == ("note", 36, 10, 15)
    assert (bank.light.number, bank.light.channel, bank.light.off) == (37, 9, 12), "on the channel of the LEDs"
    assert lamp.shows == Shown(1) and lamp.on == 60
    assert found.leds is not None and found.leds.begin == (b"\xb8\x00\x00", b"\xf0\x7e\x00\x06\x01\xf7")


def test_an_led_has_its_own_place_and_shows_values_by_colours_or_as_a_ring() -> None:
    head = 'controller = "box"\n[leds]\ncolours = { dim = 1, red = 15 }\n[[bind]]\ncc = 13\ncontrol = "volume"\n'
    shown = []
    for led in ("true", '"value"', '["dim", "red"]', "{ note = 5, channel = 2 }", '{ note = 5, shows = ["dim", 9] }'):
        light = only(f"{head}led = {led}\n").light
        assert light is not None
        shown.append((light.kind, light.number, light.channel, light.levels, light.is_ring))
    assert shown == [
        ("cc", 13, None, (), False), ("cc", 13, None, (), True), ("cc", 13, None, (1, 15), False),
        ("note", 5, 2, (), False), ("note", 5, None, (1, 9), False),
    ]  # fmt: skip
    assert only(f"{head}led = false\n").light is None and only(head).light is None, "a knob has none of itself"
    for led in ("3", '["dim"]', '{ shows = "moon" }', "{ nte = 5 }"):
        assert len(read(f"{head}led = {led}\n").problems) == 1, led


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("cc14 = 20", MidiSource("cc14", 20)),
        ("nrpn = 136\nchannel = 3", MidiSource("nrpn", 136, 3)),
        ("poly = 36", MidiSource("poly", 36)),
        ("pressure = true", MidiSource("pressure")),
        ("bend = true\nchannel = 1", MidiSource("bend", None, 1)),
        ("program = true", MidiSource("program")),
        ('cc = 7\nport = "box 2"', MidiSource("cc", 7, None, "box 2")),
    ],
)
def test_every_kind_of_message_can_be_bound(source: str, expected: MidiSource) -> None:
    assert only(f'[[bind]]\n{source}\ncontrol = "volume"\n').source == expected


def test_a_pad_toggles_what_can_be_taken_back_and_a_switch() -> None:
    assert only("[[bind]]\nnote = 1\ndo = 'mute(2)'").mode == "toggle"
    assert only("[[bind]]\nnote = 1\ndo = 'mute(2)'\nmode = 'hold'").mode == "hold"
    assert only("[[bind]]\nnote = 1\ndo = 'panic()'").mode == "press"
    assert only("[[bind]]\nnote = 1\ncontrol = 'filter'").mode == "toggle"
    assert only("[[bind]]\nnote = 1\ncontrol = 'volume'").mode == "value", "its velocity"


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["cc = 16", 'control = "temprature"'], "line 3: no control 'temprature': did you mean temperature?"),
        (["cc = 16", "do = 'promt(\"drift\")'"], "line 3: no verb 'promt': did you mean prompt?"),
        (["cc = 16", "do = 'prompt()'"], "line 3: prompt missing a required argument: fragment"),
        (["cc = 128", 'control = "volume"'], "line 2: cc expects a whole number, 0 to 127, found 128"),
        (["cc = 1", "channel = 17", 'control = "volume"'], "line 3: channel expects a whole number, 1 to 16"),
        (['control = "volume"'], "line 1: expected one of cc, cc14"),
        (["cc = 1", "note = 2", 'control = "volume"'], "line 3: expected one of cc, cc14"),
        (["cc = 1"], "line 1: expected one of control, do, choose_bank, found none"),
        (["cc = 1", 'contrl = "volume"'], "line 3: a binding has no 'contrl': did you mean control?"),
        (["cc = 1", 'control = "volume"', "range = [0, 16]"], "line 4: expected two numbers within 0 to 15"),
        (["cc = 1", 'control = "volume"', 'curve = "wavy"'], "line 4: curve expects one of linear, log, exp, s"),
        (["cc = 1", 'control = "volume"', 'takeover = "x"'], "line 4: takeover expects one of pickup, jump, scale"),
        (["cc = 1", 'control = "volume"', 'encoder = "x"'], "line 4: encoder expects one of twos, offset, sign"),
        (["note = 1", 'control = "volume"', 'encoder = "twos"'], "line 4: an encoder sends CCs"),
        (["note = 1", 'control = "volume"', 'mode = "press"'], "line 4: a control has no mode press"),
        (["note = 1", 'do = "panic()"', 'mode = "hold"'], "line 4: nothing takes panic() back"),
        (["note = 1", 'do = "mute(1)"', 'takeover = "jump"'], "line 4: takeover is for controls"),
        (["bend = 3", 'control = "volume"'], "line 2: bend has no number: write bend = true"),
        (["note = 1", 'do = "mute(1)"', 'on = "pink"'], "line 4: on expects a colour, 0 to 127 or a name (red)"),
        (["cc = true", 'control = "volume"'], "line 2: cc expects a whole number"),
    ],
)  # fmt: skip
def test_a_wrong_binding_is_one_line_with_its_number_and_the_rest_works(lines: list[str], problem: str) -> None:
    text = "\n".join(["[[bind]]", *lines, "", "[[bind]]", "cc = 7", 'control = "volume"', "[leds]", "colours={red=5}"])
    found = read(text)
    assert len(found.problems) == 1 and found.problems[0].startswith(f"box.toml, {problem}")
    assert "\n" not in found.problems[0]
    assert [binding.source.number for binding in found.bindings] == [7]


def test_the_second_binding_of_a_kind_is_found_on_its_own_line() -> None:
    found = read('[[bind]]\ncc = 1\ncontrol = "volume"\n\n# here\n[[bind]]\ncc = 2\ncontrol = "volum"\n')
    assert found.problems == ("box.toml, line 8: no control 'volum': did you mean volume?",)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('takeover = "soft"', "line 1: takeover expects one of pickup, jump, scale, found 'soft'"),
        ('\ncontroler = "box"', "line 2: a map has no 'controler': did you mean controller?"),
        ("except = 3", "line 1: except expects a part of a port's name"),
        ("\n\n[leds]\non = 500", "line 4: on expects a colour"),
        ('[leds]\nbegin = ["B0 00"]', "line 2: begin expects whole messages in hexadecimal"),
        ('[leds]\nbegin = ["00 B0"]', "line 2: begin expects whole messages in hexadecimal"),
        ('[[light]]\nnote = 3\nshows = "moon"', "line 3: shows expects"),
        ('[[light]]\nnote = 3\nshows = "panic()"', "line 3: panic() has nothing to show"),
        ('[[light]]\nshows = "beat"', "line 1: a light expects a note or a cc"),
        ("bind = 3", "box.toml: write [[bind]], with two brackets"),
    ],
)  # fmt: skip
def test_other_parts_that_are_wrong_are_left_out_too(text: str, problem: str) -> None:
    found = read(text)
    assert len(found.problems) == 1 and problem in found.problems[0]


@pytest.mark.parametrize("text", ["[[bind]]\ncc = \n", "\x00", "[[bind]\n"])
def test_what_is_no_toml_is_one_line_with_its_number(text: str) -> None:
    with pytest.raises(MapError) as caught:
        read(text)
    assert str(caught.value).startswith("box.toml, line ") and "this is no TOML" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_binding_is_written_as_it_is_read() -> None:
    tables = [
        {"cc": 16, "channel": 2, "port": "box 2", "control": "temperature", "range": [0.5, 1.4], "curve": "s"},
        {"cc": 16, "control": "temperature", "encoder": "sign", "step": 0.05, "bank": 2},
        {"note": 36, "control": "volume", "mode": "hold", "takeover": "scale"},
        {"bend": True, "do": 'lock(1, "drift")', "mode": "press"},
        {"program": 3, "do": "prompt('it\\'s \"drift\"')"},
        {"note": 1, "choose_bank": "-1"},
        {"note": 1, "choose_bank": 3, "mode": "hold"},
    ]
    for table in tables:
        binding = read_binding(table)
        assert only(with_binding("", binding)) == read_binding(table, line=1), table


def test_changes_leave_the_rest_of_the_text_as_it_was() -> None:
    text = """# my box
controller = "box"

# a knob
[[bind]]
cc = 1
control = "volume"   # loud

# a pad
[[bind]]
note = 2
do = "panic()"
# the end
"""
    longer = with_binding(text, read_binding({"cc": 5, "control": "seed"}))
    assert longer == text + '\n[[bind]]\ncc = 5\ncontrol = "seed"\n'
    found = read(longer)
    assert [binding.line for binding in found.bindings] == [5, 10, 15]
    assert without_bindings(longer, [15]) == text
    assert without_bindings(text, [5]) == text.replace('[[bind]]\ncc = 1\ncontrol = "volume"   # loud\n\n', "")
    assert without_bindings(text, [10]).endswith("# a pad\n# the end\n")
    assert without_bindings("[[bind]]\ncc = 1\n", [1]) == ""


def test_bindings_are_shown_to_people() -> None:
    shown = [
        str(read_binding(table))
        for table in (
            {"cc": 16, "port": "box", "control": "temperature"},
            {"cc": 16, "control": "temperature", "range": [0.5, 1.4], "curve": "log", "takeover": "jump", "bank": 2},
            {"note": 36, "channel": 10, "do": "mute(2)"},
            {"note": 36, "do": "mute(2)", "mode": "hold"},
            {"note": 36, "choose_bank": "+1"},
        )
    ]
    assert shown == [
        "CC 16 of box: temperature", "CC 16: temperature, 0.5 to 1.4, log, jump, bank 2", "note 36 ch 10: mute(2)",
        "note 36: mute(2), hold", "note 36: bank +1",
    ]  # fmt: skip


def test_the_map_in_the_documentation_has_no_fault() -> None:
    blocks = re.findall(r"(?:^    .*\n|^\n)+", docs.read("maps"), re.MULTILINE)
    maps = [textwrap.dedent(block) for block in blocks if "[[bind]]" in block]
    assert len(maps) == 2
    for text in maps:
        assert read(text).problems == ()


def test_the_documentation_names_every_key() -> None:
    page = docs.read("maps")
    assert [key for key in (*KEYS, *LEDS_KEYS, *LAMP_KEYS) if not re.search(rf"\b{key}\b", page)] == []
