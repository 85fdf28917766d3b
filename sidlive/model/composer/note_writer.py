"""The writer of a plan: brings the composer to the end of a chapter's notes, and lets it and code write more.

`planner` decides how far the notes reach and under which settings they are written.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import VOICES, Frames
from sidlive.model.composer.chapter import Chapter
from sidlive.model.composer.choices import NoteLimits, NoteSampling
from sidlive.model.composer.choosing import choose, merit_of
from sidlive.model.composer.drafts import Outcome, Tryout
from sidlive.model.composer.events import (
    CHORD,
    FIELDS,
    INSTRUMENT,
    KIND,
    LONGEST_WAIT,
    PITCH,
    REST,
    TIES,
    VOICE,
    WAIT,
    Events,
)
from sidlive.model.composer.hearing import FLOOR_FRAMES, Hearing, code_note, fitting_chord, limits_of, note_of, waits_of
from sidlive.model.composer.loop_watch import LoopWatch, fresh_start, is_fresh_start, notes_again, stirred
from sidlive.model.composer.new_sounds import NewPart, labels_of, new_parts, settling, with_new_sound
from sidlive.model.composer.plan_settings import CodePart, PlanSettings
from sidlive.model.composer.sections import section_of, turn_of, turned
from sidlive.model.composer.sheet import FROM_THE_BEGINNING, NEVER, Sheet, SheetNote
from sidlive.model.composer.styles import ComposerStyles
from sidlive.model.composer.taste import Taste
from sidlive.tune.score.notes import ATTACK

MOST_NOTES: Final = 4096  # bound on the notes that are written while one frame is generated


class ComposerLike(Protocol):
    """The part of a composer that the planner uses (`sidlive.model.composer.Composer`)."""

    @property
    def memory(self) -> int:
        """Number of events that `rewind` can take back now."""
        ...

    def reset(self) -> None: ...

    def prefill(self, events: Events, /) -> None: ...

    def write(
        self,
        sampling: NoteSampling,
        limits: NoteLimits = ...,
        forced: NDArray[np.int16] | None = None,
        *,
        least_wait: int = 0,
        waits: NDArray[np.bool_] = ...,
    ) -> NDArray[np.int16]: ...

    @property
    def taste(self) -> Taste | None:
        """What drafts are compared by; None: there is only ever one."""
        ...

    @property
    def styles(self) -> ComposerStyles | None:
        """What notes can be moved towards; None: nothing."""
        ...

    def hear(self, event: NDArray[np.int16], /) -> None: ...

    def rewind(self, n: int, /) -> None: ...


class NoteWriter:
    """Writes the notes of a plan, by a composer and by code. Belongs to one thread."""

    def __init__(self, composer: ComposerLike | None, hearing: Callable[[Frames], Hearing]) -> None:
        """``composer``: None if only code writes. ``hearing``: returns the notes and sounds of frames."""
        self.composer = composer
        self._hearing = hearing
        self._fed: list[SheetNote] = []  # notes that the composer has heard since the events of ...
        self._fed_past: Hearing | None = None  # ... this; None: it has heard nothing that is known
        self._fed_chapter: Chapter | None = None  # the chapter of these notes
        self._fed_start: SheetNote | None = None  # the fresh start that these notes follow
        self.notices: list[str] = []  # what the performer should know of the notes; the reader empties it
        self._noticed: list[CodePart] = []  # parts of which there was a notice, the latest last
        self._lacking: list[str] = []  # styles of which there was a notice

    def extend(self, chapter: Chapter, settings: PlanSettings, until: int, frame: int) -> None:
        """Write notes until the plan reaches frame ``until``, while ``frame`` is generated."""
        for _ in range(MOST_NOTES):
            if self.write_on(chapter, settings, until, frame, chapter.loops, MOST_NOTES) != "circles":
                return
            self.start_afresh(chapter, settings, frame)

    def start_afresh(self, chapter: Chapter, settings: PlanSettings, frame: int) -> None:
        """Let the composer go on from the prompt, because the plan goes round in circles (see `loop_watch`)."""
        assert chapter.heard is not None
        chapter.sheet.add(fresh_start(chapter.now, chapter.front, frame, settings, chapter.sheet, chapter.heard))

    @property
    def judges(self) -> bool:
        """Whether drafts can be compared."""
        return self.composer is not None and self.composer.taste is not None

    def draft(self, chapter: Chapter, tryout: Tryout, most: int) -> None:
        """Write up to ``most`` notes of the drafts that are not complete."""
        assert self.composer is not None and self.composer.taste is not None and chapter.heard is not None
        taste = self.composer.taste
        for number, draft in enumerate(tryout.drafts):
            if not draft.left:
                continue
            if not most:
                return
            before, limit = len(draft.notes), min(most, draft.left)
            with draft.laid(chapter.sheet, tryout.due):
                draft.outcome = self.write_on(
                    chapter, tryout.settings, tryout.until, tryout.due, draft.loops, limit, number
                )
            most -= len(draft.notes) - before
            if not draft.left:
                draft.merit = merit_of(draft, tryout, chapter.sheet, chapter.heard, chapter.shift, taste)

    def settle(self, chapter: Chapter, tryout: Tryout) -> None:
        """Take one of the complete drafts into the plan."""
        chapter.sheet.lay(choose(tryout).notes)
        chapter.loops.forget()

    def write_on(
        self,
        chapter: Chapter,
        settings: PlanSettings,
        until: int,
        frame: int,
        loops: LoopWatch,
        most: int,
        draft: int = 0,
    ) -> Outcome:
        """Write notes until the plan reaches frame ``until``, but at most ``most`` notes.

        It also ends where the notes go round in circles. ``loops``: watches for that. ``draft``: number of the draft
        that is written.
        """
        assert chapter.heard is not None
        if chapter.composes:
            self._notice_styles(settings)
            self._feed(chapter)
        for _ in range(most):
            now = chapter.now
            if now >= until:
                return "reached"
            if chapter.composes and loops.found(settings, chapter.sheet, chapter.heard, chapter.front):
                return "circles"
            code = self._next_code(chapter, settings, frame)
            silent = settings.taken | chapter.heard.idle_voices
            silent |= {voice for voice, part in enumerate(settings.parts) if part is not None and now < part.stop}
            if chapter.composes and len(silent) < VOICES:
                note = self._write(chapter, settings, frozenset(silent), frame, draft)
                if code is None or (note.frame, note.voice) < (code.frame, code.voice):
                    chapter.sheet.add(note)
                    self._fed.append(note)
                    continue
                self._composer_or_fail.rewind(1)
            if code is None or code.frame >= until:
                return "reached"
            self._add_code(chapter, code)
        return "reached" if chapter.now >= until else "more"

    def _write(
        self, chapter: Chapter, settings: PlanSettings, silent: frozenset[int], frame: int, draft: int
    ) -> SheetNote:
        """Let the composer write an event; return it as a note, which is not yet on the sheet."""
        heard, composer = chapter.heard, self._composer_or_fail
        assert heard is not None
        least = max(0, chapter.floor - chapter.now)
        section = section_of(settings, chapter.front)
        turn = turn_of(settings.contrast, settings.sampling.seed, settings.sampling.lane, section, draft)
        parts = new_parts(heard, settings, chapter.begun, chapter.front)
        limits = limits_of(heard, settings, silent, labels_of(parts))
        sampling = turned(replace(settings.sampling, pace=heard.pace), turn, draft, settings.bar_frames)
        sampling = stirred(sampling, self._fed_start, chapter.now)
        sampling = settling(sampling, heard, settings, chapter.begun, chapter.front)
        waits = waits_of(heard, settings, chapter.now + chapter.shift)
        due = _due_voice(chapter, silent, sampling.density) if settings.keep_voices and not least else None
        forced = None if due is None else _attack_of(due)
        event = composer.write(sampling, limits, forced, least_wait=min(least, LONGEST_WAIT), waits=waits)
        if event[VOICE] == REST:
            return note_of(event, chapter.now + int(event[WAIT]), heard, settings, frame)
        voice, onset = int(event[VOICE]), chapter.now + int(event[WAIT])
        # The note may lie in another section than the one before it.
        there = new_parts(heard, settings, chapter.begun, onset)
        label = _label_in(there[voice], int(event[INSTRUMENT]), heard)
        enters = _part_label(label, heard) != _part_label(_last_label(chapter.sheet, voice), heard)
        enters |= there[voice] != parts[voice]  # a tie must not lead to another part's instrument
        if label != event[INSTRUMENT] or (enters and event[KIND] & TIES):
            composer.rewind(1)
            limits = limits_of(heard, settings, silent, labels_of(there))
            again = event.copy()
            again[KIND] = 0 if enters else event[KIND]
            again[INSTRUMENT], again[PITCH:] = label, -1
            event = composer.write(sampling, limits, again, waits=waits)
        part = there[voice] if event[INSTRUMENT] >= heard.instruments else None
        chord = int(event[CHORD]) if part is None or not part.single else 0
        if settings.classes is not None and chord:
            chord = fitting_chord(chord, int(event[PITCH]), limits.classes[voice] or 0)
        if chord != event[CHORD]:
            composer.rewind(1)
            event = event.copy()
            event[CHORD] = chord
            composer.hear(event)
        note = note_of(event, onset, heard, settings, frame)
        if part is not None and note.flags & ATTACK:
            return replace(note, instrument=part.instrument, sounds=part.sounds, most=NEVER)
        return with_new_sound(note, heard, settings, chapter.begun, chapter.sheet)

    def _next_code(self, chapter: Chapter, settings: PlanSettings, frame: int) -> SheetNote | None:
        """Return the next note that code wrote, which is not yet on the sheet; its event has no WAIT yet."""
        found: SheetNote | None = None
        for voice, part in enumerate(settings.parts):
            if part is None or not part.pattern.notes:
                continue
            last = chapter.sheet.last_of(part)
            if part.tones is not None:  # a key: if generation is late, its note begins late
                if last is not None or (part.stop <= chapter.floor and part.start < chapter.begun):
                    continue
                number, begin = 0, max(part.begin(0), chapter.floor)
            else:
                number = part.first_from(chapter.floor) if last is None else last.number + 1
                if part.times and number >= part.times * len(part.pattern.notes):
                    continue
                begin = part.begin(number)
            if found is None or (begin, voice) < (found.frame, found.voice):
                assert chapter.heard is not None
                heard = chapter.heard if part.sounds is None else self._hearing(part.sounds)
                found = code_note(part, number, begin, voice, heard, chapter.heard, settings, frame)
                self._notice_instrument(part, voice, heard)
        return found

    def _notice_instrument(self, part: CodePart, voice: int, heard: Hearing) -> None:
        """Add a notice, once, if a part asks for an instrument that does not exist."""
        wanted, known = part.instrument or 0, heard.instruments
        if wanted < known or part in self._noticed:
            return
        self._noticed = [*self._noticed[-7:], part]
        music = "the prompt" if part.sounds is None else "the fragment"
        if known:
            last = known - 1
            why = f"instrument {wanted} of voice {voice + 1} does not exist: {music} has 0 to {last}; {last} plays"
        else:
            why = f"voice {voice + 1} has no instrument: {music} has no notes; name a fragment that has some"
        self.notices.append(f"score: {why}")

    def _notice_styles(self, settings: PlanSettings) -> None:
        """Add a notice, once, for each style that is wanted and that the composer lacks."""
        styles = self._composer_or_fail.styles
        known = styles.names if styles is not None else ()
        for name, _ in settings.sampling.styles:
            if name not in known and name not in self._lacking:
                self._lacking.append(name)
                self.notices.append(f"{name} does nothing: this model's composer lacks this style (see train-styles)")

    def _add_code(self, chapter: Chapter, note: SheetNote) -> None:
        """Add a note by code, with the rests before it, and let the composer hear it."""
        while chapter.composes and note.frame - chapter.now > LONGEST_WAIT - 1:
            rest = (LONGEST_WAIT, REST, 0, 0, 0, 0, 0)
            self._add_heard(chapter, replace(note, frame=chapter.now + LONGEST_WAIT, voice=REST, event=rest, part=None))
        self._add_heard(chapter, replace(note, event=(note.frame - chapter.now, *note.event[1:])))

    def _add_heard(self, chapter: Chapter, note: SheetNote) -> None:
        chapter.sheet.add(note)
        if chapter.composes:
            self._composer_or_fail.hear(np.array(note.event, dtype=np.int16))
            self._fed.append(note)

    def _feed(self, chapter: Chapter) -> None:
        """Bring the composer to the end of a chapter's plan: take back what it heard beyond, then let it hear the rest.

        The result is the same as if it had heard the past and this plan, and nothing else. After a fresh start (see
        `loop_watch`) it has heard the past, the notes just before, and the plan since then.
        """
        composer, fed, heard = self._composer_or_fail, self._fed, chapter.heard
        assert heard is not None
        kept = len(fed) if self._fed_chapter is chapter else 0
        while kept and not fed[kept - 1].alive:
            kept -= 1
        missing, start = self._unheard(chapter, fed[kept - 1] if kept else self._fed_start)
        if self._fed_past is not heard or start is not self._fed_start or len(fed) - kept > composer.memory:
            composer.reset()
            composer.prefill(heard.events)
            missing, start = self._unheard(chapter, None)
            if start is not None:
                composer.prefill(notes_again(start, chapter.sheet, heard))
            self._fed_past, self._fed_start, kept = heard, start, 0
        elif kept < len(fed):
            composer.rewind(len(fed) - kept)
        del fed[kept:]
        self._fed_chapter = chapter
        for note in reversed(missing):
            composer.hear(np.array(note.event, dtype=np.int16))
            fed.append(note)

    def _unheard(self, chapter: Chapter, last: SheetNote | None) -> tuple[list[SheetNote], SheetNote | None]:
        """Return the plan's notes after ``last``, latest first, and the fresh start that they follow.

        ``last``: the composer's last note, or the fresh start of `_fed_start`; None: all since the last fresh start.
        """
        missing: list[SheetNote] = []
        for note in chapter.sheet.backwards():
            if note is last:
                return missing, self._fed_start
            if not note.event:
                return missing, note if is_fresh_start(note) else None
            missing.append(note)
        return missing, None

    @property
    def _composer_or_fail(self) -> ComposerLike:
        assert self.composer is not None
        return self.composer


def _due_voice(chapter: Chapter, silent: frozenset[int], density: float) -> int | None:
    """Return a voice that the composer neglects, so that its next attack is due (see `AttackFloor`); None: no voice.

    The composer may stop to write a voice, or write ties only. ``silent``: voices that it does not write.
    """
    assert chapter.heard is not None
    floors = {
        voice: floor
        for voice, floor in enumerate(chapter.heard.attack_floors)
        if floor is not None and voice not in silent
    }
    now, share = chapter.now, min(1.0, density)
    counts, last = dict.fromkeys(floors, 0), dict.fromkeys(floors, FROM_THE_BEGINNING)
    for note in chapter.sheet.backwards():
        if note.frame <= now - FLOOR_FRAMES:
            break
        if note.flags & ATTACK and note.voice in floors:
            counts[note.voice] += 1
            last[note.voice] = max(last[note.voice], note.frame)
    due = [
        voice
        for voice, floor in floors.items()
        if now - last[voice] > (floor.rest if counts[voice] < share * floor.fewest else floor.most) / share
    ]
    return min(due, key=lambda voice: last[voice], default=None)


def _label_in(part: NewPart | None, label: int, heard: Hearing) -> int:
    """Return the label with which a note is written for which the composer chose ``label``.

    In a new part all but the drums have the part's label. Without one, ``label`` is that of a part that is over only if
    the note is the first beyond the line of a section: then -1, so that another one is chosen.
    """
    if part is not None:
        return label if label < heard.instruments and heard.is_drum(label) else part.label
    return label if label < heard.instruments else -1


def _part_label(label: int, heard: Hearing) -> int | None:
    """Return a label if it is that of a new part, else None."""
    return label if label >= heard.instruments else None


def _last_label(sheet: Sheet, voice: int) -> int:
    """Return the label of the last note of a voice; -1 if the composer did not write it."""
    last = sheet.last_in(voice)
    return last.event[INSTRUMENT] if last is not None and last.event and last.part is None else -1


def _attack_of(voice: int) -> NDArray[np.int16]:
    """Return the fields to force so that the next event is an attack of a voice, ``int16[FIELDS]``."""
    forced = np.full(FIELDS, -1, np.int16)
    forced[VOICE], forced[KIND] = voice, 0
    return forced
