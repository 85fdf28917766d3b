"""The ensemble: the clock that is followed and the clock that is sent, as the core calls them."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from sidlive.errors import DeviceError
from sidlive.live.outputs.sender import PARTING_S
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
        self._trouble = ""  # why the latest choice of a port failed
        self._choices = self._done = 0  # of ports: those that were made, those that are done
        self._choosing = threading.Lock()  # held while a port is opened and another one closed
        self.choose, self.hear = self._follower.choose, self._follower.hear
        self.hold_start, self.forget_start = self._follower.hold_start, self._follower.forget_start

    @property
    def state(self) -> SyncState:
        """The clock that is followed, and the clock that is sent."""
        out = self._out
        return replace(
            self._follower.state, out=out.port if out is not None else "", out_opening=self._done < self._choices,
            out_trouble=self._trouble,
        )  # fmt: skip

    def send(self, port: str) -> None:
        """Send our clock to a MIDI port by its name or part of it; "off": to none.

        Returns at once: a thread of its own opens the port, since drivers may take seconds. `state` says how that goes.
        If it fails, the clock is still sent to the port before.
        """
        self._choices += 1
        threading.Thread(target=self._change, args=(port,), name="choose-clock-out", daemon=True).start()

    def frame(self, heard: HeardFrame) -> None:
        """Follow and send with a frame. The renderer's thread."""
        self._follower.frame(heard)
        if (out := self._out) is not None:
            out.frame(heard)

    def close(self) -> None:
        """Leave the others."""
        self._follower.leave()
        if self._choosing.acquire(timeout=PARTING_S):
            before, self._out = self._out, None
            if before is not None:
                before.close()

    def _change(self, port: str) -> None:
        with self._choosing:
            try:
                self._trouble = ""
                out = None if port == OFF else ClockOut(port, self._core.tell)
                before, self._out = self._out, out
                if before is not None:
                    before.close()
            except DeviceError as error:
                self._trouble = str(error)
            finally:
                self._done += 1
