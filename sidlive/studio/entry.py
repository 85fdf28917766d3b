"""The line in which a performer types: highlighted Python over several lines, recalled, suggested and completed."""

from collections.abc import Callable
from functools import lru_cache
from typing import ClassVar, Final

from pygments.lexers.python import PythonLexer  # type: ignore[import-untyped]
from pygments.token import Token  # type: ignore[import-untyped]
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import TextArea
from textual.widgets.text_area import TextAreaTheme

from sidlive.studio.complete import Completion
from sidlive.studio.evaluate import is_complete, next_indent
from sidlive.studio.palette import GROUND, PRIMARY, RAISED, SYNTAX, TEXT
from sidlive.studio.recall import Recall

_LEXER: Final = PythonLexer(stripnl=False, ensurenl=False)


@lru_cache(maxsize=256)
def highlight(source: str, verbs: frozenset[str] = frozenset()) -> Text:
    """Python in colour; the verbs stand out."""
    text = Text(no_wrap=True, end="")
    for token, piece in _LEXER.get_tokens(source):
        colour = TEXT
        if token in Token.Name and piece in verbs:
            text.append(piece, Style(color=PRIMARY, bold=True))
            continue
        while token is not None and token is not Token:
            if (found := SYNTAX.get(str(token).removeprefix("Token."))) is not None:
                colour = found
                break
            token = token.parent
        text.append(piece, Style(color=colour))
    return text


class Entry(TextArea):
    """Enter runs what is complete and opens a line otherwise; Tab completes; up and down recall."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+a", "cursor_line_start", show=False),
        Binding("ctrl+u", "delete_to_start_of_line", show=False),
    ]

    class Submitted(Message):
        """Run this."""

        def __init__(self, source: str) -> None:
            super().__init__()
            self.source = source

    class Offered(Message):
        """Completions to show, with the number of the chosen one (-1: none yet); no options: show none."""

        def __init__(self, completion: Completion, chosen: int) -> None:
            super().__init__()
            self.completion, self.chosen = completion, chosen

    class Moved(Message):
        """The text before the cursor is another."""

        def __init__(self, before: str) -> None:
            super().__init__()
            self.before = before

    class Interrupted(Message):
        """Ctrl-C."""

    def __init__(self, recall: Recall, completer: Callable[[str], Completion], verbs: frozenset[str]) -> None:
        super().__init__(
            id="entry",
            compact=True,
            soft_wrap=True,
            show_line_numbers=False,
            tab_behavior="focus",
            placeholder='Python: prompt("gallop")  start()  or load("my.sid")   Tab completes, help() tells',
        )
        self.cursor_blink = False  # a blinking cell on a wall draws the eye from the music
        self.recall = recall
        self.verbs = verbs
        self._completer = completer
        self._offer: Completion | None = None
        self._chosen = -1
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
        """The line in colour (Textual calls this as it draws)."""
        lines = highlight(self.text, self.verbs).split("\n", allow_blank=True)
        line = lines[line_index].copy() if line_index < len(lines) else Text()
        line.end, line.no_wrap = "", True
        return line

    @property
    def before(self) -> str:
        """The text before the cursor."""
        return self.get_text_range((0, 0), self.cursor_location)

    def update_suggestion(self) -> None:
        """Offer the rest of a remembered line; Textual calls this at each change."""
        self.suggestion = self.recall.suggest(self.text) if self.cursor_at_end_of_text else ""
        self.post_message(self.Moved(self.before))

    async def _on_key(self, event: events.Key) -> None:
        """Keys that mean more here than in an editor."""
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
            self.recall.rest()
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
        self.insert("\n" + next_indent(self.document.get_line(row)[:column]))
        return True

    def _up(self) -> bool:
        return self.cursor_at_first_line and self._recalled(self.recall.back(self.text))

    def _down(self) -> bool:
        return self.cursor_at_last_line and self._recalled(self.recall.forward())

    def _recalled(self, entry: str | None) -> bool:
        if entry is not None:
            self.text = entry
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
            self._put(completion, completion.options[0], final=True)
        elif completion.options:
            self._put(completion, completion.common)
            self._offer, self._chosen = Completion(completion.common, completion.options), -1
            self.post_message(self.Offered(self._offer, -1))
        return True

    def _back_tab(self) -> bool:
        return self._choose(-1) if self._offer is not None else True

    def _choose(self, step: int) -> bool:
        assert self._offer is not None
        count = len(self._offer.options)
        self._chosen = count - 1 if self._chosen < 0 and step < 0 else (self._chosen + step) % count
        option = self._offer.options[self._chosen]
        self._put(self._offer, option)
        self._offer = Completion(option, self._offer.options)
        self.post_message(self.Offered(self._offer, self._chosen))
        return True

    def _end_offer(self) -> None:
        if self._offer is not None:
            self._offer = None
            self.post_message(self.Offered(Completion(), -1))

    def _put(self, completion: Completion, option: str, final: bool = False) -> None:
        """Replace the stem before the cursor; a verb that stands alone gets its parenthesis."""
        row, column = self.cursor_location
        after = self.document.get_line(row)[column : column + 1]
        if final and option in self.verbs and after != "(" and self.before.count('"') % 2 == 0:
            option += "("
        self.replace(option, (row, column - len(completion.stem)), (row, column))
