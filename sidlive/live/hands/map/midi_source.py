"""MIDI sources: the parts of a controller that a hand moves. A knob, a fader, a pad, a key, a wheel.

A source is named by the messages that it sends: port, channel, kind of message, number. Knows no drivers, no controls.
"""

from typing import Final, Literal, NamedTuple

Kind = Literal["cc", "cc14", "nrpn", "note", "poly", "pressure", "bend", "program"]

CHANNELS: Final = 16
# How each kind is called; the highest number of its sources, None: a channel has one source of this kind.
KINDS: Final[dict[Kind, tuple[str, int | None]]] = {
    "cc": ("CC", 127),
    "cc14": ("CC14", 31),  # a coarse value, and a fine value whose number is 32 above
    "nrpn": ("NRPN", 0x3FFF),
    "note": ("note", 127),
    "poly": ("pad pressure", 127),
    "pressure": ("pressure", None),  # of a channel
    "bend": ("pitch bend", None),
    "program": ("program", 127),
}
BUTTONS: Final = frozenset[Kind]({"note", "program"})  # kinds that are always pressed, never turned


class MidiSource(NamedTuple):
    """A source. None as ``number``, ``channel`` (1 to 16) or ``port`` stands for any."""

    kind: Kind
    number: int | None = None
    channel: int | None = None
    port: str | None = None

    def __str__(self) -> str:
        """Return the source as people read it: "CC 16 ch 2 of nanoKONTROL2"."""
        number = "" if self.number is None else f" {self.number}"
        channel = "" if self.channel is None else f" ch {self.channel}"
        return f"{KINDS[self.kind][0]}{number}{channel}" + ("" if self.port is None else f" of {self.port}")

    def covers(self, other: "MidiSource") -> bool:
        """Return whether ``other``, whose fields are known, is this source, or one of these sources.

        A source of coarse values covers that of fine ones: they are one knob.
        """
        return (
            (self.kind == other.kind or (self.kind, other.kind) == ("cc", "cc14"))
            and self.number in (None, other.number)
            and self.channel in (None, other.channel)
            and self.port in (None, other.port)
        )


class MidiEvent(NamedTuple):
    """What a source did: it has a position, or it was pressed or released."""

    source: MidiSource  # with port and channel
    value: float  # the position, the velocity or the pressure, 0 to 1
    raw: int = 0  # the value as it was sent
    pressed: bool | None = None  # a note or a program; None: a source with positions
    refused: str = ""  # why nobody can learn this source, as people read it: "bank select"
