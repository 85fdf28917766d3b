"""How the console shows values: verbs as help, controls as a table, fragments as a line, others as Python does."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from rich.highlighter import ReprHighlighter
from rich.pretty import pretty_repr
from rich.text import Text

from sidlive.errors import ControlError
from sidlive.live.controls import CONTROLS
from sidlive.live.state import ControlState
from sidlive.report import plain
from sidlive.studio.colours import FAINT, GOOD, MUTED, PRIMARY, TEXT, WARN
from sidlive.studio.console.completion import first_sentence, signature_of

MAX_LINES: Final = 60
_highlight: Final = ReprHighlighter()


class ValueDisplay:
    """The console's conversion of values into Rich text; verbs are shown as help."""

    def __init__(self, verbs: Mapping[str, Callable[..., Any]]) -> None:
        self.verbs = verbs

    def __call__(self, value: Any) -> Text:
        """Return the text of a value: at most MAX_LINES lines, control characters escaped."""
        text = self._of(value)
        shown = plain(text.plain, lines=True)
        return text if shown == text.plain else Text(shown, TEXT)  # escapes shift the text, so its colours do not fit

    def _of(self, value: Any) -> Text:
        if isinstance(value, Text):
            return value
        if callable(value) and (name := self._name(value)):
            return self.verb(name).append(f"\ncall it with parentheses: {name}(…)", MUTED)
        if isinstance(value, ControlState):
            return control_line(value)
        if isinstance(value, Mapping) and value and all(isinstance(v, ControlState) for v in value.values()):
            return Text("\n").join(control_line(v) for v in value.values())
        if is_fragment(value):
            return fragment_line(value)
        if isinstance(value, Path):
            return Text(str(value), GOOD)
        if isinstance(value, Mapping) and value and all(is_fragment(v) for v in value.values()):
            return Text("\n").join(fragment_line(v) for v in value.values())
        if isinstance(value, list) and value and all(isinstance(v, str) for v in value) and len(value) > 3:
            return clip(Text("\n".join(value), TEXT))
        return clip(_highlight(pretty_repr(value, max_width=100, max_length=40, max_string=400, max_depth=6)))

    def help(self, thing: Any = None) -> Text:
        """Describe a verb, a control (by its name) or anything else. Without an argument, list the verbs."""
        if thing is None:
            width = max((len(name) for name in self.verbs), default=0) + 2
            lines = [
                Text.assemble((name.ljust(width), PRIMARY), (first_sentence(verb), TEXT))
                for name, verb in self.verbs.items()
            ]
            lines.append(
                Text(
                    "help(verb) describes one verb. F1 shows the keys and the reference; docs() lists its topics.",
                    MUTED,
                )
            )
            return Text("\n").join(lines)
        if isinstance(thing, str):
            return self._named(thing)
        if callable(thing):
            return self.verb(self._name(thing)) if self._name(thing) else described(_name_of(thing), thing)
        return described(type(thing).__name__, type(thing))

    def _named(self, name: str) -> Text:
        """Describe the verb and the control of a name; raise ControlError if there is neither."""
        found = [self.verb(name)] if name in self.verbs else []
        if name in CONTROLS:
            found.append(control_line(self.verbs["controls"]()[name]))
            found.append(Text(f'set("{name}", {CONTROLS[name].default!r}) sets it, get("{name}") returns it', MUTED))
        if not found:
            known = get_close_matches(name, [*self.verbs, *CONTROLS], 1)
            hint = f"did you mean {known[0]}?" if known else "help() lists the verbs, controls() the controls"
            raise ControlError(f"no verb or control {name!r}: {hint}")
        return Text("\n").join(found)

    def verb(self, name: str) -> Text:
        """Return a verb's signature and docstring."""
        return described(name, self.verbs[name])

    def _name(self, value: Any) -> str:
        return next((name for name, verb in self.verbs.items() if verb == value), "")


def described(name: str, thing: Callable[..., Any]) -> Text:
    """Return a callable's signature and docstring."""
    doc = (getattr(thing, "__doc__", None) or "").strip()
    lines = [line.strip() for line in doc.splitlines()]
    return clip(Text.assemble((signature_of(name, thing), f"bold {PRIMARY}"), ("\n" + "\n".join(lines), TEXT)))


def control_line(control: ControlState) -> Text:
    """Return a control as ``temperature  0.9  0 to 2  how daring``."""
    scale = f"{number(control.low)} to {number(control.high)} {control.unit}" if control.low is not None else ""
    return Text.assemble(
        (control.name.ljust(13), PRIMARY),
        (number(control.value).ljust(8), WARN),
        (scale.ljust(20), MUTED),
        (" " + control.help, TEXT),
        (f"  [{control.midi}]" if control.midi else "", GOOD),
    )


def number(value: Any) -> str:
    """Return a control's value as text, a float with three significant digits."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def is_fragment(value: Any) -> bool:
    """Return whether a value has the attributes of a fragment."""
    return all(hasattr(value, name) for name in ("name", "frames", "rate_hz", "source"))


def fragment_line(fragment: Any) -> Text:
    """Return a fragment as ``arp  10.0 s  501 frames  125 bpm  PAL 6581  from tune.sid``."""
    seconds = len(fragment.frames) / fragment.rate_hz
    beat = getattr(fragment, "beat_frames", 0)
    tempo = f"{60 * fragment.rate_hz / beat:.0f} bpm  " if beat else ""
    chip = " ".join(str(getattr(fragment, name, "")) for name in ("timing", "chip")).strip()
    return Text.assemble(
        (str(fragment.name), f"bold {GOOD}"),
        (f"  {seconds:.1f} s  {len(fragment.frames)} frames  {tempo}{chip}", TEXT),
        (f"  from {fragment.source}", FAINT),
    )


def clip(text: Text) -> Text:
    """Return the first MAX_LINES lines of a text and, if there are more, their number."""
    lines = text.split("\n", allow_blank=True)
    if len(lines) <= MAX_LINES:
        return text
    return Text("\n").join([*lines[:MAX_LINES], Text(f"… {len(lines) - MAX_LINES} more lines", MUTED)])


def _name_of(thing: Any) -> str:
    return str(getattr(thing, "__name__", type(thing).__name__))
