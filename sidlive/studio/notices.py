"""What the performer should read now: one line above the console, chosen from the state."""

from typing import Final

from sidlive.live.places import log_path
from sidlive.live.state import Notice, State
from sidlive.studio.canvas import Canvas
from sidlive.studio.colours import BAD, FAINT, GROUND, MUTED, RULE, WARN
from sidlive.studio.views import short

QUIET_S: Final = 6.0  # seconds without a sound before the studio remarks on it


class Bulletin:
    """Chooses the one line that the performer should read now."""

    def __init__(self, seconds: float = 10.0) -> None:
        self.seconds = seconds
        self._last = 0
        self._since = -1e9

    def fresh(self, state: State, now: float) -> list[Notice]:
        """Notices not seen before."""
        new = [notice for notice in state.notices if notice.number > self._last]
        if new:
            self._last, self._since = new[-1].number, now
        return new

    def choose(self, state: State, now: float) -> tuple[str, str]:
        """Text and colour; an empty text when there is nothing to say."""
        if not state.alive:
            return f"the core has stopped; F9 opens it anew. Why: {log_path()}", BAD
        if state.trouble:
            return state.trouble, BAD
        if not state.model:
            return state.loading or "the model is being loaded", WARN
        if state.notices and now - self._since < self.seconds:
            notice = state.notices[-1]
            return notice.text, WARN if notice.level == "warning" else MUTED
        if state.phase in ("holding", "looping"):
            return f"generation is late: {state.phase} what was played until it is back", BAD
        if state.phase == "playing" and state.quiet_s > QUIET_S:
            return (
                f"quiet for {state.quiet_s:.0f} s: another seed(…), a higher temperature(…), the prompt again",
                WARN,
            )
        return "", MUTED


def notice_line(canvas: Canvas, text: str, colour: str) -> None:
    """The rule above the console, with the notice in it."""
    canvas.rule(0, colour=RULE)
    if text:
        canvas.write(0, 1, f" ▲ {short(text, canvas.width - 6)} ", colour if colour == MUTED else GROUND,
                     GROUND if colour == MUTED else colour, bold=True)  # fmt: skip
    else:
        canvas.write(0, 1, " CONSOLE ", FAINT, bold=True)
