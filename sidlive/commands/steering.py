"""Options for the instrument's controls that decide what is generated, each derived from its declaration."""

import argparse
from itertools import product
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sidlive.chip.registers import Frames, VideoTiming
    from sidlive.live.controls import Control
    from sidlive.live.core.desk import Desk
    from sidlive.live.state import ControlValue
    from sidlive.model.composer.continuation import Manner
    from sidlive.tune.beat import Beat

    Settings = dict[str, ControlValue]  # values of controls, by name

# Controls that change the prompt, or what the chip plays of the music, and not the choice of the frames.
_NOT_CHOOSING: Final = frozenset({"transpose", "mask", "seed"})


def steering_controls() -> "tuple[Control, ...]":
    """Return the controls that decide how a prompt is continued, edits of the prompt excepted."""
    from sidlive.live.controls import CONTROLS
    from sidlive.live.edits.edit_list import EDIT_CONTROLS

    others = _NOT_CHOOSING | EDIT_CONTROLS.keys()
    return tuple(one for one in CONTROLS.values() if one.kind == "steer" and one.name not in others)


def add_steering_options(parser: argparse.ArgumentParser, several: bool = False) -> None:
    """Add an option for each of these controls (``--top-p 0.9``, ``--filter 0``).

    `settings_from` reads them. ``several``: the help says that an option may have several values.
    """
    more = ". Numbers may be several, separated by commas: then each combination is tried" if several else ""
    group = parser.add_argument_group("controls", f"The values are those of set() at the prompt{more}.")
    for one in steering_controls():
        name, dest = f"--{one.name.replace('_', '-')}", f"control_{one.name}"
        group.add_argument(name, dest=dest, metavar="X", help=f"{one.help} (default: {text_of(one.default)})")


def settings_from(arguments: argparse.Namespace) -> "list[Settings]":
    """Return the settings that differ from the defaults, once for each combination of an option's values.

    A control that has several values is in all of them. Raises ControlError.
    """
    given: list[list[tuple[str, ControlValue]]] = []
    for one in steering_controls():
        if (text := getattr(arguments, f"control_{one.name}")) is not None:
            spelled = [_number(part) for part in text.split(",")] if one.low is not None else [text]
            values = list(dict.fromkeys(map(one.typed, spelled)))
            if values != [one.default]:
                given.append([(one.name, value) for value in values])
    return [dict(combination) for combination in product(*given)]


def one_setting(arguments: argparse.Namespace) -> "Settings":
    """Return the settings that differ from the defaults. Raises ControlError if an option has several values."""
    from sidlive.errors import ControlError

    settings, *others = settings_from(arguments)
    for name in settings:
        if values := [other[name] for other in others if other[name] != settings[name]]:
            raise ControlError(f"{name} expects one value, found {text_of(settings[name])} and {text_of(values[0])}")
    return settings


def desk_with(settings: "Settings", seed: int, timing: "VideoTiming") -> "Desk":
    """Return a desk with these settings. Raises ControlError."""
    from sidlive.live.core.desk import Desk

    desk = Desk(seed, timing)
    for name, value in settings.items():
        desk.set(name, value)
    return desk


def manner_of(desk: "Desk", prompt: "Frames", beat: "Beat", lane: int = 0) -> "Manner":
    """Return how a prompt ``uint8[T, 28]`` with this beat is continued under a desk's settings.

    ``lane``: selects one of the independent random streams of the desk's seed.
    """
    from sidlive.live.timing.clock import Clock
    from sidlive.model.composer.continuation import Manner

    desk.set_prompt(prompt)
    clock = Clock(beat.frames, beat.bar, beat.downbeat - len(prompt))
    return Manner(desk.sampling(lane, beat.bar * beat.whole_frames), desk.plan(lane, clock), desk.constraints)


def text_of(value: "ControlValue") -> str:
    """Return the value of a control as it is typed."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _number(text: str) -> Any:
    """Return the number that a text spells; a text that spells none, as it is."""
    try:
        return float(text)
    except ValueError:
        return text
