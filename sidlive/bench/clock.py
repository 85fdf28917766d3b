"""Measure the clock: is the bar found that a tune repeats at, and do timed commands come in their frame?

The bar of reference comes from the whole tune and from nothing but its exact repetition: the lag, from 0.9 s on, after
which most notes return with the same voice, instrument and pitch. A bar is that lag divided by a whole number, 0.9 to
4.2 s long: the one at whose multiples most notes return, preferring usual lengths. The estimate sees 20 s only.
"""

import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from sidlive.bench.jack_room import busy_processes, playing_room
from sidlive.chip import registers as sid
from sidlive.chip.registers import Frames
from sidlive.errors import ModelError
from sidlive.live.processes.options import RoomOptions
from sidlive.live.processes.room import open_room
from sidlive.live.script import open_offline
from sidlive.live.session import Session
from sidlive.live.takes.take import TakeLog, read_take
from sidlive.model.corpus.shards import Corpus, CorpusTune, open_corpus
from sidlive.report import Result
from sidlive.tune.beat import beat_of
from sidlive.tune.fragment import Fragment
from sidlive.tune.loading import load_fragment
from sidlive.tune.score.extract import score_of
from sidlive.tune.score.notes import Score

Report = Callable[[str], object]

PROMPT_S: Final = 20.0
SHORTEST_S: Final = 60.0  # tunes shorter than this are not measured
LONGEST_FRAMES: Final = 9000
BAR_S: Final = (0.9, 4.2)  # shortest and longest bar of reference
USUAL_BAR_S: Final = 1.92
LONGEST_LAG: Final = 1600  # frames
REPEATS: Final = 0.2  # a tune in which a smaller share of notes returns has no bar of reference
SAME: Final = 0.02  # relative difference of bars that count as equal

SPACING: Final = 6  # frames between two timed commands
LEADS: Final = (4, 100)  # frames by which a command is given before its own frame


# -- the bar


def bar_of_reference(score: Score, rate_hz: float) -> float | None:
    """Return the frames of the bar that a whole tune repeats at; None if it does not repeat."""
    most = min(LONGEST_LAG, score.frames // 2)
    low, high = BAR_S[0] * rate_hz, BAR_S[1] * rate_hz
    if len(score) < 2 or most <= low + 1:
        return None
    returning = _returning(score, most)
    strongest = math.ceil(low) + int(np.argmax(returning[math.ceil(low) : most]))
    if returning[strongest] < REPEATS:
        return None
    nearly = np.maximum(returning, np.maximum(np.roll(returning, 1), np.roll(returning, -1)))
    best, bar = 0.0, None
    for count in range(1, int(strongest / low) + 1):
        length = strongest / count
        if length <= high:
            lags = np.rint(np.arange(1, int((most - 1) / length) + 1) * length).astype(int)
            usual = math.exp(-0.5 * math.log2(length / rate_hz / USUAL_BAR_S) ** 2)
            worth = float(nearly[lags].mean()) * usual
            if worth > best:
                best, bar = worth, length
    return bar


def _returning(score: Score, most: int) -> np.ndarray:
    """Return for each lag to ``most`` the share of notes that return after it with voice, instrument and pitch."""
    sound = np.stack([score.voice, score.instrument, score.pitch])
    unique, kind = np.unique(sound, axis=1, return_inverse=True)
    trains = np.zeros((unique.shape[1], score.frames), dtype=bool)
    trains[kind.ravel(), score.onset] = True
    onsets = np.concatenate([[0], np.cumsum(trains.sum(axis=0))])
    shares = np.zeros(most + 1)
    for lag in range(1, most + 1):
        places = onsets[score.frames - lag]
        inside = score.onset + lag < score.frames
        pairs = np.count_nonzero(trains[kind.ravel()[inside], score.onset[inside] + lag])
        shares[lag] = pairs / max(int(places), 1)
    return shares


def bars(corpus: Path, tunes: int, report_progress: Report) -> list[Result]:
    """Measure on ``tunes`` held-out tunes, drawn at random from the tunes that repeat. Raises ModelError."""
    opened = open_corpus(corpus)
    counts = {"same": 0, "half": 0, "double": 0, "other": 0}
    measured = without = 0
    times: list[float] = []
    for tune in _tunes(opened):
        if measured == tunes:
            break
        frames = np.array(opened.frames(tune)[:LONGEST_FRAMES])
        reference = bar_of_reference(score_of(frames), tune.rate_hz)
        if reference is None:
            without += 1
            continue
        length = round(PROMPT_S * tune.rate_hz)
        start = (len(frames) - length) // 3
        began = time.perf_counter()
        found = beat_of(frames[start : start + length], tune.rate_hz)
        times.append(1000 * (time.perf_counter() - began))
        counts[_relation(found.bar_frames / reference)] += 1
        measured += 1
        report_progress(f"the bar of tune {measured} of {tunes}")
    if not measured:
        raise ModelError(f"{corpus} has no held-out tune of {SHORTEST_S:.0f} s or more that repeats")
    return [
        Result("bar_found", measured - counts["other"], f"of {measured}"),
        Result("bar_found.same", counts["same"], f"of {measured}"),
        Result("bar_found.half", counts["half"], f"of {measured}"),
        Result("bar_found.double", counts["double"], f"of {measured}"),
        Result("bar_found.without_reference", without, "tunes"),
        Result("beat_ms.median", round(float(np.median(times)), 1), "ms"),
        Result("beat_ms.p99", round(float(np.percentile(times[1:] or times, 99)), 1), "ms"),
    ]


def _tunes(corpus: Corpus) -> Iterator[CorpusTune]:
    long = [tune for tune in corpus.split("held-out") if tune.length >= SHORTEST_S * tune.rate_hz]
    yield from random.Random(7).sample(long, len(long))


def _relation(ratio: float) -> str:
    near = {"same": 1.0, "half": 0.5, "double": 2.0}
    return next((name for name, value in near.items() if abs(ratio / value - 1) < SAME), "other")


# -- timed commands


def timed(options: RoomOptions, count: int, report_progress: Report) -> list[Result]:
    """Perform ``count`` timed commands in real time and in virtual time, and find the frame in which each is heard.

    Four in five have voice 3 play a fragment of one frequency, which no other command has. The others mute it or not,
    or prompt with such a fragment, which is heard on voice 1 from its first frame on.
    """
    results = []
    for name, live in (("live", True), ("offline", False)):
        report_progress(f"{count} timed commands, {name}: about {count * SPACING / 50:.0f} s" if live else name)
        log, late = _perform(replace(options, name=f"clock-{name}"), count, live)
        exact, total = heard_in_their_frame(log)
        results += [
            Result(f"timed_exact.{name}", round(exact / total, 4), "share"),
            Result(f"timed_commands.{name}", total, "commands"),
            Result(f"timed_late.{name}", late, "commands"),
        ]
    worst = min(float(result.value or 0) for result in results if result.name.startswith("timed_exact"))
    return [Result("timed_exact", worst, "share"), *results]


def probe(number: int) -> Fragment:
    """Return a fragment of one second whose voices have a frequency that no other number gives: 0x2000 + ``number``."""
    rows = load_fragment("gallop").frames[:50].copy()
    for voice in range(sid.VOICES):
        rows[:, sid.register_of(voice, sid.FREQ_LO)] = number & 0xFF
        rows[:, sid.register_of(voice, sid.FREQ_HI)] = 0x20 + (number >> 8)
        rows[:, sid.register_of(voice, sid.SR)] = 0xA3  # 0 if the voice is muted
    return Fragment(f"probe{number}", rows, sid.PAL.rate_hz, "made here", "6581", "PAL")


def _perform(options: RoomOptions, count: int, live: bool) -> tuple[TakeLog, int]:
    link = open_room(options) if live else open_offline(options, None, lambda text: None)
    session = Session(link, options.takes)
    try:
        if live:
            link.ready()  # type: ignore[union-attr]
        chance = random.Random(5)
        session.set("revive", 0)
        session.prompt("gallop")
        session.start()
        session.wait(1.0)
        for number in range(count):
            lead = chance.randint(*LEADS)
            with session.at(f"+{lead} frames"):
                if number % 10 == 3:
                    (session.mute if number % 20 == 3 else session.unmute)(3)
                elif number % 10 == 7:
                    session.prompt(probe(number), play=True)
                else:
                    session.lock(3, probe(number))
            session.wait(SPACING / sid.PAL.rate_hz)
        session.wait(LEADS[1] / 50 + 1.0)
        state = session.state()
    finally:
        session.close()
    assert state.take is not None, "a bench's take has a folder"
    return read_take(Path(state.take)), state.late_changes


def heard_in_their_frame(log: TakeLog) -> tuple[int, int]:
    """Return how many of a log's timed commands are first heard in the frame that the log gives them, and their number.

    Commands of one kind that share a frame are left out: only one of them can be heard.
    """
    frames, exact, total = log.frames, 0, 0
    timed = [event for event in log.events if "heard" in event]
    muted = {"mute": True, "unmute": False}
    began = next((int(event["heard"]) for event in timed if event["verb"] == "lock"), 0)
    for event in timed:
        verb, at, arguments = event["verb"], int(event["heard"]), event["arguments"]
        if not began <= at < len(frames):
            continue
        rivals = muted if verb in muted else {verb}
        if sum(other["verb"] in rivals and other["heard"] == at for other in timed) > 1:
            continue
        if verb in muted:
            earlier = [other for other in timed if other["verb"] in muted and other["heard"] < at]
            last = max(earlier, key=lambda other: (other["heard"], other["number"]), default={"verb": "unmute"})
            silent = frames[at - 1 : at + 1, sid.register_of(2, sid.SR)] == 0
            right = silent.tolist() == [muted[str(last["verb"])], muted[verb]]
        else:
            voice, name = (2, arguments[1]) if verb == "lock" else (0, arguments[0])
            right = _first_heard(frames, voice, int(str(name).removeprefix("probe")), int(event["frame"])) == at
        total, exact = total + 1, exact + right
    return exact, total


def _first_heard(frames: Frames, voice: int, number: int, since: int) -> int | None:
    """Return the first frame from ``since`` on in which a voice has the frequency of a probe."""
    low, high = frames[:, sid.register_of(voice, sid.FREQ_LO)], frames[:, sid.register_of(voice, sid.FREQ_HI)]
    found = np.flatnonzero((low == number & 0xFF) & (high == 0x20 + (number >> 8)))
    found = found[found >= since]
    return int(found[0]) if len(found) else None


# -- loops


def loops(options: RoomOptions, seconds: float, report_progress: Report) -> list[Result]:
    """Run three loops in real time beside a process that computes without end, and count calls that came late."""
    report_progress(f"three loops beside a busy process: {seconds:.0f} s")
    with busy_processes(1), playing_room(replace(options, name="clock-loops")) as session:
        session.every("1/2 beat", lambda count: session.set("volume", 15 - count % 2), name="volume")
        session.every("1 beat", lambda count: session.temperature(0.8 + 0.1 * (count % 4)), name="temperature")
        session.every("2 bars", lambda count: session.transpose([0, 3, 5][count % 3]), name="transpose")
        session.wait(seconds)
        state, found = session.state(), session.loops()
    calls, skipped = sum(loop.calls for loop in found), sum(loop.skipped for loop in found)
    return [
        Result("loop_late", state.late_changes + skipped, f"of {calls + skipped} calls"),
        Result("loop_seconds", round(seconds), "s"),
    ]
