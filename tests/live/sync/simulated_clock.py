"""A simulated clock whose pulses are late or early at random, and an instrument that follows it, without any port."""

import random
from dataclasses import dataclass

from sidlive.live.sync.midi_clock import PULSE, PULSES, START, MidiClock
from sidlive.live.sync.phase_lock import PhaseLock

FRAME_S = 0.02


@dataclass
class Followed:
    """What happened at a frame."""

    time_s: float
    error_s: float  # our beat against the nearest beat of the true clock
    speed: float | None
    lock: str


class Ensemble:
    """A clock that ticks truly at a tempo, heard with jitter, and music of another tempo that follows it."""

    def __init__(self, music: float, phase: float = 0.0, jitter_s: float = 0.0, seed: int = 1) -> None:
        """``music``: beats a minute at speed 1. ``phase``: beats by which the music is ahead at first."""
        self.clock = MidiClock()
        self.phase = PhaseLock(0.8, 1.2)
        self.time_s = 0.0
        self.music = music
        self.ours, self.theirs = phase, 0.0  # beats now
        self.speed = 1.0
        self._chance, self._jitter_s = random.Random(seed), jitter_s
        self._sent = 0
        self._waiting: list[tuple[float, int]] = [(-1.0, START)]

    def play(self, seconds: float, tempo: float | None) -> list[Followed]:
        """Play for a time. ``tempo``: of the clock, in beats a minute; None: it is silent."""
        frames = []
        for _ in range(round(seconds / FRAME_S)):
            self._tick(tempo)
            self.clock.look(self.time_s)
            place, speed = self.clock.place(self.time_s), None
            if place is not None:
                speed = self.phase.follow(self.ours, place[0], self.music, place[1], FRAME_S)
            self.speed = speed or self.speed
            apart = self.theirs * self.phase.octave - self.ours
            beat_s = 60 / (self.music * self.speed)
            frames.append(Followed(self.time_s, (apart - round(apart)) * beat_s, speed, self.phase.lock))
        return frames

    def _tick(self, tempo: float | None) -> None:
        self.ours += self.music * self.speed / 60 * FRAME_S
        self.time_s += FRAME_S
        if tempo is not None:
            begin = self.theirs
            self.theirs += tempo / 60 * FRAME_S
            while self._sent <= self.theirs * PULSES:
                due_s = self.time_s - FRAME_S + (self._sent / PULSES - begin) * 60 / tempo
                self._waiting.append((due_s + self._chance.gauss(0, self._jitter_s), PULSE))
                self._sent += 1
        self._waiting.sort()
        while self._waiting and self._waiting[0][0] <= self.time_s:
            time_s, message = self._waiting.pop(0)
            self.clock.hear("a box", (message,), time_s)
