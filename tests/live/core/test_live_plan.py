"""The plan in the instrument: notes by the composer and by code, changes of both, replays, and what the screen sees."""

import random
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pytest
from fake_composer import FakeComposer
from fake_engine import FakeEngine, riff
from patience import until

from sidlive.chip import registers as sid
from sidlive.chip.pitch import frequencies, notes_of
from sidlive.commands.steering import manner_of
from sidlive.errors import ControlError
from sidlive.live.core.core import Core
from sidlive.live.processes.options import RoomOptions
from sidlive.live.processes.room import open_room
from sidlive.live.script import Offline
from sidlive.live.session import Session
from sidlive.live.state import BY_CODE, LENGTH, ONSET, PITCH, VOICE
from sidlive.live.takes.replay import opened_core, replay
from sidlive.live.takes.take import FORMAT, Take, TakeLog, read_take
from sidlive.model.composer.continuation import continuation
from sidlive.model.composer.plan_settings import SHORTEST_HORIZON
from sidlive.model.composer.planner import Planner
from sidlive.model.config import ModelConfig, Stack
from sidlive.model.engine import UNCONSTRAINED, Constraints, Engine, Sampling
from sidlive.model.weights import random_weights

BEAT = 12  # frames, of the riff


class Stage:
    """An instrument in virtual time, with its engine and composer."""

    def __init__(self, take: Path | None = None, composed: bool = True, engine: FakeEngine | None = None) -> None:
        self.engine, self.composer = engine or FakeEngine(), FakeComposer() if composed else None
        self.core = Core(Take(take, {}))
        self.session = Session(Offline(self.core, self.engine, composer=self.composer))
        self.session.add(riff())

    def play(self, seconds: float) -> None:
        self.session.wait(seconds)

    def start(self, prompt: str = "riff") -> Session:
        self.session.prompt(prompt)
        self.session.start()
        return self.session

    @property
    def played(self) -> np.ndarray:
        return self.core.take.frames()

    @property
    def plan(self) -> np.ndarray:
        """The planned notes, their onsets counted from the next frame."""
        window = self.session.window(0, 0)
        notes = window.notes.copy()
        notes[:, ONSET] -= window.first + window.now
        return notes


class DeafEngine(FakeEngine):
    """An engine that opens no gate of the second voice, whatever the plan says, unless it is forced to."""

    def step(
        self,
        sampling: Sampling,
        forced: np.ndarray | None = None,
        forced_mask: np.ndarray | None = None,
        constraints: Constraints = UNCONSTRAINED,
        guide: np.ndarray | None = None,
        guide_mask: np.ndarray | None = None,
    ) -> np.ndarray:
        row = super().step(sampling, forced, forced_mask, constraints, guide, guide_mask)
        for column in (sid.register_of(1, sid.CONTROL), sid.first_control_of(1)):
            if forced_mask is None or not forced_mask[column]:
                row[column] &= ~np.uint8(sid.GATE)
        return row


def pitches(frames: np.ndarray, voice: int) -> np.ndarray:
    return notes_of(frequencies(frames))[:, voice]


def test_the_composer_writes_ahead_and_the_engine_is_guided() -> None:
    stage = Stage()
    stage.start()
    stage.play(1)
    assert stage.plan[-1, ONSET] > SHORTEST_HORIZON - 64
    assert set(stage.plan[:, VOICE]) == {0, 1, 2}
    note = next(n for n in stage.plan if n[ONSET] > 80 and n[PITCH] > 0 and n[LENGTH] > 3)
    at = len(stage.played) + note[ONSET]
    stage.play(4)
    assert round(pitches(stage.played, note[VOICE])[at + 1] - note[PITCH]) % 12 == 0, "as it was planned"


def test_compose_switches_the_composer_off_and_a_model_without_one_plays_as_ever() -> None:
    alone = Stage(composed=False)
    alone.start()
    alone.play(2)
    off = Stage()
    off.session.set("compose", 0)
    off.start()
    off.play(2)
    np.testing.assert_array_equal(off.played, alone.played)
    assert not len(off.plan) and not off.composer.written  # type: ignore[union-attr]


def test_takes_older_than_the_composer_have_no_plan() -> None:
    assert opened_core({"take": FORMAT, "controls": {"temperature": 0.7}}).get("compose") == 0


def test_a_change_of_the_plan_is_heard_at_its_note_and_generates_no_earlier_frame_again() -> None:
    stage = Stage()
    session = stage.start()
    session.set("temperature", 0.0)  # else it would change the frames, too
    stage.play(1)
    before, steps = stage.plan, stage.engine.steps
    session.density(4.0)
    stage.play(0.02)
    after = stage.plan
    after[:, ONSET] += 1
    changed = min(onset for onset, *_ in {*map(tuple, before[:, :3])} ^ {*map(tuple, after[:, :3])} if onset > 0)
    assert len(after) > 2 * len(before)
    assert 5 < changed < 16
    assert stage.engine.steps - steps <= 64 - changed + 2, "only frames from the first changed note on are generated"


def test_styles_write_the_plan_anew() -> None:
    stages = [Stage(), Stage()]
    for stage in stages:
        stage.start().set("temperature", 0.0)
        stage.play(1)
    usual, styled = stages
    styled.session.era(-1)
    styled.session.like("tel", 0.5)
    for stage in stages:
        stage.play(0.2)
    assert not np.array_equal(styled.plan, usual.plan)
    with pytest.raises(ControlError, match=r"""like\(\) expects "galway" or "tel", found 'hubbard'"""):
        styled.session.like("hubbard")


def test_a_turn_without_effect_generates_nothing_again() -> None:
    stage = Stage()
    session = stage.start()
    stage.play(1)
    steps = stage.engine.steps
    session.density(1.001)
    stage.play(0.04)
    assert stage.engine.steps - steps <= 3


def test_code_writes_notes_from_the_next_beat_on() -> None:
    for composed in (True, False):
        stage = Stage(composed=composed)
        session = stage.start()
        stage.play(1.03)
        at = len(stage.played)
        session.score("C3 . E3 -", voice=2, step="1/4")
        stage.play(2.5)
        code = stage.plan[(stage.plan[:, VOICE] == 1) & (stage.plan[:, BY_CODE] > 0)]
        assert len(code) and set(code[:, PITCH]) == {48, 52} and set(code[:-1, LENGTH]) == {BEAT, 2 * BEAT}
        assert set(stage.plan[stage.plan[:, VOICE] == 1][:, BY_CODE]) == {1}
        first = -(-(at + 1) // BEAT) * BEAT  # the music began with a beat
        heard = pitches(stage.played, 1)
        for frame, pitch in ((first + 3, 48), (first + 2 * BEAT + 3, 52), (first + 4 * BEAT + 3, 48)):
            assert round(heard[frame] - pitch) % 12 == 0, (composed, frame)
        gate = stage.played[:, sid.register_of(1, sid.CONTROL)] & sid.GATE
        assert not gate[first + BEAT + 2 : first + 2 * BEAT - 2].any(), "a rest"
        assert session.state().voices[1].mode == "code"
        assert any("voice 2  C3" in line and line.endswith("code") for line in session.plan())
        session.score(None, 2)
        stage.play(2)
        assert session.state().voices[1].mode == "generated"
        assert not stage.plan[:, BY_CODE].any()


def test_code_may_play_a_number_of_times_by_frames_and_from_a_list() -> None:
    stage = Stage()
    session = stage.start()
    session.score(np.array([60, -1, 64]), 1, step=10, times=2)
    stage.play(0.1)
    code = stage.plan[stage.plan[:, BY_CODE] > 0]
    assert code[:, PITCH].tolist() == [60, 64, 60, 64]
    assert np.diff(code[:, ONSET]).tolist() == [20, 10, 20]


def test_timed_notes_begin_on_the_bar() -> None:
    stage = Stage()
    session = stage.start()
    stage.play(1.03)
    session.score("C3 E3", 3, at="bar")
    session.chord("Am", at="bar")
    stage.play(0.02)
    bar = -(-len(stage.played) // (4 * BEAT)) * 4 * BEAT - len(stage.played)
    code = stage.plan[stage.plan[:, BY_CODE] > 0]
    assert code[0, ONSET] == bar
    stage.play(3)
    others = stage.plan[(stage.plan[:, BY_CODE] == 0) & (stage.plan[:, PITCH] > 0)]
    assert {pitch % 12 for pitch in others[:, PITCH]} <= {9, 0, 4}


def test_voices_are_taken_over_and_given_back() -> None:
    stage = Stage()
    session = stage.start()
    session.set("revive", 0)
    stage.play(1)
    session.take_over(1, 3)
    stage.play(1)
    assert set(stage.plan[:, VOICE]) == {1}
    assert [voice.mode for voice in session.state().voices] == ["code", "generated", "code"]
    gates = stage.played[-20:, [sid.register_of(voice, sid.CONTROL) for voice in (0, 2)]] & sid.GATE
    assert not gates.any()
    session.give_back()
    stage.play(1)
    assert set(stage.plan[:, VOICE]) == {0, 1, 2}


def test_transposed_plans_sound_as_they_are_shown() -> None:
    stage = Stage()
    session = stage.start()
    session.transpose(5)
    session.scale("C major")
    stage.play(1)
    plan = stage.plan[(stage.plan[:, ONSET] > 80) & (stage.plan[:, PITCH] > 0)]
    assert {pitch % 12 for pitch in plan[:, PITCH]} <= {0, 2, 4, 5, 7, 9, 11}
    note = next(n for n in plan if n[LENGTH] > 3)
    at = len(stage.played) + note[ONSET]
    stage.play(4)
    assert round(pitches(stage.played, note[VOICE])[at + 1] - note[PITCH]) % 12 == 0


def test_planned_notes_that_the_engine_leaves_out_are_played_after_all_and_a_knob_turns_this_off() -> None:
    sounds = {}
    for kept in (1, 0):
        stage = Stage(engine=DeafEngine())
        stage.session.set("keep_voices", kept)
        stage.session.set("revive", 0)
        stage.start()
        stage.play(10)
        gates = stage.played[:, sid.register_of(1, sid.CONTROL)] & sid.GATE
        sounds[kept] = int((np.diff(gates.astype(int)) > 0).sum())
    assert not sounds[0] and sounds[1] > 30


@pytest.mark.parametrize("make", [FakeEngine, DeafEngine])
@pytest.mark.parametrize("seed", range(3))
def test_a_performance_with_a_plan_happens_again(seed: int, make: type[FakeEngine], tmp_path: Path) -> None:
    stage, chance = Stage(tmp_path / "take", engine=make()), random.Random(seed)
    session, switch = stage.session, cycle([0, 1])
    session.add(riff("other", 120))
    stage.start()
    verbs = [
        lambda: session.density(chance.choice([0.5, 1.0, 3.0])),
        lambda: (session.swing(chance.random()), session.set("keep_voices", next(switch))),
        lambda: session.chord(chance.choice(["Am", "C E G", None])),
        lambda: session.range_of(2, chance.choice(["C2-C4", None])),
        lambda: session.scale(chance.choice(["C minor", "prompt", None])),
        lambda: session.transpose(chance.choice([0, 3])),
        lambda: session.score("C3 . E3+G3", chance.choice([1, 2]), step=chance.choice(["1/8", 7])),
        lambda: session.score("C3m", 3, fragment="other", times=2, at="bar"),
        lambda: session.score(None, 1),
        lambda: session.take_over(1),
        lambda: session.give_back(at="beat"),
        lambda: session.set("compose", chance.choice([0, 1])),
        lambda: session.temperature(chance.random(), at="+1 beats"),
        lambda: session.prompt(chance.choice(["riff", "other"])),
        lambda: session.prompt("other", play=True, at="bar"),
        lambda: session.seed(chance.randrange(5)),
        lambda: session.hold(2),
        lambda: session.free(),
        lambda: session.era(chance.choice([-1.0, 0.0, 2.0])),
        lambda: session.leap(chance.choice([0.0, 1.5])),
        session.panic,
        session.start,
        session.start,
    ]
    for _ in range(60):
        chance.choice(verbs)()
        stage.play(0.05 * chance.randrange(8))
    session.start()
    stage.play(2)
    session.close()
    log = read_take(tmp_path / "take")
    assert len(log.frames) > 300
    made = replay(log, make(), composer=FakeComposer())
    np.testing.assert_array_equal(made, log.frames)


def test_like_sets_the_control_of_its_composer() -> None:
    session = Stage().start()
    session.like("galway", 0.5)
    session.like("tel")
    assert (session.get("like_galway"), session.get("like_tel")) == (0.5, 1.0)


def test_a_fault_of_the_composer_does_not_end_the_music() -> None:
    """The process begins again after a fault; the planner then hears what was played."""

    class Faulty(FakeComposer):
        broken = False

        def write(self, *asked: object, **more: object) -> np.ndarray:  # type: ignore[override]
            if self.broken:
                raise RuntimeError("no ideas")
            return super().write(*asked, **more)  # type: ignore[arg-type]

    stage = Stage()
    stage.composer = composer = Faulty()
    stage.session = Session(Offline(stage.core, stage.engine, composer=composer))
    stage.session.add(riff())
    stage.start()
    stage.play(1)
    generator = stage.session._link._generator  # type: ignore[attr-defined]
    composer.broken = True
    for _ in range(40):
        stage.core.next_frame()
    with pytest.raises(RuntimeError):
        while generator.work():
            pass
    generator.forget()
    composer.broken = False
    stage.play(1)
    assert stage.plan[-1, ONSET] > SHORTEST_HORIZON - 64


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda session: session.score("C3 X3"), "no note 'X3'"),
        (lambda session: session.score("C3", step="fast"), "step expects a part of a whole note"),
        (lambda session: session.score("C3", step="1/4000"), "a step lasts 1 to 5000 frames"),
        (lambda session: session.score("C3", times=-1), "score expects times from 0 on, found -1"),
        (lambda session: session.score("C3", instrument="bass"), "score expects instrument from 0 on"),
        (lambda session: session.score("C3", 4), "voices are 1, 2 and 3"),
        (lambda session: session.score("C3", fragment="rif"), "did you mean riff"),
        (lambda session: session.range_of(1, "C5-C2"), "a range is two notes, the lower first"),
        (lambda session: session.chord("H"), "a chord is a name"),
        (lambda session: session.density(9), "density expects 0.25 to 4.0"),
        (lambda session: session.like("tel", 3), "like_tel expects 0.0 to 2.0"),
    ],
)
def test_a_slip_is_one_line(call: object, words: str) -> None:
    stage = Stage()
    stage.start()
    with pytest.raises(ControlError) as refused:
        call(stage.session)  # type: ignore[operator]
    assert words in str(refused.value) and "\n" not in str(refused.value)


def test_an_old_log_replays_as_it_was(tmp_path: Path) -> None:
    """A take made without a composer, whose log knows no `compose`, is the same if there is a composer now."""
    core = Core(Take(tmp_path / "take", {"controls": {"vary": 0.8}}))
    core.command("set", "compose", 0)
    session = Session(Offline(core, FakeEngine()))
    session.add(riff())
    session.prompt("riff")
    session.start()
    session.wait(2)
    session.close()
    log = read_take(tmp_path / "take")
    entries = [entry for entry in log.entries if entry.get("verb") != "set"]
    old = TakeLog(log.header, entries, log.frames)
    np.testing.assert_array_equal(replay(old, FakeEngine(), composer=FakeComposer()), log.frames)


def test_a_performance_that_nobody_steers_is_what_generate_makes() -> None:
    core = Core(Take(None, {}))
    session = Session(Offline(core, small_engine(), composer=FakeComposer()))
    prompt = session.add(riff())
    session.prompt("riff")
    session.start()
    session.wait(3)
    desk = core._desk
    manner = manner_of(desk, prompt.frames, prompt.beat)
    engine = small_engine()
    engine.prefill(prompt.frames)
    rows = continuation(engine, prompt.frames, manner.sampling, FakeComposer(), manner.plan, manner.constraints)
    played = core.take.frames()
    np.testing.assert_array_equal(list(islice(rows, len(played))), played)
    assert len(played) == 150


def test_a_prompt_whose_plan_takes_some_frames_is_planned_at_most_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(tmp_path / "take")
    session = stage.start()
    stage.play(2)
    begun: list[int] = []
    begin = Planner.begin

    def begin_slowly(self: Planner, prompt: sid.Frames, at: int) -> None:
        begun.append(at)
        for _ in range(5):  # the chip goes on meanwhile
            stage.core.next_frame()
        begin(self, prompt, at)

    with monkeypatch.context() as slow:
        slow.setattr(Planner, "begin", begin_slowly)
        session.add(replace(riff(), name="again"))
        session.prompt("again")
        stage.play(1)
    assert len(begun) == 2 and begun[1] >= begun[0] + 10, "the second cut is as far ahead as the plan takes"
    assert session.state().underruns == 0 and session.state().prompt == "again"
    course = stage.core._course
    assert course.lineage.root == begun[1]
    first_bar = begun[1] - len(riff().frames) + course.beat.downbeat
    assert (course.clock.downbeat - first_bar) % course.beat.bar_frames == 0, "and the clock follows the music"
    session.close()
    log = read_take(tmp_path / "take")
    np.testing.assert_array_equal(replay(log, FakeEngine(), composer=FakeComposer()), log.frames)


def small_engine() -> Engine:
    shape = ModelConfig("small", Stack(64, 1, 2, 1, 64), Stack(64, 1, 2, 1, 64))
    return Engine(random_weights(shape, std=0.2), context=64, headroom=256)


@pytest.mark.parametrize("composed", [True, False])
def test_without_a_prompt_code_plays_the_sounds_of_a_fragment(composed: bool) -> None:
    stage = Stage(composed=composed)
    session = stage.session
    session.set("revive", 0)
    session.start()
    stage.play(1)
    assert not len(stage.plan)
    session.score("C4 E4", 2, step=6)
    stage.play(1)
    assert not frequencies(stage.played)[:, 1].any(), "nothing was heard whose instruments could play"
    session.score("C4 E4", 2, step=6, fragment="riff")
    stage.play(2)
    heard = pitches(stage.played[-48:], 1)  # nan between the notes
    low, high = sorted(set(heard[~np.isnan(heard)]))
    assert round(low) % 12 == 0 and 3 < high - low < 5, "C and E, at the fragment's own tuning"


def test_an_instrument_that_does_not_exist_gets_one_notice() -> None:
    stage = Stage()
    session = stage.start()
    session.score("C3 E3", 2, instrument=9)
    stage.play(2)
    told = [notice.text for notice in session.state().notices if "instrument" in notice.text]
    assert told == ["score: instrument 9 of voice 2 does not exist: the prompt has 0 to 0; 0 plays"]
    assert (stage.plan[:, BY_CODE] > 0).any(), "and the notes are played"


def test_a_loop_writes_notes_at_its_tick() -> None:
    stage = Stage()
    session = stage.start()
    stage.play(0.1)

    def turn(n: int) -> None:
        session.score([48 + n, None], 1, step="1/4", times=2)

    session.every("1 bar", turn)
    stage.play(4.2)
    code = stage.plan[stage.plan[:, BY_CODE] > 0]
    heard = np.rint(pitches(stage.played, 0))
    notes = [int(heard[bar + 4]) % 12 for bar in range(48, 192, 48)]
    assert notes == [0, 1, 2] and len(code)


def test_the_plan_reaches_the_screens_process(tmp_path: Path) -> None:
    options = RoomOptions(
        device="null", midi="none", takes=tmp_path, name="take", engine=FakeEngine, composer=FakeComposer
    )
    session = Session(open_room(options))
    try:
        session.add(riff())
        session.prompt("riff")
        session.start()
        session.score("C3 E3", 2)
        assert until(lambda: session.state().take_s > 1)
        window = session.window(10, 300)
        now = window.first + window.now
        ends = window.notes[:, ONSET] + window.notes[:, LENGTH]
        assert (ends > now).all() and window.notes[-1, ONSET] - now > SHORTEST_HORIZON - 64
        assert set(window.notes[window.notes[:, VOICE] == 1, PITCH]) == {48, 52}
        assert len(session.plan()) > 20
    finally:
        session.close()
    log = read_take(tmp_path / "take")
    np.testing.assert_array_equal(replay(log, FakeEngine(), composer=FakeComposer()), log.frames)
