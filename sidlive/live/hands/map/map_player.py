"""The map player: does the deeds of sources, as the maps say.

It remembers which bank each controller is in, which buttons are down and which knobs have hold of their controls.
"""

import contextlib
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from sidlive.errors import SidliveError
from sidlive.live.hands.deeds import CallVerb, ChooseBank, Deed, MoveControl
from sidlive.live.hands.map.binding import Binding
from sidlive.live.hands.map.map_folder import Bound, MapFolder
from sidlive.live.hands.map.midi_source import BUTTONS, Kind, MidiEvent, MidiSource
from sidlive.live.hands.map.takeover import Encoding, Grasp, Stepper, Takeover, TakeoverMode
from sidlive.live.state import ControlValue, State

_QUIET_S: Final = 2.0  # an error is shown again after so long
# Kinds whose position follows the hand for a moment only, so the control jumps to it.
_MOMENTARY: Final = frozenset[Kind]({"poly", "pressure", "bend"}) | BUTTONS


class Does(Protocol):
    """The part of the actor that the map player uses (`sidlive.live.hands.actor.Actor`)."""

    def value(self, name: str) -> ControlValue: ...

    def set_value(self, name: str, value: object) -> None: ...

    def cancel(self, numbers: Collection[int]) -> bool: ...

    def call(self, deed: CallVerb) -> bool: ...

    def is_lit(self, deed: CallVerb, state: State) -> bool: ...


@dataclass(frozen=True)
class Knob:
    """The source that moves a control, as people read it, and where it is if it has no hold of the control."""

    label: str
    place: float | None = None  # in the control's range, 0 to 1


class MapPlayer:
    """Does deeds. One thread calls `play`; any thread may call `knobs`."""

    def __init__(self, maps: MapFolder, actor: Does, state: Callable[[], State], tell: Callable[[str], object]) -> None:
        """``tell`` shows the performer a line."""
        self._maps, self._actor, self._state, self._tell = maps, actor, state, tell
        self._banks: dict[Path, int] = {}  # by the file of the map; 1 where it was never chosen
        self._down: dict[MidiSource, bool] = {}
        self._grasps: dict[tuple[MidiSource, int], tuple[Binding, Grasp]] = {}  # by source and identity of binding
        # What is held, and what comes back at the release: a control's value, a bank, nothing for a verb.
        self._held: dict[tuple[MidiSource, int], tuple[Bound, ControlValue | None]] = {}
        self._asked: dict[tuple[MidiSource, int], set[int]] = {}  # numbers of a toggle's commands, which may still wait
        self._errors: dict[str, float] = {}  # lines, and when they were shown last
        self._labels: tuple[tuple[object, ...], dict[str, str]] = ((), {})

    def bank(self, path: Path) -> int:
        """Return the bank that is chosen in a map."""
        return self._banks.get(path, 1)

    def play(self, event: MidiEvent, steps: Mapping[Encoding, int] | None = None) -> str:
        """Do the deeds of a source; return what was done, as people read it.

        ``steps``: what an encoder sent since the last time, by encoding.
        """
        source = event.source
        was_down = self._down.get(source, False)
        down = event.pressed if event.pressed is not None else event.value >= 0.5
        self._down[source] = down and source.kind != "program"  # programs are never released
        done = []
        counting = {id(bound) for bound in self._maps.in_banks(source, self.bank)}
        for bound in self._maps.for_source(source):
            binding = bound.binding
            is_held = (source, id(binding)) in self._held
            if id(bound) not in counting and not is_held:  # what is held is released in any bank
                if binding.mode == "value":
                    self._grasp(source, bound).seen(event.value)
                continue
            try:
                if binding.mode == "value":
                    done.append(self._turn(event, bound, steps))
                elif down != was_down:
                    done.append(self._press(source, bound) if down else self._release(source, bound))
            except SidliveError as error:
                done.append("failed")
                self._fail(f"{source}: {error}")
        return "; ".join(text for text in done if text)

    def is_on(self, binding: Binding, path: Path, state: State) -> bool:
        """Return whether the effect of a button's deed is there."""
        deed = binding.deed
        if isinstance(deed, CallVerb):
            return self._actor.is_lit(deed, state)
        if isinstance(deed, ChooseBank):
            return not deed.step and self.bank(path) == deed.bank
        assert binding.way is not None
        return self._actor.value(deed.name) == binding.way.value(1.0)

    def knobs(self, ports: tuple[str, ...], values: Mapping[str, ControlValue]) -> dict[str, Knob]:
        """Return the knob of each control that has one. ``ports``: the controllers that are there."""
        key = (self._maps.version, ports, tuple(self._banks.items()))
        if self._labels[0] != key:
            self._labels = key, self._label_all(ports)
        knobs = {name: Knob(label) for name, label in self._labels[1].items()}
        for (source, _), (binding, grasp) in list(self._grasps.items()):
            deed = binding.deed
            if isinstance(deed, MoveControl) and source.port in ports and deed.name in knobs and deed.name in values:
                place = grasp.distant(values[deed.name])
                if place is not None and any(
                    bound.binding is binding for bound in self._maps.in_banks(source, self.bank)
                ):
                    knobs[deed.name] = replace(knobs[deed.name], place=place)
        return knobs

    def forget(self) -> None:
        """Let go of everything: the maps have changed."""
        self._release_all(list(self._held))
        self._grasps.clear()

    def unplugged(self, port: str) -> None:
        """Release what is held on a controller that is gone: no message will do it."""
        self._release_all([held for held in self._held if held[0].port == port])
        self._down = {source: down for source, down in self._down.items() if source.port != port}

    def _release_all(self, held: list[tuple[MidiSource, int]]) -> None:
        for key in held:
            with contextlib.suppress(SidliveError):
                self._release(key[0], self._held[key][0])

    # -- deeds

    def _turn(self, event: MidiEvent, bound: Bound, steps: Mapping[Encoding, int] | None) -> str:
        """Move a control by a position, or by an encoder's steps."""
        binding = bound.binding
        assert binding.way is not None
        if event.pressed is False:
            return ""
        name, amount = binding.way.name, event.value
        if binding.encoder is not None:
            amount = (steps or {}).get(binding.encoder, 0)
        now = self._actor.value(name)
        value = self._grasp(event.source, bound).turn(amount, now)
        if value is None:
            return "" if binding.encoder else f"{name} waits: it is at {_short(now)}"
        self._actor.set_value(name, value)
        return f"{name} {_short(value)}"

    def _press(self, source: MidiSource, bound: Bound) -> str:
        """Do a button's deed. A toggle whose deed still waits for its moment takes it back instead."""
        if bound.binding.mode != "toggle":
            return self._do(source, bound)
        key = source, id(bound.binding)
        if self._actor.cancel(self._asked.pop(key, ())):
            return f"{bound.binding.deed} taken back"
        waited = {entry.number for entry in self._state().pending}
        done = self._do(source, bound)
        self._asked[key] = {
            entry.number
            for entry in self._state().pending
            if entry.number not in waited and entry.text.startswith(_commands_of(bound.binding.deed))
        }
        return done

    def _do(self, source: MidiSource, bound: Bound) -> str:
        binding, deed = bound.binding, bound.binding.deed
        undo = binding.mode == "toggle" and self.is_on(binding, bound.map.path, self._state())
        if binding.mode == "hold":
            before: ControlValue | None = self._actor.value(deed.name) if isinstance(deed, MoveControl) else None
            before = self.bank(bound.map.path) if isinstance(deed, ChooseBank) else before
            self._held[source, id(binding)] = bound, before
        if isinstance(deed, CallVerb):
            return self._call(deed.opposite if undo and deed.opposite is not None else deed)
        if isinstance(deed, ChooseBank):
            return self._choose(bound, 1 if undo else self._bank_after(bound, deed))
        assert binding.way is not None
        value = binding.way.value(0.0 if undo else 1.0)
        self._actor.set_value(deed.name, value)
        return f"{deed.name} {_short(value)}"

    def _release(self, source: MidiSource, bound: Bound) -> str:
        binding, deed = bound.binding, bound.binding.deed
        held = self._held.pop((source, id(binding)), None)
        if held is None:
            return ""
        _, before = held
        if isinstance(deed, CallVerb):
            return self._call(deed.opposite) if deed.opposite is not None else ""
        if isinstance(deed, ChooseBank):
            return self._choose(bound, int(before or 1))
        self._actor.set_value(deed.name, before)
        return f"{deed.name} {_short(before or 0)}"

    def _call(self, deed: CallVerb) -> str:
        return f"{deed}" if self._actor.call(deed) else f"{deed} in the session"

    def _bank_after(self, bound: Bound, deed: ChooseBank) -> int:
        """Return the bank that a button chooses; steps go round."""
        if not deed.step:
            return deed.bank
        return (self.bank(bound.map.path) - 1 + deed.bank) % bound.map.banks + 1

    def _choose(self, bound: Bound, bank: int) -> str:
        """Choose a bank; its knobs have to pick up their controls."""
        path = bound.map.path
        if bank != self.bank(path):
            self._banks[path] = bank
            for (source, _), (binding, grasp) in list(self._grasps.items()):
                if binding.bank is not None and any(other.map.path == path for other in self._maps.for_source(source)):
                    grasp.let_go()
        return f"bank {bank}"

    def _grasp(self, source: MidiSource, bound: Bound) -> Grasp:
        """Return the hold of a source on the control of a binding."""
        binding = bound.binding
        grasp: Grasp
        known = self._grasps.get((source, id(binding)))
        if known is not None:
            grasp = known[1]
        else:
            assert binding.way is not None
            usual: TakeoverMode = "jump" if source.kind in _MOMENTARY else bound.map.takeover
            if binding.encoder is not None:
                grasp = Stepper(binding.way, binding.step)
            else:
                grasp = Takeover(binding.way, binding.takeover or usual)
            self._grasps[source, id(binding)] = binding, grasp
        return grasp

    def _label_all(self, ports: tuple[str, ...]) -> dict[str, str]:
        """Return the names of the knobs; those of controllers that are there, then those of any controller."""
        labels: dict[str, str] = {}
        there = [(port, bound) for port in ports for bound in self._maps.bounds(port)]
        others = [(bound.map.controller, bound) for bound in self._maps.all() if bound.map.controller or not ports]
        bounds = sorted(there, key=lambda found: not found[1].map.controller) + others
        for port, bound in bounds:
            deed = bound.binding.deed
            if isinstance(deed, MoveControl) and bound.binding.is_in(self.bank(bound.map.path)):
                source = bound.binding.source
                named = source._replace(port=source.port or port) if bound.map.controller else source
                labels.setdefault(deed.name, str(named))
        return labels

    def _fail(self, line: str) -> None:
        """Show the performer why a deed failed, but not with each message of a turning knob."""
        now = time.monotonic()
        if now - self._errors.get(line, -_QUIET_S) >= _QUIET_S:
            self._errors = {line: now}
            self._tell(line)


def _commands_of(deed: Deed) -> tuple[str, ...]:
    """Return how the commands of a toggle begin, as `PendingState.text` shows them."""
    if isinstance(deed, CallVerb):
        return f"{deed.name}(", f"{deed.verb.opposite}("
    return (f"set({str(deed)!r}",)


def _short(value: ControlValue) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
