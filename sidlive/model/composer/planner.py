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
from typing import Final

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
from sidlive.model.composer.attendance import NO_VOICE, Voices
from sidlive.model.composer.chapter import Chapter, Mask, Mode, Row
from sidlive.model.composer.drafts import DRAFTING, SectionDraft, Tryout
from sidlive.model.composer.hearing import Hearing
from sidlive.model.composer.note_writer import ComposerLike, NoteWriter
from sidlive.model.composer.plan_settings import (
    KEY_HORIZON,
    KEY_STEP,
    SHORTEST_HORIZON,
    SHORTEST_KEY,
    CodePart,
    PlanSettings,
)
from sidlive.model.composer.sections import section_end
from sidlive.model.composer.sheet import KEPT, Sheet
from sidlive.tune.score.sounding import write_notes
from sidlive.tune.score.steps import Pattern, PatternNote

HEARD: Final = 8192  # frames of the past that a chapter hears at most
LISTENING: Final = 1024  # frames after which a composer that heard too few notes hears the past again
PATIENCE: Final = 16  # frames between two changes of a number: a moving control must not rewrite the plan each frame
# Settings that a knob or a movement may change with each frame.
TURNED: Final = ("sampling", "swing", "contrast", "candidates", "known_gates", "keep_voices", "new_sounds")
MOST_CHAPTERS: Final = 64  # chapters, and prompts, that are kept for a rewind


class Planner:
    """A plan, and the composer that writes it. Belongs to one thread."""

    def __init__(self, composer: ComposerLike | None, past: Callable[[int], Frames]) -> None:
        """``composer``: None if only code writes. ``past(n)``: the last n frames, or fewer, before the next one."""
        self._writer = NoteWriter(composer, self._hearing)
        self._past = past
        self._prompts: list[tuple[int, Frames]] = []  # with the first frame after each; the latest last
        self._chapters: list[Chapter] = []
        self._settings: list[tuple[int, PlanSettings]] = []
        self._hearings: list[tuple[Frames, Hearing]] = []  # of prompts and fragments, the latest last
        self.version = 0  # another number whenever the plan has changed
        self.bound: Voices = NO_VOICE  # the voices that must play the guide that was asked for last

    @property
    def notices(self) -> list[str]:
        """What the performer should know of the plan; the reader empties it."""
        return self._writer.notices

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
        chapter, self.bound = self._chapters[-1], NO_VOICE
        if chapter.heard is None:
            return None
        self._extend(chapter, frame, valid)
        guide = chapter.guide(frame, before)
        if valid.keep_voices:
            self.bound = chapter.attendance.bound(frame, guide, before)
        return guide

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
        if settings.compose and self._writer.composer is not None:
            mode = "composed"
        listens = chapter.begun + (LISTENING if chapter.keeps else SHORTEST_HORIZON)
        deaf = mode == "composed" and not chapter.composes and frame >= listens
        if settings == before and mode == chapter.mode and not deaf:
            return settings
        turned = replace(before, **{name: getattr(settings, name) for name in TURNED})
        if frame < since + PATIENCE and mode == chapter.mode and not deaf and settings == turned and self._settings:
            return before
        self._settings = [*self._settings[-KEPT:], (frame, settings)]
        self.version += 1
        if mode != chapter.mode or deaf:  # nothing was heard so far: there may be music now
            chapter = self._opened(mode, frame, settings.keep_voices)
            self._chapters = [*self._chapters[1 - MOST_CHAPTERS :], chapter]
            before = replace(before, parts=(None,) * VOICES, taken=frozenset())
        elif mode != "idle" and settings.only_fingers(before):
            chapter.tryouts.drop(frame)
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

    def _opened(self, mode: Mode, frame: int, keeps: bool) -> Chapter:
        """Return a new chapter, which hears what was played before ``frame``. ``keeps``: see `Chapter`."""
        if mode == "idle":
            return Chapter(mode, frame)
        at, prompt = self._prompts[-1]
        past = prompt if frame == at else self._past(HEARD)
        heard = self._hearing(past)
        first = frame - heard.frames
        sheet = Sheet(heard.notes(first) if mode == "composed" else [])
        chapter = Chapter(mode, frame, heard, sheet, [(frame, frame)], keeps)
        if keeps and mode == "composed" and not chapter.composes:
            chapter.sheet = Sheet([])  # else its last notes would be planned to go on for ever
            if frame == at:
                self._writer.notices.append(_left_to_model(len(heard)))
        return chapter

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
        """Write notes until the plan reaches the horizon of ``frame``, and a slice of the next section's drafts."""
        until = frame + self._horizon(chapter, frame, settings)
        if not (settings.candidates > 1 and chapter.composes and self._writer.judges):
            self._write_to(until, chapter, frame, settings)
            return
        if (tryout := chapter.tryouts.pending(frame)) is None:
            # After a change the plan is written at once. It gets ahead while the next frames are generated, so that
            # there is time for drafts.
            rested = min(frame - chapter.floors[-1][0], DRAFTING)
            self._write_to(until + max(rested - 1, 0), chapter, frame, settings)
            if rested < DRAFTING or chapter.now >= until + DRAFTING:
                return
            tryout = self._begin_tryout(chapter, frame, settings)
        self._writer.draft(chapter, tryout, tryout.slice_notes)
        if frame == tryout.due:
            self.version += 1
            self._writer.settle(chapter, tryout)

    def _write_to(self, until: int, chapter: Chapter, frame: int, settings: PlanSettings) -> None:
        """Write notes until the plan reaches frame ``until``."""
        if chapter.now < until:
            self.version += 1
            self._writer.extend(chapter, settings, until, frame)

    def _begin_tryout(self, chapter: Chapter, frame: int, settings: PlanSettings) -> Tryout:
        """Begin to write drafts of the section after the plan."""
        assert chapter.heard is not None
        chapter.loops.forget()
        if chapter.loops.found(settings, chapter.sheet, chapter.heard, chapter.front):
            self._writer.start_afresh(chapter, settings, frame)
        drafts = tuple(SectionDraft() for _ in range(settings.candidates))
        tryout = Tryout(frame, chapter.now, section_end(settings, chapter.now), settings, drafts)
        chapter.tryouts.begin(tryout)
        return tryout

    @staticmethod
    def _horizon(chapter: Chapter, frame: int, settings: PlanSettings) -> int:
        """Return how far the plan must reach. A key is to be heard soon, so the rest is written with later frames."""
        if not settings.keyed:
            return settings.horizon
        return min(settings.horizon, KEY_HORIZON + KEY_STEP * (frame - chapter.floors[-1][0]))


def _left_to_model(notes: int) -> str:
    """Return a notice that the composer has too few notes to go on from."""
    count = "no notes" if not notes else "1 note" if notes == 1 else f"{notes} notes"
    return f"the prompt has {count}, too few to compose from: the model goes on without a plan until it has played more"


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
