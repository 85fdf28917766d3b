"""The verbs of the take: edits, what it sounds like with them, and the file that is made of it.

Edits are kept here as a list and in the take's log; the take's frames never change. Any thread may call any verb.
"""

import hashlib
import unicodedata
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sidlive.chip.registers import timing_named
from sidlive.errors import ControlError, TuneError
from sidlive.live.commit import write_log, write_take
from sidlive.live.controls import parse_voices
from sidlive.live.link import Link
from sidlive.live.places import shown_path, typed_path, working_folder
from sidlive.live.verbs.declaration import verb
from sidlive.live.verbs.fragments import FragmentVerbs
from sidlive.writing import make_folder, name_trouble

if TYPE_CHECKING:
    from sidlive.tune.cutting import Cut, Edit, Position
    from sidlive.tune.fragment import Fragment


_LONG_S: Final = 300.0  # a take of which more is committed is said to be packed: it takes seconds


class TakeVerbs(FragmentVerbs):
    """The verbs for the take."""

    def __init__(self, link: Link, takes: Path) -> None:
        """`takes`: the folder for committed takes, relative to the working folder of this moment."""
        super().__init__(link)
        self._home = working_folder()  # a performer's os.chdir moves no take
        self._takes = self._home / takes
        self._edits: list[Edit] = []

    @verb("caller")
    def trim(self, start: "Position" = 0, stop: "Position | None" = None) -> None:
        """Edit the take: only what lies between `start` and `stop`, in seconds, or ``trim("8 bars", "2050 frames")``.

        Below 0 counts from the end. The take itself stays: `unedit` takes any edit back.
        """
        self._edit("trim", start, stop)

    @verb("caller")
    def loop(self, at: "Position | None" = None) -> None:
        """Edit the take: when it has ended, go on at `at`; without it, at the place where the seam is heard least."""
        self._edit("loop", at)

    @verb("caller", names="fragment")
    def splice(self, take: "Fragment | str | Path", at: "Position | None" = None) -> None:
        """Edit the take: from `at` on (None: after the end) another take, a file of music or a fragment instead.

        Keys are let go two frames before, so that no note hangs and each of the other's begins.
        """
        from sidlive.live.take import take_fragment

        other = self._fragments.get(take, take) if isinstance(take, str) else take
        self._edit("splice", take_fragment(other) if isinstance(other, str | Path) else other, at)

    @verb("caller")
    def fade(self, length: "Position" = 4) -> None:
        """Edit the take: the volume falls to nothing over its last `length` seconds."""
        self._edit("fade", length)

    @verb("caller")
    def silence(self, *voices: int | str) -> None:
        """Edit the take: these voices are silent in all of it (`mute` is for what is being played)."""
        self._edit("silence", *sorted(voice + 1 for voice in parse_voices(*voices)))

    @verb("caller")
    def edits(self) -> list[str]:
        """The edits of the take, in the order in which they are made."""
        return [str(edit) for edit in self._edits]

    @verb("caller")
    def unedit(self, all: bool = False) -> None:
        """Take the last edit back, or all of them."""
        if not self._edits:
            raise ControlError("there is no edit to take back; edits() lists them")
        count = len(self._edits) if all else 1
        self._core.note("unedit", count)
        del self._edits[-count:]
        self._tell(self._cut())

    @verb("caller", bindable=True)
    def hear(self, start: "Position" = 0) -> None:
        """Hear the take as it is edited, from `start` on (below 0: from the end); a loop goes round without end.

        The music goes on meanwhile, logged and unheard: `start` brings it back, `stop` ends both.
        """
        from sidlive.tune.cutting import frame_at

        cut = self._cut()
        first = min(frame_at(cut, start, "hear"), len(cut.frames) - 1)
        self._core.audition(cut.frames, cut.loop_frame, first)

    @verb("caller", bindable=True)
    def commit(
        self,
        name: str,
        seconds: float | None = None,
        last: float | None = None,
        title: str | None = None,
        author: str | None = None,
        release: str | None = None,
    ) -> Path:
        """Compile the take as edited to NAME.sid, run that in the 6510 and compare, frame by frame; returns the file.

        All of it, or its first `seconds`, or its `last` seconds. The music goes on meanwhile. The log beside it,
        NAME.jsonl, makes the same frames again (``sidlive replay``). An earlier NAME.sid is kept as NAME-1.sid.
        `title` (default: the name), `author` and `release` (year and publisher) are what a SID player shows: 32 bytes
        of Windows-1252 each. The file lies among the takes; a name with folders in it counts from where the
        instrument was opened.
        """
        from sidlive.tune.compiler.sid_file import label_of
        from sidlive.tune.cutting import apply

        state = self._link.state()
        path = self._take_path(name)
        label = label_of(title, author, release, path.stem, "sidlive", "")
        edits, performed = [*self._edits, *_parting(seconds, last)], self._performed()
        cut = apply(performed, edits)
        timing = timing_named(state.timing)
        make_folder(path.parent)
        if cut.seconds > _LONG_S:
            self._core.tell(f"packing {cut.seconds:.0f} s of music; the music goes on", "info")
        for note in write_take(path, cut, state.chip, timing, label, aside=True):
            self._core.tell(note, "warning")
        digest = hashlib.sha256(cut.frames.tobytes()).hexdigest()
        self._core.note("commit", name, len(performed.frames), [edit.entry for edit in edits], digest, asdict(label))
        write_log(path.with_suffix(".jsonl"), self._core.log())
        ends = "" if cut.loop_frame is None else f", loops at {cut.loop_frame / cut.rate_hz:.2f} s"
        edited = f", {', '.join(map(str, edits))}" if edits else ""
        self._core.tell(
            f"committed {shown_path(path)}: {cut.seconds:.1f} s{ends}, {path.stat().st_size} bytes{edited}",
            "info",
        )
        return path

    def _edit(self, verb: str, *arguments: Any) -> None:
        """One edit more, if it can be; what comes of it is told."""
        from sidlive.tune.cutting import Edit, apply

        edit = Edit(verb, arguments)
        cut = apply(self._cut(), [edit])
        self._core.note("edit", edit.entry)
        self._edits.append(edit)
        self._tell(cut, *(cut.findings[-1:] if verb == "loop" else ()))

    def _performed(self) -> "Cut":
        """What was played so far, whole. TuneError where that is nothing."""
        from sidlive.tune.cutting import Cut

        frames, beat, control_first = self._core.performed()
        if not len(frames):
            raise TuneError("nothing was played yet that could be kept: start() first, and let it play")
        return Cut(frames, self._link.state().rate_hz, beat, control_first=control_first)

    def _cut(self) -> "Cut":
        """It as edited."""
        from sidlive.tune.cutting import apply

        return apply(self._performed(), self._edits)

    def _tell(self, cut: "Cut", *found: str) -> None:
        self._core.tell("; ".join([f"the take as edited: {cut.seconds:.2f} s", *found]), "info")

    def _take_path(self, name: str) -> Path:
        """NAME.sid among the takes, or where a name with folders in it says. ControlError where no file can be that."""
        path = typed_path(name) if isinstance(name, str | Path) else Path()
        if not path.name.strip(". ") or path.name.lower() == ".sid":
            raise ControlError(f"commit expects a name for the take, found {name!r}; try commit('first_light')")
        if any(unicodedata.category(letter) == "Cc" for letter in str(path)):
            raise ControlError(f"commit expects a name without control characters, found {name!r}")
        if path.suffix.lower() != ".sid":
            path = path.with_name(path.name + ".sid")
        path = (self._home if path.parent != Path() else self._takes) / path
        if why := name_trouble(path.with_suffix(".jsonl")):
            raise ControlError(f"commit cannot call a file so: {why}; the take is kept, commit it by another name")
        return path


def _parting(seconds: float | None, last: float | None) -> "list[Edit]":
    """commit's own arguments as edits."""
    from sidlive.tune.cutting import Edit

    spans = {"first": seconds, "last": last}
    return [Edit(verb, (span,)) for verb, span in spans.items() if span is not None]
