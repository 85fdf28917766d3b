"""The line for typing: highlighted Python of one or more lines, with history, suggestions and completion."""

import time
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, ClassVar, Final

from pygments.token import Token  # type: ignore[import-untyped]
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import TextArea
from textual.widgets.text_area import TextAreaTheme

from sidlive.report import plain
from sidlive.studio.colours import GROUND, PRIMARY, RAISED, SYNTAX, TEXT
from sidlive.studio.console.completion import Completion
from sidlive.studio.console.history import ConsoleHistory
from sidlive.studio.console.statements import is_complete, next_indent, split_statements

BURST_S: Final = 0.01  # keys closer together than this were not typed by hand
QUIET_S: Final = 0.06  # a burst of keys ends after this time without a key
COLOURED_CHARS: Final = 3000  # a longer text has one colour: highlighting it at each key takes too long
COLOURED_LINE: Final = 600  # a longer line has one colour too


@cache
def _lexer() -> Any:
    """Return the lexer of Python; making it takes as long as a whole picture, so it is made at the first key."""
    from pygments.lexers.python import PythonLexer  # type: ignore[import-untyped]

    return PythonLexer(stripnl=False, ensurenl=False)


@lru_cache(maxsize=256)
def highlight(source: str, verbs: frozenset[str] = frozenset()) -> tuple[Text, ...]:
    """Return the lines of Python code in colour, verbs in bold. Long texts and long lines have one colour."""
    if len(source) > COLOURED_CHARS:
        return tuple(Text(line, TEXT, no_wrap=True, end="") for line in source.split("\n"))
    lines = _coloured(source, verbs).split("\n", allow_blank=True)
    return tuple(line if len(line) <= COLOURED_LINE else Text(line.plain, TEXT, no_wrap=True, end="") for line in lines)


def _coloured(source: str, verbs: frozenset[str]) -> Text:
    text = Text(no_wrap=True, end="")
    tokens = list(_lexer().get_tokens(source))
    for number, (token, piece) in enumerate(tokens):
        colour = TEXT
        names_argument = number + 1 < len(tokens) and tokens[number + 1][1] == "="  # load(path, start=4)
        if token in Token.Name and piece in verbs and not names_argument:
            text.append(piece, Style(color=PRIMARY, bold=True))
            continue
        while token is not None and token is not Token:
            if (found := SYNTAX.get(str(token).removeprefix("Token."))) is not None:
                colour = found
                break
            token = token.parent
        text.append(piece, Style(color=colour))
    return text


class Typed(events.Paste):
    """Text that the terminal sent at once, as keys: a paste that it did not mark as a paste."""


class CodeEntry(TextArea):
    """The line for typing. Enter runs complete code, else begins a line; Tab completes; Up and Down recall."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+a", "cursor_line_start", show=False),
        Binding("ctrl+u", "delete_to_start_of_line", show=False),
    ]

    class Submitted(Message):
        """The performer entered code to run."""

        def __init__(self, source: str) -> None:
            super().__init__()
            self.source = source

    class Offered(Message):
        """The options of a completion changed. ``chosen`` is the index of the chosen option, -1 if none is."""

        def __init__(self, completion: Completion, chosen: int) -> None:
            super().__init__()
            self.completion, self.chosen = completion, chosen

    class Moved(Message):
        """The text before the cursor changed."""

        def __init__(self, before: str) -> None:
            super().__init__()
            self.before = before

    class Interrupted(Message):
        """The performer pressed Ctrl-C."""

    def __init__(self, history: ConsoleHistory, completer: Callable[[str], Completion], verbs: frozenset[str]) -> None:
        super().__init__(
            id="entry",
            compact=True,
            soft_wrap=True,
            show_line_numbers=False,
            tab_behavior="focus",
            placeholder='Python: prompt("gallop"); start()   Tab completes, help() lists the verbs',
        )
        self.cursor_blink = False  # on a large screen a blinking cell distracts from the music
        self.console_history = history
        self.verbs = verbs
        self._completer = completer
        self._offer: Completion | None = None
        self._chosen = -1
        self._burst: list[str] = []
        self._keyed_s = self._arrived_s = -1e9  # time of the last key; time of the burst's last text
        self._indented = 0  # spaces of indent that the last key added, if it was Enter
        self.register_theme(
            TextAreaTheme(
                "sidlive",
                base_style=Style(color=TEXT, bgcolor=GROUND),
                cursor_style=Style(color=GROUND, bgcolor=TEXT),
                cursor_line_style=Style(bgcolor=GROUND),
                selection_style=Style(bgcolor=RAISED),
                bracket_matching_style=Style(bgcolor=RAISED, bold=True),
            )
        )
        self.theme = "sidlive"

    def get_line(self, line_index: int) -> Text:
        """Return a line in colour; Textual calls this when it draws."""
        lines = highlight(self.text, self.verbs)
        line = lines[line_index].copy() if line_index < len(lines) else Text()
        line.end, line.no_wrap = "", True
        return line

    @property
    def before(self) -> str:
        """Return the text before the cursor."""
        return self.get_text_range((0, 0), self.cursor_location)

    def update_suggestion(self) -> None:
        """Suggest the rest of an earlier line; Textual calls this at each change."""
        self.suggestion = plain(self.console_history.suggest(self.text)) if self.cursor_at_end_of_text else ""
        self.post_message(self.Moved(self.before))

    def find_matching_bracket(self, bracket: str, search_from: tuple[int, int]) -> tuple[int, int] | None:
        """Find the other bracket of a pair; Textual asks at each move of the cursor. Long texts are not searched."""
        return super().find_matching_bracket(bracket, search_from) if len(self.text) <= COLOURED_CHARS else None

    # -- text that arrives at once: a marked paste, or a burst of keys

    async def _on_paste(self, event: events.Paste) -> None:
        """Insert a marked paste. It runs when Enter is pressed."""
        event.stop()
        event.prevent_default()
        self._end_burst()
        self._write(event.text)

    def _on_typed(self, event: Typed) -> None:
        """Add an unmarked paste to the burst. Its lines run as if Enter were pressed after each."""
        event.stop()
        self._take_in(event.text)

    def _in_burst(self, event: events.Key) -> bool:
        """Add a key to the burst if it came too fast to be typed by hand; return whether it did."""
        char = {"enter": "\r", "ctrl+j": "\n", "tab": "\t"}.get(event.key) or (event.character or "")
        if not char or not (event.is_printable or char in "\r\n\t"):
            self._end_burst()
            self._keyed_s = -1e9
            return False
        fast = event.time - self._keyed_s < BURST_S
        self._keyed_s = event.time
        if not fast and not self._burst:
            self._indented = 0
            return False
        self._take_in(char)
        return True

    def _take_in(self, text: str) -> None:
        """Add text to the burst, which is inserted after a short time without text."""
        if not self._burst:
            self._end_offer()
            self.set_timer(QUIET_S, self._end_burst_if_quiet)
        self._burst.append(text)
        self._arrived_s = time.monotonic()

    def _end_burst_if_quiet(self) -> None:
        """End the burst, or wait again if text has come meanwhile."""
        wait_s = self._arrived_s + QUIET_S - time.monotonic()
        if wait_s > 0:
            self.set_timer(wait_s, self._end_burst_if_quiet)
        else:
            self._end_burst()

    def _end_burst(self) -> None:
        """Insert the text of the burst, without indenting it, and run the statements that are complete now."""
        if not self._burst:
            return
        text = "".join(self._burst).replace("\r\n", "\n").replace("\r", "\n")
        self._burst.clear()
        if self._indented:  # the Enter before the burst was part of it
            row, column = self.cursor_location
            self.delete((row, max(0, column - self._indented)), (row, column))
            self._indented = 0
        completes = text.endswith("\t") and bool(text.rpartition("\n")[2].strip())
        self._write(text[:-1] if completes else text)
        if completes:
            self._tab()
        elif "\n" in text and self.cursor_at_end_of_text:
            statements, rest = split_statements(self.text)
            if statements or not self.text.strip():
                self.text = rest
                self.move_cursor(self.document.end)
            for statement in statements:
                self.post_message(self.Submitted(statement))

    def _write(self, text: str) -> None:
        """Replace the selection by a text, with control characters escaped."""
        text = plain(text.replace("\r\n", "\n").replace("\r", "\n"), lines=True)
        if result := self._replace_via_keyboard(text, *self.selection):
            self.move_cursor(result.end_location)

    # -- keys

    async def _on_key(self, event: events.Key) -> None:
        """Handle the keys that do something else here than in Textual's editor."""
        if self._in_burst(event):
            event.stop()
            event.prevent_default()
            return
        handler = {
            "enter": self._enter,
            "ctrl+j": self._new_line,
            "tab": self._tab,
            "shift+tab": self._back_tab,
            "up": self._up,
            "down": self._down,
            "ctrl+c": self._stop,
        }.get(event.key)
        if event.key not in ("tab", "shift+tab"):
            self._end_offer()
        if handler is not None and handler():
            event.stop()
            event.prevent_default()
            return
        if event.key not in ("up", "down"):
            self.console_history.end_walk()
        await super()._on_key(event)

    def _enter(self) -> bool:
        row, _ = self.cursor_location
        if not self.text.strip():
            self.clear()
        elif row < self.document.line_count - 1 or not is_complete(self.text):
            self._new_line()
        else:
            source = self.text.rstrip()
            self.clear()
            self.post_message(self.Submitted(source))
        return True

    def _new_line(self) -> bool:
        row, column = self.cursor_location
        indent = next_indent(self.document.get_line(row)[:column])
        self.insert("\n" + indent)
        self._indented = len(indent)
        return True

    def _up(self) -> bool:
        return self.cursor_at_first_line and self._recalled(self.console_history.back(self.text))

    def _down(self) -> bool:
        return self.cursor_at_last_line and self._recalled(self.console_history.forward())

    def _recalled(self, entry: str | None) -> bool:
        if entry is not None:
            self.text = plain(entry, lines=True)
            self.move_cursor(self.document.end)
            self.update_suggestion()
        return True

    def _stop(self) -> bool:
        if self.selected_text:
            return False
        self.post_message(self.Interrupted())
        return True

    def _tab(self) -> bool:
        if self._offer is not None:
            return self._choose(1)
        row, column = self.cursor_location
        if not self.document.get_line(row)[:column].strip() and (row or self.text):
            self.insert(" " * (4 - column % 4))
            return True
        completion = self._completer(self.before)
        if len(completion.options) == 1:
            self._put(completion, plain(completion.options[0]), final=True)
        elif completion.options:
            common = plain(completion.common)  # inside a string, an escape means the same character
            self._put(completion, common)
            self._offer, self._chosen = Completion(common, completion.options), -1
            self.post_message(self.Offered(self._offer, -1))
        return True

    def _back_tab(self) -> bool:
        return self._choose(-1) if self._offer is not None else True

    def _choose(self, step: int) -> bool:
        assert self._offer is not None
        count = len(self._offer.options)
        self._chosen = count - 1 if self._chosen < 0 and step < 0 else (self._chosen + step) % count
        option = plain(self._offer.options[self._chosen])
        self._put(self._offer, option)
        self._offer = Completion(option, self._offer.options)
        self.post_message(self.Offered(self._offer, self._chosen))
        return True

    def _end_offer(self) -> None:
        if self._offer is not None:
            self._offer = None
            self.post_message(self.Offered(Completion(), -1))

    def _put(self, completion: Completion, option: str, final: bool = False) -> None:
        """Replace the stem before the cursor by an option; with ``final``, a verb also gets its opening parenthesis."""
        row, column = self.cursor_location
        after = self.document.get_line(row)[column : column + 1]
        if final and option in self.verbs and after != "(" and self.before.count('"') % 2 == 0:
            option += "("
        self.replace(option, (row, column - len(completion.stem)), (row, column))
