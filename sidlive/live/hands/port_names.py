"""Names of MIDI ports for people and maps: the same after a controller was unplugged or the machine restarted.

Drivers name a port by device, direction, numbers that change, and the device once more. `label` keeps the device and
what tells its ports apart: "nanoKONTROL2:nanoKONTROL2 MIDI 1 20:0" is "nanoKONTROL2".
"""

import re
from collections.abc import Iterable
from typing import Final

CLIENT: Final = "sidlive"
_THROUGH: Final = "Midi Through"  # ALSA's loopback port, not a controller
# A pattern for each driver that bridges ALSA's ports to JACK, with the device and its port.
_BRIDGES: Final = (
    re.compile(r"a2j:(?P<device>.+?) \[\d+\] \((?:capture|playback)\): (?P<port>.*)"),
    re.compile(r"Midi-Bridge:(?P<device>.+?)(?: \d+)?:? ?\((?:capture|playback)_\d+\) ?(?P<port>.*)"),
    re.compile(r"alsa_midi:(?P<device>.+?) \((?:in|out|capture|playback)\)(?P<port>)"),
    re.compile(r"alsa_pcm:(?P<device>.+)/midi_(?:capture|playback)_(?P<port>\d+)"),
)
_NUMBERS: Final = re.compile(r" \d+:\d+$")  # ALSA's numbers of client and port
_ONLY: Final = re.compile(r"(MIDI ?)?1|")  # the first port of a device needs no name of its own
_ORDER: Final = re.compile(r" #?(\d+)$")  # the number of the second and further ports of one name
_ENDS: Final = re.compile(r"\b(midi)?(in|out|input|output)(?=\b|\d)", re.IGNORECASE)  # in names of one of both ends


def client_name(what: str, owner: int) -> str:
    """Return the name of our own client that does something ("clock", "asid") for the core process of this number."""
    return f"{CLIENT} {what} {owner}"


def is_foreign(name: str, owner: int) -> bool:
    """Return whether a driver's port belongs to a device or another program, for the core process ``owner``.

    Other cores' clocks are foreign; what they send to the lights of controllers is not.
    """
    return _THROUGH not in name and not re.search(rf"\b{CLIENT} ((midi|lights) \d|\w+ {owner}\b)", name)


def label(name: str) -> str:
    """Return the name for people of a port with this driver's name. Labels and names of old maps stay or become labels.

    A number after "#", which the second port of one name had in old maps, stays as the number.
    """
    text = _NUMBERS.sub("", name)
    order = re.search(r" #(\d+)$", text)
    if order is not None:
        return f"{label(text[: order.start()])} {order[1]}"
    bridged = next((match for pattern in _BRIDGES if (match := pattern.fullmatch(text))), None)
    if bridged is not None:
        device, port = bridged["device"], bridged["port"]
        device = _NUMBERS.sub("", device.removesuffix(" MIDI 1")) if not port else device
    else:
        device, colon, port = text.partition(":")
        if not colon:
            return text
    rest = port.removeprefix(device).strip()
    if _ONLY.fullmatch(rest):
        return device
    if rest != port.strip() or bridged is not None:
        return f"{device} {rest}"
    return text


def partner(name: str, others: Iterable[str]) -> str | None:
    """Return the port among ``others`` (labels) that is the other end of the controller of ``name``; None: none is.

    It has the same name; or the same but for "in" and "out"; or the same client; or shares its first words, at
    least half of them. Numbers of second controllers must be equal.
    """
    there = list(others)
    if name in there:
        return name
    own, number = _split(name)
    of_number = [(other, _split(other)[0]) for other in there if _split(other)[1] == number]
    for other, text in of_number:
        if _ENDS.sub("", text) == _ENDS.sub("", own):
            return other
    for other, text in of_number:
        if ":" in own and text.partition(":")[0] == own.partition(":")[0]:
            return other
    shared = [(_shared_words(own, text), other) for other, text in of_number if ":" not in own and ":" not in text]
    most, best = max(shared, default=(0.0, ""))
    return best if most >= 0.5 else None


def _split(name: str) -> tuple[str, str]:
    """Split a label into its text and the number of a second or further port of that name ("" without one)."""
    order = _ORDER.search(name)
    return (name[: order.start()], order[1]) if order is not None else (name, "")


def _shared_words(one: str, other: str) -> float:
    """Return the share of the shorter text's words with which both texts begin."""
    ours, theirs = one.split(), other.split()
    count = 0
    while count < min(len(ours), len(theirs)) and ours[count] == theirs[count]:
        count += 1
    return count / max(1, min(len(ours), len(theirs)))
