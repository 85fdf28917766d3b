"""What a sender process sends to: a chip, or those who follow our clock."""

from dataclasses import dataclass
from typing import Literal

ReceiverKind = Literal["asid", "u64", "clock"]


@dataclass(frozen=True)
class Receiver:
    """A port or host that gets messages at their times."""

    kind: ReceiverKind
    target: str  # a MIDI port's name or part of it, or a host
    name: str  # in notices
    while_gone: str = "it plays again when it is back"  # in the notice that the port is gone
