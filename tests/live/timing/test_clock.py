"""The clock: places and frames of beats and bars, corrections by the performer, and lengths as people write them."""

from typing import Any

import pytest
from fake_engine import FakeEngine, riff

from sidlive.errors import ControlError
from sidlive.live.core.core import Core
from sidlive.live.script import Offline
from sidlive.live.session import Session
from sidlive.live.takes.take import Take
from sidlive.live.timing.clock import Clock, Taps
from sidlive.live.timing.moments import Duration, Moment, parse_duration, parse_moment
from sidlive.tune.beat import Beat

RATE = 50.0  # Hz; a round number, for easy counting


def place(clock: Clock, frame: int) -> str:
    return str(clock.place(frame))


def following(clock: Clock, moment: str, now: int) -> int:
    return clock.next(parse_moment(moment), now, now + 1, RATE)


def test_bars_and_beats_count_from_one() -> None:
    clock = Clock(24.0, 4)
    assert [place(clock, frame) for frame in (0, 23, 24, 95, 96, 96 * 9)] == ["1:1", "1:1", "1:2", "1:4", "2:1", "10:1"]
    waltz = Clock(20.0, 3, downbeat=-10.0)
    assert [place(waltz, frame) for frame in (0, 9, 10, 50)] == ["1:1", "1:1", "1:2", "2:1"]


def test_a_beat_of_a_fraction_of_a_frame_does_not_drift() -> None:
    clock = Clock(23.04, 4)
    assert [following(clock, "beat", now) for now in (0, 23, 46)] == [23, 46, 69]
    assert (
        following(clock, "bar 1001", 0) == 92160 and place(clock, 92160) == "1001:1" and place(clock, 92159) == "1000:4"
    )


@pytest.mark.parametrize(
    ("moment", "from_frame_10", "from_frame_96"),
    [
        ("beat", 24, 120),
        ("bar", 96, 192),
        ("1/2 beat", 12, 108),
        ("3 beats", 72, 144),  # lines at 0, 72, 144: counted from bar 1
        ("4 bars", 384, 384),
        ("+2 bars", 202, 288),
        ("+1/4 beat", 16, 102),
        ("3 s", 160, 246),
        ("100 frames", 110, 196),
        ("bar 3", 192, 192),
        ("now", 11, 97),
        ("  Bar ", 96, 192),
    ],
)
def test_each_moment_has_its_frame(moment: str, from_frame_10: int, from_frame_96: int) -> None:
    clock = Clock(24.0, 4)
    assert (following(clock, moment, 10), following(clock, moment, 96)) == (from_frame_10, from_frame_96)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("2 bars", Duration(2, "bars")),
        ("bar", Duration(1, "bars")),
        ("1/2 beat", Duration(0.5, "beats")),
        ("1.5 s", Duration(1.5, "s")),
        ("16 Frames", Duration(16, "frames")),
    ],
)
def test_lengths_are_read_as_people_write_them(text: str, span: Duration) -> None:
    assert parse_duration(text, "over") == span


@pytest.mark.parametrize("wrong", ["2 bananas", "", "-1 bar", "bars 2", "1/4", 4, None, ["bar"]])
def test_what_is_no_length_is_one_clear_line(wrong: Any) -> None:
    with pytest.raises(ControlError, match=r'^over expects a length such as "2 bars"') as caught:
        parse_duration(wrong, "over")
    assert repr(wrong) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", ["0 bars", "0 s", "1/0 beat", "9999999 bars"])
def test_a_length_is_above_nothing_and_ends(wrong: str) -> None:
    for parse in (parse_duration, parse_moment):
        with pytest.raises(ControlError, match="expects a length above 0 and up to 100,000"):
            parse(wrong, "every")


def test_a_prompt_counts_on_with_its_own_beat() -> None:
    clock = Clock(24.0, 4)
    on_the_bar = clock.renewed(Beat(20.0, 4, 0.0, "file", 1.0), 192.0, 192)
    assert [place(on_the_bar, frame) for frame in (192, 212, 272)] == ["3:1", "3:2", "4:1"]
    within = clock.renewed(Beat(20.0, 4), 192.0 - 40, 192)  # two beats of its bar have passed before the cut
    assert place(within, 192) == "3:3" and place(within, 232) == "4:1"
    early = clock.renewed(Beat(20.0, 4), 150.0, 150)  # a bar begins within bar 2
    assert place(early, 150) == "3:1"
    assert (on_the_bar.source, on_the_bar.confidence, within.source) == ("file", 1.0, "default")


def test_the_performer_corrects_the_clock() -> None:
    clock = Clock(24.0, 4, source="estimate", confidence=0.5)
    slow = clock.with_beat(48, 96)
    assert place(slow, 96) == "2:1" and place(slow, 144) == "2:2"
    assert place(clock.with_bar(3, 100), 96 + 72) == "3:1"
    assert place(clock.with_downbeat(100), 100) == "2:1" and place(clock.with_downbeat(90), 90) == "2:1"
    assert place(clock.shifted(24), 96) == "1:4"
    assert following(clock.with_beat_at(29), "beat", 30) == 53
    assert {changed.source for changed in (slow, clock.shifted(1), clock.with_bar(3, 0))} == {"you"}
    for wrong in (lambda: clock.with_beat(1, 0), lambda: clock.with_beat(5000, 0), lambda: clock.with_bar(0, 0)):
        with pytest.raises(ControlError, match=r"a beat lasts 4 to 1000 frames|a bar has 1 to 32 beats"):
            wrong()


def test_taps_are_averaged_until_a_pause() -> None:
    taps = Taps()
    assert [taps.tap(frame, RATE) for frame in (100, 123, 148, 172)] == [None, 23, 24, 24]
    assert taps.tap(400, RATE) is None and taps.tap(430, RATE) == 30


# -- the verbs


@pytest.fixture
def session() -> Session:
    session = Session(Offline(Core(Take(None, {})), FakeEngine()))
    session.add(riff())  # a beat of 12 frames; 96 frames long, so that bars begin with the music
    session.prompt("riff")
    session.start()
    session.wait(60 / session.state().rate_hz)
    return session


def test_the_clock_says_bar_beat_tempo_and_where_they_come_from(session: Session) -> None:
    clock = session.clock()
    assert (clock.bar, clock.beat, clock.beat_frames, clock.bar_beats) == (2, 2, 12, 4)
    assert session.tempo() == pytest.approx(60 * session.state().rate_hz / 12, abs=0.01)
    assert repr(clock).startswith("2:2  250.6 beats a minute (12 frames a beat), 4 beats a bar")


def test_the_verbs_correct_the_clock(session: Session) -> None:
    session.half()
    assert session.clock().beat_frames == 24 and session.clock().source == "you"
    session.double()
    session.bar(3)
    assert (session.clock().beat_frames, session.clock().bar_beats) == (12, 3)
    session.downbeat()
    assert session.clock().beat == 1
    session.shift("-1 beat")
    assert session.clock().beat == 2
    session.shift("1/2 beat")
    assert session.clock().beat == 1 and session.clock().part == pytest.approx(0.5)
    session.beat(10.5)
    assert session.clock().beat_frames == 10.5
    session.tap()
    session.wait(16 / session.state().rate_hz)
    session.tap()
    assert session.clock().beat_frames == 16 and session.clock().part == 0
    assert "as you set it" in repr(session.clock())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: s.beat("fast"), "beat expects frames, such as 24, found 'fast'"),
        (lambda s: s.beat(2), "a beat lasts 4 to 1000 frames, found 2"),
        (lambda s: s.bar(2.5), "bar expects a whole number of beats, found 2.5"),
        (lambda s: s.shift("2 bananas"), "shift expects a length such as"),
        (lambda s: s.shift(3), "shift expects a length such as"),
        (lambda s: s.cancel("all"), "cancel expects numbers as pending"),
        (lambda s: s.at("2 bananas"), 'at expects "now", "beat"'),
    ],
)
def test_mistakes_are_one_clear_line_and_change_nothing(session: Session, call: Any, message: str) -> None:
    before = session.clock()
    with pytest.raises(ControlError, match=message) as caught:
        call(session)
    assert "\n" not in str(caught.value) and session.clock() == before


def test_a_moment_is_a_value() -> None:
    assert parse_moment(Moment("bar", number=3)) == parse_moment("bar 3")
