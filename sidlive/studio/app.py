"""The studio: the screen of a session. It makes no music: the core does that, in a process of its own.

The screens that lie over it (`overlays`, `midi_monitor`) are imported when they are opened.
"""

import functools
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol

from rich.text import Text
from textual import on
from textual.app import App, ComposeResult, SystemCommand
from textual.binding import BindingType
from textual.driver import Driver
from textual.filter import LineFilter, Monochrome
from textual.screen import Screen

from sidlive import docs
from sidlive.errors import SidliveError
from sidlive.live.hands.deeds import parse_call
from sidlive.live.state import State, Window
from sidlive.studio import views
from sidlive.studio.actions import ACTIONS, BY_NAME
from sidlive.studio.colours import BAD, MUTED, THEME, WARN
from sidlive.studio.console.completion import first_sentence
from sidlive.studio.console.console import Console
from sidlive.studio.console.error_text import explain
from sidlive.studio.console.history import ConsoleHistory
from sidlive.studio.layout import NARROW, divide_screen
from sidlive.studio.monochrome import WithoutColours
from sidlive.studio.notices import Bulletin
from sidlive.studio.terminal_driver import driver_over
from sidlive.studio.widgets import ControlStrip, KeyBar, Masthead, NoticeLine, Panel, ScoreView, SideBySide, Stacked

SCORE_HZ: Final = 30  # how often the tape is read; a picture is drawn only if a cell changed
STATE_HZ: Final = 10  # how often the state is read and shown
BUSY_S: Final = 2.0  # code that runs longer gets a notice
ESCAPE_S: Final = 0.5  # two Esc within this are panic


class StudioSession(Protocol):
    """The methods of a session that the studio calls."""

    def state(self) -> State: ...
    def window(self, before: int = 64, after: int = 64) -> Window: ...
    def restart(self) -> None: ...


class Studio(App[int]):
    """The app of the studio."""

    CSS_PATH = "studio.tcss"
    TITLE = "sidlive"
    BINDINGS: ClassVar[list[BindingType]] = [action.binding for action in ACTIONS]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (NARROW, "-nominal"), (150, "-wide")]  # noqa: RUF012 (as Textual has it)

    def __init__(
        self,
        session: StudioSession,
        verbs: Mapping[str, Callable[..., Any]],
        history: ConsoleHistory | None = None,
        extra: Mapping[str, Any] | None = None,
        greeting: Iterable[str] = (),
        first: State | None = None,
    ) -> None:
        """``verbs``: the session's, by name. ``extra``: more names for the console. ``greeting``: its first lines.

        ``first``: the state that is shown until the session tells its own; None: the session is asked here.
        """
        super().__init__()
        self.fault: Exception | None = None  # the error that ended the app
        self._without_colours = WithoutColours()
        self.register_theme(THEME)
        self.theme = THEME.name
        self.session = session
        self.verbs = dict(verbs)
        if "commit" in self.verbs:
            self.verbs["commit"] = self._watch_commit(self.verbs["commit"])
        self.greeting = tuple(greeting)
        self.now: State = session.state() if first is None else first
        self._latest = self.now
        self._over = threading.Event()
        self.committed_s = 0.0  # length of the take at the last commit
        self._committing = False
        self._touched = views.Touched()
        self._bulletin = Bulletin()
        self.score_view: ScoreView = ScoreView()
        self.console_view: Console = Console(
            self.verbs, {**(extra or {}), "docs": self.docs}, history or ConsoleHistory(), self._known_names
        )
        meanings = {name: first_sentence(verb) for name, verb in self.verbs.items()}
        self._notice_line = NoticeLine()
        self._views = (Masthead("masthead"), ControlStrip("strip"), Panel("panel", meanings), KeyBar("keys"))
        self._key_calls = ThreadPoolExecutor(1, thread_name_prefix="keys")
        self._escaped = -1e9

    # -- methods that Textual calls

    def get_driver_class(self) -> type[Driver]:
        """Return the class that reads and writes the terminal."""
        return driver_over(super().get_driver_class())

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return the filters of all lines. Without colours it is ours: Textual's would show shades of grey."""
        filters = [line_filter for line_filter in super().get_line_filters() if not isinstance(line_filter, Monochrome)]
        return [*filters, self._without_colours] if self.no_color else filters

    def _handle_exception(self, error: Exception) -> None:
        """Keep the error for `show`, which prints it after the terminal is restored."""
        self.fault = self.fault or error
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """End the app. Textual would draw the traceback on the screen, which is about to be cleared."""
        self._close_messages_no_wait()

    # -- the screen

    def compose(self) -> ComposeResult:
        masthead, strip, panel, keys = self._views
        yield masthead
        with SideBySide(id="stage"):
            with Stacked(id="left"):
                yield self.score_view
                yield strip
                yield self._notice_line
                yield self.console_view
            yield panel
        yield keys

    def on_mount(self) -> None:
        self.console_view.entry.focus()
        for line in self.greeting:
            self.console_view.add_line(line)
        threading.Thread(target=self._watch, name="watch", daemon=True).start()
        self.show_state()
        self.set_interval(1 / SCORE_HZ, self.show_score)
        self.set_interval(1 / STATE_HZ, self.show_state)

    def on_resize(self) -> None:
        self.call_next(self._divide_screen)

    def on_unmount(self) -> None:
        self._over.set()
        self._key_calls.shutdown(wait=False, cancel_futures=True)

    def _divide_screen(self) -> None:
        """Show the parts that the window has room for. The line for typing is always shown."""
        parts = divide_screen(*self.size)
        masthead, strip, _, keys = self._views
        for part, rows in (
            (masthead, parts.masthead),
            (self.score_view, parts.score),
            (strip, parts.strip),
            (self._notice_line, parts.notice),
            (keys, parts.keys),
        ):
            part.display = rows > 0
            part.styles.height = rows
        self.console_view.set_heights(parts.output > 0, parts.typing, parts.hint > 0)

    def show_score(self) -> None:
        """Read the tape and show the score; a timer calls it."""
        if len(self.screen_stack) > 1:
            return
        view = self.score_view
        if view.size.width:
            view.show(self.session.window(*view.needed), self.now)

    def _watch(self) -> None:
        """Read the state repeatedly, in a thread of its own, because a call takes long if the core does not answer."""
        try:
            while not self._over.is_set():
                self._latest = self.session.state()
                self._over.wait(1 / STATE_HZ)
        except Exception as error:
            if not self._over.is_set():
                self.call_later(self._handle_exception, error)

    def show_state(self) -> None:
        """Show the state that was read last; a timer calls it."""
        self.now = state = self._latest
        moment = time.monotonic()
        touched = self._touched.look(state, moment)
        self.score_view.roll.tuned(state.timing, state.rate_hz)
        for view in self._views:
            if view.display:
                view.show(state, touched)
        for notice in self._bulletin.fresh(state, moment):
            self.console_view.add_line(notice.text, WARN if notice.level == "warning" else MUTED)
        text, colour = self._bulletin.choose(state, moment)
        busy_s = self.console_view.runner.busy_s
        if not text and busy_s > BUSY_S:
            text, colour = f"code runs for {busy_s:.0f} s; Ctrl-C stops it", MUTED
        self._notice_line.show(text, colour)

    # -- actions

    def action_do(self, name: str) -> None:
        """Do the action of this name."""
        BY_NAME[name].run(self)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Yield the entries of the command palette: all actions and, once something is searched for, all controls."""
        for action in ACTIONS:
            yield SystemCommand(action.tip, action.key_text, functools.partial(action.run, self))
        for control in self.now.controls.values():
            begun = f'set("{control.name}", '
            typed = functools.partial(self.console_view.entry.insert, begun)
            yield SystemCommand(f"{control.name}: {control.help}", f"{begun}…)", typed, discover=False)

    def call_verb(self, verb: str, *arguments: Any) -> None:
        """Call a verb as if it were typed, but without waiting for running code: the thread for keys calls it."""
        shown = ", ".join(repr(argument) for argument in arguments)
        self.console_view.add_line(f"{verb}({shown})")
        self._key_calls.submit(self._do, verb, arguments)

    def _do(self, verb: str, arguments: tuple[Any, ...]) -> None:
        try:
            self.verbs[verb](*arguments)
        except Exception as error:  # a verb that fails does not end the studio
            self.call_from_thread(self.console_view.add_line, explain(error, self.console_view.names), BAD)

    def toggle_help(self) -> None:
        """Open the help, or close it."""
        from sidlive.studio.overlays import Help

        if isinstance(self.screen, Help):
            self.pop_screen()
        else:
            self.push_screen(Help())

    def toggle_midi(self) -> None:
        """Open the MIDI monitor, or close it."""
        from sidlive.studio.midi_monitor import MidiMonitor

        if isinstance(self.screen, MidiMonitor):
            self.pop_screen()
        elif "midi" in self.verbs:
            self.push_screen(MidiMonitor(self.verbs["midi"]))

    def run_pad(self, call: str) -> None:
        """Run a call of a verb that a pad hands to the session, as if it were typed. A thread of its own."""
        deed = parse_call(call)
        self.call_from_thread(self.console_view.add_line, f"{call}  (pad)")
        try:
            self.verbs[deed.name](*deed.arguments, **dict(deed.named))
        except Exception as error:  # a verb that fails does not end the studio
            self.call_from_thread(self.console_view.add_line, explain(error, self.console_view.names), BAD)

    def docs(self, topic: str | None = None) -> Text | None:
        """Show a page of the help: ``docs("midi")``. Without a topic, list the topics."""
        if topic is None:
            return Text("\n".join(f"{name:13} {title}" for name, title in docs.topics().items()))
        docs.read(topic)  # raises ControlError if there is no such topic
        self.call_from_thread(self._show_docs, topic)
        return None

    def _show_docs(self, topic: str) -> None:
        from sidlive.studio.overlays import Help

        if isinstance(self.screen, Help):
            self.screen.show_topic(topic)
        else:
            self.push_screen(Help(topic))

    def scroll_pages(self, pages: int) -> None:
        """Scroll the help if it is open, else the console's output; back if ``pages`` is negative."""
        from sidlive.studio.overlays import Help

        (self.screen if isinstance(self.screen, Help) else self.console_view).scroll_pages(pages)

    def play_or_stop(self) -> None:
        """Start the music if it is stopped, else stop it."""
        self.call_verb("start" if self.now.phase == "stopped" else "stop")

    def reroll(self) -> None:
        """Take the next seed, and with it another future."""
        seed = self.now.controls.get("seed")
        if seed is not None and isinstance(seed.value, int | float):
            self.call_verb("seed", int(seed.value) + 1)

    def toggle_mute(self, voice: int) -> None:
        """Mute a voice (1 to 3), or unmute it."""
        self.call_verb("unmute" if self.now.voices[voice - 1].muted else "mute", voice)

    def silence(self) -> None:
        """Silence the chip without waiting for anything. Stop running code, which might start the music again.

        A commit is not stopped: it makes no sound, and the take would not be kept.
        """
        if not self._committing:
            self.console_view.runner.interrupt()
        self.console_view.add_line("panic()", BAD)
        threading.Thread(target=self._do, args=("panic", ()), name="panic", daemon=True).start()

    def key_escape(self) -> None:
        """Silence the chip at the second Esc within `ESCAPE_S` seconds."""
        now = time.monotonic()
        if now - self._escaped < ESCAPE_S:
            self.silence()
            self._escaped = -1e9
        else:
            self._escaped = now

    def zoom(self) -> None:
        """Show more time in the score; after the largest span, the smallest."""
        self.score_view.zoom()

    def restart(self) -> None:
        """Open the core again if it has stopped."""
        if self.now.alive and not self.now.trouble:
            self.console_view.add_line("the core is running; F9 opens it again after it has stopped")
            return
        self.console_view.add_line("opening the core again")
        self._key_calls.submit(self._restart)

    def _restart(self) -> None:
        try:
            self.session.restart()
        except SidliveError as error:
            self.call_from_thread(self.console_view.add_line, str(error), BAD)

    @on(ScoreView.Clicked)
    def _clicked(self, message: ScoreView.Clicked) -> None:
        self.toggle_mute(message.voice)

    @on(Panel.Learns)
    def _learns(self, message: Panel.Learns) -> None:
        self.call_verb("learn", *([message.name] if message.name else []))

    @on(KeyBar.Pressed)
    def _pressed(self, message: KeyBar.Pressed) -> None:
        self.action_do(message.name)

    def leave(self) -> None:
        """Leave the studio. If the take is not committed, ask first; a second request leaves."""
        from sidlive.studio.overlays import Leave

        fresh = self.now.take_s - self.committed_s
        if fresh < 1.0 or isinstance(self.screen, Leave):
            self.exit(0)
        else:
            self.push_screen(Leave(views.clock_text(self.now.take_s), self.now.take), self._leave_if_answered)

    def _leave_if_answered(self, leave: bool | None) -> None:
        if leave:
            self.exit(0)

    def _watch_commit(self, commit: Callable[..., Path]) -> Callable[..., Path]:
        """Wrap the verb commit: remember that it is at work, and the take's length when it is done."""

        @functools.wraps(commit)
        def noted(*arguments: Any, **named: Any) -> Path:
            self._committing = True
            try:
                result = commit(*arguments, **named)
            finally:
                self._committing = False
            self.committed_s = self.now.take_s
            return result

        return noted

    def _known_names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the names of the fragments and of the controls, for completion."""
        return self.now.fragments, tuple(self.now.controls)
