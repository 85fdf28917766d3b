"""The MIDI monitor: a screen over the studio with the last messages of controllers, and what each of them did."""

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Static

from sidlive.errors import SidliveError
from sidlive.report import plain
from sidlive.studio.colours import BAD, FAINT, GOOD, MUTED, TEXT, WARN, WHITE

if TYPE_CHECKING:
    from sidlive.live.hands.monitor import Heard

ASK_S: Final = 0.1  # seconds between two looks at the messages
_FRESH_S: Final = 0.5  # a message as new as this is bright
_HEAD_ROWS: Final = 1  # of the table


class MidiMonitor(ModalScreen[None]):
    """The MIDI monitor."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "dismiss", "Close", priority=True)]

    def __init__(self, heard: "Callable[[], Sequence[Heard]]") -> None:
        """``heard`` returns the last messages, the newest last; it may take long."""
        super().__init__()
        self._heard = heard
        self._over = threading.Event()

    def compose(self) -> ComposeResult:
        yield Static(id="midi-monitor")

    def on_mount(self) -> None:
        box = self.query_one("#midi-monitor")
        box.border_title, box.border_subtitle = "MIDI", "learn(...) binds a knob or pad   Esc: close"
        threading.Thread(target=self._ask, name="midi-monitor", daemon=True).start()

    def on_unmount(self) -> None:
        self._over.set()

    def _ask(self) -> None:
        """Read the messages again and again; a thread of its own, because the core may be slow to answer."""
        while not self._over.is_set():
            try:
                messages = list(self._heard())
            except SidliveError:  # the core is gone; it may be opened again
                messages = []
            if not self._over.is_set():
                with contextlib.suppress(RuntimeError):  # the studio is being left
                    self.app.call_from_thread(self._show, messages)
            self._over.wait(ASK_S)

    def _show(self, messages: "Sequence[Heard]") -> None:
        if self.is_mounted:
            box = self.query_one("#midi-monitor", Static)
            rows = max(1, box.content_size.height - _HEAD_ROWS)
            box.update(message_table(messages[-rows:], time.perf_counter()))


def message_table(messages: "Sequence[Heard]", now_s: float) -> Table | Text:
    """Return messages as a table, the newest at its end. ``now_s``: of `time.perf_counter`."""
    if not messages:
        return Text("nothing was heard yet: move a knob, press a pad", MUTED)
    table = Table(box=None, padding=(0, 1), expand=True, header_style=FAINT)
    table.add_column("ago", justify="right", width=7)
    table.add_column("from", no_wrap=True, ratio=2)
    table.add_column("message", no_wrap=True, ratio=3)
    table.add_column("did", no_wrap=True, ratio=4)
    for heard in messages:
        ago_s = max(0.0, now_s - heard.time_s)
        colour = WHITE if ago_s < _FRESH_S else TEXT
        did = plain(heard.did)
        hue = BAD if "failed" in did else WARN if " waits" in did else FAINT if did == "released" else GOOD
        table.add_row(
            Text(f"{ago_s:.1f} s", FAINT), Text(plain(heard.port), MUTED), Text(message_text(heard), colour),
            Text(did or "nothing", hue if did else FAINT),
        )  # fmt: skip
    return table


def message_text(heard: "Heard") -> str:
    """Return a message as people read it: "CC 16 ch 1 = 100"."""
    number = "" if heard.number is None else f" {heard.number}"
    channel = "" if heard.channel is None else f" ch {heard.channel}"
    return f"{heard.kind}{number}{channel}" + ("" if heard.value is None else f" = {heard.value}")
