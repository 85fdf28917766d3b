"""The verbs for the take: edit it, hear it as edited, commit it to a file.

Edits are kept here as a list, and in the take's log; the take's frames never change. Any thread may call any verb.
"""

import hashlib
import unicodedata
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sidlive.chip.growing_sound import ENDINGS
from sidlive.chip.registers import timing_named
from sidlive.errors import ControlError, TuneError
from sidlive.live.controls import parse_voices
from sidlive.live.link import Link
from sidlive.live.places import shown_path, typed_path, working_folder
from sidlive.live.takes.commit import write_log, write_take
from sidlive.live.verbs.declaration import verb
from sidlive.live.verbs.fragments import FragmentVerbs, shown
from sidlive.writing import make_folder, name_trouble

if TYPE_CHECKING:
    from sidlive.tune.cutting import Cut, Edit, Position
    from sidlive.tune.fragment import Fragment


_LONG_S: Final = 300.0  # committing more music than this takes seconds, so a notice comes first


class TakeVerbs(FragmentVerbs):
    """The verbs for the take."""

    def __init__(self, link: Link, takes: Path) -> None:
        """`takes`: the folder for committed takes, relative to the current working folder."""
        super().__init__(link)
        self._home = working_folder()  # takes go there even after a script's os.chdir
        self._takes = self._home / takes
        self._edits: list[Edit] = []
        self._music_edits: list[tuple[str, ...]] = []  # for each edit of the take, those of the music before it

    @verb("caller", bindable=True)
    def trim(self, start: "Position" = 0, stop: "Position | None" = None) -> None:
        """Edit the take: keep what lies between `start` and `stop`, in seconds, or ``trim("8 bars", "2050 frames")``.

        A negative position counts from the end. The frames stay: `unedit` takes any edit back.
        """
        self._edit("trim", start, stop)

    @verb("caller", bindable=True)
    def loop(self, at: "Position | None" = None) -> None:
        """Edit the take: at its end, jump back to `at`; None: to the position with the least audible seam."""
        self._edit("loop", at)

    @verb("caller", bindable=True, names="fragment")
    def splice(self, take: "Fragment | str | Path", at: "Position | None" = None) -> None:
        """Edit the take: from `at` on (None: after the end), play another take, a file of music or a fragment instead.

        All gates go off two frames before the splice, so that no old note hangs and the first new notes have an attack.
        """
        from sidlive.live.takes.take import take_fragment

        other = self._fragments.get(take, take) if isinstance(take, str) else take
        self._edit("splice", take_fragment(other) if isinstance(other, str | Path) else other, at)

    @verb("caller", bindable=True)
    def fade(self, length: "Position" = 4) -> None:
        """Edit the take: fade the volume to 0 over the last `length` seconds."""
        self._edit("fade", length)

    @verb("caller", bindable=True)
    def silence(self, *voices: int | str) -> None:
        """Edit the take: silence these voices from beginning to end (`mute` silences the music being played)."""
        self._edit("silence", *sorted(voice + 1 for voice in parse_voices(*voices)))

    @verb("caller")
    def edits(self) -> list[str]:
        """Return the edits in force, oldest first: those of the music (``reverse('bar')``) and of the take (trim)."""
        return _in_order(list(self._core.state().edits), list(zip(self._edits, self._music_edits, strict=True)))

    @verb("caller", timed=True)
    def unedit(self, all: bool = False) -> None:
        """Take the latest edit back, of the music or of the take, or with ``all=True`` all of both; it says which.

        With `at` an edit of the music ends at that moment.
        """
        music = self._core.state().edits
        newer = Counter(music) - Counter(self._music_edits[-1] if self._music_edits else ())
        waits = self._timing.in_block  # then the edit may be one that waits itself
        if not music and not self._edits and not waits:
            raise ControlError("there is no edit to take back; edits() lists them")
        if newer or (all and music) or (waits and not self._edits):
            self._command.unshape(all)
        if self._edits and (all or not newer):
            self._unedit_take(len(self._edits) if all else 1)

    def _unedit_take(self, count: int) -> None:
        """Take the last edits of the take back."""
        taken = ", ".join(str(edit) for edit in reversed(self._edits[-count:]))
        self._core.note("unedit", count)
        del self._edits[-count:], self._music_edits[-count:]
        self._core.tell(f"taken back: {taken}", "info")
        self._show_result(self._cut())

    @verb("caller", bindable=True)
    def hear(self, start: "Position" = 0) -> None:
        """Play the take as edited, from `start` on (negative: from the end); a loop plays without end.

        Meanwhile the music goes on unheard, and is logged: `start` returns to it, `stop` ends both.
        """
        from sidlive.tune.cutting import frame_at

        cut = self._cut()
        first = min(frame_at(cut, start, "hear"), len(cut.frames) - 1)
        self._core.audition(cut.frames, cut.loop_frame, first, cut.speed)

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
        """Compile the take as edited to NAME.sid, run that in the 6510, compare it frame by frame; return the path.

        The take is compiled whole, or its first `seconds`, or its `last` seconds. The music goes on meanwhile. The log
        beside it, NAME.jsonl, generates the same frames again (``sidlive replay``). An earlier NAME.sid is kept as
        NAME-1.sid. `title` (default: the name), `author` and `release` (year and publisher) are shown by SID players:
        32 bytes of Windows-1252 each. The file lies in the folder of takes; a name with folders in it is relative to
        the folder in which the instrument was opened.
        """
        from sidlive.tune.compiler.sid_file import label_of
        from sidlive.tune.cutting import apply

        state = self._link.state()
        path = self._take_path(name)
        label = label_of(title, author, release, path.stem, "sidlive", "")
        edits, performed = [*self._edits, *_length_edits(seconds, last)], self._performed()
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

    @verb("caller", bindable=True)
    def record(self, name: "str | Path | None" = None, stems: bool = False) -> Path | None:
        """Record what is heard from now on: ``record("set.flac")``; ``record(None)`` ends it. Returns the file's path.

        The file is .flac or .wav. With ``stems=True`` there is a file for each voice besides, NAME-voice1.flac and so
        on: the same frames on chips whose other voices' gates are closed, so together they are the whole sound, as far
        as the filter is linear. If the name is taken, NAME-2 is written. Files lie where `commit` writes, and are whole
        up to the last second even after a crash. If the disk is full the recording ends, and the music goes on.
        """
        from sidlive.live.sound.recording import free_path, stem_path

        if name is None:
            self._core.record(None)
            return None
        if not isinstance(stems, bool):
            raise ControlError(f"record expects stems=True or stems=False, found {shown(stems)}")
        path = self._file_path(name, "record", "set.flac")
        if path.suffix.lower() not in ENDINGS:
            path = path.with_name(path.name + ENDINGS[0])
        if why := name_trouble(stem_path(path, 0)):
            raise ControlError(f"record cannot use this name: {why}; choose another")
        make_folder(path.parent)
        path = free_path(path.absolute())
        self._core.record(path, stems)
        self._core.tell(f"recording {shown_path(path)}; record(None) ends it", "info")
        return path

    def _edit(self, verb: str, *arguments: Any) -> None:
        """Add an edit and show its result. If it is impossible, raise ControlError or TuneError and add nothing."""
        from sidlive.tune.cutting import Edit, apply

        edit = Edit(verb, arguments)
        cut = apply(self._cut(), [edit])
        self._core.note("edit", edit.entry)
        self._edits.append(edit)
        self._music_edits.append(self._core.state().edits)
        self._show_result(cut, *(cut.findings[-1:] if verb == "loop" else ()))

    def _performed(self) -> "Cut":
        """Return the music played so far, unedited. Raises TuneError if there is none."""
        from sidlive.tune.cutting import Cut

        frames, beat, control_first, speeds = self._core.performed()
        if not len(frames):
            raise TuneError("nothing was played yet that could be kept: start() first, and let it play")
        return Cut(frames, self._link.state().rate_hz, beat, control_first=control_first, speeds=speeds)

    def _cut(self) -> "Cut":
        """Return the take as edited."""
        from sidlive.tune.cutting import apply

        return apply(self._performed(), self._edits)

    def _show_result(self, cut: "Cut", *findings: str) -> None:
        self._core.tell("; ".join([f"the take as edited: {cut.seconds:.2f} s", *findings]), "info")

    def _take_path(self, name: str) -> Path:
        """Return the path of NAME.sid, see `commit`. Raises ControlError if no file can have that name."""
        path = self._file_path(name, "commit", "first_light")
        if path.suffix.lower() != ".sid":
            path = path.with_name(path.name + ".sid")
        if why := name_trouble(path.with_suffix(".jsonl")):
            raise ControlError(f"commit cannot use this name: {why}; the take is kept, commit it under another name")
        return path

    def _file_path(self, name: str | Path, verb: str, example: str) -> Path:
        """Return the path of a file that a verb writes: in the folder of takes, if ``name`` has no folder.

        Raises ControlError if no file can have that name.
        """
        path = typed_path(name) if isinstance(name, str | Path) else Path()
        if not path.name.strip(". ") or path.name.lower() in (".sid", *ENDINGS):
            raise ControlError(f"{verb} expects a name for the file, found {name!r}; try {verb}({example!r})")
        if any(unicodedata.category(letter) == "Cc" for letter in str(path)):
            raise ControlError(f"{verb} expects a name without control characters, found {name!r}")
        return (self._home if path.parent != Path() else self._takes) / path


def _in_order(music: list[str], takes: "list[tuple[Edit, tuple[str, ...]]]") -> list[str]:
    """Return edits of the music and of the take as text, oldest first.

    ``takes``: each edit of the take, with the edits of the music that were in force when it was made.
    """
    listed: list[str] = []
    for edit, known in takes:
        earlier = Counter(known) - Counter(listed)
        for text in [text for text in music if earlier[text]]:
            if earlier[text] > 0:
                earlier[text] -= 1
                music.remove(text)
                listed.append(text)
        listed.append(str(edit))
    return listed + music


def _length_edits(seconds: float | None, last: float | None) -> "list[Edit]":
    """Return the edits that cut the take to its first `seconds` or its `last` seconds."""
    from sidlive.tune.cutting import Edit

    spans = {"first": seconds, "last": last}
    return [Edit(verb, (span,)) for verb, span in spans.items() if span is not None]
