"""What each key does. Key bindings, the key bar, the command palette and the help derive from `ACTIONS`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from textual.binding import Binding

if TYPE_CHECKING:
    from sidlive.studio.app import Studio


@dataclass(frozen=True)
class Action:
    """A key and what it does. ``title``: in the key bar (empty: not there). ``tip``: in the palette and the help."""

    name: str
    key: str
    title: str
    tip: str
    run: "Callable[[Studio], object]"
    spare: bool = False  # left out of the key bar of a narrow screen

    @property
    def key_text(self) -> str:
        """Return the key as people write it."""
        named = {"pageup": "PgUp", "pagedown": "PgDn"}
        return named.get(self.key) or self.key.upper().replace("CTRL+", "Ctrl-")

    @property
    def binding(self) -> Binding:
        """Return the key binding for Textual. It has priority, so it works while the performer types."""
        return Binding(self.key, f"do('{self.name}')", self.title or self.tip, show=bool(self.title), priority=True)


ACTIONS: Final[tuple[Action, ...]] = (
    Action("help", "f1", "Help", "Help: keys, verbs and all other topics", lambda studio: studio.toggle_help()),
    Action("play", "f2", "Play", "Start or stop the music", lambda studio: studio.play_or_stop()),
    Action("zoom", "f3", "Zoom", "See less or more of the time around now", lambda studio: studio.zoom(), spare=True),
    Action("reroll", "f4", "Reroll", "Another future: the next seed", lambda studio: studio.reroll()),
    Action("mute1", "f5", "Mute 1", "Mute or unmute voice 1", lambda studio: studio.toggle_mute(1)),
    Action("mute2", "f6", "Mute 2", "Mute or unmute voice 2", lambda studio: studio.toggle_mute(2)),
    Action("mute3", "f7", "Mute 3", "Mute or unmute voice 3", lambda studio: studio.toggle_mute(3)),
    Action("panic", "f8", "PANIC", "Silence now, running code too (also Esc Esc)", lambda studio: studio.silence()),
    Action("restart", "f9", "", "Open the core again after it stopped", lambda studio: studio.restart()),
    Action("tap", "f10", "", "Tap the beat: press it in time", lambda studio: studio.call_verb("tap")),
    Action("listen", "ctrl+o", "", "Hear the chips, the emulator or both", lambda studio: studio.call_verb("listen")),
    Action("midi", "f12", "", "MIDI monitor: the last messages and what they did", lambda studio: studio.toggle_midi()),
    Action("clear", "ctrl+l", "", "Clear the console", lambda studio: studio.console_view.output.clear()),
    Action("older", "pageup", "", "Older output of the console", lambda studio: studio.scroll_pages(-1)),
    Action("newer", "pagedown", "", "Newer output of the console", lambda studio: studio.scroll_pages(1)),
    Action("quit", "ctrl+q", "Quit", "Leave the studio", lambda studio: studio.leave(), spare=True),
)
BY_NAME: Final = {action.name: action for action in ACTIONS}
