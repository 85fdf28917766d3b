"""The verbs that edit what the model has heard, while it plays: the continuation is then in that shape.

An edit stays until `unedit` takes it back, also through other prompts, and the next one is made on top of it. rotate,
octave, thin, invert and swing are controls too, for knobs, ramps and loops: they say how much, and 0 ends them.
"""

from typing import TYPE_CHECKING, Any

from sidlive.errors import ControlError
from sidlive.live.controls import control, one_voice
from sidlive.live.edits.edit_list import checked
from sidlive.live.verbs.declaration import in_force, verb
from sidlive.live.verbs.fragments import FragmentVerbs, shown

if TYPE_CHECKING:
    from sidlive.live.state import ControlValue
    from sidlive.tune.fragment import Fragment


class EditVerbs(FragmentVerbs):
    """The verbs for edits of the music. Any thread may call any verb."""

    @verb(timed=True, opposite="unedit", undo_arguments=0, lit=in_force("rotate"))
    def rotate(self, voices: int = 1, heard: bool | None = None) -> None:
        """Edit: move each voice's music this many voices on, 1 to 2 to 3 to 1; ``rotate(0)`` ends it.

        As every edit: what the model has heard is changed, the prompt and all that was played, and the music goes on in
        that shape. With ``heard=False`` the change is made on the way to the chip and the model does not hear it;
        without `heard` the control of that name says which. unedit() takes the latest edit back.
        """
        self._stand("rotate", voices, heard)

    @verb(timed=True, opposite="unedit", undo_arguments=0, lit=in_force("swap"))
    def swap(self, one: int | str, other: int | str, heard: bool | None = None) -> None:
        """Edit: exchange two voices, with their filter routing: ``swap(1, 3)``. `heard`: see rotate."""
        self._reshape("swap", [one, other], heard=heard)

    @verb(timed=True, opposite="unedit", undo_arguments=0, lit=in_force("octave"))
    def octave(self, voice: int | str, octaves: int = 1, heard: bool | None = None) -> None:
        """Edit: play a voice this many octaves higher than the original: ``octave(1, -1)``; ``octave(1, 0)`` ends it.

        Drums and noise keep their pitch. `heard`: see rotate.
        """
        self._stand(f"octave{one_voice(voice) + 1}", octaves, heard)

    @verb(timed=True, opposite="unedit", undo_arguments=0, lit=in_force("invert"))
    def invert(self, voice: int | str, on: bool = True, heard: bool | None = None) -> None:
        """Edit: turn a voice's melody upside down, within its range and the music's key; ``on=False`` ends it.

        `heard`: see rotate.
        """
        self._stand(f"invert{one_voice(voice) + 1}", int(on) if isinstance(on, bool) else on, heard)

    @verb(timed=True, opposite="unedit", undo_arguments=0, lit=in_force("thin"))
    def thin(self, amount: float = 0.5, heard: bool | None = None) -> None:
        """Edit: leave out this share of the notes of every voice, up to 0.9; the first of each bar stays; 0 ends it.

        `heard`: see rotate.
        """
        self._stand("thin", amount, heard)

    @verb(timed=True, opposite="unedit", undo_arguments=0, lit=in_force("echo"))
    def echo(
        self, voice: int | str, length: str = "1/8", to: int | str | None = None, heard: bool | None = None
    ) -> None:
        """Edit: repeat a voice's notes a length later, softer, where that voice rests: ``echo(1, "1/8")``.

        With `to` they are heard in the rests of another voice: ``echo(3, "1/4", to=2)``. `heard`: see rotate.
        """
        self._reshape("echo", [voice, length, to], heard=heard)

    @verb(timed=True, opposite="unedit", undo_arguments=0, lit=in_force("stretch"))
    def stretch(self, factor: float) -> None:
        """Edit: play the notes at half speed, ``stretch(2)``, or at double speed, ``stretch(0.5)``; sounds stay."""
        self._reshape("stretch", [factor])

    @verb(timed=True, opposite="unedit", undo_arguments=0, lit=in_force("reverse"))
    def reverse(self, length: str = "bar") -> None:
        """Edit: play the notes of each bar in the opposite order; or of each ``"1/2"``, ``"2 bars"``, ``"beat"``."""
        self._reshape("reverse", [length])

    @verb(timed=True, opposite="unedit", undo_arguments=0, lit=in_force("chop"))
    def chop(self, length: str = "1/4", seed: int = 1) -> None:
        """Edit: cut each bar into slices and play them in another order; each `seed` has its own, for all bars."""
        self._reshape("chop", [length, seed])

    @verb(timed=True, names="fragment", argument=1, opposite="unedit", undo_arguments=0, lit=in_force("timbre"))
    def timbre(self, voice: int | str, fragment: "Fragment | str", source: int | str | None = None) -> None:
        """Edit: play a voice's notes with the usual instrument of the same voice, or of `source`, of a fragment.

        Drums keep their sound.
        """
        self._borrow("timbre", voice, fragment, source)

    @verb(timed=True, names="fragment", argument=1, opposite="unedit", undo_arguments=0, lit=in_force("rhythm"))
    def rhythm(self, voice: int | str, fragment: "Fragment | str", source: int | str | None = None) -> None:
        """Edit: play a voice's pitches at the onsets of the same voice, or of `source`, of a fragment, at our beat."""
        self._borrow("rhythm", voice, fragment, source)

    def _stand(self, name: str, value: "ControlValue", heard: bool | None) -> None:
        """Set the control of an edit."""
        control(name).typed(value)
        if heard is None:
            self._command.set(name, value)
        else:
            self._command.set(name, value, _switch(heard))

    def _borrow(self, verb: str, voice: int | str, fragment: "Fragment | str", source: int | str | None) -> None:
        """Make an edit with a fragment, which is loaded first if it is not yet."""
        from sidlive.tune.fragment import voice_onsets

        taken = one_voice(voice if source is None else source)
        name = self._name_of(fragment)
        lent = self._fragments.get(name)  # None: the core alone has it
        if lent is not None and not voice_onsets(lent.frames, taken).any():
            raise ControlError(
                f"{verb}: {name} has no notes in voice {taken + 1}; name another of its voices, as source=1"
            )
        self._reshape(verb, [voice, source], name)

    def _reshape(
        self,
        verb: str,
        arguments: list[Any],
        fragment: str | None = None,
        heard: bool | None = None,
    ) -> None:
        """Make an edit that stands on those before it. Raises ControlError if it is none."""
        checked(verb, arguments)
        more = (
            () if fragment is None and heard is None else (fragment,) if heard is None else (fragment, _switch(heard))
        )
        self._command.reshape(verb, arguments, *more)


def _switch(heard: object) -> bool:
    """Return the argument `heard`. Raises ControlError if it is no switch."""
    if heard not in (True, False):
        raise ControlError(f"heard expects True (the model hears the edit) or False (only we do), found {shown(heard)}")
    return bool(heard)
