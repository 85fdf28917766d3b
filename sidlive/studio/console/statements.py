"""Typed text as Python statements: whether it is complete, where to split it, how the next line is indented."""

import ast
import codeop
import re
from typing import Final

_UNREADABLE: Final = (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError)  # raised by the compiler


def is_complete(source: str) -> bool:
    """Return whether Enter should run this code rather than begin another line. Wrong code runs, to show its error."""
    try:
        if codeop.compile_command(source, "<studio>", "exec") is None:
            return False
        return not _goes_on(source, ast.parse(source).body)
    except _UNREADABLE:
        return True


def _goes_on(source: str, statements: list[ast.stmt]) -> bool:
    """Return whether the last statement is a block that no empty line and no less indented line has ended yet."""
    last_line = source.rpartition("\n")[2]
    indented = bool(last_line.strip()) and last_line[0].isspace()
    return bool(statements) and hasattr(statements[-1], "body") and "\n" in source and indented


def split_statements(typed: str) -> tuple[tuple[str, ...], str]:
    """Split lines that were entered at once: return the complete statements, in order, and the text still being typed.

    As at Python's prompt, an empty or less indented line ends a block; until then the block is still being typed. Code
    with a syntax error counts as one statement: running it shows the error.
    """
    source, newline, rest = typed.rpartition("\n")
    try:
        if not newline or codeop.compile_command(source, "<studio>", "exec") is None:
            return (), typed
        statements = ast.parse(source).body
    except _UNREADABLE:
        return (source.strip("\n"),), rest
    lines = source.split("\n")
    spans: list[tuple[int, int]] = []  # of each statement, its first line and the line after its last
    for statement in statements:
        first = min([statement.lineno, *(mark.lineno for mark in getattr(statement, "decorator_list", ()))]) - 1
        end = statement.end_lineno or statement.lineno
        if spans and first < spans[-1][1]:  # on the line of the statement before: run both together
            first = spans.pop()[0]
        spans.append((first, end))
    if _goes_on(source, statements):
        rest = "\n".join([*lines[spans.pop()[0] :], rest])
    return tuple("\n".join(lines[first:end]) for first, end in spans), rest


def next_indent(line: str) -> str:
    """Return the white space with which the line after this one should begin."""
    indent = line[: len(line) - len(line.lstrip())]
    body = line.split("#")[0].rstrip()
    if body.endswith(":"):
        return indent + "    "
    if re.match(r"\s*(return|pass|break|continue|raise)\b", line):
        return indent[:-4]
    return indent
