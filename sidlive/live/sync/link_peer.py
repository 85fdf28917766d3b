"""Ableton Link: a beat that all programs of a network share. This module is a peer; it knows no music of ours."""

import time
from typing import Any, Final

from sidlive.errors import ControlError
from sidlive.live.sync.midi_clock import Transport

_MICRO: Final = 1_000_000
_SAME: Final = 0.005  # beats a minute: tempos nearer than this are equal


class LinkPeer:
    """A peer of a Link session. One thread after `open`."""

    name = "link"
    shares_bars = True
    counts_bars = False  # the number of a bar means nothing

    def __init__(self, tempo: float, bar: int) -> None:
        """Join a session, or begin one at ``tempo`` beats a minute. ``bar``: beats of a bar. Raises ControlError."""
        try:
            import link
        except ImportError:
            raise ControlError("Ableton Link needs a package: pip install LinkPython-extern") from None
        self._bar = float(bar)
        self._link: Any = link.Link(tempo)
        self._clock = self._link.clock()
        self._link.startStopSyncEnabled = True
        self._link.enabled = True
        self._state = self._link.captureSessionState()
        self._plays = bool(self._state.isPlaying())
        self._apart_us = 0.0
        self.peers = 0

    @property
    def port(self) -> str:
        """The number of peers, as people read it."""
        return f"{self.peers} peer{'' if self.peers == 1 else 's'}"

    def look(self, now_s: float) -> list[Transport]:
        """Take in the session's state; return a start or a stop since the last call."""
        self._apart_us = self._clock.micros() - time.perf_counter() * _MICRO
        self.peers = int(self._link.numPeers())
        self._state = self._link.captureSessionState()
        plays, played = bool(self._state.isPlaying()), self._plays
        self._plays = plays
        return [] if plays == played else ["start" if plays else "stop"]

    def place(self, time_s: float) -> tuple[float, float] | None:
        """Return the beats and the tempo (beats a minute) at a time; None without other peers."""
        if not self.peers:
            return None
        return float(self._state.beatAtTime(self._micros(time_s), self._bar)), float(self._state.tempo())

    def lead(self, tempo: float, beats: float | None, time_s: float) -> None:
        """Give the session, in which there is no other peer, our tempo and our beats; None: they stand still."""
        if abs(self._state.tempo() - tempo) > _SAME:
            self.propose_tempo(tempo)
        if beats is None:
            return
        at = self._micros(time_s)
        if abs((self._state.beatAtTime(at, self._bar) - beats + 0.5) % self._bar - 0.5) * 60 / tempo > 0.001:
            self._state.requestBeatAtTime(beats % self._bar, at, self._bar)
            self._link.commitSessionState(self._state)

    def propose_tempo(self, tempo: float) -> None:
        """Set the tempo of the session, for all peers."""
        self._state.setTempo(tempo, self._clock.micros())
        self._link.commitSessionState(self._state)

    def propose_playing(self, plays: bool) -> None:
        """Start or stop all peers that share start and stop."""
        if plays != self._plays:
            self._plays = plays
            self._state.setIsPlaying(plays, self._clock.micros())
            self._link.commitSessionState(self._state)

    def close(self) -> None:
        """Leave the session."""
        self._link.enabled = False

    def _micros(self, time_s: float) -> int:
        return round(time_s * _MICRO + self._apart_us)
