"""The notice line above the console: the one message that the performer should read now."""

from typing import Final

from sidlive.live.places import log_path
from sidlive.live.state import Notice, State
from sidlive.studio.canvas import Canvas
from sidlive.studio.colours import BAD, FAINT, GROUND, MUTED, RULE, WARN
from sidlive.studio.views import short

QUIET_S: Final = 6.0  # after this much silence while playing, the line suggests what to try


# How the music goes on while generation is late.
_LATE: Final = {"holding": "the last frame is held", "looping": "the last bar loops"}


class Bulletin:
    """The chooser of the line's message. Remembers which notices it has seen. Times are seconds on any one clock."""

    def __init__(self, seconds: float = 10.0) -> None:
        """``seconds``: how long a notice is shown."""
        self.seconds = seconds
        self._last = 0
        self._since = -1e9

    def fresh(self, state: State, now: float) -> list[Notice]:
        """Return the notices that are new since the last call."""
        new = [notice for notice in state.notices if notice.number > self._last]
        if new:
            self._last, self._since = new[-1].number, now
        return new

    def choose(self, state: State, now: float) -> tuple[str, str]:
        """Return the most urgent message and its colour; an empty message if all is well."""
        if not state.alive:
            return f"the core has stopped; F9 opens it again. The reason is in {log_path()}", BAD
        if state.trouble:
            return state.trouble, BAD
        if not state.model:
            return state.loading or "the model is being loaded", WARN
        if state.notices and now - self._since < self.seconds:
            notice = state.notices[-1]
            return notice.text, WARN if notice.level == "warning" else MUTED
        if state.phase in _LATE:
            return f"generation is late: {_LATE[state.phase]} until new frames are ready", BAD
        if state.phase == "playing" and state.quiet_s > QUIET_S:
            return (
                f"quiet for {state.quiet_s:.0f} s: try another seed(…), a higher temperature(…), or the prompt again",
                WARN,
            )
        return "", MUTED


def notice_line(canvas: Canvas, text: str, colour: str) -> None:
    """Draw the line above the console with the message in it."""
    canvas.rule(0, colour=RULE)
    if text:
        canvas.write(0, 1, f" ▲ {short(text, canvas.width - 6)} ", colour if colour == MUTED else GROUND,
                     GROUND if colour == MUTED else colour, bold=True)  # fmt: skip
    else:
        canvas.write(0, 1, " CONSOLE ", FAINT, bold=True)
