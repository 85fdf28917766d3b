"""Names of MIDI ports for people: what drivers add is left out, and both ends of a controller find each other."""

import pytest

from sidlive.live.hands.port_names import client_name, is_foreign, label, partner


@pytest.mark.parametrize(
    ("driver", "name"),
    [
        ("nanoKONTROL2:nanoKONTROL2 MIDI 1 20:0", "nanoKONTROL2"),  # ALSA
        ("nanoKONTROL2:nanoKONTROL2 MIDI 1 24:0", "nanoKONTROL2"),
        ("Launchpad Mini:Launchpad Mini MIDI 1 20:0", "Launchpad Mini"),
        ("Launchpad X:Launchpad X MIDI 2 20:1", "Launchpad X MIDI 2"),
        ("Launchpad Mini MK3:Launchpad Mini MK3 LPMiniMK3 DA 28:0", "Launchpad Mini MK3 LPMiniMK3 DA"),
        ("a2j:nanoKONTROL2 [20] (capture): nanoKONTROL2 MIDI 1", "nanoKONTROL2"),  # JACK with a2jmidid
        ("a2j:nanoKONTROL2 [24] (playback): nanoKONTROL2 MIDI 1", "nanoKONTROL2"),
        ("Midi-Bridge:nanoKONTROL2 0:(capture_0) nanoKONTROL2 MIDI 1", "nanoKONTROL2"),  # PipeWire
        ("Midi-Bridge:nanoKONTROL2:(playback_0) nanoKONTROL2 MIDI 1", "nanoKONTROL2"),
        ("alsa_midi:nanoKONTROL2 MIDI 1 (out)", "nanoKONTROL2"),
        ("alsa_pcm:nanoKONTROL2/midi_capture_1", "nanoKONTROL2"),  # the alias of jackd -X seq
        ("nanoKONTROL2 SLIDER/KNOB", "nanoKONTROL2 SLIDER/KNOB"),  # CoreMIDI
        ("box:faders", "box:faders"),  # another program on JACK
        ("TR-08:out", "TR-08:out"),
    ],
)
def test_a_name_keeps_the_device_and_what_tells_its_ports_apart(driver: str, name: str) -> None:
    assert label(driver) == name and label(name) == name, "the name of a name is itself"


def test_names_of_old_maps_become_the_names_of_today() -> None:
    assert label("nanoKONTROL2:nanoKONTROL2 MIDI 1 #2") == "nanoKONTROL2 2"


@pytest.mark.parametrize(
    ("port", "others", "expected"),
    [
        ("nano", ["pads", "nano 2", "nano"], "nano"),
        ("nano 2", ["nano", "nano 2"], "nano 2"),
        ("nano 2", ["nano"], None),
        ("nanoKONTROL2 SLIDER/KNOB", ["Launchpad Mini", "nanoKONTROL2 CTRL"], "nanoKONTROL2 CTRL"),
        ("nanoKONTROL2 SLIDER/KNOB 2", ["nanoKONTROL2 CTRL", "nanoKONTROL2 CTRL 2"], "nanoKONTROL2 CTRL 2"),
        ("MIDIIN2 (LPX MIDI)", ["LPX MIDI", "MIDIOUT2 (LPX MIDI)"], "MIDIOUT2 (LPX MIDI)"),
        ("box:knobs", ["box:leds", "other:leds"], "box:leds"),
        ("box:knobs", ["boxes:leds"], None),
        ("Launch Control XL", ["Keystation Mini 32"], None),
        ("anything", [], None),
    ],
)
def test_a_controllers_output_is_found(port: str, others: list[str], expected: str | None) -> None:
    assert partner(port, others) == expected


def test_our_own_clients_are_known_by_the_process_they_work_for() -> None:
    ours, theirs = client_name("clock", 12), client_name("clock", 123)
    assert not is_foreign(f"{ours}:out", 12) and is_foreign(f"{theirs}:out", 12)
    assert not is_foreign(f"a2j:{ours} [130] (capture): out", 12), "through a bridge, too"
