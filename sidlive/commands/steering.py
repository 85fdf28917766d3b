"""Options for the instrument's controls that decide what is generated, each derived from its declaration."""

import argparse
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sidlive.chip.registers import VideoTiming
    from sidlive.live.controls import Control
    from sidlive.live.core.desk import Desk

# Controls that change the prompt, or what the chip plays of the music, and not the choice of the frames.
_NOT_CHOOSING: Final = frozenset({"transpose", "mask", "seed"})


def steering_controls() -> "tuple[Control, ...]":
    """Return the controls that decide how a prompt is continued, edits of the prompt excepted."""
    from sidlive.live.controls import CONTROLS
    from sidlive.live.edits.edit_list import EDIT_CONTROLS

    others = _NOT_CHOOSING | EDIT_CONTROLS.keys()
    return tuple(one for one in CONTROLS.values() if one.kind == "steer" and one.name not in others)


def add_steering_options(parser: argparse.ArgumentParser) -> None:
    """Add an option for each of these controls (``--top-p``; switches also as ``--no-filter``), and ``--seed``.

    `desk_from` reads them.
    """
    for one in steering_controls():
        name, dest = f"--{one.name.replace('_', '-')}", f"control_{one.name}"
        if one.switch:
            default = "on" if one.default else "off"
            parser.add_argument(
                name, dest=dest, action=argparse.BooleanOptionalAction, help=f"{one.help} (default: {default})"
            )
        else:
            parser.add_argument(name, dest=dest, metavar="X", help=f"{one.help} (default: {_text(one.default)})")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="S", help="the same seed gives the same result (default: 0)"
    )


def desk_from(arguments: argparse.Namespace, timing: "VideoTiming") -> "Desk":
    """Return a desk with the controls as `add_steering_options` read them. Raises ControlError."""
    from sidlive.live.core.desk import Desk

    desk = Desk(arguments.seed, timing)
    for one in steering_controls():
        if (value := getattr(arguments, f"control_{one.name}")) is not None:
            desk.set(one.name, _number(value) if one.low is not None else value)
    return desk


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _number(value: Any) -> Any:
    """Return the number that a text spells; another value, and a text that spells none, as it is."""
    try:
        return value if isinstance(value, bool) else float(value)
    except ValueError:
        return value
