"""The ensemble: the clock that is followed and the clock that is sent, as the core calls them."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from sidlive.live.state import SyncState
from sidlive.live.sync.choice import OFF
from sidlive.live.sync.clock_out import ClockOut
from sidlive.live.sync.follower import Followed, Follower
from sidlive.live.sync.timeline import HeardFrame


class SyncDesk:
    """Follows a clock and sends one. `choose` and `send` are called by the performer's thread."""

    def __init__(self, core: Followed, rate_hz: Callable[[], float], ports: Callable[[], Sequence[str] | str]) -> None:
        """The arguments are those of `Follower`."""
        self._core = core
        self._follower = Follower(core, rate_hz, ports)
        self._out: ClockOut | None = None
        self.choose, self.hear = self._follower.choose, self._follower.hear

    @property
    def state(self) -> SyncState:
        """The clock that is followed, and the clock that is sent."""
        out = self._out
        return replace(self._follower.state, out=out.port if out is not None else "")

    def send(self, port: str) -> None:
        """Send our clock to a MIDI port by its name or part of it; "off": to none. Raises DeviceError."""
        out = None if port == OFF else ClockOut(port, self._core.tell)
        before, self._out = self._out, out
        if before is not None:
            before.close()

    def frame(self, heard: HeardFrame) -> None:
        """Follow and send with a frame. The renderer's thread."""
        self._follower.frame(heard)
        if (out := self._out) is not None:
            out.frame(heard)

    def close(self) -> None:
        """Leave the others."""
        self.send(OFF)
        self._follower.leave()
