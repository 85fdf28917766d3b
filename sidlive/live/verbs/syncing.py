"""The verbs for keeping time with others: following a clock, and being one."""

import time
from typing import Final

from sidlive.errors import ControlError, DeviceError
from sidlive.live.state import SyncState
from sidlive.live.sync.choice import parse_sync
from sidlive.live.verbs.declaration import verb
from sidlive.live.verbs.fragments import FragmentVerbs, shown

PATIENCE_S: Final = 12.0  # time for a port to open; the music and all other verbs go on meanwhile
_NAP_S: Final = 0.02


class SyncVerbs(FragmentVerbs):
    """The verbs for keeping time with others. Any thread may call any verb."""

    @verb()
    def sync(self, what: str | None = None) -> SyncState:
        """Follow a clock: ``sync("midi")``, ``sync("midi:PORT")``, ``sync("link")``, ``sync("off")``; returns how.

        The beat that is heard meets their beat, within 20 % of the music's own tempo, or at half or double of theirs.
        Bars are counted as they count them. With Ableton Link tempo() sets the tempo of all peers, and start() and
        stop() are shared. If the clock stops, the music goes on at the last tempo. ``set("nudge", 5)`` plays 5 ms
        later.
        """
        if what is not None:
            parse_sync(what)
            self._core.sync(what)
        return self._link.state().sync

    @verb()
    def clock_out(self, port: str) -> None:
        """Send a MIDI clock to a port, by its name or part of it: ``clock_out("synth")``; "off" ends it.

        The port gets 24 pulses a beat, each when it is heard, and start, stop, continue and song position.
        """
        if not isinstance(port, str) or not port.strip():
            raise ControlError(f"clock_out expects a MIDI port's name or part of it, or 'off', found {shown(port)}")
        self._core.clock_out(port.strip())
        until = time.monotonic() + PATIENCE_S
        while (sync := self._link.state().sync).out_opening and time.monotonic() < until:
            time.sleep(_NAP_S)
        if sync.out_trouble:
            raise DeviceError(sync.out_trouble)
