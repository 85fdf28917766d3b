"""Widgets that are drawn cell by cell on a Canvas. Only the rows that changed are sent to the terminal."""

from collections.abc import Mapping, Sequence

from textual import events
from textual.containers import Horizontal, Vertical
from textual.filter import ANSIToTruecolor
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from sidlive.live.state import LEARNING, State, VoiceState, Window, no_notes
from sidlive.model.composer.plan_settings import SHORTEST_HORIZON
from sidlive.studio import lanes, views
from sidlive.studio.actions import ACTIONS, Action
from sidlive.studio.canvas import Canvas
from sidlive.studio.colours import BAD, GOOD, GROUND, PANEL, TEXT, WARN, ink
from sidlive.studio.layout import ZOOMS
from sidlive.studio.marks import Marks, marks_of
from sidlive.studio.notices import notice_line
from sidlive.studio.roll import Roll


class SideBySide(Horizontal):
    """A container of parts side by side, which cover it completely."""

    BLANK = True  # it draws nothing itself


class Stacked(Vertical):
    """A container of parts one below the other, which cover it completely."""

    BLANK = True


class Drawn(Widget):
    """A widget that shows a Canvas, which subclasses paint."""

    ALLOW_SELECT = False
    GROUND = GROUND

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._canvas: Canvas | None = None
        self._strips: list[Strip] = []

    def paint(self, canvas: Canvas) -> None:
        """Draw on an empty canvas of the widget's size."""
        raise NotImplementedError

    def redraw(self) -> int:
        """Paint, and send the changed rows to the terminal; return their number."""
        width, height = self.size
        if not width or not height:
            return 0
        canvas = Canvas(width, height, self.GROUND)
        self.paint(canvas)
        rows = canvas.changed_rows(self._canvas)
        if len(rows) == height:
            self._strips = [canvas.strip(y) for y in rows]
            self.refresh()
        elif rows:
            for y in rows:
                self._strips[y] = canvas.strip(y)
            self.refresh(*(Region(0, y, width, 1) for y in rows))
        self._canvas = canvas
        return len(rows)

    def render_line(self, y: int) -> Strip:
        """Return one line of the last picture."""
        return (
            self._strips[y]
            if y < len(self._strips)
            else Strip.blank(self.size.width, ink.styles[ink(TEXT, self.GROUND)])
        )

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the lines of a region. Without a border, padding and tint, Textual's styling is not needed."""
        strips = [self.render_line(y) for y in crop.line_range]
        if (crop.x, crop.width) != (0, self.size.width):
            strips = [strip.crop(crop.x, crop.right) for strip in strips]
        for line_filter in self.get_line_filters():
            if not isinstance(line_filter, ANSIToTruecolor):  # all colours here are true colours
                background = self.background_colors[1]
                strips = [strip.apply_filter(line_filter, background) for strip in strips]
        return strips

    def on_resize(self) -> None:
        self.redraw()


class ScoreView(Drawn):
    """The widget of the scrolling score."""

    class Clicked(Message):
        """The gutter of voice 1, 2 or 3 was clicked."""

        def __init__(self, voice: int) -> None:
            super().__init__()
            self.voice = voice

    def __init__(self) -> None:
        super().__init__(id="score")
        self.score = lanes.ScorePainter()
        self.roll = Roll()
        self._now = 0
        self._voices: Sequence[VoiceState] = (VoiceState(),) * 3
        self._marks = Marks()
        self._drawn: tuple[object, ...] = ()
        self._notes = no_notes()

    @property
    def needed(self) -> tuple[int, int]:
        """The numbers of frames before and after the playhead that fill the picture."""
        return self.score.needed(*self.size)

    def show(self, window: Window, state: State) -> bool:
        """Show a window of the tape. Draws only if that changes a cell; returns whether it did."""
        computed = self.roll.show(window.first, window.frames, window.now)
        now = window.first + window.now
        ahead = state.controls.get("ahead")
        if ahead is not None and isinstance(ahead.value, int | float):
            self.score.ahead = max(int(ahead.value), SHORTEST_HORIZON if len(window.notes) else 0)
        before, after = self.needed
        marks = marks_of(state, now - before, now + after)
        key = (
            now // (2 * self.score.zoom), self.size, self.score.zoom, self.score.ahead, state.voices, marks.flags,
            marks.ticks,
            state.count.beat_frames, state.count.bar_beats, window.notes.tobytes(),
        )  # fmt: skip
        if not computed and key == self._drawn:
            return False
        self._now, self._voices, self._marks, self._drawn = now, state.voices, marks, key
        self._notes = window.notes
        self.redraw()
        return True

    def zoom(self) -> int:
        """Choose the next zoom; return it, in frames for each column of dots."""
        at = ZOOMS.index(self.score.zoom)
        self.score.zoom = ZOOMS[(at + 1) % len(ZOOMS)]
        return self.score.zoom

    def paint(self, canvas: Canvas) -> None:
        self.score.draw(canvas, self.roll, self._now, self._voices, self._marks, self._notes)

    def on_click(self, event: events.Click) -> None:
        layout = self.score.layout(*self.size)
        if event.x < layout.gutter and event.y < 3 * layout.voice_rows:
            self.post_message(self.Clicked(event.y // layout.voice_rows + 1))


class StateView(Drawn):
    """A widget that shows a State."""

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self.state = State()
        self.touched: frozenset[str] = frozenset()

    def show(self, state: State, touched: frozenset[str]) -> None:
        """Show a state. ``touched``: names of the controls that changed lately."""
        self.state, self.touched = state, touched
        self.redraw()


class Masthead(StateView):
    """The line at the top."""

    GROUND = PANEL

    def paint(self, canvas: Canvas) -> None:
        views.masthead(canvas, self.state)


class Panel(StateView):
    """The panel of controls, and of verbs if there is room for them."""

    def __init__(self, id: str, verbs: Mapping[str, str]) -> None:
        """``verbs``: a sentence for each verb, by name."""
        super().__init__(id)
        self._verbs = verbs
        self._places: dict[int, str] = {}

    class Learns(Message):
        """A control was clicked, to bind the next knob that moves to it; ``name`` is "" for no control any more."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def paint(self, canvas: Canvas) -> None:
        self._places = views.panel(canvas, self.state, self.touched, self._verbs)

    def on_click(self, event: events.Click) -> None:
        name = self._places.get(event.y)
        control = self.state.controls.get(name or "")
        if control is not None and control.low is not None:
            self.post_message(self.Learns("" if control.midi == LEARNING else control.name))


class ControlStrip(StateView):
    """The two lines that a narrow screen has in place of the panel."""

    def paint(self, canvas: Canvas) -> None:
        views.control_strip(canvas, self.state, self.touched)


class NoticeLine(Drawn):
    """The widget of the notice line."""

    def __init__(self) -> None:
        super().__init__(id="notice")
        self._text, self._colour = "", GROUND

    def show(self, text: str, colour: str) -> None:
        """Show a notice; an empty text clears it."""
        self._text, self._colour = text, colour
        self.redraw()

    def paint(self, canvas: Canvas) -> None:
        notice_line(canvas, self._text, self._colour)


class KeyBar(StateView):
    """The line of keys with their actions. A click does what the key does."""

    GROUND = PANEL

    class Pressed(Message):
        """A key was clicked. ``name`` is the name of its action."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def paint(self, canvas: Canvas) -> None:
        self._shown = [action for action in ACTIONS if action.title and (canvas.width >= 100 or not action.spare)]
        self._spans = views.key_bar(canvas, [(action.key_text, *self._title(action)) for action in self._shown])

    def _title(self, action: Action) -> tuple[str, str]:
        """Return the title of what the key does now, and its colour."""
        if action.name == "play":
            return ("Play ", GOOD) if self.state.phase == "stopped" else ("Stop ", TEXT)
        if action.name.startswith("mute"):
            muted = self.state.voices[int(action.name[-1]) - 1].muted
            return action.title, WARN if muted else TEXT
        return action.title, BAD if action.name == "panic" else TEXT

    def on_click(self, event: events.Click) -> None:
        for action, (left, right) in zip(self._shown, self._spans, strict=True):
            if left <= event.x < right:
                self.post_message(self.Pressed(action.name))
