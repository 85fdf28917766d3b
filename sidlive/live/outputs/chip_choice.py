"""A chip as the performer writes it: "asid:PORT", "u64:HOST", with options after a question mark."""

from dataclasses import dataclass
from typing import Final, Literal, cast

from sidlive.chip.registers import VOICES
from sidlive.errors import ControlError
from sidlive.live.controls import mask_text, parse_voices
from sidlive.live.outputs.receiver import Receiver

ChipKind = Literal["asid", "u64"]
Listening = Literal["both", "chip", "emulator"]

OFF: Final = "off"
LISTENING: Final[tuple[Listening, ...]] = ("both", "chip", "emulator")
_EXAMPLES: Final = '"asid:PORT" (a MIDI port\'s name or part of it) or "u64:HOST" (an Ultimate\'s address)'


@dataclass(frozen=True)
class ChipChoice:
    """A chip that is to play."""

    kind: ChipKind
    target: str  # a MIDI port's name or part of it, or a host
    voices: frozenset[int] = frozenset(range(VOICES))  # 0, 1, 2: those that it plays
    extended: bool = False  # ASID: send write order, speed and chip type too

    @property
    def name(self) -> str:
        """The chip as the performer writes it, without options."""
        return f"{self.kind}:{self.target}"

    @property
    def receiver(self) -> Receiver:
        """The chip as a sender knows it."""
        return Receiver(self.kind, self.target, self.name)


def parse_chip(spec: object, voices: object = None, extended: bool | None = None) -> ChipChoice:
    """Return the chip that a text means: "asid:PORT", "u64:HOST", "asid:PORT?voices=3&extended". Raises ControlError.

    ``voices`` and ``extended`` outweigh the options in the text.
    """
    kind, colon, rest = spec.partition(":") if isinstance(spec, str) else ("", "", "")
    target, _, options = rest.partition("?")
    target = target.strip()
    if kind not in ("asid", "u64") or not colon or not target:
        raise ControlError(f"out expects {_EXAMPLES}, found {spec!r}")
    for option in options.split("&") if options else []:
        name, equals, value = option.partition("=")
        if name == "voices" and equals:
            voices = value if voices is None else voices
        elif option == "extended":
            extended = True if extended is None else extended
        else:
            raise ControlError(f"an option of out is voices=1-3 or extended, found {option!r} in {spec!r}")
    if extended and kind != "asid":
        raise ControlError(f"extended is for asid: an Ultimate takes registers only; found {spec!r}")
    chosen = parse_voices("all" if voices is None else voices)
    if not chosen:
        raise ControlError(f"a chip plays one voice at least, found voices={voices!r}")
    return ChipChoice(cast(ChipKind, kind), target, chosen, bool(extended))


def parse_listening(choice: object) -> Listening:
    """Return which of the emulator and the chips is heard. Raises ControlError."""
    if choice not in LISTENING:
        raise ControlError(f"listen expects one of {', '.join(LISTENING)}, found {choice!r}")
    return cast(Listening, choice)


def voices_text(choice: ChipChoice) -> str:
    """Return the voices that a chip plays, "123"."""
    return mask_text(choice.voices)
