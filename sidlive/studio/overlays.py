"""What lies over the screen for a moment: the help, and the question before leaving."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from sidlive.report import plain
from sidlive.studio.actions import ACTIONS
from sidlive.studio.colours import BAD, FAINT, GOOD, MUTED, PRIMARY, TEXT, WARN, WAVE_COLOURS, WHITE
from sidlive.studio.completion import first_sentence, signature_of

_TYPING = (
    ("Enter", "run it (or open a line, where it goes on)"),
    ("Tab", "complete; again: choose"),
    ("Up / Down", "earlier lines that begin the same way"),
    ("Right", "take the grey suggestion"),
    ("Ctrl-C", "stop running code; clear the line"),
    ("Ctrl-J", "another line"),
    ("Ctrl-P", "all commands"),
)


class Help(ModalScreen[None]):
    """Keys, colours and verbs."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss", "Close", priority=True),
    ]

    def __init__(self, verbs: Mapping[str, Callable[..., Any]]) -> None:
        super().__init__()
        self._verbs = verbs

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help"):
            yield Static(self._keys(), classes="column")
            yield Static(self._listing(), classes="column")

    def on_mount(self) -> None:
        self.query_one("#help").border_title = "sidlive"
        self.query_one("#help").border_subtitle = "Esc closes"

    def _keys(self) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        table.add_column()
        table.add_row(Text("KEYS", f"bold {GOOD}"), "")
        for action in ACTIONS:
            table.add_row(Text(action.key_text, WHITE), Text(action.tip, MUTED))
        table.add_row(Text("TYPING", f"bold {GOOD}"), "")
        for key, tip in _TYPING:
            table.add_row(Text(key, WHITE), Text(tip, MUTED))
        table.add_row(Text("SCORE", f"bold {GOOD}"), "")
        names = ("triangle", "saw", "pulse", "noise", "mixed")
        waves = Text("  ").join(Text(name, colour) for name, colour in zip(names, WAVE_COLOURS[1:], strict=True))
        table.add_row(Text("colours", WHITE), waves)
        table.add_row(Text("left, right", WHITE), Text("of the line: heard; about to be heard", MUTED))
        table.add_row(Text("last row", WHITE), Text("of a voice: its waveform, or how wide its pulse is", MUTED))
        table.add_row(Text("┊", WARN), Text("here the future was made anew", MUTED))
        return table

    def _listing(self) -> Text:
        lines = [Text("VERBS", f"bold {GOOD}")]
        for name, verb in self._verbs.items():
            lines.append(Text(signature_of(name, verb), PRIMARY))
            lines.append(Text(f"   {first_sentence(verb)}", TEXT))
        lines.append(Text("A value may come from any Python expression; code that fails changes nothing.", FAINT))
        return Text("\n").join(lines)


class Leave(ModalScreen[bool]):
    """Whether to leave although the take is not committed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter", "answer(True)", "Leave", priority=True),
        Binding("n,escape", "answer(False)", "Stay", priority=True),
    ]

    def __init__(self, take: str, log: str | None) -> None:
        super().__init__()
        self._take, self._log = take, log

    def compose(self) -> ComposeResult:
        logged = (
            Text.assemble(("It is logged in ", MUTED), (plain(self._log), TEXT), (": nothing is lost.", MUTED))
            if self._log
            else Text("It is NOT logged: leave, and it is gone.", f"bold {BAD}")
        )
        question = Text.assemble(("y", f"bold {GOOD}"), (" leave    ", TEXT), ("n", f"bold {GOOD}"), (" stay", TEXT))
        head = Text(f"{self._take} of music is not committed.", f"bold {WHITE}")
        yield Static(Text("\n\n").join([head, logged, question]), id="leave")

    def action_answer(self, leave: bool) -> None:
        """Close with the answer."""
        self.dismiss(leave)
