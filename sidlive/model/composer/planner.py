"""The planner: keeps a plan of notes ahead of the frame that is generated, and turns it into guides for the engine.

The composer writes the notes; code may write notes too. The renderer plays them with the instruments of the prompt
(see ``tune.score``). The result is a *guide*: frames that the generated ones should resemble.

Frames are numbered as on the tape. While frame f is generated, the plan reaches at least `PlanSettings.horizon` frames
beyond f, written with the settings that are valid at f. If these differ from the settings at f - 1, the notes that they
may change are written anew: those from f + LEAD on, or from the place where code changed its notes. So the plan
depends only on the prompt and on the settings at each frame before, and not on when it was asked for. Each note carries
the frame at which it was written: `Planner.rewind` returns exactly to the plan before a frame.

A *chapter* begins with the prompt, and whenever the composer begins or ceases to write. The composer then hears what
was played. From there on it hears its own notes, and those of code.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import (
    CONTROL,
    FREQ_HI,
    GATE,
    PULSE,
    VOICES,
    Frames,
    first_control_of,
    register_of,
    silence,
)
from sidlive.compiling import CompileProgress, compiling, no_progress
from sidlive.model.composer.chapter import Chapter, Mask, Mode, Row
from sidlive.model.composer.choices import NoteLimits, NoteSampling
from sidlive.model.composer.events import (
    CHORD,
    LONGEST_WAIT,
    PITCH,
    REST,
    VOICE,
    WAIT,
    Events,
)
from sidlive.model.composer.hearing import Hearing, code_note, fitting_chord, limits_of, note_of, waits_of
from sidlive.model.composer.loop_watch import fresh_start, is_fresh_start, notes_again
from sidlive.model.composer.new_sounds import with_new_sound
from sidlive.model.composer.plan_settings import (
    KEY_HORIZON,
    KEY_STEP,
    SHORTEST_HORIZON,
    SHORTEST_KEY,
    CodePart,
    PlanSettings,
)
from sidlive.model.composer.sheet import KEPT, Sheet, SheetNote
from sidlive.tune.score.sounding import write_notes
from sidlive.tune.score.steps import Pattern, PatternNote

HEARD: Final = 8192  # frames of the past that a chapter hears at most
PATIENCE: Final = 16  # frames between two changes of a number: a moving control must not rewrite the plan each frame
MOST_CHAPTERS: Final = 64  # chapters, and prompts, that are kept for a rewind
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
        self, sampling: NoteSampling, limits: NoteLimits = ..., *, least_wait: int = 0, waits: NDArray[np.bool_] = ...
    ) -> NDArray[np.int16]: ...

    def hear(self, event: NDArray[np.int16], /) -> None: ...

    def rewind(self, n: int, /) -> None: ...


class Planner:
    """A plan, and the composer that writes it. Belongs to one thread."""

    def __init__(self, composer: ComposerLike | None, past: Callable[[int], Frames]) -> None:
        """``composer``: None if only code writes. ``past(n)``: the last n frames, or fewer, before the next one."""
        self._composer = composer
        self._past = past
        self._prompts: list[tuple[int, Frames]] = []  # with the first frame after each; the latest last
        self._chapters: list[Chapter] = []
        self._settings: list[tuple[int, PlanSettings]] = []
        self._fed: list[SheetNote] = []  # notes that the composer has heard since the events of ...
        self._fed_past: Hearing | None = None  # ... this; None: it has heard nothing that is known
        self._fed_chapter: Chapter | None = None  # the chapter of these notes
        self._fed_start: SheetNote | None = None  # the fresh start that these notes follow
        self._hearings: list[tuple[Frames, Hearing]] = []  # of prompts and fragments, the latest last
        self.version = 0  # another number whenever the plan has changed
        self.notices: list[str] = []  # what the performer should know of the plan; the reader empties it
        self._noticed: list[CodePart] = []  # parts of which there was a notice, the latest last

    def begin(self, prompt: Frames, at: int) -> None:
        """Continue another prompt, ``uint8[T, 28]``, from frame ``at`` on. The plan before stays for a `rewind`."""
        self.version += 1
        while self._prompts and self._prompts[-1][0] >= at:
            self._prompts.pop()
        while self._chapters and self._chapters[-1].begun >= at:
            self._chapters.pop()
        self._prompts = [*self._prompts[1 - MOST_CHAPTERS :], (at, prompt)]
        self._chapters = [*self._chapters[1 - MOST_CHAPTERS :], Chapter("idle", at)]

    def continues(self, prompt: Frames, at: int) -> bool:
        """Return whether the plan continues this prompt from frame ``at`` on, as `begin` said."""
        return bool(self._prompts) and self._prompts[-1][0] == at and self._prompts[-1][1] is prompt

    @property
    def composes(self) -> bool:
        """Whether the composer writes the plan, apart from the notes of code."""
        return bool(self._chapters) and self._chapters[-1].composes

    def guide(self, frame: int, settings: PlanSettings, before: Row) -> tuple[Row, Mask] | None:
        """Write as much of the plan as is needed to generate ``frame``; return its guide, None if there is no plan.

        Frames are asked for in order. ``before uint8[28]``: the frame before, not transposed. The guide ``uint8[28]``
        is not transposed either; the mask ``bool[28]`` says which columns it covers.
        """
        valid = self._follow(frame, settings)
        chapter = self._chapters[-1]
        if chapter.heard is None:
            return None
        self._extend(chapter, frame, valid)
        return chapter.guide(frame, before)

    def rewind(self, frame: int) -> None:
        """Return to the plan before ``frame`` was generated; it is asked for again next."""
        self.version += 1
        while self._settings and self._settings[-1][0] >= frame:
            self._settings.pop()
        while len(self._prompts) > 1 and self._prompts[-1][0] >= frame:
            self._prompts.pop()
        while len(self._chapters) > 1 and self._chapters[-1].begun >= frame:
            self._chapters.pop()
        for chapter in self._chapters[-1:]:
            chapter.rewind(frame)

    def coming(self, frame: int) -> NDArray[np.int64]:
        """Return the planned notes that sound in ``frame`` or begin later, ``int64[n, 7]`` in order.

        Columns: first frame, voice (0 to 2), pitch (MIDI, not transposed; -1 for a drum), index of the chord in
        `events.CHORDS`, instrument, frames until the gate closes, whether it is by code.
        """
        return self._chapters[-1].coming(frame) if self._chapters else Sheet([]).coming(frame)

    # -- settings and chapters

    def _follow(self, frame: int, settings: PlanSettings) -> PlanSettings:
        """Apply a change of the settings: begin a chapter, or drop the notes that are to be written anew.

        Return the settings that are valid for the plan: a control that moves on and on is followed in steps.
        """
        chapter = self._chapters[-1]
        since, before = self._settings[-1] if self._settings else (frame - PATIENCE, PlanSettings())
        mode: Mode = "code" if any(settings.parts) else "idle"
        if settings.compose and self._composer is not None:
            mode = "composed"
        deaf = mode == "composed" and not chapter.composes and frame >= chapter.begun + SHORTEST_HORIZON
        if settings == before and mode == chapter.mode and not deaf:
            return settings
        turned = replace(before, sampling=settings.sampling, swing=settings.swing)
        if frame < since + PATIENCE and mode == chapter.mode and not deaf and settings == turned and self._settings:
            return before
        self._settings = [*self._settings[-KEPT:], (frame, settings)]
        self.version += 1
        if mode != chapter.mode or deaf:  # nothing was heard so far: there may be music now
            self._chapters.append(chapter := self._opened(mode, frame))
            before = replace(before, parts=(None,) * VOICES, taken=frozenset())
        elif mode != "idle" and settings.only_fingers(before):
            chapter.play_anew(frame)
        elif mode != "idle":
            chapter.cut(settings.first_change(before, frame), frame)
        for voice, (old, new) in enumerate(zip(before.parts, settings.parts, strict=True)):
            if new is not None and new.continues(old):
                begun = chapter.sheet.last_of(new)  # later than its key was pressed, if generation was late
                last = math.ceil(new.stop) if begun is None else max(math.ceil(new.stop), begun.frame + SHORTEST_KEY)
                chapter.sheet.close(voice, max(frame, last), frame)
            elif new is not None and new != old:
                chapter.sheet.close(voice, max(frame, math.ceil(new.start)), frame)
                if new.times and new.tones is None:
                    chapter.sheet.close(voice, math.ceil(new.stop), frame)
        for voice in settings.taken - before.taken:
            chapter.sheet.close(voice, frame, frame)
        return settings

    def _opened(self, mode: Mode, frame: int) -> Chapter:
        """Return a new chapter, which hears what was played before ``frame``."""
        if mode == "idle":
            return Chapter(mode, frame)
        at, prompt = self._prompts[-1]
        past = prompt if frame == at else self._past(HEARD)
        heard = self._hearing(past)
        first = frame - heard.frames
        sheet = Sheet(heard.notes(first) if mode == "composed" else [])
        return Chapter(mode, frame, heard, sheet, [(frame, frame)])

    def _hearing(self, frames: Frames) -> Hearing:
        """Return the hearing of the last HEARD frames of music, the same one for the same array."""
        for known, hearing in self._hearings:
            if known is frames:
                return hearing
        hearing = Hearing(frames[-HEARD:])
        self._hearings = [*self._hearings[-7:], (frames, hearing)]
        return hearing

    # -- writing

    def _extend(self, chapter: Chapter, frame: int, settings: PlanSettings) -> None:
        """Write notes until the plan reaches the horizon of ``frame``."""
        until = frame + self._horizon(chapter, frame, settings)
        if chapter.now >= until:
            return
        self.version += 1
        if chapter.composes:
            self._feed(chapter)
        for _ in range(MOST_NOTES):
            now = chapter.now
            if now >= until:
                return
            assert chapter.heard is not None
            if chapter.composes and chapter.loops.found(
                settings, chapter.sheet, chapter.heard, max(now, chapter.floor)
            ):
                chapter.sheet.add(fresh_start(now, frame, settings, chapter.sheet, chapter.heard))
                self._feed(chapter)
            code = self._next_code(chapter, settings, frame)
            silent = settings.taken | chapter.heard.idle_voices
            silent |= {voice for voice, part in enumerate(settings.parts) if part is not None and now < part.stop}
            if chapter.composes and len(silent) < VOICES:
                note = self._write(chapter, settings, frozenset(silent), frame)
                if code is None or (note.frame, note.voice) < (code.frame, code.voice):
                    chapter.sheet.add(note)
                    self._fed.append(note)
                    continue
                self._composer_or_fail.rewind(1)
            if code is None or code.frame >= until:
                return
            self._add_code(chapter, code)

    @staticmethod
    def _horizon(chapter: Chapter, frame: int, settings: PlanSettings) -> int:
        """Return how far the plan must reach. A key is to be heard soon, so the rest is written with later frames."""
        if not settings.keyed:
            return settings.horizon
        return min(settings.horizon, KEY_HORIZON + KEY_STEP * (frame - chapter.floors[-1][0]))

    def _write(self, chapter: Chapter, settings: PlanSettings, silent: frozenset[int], frame: int) -> SheetNote:
        """Let the composer write an event; return it as a note, which is not yet on the sheet."""
        heard, composer = chapter.heard, self._composer_or_fail
        assert heard is not None
        least = max(0, chapter.floor - chapter.now)
        limits = limits_of(heard, settings, silent)
        sampling = replace(settings.sampling, pace=heard.pace)
        waits = waits_of(heard, settings, chapter.now + chapter.shift)
        event = composer.write(sampling, limits, least_wait=min(least, LONGEST_WAIT), waits=waits)
        if settings.classes is not None and event[VOICE] != REST and event[CHORD]:
            fitting = fitting_chord(int(event[CHORD]), int(event[PITCH]), limits.classes or 0)
            if fitting != event[CHORD]:
                composer.rewind(1)
                event = event.copy()
                event[CHORD] = fitting
                composer.hear(event)
        note = note_of(event, chapter.now + int(event[WAIT]), heard, settings, frame)
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
        assert self._composer is not None
        return self._composer


def warm_up_planner(report_progress: CompileProgress = no_progress, composer: ComposerLike | None = None) -> None:
    """Compile the kernels that find and play notes, or load them from the disk; reset the composer.

    ``report_progress``: as for `engine.load_engine`.
    """
    frames = silence(64)
    for voice in range(VOICES):
        frames[:, register_of(voice, FREQ_HI)] = 16
        frames[:, register_of(voice, CONTROL)] = PULSE | np.where(np.arange(64) % 16 < 12, GATE, 0)
        frames[:, first_control_of(voice)] = frames[:, register_of(voice, CONTROL)]
    part = CodePart(Pattern((PatternNote(0, 1, 60),), 1), 16.0, 0.0)
    planner = Planner(None, lambda count: frames)
    planner.begin(frames, 0)
    with compiling(write_notes, report_progress):
        planner.guide(0, PlanSettings(parts=(part, None, None)), frames[-1])
    if composer is not None:
        planner = Planner(composer, lambda count: frames)
        planner.begin(frames, 0)
        planner.guide(0, PlanSettings(), frames[-1])
        composer.reset()
