"""What Tab offers: names, attributes, keyword arguments of verbs, and inside quotes paths, fragments and controls.

Reads only the text before the cursor and never runs it. Knows no screen.
"""

import builtins
import inspect
import keyword
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sidlive import docs
from sidlive.live.session import VERBS
from sidlive.model.scales import SCALES
from sidlive.model.tokens import KIND_NAMES
from sidlive.tune import shipped
from sidlive.tune.formats.kinds import MUSIC

MAX_OFFERS: Final = 200
_OPENERS: Final = {"(": ")", "[": "]", "{": "}"}
_MOMENTS: Final = ("now", "beat", "bar", "2 bars", "4 bars", "+1 bar")
_WORDS: Final = {
    "column": KIND_NAMES,
    "scale": SCALES,
    "moment": _MOMENTS,
}  # the names that a verb's argument of this kind may be
_KEYWORD: Final = re.compile(r"[(,]\s*(\w+)\s*=$")
_NAME_CHARS: Final = 200  # the longest name that is searched for: a search through a long text is slow
_HINT_CHARS: Final = 4000  # a longer text before the cursor gets no hint


@dataclass(frozen=True)
class Completion:
    """Options for the text at the cursor. An option replaces the last ``len(stem)`` characters before the cursor."""

    stem: str = ""
    options: tuple[str, ...] = ()

    @property
    def common(self) -> str:
        """The longest text with which all options begin."""
        if not self.options:
            return ""
        low, high = min(self.options), max(self.options)
        differ = (i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b)
        return low[: next(differ, min(len(low), len(high)))]


@dataclass(frozen=True)
class CursorContext:
    """The code around the cursor: the innermost open call, the argument, and the open string."""

    call: str = ""  # dotted name of the innermost open call
    argument: int = 0  # its position
    used: tuple[str, ...] = ()  # keyword arguments that are already given
    string: str | None = None  # the open string's text so far; None outside a string


def cursor_context(before: str) -> CursorContext:
    """Find what surrounds the cursor: scan the text before it for open brackets and an open string."""
    stack: list[tuple[str, int, int, list[str]]] = []  # opener, start of its argument list, commas, keywords
    quote, began, at = "", 0, 0
    while at < len(before):
        char = before[at]
        if quote:
            if char == "\\":
                at += 1
            elif before.startswith(quote, at):
                at += len(quote) - 1
                quote = ""
        elif char in "\"'":
            quote = char * 3 if before.startswith(char * 3, at) else char
            at += len(quote) - 1
            began = at + 1
        elif char == "#":
            at = before.find("\n", at)
            if at < 0:
                break
        elif char in _OPENERS:
            stack.append((char, at, 0, []))
        elif char in ")]}" and stack:
            stack.pop()
        elif char == "," and stack:
            opener, start, commas, used = stack[-1]
            stack[-1] = opener, start, commas + 1, used
        elif (
            char == "="
            and stack
            and (word := _KEYWORD.search(before[max(0, at - _NAME_CHARS) : at + 1]))
            and before[at + 1 : at + 2] != "="
        ):
            stack[-1][3].append(word[1])
        at += 1
    string = before[began:] if quote else None
    if not stack or stack[-1][0] != "(":
        return CursorContext(string=string)
    _, start, commas, used = stack[-1]
    name = re.search(r"([A-Za-z_][\w.]*)$", before[max(0, start - _NAME_CHARS) : start])
    return CursorContext(name[1] if name else "", commas, tuple(used), string)


def resolve(name: str, namespace: Mapping[str, Any]) -> Any:
    """Return the object that a dotted name names, or None. Runs no code but the objects' attribute look-up."""
    head, *rest = name.split(".")
    found = namespace.get(head, getattr(builtins, head, None))
    for part in rest:
        try:
            found = getattr(found, part)
        except Exception:
            return None
    return found


def parameters(function: Any) -> list[inspect.Parameter]:
    """Return the parameters of a callable; none if they cannot be known."""
    try:
        return list(inspect.signature(function).parameters.values()) if callable(function) else []
    except (TypeError, ValueError):
        return []


def complete(
    before: str,
    namespace: Mapping[str, Any],
    fragments: Iterable[str] = (),
    controls: Iterable[str] = (),
    first: Iterable[str] = (),
) -> Completion:
    """Return the ways to complete the text ``before`` the cursor.

    ``fragments`` and ``controls`` are the names of the loaded fragments and of the controls. The names in ``first``
    (the verbs) are offered before others.
    """
    context = cursor_context(before)
    if context.string is not None and context.call == "docs":
        return _matching(context.string, docs.TOPICS)
    if context.string is not None:
        verb = VERBS.get(context.call.removeprefix("session."))
        naming = verb.names if verb is not None and verb.argument == context.argument else None
        if verb is not None and verb.timed and context.used[-1:] == ("at",):
            naming = "moment"
        if naming == "control":
            return _matching(context.string, controls)
        if naming in _WORDS:
            return _matching(context.string, _WORDS[naming])
        if naming == "fragment":
            named = _matching(context.string, [*fragments, *shipped.names()])
            if named.options or "/" not in context.string:
                return named
        files = _paths(context.string)
        if naming == "music" and os.sep not in context.string:
            return Completion(context.string, files.options + _matching(context.string, shipped.names()).options)
        return files
    before = before[-_NAME_CHARS:]
    dotted = re.search(r"([A-Za-z_][\w.]*)\.(\w*)$", before)
    if dotted:
        return _attributes(resolve(dotted[1], namespace), dotted[2])
    if re.search(r"[)\]}\"'\d]\.\w*$|\d\w*$", before) and not re.search(r"[A-Za-z_]\w*$", before):
        return Completion()
    stem_match = re.search(r"[A-Za-z_]\w*$", before)
    stem = stem_match[0] if stem_match else ""
    keywords = [
        f"{p.name}="
        for p in parameters(resolve(context.call, namespace))
        if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD) and p.name not in context.used
    ][context.argument if context.call and not context.used else 0 :]
    if not stem:
        return Completion("", tuple(keywords))
    names = [*keywords, *first, *sorted(namespace), *keyword.kwlist, *sorted(dir(builtins))]
    return _matching(stem, (n for n in names if not n.startswith("_") or stem.startswith("_")))


def hint(before: str, namespace: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the signature and first sentence of the function in whose call the cursor is, or None."""
    if len(before) > _HINT_CHARS:
        return None
    call = cursor_context(before).call
    function = resolve(call, namespace) if call else None
    if not callable(function):
        return None
    return signature_of(call, function), first_sentence(function)


def signature_of(name: str, function: Callable[..., Any]) -> str:
    """Return a call as ``name(a, b=1)``, without annotations, so that it fits a line."""
    shown = []
    starred = False
    for p in parameters(function):
        if p.kind is p.VAR_POSITIONAL:
            starred = True
        elif p.kind is p.KEYWORD_ONLY and not starred:
            shown.append("*")
            starred = True
        prefix = "*" if p.kind is p.VAR_POSITIONAL else "**" if p.kind is p.VAR_KEYWORD else ""
        shown.append(prefix + p.name + ("" if p.default is p.empty else f"={p.default!r}"))
    return f"{name}({', '.join(shown)})"


def first_sentence(function: Any) -> str:
    """Return the first paragraph of a docstring as one line."""
    doc = inspect.getdoc(function) or ""
    return doc.split("\n\n")[0].replace("\n", " ").strip()


def _matching(stem: str, names: Iterable[str]) -> Completion:
    found = dict.fromkeys(name for name in names if name.startswith(stem))
    return Completion(stem, tuple(found)[:MAX_OFFERS])


def _attributes(value: Any, stem: str) -> Completion:
    if value is None:
        return Completion()
    try:
        names = dir(value)
    except Exception:
        return Completion()
    return _matching(stem, (n for n in names if not n.startswith("_") or stem.startswith("_")))


def _paths(stem: str) -> Completion:
    folder, part = os.path.split(stem)
    try:
        with os.scandir(os.path.expanduser(folder) or ".") as entries:
            found = [
                (not entry.is_dir(), entry.name + ("/" if entry.is_dir() else ""))
                for entry in entries
                if entry.name.startswith(part) and (part.startswith(".") or not entry.name.startswith("."))
            ]
    except OSError:
        return Completion()
    ranked = sorted(found, key=lambda item: (item[0] and not item[1].lower().endswith(MUSIC), item))
    return Completion(part, tuple(name for _, name in ranked[:MAX_OFFERS]))
