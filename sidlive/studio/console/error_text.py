"""Errors of the performer's code as a few lines of text: the message, their own source lines, the likely right name."""

import builtins
import difflib
import linecache
import re
import traceback
import types
from typing import Final

from sidlive.errors import SidliveError
from sidlive.live.controls import CONTROLS
from sidlive.studio.console.names import ConsoleNames

_PYTHON_HINT: Final = re.compile(r"\. Did you mean '(\w+)'\?$")  # from Python 3.13 on some messages end in one


def explain(error: BaseException, names: ConsoleNames) -> str:
    """Return an error as text. The last line is the message; the lines before it are the performer's own source lines.

    An error of sidlive's is its message alone. A syntax error shows its line and a caret. Other errors show their kind,
    and where a name was mistyped or hides a verb, what to type instead.
    """
    try:
        return _explain(error, names)
    except KeyboardInterrupt:
        raise
    except BaseException as fault:  # an exception class of the performer's may raise when it is printed
        return f"{type(error).__name__}, and its message cannot be shown: {type(fault).__name__}"


def _explain(error: BaseException, names: ConsoleNames) -> str:
    kind = type(error).__name__
    if isinstance(error, SidliveError):
        return str(error)
    if isinstance(error, SyntaxError) and (error.filename or "").startswith("<studio"):
        line = (error.text or "").rstrip("\n")
        caret = " " * max((error.offset or 1) - 1, 0) + "^"
        return f"{line}\n{caret}\n{kind}: {error.msg}" if line else f"{kind}: {error.msg}"
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith("<studio")]
    shown = [
        f"line {frame.lineno}{f', in {frame.name}' if frame.name != '<module>' else ''}: {frame.line}"
        for frame in own[-3:]
        if len(own) > 1 or "\n" in "".join(linecache.getlines(frame.filename)).strip()
    ]
    text, python_hint = str(error), _PYTHON_HINT.search(str(error))
    if python_hint:
        text = text[: python_hint.start()]
    message = f"{kind}: {text}" if text else kind
    if isinstance(error, SystemExit):
        message = "to leave the studio press Ctrl-Q"
    elif type(error) is NameError and error.name in names.given:  # the name is there, so its deletion failed
        message = f"{error.name} is sidlive's own name and cannot be deleted"
    elif isinstance(error, TypeError) and (hidden := _hidden_in(own[-1].line if own else "", names)):
        message += f". {hidden} is your variable: `del {hidden}` brings sidlive's {hidden} back"
    elif type(error) is NameError and error.name in CONTROLS:
        message += f'. It is a control: set("{error.name}", {CONTROLS[error.name].default!r})'
    elif near := _near(error, names) or (python_hint and python_hint[1]):
        message += f". Did you mean {near}?"
    return "\n".join([*shown, message])


def _hidden_in(line: str | None, names: ConsoleNames) -> str:
    """Return the first call in a source line whose name hides one of sidlive's; else ""."""
    called = re.findall(r"\b(\w+)\s*\(", line or "")
    return next((name for name in called if name in names.hidden), "")


def _near(error: BaseException, names: ConsoleNames) -> str | None:
    """Return the known name that a mistyped name, attribute or keyword argument resembles; else None."""
    if isinstance(error, NameError) and error.name:
        known = [*names.all, *dir(builtins)]
        wanted = error.name
    elif isinstance(error, AttributeError) and error.name:
        known = [name for name in dir(error.obj) if not name.startswith("_")]
        wanted = error.name
    elif isinstance(error, TypeError) and (
        match := re.search(r"(\w+)\(\) got an unexpected keyword argument '(\w+)'", str(error))
    ):
        verb = names.all.get(match[1])
        code = getattr(verb, "__code__", None) if isinstance(verb, types.MethodType | types.FunctionType) else None
        known = list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]) if code else []
        wanted = match[2]
    else:
        return None
    close = difflib.get_close_matches(wanted, known, 1, 0.6)
    return close[0] if close else None
