"""The verbs for real chips: which of them play, and what is heard."""

import time
from typing import Final

from sidlive.errors import ControlError, DeviceError
from sidlive.live.outputs.chip_choice import LISTENING, OFF, parse_chip, parse_listening
from sidlive.live.state import OutputState
from sidlive.live.verbs.declaration import verb
from sidlive.live.verbs.fragments import FragmentVerbs, shown

OPEN_S: Final = 12.0  # time for a port to open; a host gives an answer, or none, within a few seconds
_LOOK_S: Final = 0.05


class ChipVerbs(FragmentVerbs):
    """The verbs for real chips. Any thread may call any verb."""

    @verb()
    def out(
        self,
        chip: str | None = None,
        on: bool = True,
        voices: int | str | list[int] | None = None,
        extended: bool | None = None,
    ) -> list[OutputState]:
        """Play on a real SID too: ``out("asid:PORT")`` over MIDI, ``out("u64:HOST")`` on an Ultimate; returns all.

        PORT is a MIDI port's name or part of it. ``voices="3"``: the chip plays voice 3 only; another chip may play
        the others. ``extended=True`` sends write order, speed and chip type as well, for receivers that know them.
        ``on=False`` ends it, and ``out("off")`` ends all; the chip is silent then, also if sidlive dies.
        ``set("align", 5)`` has chips play 5 ms later than the emulator, ``listen`` chooses what is heard.
        """
        if chip is None:
            return list(self._core.outputs())
        if not isinstance(on, bool):
            raise ControlError(f"out expects on=True or on=False, found {shown(on)}")
        if chip == OFF:
            self._core.out(chip)
            return list(self._core.outputs())
        name = parse_chip(chip, voices, extended).name
        self._core.out(chip, on, voices, extended)
        return self._opened(name) if on else list(self._core.outputs())

    @verb(bindable=True)
    def listen(self, to: str | None = None) -> str:
        """Hear the emulator, the chips or both: ``listen("chip")``, ``listen("emulator")``, ``listen("both")``.

        Without an argument it goes to the next of them. Returns what is heard.
        """
        now = self._link.state().listening
        if to in (None, "chip") and not self._core.outputs():
            raise ControlError('no chip plays that could be listened to: out("asid:PORT") adds one')
        choice = parse_listening(to if to is not None else LISTENING[(LISTENING.index(now) + 1) % len(LISTENING)])
        self._core.listen(choice)
        return choice

    def _opened(self, name: str) -> list[OutputState]:
        """Return all outputs once this one is open. Raises DeviceError if it does not open."""
        deadline = time.monotonic() + OPEN_S
        while True:
            states = list(self._core.outputs())
            ours = next((state for state in states if state.name == name), None)
            if ours is None or ours.status not in ("opening", "failed"):
                return states
            if ours.status == "failed" or time.monotonic() > deadline:
                self._core.out(name, False)
                raise DeviceError(f"{name}: {ours.error or f'it did not open in {OPEN_S:.0f} s'}")
            time.sleep(_LOOK_S)
