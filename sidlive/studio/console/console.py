"""The console: its output, the line for typing below it, and a hint below that."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import RichLog, Static

from sidlive.errors import DeviceError
from sidlive.report import plain
from sidlive.studio.colours import BAD, FAINT, GOOD, GROUND, MUTED, PRIMARY, TEXT, WARN
from sidlive.studio.console.completion import Completion, complete, hint
from sidlive.studio.console.display import ValueDisplay
from sidlive.studio.console.entry import CodeEntry, highlight
from sidlive.studio.console.history import ConsoleHistory
from sidlive.studio.console.names import ConsoleNames
from sidlive.studio.console.runner import CodeRunner, Event

Result = TypeVar("Result")

LINES_AT_ONCE: Final = 120  # lines of output that are added at once
ECHOED_LINES: Final = 60  # lines of a piece of code that are shown when it begins to run
KEPT_LINES: Final = 5000  # lines of output that can be scrolled back to


class Console(Vertical):
    """A Python console over a namespace of verbs. Nothing in it blocks: code runs in the thread of its `CodeRunner`."""

    class Ran(Message):
        """A piece of code has ended."""

    def __init__(
        self,
        verbs: Mapping[str, Callable[..., Any]],
        extra: Mapping[str, Any],
        history: ConsoleHistory,
        known: Callable[[], tuple[tuple[str, ...], tuple[str, ...]]],
    ) -> None:
        """``extra``: further names for the code. ``known()`` returns the names of the fragments and of the controls."""
        super().__init__(id="console")
        self.values = ValueDisplay(verbs)
        self.names = ConsoleNames({**extra, **verbs, "help": self.values.help})
        self.runner = CodeRunner(self.names, self.values)
        self.history = history
        self._known = known
        self._verbs = frozenset((*verbs, "help"))
        self.output = RichLog(id="output", wrap=True, max_lines=KEPT_LINES, min_width=20)
        self.output.can_focus = False
        self.entry = CodeEntry(history, self._complete, self._verbs)
        self._sign = Static("›", id="sign")
        self._signed = ""
        self._hint = Static("", id="hint")

    def compose(self) -> ComposeResult:
        yield self.output
        with Horizontal(id="typing"):
            yield self._sign
            yield self.entry
        yield self._hint

    def on_mount(self) -> None:
        self.runner.open()
        self.set_interval(1 / 20, self.poll)

    def on_unmount(self) -> None:
        self.runner.close()

    def set_heights(self, output: bool, typing: int, hint: bool) -> None:
        """Set which parts are shown, and the greatest height of the line for typing, in rows."""
        self.output.display, self._hint.display = output, hint
        self.entry.styles.max_height = typing
        self.query_one("#typing").styles.max_height = typing

    def run(self, source: str) -> None:
        """Run code as if it were typed, but keep it out of the history."""
        self.runner.submit(source)

    def add_line(self, text: str, colour: str = MUTED) -> None:
        """Show a line of the studio's own."""
        self.output.write(Text(f"· {plain(text)}", colour))

    def poll(self) -> None:
        """Show the runner's new events; a timer calls it."""
        events = self.runner.take()
        if events:
            self._show(events)
        self._show_sign()

    def _show(self, events: list[Event]) -> None:
        printed: list[str] = []
        shown = unshown = 0

        def flush() -> None:
            nonlocal printed, shown
            lines = "\n".join(printed).split("\n") if printed else []
            room = max(LINES_AT_ONCE - shown, 10)
            if len(lines) > room:
                self.output.write(Text(f"… {len(lines) - room:,} lines not shown", FAINT))
                lines = lines[-room:]
            if lines:
                self.output.write(Text(plain("\n".join(lines), lines=True)))
            shown += len(lines)
            printed = []

        for event in events:
            if event.kind == "output":
                printed.append(event.text)
                continue
            flush()
            if event.kind == "source" and shown < LINES_AT_ONCE:
                echo = self._echo(event.text)
                shown += len(echo.plain.split("\n"))
                self.output.write(echo)
            elif event.kind == "source":
                unshown += event.text.count("\n") + 1
            elif event.kind == "value":
                self.output.write(
                    event.value if isinstance(event.value, Text) else Text(plain(event.value, lines=True), TEXT)
                )
            elif event.kind == "error":
                *where, message = plain(event.text, lines=True).split("\n")
                self.output.write(Text.assemble(("".join(f"{line}\n" for line in where), MUTED), (message, BAD)))
            elif event.kind == "notice":
                self.add_line(event.text, WARN)
            else:
                self.post_message(self.Ran())
        flush()
        if unshown:
            self.output.write(Text(f"… {unshown:,} lines of code not shown as they ran", FAINT))

    def _echo(self, source: str) -> Text:
        lines = highlight(source, self._verbs)
        shown = [Text.assemble(("  " if n else "› ", PRIMARY), line) for n, line in enumerate(lines[:ECHOED_LINES])]
        if len(lines) > ECHOED_LINES:
            shown.append(Text(f"  … {len(lines) - ECHOED_LINES:,} more lines", FAINT))
        return Text("\n").join(shown)

    def _show_sign(self) -> None:
        """Show before the line for typing whether code is running, and how many pieces of code wait."""
        busy, waiting = self.runner.busy, self.runner.waiting
        sign = Text(f"■{waiting or ''}", f"bold {WARN}") if busy else Text("›", f"bold {GOOD}")
        if sign.plain != self._signed:
            self._signed = sign.plain
            self._sign.update(sign)

    # -- messages of the line for typing

    @on(CodeEntry.Submitted)
    def _submitted(self, message: CodeEntry.Submitted) -> None:
        try:
            self.history.add(message.source)
        except DeviceError as error:
            self.add_line(str(error), WARN)
        self.output.scroll_end(animate=False)
        self.entry.placeholder = ""  # it is for beginners, until they have typed once
        self.runner.submit(message.source)

    @on(CodeEntry.Interrupted)
    def interrupt(self) -> None:
        """Stop the running code; if none is running, clear the line."""
        if not self.runner.interrupt():
            self.entry.clear()

    @on(CodeEntry.Moved)
    def _moved(self, message: CodeEntry.Moved) -> None:
        found = _or_else(None, hint, message.before, self.names.all)
        line = Text(no_wrap=True, overflow="ellipsis")
        if found is not None:
            line.append(plain(found[0]), PRIMARY)
            line.append("  " + plain(found[1]), MUTED)
        self._hint.update(line)

    @on(CodeEntry.Offered)
    def _offered(self, message: CodeEntry.Offered) -> None:
        options, chosen = message.completion.options, max(message.chosen, 0)
        line = Text(no_wrap=True, overflow="ellipsis")
        width, left = self.size.width - 4, 0
        while chosen > left and sum(len(o) + 2 for o in options[left : chosen + 1]) > width:
            left += 1
        if left:
            line.append("‹ ", FAINT)
        for number, option in enumerate(options[left:], left):
            style = f"bold {GROUND} on {PRIMARY}" if number == message.chosen else TEXT
            line.append(plain(option), style).append("  ")
        self._hint.update(line)

    def _complete(self, before: str) -> Completion:
        fragments, controls = self._known()
        return _or_else(Completion(), complete, before, self.names.all, fragments, controls, self._verbs)

    def scroll_pages(self, pages: int) -> None:
        """Scroll the output, back if ``pages`` is negative."""
        (self.output.scroll_page_up if pages < 0 else self.output.scroll_page_down)(animate=False)


def _or_else(default: Result, look: Callable[..., Result], *arguments: Any) -> Result:
    """Call a function that inspects the performer's objects; return ``default`` if it raises.

    Properties and signatures may be the performer's own code, which may raise anything, SystemExit too.
    """
    try:
        return look(*arguments)
    except BaseException:
        return default
