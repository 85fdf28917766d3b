"""Edits of the past as values, and the change from music under some edits to music under others. Loads no numba.

An edit is a verb and its arguments, voices as people count them (1, 2, 3). **Exact** edits can be taken back from the
frames themselves; after any other, what was made under it cannot be heard without it.
"""

from dataclasses import dataclass
from typing import Any, Final

from sidlive.chip.registers import VOICES, Frames
from sidlive.tune.shaping.grid import BarGrid


@dataclass(frozen=True, eq=False)
class Material:
    """A fragment that an edit borrows from: its name, its frames ``uint8[T, 28]`` and their grid."""

    name: str
    frames: Frames
    grid: BarGrid


@dataclass(frozen=True)
class PastEdit:
    """One edit: a verb, its arguments, and the fragment that it borrows from."""

    verb: str
    arguments: tuple[Any, ...] = ()
    material: Material | None = None

    def __str__(self) -> str:
        borrowed = () if self.material is None else (self.material.name,)
        shown = list((*self.arguments[:1], *borrowed, *self.arguments[1:]))
        while shown and shown[-1] is None:  # None is the default
            shown.pop()
        return f"{self.verb}({', '.join(map(repr, shown))})"


Edits = tuple[PastEdit, ...]

# The edits that controls make, in the order in which they follow the others.
STANDING: Final = ("thin", "octave", "invert", "swing", "rotate")


def converted(made: Edits, wanted: Edits) -> Edits | None:
    """Return the edits that make music made under the edits ``made`` into music under ``wanted``; None if none do.

    ``made`` and ``wanted``: the edits of verbs, then the standing ones in their order. Of the standing edits, a
    thinning can only grow and a mirror image stays one.
    """
    one, other = (tuple(edit for edit in edits if edit.verb not in STANDING) for edits in (made, wanted))
    same = 0
    while same < min(len(one), len(other)) and one[same] == other[same]:
        same += 1
    old, new = ({_key(edit): edit for edit in edits[len(verbs) :]} for edits, verbs in ((made, one), (wanted, other)))
    if len(one) == same:
        return _changed(old, new, other[same:])
    standing = _changed(old, {}, ())
    back = [edit for edit in reversed(one[same:]) if edit.verb == "swap"]
    if standing is None or len(back) < len(one) - same:
        return None
    return (*standing, *back, *other[same:], *new.values())


_Key = tuple[Any, ...]


def _key(edit: PastEdit) -> _Key:
    """Return what identifies the control of a standing edit."""
    return (edit.verb, *edit.arguments[:1]) if edit.verb in ("octave", "invert") else (edit.verb,)


def _changed(old: dict[_Key, PastEdit], new: dict[_Key, PastEdit], between: Edits) -> Edits | None:
    """Return the edits that lead from standing edits to others, with further edits ``between``; None if none do."""
    if any(key[0] == "invert" and key not in new for key in old):
        return None
    thinned, thinner = _number(old, "thin"), _number(new, "thin")
    if thinner < thinned:
        return None
    octaves: list[PastEdit] = []
    for voice in range(1, VOICES + 1):
        by = _number(new, "octave", voice) - _number(old, "octave", voice)
        octaves += [PastEdit("octave", (voice, int(by)))] if by else []
    straight = (PastEdit("swing", (0.0, swing_before)),) if between and (swing_before := _number(old, "swing")) else ()
    swing_before, late = 0.0 if between else _number(old, "swing"), _number(new, "swing")
    inner: Edits = (
        *straight,
        *between,
        *([PastEdit("thin", (1 - (1 - thinner) / (1 - thinned),))] if thinner > thinned else []),
        *octaves,
        *(edit for key, edit in new.items() if key[0] == "invert" and key not in old),
        *([PastEdit("swing", (late, swing_before))] if late != swing_before else []),
    )
    turned, turns = int(_number(old, "rotate")), int(_number(new, "rotate"))
    if not inner:
        by = (turns - turned) % VOICES
        return (PastEdit("rotate", (int(by),)),) if by else ()
    first = (PastEdit("rotate", (-turned % VOICES,)),) if turned else ()
    return (*first, *inner, *((PastEdit("rotate", (turns,)),) if turns else ()))


def _number(edits: dict[_Key, PastEdit], *key: Any) -> float:
    """Return the last argument of a standing edit; 0 without it."""
    return float(edits[key].arguments[-1]) if key in edits else 0.0
