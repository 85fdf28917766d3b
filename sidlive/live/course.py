"""The course: the settings under which a frame is generated, and the commands that change them.

The core has one course for the playhead. For frames further ahead it applies the commands that wait until then to a
fork of it, so each frame is generated under the settings that are valid at that frame. Knows no tape and no threads.
"""

from collections.abc import Callable
from typing import Any, Final

from sidlive.live.clock import Clock
from sidlive.live.controls import control, one_voice, parse_voices
from sidlive.live.desk import Desk
from sidlive.live.lineage import Lineage
from sidlive.live.state import ControlValue
from sidlive.live.voices import Held, Locked, Row
from sidlive.tune.beat import UNKNOWN, Beat

Before = Callable[[Lineage, int], tuple[Row, int]]  # the frame before a tape frame, and its transposition in semitones
Descend = Callable[..., Lineage]  # a lineage with a number of its own: `replace` of another one


class Course:
    """Everything that decides the frames to be generated. The core's lock guards it."""

    def __init__(self, desk: Desk, lineage: Lineage) -> None:
        self.desk = desk
        self.lineage = lineage
        self.prompt: str | None = None  # name of the prompted fragment
        self.beat: Beat = UNKNOWN  # of the prompt
        self.clock = Clock()

    def fork(self) -> "Course":
        """Return a copy, whose desk shows no notices."""
        other = Course(self.desk.fork(), self.lineage)
        other.prompt, other.beat, other.clock = self.prompt, self.beat, self.clock
        return other

    def do(self, name: str, arguments: tuple[Any, ...], index: int, before: Before, descend: Descend) -> bool:
        """Run a command as from tape frame ``index`` on; return whether the frames from there on may change.

        A command that changes the past that the model hears gives the course another lineage, made by ``descend``.
        Raises SidliveError, and then changes nothing.
        """
        changed: bool = getattr(self, f"_do_{name}")(index, before, descend, *arguments)
        return changed

    def begin(self, root: int) -> None:
        """Set the clock to the prompt, whose music begins at tape frame ``root``."""
        heard = len(self.lineage.context) - self.lineage.opening
        self.clock = self.clock.renewed(self.beat, root - heard + self.beat.downbeat, root)

    def _do_prompt(self, index: int, before: Before, descend: Descend, name: str, play: bool = False) -> bool:
        fragment = self.desk.fragment(name)
        self.desk.set_prompt(fragment.frames)
        self.prompt, self.beat = name, fragment.beat
        self.lineage = descend(
            self.lineage, context=fragment.frames, root=None, opening=len(fragment.frames) if play else 0
        )
        if self.lineage.at is not None:
            self.begin(index)
        return False

    def _do_set(self, index: int, before: Before, descend: Descend, name: str, value: ControlValue) -> bool:
        if not self.desk.set(name, value):
            return False
        if name == "transpose":
            self.lineage = descend(self.lineage, semitones=self.desk.whole("transpose"))
            return False
        return control(name).kind == "steer"

    def _do_hold(self, index: int, before: Before, descend: Descend, *voices: int | str) -> bool:
        chosen = parse_voices(*voices or ("all",))
        row, semitones = before(self.lineage, index)
        self.desk.grip(chosen, Held(row, semitones))
        return True

    def _do_lock(
        self, index: int, before: Before, descend: Descend, voice: int | str, name: str, source: int | None = None
    ) -> bool:
        chosen, fragment = one_voice(voice), self.desk.fragment(name)
        taken = chosen if source is None else one_voice(source)
        self.desk.grip({chosen}, Locked(name, fragment.frames, taken, index))
        return True

    def _do_free(self, index: int, before: Before, descend: Descend, *voices: int | str) -> bool:
        self.desk.grip(parse_voices(*voices or ("all",)), None)
        return True

    def _do_forbid(
        self, index: int, before: Before, descend: Descend, column: str, values: str, *voices: int | str
    ) -> bool:
        self.desk.forbid(column, values, *voices)
        return True

    def _do_permit(
        self, index: int, before: Before, descend: Descend, column: str | None = None, *voices: int | str
    ) -> bool:
        self.desk.permit(column, *voices)
        return True


# The commands that a course runs.
STEERING: Final = frozenset(name.removeprefix("_do_") for name in vars(Course) if name.startswith("_do_"))
