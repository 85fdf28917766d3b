"""The moment of a verb's effect: the argument `at` of timed verbs, and blocks of verbs that take effect together.

A block collects the commands of its verbs and sends them to the core at its end, so all of them get the same frame.
"""

import contextlib
import functools
import inspect
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from sidlive.live.link import TIMED, CoreCalls
from sidlive.live.timing.moments import parse_moment

Method = TypeVar("Method", bound=Callable[..., Any])
Block = list[tuple[str, tuple[Any, ...]]]  # commands: name and arguments

_AT: Final = inspect.Parameter("at", inspect.Parameter.KEYWORD_ONLY, default=None, annotation="str | None")


class Timing:
    """Sends a session's commands to its core: at once, or with the block that the calling thread is in."""

    def __init__(self, core: CoreCalls) -> None:
        self.default = "now"  # the moment of verbs that do not name one
        self._core = core
        self._open = threading.local()

    def command(self, name: str, *arguments: Any) -> None:
        """Run a command of the core, or add it to the open block if it can wait."""
        blocks: list[Block] = getattr(self._open, "blocks", [])
        if blocks and name in TIMED:
            blocks[-1].append((name, arguments))
        else:
            self._core.command(name, *arguments)

    @contextlib.contextmanager
    def at(self, moment: str) -> Iterator[None]:
        """Time the commands of the context; if it raises, none of them is sent. Raises ControlError."""
        parse_moment(moment)
        block: Block = []
        blocks: list[Block] = self._open.__dict__.setdefault("blocks", [])
        blocks.append(block)
        try:
            yield
        finally:
            blocks.pop()
        if block:
            self._core.later(moment, *block)

    @property
    def in_block(self) -> bool:
        """Whether the calling thread is in a block."""
        return bool(getattr(self._open, "blocks", []))


def with_moment(method: Method) -> Method:
    """Return the method of a session with a further argument ``at``: the moment at which it takes effect.

    Without it, the moment is that of the block around the call, else the session's default.
    """

    @functools.wraps(method)
    def timed(self: Any, *arguments: Any, at: str | None = None, **named: Any) -> Any:
        timing: Timing = self._timing
        if at is None and (timing.in_block or timing.default == "now"):
            return method(self, *arguments, **named)
        with timing.at(timing.default if at is None else at):
            return method(self, *arguments, **named)

    signature = inspect.signature(method)
    timed.__signature__ = signature.replace(parameters=[*signature.parameters.values(), _AT])  # type: ignore[attr-defined]
    return timed  # type: ignore[return-value]
