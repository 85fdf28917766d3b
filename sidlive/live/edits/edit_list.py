"""The edits in force: what verbs and knobs have changed in the music that the model hears, or on the way to the chip.

An edit is **heard** if the model hears it: its past is edited, and the continuation is in that shape. Otherwise it is
made on the way to the chip, and the model does not know of it. A *standing* edit is made by a control, and ends when
the control is back at 0; the others are made by verbs, one on top of the other. Plain values; knows no tape.
"""

from dataclasses import dataclass
from typing import Any, Final

from sidlive.chip.registers import VOICES
from sidlive.errors import ControlError
from sidlive.live.controls import CONTROLS, one_voice
from sidlive.live.state import ControlValue
from sidlive.tune.shaping.grid import beats_of
from sidlive.tune.shaping.past_edits import STANDING, Edits, Material, PastEdit

# The verb and the voice (from 1; None: it concerns all) of the edit that each control makes.
EDIT_CONTROLS: Final[dict[str, tuple[str, int | None]]] = {
    "thin": ("thin", None),
    **{f"octave{voice}": ("octave", voice) for voice in range(1, VOICES + 1)},
    **{f"invert{voice}": ("invert", voice) for voice in range(1, VOICES + 1)},
    "swing": ("swing", None),
    "rotate": ("rotate", None),
}
# Verbs of edits that can also be made on the way to the chip.
REMIXED: Final = frozenset({"thin", "octave", "invert", "rotate", "swap", "echo"})
# The number of arguments of each edit that a verb makes, without the fragment that it borrows from.
_LENGTHS: Final = {"swap": 2, "stretch": 1, "reverse": 1, "chop": 2, "echo": 3, "timbre": 2, "rhythm": 2}
TENTH: Final = 0.1  # a thinning changes in these steps, since each change of the past is heard anew


@dataclass(frozen=True)
class MadeEdit:
    """One edit in force."""

    edit: PastEdit
    heard: bool  # by the model
    control: str = ""  # the control that made it; empty: a verb did

    def __str__(self) -> str:
        text = str(self.edit)
        return text if self.heard else f"{text[:-1]}, heard=False)"


EditList = tuple[MadeEdit, ...]


def with_control(edits: EditList, name: str, value: ControlValue, heard: bool) -> EditList:
    """Return the edits after a control of `EDIT_CONTROLS` was set; it becomes the latest edit, or ends at 0."""
    others = tuple(made for made in edits if made.control != name)
    verb, voice = EDIT_CONTROLS[name]
    number = round(float(value) / TENTH) * TENTH if verb == "thin" else float(value)
    if not number:
        return others
    if verb == "invert":
        arguments: tuple[Any, ...] = (voice,)
    else:
        amount: float = int(number) if CONTROLS[name].whole else round(number, 4)
        arguments = (amount,) if voice is None else (voice, amount)
    return (*others, MadeEdit(PastEdit(verb, arguments), heard, name))


def heard_edits(edits: EditList, composing: bool) -> Edits:
    """Return the edits that the model hears, in the order in which they are applied.

    ``composing``: a composer writes the notes, so swing is already in its plan.
    """
    return _ordered(made for made in edits if made.heard and not (composing and made.edit.verb == "swing"))


def remix_edits(edits: EditList) -> Edits:
    """Return the edits that are made on the way to the chip, in the order in which they are applied."""
    return _ordered(made for made in edits if not made.heard and made.edit.verb in REMIXED)


def _ordered(edits: Any) -> Edits:
    """Return edits of verbs in their order, then the standing ones in the order of `STANDING`, by voice."""
    chosen = [made.edit for made in edits]
    standing = sorted(
        (edit for edit in chosen if edit.verb in STANDING), key=lambda edit: (STANDING.index(edit.verb), edit.arguments)
    )
    return (*(edit for edit in chosen if edit.verb not in STANDING), *standing)


def checked(verb: str, arguments: list[Any], material: Material | None = None) -> PastEdit:
    """Return the edit that a verb with these arguments makes, with ``material`` to borrow from. Raises ControlError."""
    if verb not in _LENGTHS or len(arguments) != _LENGTHS[verb]:
        raise ControlError(f"no edit {verb!r} of {len(arguments)} arguments; there are {', '.join(_LENGTHS)}")
    if verb == "swap":
        one, other = (one_voice(voice) + 1 for voice in arguments)
        if one == other:
            raise ControlError(f"swap expects two voices, found {one} twice")
        return PastEdit(verb, (min(one, other), max(one, other)))
    if verb == "stretch":
        (factor,) = arguments
        if isinstance(factor, bool) or factor not in (0.5, 2):
            raise ControlError(f"stretch expects 0.5, double speed, or 2, half speed, found {factor!r}")
        return PastEdit(verb, (float(factor),))
    if verb in ("reverse", "chop"):
        beats_of(arguments[0], 1)
        if verb == "chop" and (isinstance(arguments[1], bool) or not isinstance(arguments[1], int) or arguments[1] < 0):
            raise ControlError(f"chop expects a seed, a whole number from 0 on, found {arguments[1]!r}")
        return PastEdit(verb, tuple(arguments))
    voice = one_voice(arguments[0]) + 1
    source = None if arguments[-1] is None else one_voice(arguments[-1]) + 1
    if verb == "echo":
        beats_of(arguments[1], 1)
        return PastEdit(verb, (voice, arguments[1], source))
    return PastEdit(verb, (voice, source), material)
