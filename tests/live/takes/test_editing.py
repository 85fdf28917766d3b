"""Edits of the take: `hear` and `commit` use the edited take, and the take itself does not change."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_engine import FakeEngine, riff

from sidlive.chip.registers import PAL, Frames
from sidlive.errors import ControlError, TuneError
from sidlive.live.core.audition import LEAD
from sidlive.live.core.core import Core
from sidlive.live.core.voices import Row
from sidlive.live.script import Offline
from sidlive.live.session import Session
from sidlive.live.takes.replay import replay
from sidlive.live.takes.take import Take, read_take, take_fragment
from sidlive.tune.capture.recorder import capture
from sidlive.tune.compiler.sid_file import Label, compile_sid
from sidlive.tune.formats.psid import parse

GATES = [4, 11, 18, 25, 26, 27]


class Stage:
    """A session in virtual time that has played 8 s and stopped; it keeps every frame that the chip got."""

    def __init__(self, folder: Path, playing: bool = False) -> None:
        self.folder = folder
        self.rows: list[Row] = []
        self.core = Core(Take(folder / "log", {}))
        self.session = Session(Offline(self.core, FakeEngine(), self.rows.append), folder)
        self.session.add(riff())
        self.session.prompt("riff")
        self.session.start()
        self.session.wait(8)
        if not playing:
            self.session.stop()
            self.session.wait(3)

    @property
    def take(self) -> Frames:
        return self.core.take.frames()

    def heard(self, seconds: float) -> Frames:
        before = len(self.rows)
        self.session.wait(seconds)
        return np.array(self.rows[before:])

    def said(self) -> str:
        return self.session.state().notices[-1].text


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def plays(path: Path, count: int) -> Frames:
    return capture(parse(path.read_bytes()), frames=count).frames


def test_the_take_as_edited_is_what_is_committed(stage: Stage) -> None:
    session, take = stage.session, stage.take
    session.trim(2, -1)
    session.silence(3)
    path = session.commit("cut")
    first, last = round(2 * PAL.rate_hz), len(take) - round(PAL.rate_hz)
    expected = take[first:last].copy()
    expected[:, [18, 19, 20, 27]] = 0
    expected[:, 23] &= 0xFB
    assert np.array_equal(plays(path, last - first), expected)
    assert np.array_equal(stage.take, take), "the take itself stays"
    assert session.edits() == ["trim(2, -1)", "silence(3)"]
    assert "trim(2, -1), silence(3)" in stage.said()


def test_a_looping_file_goes_round(stage: Stage) -> None:
    stage.session.trim(0, "300 frames")
    stage.session.loop("96 frames")
    path = stage.session.commit("round")
    played = plays(path, 300 + 204 + 50)
    assert np.array_equal(played[300 : 300 + 204], played[96:300])
    assert np.array_equal(played[504:], played[96 : 96 + 50])
    assert "loops at 1.92 s" in stage.said()


def test_edits_are_taken_back(stage: Stage) -> None:
    session = stage.session
    for edit in (lambda: session.trim(1), lambda: session.fade(2), lambda: session.silence(1)):
        edit()
    session.unedit()
    assert session.edits() == ["trim(1)", "fade(2)"]
    session.unedit(all=True)
    assert session.edits() == []
    assert np.array_equal(plays(session.commit("whole"), len(stage.take)), stage.take)
    with pytest.raises(ControlError, match="no edit to take back"):
        session.unedit()


def test_impossible_edits_change_nothing(stage: Stage) -> None:
    stage.session.trim(1)
    history = stage.session.history()
    for wrong in (
        lambda: stage.session.trim(90),
        lambda: stage.session.silence(),
        lambda: stage.session.silence(4),
        lambda: stage.session.loop("never"),
        lambda: stage.session.splice("nothing"),
        lambda: stage.session.hear(90),
    ):
        with pytest.raises((ControlError, TuneError)):
            wrong()
    assert stage.session.edits() == ["trim(1)"] and stage.session.history() == history
    assert "trim(1, None)" in history[-1]


def test_there_is_nothing_to_edit_before_music(tmp_path: Path) -> None:
    session = Session(Offline(Core(Take(None, {})), FakeEngine()), tmp_path)
    with pytest.raises(TuneError, match="nothing was played yet"):
        session.trim(1)
    with pytest.raises(TuneError, match="nothing was played yet"):
        session.hear()


def test_bars_have_the_prompts_length(stage: Stage) -> None:
    stage.session.trim("2 bars", "4 bars")  # of 48 frames
    assert np.array_equal(plays(stage.session.commit("bars"), 96), stage.take[96:192])


def test_a_take_is_spliced_from_its_folder_a_fragment_by_its_name(stage: Stage) -> None:
    stage.session.close()
    stage.session.splice(str(stage.folder / "log"), 4)
    stage.session.splice("riff", 6)
    at, then = round(4 * PAL.rate_hz), round(6 * PAL.rate_hz)
    count = then + len(riff().frames)
    played = plays(stage.session.commit("spliced"), count)
    assert np.array_equal(played[at : then - 2], stage.take[: then - 2 - at])
    assert np.array_equal(played[then:], riff().frames)


def test_a_take_is_written_in_the_order_of_its_prompts_tune(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.session.add(replace(riff(), name="other", control_first=True))
    stage.session.prompt("other")
    stage.session.start()
    stage.session.wait(1)
    assert stage.core.control_first
    name = "a take with a name that no header holds"
    path = stage.session.commit(name)
    label = Label(name[:32], "sidlive")
    assert path.read_bytes() == compile_sid(stage.take, label, control_first=True)
    assert path.read_bytes() != compile_sid(stage.take, label)
    notices = [notice.text for notice in stage.session.state().notices]
    assert f"title has 39 bytes, the file keeps 32: {name[:32]!r}" in notices
    stage.session.close()
    log = read_take(stage.core.take.folder)
    assert log.cut().control_first and take_fragment(stage.core.take.folder).control_first


def test_an_earlier_take_of_that_name_is_kept_with_its_log(stage: Stage) -> None:
    """The earlier take gets the first free name; a commit that fails renames nothing."""
    session = stage.session
    first = session.commit("same", seconds=1).read_bytes()
    log = (path := session.commit("same", seconds=2)).with_suffix(".jsonl").read_bytes()
    second, folder = path.read_bytes(), path.parent
    with pytest.raises(ControlError):
        session.commit("same", seconds=0)
    session.commit("same", seconds=3)
    assert (folder / "same-1.sid").read_bytes() == first and (folder / "same-2.sid").read_bytes() == second
    assert (folder / "same-2.jsonl").read_bytes() == log
    assert len({file.read_bytes() for file in folder.glob("same*.sid")}) == 3
    assert "the earlier same.sid is same-2.sid now" in [notice.text for notice in session.state().notices]


def test_the_lengths_given_to_commit_count_in_the_edited_take(stage: Stage) -> None:
    take = stage.take
    stage.session.trim(1)
    first = round(PAL.rate_hz)
    assert np.array_equal(plays(stage.session.commit("a", seconds=2), 100), take[first : first + 100])
    assert np.array_equal(plays(stage.session.commit("b", last=2), 100), take[-100:])
    assert np.array_equal(plays(stage.session.commit("c", seconds=99), len(take) - first), take[first:])
    with pytest.raises(ControlError, match="seconds expects a length in seconds above 0"):
        stage.session.commit("d", seconds=0)


# -- hearing


def test_the_take_is_heard_and_then_it_is_quiet(stage: Stage) -> None:
    take, length = stage.take, stage.core.take.length
    stage.session.trim(1, 3)
    stage.session.hear()
    assert stage.session.state().phase == "hearing"
    heard = stage.heard(3)
    part = take[round(PAL.rate_hz) : round(3 * PAL.rate_hz)]
    assert not (heard[:LEAD, GATES] & 1).any()
    assert np.array_equal(heard[LEAD : LEAD + len(part)], part)
    assert not (heard[LEAD + len(part) :, GATES] & 1).any()
    assert stage.session.state().phase == "stopped" and stage.core.take.length == length


def test_it_is_heard_from_anywhere_and_round_the_loop(stage: Stage) -> None:
    stage.session.trim(0, "300 frames")
    stage.session.loop("96 frames")
    stage.session.hear("-10 frames")
    heard = stage.heard(5)[LEAD:]
    frames = plays(stage.session.commit("round"), 300)
    expected = np.concatenate([frames[290:], frames[96:], frames[96:]])[: len(heard)]
    assert np.array_equal(heard, expected)
    stage.session.stop()
    assert not (stage.heard(1)[:, GATES] & 1).any()


def test_the_music_goes_on_meanwhile_logged_and_unheard(tmp_path: Path) -> None:
    """Play two equal performances and hear the take in one: both takes are equal, and then the music returns."""
    plain, hearing = Stage(tmp_path / "plain", playing=True), Stage(tmp_path / "hearing", playing=True)
    hearing.session.trim(1, 2)
    hearing.session.hear()
    heard = hearing.heard(4)
    live = plain.heard(4)
    assert np.array_equal(plain.take, hearing.take)
    count = round(2 * PAL.rate_hz) - round(PAL.rate_hz) + 2 * LEAD
    assert np.array_equal(heard[LEAD : count - LEAD], plain.take[round(PAL.rate_hz) : round(2 * PAL.rate_hz)])
    assert np.array_equal(heard[count:], live[count:])


@pytest.mark.parametrize("verb", ["start", "stop", "panic"])
def test_hearing_ends_at_once(verb: str, tmp_path: Path) -> None:
    stage = Stage(tmp_path, playing=True)
    stage.session.loop(1)
    stage.session.hear()
    stage.session.wait(0.5)
    getattr(stage.session, verb)()
    assert stage.session.state().phase == ("playing" if verb == "start" else "stopped")
    heard = stage.heard(0.5)
    if verb == "start":
        assert np.array_equal(heard, stage.take[-len(heard) :])
    else:
        assert not (heard[:, GATES] & 1).any()


def test_the_volume_control_also_scales_the_take_being_heard(stage: Stage) -> None:
    stage.session.set("volume", 5)
    stage.session.hear()
    assert set(stage.heard(1)[LEAD:, 24] & 15) == {5}


# -- the log


def test_the_log_beside_the_file_makes_the_same_frames(stage: Stage) -> None:
    stage.session.trim(2, 6)
    stage.session.fade(1)
    path = stage.session.commit("kept")
    log = read_take(path.with_suffix(".jsonl"))
    made = replay(log, FakeEngine())
    assert np.array_equal(made, stage.take)
    commit = log.events[-1]
    assert commit["verb"] == "commit" and commit["arguments"][:2] == ["kept", len(made)]
    assert [str(edit) for edit in log.edits] == ["trim(2, 6)", "fade(1)"]


def test_a_log_gives_the_edits_not_taken_back(stage: Stage) -> None:
    stage.session.trim(1)
    stage.session.loop(2)
    stage.session.unedit()
    stage.session.silence(1, 2)
    stage.session.splice(riff("other"), 3)
    stage.session.close()
    assert [str(edit) for edit in read_take(stage.folder / "log").edits] == [
        "trim(1)", "silence(1, 2)", "splice('other', 3)",
    ]  # fmt: skip
