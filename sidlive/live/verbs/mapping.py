"""The verbs of the performer's hands: which knob, pad or key of a MIDI controller does what."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sidlive.errors import ControlError
from sidlive.live.controls import CONTROLS
from sidlive.live.state import BindingState
from sidlive.live.verbs.declaration import verb, verb_name
from sidlive.live.verbs.fragments import FragmentVerbs, shown

if TYPE_CHECKING:
    from sidlive.live.hands.monitor import Heard


class MapVerbs(FragmentVerbs):
    """The verbs of the hands. Any thread may call any verb."""

    @verb(names="control")
    def learn(self, target: str | Callable[..., Any] | None = None, *arguments: Any, **options: Any) -> None:
        """Bind the next knob that moves to a control, or the next pad to a verb: ``learn("temperature")``.

        ``learn(prompt, "drift", at="bar")``: the next pad, key or button calls ``prompt("drift", at="bar")``. Options
        are the keys of a map: ``learn("temperature", range=[0.5, 1.4], takeover="jump")``, ``learn(mute, 2,
        mode="hold")``; see ``docs("maps")``. ``kind="poly"`` learns a pad's pressure. Without arguments it stops
        learning. Encoders are recognised; bank select, parameter numbers and mode messages are not learned.
        """
        deed, rest = "", dict[str, Any]()
        if target is not None:
            deed, rest = _deed_of(target, arguments, options)
        elif arguments or options:
            raise ControlError('learn expects a control or a verb first, such as learn("temperature")')
        self._command.learn(deed, rest)

    @verb(names="control")
    def unlearn(self, target: str | Callable[..., Any], *arguments: Any, **named: Any) -> None:
        """Unbind all knobs of a control, or all pads of a verb: ``unlearn("temperature")``, ``unlearn(mute, 2)``."""
        from sidlive.live.hands.deeds import CallVerb, is_named, parse_deed
        from sidlive.live.session import VERBS

        name = target if isinstance(target, str) else verb_name(target)
        if arguments or named or name is None or "(" in name:
            name = _deed_of(target, arguments, named)[0]
        bound = [parse_deed(text) for text in (binding.deed for binding in self._core.bindings()) if text]
        if not any(is_named(deed, name) for deed in bound):
            kind = "pad" if name in VERBS or isinstance(parse_deed(name), CallVerb) else "knob"
            raise ControlError(f"no {kind} is bound to {name}: bindings() lists all")
        self._command.unlearn(name)

    @verb()
    def bindings(self) -> list[BindingState]:
        """Return what each knob, pad and key is bound to, and the file of its map."""
        return self._core.bindings()

    @verb()
    def midi(self) -> "list[Heard]":
        """Return the last MIDI messages and what each of them did; F12 of the studio shows them as they come."""
        return self._core.midi_log()


def _deed_of(target: object, arguments: tuple[Any, ...], named: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return a deed as text, and the options that are not arguments of its verb. Raises ControlError."""
    from sidlive.live.hands.deeds import checked_call, move, parse_deed
    from sidlive.live.hands.map.binding import KEYS
    from sidlive.live.session import VERBS

    name = target if isinstance(target, str) else verb_name(target)
    if name is None:
        raise ControlError(f"expected a control or a verb, found {shown(target)}; a loop's function is not bound")
    if "(" in name:
        return str(parse_deed(name)), named
    parameters = VERBS[name].signature.parameters if name in VERBS else {}
    mine = {key: value for key, value in named.items() if key in parameters}
    options = {key: value for key, value in named.items() if key not in mine}
    for key in options:
        if key not in (*KEYS, "kind"):
            raise ControlError(f"learn has no option {key!r}: there are {', '.join(KEYS)}")
    if name in CONTROLS and not arguments and not mine:
        return str(move(name)), options
    return str(checked_call(name, arguments, mine)), options
