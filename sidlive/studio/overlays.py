"""Screens that lie over the studio: the help, and the question before leaving."""

from typing import ClassVar, Final

from rich.table import Table
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Markdown, OptionList, Static
from textual.widgets.option_list import Option

from sidlive import docs
from sidlive.report import plain
from sidlive.studio.actions import ACTIONS
from sidlive.studio.colours import BAD, GOOD, MUTED, TEXT, WARN, WAVE_COLOURS, WHITE

KEYS: Final = "keys"  # the topic of the first page, which is made from the studio's actions

_TYPING: Final = (
    ("Enter", "run the code, or begin another line if it is not complete"),
    ("Tab", "complete; again: choose"),
    ("Up / Down", "earlier code that begins in the same way"),
    ("Right", "accept the grey suggestion"),
    ("Ctrl-C", "stop running code; else clear the line"),
    ("Ctrl-J", "begin another line"),
    ("Ctrl-P", "choose an action by name"),
)


class Help(ModalScreen[None]):
    """The help: a list of topics, and the page of the chosen topic."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "dismiss", "Close", priority=True)]

    def __init__(self, topic: str = KEYS) -> None:
        """``topic``: the page to begin with, ``keys`` or one of `sidlive.docs.TOPICS`."""
        super().__init__()
        self._topic = topic

    def compose(self) -> ComposeResult:
        with Horizontal(id="help"):
            yield OptionList(*(Option(topic, id=topic) for topic in (KEYS, *docs.TOPICS)), id="topics")
            with VerticalScroll(id="page", can_focus=False):
                yield Static(_keys(), id="page-keys")
                yield Markdown(id="page-text", open_links=False)

    def on_mount(self) -> None:
        box = self.query_one("#help")
        box.border_title, box.border_subtitle = "sidlive", "Up, Down: topic   PgUp, PgDn: scroll   Esc: close"
        self.show_topic(self._topic)

    def show_topic(self, topic: str) -> None:
        """Choose a topic in the list; its page follows."""
        topics = self.query_one("#topics", OptionList)
        topics.highlighted = topics.get_option_index(topic)

    def scroll_pages(self, pages: int) -> None:
        """Scroll the page, back if ``pages`` is negative."""
        page = self.query_one("#page", VerticalScroll)
        (page.scroll_page_up if pages < 0 else page.scroll_page_down)(animate=False)

    @on(OptionList.OptionHighlighted)
    def _chosen(self, message: OptionList.OptionHighlighted) -> None:
        self.run_worker(self._show_page(message.option.id or KEYS), exclusive=True)

    @on(Markdown.LinkClicked)
    def _follow(self, message: Markdown.LinkClicked) -> None:
        """Show the page that a link names. Links to anything else are only text here."""
        topic = message.href.removesuffix(".md")
        if topic in docs.TOPICS:
            self.show_topic(topic)

    async def _show_page(self, topic: str) -> None:
        keys, text = self.query_one("#page-keys"), self.query_one("#page-text", Markdown)
        keys.display, text.display = topic == KEYS, topic != KEYS
        if topic != KEYS:
            await text.update(docs.read(topic))
        self.query_one("#page", VerticalScroll).scroll_home(animate=False)


def _keys() -> Table:
    """Return the page of keys: actions, typing, and how to read the score."""
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
    table.add_row(Text("┊", WARN), Text("from here on the future was generated again", MUTED))
    return table


class Leave(ModalScreen[bool]):
    """The question whether to leave although the take is not committed; its result is the answer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter", "answer(True)", "Leave", priority=True),
        Binding("n,escape", "answer(False)", "Stay", priority=True),
    ]

    def __init__(self, take: str, log: str | None) -> None:
        """``take``: its length, as text. ``log``: the folder of its log, None if it is not logged."""
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
        """Close the question with this answer."""
        self.dismiss(leave)
